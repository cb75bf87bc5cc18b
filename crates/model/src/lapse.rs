//! A stretch of time that was not observed, or that a clock counted wrongly.

use serde::{Deserialize, Serialize};

use super::duration::seconds;

/// A stretch of time in which a program saw nothing, or in which a clock jumped. What happened in it may have taken
/// longer or less long than the records say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lapse {
    /// When the clocks were last correct, in microseconds of the clock of the record that reports the lapse.
    pub from_us: u64,
    /// When it was noticed.
    pub to_us: u64,
    /// The cause.
    #[serde(flatten)]
    pub cause: Cause,
}

/// The cause of a lapse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// The machine slept.
    Slept,
    /// The program did not run although the machine was awake: the program or its container was stopped.
    StoodStill,
    /// The wall clock was set.
    WallJumped {
        /// By how many microseconds beyond the elapsed time.
        by_us: i64,
    },
}

impl Lapse {
    /// Describes the lapse; `of` says whether it is the harness's or the witness's.
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
