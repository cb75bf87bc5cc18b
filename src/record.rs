//! Records a run: the append-only log that waits are woken by, and the recorder that watches the cluster.

mod log;
mod recorder;

pub use log::{Log, Patience, WaitError, WaitStatus};
pub use recorder::{Recorder, WatchError};
