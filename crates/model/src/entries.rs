//! The entries of the witness's ledger.

use serde::{Deserialize, Serialize};

use super::answer::WriteOutcome;
use super::lapse::Lapse;

/// Entries of the ledger that the witness keeps: single-statement autocommit inserts at a steady rate, whatever happens
/// to the workload meanwhile, and the replication lag of each replica. All times are microseconds on the witness's
/// clock, which continues across restarts of its process and while its machine sleeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entries {
    /// When the witness handed these over. The record has the time of the harness's own clock.
    pub now_us: u64,
    /// When the harness asked for them, on the log's clock. Logs of earlier versions lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_us: Option<u64>,
    /// Writes whose outcome is known, each handed over once.
    pub writes: Vec<Entry>,
    /// Samples of replication lag, each handed over once.
    pub lags: Vec<Lag>,
    /// Ids that may or may not have been written: the witness's node died, and the last journal entries of its process
    /// were lost with it. None of these ids is in `writes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<Ids>,
    /// Stretches in which the witness saw nothing or its wall clock jumped, each handed over once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lapses: Vec<Lapse>,
    /// The highest id that was ever used, once the ledger has ended and no more will follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
}

impl Entries {
    /// The number of items that were handed over.
    pub fn items(&self) -> usize {
        self.writes.len() + self.lags.len() + self.doubtful.len() + self.lapses.len()
    }
}

/// A range of ids of the witness's ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ids {
    /// The first id.
    pub first: u64,
    /// The last id, included.
    pub last: u64,
}

/// One write of the witness's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// The row's id, unique in the ledger and never reused, whatever the outcome.
    pub id: u64,
    /// When the statement was sent, or when connecting for it began.
    pub sent_us: u64,
    /// When the outcome was known.
    pub ended_us: u64,
    /// What is known of it.
    pub outcome: WriteOutcome,
    /// Whether commits waited for a replica both before and after the write; `None` if that was not asked or not
    /// answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semi_sync: Option<bool>,
}

/// A sample of a replica's replication lag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lag {
    /// The replica.
    pub pod: String,
    /// When it was asked.
    pub at_us: u64,
    /// The age of the oldest acknowledged write that the replica did not show yet, counted from its acknowledgement, in
    /// microseconds; 0 if it showed all of them, `None` if it did not answer.
    pub behind_us: Option<u64>,
}
