//! The outermost steps of a run, which are its time table: the cluster's steps and the scenarios.

use crate::evidence::{Evidence, Mark, Phase, Record, Scenario, Step, What};

/// A step from its beginning to its end.
#[derive(Debug)]
pub(super) struct Span<'a> {
    /// The scenario's name, or what was done around the scenarios.
    pub(super) name: &'a str,
    /// The scenario, if it is one.
    pub(super) scenario: Option<Scenario>,
    /// Where it begins.
    pub(super) begin: Mark,
    /// Where it ends; the last record, if it did not end.
    pub(super) end: Mark,
    /// How it ended.
    pub(super) ended: Ended<'a>,
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended<'a> {
    /// It was carried out.
    Done,
    /// It could not be carried out, for this reason.
    Failed(&'a str),
    /// The run stopped before its end.
    CutShort,
}

impl Span<'_> {
    /// How long it took.
    pub(super) fn seconds(&self) -> f64 {
        seconds(self.end.at_us.saturating_sub(self.begin.at_us))
    }
}

/// The outermost steps, in order of their beginnings.
pub(super) fn spans(evidence: &Evidence) -> Vec<Span<'_>> {
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

/// How long the scenarios of these names took together, each counted once.
pub(super) fn seconds_of(spans: &[Span<'_>], scenarios: impl IntoIterator<Item = Scenario>) -> f64 {
    let wanted: std::collections::BTreeSet<Scenario> = scenarios.into_iter().collect();
    spans.iter().filter(|span| span.scenario.is_some_and(|it| wanted.contains(&it))).map(Span::seconds).sum()
}

/// Microseconds as seconds.
pub(super) fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// A scenario's step of its own name surrounds all its others; `run` is no scenario but what surrounds them all.
fn is_outermost(step: &Step) -> bool {
    step.scenario.is_none() || step.whole().is_some()
}

fn mark(record: &Record) -> Mark {
    Mark { seq: record.seq, at_us: record.at_us }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_outermost_steps_are_the_time_table() {
        let evidence = sample::passing_evidence();
        let spans = spans(&evidence);
        let table: Vec<_> = spans.iter().map(|span| (span.name, span.scenario.is_some(), span.seconds())).collect();
        let expected = [
            ("create the cluster", false, 31.0),
            ("load images", false, 8.5),
            ("deploy", true, 41.0),
            ("restart", true, 27.0),
            ("tear down", false, 6.0),
        ];
        assert_eq!(table, expected);
        assert_eq!(seconds_of(&spans, [Scenario::Deploy, Scenario::Restart, Scenario::Deploy]), 68.0);
    }

    #[test]
    fn a_step_without_an_end_lasts_to_the_last_record() {
        let evidence = sample::interrupted_evidence();
        let spans = spans(&evidence);
        let last = spans.last().unwrap();
        assert_eq!((last.name, last.ended, last.end.seq), ("deploy", Ended::CutShort, evidence.timeline.last_seq));
    }
}
