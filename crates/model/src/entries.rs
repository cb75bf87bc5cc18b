//! What the witness's ledger tells.

use serde::{Deserialize, Serialize};

use super::answer::WriteOutcome;
use super::lapse::Lapse;

/// Entries of the ledger that the witness keeps: inserts at a steady rate, one statement each that commits by itself,
/// whatever happens to the workload meanwhile; and how far behind each replica is. All times are microseconds on the
/// witness's clock, which goes on when its process is started again and while its machine sleeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entries {
    /// When it handed these over: what the harness's own clock said then is in the record.
    pub now_us: u64,
    /// When the harness asked for them, on the log's own clock. Logs of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_us: Option<u64>,
    /// Writes whose outcome is known, each handed over once.
    pub writes: Vec<Entry>,
    /// How far behind replicas are, each sample handed over once.
    pub lags: Vec<Lag>,
    /// Ids of which nobody knows whether they were written: the witness's node died, and took with it what its process
    /// had written down in the last moment. None of them is in `writes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubtful: Vec<Ids>,
    /// Stretches in which the witness saw nothing, or its clock on the wall jumped, each handed over once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lapses: Vec<Lapse>,
    /// The highest id that was ever given, where no more will be: the ledger has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
}

impl Entries {
    /// How much was handed over.
    pub fn items(&self) -> usize {
        self.writes.len() + self.lags.len() + self.doubtful.len() + self.lapses.len()
    }
}

/// Ids of the witness's ledger, from the first to the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ids {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// One write of the witness's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// The row's id, unique in the ledger and never written twice, whatever became of it.
    pub id: u64,
    /// When the statement was sent, or the connection for it begun.
    pub sent_us: u64,
    /// When the outcome was known.
    pub ended_us: u64,
    /// What is known of it.
    pub outcome: WriteOutcome,
    /// Whether commits waited for a replica both before and after it; nothing where that was not asked,
    /// or not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semi_sync: Option<bool>,
}

/// How far behind a replica was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lag {
    /// The replica.
    pub pod: String,
    /// When it was asked.
    pub at_us: u64,
    /// For how long the oldest acknowledged write that it did not show yet had been acknowledged; 0 if it showed all of
    /// them, nothing where it did not answer.
    pub behind_us: Option<u64>,
}
