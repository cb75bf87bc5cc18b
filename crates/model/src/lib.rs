//! What a run records: the records, their index and timeline, and the terms that all parts of Steadfast share. Nothing
//! here depends on a cluster, an async runtime or a command line.

mod act;
mod answer;
mod budget;
mod checkpoint;
mod choice;
mod clock;
mod clocks;
pub mod duration;
mod entries;
#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
pub mod image;
mod index;
mod lapse;
pub mod mysql;
pub mod object;
mod power;
mod read;
mod record;
pub mod regular;
mod rules;
mod run;
mod scenario;
mod state;
mod subject;
pub mod text;
mod timeline;
mod vain;

use std::path::Path;

pub use act::{Act, Fault};
pub use answer::*;
pub use budget::{BUDGETS, BudgetDescription, BudgetKind, Budgets};
pub use checkpoint::Checkpoint;
pub use choice::Choice;
pub use clock::{BEAT, BUSY_US, Reading, Sampler, Stopwatch, boot_us, wall_us};
pub use clocks::{Clocks, Doubt, Lasted};
pub use entries::*;
pub use index::{Index, Places};
pub use lapse::{Cause, Lapse};
pub use power::{PowerCut, PowerRestored};
pub use read::ReadError;
pub use record::*;
pub use rules::LONGEST_RUN_US;
pub use run::*;
pub use scenario::{Description, Disrupts, SCENARIOS, Scenario, UnknownScenario, plan};
pub use state::*;
pub use subject::*;
pub use timeline::{
    Change, ClaimLife, Family, Incarnation, Lives, Mark, PodLife, SetState, Timeline, VolumeLife, other_address,
};
pub use vain::{LastWords, Warning};

/// All that a check may read. The other parts are derived from the records once, so the records must not change
/// afterwards.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The records, in order.
    pub records: Vec<Record>,
    /// The history of the run's objects.
    pub timeline: Timeline,
    /// Where the records of each kind are.
    pub index: Index,
    /// How the clocks relate, and which stretches of time are in doubt.
    pub clocks: Clocks,
}

impl Evidence {
    /// Builds the evidence of these records, which must be in order.
    pub fn new(records: Vec<Record>) -> Self {
        let (timeline, index, clocks) = (Timeline::of(&records), Index::of(&records), Clocks::of(&records));
        Self { records, timeline, index, clocks }
    }

    /// Reads an `evidence.jsonl`.
    ///
    /// # Errors
    /// If the file cannot be read, or if a line is not what a run writes: no record, out of order by sequence number or
    /// time, of another format, of a second run, or about a pod that was never seen.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        read::read(path).map(Self::new)
    }

    /// Parses the bytes of an `evidence.jsonl`.
    ///
    /// # Errors
    /// As [`Evidence::read`], except for errors of the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        read::parse(bytes, Path::new("evidence")).map(Self::new)
    }

    /// The description of the run, if the run got far enough to write it.
    pub fn run(&self) -> Option<&Run> {
        self.records.iter().find_map(|record| match &record.what {
            What::Run(run) => Some(run.as_ref()),
            _ => None,
        })
    }
}
