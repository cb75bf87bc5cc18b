//! The flavours suite tests every statement, column, limit and GTID operation of the harness on the real servers that
//! it supports. It starts two servers of each flavour in a separate network, without Kubernetes, and asks them as the
//! witness does.
//!
//! `ci/setup` provides the images. `STEADFAST_CLUSTER=none` ignores the trials visibly. `STEADFAST_TIMEOUT_SCALE`
//! multiplies every timeout.

use std::process::ExitCode;
use std::sync::Arc;

use futures::future::join_all;
use libtest_mimic::Trial;
use steadfast::cluster::Lab;
use steadfast::run::cancelled_by_signals;
use steadfast_suites::environment::no_cluster;
use steadfast_suites::trials;

mod context;
mod follow;
mod pair;
mod server;
mod sets;
mod shared_pair;
mod words;

use context::FlavoursContext;
use shared_pair::SharedPair;

/// The servers that every run of the suite needs, by the image names in manifests.
const REQUIRED: [&str; 4] = ["mysql:5.7", "mysql:8.0", "mysql:9.7", "mariadb:10.11"];

/// The number of flavours at once. Each has two servers, and all share the machine.
const AT_ONCE: usize = 2;

fn main() -> ExitCode {
    let mut arguments = trials::arguments();
    let names = || [words::TRIALS, sets::TRIALS, follow::TRIALS].concat();
    let wanted = wanted();
    if let Some(reason) = no_cluster() {
        let names =
            wanted.iter().flat_map(|wanted| names().into_iter().map(move |(name, _)| format!("{wanted}::{name}")));
        return libtest_mimic::run(&arguments, names.map(|name| trials::ignored(name, &reason)).collect()).exit_code();
    }
    let runtime = Arc::new(tokio::runtime::Runtime::new().expect("a runtime"));
    let cancel = runtime.block_on(async { cancelled_by_signals() });
    let context = Arc::new(FlavoursContext::new(AT_ONCE, cancel));
    let pairs: Vec<Arc<SharedPair>> =
        wanted.iter().map(|wanted| Arc::new(SharedPair::new(wanted, context.clone()))).collect();
    let mut trials = Vec::new();
    // This many flavours take turns. The next ones start when all trials of these have started.
    for pairs in pairs.chunks(AT_ONCE) {
        for (name, function) in names() {
            for pair in pairs {
                let (runtime, of_trial) = (runtime.clone(), pair.clone());
                let trial =
                    Trial::test(format!("{}::{name}", pair.wanted), move || runtime.block_on(of_trial.run(function)));
                pair.expect(!arguments.is_filtered_out(&trial));
                trials.push(trial);
            }
        }
    }
    // A trial mostly waits, so the number at once depends on what the machine can carry, not on its cores.
    arguments.test_threads.get_or_insert(AT_ONCE);
    let conclusion = libtest_mimic::run(&arguments, trials);
    runtime.block_on(join_all(pairs.iter().map(|pair| pair.remove())));
    match context.tear_down() {
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
    let servers = ready.into_iter().map(|image| image.wanted).filter(|name| is_server(name));
    wanted.extend(servers.filter(|name| !REQUIRED.contains(&name.as_str())));
    wanted
}

/// Whether manifests may use this name for a server's image.
fn is_server(wanted: &str) -> bool {
    wanted.starts_with("mysql:") || wanted.starts_with("mariadb:")
}
