//! A part of a stage, such as `2/8`.

use std::fmt;
use std::str::FromStr;

/// One of several parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// The number of the part, from 1.
    pub number: u32,
    /// The number of parts.
    pub of: u32,
}

/// A text is not a part.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a part; give one such as 2/8")]
pub(crate) struct PartError(String);

impl Part {
    /// All parts at once.
    pub(crate) const ALL: Self = Self { number: 1, of: 1 };

    /// The part of a day, which is counted from 1970: a different part each day.
    pub(crate) fn of_day(day: u64, of: u32) -> Self {
        let index = u32::try_from(day % u64::from(of)).expect("it is smaller than `of`");
        Self { number: index + 1, of }
    }

    /// All parts in order.
    pub(crate) fn each(of: u32) -> impl Iterator<Item = Self> {
        (1..=of).map(move |number| Self { number, of })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Part {
    type Err = PartError;

    fn from_str(text: &str) -> Result<Self, PartError> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if 1 <= number && number <= of => Ok(Self { number, of }),
            _ => Err(PartError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_one_of_several() {
        assert_eq!("2/8".parse(), Ok(Part { number: 2, of: 8 }));
        assert_eq!("1/1".parse(), Ok(Part::ALL));
        for text in ["0/8", "9/8", "2", "2/", "/8", "a/8", "2/8/8", "-1/8"] {
            assert_eq!(text.parse::<Part>(), Err(PartError(text.to_owned())));
        }
    }

    #[test]
    fn each_day_has_another_part() {
        let parts: Vec<String> = (20_787..20_791).map(|day| Part::of_day(day, 3).to_string()).collect();
        assert_eq!(parts, ["1/3", "2/3", "3/3", "1/3"]);
    }
}
