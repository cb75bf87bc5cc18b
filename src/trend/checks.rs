//! How often each check was red.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::Serialize;

use super::counts::Counts;
use super::figures::Spread;
use super::stored::Stored;
use super::wilson::{Interval, interval};
use crate::check::Verdict;

/// A check over many runs.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct CheckTrend {
    /// The check.
    pub id: String,
    /// The number of runs that judged it.
    pub runs: usize,
    /// How often it had which verdict.
    #[serde(flatten)]
    pub counts: Counts,
    /// The rate of red among the decided verdicts.
    #[serde(flatten)]
    pub red: Rate,
    /// The first run in which it was red.
    pub first_red: Option<String>,
    /// The last run in which it was red.
    pub last_red: Option<String>,
    /// How long the scenarios that it needs took, where it applied.
    pub seconds: Option<Spread>,
}

/// How often something was red, with a confidence interval. Empty if nothing was decided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Rate {
    /// The share of red, from 0 to 1.
    pub rate: Option<f64>,
    /// The 95 % confidence interval of the share.
    pub interval: Option<Interval>,
}

impl Rate {
    /// The rate for these numbers of red and of decided cases.
    pub(super) fn of((red, decided): (usize, usize)) -> Self {
        Self { rate: (decided > 0).then(|| red as f64 / decided as f64), interval: interval(red, decided) }
    }
}

/// The checks of these runs: red ones first, then undecided ones, otherwise in their original order.
pub(super) fn checks(runs: &[&Stored]) -> Vec<CheckTrend> {
    let mut ids: Vec<&str> = Vec::new();
    for check in runs.iter().flat_map(|run| &run.checks) {
        if !ids.contains(&check.id.as_str()) {
            ids.push(&check.id);
        }
    }
    let mut checks: Vec<CheckTrend> = ids.into_iter().map(|id| check(id, runs)).collect();
    checks.sort_by_key(|check| Reverse((check.counts.fail, check.counts.inconclusive)));
    checks
}

fn check(id: &str, runs: &[&Stored]) -> CheckTrend {
    let judged: Vec<_> = runs
        .iter()
        .flat_map(|run| run.checks.iter().filter(|check| check.id == id).map(|check| (run.id(), check)))
        .collect();
    let counts: Counts = judged.iter().map(|(_, check)| check.verdict).collect();
    let mut reds = judged.iter().filter(|(_, check)| check.verdict == Verdict::Fail).map(|(run, _)| (*run).to_owned());
    let applied = judged.iter().filter(|(_, check)| check.verdict != Verdict::Skipped);
    let seconds = Spread::of(applied.map(|(run, check)| (*run, check.seconds)));
    let first_red = reds.next();
    let last_red = reds.next_back().or_else(|| first_red.clone());
    let red = Rate::of((counts.fail, counts.pass + counts.fail));
    CheckTrend { id: id.to_owned(), runs: judged.len(), counts, red, first_red, last_red, seconds }
}
