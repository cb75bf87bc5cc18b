//! How long something took despite lapses.

use super::{Clocks, Doubt};

/// The duration between two times of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lasted<'a> {
    /// The least duration in microseconds: without the time in which nothing may have run.
    pub least_us: u64,
    /// The greatest duration in microseconds: with the time that the log's clock may not have counted, and from the
    /// earliest time at which the beginning may have happened.
    pub most_us: u64,
    /// The longest stretch in between that is in doubt.
    pub doubt: Option<&'a Doubt>,
}

impl<'a> Lasted<'a> {
    pub(super) fn of(clocks: &'a Clocks, from_us: u64, to_us: u64) -> Self {
        let told_us = to_us.saturating_sub(from_us);
        let (mut least_us, mut most_us, mut doubt) = (told_us, told_us, None::<&Doubt>);
        for it in clocks.doubts.iter().filter(|it| it.touches(from_us, to_us)) {
            let (lost_us, hidden_us) = (it.lost_us(), it.hidden_us());
            let within_us = it.from_us.saturating_add(lost_us).min(to_us).saturating_sub(it.from_us.max(from_us));
            least_us = least_us.saturating_sub(within_us);
            most_us = most_us.saturating_add(hidden_us);
            if lost_us.max(hidden_us) > doubt.map_or(0, |known| known.lost_us().max(known.hidden_us())) {
                doubt = Some(it);
            }
        }
        most_us = most_us.saturating_add(from_us - clocks.earliest(from_us).min(from_us));
        Self { least_us, most_us, doubt }
    }

    /// Whether the duration was at most this long; `None` if it cannot be decided.
    pub fn is_within(&self, us: u64) -> Option<bool> {
        match (self.most_us <= us, self.least_us > us) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}
