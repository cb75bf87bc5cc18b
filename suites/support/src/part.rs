//! A part of a suite, so that short runs cover the whole suite in turn. `STEADFAST_PART=2/5` is the second fifth.

use std::fmt;
use std::str::FromStr;

use crate::environment::variable;

#[cfg(test)]
mod tests;

const VARIABLE: &str = "STEADFAST_PART";

/// Which trials of a suite run: all, or one part of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    number: usize,
    of: usize,
}

impl Part {
    /// The part that the environment selects. Default: the whole suite.
    ///
    /// # Panics
    /// When the value is invalid: the suite would otherwise test something else.
    pub fn from_environment() -> Self {
        variable(VARIABLE).unwrap_or(Self { number: 1, of: 1 })
    }

    /// Whether the trial with this index in its list belongs to the part.
    pub fn has(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }
}

impl FromStr for Part {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("give a part as in 2/5"),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// The reason for upgrading no cluster, if only a part of the suites is selected: an upgrade takes as long as several
/// parts.
pub fn no_upgrades() -> Option<String> {
    let part = Part::from_environment();
    let is_part = part.of > 1;
    is_part.then(|| format!("{VARIABLE}={part}: upgrades are in no part; {VARIABLE}=1/1 has them"))
}
