//! Histories that contradict a check, and unusual histories that are right. They are systematic changes of the stored
//! runs, judged without a cluster. A trial is a class of histories, with the expected verdict and the reason.
//!
//! Users trust a harness that notices faults and does not blame what is right. Mutants prove this on clusters, some
//! dozens of times. Here it is proved with some thousand histories that no cluster would ever produce. Each history is
//! one change of a run in which everything was right: records are dropped, delayed, repeated, or changed, once or from
//! some record on, for one pod or one DNS server. The summary at the end shows for each check how many histories were
//! judged, and how many correctly.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

mod change;
mod claims;
mod class;
mod clocks;
mod conformed;
mod control;
mod edits;
mod faults;
mod ledger;
mod logs;
mod matrix;
mod names;
mod orders;
mod parallel;
mod pods;
mod power;
mod reader;
mod records;
mod replicas;
mod restarts;
mod rewriter;
mod right;
mod rows;
mod runs;
mod servers;
mod settings;
mod six;
mod states;
mod steps;
mod stops;
mod stored;
mod turns;
mod upgrades;
mod whole;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let classes = [
        records::CLASSES,
        names::CLASSES,
        servers::CLASSES,
        replicas::CLASSES,
        rows::CLASSES,
        ledger::CLASSES,
        clocks::CLASSES,
        faults::CLASSES,
        pods::CLASSES,
        orders::CLASSES,
        claims::CLASSES,
        whole::CLASSES,
        right::CLASSES,
        six::CLASSES,
        restarts::CLASSES,
        stops::CLASSES,
        turns::CLASSES,
        parallel::CLASSES,
        control::CLASSES,
        states::CLASSES,
        steps::CLASSES,
        matrix::CLASSES,
        conformed::CLASSES,
        upgrades::CLASSES,
        power::CLASSES,
    ];
    let classes = classes.into_iter().flatten().map(|class| trial(class.name, || class.judge()));
    let refused = reader::CLASSES.iter().map(|class| trial(class.name, || class.judge()));
    let conclusion = libtest_mimic::run(&arguments, classes.chain(refused).collect());
    let summary = class::summary();
    if !summary.is_empty() {
        steadfast::terminal::tell(&summary);
    }
    conclusion.exit_code()
}

/// The trial of a class. If no stored run has records for the class, it is ignored visibly.
fn trial(name: &str, judge: impl FnOnce() -> Option<Result<(), String>> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || match judge() {
        Some(Ok(())) => Ok(Completion::Completed),
        Some(Err(wrong)) => Err(Failed::from(wrong)),
        None => Ok(Completion::ignored_with("no stored run has what it changes")),
    })
}
