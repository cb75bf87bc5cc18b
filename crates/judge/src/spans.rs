//! The spans of a run, which are its outermost steps: the cluster's steps and the scenarios.

use crate::evidence::duration::as_seconds;
use crate::evidence::{Evidence, Mark, Phase, Record, Scenario, Step, What};

/// A step from its beginning to its end.
#[derive(Debug)]
pub struct Span<'a> {
    /// The name of the scenario, or of a step outside of the scenarios.
    pub name: &'a str,
    /// The scenario, if the step is one.
    pub scenario: Option<Scenario>,
    /// The beginning.
    pub begin: Mark,
    /// The end, or the last record if the step did not end.
    pub end: Mark,
    /// How the step ended.
    pub ended: Ended<'a>,
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<'a> {
    /// The step was completed.
    Done,
    /// The step failed for this reason.
    Failed(&'a str),
    /// The run stopped before the step ended.
    CutShort,
}

impl Span<'_> {
    /// The duration in seconds.
    pub fn seconds(&self) -> f64 {
        as_seconds(self.end.at_us.saturating_sub(self.begin.at_us))
    }
}

/// The outermost steps, ordered by their beginnings.
pub(crate) fn spans(evidence: &Evidence) -> Vec<Span<'_>> {
    let Some(last) = evidence.records.last().map(mark) else { return Vec::new() };
    let mut spans: Vec<Span<'_>> = Vec::new();
    for record in &evidence.records {
        let What::Step(step) = &record.what else { continue };
        if !is_outermost(step) {
            continue;
        }
        let ended = match &step.phase {
            Phase::Begin => {
                let scenario = step.whole();
                let (begin, end, ended) = (mark(record), last, Ended::CutShort);
                spans.push(Span { name: &step.name, scenario, begin, end, ended });
                continue;
            }
            Phase::End => Ended::Done,
            Phase::Failed(reason) => Ended::Failed(reason),
        };
        let open = spans.iter_mut().rev().find(|span| span.name == step.name && span.ended == Ended::CutShort);
        if let Some(span) = open {
            (span.end, span.ended) = (mark(record), ended);
        }
    }
    spans
}

/// The total duration of these scenarios in seconds. Each scenario counts once.
pub fn seconds_of(spans: &[Span<'_>], scenarios: impl IntoIterator<Item = Scenario>) -> f64 {
    let wanted: std::collections::BTreeSet<Scenario> = scenarios.into_iter().collect();
    let took = spans.iter().filter(|span| span.scenario.is_some_and(|it| wanted.contains(&it))).map(Span::seconds);
    // The sum of no numbers would be -0.
    took.fold(0.0, |sum, seconds| sum + seconds)
}

/// A scenario's step with the scenario's name contains all its other steps. `run` is not a scenario: it contains all
/// of them.
fn is_outermost(step: &Step) -> bool {
    step.scenario.is_none() || step.whole().is_some()
}

fn mark(record: &Record) -> Mark {
    Mark { seq: record.seq, at_us: record.at_us }
}
