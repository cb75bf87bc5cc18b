//! Trials that share nothing, each with a cluster of its own.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// What a trial does.
pub type Act = fn() -> Result<(), Failed>;

/// Runs the trials that are asked for, so many at once; `STEADFAST_CLUSTER=none` ignores them, visibly.
pub fn run(mut arguments: Arguments, trials: &[(&'static str, Act)], at_once: usize) -> ExitCode {
    arguments.test_threads.get_or_insert(at_once);
    let none = std::env::var("STEADFAST_CLUSTER").as_deref() == Ok("none");
    let trials = trials.iter().map(|&(name, act)| {
        Trial::ignorable_test(name, move || match none {
            true => Ok(Completion::ignored_with("STEADFAST_CLUSTER=none: no cluster is wanted")),
            false => act().map(|()| Completion::Completed),
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}
