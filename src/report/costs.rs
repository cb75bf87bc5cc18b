//! The costs of disruptions for the reports: one row for each disruption, and lines about the whole ledger.

use schemars::JsonSchema;
use serde::Serialize;

use crate::check::Outcome;
use crate::check::measure::{Disruption, Outage, Outcomes, Overall, Percentiles};
use crate::evidence::duration::{as_seconds, limit, milliseconds, seconds};
use crate::evidence::{Budgets, Scenario};

/// A disruption as a row of a table.
pub(super) struct Row {
    /// The scenario and its acts.
    pub(super) name: String,
    /// How long it took until every replica had caught up, with its budget.
    pub(super) recovery: Cell,
    /// The longest time without an acknowledged write, with its budget.
    pub(super) outage: Cell,
    /// The 99th percentile of the replication lag during the disruption.
    pub(super) lag: String,
}

/// A figure and its budget.
pub(super) struct Cell {
    /// The figure, or a dash if it is not known.
    pub(super) text: String,
    /// The budget.
    pub(super) budget: String,
    /// Whether the figure exceeds the budget.
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

    /// Whether the figure is known.
    pub(super) fn known(&self) -> bool {
        self.text != UNKNOWN
    }
}

/// The rows of the table of disruptions.
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

/// The results of the ledger, one sentence each. Empty if there was no ledger.
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

/// A disruption in `results.json`. Times are in seconds, so that a trend needs no arithmetic.
#[derive(Serialize, JsonSchema)]
pub(super) struct DisruptionResult {
    /// The scenario. Empty if the acts belong to no scenario.
    scenario: &'static str,
    /// The acts, in order.
    acts: Vec<String>,
    /// The numbers of the records that announce the acts.
    evidence: Vec<u64>,
    /// When it began, in seconds since the run's start.
    began_s: f64,
    /// Seconds until all pods were Ready. Null if they were not.
    ready_after_s: Option<f64>,
    /// Seconds until every replica had caught up. Null if one had not.
    recovered_after_s: Option<f64>,
    /// The budget for the recovery, in seconds.
    recovery_budget_s: f64,
    /// The longest time without an acknowledged write, in seconds. Null if there was no ledger.
    longest_outage_s: Option<f64>,
    /// The budget for the outage, in seconds.
    outage_budget_s: f64,
    /// The outcomes of the writes during the disruption. Null if there was no ledger.
    writes: Option<Outcomes>,
    /// The replication lag during the disruption. Null if there are no samples.
    lag: Option<LagResult>,
}

/// The ledger in `results.json`.
#[derive(Serialize, JsonSchema)]
pub(super) struct LedgerResult {
    /// The outcomes of the writes.
    writes: Outcomes,
    /// Acknowledged writes per second.
    per_second: f64,
    /// Acknowledged writes that waited for a replica.
    semi_sync: u64,
    /// The longest time without an acknowledged write, in seconds.
    longest_outage_s: Option<f64>,
    /// The lag of each replica while nothing was disrupted.
    lag_at_rest: Vec<AtRestResult>,
}

/// The lag of a replica while nothing was disrupted.
#[derive(Serialize, JsonSchema)]
struct AtRestResult {
    /// The pod of the replica.
    pod: String,
    #[serde(flatten)]
    lag: LagResult,
}

/// The replication lag.
#[derive(Serialize, JsonSchema)]
struct LagResult {
    /// The number of samples with an answer.
    looks: usize,
    /// The number of samples without an answer.
    unanswered: usize,
    /// The median, in seconds.
    p50_s: f64,
    /// The 99th percentile, in seconds.
    p99_s: f64,
    /// The maximum, in seconds.
    max_s: f64,
}

/// Rounds to milliseconds: sums of binary fractions have meaningless trailing digits.
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

/// The disruptions, and the ledger if there was one.
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
