//! The two halves of an external upgrade, which the user performs on any cluster. `before` deploys or adopts a
//! workload, starts the ledger, and saves the state in a file. `after` compares the state, reads the ledger back, and
//! runs all checks again. Each can be called again: an interrupted call is resumed, and a complete one is repeated.

mod after;
mod before;
mod error;
mod phase_run;
mod saved;

use super::test_cluster::RunContext;
use super::{RunError, Settings, make_directory, open_context, run_id};
use crate::cluster::kind;
use crate::report::Progress;

pub use after::{After, abandon, after};
pub use before::{Before, before};
pub use error::PhaseError;
pub use saved::SavedError;

/// Creates a directory, a log and a name for one call.
fn begin(settings: &Settings, progress: &Progress) -> Result<RunContext, RunError> {
    let run_id = run_id();
    let directory = make_directory(&settings.artifacts, &run_id)?;
    open_context(format!("{}{run_id}", kind::PREFIX), directory, settings.timeout_scale, progress)
}
