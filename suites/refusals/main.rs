//! The refusals suite: bad input gets one clear error that says what is wrong, where, and how to mend it, with the
//! right exit code, and leaves nothing behind. All through the program, as people call it.
//!
//! The trials under `cluster::` share a kind cluster of one node; `STEADFAST_CLUSTER=none` ignores them, visibly.

use std::process::ExitCode;

use libtest_mimic::Arguments;
use steadfast_suites::shared_cluster;

mod apiserver;
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
