//! The settings of a suite's run, from the environment.

use std::path::PathBuf;

use steadfast::check::Check;
use steadfast::cluster::FileSystem;
use steadfast::cluster::kind::IpFamily;
use steadfast::run::{Keep, RunConfig, Settings, Target};
use steadfast::workload::Sources;

use crate::environment::{artifacts, timeout_scale, variable};

/// The lag budget for suites that test something else on a machine whose processor and disk are busy.
pub const BUSY_MACHINE_BUDGET: [&str; 2] = ["--budget", "lag=1m"];

/// The default settings of a run of these checks.
pub fn usual(target: Target, checks: Vec<&'static Check>, rerun: &str) -> Settings {
    Settings {
        checks,
        manifests: Sources::of(std::env::var_os("STEADFAST_MANIFESTS").map(PathBuf::from)),
        target,
        // A user who gives a cluster to a suite allows the suite to disrupt it.
        allow_disruption: true,
        namespace: None,
        config: RunConfig::default(),
        artifacts: artifacts(),
        keep: Keep::Never,
        upgrade: None,
        injections: Vec::new(),
        timeout_scale: timeout_scale(),
        rerun: rerun.to_owned(),
    }
}

/// A new cluster for the suite, as the environment describes it.
pub fn new_cluster() -> Target {
    let nodes = variable("STEADFAST_NODES").unwrap_or(3);
    Target::New {
        nodes,
        kubernetes: variable("STEADFAST_KUBERNETES"),
        domain: None,
        ip_family: IpFamily::Ipv4,
        file_system: FileSystem::default(),
    }
}
