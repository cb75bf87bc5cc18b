//! Persistence: data on a claim outlives its pod, and nothing outlives the run.

mod claims;
mod power;
mod rows;
mod settings;
mod teardown;
mod volumes;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub(super) use claims::{CLAIM_POLICY_IS_HONOURED, CLAIMS_SURVIVE_SCALE_DOWN};
pub(super) use power::{ACKNOWLEDGED_WRITES_SURVIVE_POWER_LOSS, STARTS_AFTER_POWER_LOSS};
pub(super) use rows::ROWS_SURVIVE_POD_DELETION;
pub(super) use settings::DURABILITY_SETTINGS;
pub(super) use teardown::TEARDOWN_LEAVES_NOTHING;
pub(super) use volumes::SAME_VOLUME_RETURNS;
