//! Histories that contradict a check, and right ones that are unusual: changes of the stored runs, made systematically and
//! judged without a cluster. A trial is a class of them, with the verdict that is wanted and why.
//!
//! A harness is believed when it notices what is wrong and blames nothing that is right. Mutants prove that on clusters,
//! some dozens of times; here it is proved of some thousand histories that no cluster would ever give. Each is one change of
//! a run in which everything was right: records are dropped, delayed, repeated, or say something else, at one moment or
//! from one on, of one pod or one DNS server. In the end stands by check how many were judged and how many rightly.

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
mod reader;
mod records;
mod replicas;
mod restarts;
mod rewriter;
mod right;
mod rows;
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

/// A trial of a class. One that no stored run has anything for is ignored, visibly.
fn trial(name: &str, judge: impl FnOnce() -> Option<Result<(), String>> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || match judge() {
        Some(Ok(())) => Ok(Completion::Completed),
        Some(Err(wrong)) => Err(Failed::from(wrong)),
        None => Ok(Completion::ignored_with("no stored run has what it changes")),
    })
}
