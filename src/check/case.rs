//! What judges ask of the evidence: the records of one kind, in order, and what recurs in more than one property.

use std::{collections::BTreeSet, fmt, ops::Deref};

use crate::evidence::{
    Act, Dns, EventType, Evidence, Exec, Fault, Mark, Moment, Note, ObjectEvent, Phase, PodLife, Question, Row, Run,
    SetState, Snapshot, SnapshotOf, Sql, SqlAnswer, Step, Subject, Timeline, Wait, WaitOutcome, What, Write,
};

use super::{
    Finding,
    opinion::{Judged, Opinion},
    words::{during, seconds, topic},
};

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
}

/// A pod that was deleted by the harness and is proved to have gone.
pub(super) struct Deletion<'a> {
    /// The pod's name.
    pub pod: &'a str,
    /// The UID of the life that was ended.
    pub uid: &'a str,
    /// Whether it had no grace period.
    pub killed: bool,
    /// When the deletion was asked for.
    pub asked: Mark,
    /// When it was proved.
    pub proved: Mark,
    /// The first record that belongs to the next disruption, or the end of the log.
    pub until: u64,
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
        Some(Self { evidence, run, subject: &run.subject, timeline: &evidence.timeline })
    }

    fn seen<T: 'a>(&self, pick: impl Fn(&'a What) -> Option<&'a T>) -> impl Iterator<Item = Seen<'a, T>> {
        self.evidence.records.iter().filter_map(move |record| {
            let mark = Mark { seq: record.seq, at_us: record.at_us };
            pick(&record.what).map(|it| Seen { mark, it })
        })
    }

    /// Names that were asked for.
    pub fn dns(&self) -> impl Iterator<Item = Seen<'a, Dns>> {
        self.seen(|what| if let What::Dns(dns) = what { Some(dns) } else { None })
    }

    /// Questions to servers.
    pub fn sql(&self) -> impl Iterator<Item = Seen<'a, Sql>> {
        self.seen(|what| if let What::Sql(sql) = what { Some(sql) } else { None })
    }

    /// Commands that were run in containers.
    pub fn execs(&self) -> impl Iterator<Item = Seen<'a, Exec>> {
        self.seen(|what| if let What::Exec(exec) = what { Some(exec) } else { None })
    }

    /// Outcomes of the ledger's writes.
    pub fn writes(&self) -> impl Iterator<Item = Seen<'a, Write>> {
        self.seen(|what| if let What::Write(write) = what { Some(write) } else { None })
    }

    /// Disruptions.
    pub fn faults(&self) -> impl Iterator<Item = Seen<'a, Fault>> {
        self.seen(|what| if let What::Fault(fault) = what { Some(fault) } else { None })
    }

    /// The first scale-down that was asked for, while claims are to stay: the one in which they are to go has its own
    /// check.
    pub fn scale_down(&self) -> Option<ScaleDown> {
        let with_claims = self.spans("claims");
        let apart = |seq: u64| with_claims.iter().any(|span| span.contains(&seq));
        self.faults().find_map(|fault| match fault.it.act {
            Act::Scale { from, to } if to < from && !apart(fault.mark.seq) => {
                Some(ScaleDown { asked: fault.mark.seq, from, to })
            }
            _ => None,
        })
    }

    /// The acts of a kind, in order, each with its proof.
    pub fn acts(&self, wanted: impl Fn(&Act) -> bool) -> Vec<Acted<'a>> {
        let asked = self.faults().filter(|fault| fault.proof.is_none() && wanted(&fault.it.act));
        let acted = asked.map(|asked| {
            let proves = |fault: &Seen<'a, Fault>| fault.mark.seq > asked.mark.seq && fault.act == asked.act;
            let proof = self.faults().filter(proves).find_map(|fault| Some((fault.mark, fault.it.proof.as_deref()?)));
            Acted { act: &asked.it.act, asked: asked.mark, proved: proof }
        });
        acted.collect()
    }

    /// The StatefulSet as each of its events shows it.
    pub fn set_states(&self) -> impl Iterator<Item = (Mark, SetState)> {
        self.object("StatefulSet", &self.subject.set).map(|event| (event.mark, SetState::of(event.it)))
    }

    /// The events of one object.
    fn object(&self, kind: &'static str, name: &'a str) -> impl Iterator<Item = Seen<'a, ObjectEvent>> {
        let events = self.seen(|what| if let What::Object(event) = what { Some(event.as_ref()) } else { None });
        events.filter(move |event| event.object_kind == kind && event.object["metadata"]["name"] == name)
    }

    /// The Service that governs the set, as last seen while it was there.
    pub fn service(&self) -> Option<Seen<'a, ObjectEvent>> {
        self.object("Service", &self.subject.service).filter(|event| event.event != EventType::Deleted).last()
    }

    fn waits(&self) -> impl Iterator<Item = Seen<'a, Wait>> {
        self.seen(|what| if let What::Wait(wait) = what { Some(wait) } else { None })
    }

    /// The snapshots of this, in order.
    pub fn snapshots(&self, of: SnapshotOf) -> impl Iterator<Item = Seen<'a, Snapshot>> {
        let snapshots = self.seen(|what| if let What::Snapshot(snapshot) = what { Some(snapshot) } else { None });
        snapshots.filter(move |snapshot| snapshot.of == of)
    }

    /// The last snapshot of this.
    pub fn snapshot(&self, of: SnapshotOf) -> Option<Seen<'a, Snapshot>> {
        self.snapshots(of).last()
    }

    /// The steps, of all scenarios and of the run itself.
    pub fn steps(&self) -> impl Iterator<Item = Seen<'a, Step>> {
        self.seen(|what| if let What::Step(step) = what { Some(step) } else { None })
    }

    /// The outer steps of a scenario: each scenario has one that bears its name.
    pub fn outer_steps<'b>(&'b self, scenario: &'b str) -> impl Iterator<Item = Seen<'a, Step>> + use<'a, 'b> {
        self.steps().filter(move |step| step.scenario == scenario && step.name == scenario)
    }

    /// Trouble of the harness.
    pub fn notes(&self) -> impl Iterator<Item = Seen<'a, Note>> {
        self.seen(|what| if let What::Note(note) = what { Some(note) } else { None })
    }

    /// The first and the last record of a scenario; the log's ends where it has no such step.
    pub fn span(&self, scenario: &str) -> (u64, u64) {
        let begin = self.outer_steps(scenario).find(|step| step.phase == Phase::Begin);
        let end = self.outer_steps(scenario).filter(|step| step.phase != Phase::Begin).last();
        (begin.map_or(0, |step| step.mark.seq), end.map_or(self.timeline.last_seq, |step| step.mark.seq))
    }

    /// The doubt that a lost stretch of this kind's history casts on what was seen between two records.
    pub fn gap(&self, object_kind: &str, from: u64, to: u64) -> Option<Finding> {
        self.timeline.gaps_between(object_kind, from, to).next().map(|(mark, gap)| {
            let reason = format!("the {object_kind} watch lost a stretch of history at #{}: {}", mark.seq, gap.reason);
            Finding::inconclusive(reason, [mark.seq])
        })
    }

    /// The waits between two records that ended without what they waited for.
    pub fn unmet_waits(&self, from: u64, to: u64) -> impl Iterator<Item = Seen<'a, Wait>> {
        self.waits().filter(move |wait| (from..=to).contains(&wait.mark.seq) && wait.outcome != WaitOutcome::Met)
    }

    /// The first of these.
    pub fn unmet_wait(&self, from: u64, to: u64) -> Option<Seen<'a, Wait>> {
        self.unmet_waits(from, to).next()
    }

    /// The answers of one pod to one question at one moment, in order.
    pub fn answers(&self, pod: &str, question: Question, moment: &Moment) -> impl Iterator<Item = Seen<'a, Sql>> {
        self.sql().filter(move |sql| sql.pod == pod && sql.question == question && sql.moment == *moment)
    }

    /// The moments at which a pod was asked a question: this one, at which it must have been, and whichever others.
    pub fn moments(&self, must: Moment, pod: &str, question: Question) -> Vec<Moment> {
        with_others(must, self.sql().filter(|sql| sql.pod == pod && sql.question == question).map(|sql| &sql.it.moment))
    }

    /// The last answer of one pod to one question at one moment; never having asked is a doubt.
    pub fn last_answer(&self, pod: &str, question: Question, moment: &Moment) -> Judged<Seen<'a, Sql>> {
        self.answers(pod, question, moment).last().ok_or_else(|| {
            Finding::inconclusive(format!("{pod} was not asked for {} {}", topic(question), during(moment)), [])
        })
    }

    /// The deletions of pods that are proved, in order, but for those of a rolling update: these are meant to change
    /// what comes back, and nobody asks the server before and after.
    pub fn deletions(&self) -> Vec<Deletion<'a>> {
        let rolled = self.spans("roll");
        self.faults()
            .filter(|fault| fault.proof.is_some() && !rolled.iter().any(|span| span.contains(&fault.mark.seq)))
            .filter_map(|fault| {
                let Act::DeletePod { pod, uid, grace_s } = &fault.it.act else { return None };
                let same = |asked: &Seen<'_, Fault>| asked.proof.is_none() && asked.act == fault.act;
                let asked = self.faults().find(same).map_or(fault.mark, |asked| asked.mark);
                let until = self.next_fault(fault.mark.seq);
                Some(Deletion { pod, uid, killed: *grace_s == Some(0), asked, proved: fault.mark, until })
            })
            .collect()
    }

    /// The stretches of the log in which a scenario was acted.
    fn spans(&self, scenario: &str) -> Vec<std::ops::RangeInclusive<u64>> {
        let begun = self.outer_steps(scenario).filter(|step| step.phase == Phase::Begin);
        let ends = |begin: u64| self.outer_steps(scenario).find(|step| step.mark.seq > begin).map(|step| step.mark.seq);
        begun.map(|begin| begin.mark.seq..=ends(begin.mark.seq).unwrap_or(self.timeline.last_seq)).collect()
    }

    /// The next disruption that was asked for after this record, or the end of the log.
    pub fn next_fault(&self, seq: u64) -> u64 {
        let mut asked = self.faults().filter(|fault| fault.proof.is_none());
        asked.find(|fault| fault.mark.seq > seq).map_or(self.timeline.last_seq + 1, |fault| fault.mark.seq)
    }

    /// Judges every deletion. An ordinal that never was deleted with its grace period proves nothing, which is a doubt;
    /// so is a run that was to delete a pod without grace and did not.
    pub fn weigh_deletions<T>(&self, opinion: &mut Opinion, judge: impl Fn(&Deletion<'a>) -> Judged<T>) -> Vec<T> {
        let deletions = self.deletions();
        let deleted = |pod: &String| deletions.iter().any(|deletion| deletion.pod == pod && !deletion.killed);
        for pod in self.subject.pods().filter(|pod| !deleted(pod)) {
            let reason = format!("{pod} was not deleted, so nothing is known of what it would keep");
            opinion.object(Finding::inconclusive(reason, []));
        }
        let judged = deletions.iter().filter_map(|deletion| opinion.weigh(judge(deletion))).collect();
        let kills = self.subject.replicas > 1 && self.run.scenarios.iter().any(|scenario| scenario == "unready");
        if kills && !deletions.iter().any(|deletion| deletion.killed) {
            let reason = "no pod was deleted without grace, so nothing is known of what one would keep then";
            opinion.object(Finding::inconclusive(reason, []));
        }
        judged
    }

    /// The pod that took a deleted one's place and became Ready, with the record since which it was.
    pub fn successor(&self, deletion: &Deletion<'a>) -> Judged<(&'a PodLife, Mark)> {
        let came = self
            .timeline
            .lives(deletion.pod)
            .filter(|life| life.added.seq > deletion.asked.seq && life.added.seq < deletion.until);
        if let Some(found) = came.filter_map(|life| Some((life, life.first_ready()?))).last() {
            return Ok(found);
        }
        let Some(wait) = self.unmet_wait(deletion.asked.seq, deletion.until) else {
            let reason = format!("no successor of {} was seen to become Ready", deletion.pod);
            return Err(Finding::inconclusive(reason, [deletion.proved.seq]));
        };
        let (pod, deleted, asked) = (deletion.pod, deletion.words(), deletion.asked.seq);
        let reason = format!("{pod} did not come back after its {deleted} (#{asked}): {wait}");
        Err(wait.blame(reason, [asked, wait.mark.seq]))
    }
}

impl Deletion<'_> {
    /// What sets it apart from a deletion with a grace period, after the pod's name.
    pub fn manner(&self) -> &'static str {
        if self.killed { " without grace" } else { "" }
    }

    /// What it is.
    pub fn words(&self) -> &'static str {
        if self.killed { "deletion without grace" } else { "deletion" }
    }

    /// The moment of what is asked once the successor is Ready.
    pub fn after(&self) -> Moment {
        let pod = self.pod.to_owned();
        if self.killed { Moment::Kill { pod } } else { Moment::Deletion { pod } }
    }

    /// The moment of what is asked just before.
    pub fn before(&self) -> Moment {
        let pod = self.pod.to_owned();
        if self.killed { Moment::BeforeKill { pod } } else { Moment::BeforeDeletion { pod } }
    }

    /// Whether a record lies between this deletion and the next disruption.
    pub fn spans(&self, mark: Mark) -> bool {
        self.asked.seq < mark.seq && mark.seq < self.until
    }
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

impl<'a> Seen<'a, Sql> {
    /// The rows of the answer. A server that refuses or does not answer violates what was asked of it; a probe that
    /// broke says nothing about the server.
    pub fn rows(&self) -> Judged<&'a [Row]> {
        let Self { mark, it } = self;
        let (seq, asked) = (mark.seq, format!("{}, asked for {},", it.pod, topic(it.question)));
        match &it.answer {
            SqlAnswer::Rows(rows) => Ok(rows),
            SqlAnswer::Error { code, message } => {
                Err(Finding::fail(format!("{asked} answered error {code}: {message} (#{seq})"), [seq]))
            }
            SqlAnswer::Unreachable { message } => {
                Err(Finding::fail(format!("{asked} could not be reached: {message} (#{seq})"), [seq]))
            }
            SqlAnswer::Broken { message } => {
                Err(Finding::inconclusive(format!("{asked} gave no usable answer: {message} (#{seq})"), [seq]))
            }
        }
    }

    /// A value of the answer's only row; its absence is a doubt.
    pub fn value(&self, column: &str) -> Judged<&'a str> {
        self.rows()?.first().and_then(|row| row.get(column)).and_then(Option::as_deref).ok_or_else(|| {
            let reason = format!("{} did not tell its {column} (#{})", self.it.pod, self.mark.seq);
            Finding::inconclusive(reason, [self.mark.seq])
        })
    }

    /// The ids of the ledger's rows.
    pub fn ids(&self) -> Judged<BTreeSet<u64>> {
        let ids = self.rows()?.iter().map(|row| row.get("id")?.as_deref()?.parse().ok());
        ids.collect::<Option<_>>().ok_or_else(|| {
            let reason = format!("a row of {} has no id (#{})", self.it.pod, self.mark.seq);
            Finding::inconclusive(reason, [self.mark.seq])
        })
    }
}

/// The same objection as a doubt: where a server that does not answer leaves open what the judge asks.
pub(super) fn doubt(finding: Finding) -> Finding {
    Finding::inconclusive(finding.reason, finding.evidence)
}
