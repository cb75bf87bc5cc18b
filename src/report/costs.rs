//! What disruptions cost, as the reports tell it: a row each, and lines on the ledger as a whole.

use schemars::JsonSchema;
use serde::Serialize;

use super::as_seconds;
use crate::check::Outcome;
use crate::check::measure::{Disruption, Outage, Outcomes, Overall, Percentiles};
use crate::evidence::duration::{limit, milliseconds, seconds};
use crate::evidence::{Budgets, Scenario};

/// A disruption as a row of a table.
pub(super) struct Row {
    /// Its scenario and its acts.
    pub(super) name: String,
    /// How long every replica took to catch up, beside its budget.
    pub(super) recovery: Cell,
    /// The longest time without an acknowledged write, beside its budget.
    pub(super) outage: Cell,
    /// What 99 of 100 looks at replicas did not exceed meanwhile.
    pub(super) lag: String,
}

/// A figure and what it may be.
pub(super) struct Cell {
    /// The figure; a dash where nobody knows it.
    pub(super) text: String,
    /// What it may be.
    pub(super) budget: String,
    /// Whether it is more.
    pub(super) over: bool,
}

const UNKNOWN: &str = "-";

impl Cell {
    fn of(us: Option<u64>, budget_ms: u64) -> Self {
        let text = us.map_or_else(|| UNKNOWN.to_owned(), seconds);
        let over = us.is_some_and(|us| us > budget_ms * 1000);
        let (number, unit) = limit(budget_ms);
        Self { text, budget: format!("{number} {unit}"), over }
    }

    /// Whether somebody knows the figure.
    pub(super) fn known(&self) -> bool {
        self.text != UNKNOWN
    }
}

/// The rows of the disruptions' table.
pub(super) fn rows(outcome: &Outcome<'_>) -> Vec<Row> {
    let (Some(run), Some(measures)) = (outcome.evidence.run(), outcome.measures()) else { return Vec::new() };
    measures.disruptions.iter().map(|disruption| row(disruption, &run.budgets)).collect()
}

fn row(disruption: &Disruption, budgets: &Budgets) -> Row {
    let impact = disruption.impact.as_ref();
    let outage = impact.map(|impact| impact.longest_outage.map_or(0, |outage| outage.us()));
    let lag = impact.and_then(|impact| impact.lag).filter(|lag| lag.looks > 0);
    Row {
        name: disruption.title(),
        recovery: Cell::of(disruption.recovery_us(), budgets.recovery_ms),
        outage: Cell::of(outage, budgets.outage_ms),
        lag: lag.map_or_else(|| UNKNOWN.to_owned(), |lag| milliseconds(lag.p99_us)),
    }
}

/// What the ledger came to, a sentence each; nothing where there was none.
pub(super) fn ledger(outcome: &Outcome<'_>) -> Vec<String> {
    let Some(Overall { writes, per_second, longest_outage, lag_at_rest, .. }) =
        outcome.measures().and_then(|measures| measures.ledger.as_ref())
    else {
        return Vec::new();
    };
    let Outcomes { acknowledged, rejected, unknown } = writes;
    let mut lines = vec![format!(
        "{acknowledged} writes acknowledged, {per_second:.1} a second; {rejected} refused, {unknown} never answered"
    )];
    if let Some(outage) = longest_outage {
        let [took, from, to] = [outage.us(), outage.from_us, outage.to_us].map(seconds);
        lines.push(format!("no write acknowledged for {took} at most, from {from} to {to} of the run"));
    }
    lines.extend(lag_at_rest.iter().map(|at_rest| {
        let Percentiles { looks, unanswered, p50_us, p99_us, max_us, .. } = at_rest.lag;
        let [p50, p99, max] = [p50_us, p99_us, max_us].map(milliseconds);
        let pod = &at_rest.pod;
        let unanswered = if unanswered > 0 { format!(", {unanswered} unanswered") } else { String::new() };
        format!("{pod} behind at rest: median {p50}, 99th percentile {p99}, at most {max} ({looks} looks{unanswered})")
    }));
    lines
}

/// A disruption in `results.json`: times in seconds, so that a trend needs no arithmetic.
#[derive(Serialize, JsonSchema)]
pub(super) struct DisruptionResult {
    /// The scenario; empty where the acts belong to none.
    scenario: &'static str,
    /// What was done, in order.
    acts: Vec<String>,
    /// The numbers of the records by which the acts were asked for.
    evidence: Vec<u64>,
    /// When it began, in seconds of the run.
    began_s: f64,
    /// Seconds until all pods were Ready; none where they were not.
    ready_after_s: Option<f64>,
    /// Seconds until every replica had caught up; none where one had not.
    recovered_after_s: Option<f64>,
    /// What that may be.
    recovery_budget_s: f64,
    /// The longest time without an acknowledged write; none where there was no ledger.
    longest_outage_s: Option<f64>,
    /// What that may be.
    outage_budget_s: f64,
    /// What became of the writes meanwhile; none where there was no ledger.
    writes: Option<Outcomes>,
    /// How far behind replicas were meanwhile; none where nobody looked.
    lag: Option<LagResult>,
}

/// The ledger in `results.json`.
#[derive(Serialize, JsonSchema)]
pub(super) struct LedgerResult {
    /// What became of the writes.
    writes: Outcomes,
    /// Acknowledged writes a second.
    per_second: f64,
    /// Acknowledged writes that waited for a replica.
    semi_sync: u64,
    /// The longest time without an acknowledged write.
    longest_outage_s: Option<f64>,
    /// How far behind each replica was while nothing was disrupted.
    lag_at_rest: Vec<AtRestResult>,
}

/// How far behind a replica was while nothing was disrupted.
#[derive(Serialize, JsonSchema)]
struct AtRestResult {
    /// The replica.
    pod: String,
    #[serde(flatten)]
    lag: LagResult,
}

/// How far behind replicas were.
#[derive(Serialize, JsonSchema)]
struct LagResult {
    /// How often somebody looked and had an answer.
    looks: usize,
    /// How often there was none.
    unanswered: usize,
    /// What half of the looks did not exceed, in seconds.
    p50_s: f64,
    /// What 99 of 100 looks did not exceed.
    p99_s: f64,
    /// The most.
    max_s: f64,
}

/// Sums of binary fractions trail digits that mean nothing.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

fn in_seconds(us: u64) -> f64 {
    rounded(as_seconds(us))
}

impl From<Percentiles> for LagResult {
    fn from(lag: Percentiles) -> Self {
        let Percentiles { looks, unanswered, p50_us, p99_us, max_us, .. } = lag;
        let [p50_s, p99_s, max_s] = [p50_us, p99_us, max_us].map(as_seconds);
        Self { looks, unanswered, p50_s, p99_s, max_s }
    }
}

/// The disruptions, and the ledger where there was one.
pub(super) fn results(outcome: &Outcome<'_>) -> (Vec<DisruptionResult>, Option<LedgerResult>) {
    let (Some(run), Some(measures)) = (outcome.evidence.run(), outcome.measures()) else { return (Vec::new(), None) };
    let disruptions = measures.disruptions.iter().map(|it| result(it, &run.budgets)).collect();
    let ledger = measures.ledger.as_ref().map(|overall| LedgerResult {
        writes: overall.writes,
        per_second: rounded(overall.per_second),
        semi_sync: overall.semi_sync,
        longest_outage_s: overall.longest_outage.map(|outage| in_seconds(outage.us())),
        lag_at_rest: overall
            .lag_at_rest
            .iter()
            .map(|it| AtRestResult { pod: it.pod.clone(), lag: it.lag.into() })
            .collect(),
    });
    (disruptions, ledger)
}

fn result(disruption: &Disruption, budgets: &Budgets) -> DisruptionResult {
    let impact = disruption.impact.as_ref();
    let budget = |ms: u64| in_seconds(ms * 1000);
    let of_outage = |outage: Option<Outage>| outage.map_or(0.0, |outage| in_seconds(outage.us()));
    DisruptionResult {
        scenario: disruption.scenario.map_or("", Scenario::name),
        acts: disruption.acts.iter().map(|part| part.act.to_string()).collect(),
        evidence: disruption.acts.iter().map(|part| part.asked.seq).collect(),
        began_s: in_seconds(disruption.began().at_us),
        ready_after_s: disruption.ready_us().map(in_seconds),
        recovered_after_s: disruption.recovery_us().map(in_seconds),
        recovery_budget_s: budget(budgets.recovery_ms),
        longest_outage_s: impact.map(|impact| of_outage(impact.longest_outage)),
        outage_budget_s: budget(budgets.outage_ms),
        writes: impact.map(|impact| impact.writes),
        lag: impact.and_then(|impact| impact.lag).map(LagResult::from),
    }
}
