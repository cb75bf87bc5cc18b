//! What a number of samples decides.

use insta::assert_snapshot;

use super::{AtRest, FEWEST, LATE, Percentiles, SILENT, bounded};
use crate::Verdict::{self, Fail, Inconclusive, Pass};
use crate::measure::Silence;

const BUDGET_US: u64 = 1_000_000;

/// The verdict on a replica with this many answered and unanswered samples.
fn concluded(looks: usize, unanswered: usize, change: impl Fn(&mut Percentiles, &mut Silence)) -> (Verdict, String) {
    let mut lag = Percentiles { looks, unanswered, ..Percentiles::default() };
    let mut silence = Silence::default();
    change(&mut lag, &mut silence);
    match bounded(&AtRest { pod: "mysql-1".into(), lag, silence }, BUDGET_US) {
        Ok(_) => (Pass, String::new()),
        Err(finding) => (finding.verdict, finding.reason),
    }
}

fn verdict(looks: usize, unanswered: usize, change: impl Fn(&mut Percentiles, &mut Silence)) -> Verdict {
    concluded(looks, unanswered, change).0
}

#[test]
fn so_many_looks_decide_and_one_less_does_not() {
    assert_eq!(verdict(FEWEST, 0, |_, _| {}), Pass);
    assert_snapshot!(concluded(FEWEST - 1, 0, |_, _| {}).1, @"mysql-1 was read from 19 times at rest: 20 reads are needed to decide");
    assert_snapshot!(concluded(1, 3, |_, _| {}).1, @"mysql-1 was read from 1 times at rest, and 3 without an answer: 20 reads are needed to decide");
    // However many of them are unanswered.
    assert_eq!(verdict(1, 3, |_, silence| silence.while_ready = 3), Inconclusive);
}

#[test]
fn a_lag_of_the_whole_budget_is_within_it() {
    assert_eq!(verdict(FEWEST, 0, |lag, _| lag.p99_us = BUDGET_US), Pass);
    assert_eq!(verdict(FEWEST, 0, |lag, _| lag.p99_us = BUDGET_US + 1), Fail);
    // Too few answers to decide.
    assert_eq!(verdict(FEWEST - 1, 2, |lag, _| lag.p99_us = BUDGET_US + 1), Inconclusive);
}

#[test]
fn one_look_in_so_many_may_be_left_without_an_answer() {
    let all = 10 * SILENT;
    assert_eq!(verdict(all - 10, 10, |_, silence| silence.while_ready = 10), Inconclusive);
    assert_eq!(verdict(all - 11, 11, |_, silence| silence.while_ready = 11), Fail);
    assert_eq!(verdict(LATE - 1, 1, |_, _| {}), Pass);
    assert_eq!(verdict(LATE - 2, 2, |_, _| {}), Inconclusive);
}
