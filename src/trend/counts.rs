//! The number of verdicts of each kind.

use schemars::JsonSchema;
use serde::Serialize;

use crate::check::Verdict;

/// The number of verdicts of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Counts {
    /// Passed.
    pub pass: usize,
    /// Red.
    pub fail: usize,
    /// Undecided: neither red nor green.
    pub inconclusive: usize,
    /// Skipped.
    pub skipped: usize,
}

impl FromIterator<Verdict> for Counts {
    fn from_iter<I: IntoIterator<Item = Verdict>>(verdicts: I) -> Self {
        let mut counts = Self::default();
        for verdict in verdicts {
            *match verdict {
                Verdict::Pass => &mut counts.pass,
                Verdict::Fail => &mut counts.fail,
                Verdict::Inconclusive => &mut counts.inconclusive,
                Verdict::Skipped => &mut counts.skipped,
            } += 1;
        }
        counts
    }
}
