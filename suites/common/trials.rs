//! Independent trials, each with its own cluster.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// The body of a trial.
pub type Act = fn() -> Result<(), Failed>;

/// Set by a trial that was interrupted. No other trial starts after that.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs the selected trials, this many at once. If there is a reason not to run them, or with `STEADFAST_CLUSTER=none`,
/// they are ignored visibly.
pub fn run(
    mut arguments: Arguments,
    trials: &[(&'static str, Act)],
    at_once: usize,
    reason: Option<String>,
) -> ExitCode {
    arguments.test_threads.get_or_insert(at_once);
    let none = std::env::var("STEADFAST_CLUSTER").as_deref() == Ok("none");
    let reason = reason.or_else(|| none.then(|| "STEADFAST_CLUSTER=none: no cluster is wanted".to_owned()));
    let trials = trials.iter().map(|&(name, act)| {
        let reason = reason.clone();
        Trial::ignorable_test(name, move || match reason {
            Some(reason) => Ok(Completion::ignored_with(reason)),
            None if INTERRUPTED.load(Ordering::Relaxed) => Err("interrupted before it began".into()),
            None => act().map(|()| Completion::Completed),
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
