//! Records a run: the append-only log, which also wakes waits, and the recorder, which watches the cluster.

mod log;
mod recorder;

pub use log::{Log, Patience, WaitError, WaitStatus};
pub use recorder::{Recorder, WatchError};
