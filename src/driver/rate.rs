//! How fast the ledger writes, and how much of it was read.

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// How fast the ledger writes. A run of all checks takes some six minutes, and for a third of them there is nobody to take
/// a write: eighty a second make more than ten thousand that are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
pub struct Rate {
    /// The number of clients that write to the ledger in parallel.
    #[arg(long, value_name = "N", default_value_t = Self::default().writers, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub writers: u32,
    /// Inserts per second of each writer.
    #[arg(id = "rate", long, value_name = "N", default_value_t = Self::default().per_second, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub per_second: u32,
}

/// What the harness knows about the witness's ledger.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Whether it should run. Whoever pauses it holds this lock meanwhile.
    pub(crate) wanted: Mutex<bool>,
    /// How much of it was read; `None` while there is no ledger.
    pub(crate) position: Mutex<Option<u64>>,
}

impl Default for Rate {
    fn default() -> Self {
        Self { writers: 8, per_second: 10 }
    }
}
