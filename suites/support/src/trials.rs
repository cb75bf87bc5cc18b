//! Independent trials, each with its own cluster.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::environment;

/// The function of a trial.
pub type TrialFunction = fn() -> Result<(), Failed>;

/// Set by a trial that was interrupted: no other one begins after it.
pub(crate) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The arguments. Translates the spelling `--no-capture` of libtest, which libtest-mimic does not know.
pub fn arguments() -> Arguments {
    let known = |argument: String| if argument == "--no-capture" { "--nocapture".to_owned() } else { argument };
    Arguments::from_iter(std::env::args().map(known))
}

/// A trial that is listed, and ignored for this reason.
pub fn ignored(name: impl Into<String>, reason: impl Into<String>) -> Trial {
    let reason = reason.into();
    Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)))
}

/// Runs the selected trials, this many at once. If there is a reason not to run them, or with
/// `STEADFAST_CLUSTER=none`, they are visibly ignored.
pub fn run(
    mut arguments: Arguments,
    trials: &[(&'static str, TrialFunction)],
    at_once: usize,
    reason: Option<String>,
) -> ExitCode {
    arguments.test_threads.get_or_insert(at_once);
    let reason = reason.or_else(environment::no_cluster);
    let trials = trials.iter().map(|&(name, function)| match &reason {
        Some(reason) => ignored(name, reason),
        None => Trial::test(name, move || {
            if INTERRUPTED.load(Ordering::Relaxed) { Err("interrupted before it began".into()) } else { function() }
        }),
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
