//! When suites leave out upgrades.

use crate::common;

/// The reason why upgrades are left out, if only a part of the suites is selected. One upgrade takes as long as several
/// parts.
pub fn left_out() -> Option<String> {
    let part = common::variable::<String>("STEADFAST_PART").filter(|part| part != "1/1")?;
    Some(format!("STEADFAST_PART={part}: upgrades are no part of that; STEADFAST_PART=1/1 has them"))
}
