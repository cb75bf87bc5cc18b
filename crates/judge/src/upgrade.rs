//! Upgrades of the cluster: what is the same before and after each step, and what may not be.
//!
//! An upgrade takes the API server away, and with it the history of watches. So the state of the cluster and of the
//! workload is read before the upgrade and after each of its steps, and two states that follow one another are compared
//! by what the step between them explains. History, where there is some, tells the order of what happened within a step.

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

/// The transactions that a server says it has.
fn executed(text: &str) -> Result<GtidSet, String> {
    text.parse().map_err(|error| format!("the GTID set cannot be read: {error}"))
}
