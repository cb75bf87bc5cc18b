//! The conformance suite: every check is a trial, and all trials share one run on a kind cluster.
//!
//! `STEADFAST_CLUSTER` names an existing kind cluster to use; `none` ignores the trials visibly. `STEADFAST_MANIFESTS`
//! names manifests other than the seed's. `STEADFAST_NODES` sets the number of nodes of a new cluster, and
//! `STEADFAST_KUBERNETES` its version. `STEADFAST_TIMEOUT_SCALE` multiplies every timeout.

use std::process::ExitCode;

use steadfast::check::CATALOGUE;
use steadfast::run::Target;
use steadfast_suites::environment::{no_cluster, variable};
use steadfast_suites::{check_trials, settings};

fn main() -> ExitCode {
    if let Some(reason) = no_cluster() {
        return check_trials::ignore(CATALOGUE, &reason);
    }
    let target = variable("STEADFAST_CLUSTER").map_or_else(settings::new_cluster, Target::Kind);
    let rerun = "cargo test --test conformance -- --exact";
    check_trials::run(CATALOGUE, |checks| settings::usual(target, checks, rerun))
}
