//! The refusals suite: for bad input the program prints one clear error that says what is wrong, where, and how to fix
//! it. The exit code is right, and nothing is left behind. All trials call the program as people do.
//!
//! The trials in `cluster::` share a kind cluster with one node; `STEADFAST_CLUSTER=none` ignores them visibly.

use std::process::ExitCode;

use libtest_mimic::Arguments;
use steadfast_suites::shared_cluster;

mod apiserver;
mod call;
mod cluster;
mod deletes;
mod faults;
mod leftovers;
mod lint;
mod offline;
mod outputs;
mod phases;
mod program;
mod trend;
mod upgrade;
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
