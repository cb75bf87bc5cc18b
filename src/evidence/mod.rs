//! What was seen: the records, the append-only log that holds them, the recorder that fills it, and the timeline that
//! indexes it.

mod act;
mod answer;
mod entries;
mod index;
mod log;
mod moment;
mod record;
mod recorder;
mod state;
mod subject;
mod timeline;

use std::path::Path;

pub use act::{Act, Fault};
pub use answer::*;
pub use entries::*;
pub use index::{Index, Places};
pub use log::{Log, ReadError, Sight, WaitError};
pub use moment::Moment;
pub use record::*;
pub use recorder::{Recorder, WatchError};
pub use state::*;
pub use subject::*;
pub use timeline::{
    Change, ClaimLife, Family, Life, Lives, Mark, PodLife, SetState, Timeline, VolumeLife, other_address,
};

/// All that a check may look at. The parts are made from the records once, so nobody may change these afterwards.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The records, in order.
    pub records: Vec<Record>,
    /// The history of the run's objects.
    pub timeline: Timeline,
    /// Where the records of each kind are.
    pub index: Index,
}

impl Evidence {
    /// Evidence of these records, which are in order.
    pub fn new(records: Vec<Record>) -> Self {
        let (timeline, index) = (Timeline::of(&records), Index::of(&records));
        Self { records, timeline, index }
    }

    /// Reads an `evidence.jsonl`.
    ///
    /// # Errors
    /// When the file cannot be read, a line is not a record, the sequence has a hole, or the format has another version.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        log::read(path).map(Self::new)
    }

    /// The run's description, where the run came that far.
    pub fn run(&self) -> Option<&Run> {
        self.records.iter().find_map(|record| match &record.what {
            What::Run(run) => Some(run.as_ref()),
            _ => None,
        })
    }
}
