//! The refusals suite: bad input gets one clear error that says what is wrong, where, and how to mend it, with the
//! right exit code, and leaves nothing behind. All through the program, as people call it.
//!
//! The trials under `cluster::` share a kind cluster of one node; `STEADFAST_CLUSTER=none` ignores them, visibly.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

#[path = "refusals/apiserver.rs"]
mod apiserver;
#[path = "refusals/cluster.rs"]
mod cluster;
#[path = "refusals/deletes.rs"]
mod deletes;
#[path = "refusals/offline.rs"]
mod offline;
#[path = "refusals/phases.rs"]
mod phases;
#[path = "refusals/program.rs"]
mod program;
#[path = "refusals/trend.rs"]
mod trend;
#[path = "refusals/upgrade.rs"]
mod upgrade;
#[path = "refusals/wrong_cluster.rs"]
mod wrong_cluster;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let offline = [offline::trials(), wrong_cluster::trials(), deletes::trials(), phases::trials()];
    let mut trials = offline.into_iter().flatten().collect::<Vec<_>>();
    if std::env::var("STEADFAST_CLUSTER").as_deref() == Ok("none") {
        let reason = "STEADFAST_CLUSTER=none: no cluster is wanted";
        let ignored = |name: &str| Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)));
        trials.extend(cluster::TRIALS.iter().map(|(name, _)| ignored(name)));
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let stage = Arc::new(cluster::Stage::new());
    trials.extend(cluster::TRIALS.iter().map(|(name, trial)| {
        let stage = stage.clone();
        Trial::test(*name, move || stage.cluster().map_err(Failed::from).and_then(trial))
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    match stage.strike() {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
