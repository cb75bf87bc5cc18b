//! How long something took, where the clocks leave no doubt of it.

use crate::evidence::{Doubt, Lasted, Mark};

use super::{
    super::{Finding, assessment::Judged},
    Case,
};

impl<'a> Case<'a> {
    /// How long it was from one record to another.
    pub fn lasted(&self, from: Mark, to: Mark) -> Lasted<'a> {
        self.clocks.lasted(from.at_us, to.at_us)
    }

    /// Whether it was no longer than this from one record to another; a doubt about `what` where a machine slept meanwhile,
    /// or a clock jumped, and both may be.
    pub fn is_within(&self, what: &str, (from, to): (Mark, Mark), us: u64) -> Judged<bool> {
        let lasted = self.lasted(from, to);
        lasted.is_within(us).ok_or_else(|| out_of_time(what, lasted.doubt, [from.seq, to.seq]))
    }
}

/// The doubt about what nobody can tell since a machine slept, or a clock jumped.
pub(in super::super) fn out_of_time(
    what: &str,
    doubt: Option<&Doubt>,
    records: impl IntoIterator<Item = u64>,
) -> Finding {
    let why = doubt.map_or_else(String::new, |doubt| format!(": {doubt}"));
    let seqs = doubt.into_iter().flat_map(|doubt| doubt.seqs.iter().copied());
    Finding::inconclusive(format!("{what} cannot be told{why}"), records.into_iter().chain(seqs))
}
