//! How often the power is cut.

use serde::{Deserialize, Serialize};

/// How often the scenario power-cut cuts the power. Each cut takes some sixteen seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
pub struct Cuts {
    /// How often the scenario power-cut cuts the power: in turn of the primary's node and of all nodes with pods of the
    /// set.
    #[arg(id = "cuts", long = "cuts", value_name = "N", default_value_t = Self::default().count, value_parser = clap::value_parser!(u32).range(1..=1000))]
    #[serde(rename = "cuts", default = "usual")]
    pub count: u32,
}

/// The number of cuts in a state that an earlier version saved.
fn usual() -> u32 {
    Cuts::default().count
}

impl Default for Cuts {
    fn default() -> Self {
        Self { count: 2 }
    }
}
