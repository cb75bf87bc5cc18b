//! Sets of global transaction identifiers
//! (<https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html#replication-gtids-concepts-gtid-sets>).
//!
//! Servers are compared both ways: what a replica misses, and what it has that its source never wrote.

use std::{collections::BTreeMap, fmt, str::FromStr};

use thiserror::Error;

/// The highest transaction number that a server hands out.
const LAST: u64 = i64::MAX as u64;

/// A set of transactions, each known by the UUID of the server that committed it first, and a number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtidSet {
    /// By UUID in lower case: intervals, both ends included, in order, with at least one number missing between two.
    /// No list is empty, so that equal sets are equal values.
    sources: BTreeMap<String, Vec<(u64, u64)>>,
}

/// Why a text is no set of transactions.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GtidError {
    /// The text before the first colon is not a UUID.
    #[error("`{found}` at byte {at} is not a server UUID")]
    Uuid {
        /// What stands there.
        found: String,
        /// Where, counted from 0.
        at: usize,
    },
    /// A UUID stands without a transaction number.
    #[error("`{found}` at byte {at} names no transaction")]
    NoInterval {
        /// What stands there.
        found: String,
        /// Where, counted from 0.
        at: usize,
    },
    /// A number or a range is not one.
    #[error("`{found}` at byte {at} is not a transaction number or a range of them")]
    Interval {
        /// What stands there.
        found: String,
        /// Where, counted from 0.
        at: usize,
    },
}

impl GtidSet {
    /// Whether the set has no transaction.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The transactions that are in this set and not in the other one.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let remainder = self.sources.iter().map(|(source, intervals)| {
            let taken = other.sources.get(source).map_or(&[][..], Vec::as_slice);
            (source.clone(), without(intervals, taken))
        });
        Self { sources: remainder.collect() }.normalized()
    }

    /// Sorts, merges what touches, and drops servers without a transaction.
    fn normalized(mut self) -> Self {
        for intervals in self.sources.values_mut() {
            intervals.sort_unstable();
            intervals.dedup_by(|next, last| {
                let touches = next.0 <= last.1 + 1;
                if touches {
                    last.1 = last.1.max(next.1);
                }
                touches
            });
        }
        self.sources.retain(|_, intervals| !intervals.is_empty());
        self
    }
}

/// The numbers in `intervals` and not in `taken`; both are in order.
fn without(intervals: &[(u64, u64)], taken: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut left = Vec::new();
    for &(first, last) in intervals {
        let mut next = first;
        for &(from, to) in taken.iter().filter(|&&(from, to)| from <= last && to >= first) {
            if from > next {
                left.push((next, from - 1));
            }
            next = next.max(to + 1);
        }
        if next <= last {
            left.push((next, last));
        }
    }
    left
}

impl FromStr for GtidSet {
    type Err = GtidError;

    /// Reads the form in which servers print a set; blanks and newlines are allowed around every part.
    fn from_str(text: &str) -> Result<Self, GtidError> {
        let mut set = Self::default();
        for (at, part) in split(text, 0, ',').filter(|(_, part)| !part.is_empty()) {
            let mut pieces = split(part, at, ':');
            let (_, uuid) = pieces.next().unwrap_or_default();
            if !is_uuid(uuid) {
                return Err(GtidError::Uuid { found: uuid.to_owned(), at });
            }
            let read: Vec<_> = pieces.map(|(at, piece)| interval(piece, at)).collect::<Result<_, _>>()?;
            if read.is_empty() {
                return Err(GtidError::NoInterval { found: uuid.to_owned(), at });
            }
            set.sources.entry(uuid.to_ascii_lowercase()).or_default().extend(read);
        }
        Ok(set.normalized())
    }
}

/// The trimmed parts of a text, each with its offset; `start` is the offset of the text itself.
fn split(text: &str, start: usize, separator: char) -> impl Iterator<Item = (usize, &str)> {
    let mut next = start;
    text.split(separator).map(move |part| {
        let at = next + (part.len() - part.trim_start().len());
        next += part.len() + separator.len_utf8();
        (at, part.trim())
    })
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let digits = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(digits)
}

fn interval(text: &str, at: usize) -> Result<(u64, u64), GtidError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let numbers = first.trim().parse().ok().zip(last.trim().parse().ok());
    numbers
        .filter(|&(first, last): &(u64, u64)| 1 <= first && first <= last && last <= LAST)
        .ok_or_else(|| GtidError::Interval { found: text.to_owned(), at })
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (source, intervals)) in self.sources.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{source}")?;
            for (first, last) in intervals {
                if first == last { write!(f, ":{first}") } else { write!(f, ":{first}-{last}") }?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "ffffffff-0000-4000-8000-00000000000a";

    fn set(text: &str) -> GtidSet {
        text.parse().expect("a set")
    }

    #[test]
    fn the_form_of_the_servers_is_read_and_printed_canonically() {
        let upper = A.to_uppercase();
        let text = format!(" {upper}:7:1-3 : 4-5,\n{B} : 2 ,");
        assert_eq!(set(&text).to_string(), format!("{A}:1-5:7,{B}:2"));
        assert_eq!(set("").to_string(), "");
        assert!(set(" \n").is_empty());
    }

    #[test]
    fn an_error_says_what_stands_where() {
        let message = |text: &str| text.parse::<GtidSet>().unwrap_err().to_string();
        assert_eq!(message("mysql:1"), "`mysql` at byte 0 is not a server UUID");
        assert_eq!(message(&format!("{A}:1,\n {B}")), format!("`{B}` at byte 41 names no transaction"));
        for wrong in ["0", "5-3", "x", "", "1-", "-1", "9223372036854775808"] {
            let expected = format!("`{wrong}` at byte 37 is not a transaction number or a range of them");
            assert_eq!(message(&format!("{A}:{wrong}")), expected);
        }
    }

    #[test]
    fn the_difference_names_what_is_missing_and_what_is_errant() {
        let (source, replica) = (set(&format!("{A}:1-10")), set(&format!("{A}:1-4:6-9,{B}:1")));
        assert_eq!(source.subtract(&replica), set(&format!("{A}:5:10")));
        assert_eq!(replica.subtract(&source), set(&format!("{B}:1")));
    }

    type Model = HashSet<(&'static str, u64)>;

    fn model() -> impl Strategy<Value = Model> {
        prop::collection::hash_set((prop::sample::select(vec![A, B]), 1_u64..30), 0..40)
    }

    /// The set of the model's members, written out one by one in no order.
    fn of(model: &Model) -> GtidSet {
        set(&model.iter().map(|(source, number)| format!("{source}:{number}")).collect::<Vec<_>>().join(","))
    }

    proptest! {
        #[test]
        fn sets_behave_like_sets(a in model(), b in model()) {
            let (x, y) = (of(&a), of(&b));
            prop_assert_eq!(x.subtract(&y), of(&(&a - &b)));
            prop_assert_eq!(x.is_empty(), a.is_empty());
            prop_assert_eq!(x == y, a == b);
            prop_assert_eq!(set(&x.to_string()), x);
        }
    }
}
