//! How the log's clock relates to the witness's, and how long something took despite lapses.
//!
//! The witness has its own clock. Each batch of entries that it hands over states what that clock shows. The witness
//! read it after the harness had asked, or at least after the harness had recorded the batch before, and before the
//! harness recorded this batch. So each batch bounds from both sides how far the log's clock is ahead. While the bounds
//! agree, the clocks run alike, and the smallest of all differences is the one with the least delay. Where the bounds
//! disagree, a machine slept and its clock did not count the sleep, or a clock jumped: earlier times are then converted
//! by the difference that held before, later times by the difference that held after.

mod lasted;
mod parted;
#[cfg(test)]
mod tests;

use std::fmt;

use super::duration::seconds;
use super::lapse::{Cause, Lapse};
use super::record::{Record, What};
use parted::Parted;

pub use lasted::Lasted;

/// How long after a lapse, in microseconds, a watch event may still report what happened in it: watches reconnect
/// first.
const BEHIND_US: u64 = 5_000_000;

/// How long after a lapse, in microseconds, an answer may still be unread that arrived in it.
const UNREAD_US: u64 = 1_000_000;

/// Clocks of two machines may drift apart by this much, in microseconds, without putting a stretch in doubt.
const STEP_US: u64 = 1_000_000;

/// The stretches of a log that are in doubt, and the conversion of the witness's times to the log's clock.
#[derive(Debug, Clone, Default)]
pub struct Clocks {
    doubts: Vec<Doubt>,
    witness: Parted,
}

/// A stretch of the log's time whose true length is unknown for some participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The beginning, in microseconds of the log's clock.
    pub from_us: u64,
    /// The end, likewise.
    pub to_us: u64,
    /// The sequence numbers of the records that reveal it.
    pub seqs: Vec<u64>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Harness(Cause),
    Witness(Cause),
    /// The log's clock is ahead of the witness's by this many microseconds more after the stretch than before it.
    Parted(i64),
}

impl Clocks {
    /// Compares the clocks by these records.
    pub fn of(records: &[Record]) -> Self {
        let witness = Parted::of(records);
        let mut doubts = witness.doubts();
        for record in records {
            match &record.what {
                What::Lapse(Lapse { from_us, to_us, cause }) => {
                    let (from_us, to_us, kind) = (*from_us, *to_us, Kind::Harness(*cause));
                    doubts.push(Doubt { from_us, to_us, seqs: vec![record.seq], kind });
                }
                What::Entries(entries) => doubts.extend(entries.lapses.iter().map(|lapse| {
                    let (from_us, to_us) = (witness.bounds(lapse.from_us).0, witness.bounds(lapse.to_us).1);
                    Doubt { from_us, to_us, seqs: vec![record.seq], kind: Kind::Witness(lapse.cause) }
                })),
                _ => {}
            }
        }
        doubts.sort_by_key(|doubt| doubt.from_us);
        Self { doubts, witness }
    }

    /// All stretches that are in doubt, by their beginning.
    pub fn doubts(&self) -> &[Doubt] {
        &self.doubts
    }

    /// The earliest and the latest time on the log's clock that a time of the witness can be.
    pub fn bounds(&self, witness_us: u64) -> (u64, u64) {
        self.witness.bounds(witness_us)
    }

    /// The time on the log's clock between two times of the witness, in microseconds. It may be negative.
    pub fn between(&self, from_us: u64, to_us: u64) -> i64 {
        self.witness.between(from_us, to_us)
    }

    /// The earliest time at which something can have happened that a watch reported at a time of the log.
    pub fn earliest(&self, at_us: u64) -> u64 {
        self.held_up(at_us, BEHIND_US)
    }

    /// The earliest time at which an answer can have arrived that was recorded at a time of the log: it may have waited
    /// to be read.
    pub fn earliest_answer(&self, at_us: u64) -> u64 {
        self.held_up(at_us, UNREAD_US)
    }

    fn held_up(&self, at_us: u64, behind_us: u64) -> u64 {
        let late = self.doubts.iter().filter(|doubt| doubt.holds_up() && doubt.reaches(at_us, behind_us));
        late.map(|doubt| doubt.from_us).min().unwrap_or(at_us)
    }

    /// The duration between two times of the log.
    pub fn lasted(&self, from_us: u64, to_us: u64) -> Lasted<'_> {
        Lasted::of(self, from_us, to_us)
    }

    /// The stretch in which a wall clock jumped between two times of the log: timestamps of the API server and of nodes
    /// must not be compared across it.
    pub fn wall_jump(&self, from_us: u64, to_us: u64) -> Option<&Doubt> {
        self.doubts.iter().find(|doubt| doubt.is_wall_jump() && doubt.touches(from_us, to_us))
    }
}

impl Doubt {
    /// Whether what happens in the stretch is recorded only after it.
    fn holds_up(&self) -> bool {
        matches!(self.kind, Kind::Harness(Cause::Slept | Cause::StoodStill))
    }

    /// Whether a time is in the stretch, or so soon after it that a record of that time may report something from
    /// within it.
    fn reaches(&self, at_us: u64, behind_us: u64) -> bool {
        self.from_us < at_us && at_us <= self.to_us.saturating_add(behind_us)
    }

    fn touches(&self, from_us: u64, to_us: u64) -> bool {
        self.from_us <= to_us && from_us <= self.to_us.saturating_add(BEHIND_US)
    }

    fn is_wall_jump(&self) -> bool {
        matches!(self.kind, Kind::Harness(Cause::WallJumped { .. }) | Kind::Witness(Cause::WallJumped { .. }))
    }

    /// How much of the stretch nothing may have run in although the log's clock counts it, in microseconds.
    fn lost_us(&self) -> u64 {
        match self.kind {
            Kind::Harness(Cause::Slept | Cause::StoodStill) | Kind::Witness(Cause::Slept | Cause::StoodStill) => {
                self.to_us.saturating_sub(self.from_us).saturating_add(BEHIND_US)
            }
            _ => 0,
        }
    }

    /// How much longer the stretch may have been than the log's clock counts, in microseconds.
    fn hidden_us(&self) -> u64 {
        match self.kind {
            // A machine that is halted from outside does not count the halt until somebody sets its wall clock.
            Kind::Harness(Cause::WallJumped { by_us }) if by_us > 0 => by_us.unsigned_abs(),
            Kind::Parted(by_us) if by_us < 0 => by_us.unsigned_abs(),
            _ => 0,
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_us, to_us, kind, .. } = *self;
        let told = match kind {
            Kind::Harness(cause) => Lapse { from_us, to_us, cause }.words("harness"),
            Kind::Witness(cause) => Lapse { from_us, to_us, cause }.words("witness"),
            Kind::Parted(by_us) => {
                let (by, from, to) = (seconds(by_us.unsigned_abs()), seconds(from_us), seconds(to_us));
                format!("the clocks of harness and witness came apart by {by} between {from} and {to}")
            }
        };
        let seqs: Vec<String> = self.seqs.iter().map(|seq| format!("#{seq}")).collect();
        write!(f, "{told} ({})", seqs.join(", "))
    }
}
