//! Trials that share nothing, each with a cluster of its own.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// What a trial does.
pub type Act = fn() -> Result<(), Failed>;

/// Set by a trial that was interrupted: no other one begins after it.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Runs the trials that are asked for, so many at once. Where there is a reason not to, or `STEADFAST_CLUSTER=none`, they are
/// ignored, visibly.
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
