//! Records a run: the append-only log, which also wakes waits, and the recorder, which watches the cluster.

mod log;
mod recorder;
mod wait;

pub use log::Log;
pub use recorder::{Recorder, WatchError};
pub use wait::{Patience, WaitError, WaitStatus};
