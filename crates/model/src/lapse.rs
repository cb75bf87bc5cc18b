//! A stretch of time that nobody saw, or that a clock did not count as it should have.

use serde::{Deserialize, Serialize};

use super::duration::seconds;

/// A stretch of time in which a program saw nothing, or in which a clock jumped. What happened in it may have taken longer or
/// less long than records say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lapse {
    /// When the clocks were last as they should be, in microseconds of the clock that the lapse is told by.
    pub from_us: u64,
    /// When it was noticed.
    pub to_us: u64,
    /// What it was.
    #[serde(flatten)]
    pub cause: Cause,
}

/// What a lapse was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// The machine slept.
    Slept,
    /// The program did not run while the machine was awake: it was stopped, or its container was.
    StoodStill,
    /// The clock on the wall was set.
    WallJumped {
        /// By so many microseconds, beyond those that passed.
        by_us: i64,
    },
}

impl Lapse {
    /// What it was in words, of the harness or of the witness.
    pub fn words(&self, of: &str) -> String {
        let [from, to] = [self.from_us, self.to_us].map(seconds);
        match self.cause {
            Cause::Slept => format!("the {of}'s machine slept between {from} and {to}"),
            Cause::StoodStill => format!("the {of} stood still between {from} and {to}"),
            Cause::WallJumped { by_us } => {
                let by = by_us as f64 / 1e6;
                format!("the clock on the wall of the {of}'s machine jumped by {by:+.1} s between {from} and {to}")
            }
        }
    }
}
