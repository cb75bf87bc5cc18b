//! Suites in which each trial is a check and all checks share one run.

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use steadfast::check::{Check, Verdict};
use steadfast::report::{GitHub, explain};
use steadfast::run::{Settings, Shared, cancelled_by_signals};

use crate::trials;

/// Makes each of these checks a trial of one run. `settings` returns the settings of the run for the selected checks.
pub fn run(checks: &'static [Check], settings: impl FnOnce(Vec<&'static Check>) -> Settings) -> ExitCode {
    let arguments = trials::arguments();
    let runtime = Arc::new(tokio::runtime::Runtime::new().expect("a runtime"));
    let cancel = runtime.block_on(async { cancelled_by_signals() });
    let shared = Arc::new(Shared::new(settings(wanted(&arguments, checks)), cancel));
    let trial = |check: &'static Check| {
        let (runtime, shared) = (runtime.clone(), shared.clone());
        Trial::ignorable_test(check.id, move || runtime.block_on(judge(&shared, check)))
    };
    let conclusion = libtest_mimic::run(&arguments, checks.iter().map(trial).collect());
    // After the trials have printed: a workflow command must be at the start of a line.
    match GitHub::from_environment().zip(shared.carried_out()).map(|(step, outcome)| step.tell(&outcome)) {
        Some(Err(error)) => {
            steadfast::terminal::complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
        _ => conclusion.exit_code(),
    }
}

/// Visibly ignores all of these checks.
pub fn ignore(checks: &'static [Check], reason: &str) -> ExitCode {
    let ignored = checks.iter().map(|check| trials::ignored(check.id, reason));
    libtest_mimic::run(&trials::arguments(), ignored.collect()).exit_code()
}

/// The checks that the filters select. Only the scenarios that they need are run. A process of nextest has only one
/// check, but its run is for all of them.
fn wanted(arguments: &Arguments, checks: &'static [Check]) -> Vec<&'static Check> {
    let alone = std::env::var_os("NEXTEST_RUN_ID").is_none();
    let selected = |check: &&Check| !alone || !arguments.is_filtered_out(&Trial::test(check.id, || Ok(())));
    checks.iter().filter(selected).collect()
}

async fn judge(shared: &Shared, check: &'static Check) -> Result<Completion, Failed> {
    let judged = shared.judge(check, |outcome, judged| match judged.finding.verdict {
        Verdict::Pass => Ok(Completion::Completed),
        Verdict::Skipped => Ok(Completion::ignored_with(&judged.finding.reason)),
        Verdict::Fail => Err(Failed::from(explain(outcome, judged))),
        Verdict::Inconclusive => Err(Failed::from(format!("inconclusive\n{}", explain(outcome, judged)))),
    });
    judged.await.map_err(Failed::from)?
}
