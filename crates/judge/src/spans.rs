//! The outermost steps of a run, which are its time table: the cluster's steps and the scenarios.

use crate::evidence::{Evidence, Mark, Phase, Record, Scenario, Step, What};

/// A step from its beginning to its end.
#[derive(Debug)]
pub struct Span<'a> {
    /// The scenario's name, or what was done around the scenarios.
    pub name: &'a str,
    /// The scenario, if it is one.
    pub scenario: Option<Scenario>,
    /// Where it begins.
    pub begin: Mark,
    /// Where it ends; the last record, if it did not end.
    pub end: Mark,
    /// How it ended.
    pub ended: Ended<'a>,
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<'a> {
    /// It was carried out.
    Done,
    /// It could not be carried out, for this reason.
    Failed(&'a str),
    /// The run stopped before its end.
    CutShort,
}

impl Span<'_> {
    /// How long it took, in seconds.
    pub fn seconds(&self) -> f64 {
        self.end.at_us.saturating_sub(self.begin.at_us) as f64 / 1e6
    }
}

/// The outermost steps, in order of their beginnings.
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

/// How long these scenarios took together in seconds, each counted once.
pub fn seconds_of(spans: &[Span<'_>], scenarios: impl IntoIterator<Item = Scenario>) -> f64 {
    let wanted: std::collections::BTreeSet<Scenario> = scenarios.into_iter().collect();
    spans.iter().filter(|span| span.scenario.is_some_and(|it| wanted.contains(&it))).map(Span::seconds).sum()
}

/// A scenario's step of its own name surrounds all its others; `run` is no scenario but what surrounds them all.
fn is_outermost(step: &Step) -> bool {
    step.scenario.is_none() || step.whole().is_some()
}

fn mark(record: &Record) -> Mark {
    Mark { seq: record.seq, at_us: record.at_us }
}
