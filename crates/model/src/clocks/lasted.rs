//! How long something took, in spite of lapses.

use super::{Clocks, Doubt};

/// How long it was from one time of the log to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lasted<'a> {
    /// At least, in microseconds: without what nobody may have lived through.
    pub least_us: u64,
    /// At most: with what the log's clock may not have counted, and from when the first of it may have happened.
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

    /// Whether it was no longer than this; nothing where nobody knows.
    pub fn is_within(&self, us: u64) -> Option<bool> {
        match (self.most_us <= us, self.least_us > us) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        }
    }
}
