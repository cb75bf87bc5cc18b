//! Sets of dense numbers, such as transactions or rows. A run of numbers costs as much as a single one.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use thiserror::Error;

/// A set of numbers, printed and read as `1-5,7`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Intervals {
    /// Inclusive ranges in ascending order with a hole between neighbours, so that equal sets are equal values.
    ranges: Vec<(u64, u64)>,
}

/// Why a text is not a set of numbers.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{found}` at byte {at} is not a number or a range of them, such as 7 or 1-5")]
pub struct IntervalsError {
    /// The text found.
    pub found: String,
    /// Its byte offset, counted from 0.
    pub at: usize,
}

impl Intervals {
    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers the set has; saturates at `u64::MAX`.
    pub fn len(&self) -> u64 {
        self.ranges.iter().fold(0, |sum: u64, (first, last)| sum.saturating_add(last - first).saturating_add(1))
    }

    /// The highest number.
    pub fn last(&self) -> Option<u64> {
        self.ranges.last().map(|(_, last)| *last)
    }

    /// Whether the set has this number.
    pub fn contains(&self, number: u64) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= number);
        after > 0 && self.ranges[after - 1].1 >= number
    }

    /// Adds the numbers from `first` to `last`; none if `first` is above `last`.
    pub fn insert(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        // `from..to` are the ranges that touch or overlap the new one: all are merged with it.
        let from = self.ranges.partition_point(|(_, end)| end.checked_add(1).is_some_and(|next| next < first));
        let to = self.ranges.partition_point(|(start, _)| start.checked_sub(1).is_none_or(|before| before <= last));
        let touched = &self.ranges[from..to];
        let start = touched.first().map_or(first, |range| range.0.min(first));
        let end = touched.last().map_or(last, |range| range.1.max(last));
        self.ranges.splice(from..to, [(start, end)]);
    }

    /// The numbers of both sets.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for &(first, last) in &other.ranges {
            both.insert(first, last);
        }
        both
    }

    /// The numbers of this set that the other one lacks.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut taken = other.ranges.iter().peekable();
        for &(first, last) in &self.ranges {
            let mut next = Some(first);
            while let (Some(start), Some(&&(from, to))) = (next, taken.peek())
                && from <= last
            {
                if from > start {
                    left.push((start, from - 1));
                }
                next = to.checked_add(1).map(|after| after.max(start)).filter(|after| *after <= last);
                // A range that reaches beyond this one may also cover part of the next one.
                if to > last {
                    break;
                }
                taken.next();
            }
            left.extend(next.map(|start| (start, last)));
        }
        Self { ranges: left }
    }

    /// All numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.ranges().flatten()
    }

    /// The runs of numbers, in order.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u64>> {
        self.ranges.iter().map(|&(first, last)| first..=last)
    }
}

impl FromIterator<u64> for Intervals {
    fn from_iter<T: IntoIterator<Item = u64>>(numbers: T) -> Self {
        let mut set = Self::default();
        for number in numbers {
            set.insert(number, number);
        }
        set
    }
}

impl FromStr for Intervals {
    type Err = IntervalsError;

    /// Parses the printed format; ranges may overlap and be in any order, with whitespace around every part.
    fn from_str(text: &str) -> Result<Self, IntervalsError> {
        let mut set = Self::default();
        for (at, part) in parts(text, 0, ',').filter(|(_, part)| !part.is_empty()) {
            let (first, last) = range(part, at)?;
            set.insert(first, last);
        }
        Ok(set)
    }
}

/// The trimmed parts of a text with their byte offsets; `start` is the offset of the text itself.
pub(super) fn parts(text: &str, start: usize, separator: char) -> impl Iterator<Item = (usize, &str)> {
    let mut next = start;
    text.split(separator).map(move |part| {
        let at = next + (part.len() - part.trim_start().len());
        next += part.len() + separator.len_utf8();
        (at, part.trim())
    })
}

/// Both ends of `1-5` or of `7`; `at` is the byte offset of the text.
pub(super) fn range(text: &str, at: usize) -> Result<(u64, u64), IntervalsError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let numbers = number(first.trim()).zip(number(last.trim()));
    numbers.filter(|(first, last)| first <= last).ok_or_else(|| IntervalsError { found: text.to_owned(), at })
}

/// Parses a number of digits only: `str::parse` would also accept a plus sign.
pub(super) fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Writes the ranges with `separator` between them.
pub(super) fn write(f: &mut fmt::Formatter<'_>, set: &Intervals, separator: &str) -> fmt::Result {
    for (index, (first, last)) in set.ranges.iter().enumerate() {
        let before = if index == 0 { "" } else { separator };
        if first == last { write!(f, "{before}{first}") } else { write!(f, "{before}{first}-{last}") }?;
    }
    Ok(())
}

impl fmt::Display for Intervals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self, ",")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> Intervals {
        text.parse().expect("a set")
    }

    #[test]
    fn the_last_number_is_the_highest() {
        assert_eq!([set(""), set("7"), set("8-9,1-3")].map(|numbers| numbers.last()), [None, Some(7), Some(9)]);
    }

    #[test]
    fn any_order_is_read_and_one_printed() {
        assert_eq!(set(" 7, 1-3 ,\n4 - 5,,2-4").to_string(), "1-5,7");
        assert_eq!(set(" \n").to_string(), "");
        assert_eq!(set("0,18446744073709551615").to_string(), "0,18446744073709551615");
    }

    #[test]
    fn an_error_says_what_stands_where() {
        let message = |text: &str| text.parse::<Intervals>().unwrap_err().to_string();
        assert_eq!(message("1-3, x"), "`x` at byte 5 is not a number or a range of them, such as 7 or 1-5");
        for wrong in ["5-3", "1-", "-1", "+1", "1-2-3", "18446744073709551616"] {
            assert!(message(wrong).starts_with(&format!("`{wrong}` at byte 0 is ")), "{wrong}");
        }
    }

    #[test]
    fn the_ends_of_what_can_be_counted_are_reached() {
        let mut all = Intervals::default();
        all.insert(1, u64::MAX);
        assert_eq!(all.len(), u64::MAX);
        all.insert(0, 0);
        assert_eq!((all.to_string(), all.len()), (format!("0-{}", u64::MAX), u64::MAX));
        let middle = set("1-5");
        assert_eq!(all.subtract(&middle).to_string(), format!("0,6-{}", u64::MAX));
        assert!(middle.subtract(&all).is_empty());
        all.insert(7, 5);
        assert_eq!(all.ranges().collect::<Vec<_>>(), [0..=u64::MAX]);
    }

    type Model = BTreeSet<u64>;

    /// Numbers near both ends of `u64`, so that ranges touch, overlap and reach the limits.
    fn model() -> impl Strategy<Value = Model> {
        prop::collection::btree_set(prop_oneof![0_u64..30, u64::MAX - 9..=u64::MAX], 0..40)
    }

    proptest! {
        #[test]
        fn they_behave_like_sets(a in model(), b in model(), (first, last) in (0_u64..30, 0_u64..30)) {
            let of = |model: &Model| model.iter().rev().copied().collect::<Intervals>();
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(x.union(&y), of(&(&a | &b)));
            prop_assert_eq!(x.subtract(&y), of(&(&a - &b)));
            prop_assert_eq!(x.iter().collect::<Vec<_>>(), a.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!((x.len(), x.is_empty()), (a.len() as u64, a.is_empty()));
            prop_assert!((0..30).chain(u64::MAX - 9..=u64::MAX).all(|number| x.contains(number) == a.contains(&number)));
            prop_assert_eq!(set(&x.to_string()), x.clone());
            let mut longer = x;
            longer.insert(first, last);
            prop_assert_eq!(longer, of(&a.into_iter().chain(first..=last).collect()));
        }
    }
}
