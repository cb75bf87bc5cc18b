//! Durations, as far as the clocks are not in doubt.

use super::Case;
use crate::Finding;
use crate::assessment::Judged;
use crate::evidence::{Doubt, Lasted, Mark};

impl<'a> Case<'a> {
    /// The duration between two records.
    pub(crate) fn lasted(&self, from: Mark, to: Mark) -> Lasted<'a> {
        self.clocks.lasted(from.at_us, to.at_us)
    }

    /// Whether the time between two records was at most this long. Inconclusive about `what` if a machine slept or a
    /// clock jumped meanwhile, so that both are possible.
    pub(crate) fn is_within(&self, what: &str, (from, to): (Mark, Mark), us: u64) -> Judged<bool> {
        let lasted = self.lasted(from, to);
        lasted.is_within(us).ok_or_else(|| out_of_time(what, lasted.doubt, [from.seq, to.seq]))
    }
}

/// The inconclusive finding about a duration that is unknown because a machine slept or a clock jumped.
pub(crate) fn out_of_time(what: &str, doubt: Option<&Doubt>, records: impl IntoIterator<Item = u64>) -> Finding {
    let why = doubt.map_or_else(String::new, |doubt| format!(": {doubt}"));
    let seqs = doubt.into_iter().flat_map(|doubt| doubt.seqs.iter().copied());
    Finding::inconclusive(format!("{what} is unknown{why}"), records.into_iter().chain(seqs))
}
