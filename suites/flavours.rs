//! The flavours suite tests every statement, column, limit and GTID operation of the harness on the real servers that
//! it supports. It starts two servers of each flavour in a separate network, without Kubernetes, and asks them as the
//! witness does.
//!
//! `ci/setup` provides the images. `STEADFAST_CLUSTER=none` ignores the trials visibly. `STEADFAST_TIMEOUT_SCALE`
//! multiplies every timeout.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Completion, Trial};
use steadfast::cluster::Lab;
use steadfast::run::cancelled_by_signals;

mod common;
#[path = "flavours/follow.rs"]
mod follow;
#[path = "flavours/pair.rs"]
mod pair;
#[path = "flavours/server.rs"]
mod server;
#[path = "flavours/sets.rs"]
mod sets;
#[path = "flavours/stage.rs"]
mod stage;
#[path = "flavours/words.rs"]
mod words;

use stage::{Ground, Play, Stage};

/// The servers that every run of the suite needs, by the image names in manifests.
const REQUIRED: [&str; 4] = ["mysql:5.7", "mysql:8.0", "mysql:9.7", "mariadb:10.11"];

/// The number of flavours at once. Each has two servers, and all share the machine.
const AT_ONCE: usize = 2;

fn main() -> ExitCode {
    let mut arguments = common::arguments();
    let names = || [words::TRIALS, sets::TRIALS, follow::TRIALS].concat();
    let wanted = wanted();
    if std::env::var("STEADFAST_CLUSTER").as_deref() == Ok("none") {
        let ignored = |(wanted, (name, _)): (&String, (&str, Play))| {
            Trial::ignorable_test(format!("{wanted}::{name}"), || {
                Ok(Completion::ignored_with("STEADFAST_CLUSTER=none: no container is wanted"))
            })
        };
        let trials = wanted.iter().flat_map(|wanted| names().into_iter().map(move |trial| (wanted, trial)));
        return libtest_mimic::run(&arguments, trials.map(ignored).collect()).exit_code();
    }
    let runtime = Arc::new(tokio::runtime::Runtime::new().expect("a runtime"));
    let cancel = runtime.block_on(async { cancelled_by_signals() });
    let ground = Arc::new(Ground::new(AT_ONCE, cancel));
    let stages: Vec<Arc<Stage>> = wanted.iter().map(|wanted| Arc::new(Stage::new(wanted, ground.clone()))).collect();
    let mut trials = Vec::new();
    // This many flavours take turns. The next ones start when all trials of these have started.
    for stages in stages.chunks(AT_ONCE) {
        for (name, play) in names() {
            for stage in stages {
                let (runtime, of_trial) = (runtime.clone(), stage.clone());
                let trial =
                    Trial::test(format!("{}::{name}", stage.wanted), move || runtime.block_on(of_trial.play(play)));
                stage.expect(!arguments.is_filtered_out(&trial));
                trials.push(trial);
            }
        }
    }
    // A trial mostly waits, so the number at once depends on what the machine can carry, not on its cores.
    arguments.test_threads.get_or_insert(AT_ONCE);
    let conclusion = libtest_mimic::run(&arguments, trials);
    match runtime.block_on(ground.strike(&stages)) {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            steadfast::terminal::complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The servers to test: all required ones, and all others of their kind in the lab.
fn wanted() -> Vec<String> {
    let mut wanted = REQUIRED.map(str::to_owned).to_vec();
    let ready = Lab::read().map(|lab| lab.images).unwrap_or_default();
    let servers = ready.into_iter().map(|image| image.wanted).filter(|name| stage::is_server(name));
    wanted.extend(servers.filter(|name| !REQUIRED.contains(&name.as_str())));
    wanted
}
