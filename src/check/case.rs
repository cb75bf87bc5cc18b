//! What judges ask of the evidence: the records of one kind, in order, and what recurs in more than one property.

mod answers;
mod deletions;
mod gaps;
mod marks;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    ops::{Deref, RangeInclusive},
};

use crate::evidence::{
    Act, Dns, EventType, Evidence, Exec, Fault, Mark, Moment, Note, ObjectEvent, Phase, Question, Run, SetState,
    Snapshot, SnapshotOf, Sql, Step, Subject, Timeline, Wait, WaitOutcome, What, Write,
};

use crate::object::{number, text};

use super::{
    Finding,
    opinion::Judged,
    words::{during, seconds, topic},
};

pub(super) use deletions::Deletion;
pub(super) use marks::{is_after, is_before};

/// A part of a record and its place in the log.
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
    /// The gaps of the history that leave no doubt.
    bridged: HashSet<u64>,
}

/// An act of the harness: asked for, and proved, where it came to that.
pub(super) struct Acted<'a> {
    /// What was done.
    pub act: &'a Act,
    /// When it was asked for.
    pub asked: Mark,
    /// When it was proved, and by which records.
    pub proved: Option<(Mark, &'a [u64])>,
}

/// The set was asked to have fewer pods.
pub(super) struct ScaleDown {
    /// The record of the request.
    pub asked: u64,
    /// Replicas before.
    pub from: u32,
    /// Replicas asked for.
    pub to: u32,
}

impl<'a> Case<'a> {
    /// The case, unless the run never started.
    pub fn of(evidence: &'a Evidence) -> Option<Self> {
        let run = evidence.run()?;
        let (subject, timeline) = (&run.subject, &evidence.timeline);
        let case = Self { evidence, run, subject, timeline, bridged: HashSet::new() };
        Some(Self { bridged: case.bridged(), ..case })
    }

    /// What is to be picked from the records at these places.
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

    /// Those places that are between two records.
    fn between(&self, places: &'a [usize], from: u64, to: u64) -> &'a [usize] {
        let before = |seq: u64| places.partition_point(|place| self.evidence.records[*place].seq < seq);
        let (first, end) = (before(from), before(to.saturating_add(1)));
        &places[first.min(end)..end]
    }

    /// Questions to servers.
    pub fn sql(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Sql>> {
        self.seen(&self.evidence.index.sql, |what| if let What::Sql(sql) = what { Some(sql) } else { None })
    }

    /// Commands that were run in containers.
    pub fn execs(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Exec>> {
        self.seen(&self.evidence.index.execs, |what| if let What::Exec(exec) = what { Some(exec) } else { None })
    }

    /// Commands that were run in the containers of one pod.
    pub fn execs_in(&self, pod: &str) -> impl DoubleEndedIterator<Item = Seen<'a, Exec>> + use<'a> {
        let places = self.evidence.index.execs_in(pod);
        self.seen(places, |what| if let What::Exec(exec) = what { Some(exec) } else { None })
    }

    /// Outcomes of the ledger's writes.
    pub fn writes(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Write>> {
        self.seen(&self.evidence.index.writes, |what| if let What::Write(write) = what { Some(write) } else { None })
    }

    /// Disruptions.
    pub fn faults(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Fault>> {
        self.seen(&self.evidence.index.faults, |what| if let What::Fault(fault) = what { Some(fault) } else { None })
    }

    /// The same from a record on.
    pub fn faults_since(&self, from: u64) -> impl DoubleEndedIterator<Item = Seen<'a, Fault>> {
        let places = self.between(&self.evidence.index.faults, from, u64::MAX);
        self.seen(places, |what| if let What::Fault(fault) = what { Some(fault) } else { None })
    }

    /// The first scale-down that was asked for, but for two that other checks are about: the one in which claims are to
    /// go with their pods, and the one of a pod that had been added.
    pub fn scale_down(&self) -> Option<ScaleDown> {
        let others = ["claims", "grow"].map(|scenario| self.spans(scenario));
        let apart = |seq: u64| others.iter().any(|spans| spanned(spans, seq));
        self.faults().find_map(|fault| match fault.it.act {
            Act::Scale { from, to } if to < from && !apart(fault.mark.seq) => {
                Some(ScaleDown { asked: fault.mark.seq, from, to })
            }
            _ => None,
        })
    }

    /// The acts of a kind, in order, each with its proof.
    pub fn acts(&self, wanted: impl Fn(&Act) -> bool) -> Vec<Acted<'a>> {
        // From the end, so that the proof known for an act is the first one that comes after it.
        let (mut proofs, mut acted) = (HashMap::new(), Vec::new());
        for fault in self.faults().rev().filter(|fault| wanted(&fault.it.act)) {
            let act = &fault.it.act;
            match fault.it.proof.as_deref() {
                Some(proof) => {
                    proofs.insert(act, (fault.mark, proof));
                }
                None => acted.push(Acted { act, asked: fault.mark, proved: proofs.get(act).copied() }),
            }
        }
        acted.reverse();
        acted
    }

    /// The StatefulSet as each of its events between two records shows it.
    pub fn set_states(&self, from: u64, to: u64) -> impl DoubleEndedIterator<Item = (Mark, SetState)> {
        let events = self.object("StatefulSet", &self.subject.set, from, to);
        events.map(|event| (event.mark, SetState::of(event.it)))
    }

    /// The highest generation of the StatefulSet that was seen before a record.
    pub fn generation_before(&self, seq: u64) -> Option<i64> {
        let events = self.object("StatefulSet", &self.subject.set, 0, seq - 1);
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

    /// The Service that governs the set, as last seen while it was there.
    pub fn service(&self) -> Option<Seen<'a, ObjectEvent>> {
        let mut events = self.object("Service", &self.subject.service, 0, u64::MAX);
        events.rfind(|event| event.event != EventType::Deleted)
    }

    /// The snapshots of this, in order.
    pub fn snapshots(&self, of: SnapshotOf) -> impl DoubleEndedIterator<Item = Seen<'a, Snapshot>> {
        let snapshot = |what: &'a What| if let What::Snapshot(snapshot) = what { Some(snapshot) } else { None };
        self.seen(&self.evidence.index.snapshots, snapshot).filter(move |snapshot| snapshot.of == of)
    }

    /// The last snapshot of this.
    pub fn snapshot(&self, of: SnapshotOf) -> Option<Seen<'a, Snapshot>> {
        self.snapshots(of).next_back()
    }

    /// The steps, of all scenarios and of the run itself.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Step>> {
        self.seen(&self.evidence.index.steps, |what| if let What::Step(step) = what { Some(step) } else { None })
    }

    /// The outer steps of a scenario: each scenario has one that bears its name.
    pub fn outer_steps<'b>(&'b self, scenario: &'b str) -> impl Iterator<Item = Seen<'a, Step>> + use<'a, 'b> {
        self.steps().filter(move |step| step.scenario == scenario && step.name == scenario)
    }

    /// Trouble of the harness.
    pub fn notes(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Note>> {
        self.seen(&self.evidence.index.notes, |what| if let What::Note(note) = what { Some(note) } else { None })
    }

    /// The same since a record.
    pub fn notes_since(&self, from: u64) -> impl DoubleEndedIterator<Item = Seen<'a, Note>> {
        let places = self.between(&self.evidence.index.notes, from, u64::MAX);
        self.seen(places, |what| if let What::Note(note) = what { Some(note) } else { None })
    }

    /// The first and the last record of a scenario; the log's ends where it has no such step.
    pub fn span(&self, scenario: &str) -> (u64, u64) {
        let begin = self.outer_steps(scenario).find(|step| step.phase == Phase::Begin);
        let end = self.outer_steps(scenario).filter(|step| step.phase != Phase::Begin).last();
        (begin.map_or(0, |step| step.mark.seq), end.map_or(self.timeline.last_seq, |step| step.mark.seq))
    }

    /// The waits between two records that ended without what they waited for.
    pub fn unmet_waits(&self, from: u64, to: u64) -> impl Iterator<Item = Seen<'a, Wait>> {
        let unmet = self.between(&self.evidence.index.unmet, from, to);
        self.seen(unmet, |what| if let What::Wait(wait) = what { Some(wait) } else { None })
    }

    /// The first of these.
    pub fn unmet_wait(&self, from: u64, to: u64) -> Option<Seen<'a, Wait>> {
        self.unmet_waits(from, to).next()
    }

    /// Names that were asked for at a moment and between two records, in order.
    pub fn dns_at(
        &self,
        moment: &Moment,
        from: u64,
        to: u64,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Dns>> + use<'a> {
        self.names(self.between(self.evidence.index.dns_at(moment), from, to))
    }

    /// Questions for one name, however it was written, at a moment and between two records, in order.
    pub fn dns_for(
        &self,
        moment: &Moment,
        name: &str,
        from: u64,
        to: u64,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Dns>> + use<'a> {
        self.names(self.between(self.evidence.index.dns_for(moment, name), from, to))
    }

    fn names(&self, places: &'a [usize]) -> impl DoubleEndedIterator<Item = Seen<'a, Dns>> + use<'a> {
        self.seen(places, |what| if let What::Dns(dns) = what { Some(dns) } else { None })
    }

    /// The answers of one pod to one question at one moment, in order.
    pub fn answers(
        &self,
        pod: &str,
        question: Question,
        moment: &Moment,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Sql>> + use<'a> {
        self.answers_between(pod, question, moment, 0, u64::MAX)
    }

    /// The same between two records: a moment comes again where a pod is deleted again.
    pub fn answers_between(
        &self,
        pod: &str,
        question: Question,
        moment: &Moment,
        from: u64,
        to: u64,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Sql>> + use<'a> {
        let places = self.between(self.evidence.index.answers(pod, question, moment), from, to);
        self.seen(places, |what| if let What::Sql(sql) = what { Some(sql) } else { None })
    }

    /// The moments at which a pod was asked a question: this one, at which it must have been, and whichever others.
    pub fn moments(&self, must: Moment, pod: &str, question: Question) -> Vec<Moment> {
        with_others(must, self.evidence.index.moments(pod, question).iter())
    }

    /// The last answer of one pod to one question at one moment; never having asked is a doubt.
    pub fn last_answer(&self, pod: &str, question: Question, moment: &Moment) -> Judged<Seen<'a, Sql>> {
        self.answers(pod, question, moment).next_back().ok_or_else(|| unasked(pod, question, moment))
    }

    /// The stretches of the log in which a scenario was acted, in order.
    fn spans(&self, scenario: &str) -> Vec<RangeInclusive<u64>> {
        let steps: Vec<_> = self.outer_steps(scenario).collect();
        let ends = steps.iter().skip(1).map(|step| step.mark.seq).chain([self.timeline.last_seq]);
        let spans = steps.iter().zip(ends).filter(|(step, _)| step.phase == Phase::Begin);
        spans.map(|(begin, end)| begin.mark.seq..=end).collect()
    }

    /// The next disruption that was asked for after this record, or the end of the log.
    pub fn next_fault(&self, seq: u64) -> u64 {
        let next = self.between(&self.evidence.index.asked, seq + 1, u64::MAX).first();
        next.map_or(self.timeline.last_seq + 1, |place| self.evidence.records[*place].seq)
    }
}

/// The doubt that is left by a question that nobody asked.
fn unasked(pod: &str, question: Question, moment: &Moment) -> Finding {
    Finding::inconclusive(format!("{pod} was not asked for {} {}", topic(question), during(moment)), [])
}

/// Whether a record lies in one of these stretches, which are in order.
fn spanned(spans: &[RangeInclusive<u64>], seq: u64) -> bool {
    let over = spans.partition_point(|span| *span.end() < seq);
    spans.get(over).is_some_and(|span| span.contains(&seq))
}

/// What the kubelet and the scheduler say of a pod that an image or room on the nodes is missing for
/// (<https://kubernetes.io/docs/concepts/containers/images/> and
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/>).
const INFRASTRUCTURE: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "Unschedulable",
    "nodes are available",
];

impl Seen<'_, Wait> {
    /// What follows from a wait that was not met: a violation, unless the cluster could not give the pod an image or a
    /// node, which says nothing about the workload.
    pub fn blame(&self, reason: String, evidence: impl IntoIterator<Item = u64>) -> Finding {
        self.blame_beside(None, reason, evidence)
    }

    /// The same, where the harness itself made one kind of that trouble: to be rid of it is up to the workload then.
    pub fn blame_beside(&self, own: Option<&str>, reason: String, evidence: impl IntoIterator<Item = u64>) -> Finding {
        let impossible = if let WaitOutcome::Impossible(why) = &self.it.outcome { why } else { "" };
        let said = |trouble: &str| impossible.contains(trouble) || self.it.last_seen.contains(trouble);
        if INFRASTRUCTURE.into_iter().any(|trouble| Some(trouble) != own && said(trouble)) {
            return Finding::inconclusive(format!("infrastructure: {reason}"), evidence);
        }
        Finding::fail(reason, evidence)
    }
}

/// A moment and the others of a list, each once.
pub(super) fn with_others<'a>(first: Moment, others: impl Iterator<Item = &'a Moment>) -> Vec<Moment> {
    let mut moments = vec![first];
    for other in others {
        if !moments.contains(other) {
            moments.push(other.clone());
        }
    }
    moments
}

impl fmt::Display for Seen<'_, Wait> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mark, it } = self;
        write!(f, "`{}` was awaited for {}", it.what, seconds(it.took_us))?;
        if let WaitOutcome::Impossible(why) = &it.outcome {
            write!(f, " and can come no more ({why})")?;
        }
        write!(f, "; last seen: {} (#{})", it.last_seen, mark.seq)
    }
}

/// The same objection as a doubt: where a server that does not answer leaves open what the judge asks.
pub(super) fn doubt(finding: Finding) -> Finding {
    Finding::inconclusive(finding.reason, finding.evidence)
}
