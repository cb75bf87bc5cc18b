//! The settings of a suite's run, from the environment.

use std::path::PathBuf;

use steadfast::check::Check;
use steadfast::cluster::kind::IpFamily;
use steadfast::run::{Keep, RunConfig, Settings, Target};
use steadfast::workload::Sources;

use crate::environment::{artifacts, timeout_scale, variable};

/// How far behind replicas may be where others keep the machine and its disk busy, in suites that try something else.
pub const BUSY_MACHINE_BUDGET: [&str; 2] = ["--budget", "lag=1m"];

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
        artifacts: artifacts(),
        keep: Keep::Never,
        upgrade: None,
        injections: Vec::new(),
        timeout_scale: timeout_scale(),
        rerun: rerun.to_owned(),
    }
}

/// A cluster of the suite's own, as the environment describes it.
pub fn new_cluster() -> Target {
    let nodes = variable("STEADFAST_NODES").unwrap_or(3);
    Target::New { nodes, kubernetes: variable("STEADFAST_KUBERNETES"), domain: None, ip_family: IpFamily::Ipv4 }
}
