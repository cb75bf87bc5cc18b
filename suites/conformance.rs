//! The conformance suite: every check is a trial, and all trials share one run on a kind cluster.
//!
//! `STEADFAST_CLUSTER` names an existing kind cluster to use; `none` ignores the trials visibly. `STEADFAST_MANIFESTS`
//! names manifests other than the seed's. `STEADFAST_NODES` sets the number of nodes of a new cluster, and
//! `STEADFAST_KUBERNETES` its version. `STEADFAST_TIMEOUT_SCALE` multiplies every timeout.

use std::process::ExitCode;

use steadfast::check::CATALOGUE;
use steadfast::run::Target;

mod common;
#[path = "common/settings.rs"]
mod settings;
#[path = "common/shared.rs"]
mod shared;

fn main() -> ExitCode {
    let target = match common::variable::<String>("STEADFAST_CLUSTER") {
        Some(none) if none == "none" => {
            return shared::ignore(CATALOGUE, "STEADFAST_CLUSTER=none: no cluster is wanted");
        }
        Some(cluster) => Target::Kind(cluster),
        None => shared::new_cluster(),
    };
    let rerun = "cargo test --test conformance -- --exact";
    shared::run(CATALOGUE, |checks| settings::usual(target, checks, rerun))
}
