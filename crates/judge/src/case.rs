//! The queries that judges make on the evidence: records of one kind in order, and what several properties need.

mod acts;
mod answers;
mod barriers;
mod containers;
mod crashes;
mod deletions;
mod gaps;
mod heard;
mod lasting;
mod marks;
mod order;
mod power;
mod proof;
mod questions;
mod returns;
mod scenes;
mod waits;

use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::{Deref, RangeInclusive};

use serde::Deserialize;

use super::Finding;
use crate::evidence::{
    Clocks, DnsServer, Entries, EventType, Evidence, Exec, Mark, Note, ObjectEvent, Phase, Run, Scenario, SetState,
    Snapshot, SnapshotOf, Sql, Step, Subject, Timeline, What, Write,
};
use crate::object::{number, text};

pub(super) use acts::{Acted, ScaleDown};
pub(super) use containers::{Exit, containers, seconds_of};
pub(super) use deletions::Deletion;
pub(super) use lasting::out_of_time;
pub(super) use marks::{is_after, is_before};
pub(super) use power::PowerLoss;
pub(super) use questions::{Asking, unasked, with_others};
pub(super) use returns::{Return, renewals};
pub(super) use scenes::Scenes;
pub(super) use waits::Unmet;

/// A part of a record with its place in the log.
#[derive(Debug)]
pub(super) struct Seen<'a, T> {
    /// The record's place.
    pub mark: Mark,
    /// The part.
    pub it: &'a T,
}

impl<T> Clone for Seen<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Seen<'_, T> {}

impl<T> Deref for Seen<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.it
    }
}

/// The evidence of a run that started.
pub(super) struct Case<'a> {
    evidence: &'a Evidence,
    /// The run's description.
    pub run: &'a Run,
    /// The workload.
    pub subject: &'a Subject,
    /// The records' index.
    pub timeline: &'a Timeline,
    /// The clocks of the log and the witness.
    pub clocks: &'a Clocks,
    /// Sequence numbers of the gaps across which order is proved all the same.
    pub bridged: HashSet<u64>,
    /// Barriers that prove nothing, computed on first use.
    unproven: OnceCell<barriers::UnprovenBarriers>,
}

impl<'a> Case<'a> {
    /// The case, or `None` if the run never started.
    pub(crate) fn of(evidence: &'a Evidence) -> Option<Self> {
        let run = evidence.run()?;
        let (subject, timeline, clocks) = (&run.subject, &evidence.timeline, &evidence.clocks);
        let (bridged, unproven) = (HashSet::new(), OnceCell::new());
        let case = Self { evidence, run, subject, timeline, clocks, bridged, unproven };
        Some(Self { bridged: case.bridged(), ..case })
    }

    /// When the last record was written.
    pub(crate) fn last_us(&self) -> u64 {
        self.evidence.records.last().map_or(0, |record| record.at_us)
    }

    /// The last record that was written at or before this time.
    pub(crate) fn last_at(&self, at_us: u64) -> u64 {
        let records = &self.evidence.records;
        let passed = records.partition_point(|record| record.at_us <= at_us);
        records[..passed].last().map_or(0, |record| record.seq)
    }

    /// Extracts a part of each record at these places.
    fn seen<T: 'a, P: Fn(&'a What) -> Option<&'a T>>(
        &self,
        places: &'a [usize],
        pick: P,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, T>> + use<'a, T, P> {
        let records = &self.evidence.records;
        places.iter().filter_map(move |place| {
            let record = &records[*place];
            let mark = Mark { seq: record.seq, at_us: record.at_us };
            pick(&record.what).map(|it| Seen { mark, it })
        })
    }

    /// The places between two records, both included.
    fn between(&self, places: &'a [usize], from: u64, to: u64) -> &'a [usize] {
        let before = |seq: u64| places.partition_point(|place| self.evidence.records[*place].seq < seq);
        let (first, end) = (before(from), before(to.saturating_add(1)));
        &places[first.min(end)..end]
    }

    /// All SQL questions, including those whose answers do not count.
    pub(crate) fn sql(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Sql>> + use<'a> {
        self.seen(&self.evidence.index.sql, |what| if let What::Sql(sql) = what { Some(sql) } else { None })
    }

    /// Commands that ran in containers and count.
    pub(crate) fn execs(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Exec>> + use<'a> {
        self.execs_at(&self.evidence.index.execs)
    }

    /// Commands that ran in the containers of one pod and count.
    pub(crate) fn execs_in(&self, pod: &str) -> impl DoubleEndedIterator<Item = Seen<'a, Exec>> + use<'a> {
        self.execs_at(self.evidence.index.execs_in(pod))
    }

    fn execs_at(&self, places: &'a [usize]) -> impl DoubleEndedIterator<Item = Seen<'a, Exec>> + use<'a> {
        let hearing = self.hearing();
        let execs = self.seen(places, |what| if let What::Exec(exec) = what { Some(exec) } else { None });
        execs.filter(move |exec| hearing.exec_counts(exec))
    }

    /// Entries that the witness handed over.
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Entries>> {
        let entries = |what: &'a What| if let What::Entries(entries) = what { Some(entries) } else { None };
        self.seen(&self.evidence.index.entries, entries)
    }

    /// Outcomes of the harness's own writes.
    pub(crate) fn writes(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Write>> {
        self.seen(&self.evidence.index.writes, |what| if let What::Write(write) = what { Some(write) } else { None })
    }

    /// The states of the StatefulSet in its events between two records.
    pub(crate) fn set_states(&self, from: u64, to: u64) -> impl DoubleEndedIterator<Item = (Mark, SetState)> {
        let events = self.object("StatefulSet", &self.subject.set, from, to);
        events.map(|event| (event.mark, SetState::of(event.it)))
    }

    /// The highest generation of the StatefulSet that was seen before a record, which must not be one of its events.
    pub(crate) fn generation_before(&self, seq: u64) -> Option<i64> {
        let events = self.object("StatefulSet", &self.subject.set, 0, seq);
        events.map(|event| number(&event.object, "/metadata/generation")).max()
    }

    /// The events of one object between two records.
    fn object(
        &self,
        kind: &'static str,
        name: &'a str,
        from: u64,
        to: u64,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, ObjectEvent>> {
        let places = self.between(self.evidence.index.objects(kind), from, to);
        let events = self.seen(places, |what| if let What::Object(event) = what { Some(event.as_ref()) } else { None });
        events.filter(move |event| text(&event.object, "/metadata/name") == Some(name))
    }

    /// The watch event at this sequence number, if that record is one.
    pub(crate) fn event_at(&self, seq: u64) -> Option<&'a ObjectEvent> {
        let records = &self.evidence.records;
        let place = records.binary_search_by_key(&seq, |record| record.seq).ok()?;
        if let What::Object(event) = &records[place].what { Some(event.as_ref()) } else { None }
    }

    /// The governing Service as last seen before any deletion.
    pub(crate) fn service(&self) -> Option<Seen<'a, ObjectEvent>> {
        let mut events = self.object("Service", &self.subject.service, 0, u64::MAX);
        events.rfind(|event| event.event != EventType::Deleted)
    }

    /// The last event of the governing Service.
    pub(crate) fn service_at_last(&self) -> Option<Seen<'a, ObjectEvent>> {
        self.object("Service", &self.subject.service, 0, u64::MAX).next_back()
    }

    /// The snapshots of one kind, in order.
    pub(crate) fn snapshots(&self, of: SnapshotOf) -> impl DoubleEndedIterator<Item = Seen<'a, Snapshot>> {
        let snapshot = |what: &'a What| if let What::Snapshot(snapshot) = what { Some(snapshot) } else { None };
        self.seen(&self.evidence.index.snapshots, snapshot).filter(move |snapshot| snapshot.of == of)
    }

    /// The readable lists of the cluster's DNS servers, each with its record.
    pub(crate) fn dns_server_lists(&self) -> impl DoubleEndedIterator<Item = (Mark, Vec<DnsServer>)> {
        self.snapshots(SnapshotOf::DnsServers)
            .filter_map(|list| Some((list.mark, Vec::deserialize(&list.it.value).ok()?)))
    }

    /// The last snapshot of one kind.
    pub(crate) fn snapshot(&self, of: SnapshotOf) -> Option<Seen<'a, Snapshot>> {
        self.snapshots(of).next_back()
    }

    /// All steps, of scenarios and of the run itself.
    pub(crate) fn steps(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Step>> {
        self.seen(&self.evidence.index.steps, |what| if let What::Step(step) = what { Some(step) } else { None })
    }

    /// The steps that are a whole scenario: each scenario has one with its own name.
    pub(crate) fn outer_steps<'b>(&'b self, scenario: Scenario) -> impl Iterator<Item = Seen<'a, Step>> + use<'a, 'b> {
        self.steps().filter(move |step| step.whole() == Some(scenario))
    }

    /// Notes on problems of the harness.
    pub(crate) fn notes(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Note>> {
        self.seen(&self.evidence.index.notes, |what| if let What::Note(note) = what { Some(note) } else { None })
    }

    /// The notes since a record.
    pub(crate) fn notes_since(&self, from: u64) -> impl DoubleEndedIterator<Item = Seen<'a, Note>> {
        let places = self.between(&self.evidence.index.notes, from, u64::MAX);
        self.seen(places, |what| if let What::Note(note) = what { Some(note) } else { None })
    }

    /// The note that the run stopped disrupting because the workload did not recover.
    pub(crate) fn stopped(&self) -> Option<(Mark, &'a Note)> {
        self.evidence.stopped()
    }

    /// The first and the last record of a scenario, or the ends of the log if the scenario has no such step.
    pub(crate) fn span(&self, scenario: Scenario) -> (u64, u64) {
        let begin = self.outer_steps(scenario).find(|step| step.phase == Phase::Begin);
        let end = self.outer_steps(scenario).filter(|step| step.phase != Phase::Begin).last();
        (begin.map_or(0, |step| step.mark.seq), end.map_or(self.timeline.last_seq, |step| step.mark.seq))
    }

    /// Whether a scenario completed.
    pub(crate) fn ended(&self, scenario: Scenario) -> bool {
        self.outer_steps(scenario).last().is_some_and(|last| last.phase == Phase::End)
    }

    /// The waits between two records that did not get what they waited for.
    pub(crate) fn unmet_waits(&self, from: u64, to: u64) -> impl Iterator<Item = Unmet<'a>> {
        let (unmet, evidence) = (self.between(&self.evidence.index.unmet, from, to), self.evidence);
        let waits = self.seen(unmet, |what| if let What::Wait(wait) = what { Some(wait) } else { None });
        waits.map(move |wait| Unmet::of(wait, evidence))
    }

    /// The first of [`Self::unmet_waits`].
    pub(crate) fn unmet_wait(&self, from: u64, to: u64) -> Option<Unmet<'a>> {
        self.unmet_waits(from, to).next()
    }

    /// The stretches of the log in which a scenario ran, in order.
    fn spans(&self, scenario: Scenario) -> Vec<RangeInclusive<u64>> {
        let steps: Vec<_> = self.outer_steps(scenario).collect();
        let ends = steps.iter().skip(1).map(|step| step.mark.seq).chain([self.timeline.last_seq]);
        let spans = steps.iter().zip(ends).filter(|(step, _)| step.phase == Phase::Begin);
        spans.map(|(begin, end)| begin.mark.seq..=end).collect()
    }
}

/// Whether a record lies in one of these stretches, which must be in order.
fn spanned(spans: &[RangeInclusive<u64>], seq: u64) -> bool {
    let over = spans.partition_point(|span| *span.end() < seq);
    spans.get(over).is_some_and(|span| span.contains(&seq))
}

/// The finding as inconclusive, for judges that cannot blame the workload for a server that does not answer.
pub(super) fn doubt(finding: Finding) -> Finding {
    Finding::inconclusive(finding.reason, finding.evidence)
}
