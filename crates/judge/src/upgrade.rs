//! Upgrades of the cluster: what must be the same before and after each step, and what may change.
//!
//! An upgrade interrupts the API server and with it the watch history. So the state of cluster and workload is read
//! before the upgrade and after each of its steps, and every two successive states are compared: differences need the
//! step as an explanation. The history, as far as there is one, shows the order of events within a step.

mod answers;
mod compare;
mod conforms;
mod defects;
mod difference;
mod equal;
mod matrix;
mod moves;
mod states;
mod untouched;
mod watched;
mod writes;

#[cfg(test)]
mod tests;

use crate::mysql::gtid::GtidSet;

pub(super) use conforms::NEW_VERSION_STILL_CONFORMS;
pub(super) use equal::STATE_IS_EQUAL_BEFORE_AND_AFTER;
pub(super) use matrix::DNS_MATRIX_IS_EQUAL;
pub(super) use moves::NODE_UPGRADE_MOVES_ONE_AT_A_TIME;
pub(super) use untouched::CONTROL_PLANE_UPGRADE_TOUCHES_NO_POD;
pub(super) use writes::WRITES_SURVIVE_THE_UPGRADE;

/// Parses the transactions that a server reports.
fn executed(text: &str) -> Result<GtidSet, String> {
    text.parse().map_err(|error| format!("the GTID set cannot be read: {error}"))
}
