//! What a log's clock and the witness's say of each other, and how long something took in spite of lapses.
//!
//! The witness has a clock of its own. Whatever it hands over says what that clock shows: it was read after the harness had
//! asked, or at least after it had written down what was handed over before, and before it wrote this down. So each of them
//! bounds how far the log's clock is ahead, from both sides. As long as the bounds agree, the clocks go alike, and of all
//! differences the smallest is the one that was delayed least. Where they do not, one of the machines slept and its clock did not count it, or a clock jumped:
//! there the time before is moved by what held before, and the time after by what held after.

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

/// For so long after a lapse what happened in it may still be on its way: watches are opened again.
const BEHIND_US: u64 = 5_000_000;

/// For so long after a lapse an answer may not have been read yet that came in it.
const UNREAD_US: u64 = 1_000_000;

/// Clocks that come apart by less are out of step, as those of two machines may be, and no stretch is in doubt.
const STEP_US: u64 = 1_000_000;

/// Which stretches of a log are in doubt, and where the witness's times are on its clock.
#[derive(Debug, Clone, Default)]
pub struct Clocks {
    doubts: Vec<Doubt>,
    witness: Parted,
}

/// A stretch of the log's time of which it is not known how long it was for all concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// When it begins, in microseconds of the log's clock.
    pub from_us: u64,
    /// When it ends.
    pub to_us: u64,
    /// The records that tell of it.
    pub seqs: Vec<u64>,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Harness(Cause),
    Witness(Cause),
    /// The log's clock was so much further ahead of the witness's after it.
    Parted(i64),
}

impl Clocks {
    /// What the clocks of these records say.
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

    /// When something was, at the earliest and at the latest, that the witness tells of: on the log's clock.
    pub fn bounds(&self, witness_us: u64) -> (u64, u64) {
        self.witness.bounds(witness_us)
    }

    /// What the log's clock shows between two times of the witness. It may be less than nothing.
    pub fn between(&self, from_us: u64, to_us: u64) -> i64 {
        self.witness.between(from_us, to_us)
    }

    /// When that may have been at the earliest which a watch told of at a time of the log.
    pub fn earliest(&self, at_us: u64) -> u64 {
        self.held_up(at_us, BEHIND_US)
    }

    /// When an answer may have come at the earliest that was written down at a time of the log: it was only waiting to be
    /// read.
    pub fn earliest_answer(&self, at_us: u64) -> u64 {
        self.held_up(at_us, UNREAD_US)
    }

    fn held_up(&self, at_us: u64, behind_us: u64) -> u64 {
        let late = self.doubts.iter().filter(|doubt| doubt.holds_up() && doubt.reaches(at_us, behind_us));
        late.map(|doubt| doubt.from_us).min().unwrap_or(at_us)
    }

    /// How long it was from one time of the log to another.
    pub fn lasted(&self, from_us: u64, to_us: u64) -> Lasted<'_> {
        Lasted::of(self, from_us, to_us)
    }

    /// The stretch in which a clock on the wall jumped between two times of the log: times of the API server and of nodes are
    /// not to be compared across it.
    pub fn wall_jump(&self, from_us: u64, to_us: u64) -> Option<&Doubt> {
        self.doubts.iter().find(|doubt| doubt.is_wall_jump() && doubt.touches(from_us, to_us))
    }
}

impl Doubt {
    /// Whether what happened in it is written down after it.
    fn holds_up(&self) -> bool {
        matches!(self.kind, Kind::Harness(Cause::Slept | Cause::StoodStill))
    }

    /// Whether a time is in it, or so soon after it that what is written down then may have happened in it.
    fn reaches(&self, at_us: u64, behind_us: u64) -> bool {
        self.from_us < at_us && at_us <= self.to_us.saturating_add(behind_us)
    }

    fn touches(&self, from_us: u64, to_us: u64) -> bool {
        self.from_us <= to_us && from_us <= self.to_us.saturating_add(BEHIND_US)
    }

    fn is_wall_jump(&self) -> bool {
        matches!(self.kind, Kind::Harness(Cause::WallJumped { .. }) | Kind::Witness(Cause::WallJumped { .. }))
    }

    /// How much of it nobody may have lived through, although the log's clock counts it.
    fn lost_us(&self) -> u64 {
        match self.kind {
            Kind::Harness(Cause::Slept | Cause::StoodStill) | Kind::Witness(Cause::Slept | Cause::StoodStill) => {
                self.to_us.saturating_sub(self.from_us).saturating_add(BEHIND_US)
            }
            _ => 0,
        }
    }

    /// How much more of it there may have been than the log's clock counts.
    fn hidden_us(&self) -> u64 {
        match self.kind {
            // A machine that is halted from outside does not count that until somebody sets its clock on the wall.
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
