//! Figures over many runs. If a scenario disrupted more than once in a run, the worst value counts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::stored::{Stored, StoredDisruption};

/// A figure over many runs.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Figure {
    /// The figure: `recovery`, `outage`, or `lag` (the 99th percentile).
    pub what: &'static str,
    /// What it is measured on: a scenario, `whole run`, or `at rest`.
    pub of: String,
    /// Its distribution.
    #[serde(flatten)]
    pub spread: Spread,
}

/// Seconds over many runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Spread {
    /// The number of runs that have the figure.
    pub runs: usize,
    /// The median.
    pub median: f64,
    /// The maximum.
    pub worst: f64,
    /// The first run with the maximum.
    pub worst_run: String,
    /// The value of the last run.
    pub last: f64,
}

impl Spread {
    /// The distribution of the runs' figures, given in the runs' order. `None` without a run.
    pub(super) fn of<'a>(figures: impl Iterator<Item = (&'a str, f64)>) -> Option<Self> {
        let figures: Vec<(&str, f64)> = figures.collect();
        let &(_, last) = figures.last()?;
        let mut sorted = figures.clone();
        // The sort is stable: of equal values the first run stays first.
        sorted.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let middle = sorted.len() / 2;
        // In descending order an even number of values takes the lower middle one, which a run really had.
        let ((run, worst), (_, median)) = (sorted[0], sorted[middle]);
        Some(Self { runs: figures.len(), median, worst, worst_run: run.to_owned(), last })
    }
}

/// The figures of these runs.
pub(super) fn figures(runs: &[&Stored]) -> Vec<Figure> {
    let of_ledger =
        [("outage", "whole run", run_figure(runs, longest_outage)), ("lag", "at rest", run_figure(runs, lag_at_rest))];
    let whole = of_ledger.into_iter().map(|(what, of, spread)| (what, of.to_owned(), spread));
    let scenarios = scenarios(runs).into_iter().flat_map(|scenario| {
        let spread = |figure| run_figure(runs, |run| worst_in(run, &scenario, figure));
        let figures: [(_, Option<Spread>); 3] =
            [("recovery", spread(recovery)), ("outage", spread(outage)), ("lag", spread(lag))];
        figures.map(|(what, spread)| (what, scenario.clone(), spread))
    });
    let all = whole.chain(scenarios).filter_map(|(what, of, spread)| Some(Figure { what, of, spread: spread? }));
    let mut all: Vec<Figure> = all.collect();
    all.sort_by_key(|figure| ["recovery", "outage", "lag"].iter().position(|what| *what == figure.what));
    all
}

fn run_figure(runs: &[&Stored], figure: impl Fn(&Stored) -> Option<f64>) -> Option<Spread> {
    Spread::of(runs.iter().filter_map(|run| Some((run.id(), figure(run)?))))
}

fn longest_outage(run: &Stored) -> Option<f64> {
    run.ledger.as_ref()?.longest_outage_s
}

fn lag_at_rest(run: &Stored) -> Option<f64> {
    worst(run.ledger.as_ref()?.lag_at_rest.iter().filter(|lag| lag.looks > 0).map(|lag| lag.p99_s))
}

fn recovery(disruption: &StoredDisruption) -> Option<f64> {
    disruption.recovered_after_s
}

fn outage(disruption: &StoredDisruption) -> Option<f64> {
    disruption.longest_outage_s
}

fn lag(disruption: &StoredDisruption) -> Option<f64> {
    disruption.lag.as_ref().filter(|lag| lag.looks > 0).map(|lag| lag.p99_s)
}

fn worst_in(run: &Stored, scenario: &str, figure: fn(&StoredDisruption) -> Option<f64>) -> Option<f64> {
    worst(run.disruptions.iter().filter(|it| it.scenario == scenario).filter_map(figure))
}

fn worst(figures: impl Iterator<Item = f64>) -> Option<f64> {
    figures.max_by(f64::total_cmp)
}

/// The scenarios, in the order that most runs have.
fn scenarios(runs: &[&Stored]) -> Vec<String> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for run in runs {
        for (place, disruption) in run.disruptions.iter().enumerate() {
            let known = places.entry(&disruption.scenario).or_default();
            *known = (*known).max(place);
        }
    }
    let mut scenarios: Vec<(usize, &str)> = places.into_iter().map(|(scenario, place)| (place, scenario)).collect();
    scenarios.sort_unstable();
    scenarios.into_iter().map(|(_, scenario)| scenario.to_owned()).collect()
}
