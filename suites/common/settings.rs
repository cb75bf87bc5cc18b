//! What a suite's run is asked to do, as the environment has it.

use std::path::PathBuf;

use steadfast::check::Check;
use steadfast::driver::Rate;
use steadfast::evidence::Replication;
use steadfast::run::{Keep, Settings, Target};
use steadfast::workload::{Hints, Sources};

use crate::common;

/// The usual settings of a run of these checks.
pub fn usual(target: Target, checks: Vec<&'static Check>, rerun: &str) -> Settings {
    Settings {
        checks,
        manifests: Sources::of(std::env::var_os("STEADFAST_MANIFESTS").map(PathBuf::from)),
        target,
        // Whoever names a cluster to a suite wants all of it.
        allow_disruption: true,
        namespace: None,
        hints: Hints::default(),
        artifacts: common::artifacts(),
        keep: Keep::Never,
        replication: Replication::Managed,
        semi_sync: false,
        expect: Vec::new(),
        upgrade: None,
        injections: Vec::new(),
        ledger: Rate::default(),
        timeout_scale: common::timeout_scale(),
        budgets: Vec::new(),
        rerun: rerun.to_owned(),
    }
}
