//! When suites upgrade a cluster.

use crate::common;

/// Why upgrades are not acted, where only a part of the suites is asked for: one takes as long as several parts.
pub fn left_out() -> Option<String> {
    let part = common::variable::<String>("STEADFAST_PART").filter(|part| part != "1/1")?;
    Some(format!("STEADFAST_PART={part}: upgrades are no part of that; STEADFAST_PART=1/1 has them"))
}
