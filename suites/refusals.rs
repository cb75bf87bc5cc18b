//! The refusals suite: for bad input the program prints one clear error that says what is wrong, where, and how to fix
//! it. The exit code is right, and nothing is left behind. All trials call the program as people do.
//!
//! The trials in `cluster::` share a kind cluster with one node; `STEADFAST_CLUSTER=none` ignores them visibly.

use std::process::ExitCode;

use libtest_mimic::Arguments;

#[path = "refusals/apiserver.rs"]
mod apiserver;
#[path = "refusals/cluster.rs"]
mod cluster;
#[path = "refusals/deletes.rs"]
mod deletes;
#[path = "refusals/faults.rs"]
mod faults;
#[path = "refusals/leftovers.rs"]
mod leftovers;
#[path = "refusals/lint.rs"]
mod lint;
#[path = "refusals/offline.rs"]
mod offline;
#[path = "refusals/outputs.rs"]
mod outputs;
#[path = "staged/part.rs"]
mod part;
#[path = "refusals/phases.rs"]
mod phases;
#[path = "refusals/program.rs"]
mod program;
#[path = "common/shared_cluster.rs"]
mod shared_cluster;
#[path = "refusals/trend.rs"]
mod trend;
#[path = "refusals/upgrade.rs"]
mod upgrade;
#[path = "refusals/wrong_cluster.rs"]
mod wrong_cluster;

fn main() -> ExitCode {
    let offline = [
        offline::trials(),
        wrong_cluster::trials(),
        deletes::trials(),
        leftovers::trials(),
        faults::trials(),
        phases::trials(),
    ];
    let offline = offline.into_iter().flatten().collect();
    shared_cluster::run("refusals", &Arguments::from_args(), |_| Ok(()), &cluster::TRIALS, offline)
}
