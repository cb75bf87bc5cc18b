//! The settings of a suite's run, from the environment.

use std::path::PathBuf;

use steadfast::check::Check;
use steadfast::run::{Keep, RunConfig, Settings, Target};
use steadfast::workload::Sources;

use crate::common;

/// The usual settings of a run of these checks.
pub fn usual(target: Target, checks: Vec<&'static Check>, rerun: &str) -> Settings {
    Settings {
        checks,
        manifests: Sources::of(std::env::var_os("STEADFAST_MANIFESTS").map(PathBuf::from)),
        target,
        // Somebody who gives a suite a cluster allows the suite to disrupt it.
        allow_disruption: true,
        namespace: None,
        config: RunConfig::default(),
        artifacts: common::artifacts(),
        keep: Keep::Never,
        upgrade: None,
        injections: Vec::new(),
        timeout_scale: common::timeout_scale(),
        rerun: rerun.to_owned(),
    }
}
