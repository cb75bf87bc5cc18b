//! What the harness deleted, and what came back.

use std::collections::HashMap;

use crate::evidence::{Act, Checkpoint, Mark, PodLife, Question, Scenario, Sql};

use super::{
    super::{
        Finding,
        assessment::{Assessment, Judged},
    },
    Case, Seen,
    proof::Proof,
    questions::unasked,
    spanned,
};

/// A pod that was deleted by the harness and is proved to have gone.
pub(in super::super) struct Deletion<'a> {
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

impl<'a> Case<'a> {
    /// The deletions of pods that are proved, in order, but for those of a rolling update: these are meant to change
    /// what comes back, and nobody asks the server before and after.
    pub fn deletions(&self) -> Vec<Deletion<'a>> {
        let (rolled, mut asked, mut deletions) = (self.spans(Scenario::Roll), HashMap::new(), Vec::new());
        for fault in self.faults().filter(|fault| fault.proof.is_none()) {
            asked.entry(&fault.it.act).or_insert(fault.mark);
        }
        for fault in self.faults().filter(|fault| fault.proof.is_some() && !spanned(&rolled, fault.mark.seq)) {
            let act = &fault.it.act;
            let Act::DeletePod { pod, uid, grace_s } = act else { continue };
            let asked = asked.get(act).copied().unwrap_or(fault.mark);
            let by = fault.it.proof.as_deref().unwrap_or_default();
            if !self.is_proof(act, &Proof { asked, proved: fault.mark, by }) {
                continue;
            }
            let until = self.next_fault(fault.mark.seq);
            deletions.push(Deletion { pod, uid, killed: *grace_s == Some(0), asked, proved: fault.mark, until });
        }
        deletions
    }

    /// The last answer of a pod to a question just before its deletion; never having asked is a doubt.
    pub fn answer_before(&self, deletion: &Deletion<'a>, question: Question) -> Judged<Seen<'a, Sql>> {
        let (pod, checkpoint) = (deletion.pod, deletion.before());
        let mut answers = self.answers_between(pod, question, &checkpoint, 0, deletion.asked.seq);
        answers.next_back().ok_or_else(|| unasked(pod, question, &checkpoint))
    }

    /// The answers of any pod to a question after a deletion and before the next disruption.
    pub fn answers_after(
        &self,
        deletion: &Deletion<'a>,
        pod: &str,
        question: Question,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Sql>> + use<'a> {
        self.answers_between(pod, question, &deletion.after(), deletion.asked.seq, deletion.until)
    }

    /// The last of these; never having asked is a doubt.
    pub fn answer_after(&self, deletion: &Deletion<'a>, pod: &str, question: Question) -> Judged<Seen<'a, Sql>> {
        let answer = self.answers_after(deletion, pod, question).next_back();
        answer.ok_or_else(|| unasked(pod, question, &deletion.after()))
    }

    /// Judges every deletion. An ordinal that never was deleted with its grace period proves nothing, which is a doubt;
    /// so is a run that was to delete a pod without grace and did not.
    pub fn weigh_deletions<T>(
        &self,
        assessment: &mut Assessment,
        judge: impl Fn(&Deletion<'a>) -> Judged<T>,
    ) -> Vec<T> {
        let deletions = self.deletions();
        let deleted = |pod: &String| deletions.iter().any(|deletion| deletion.pod == pod && !deletion.killed);
        for pod in self.subject.pods().filter(|pod| !deleted(pod)) {
            let reason = format!("{pod} was not deleted, so nothing is known of what it would keep");
            assessment.reject(Finding::inconclusive(reason, []));
        }
        let judged = deletions.iter().filter_map(|deletion| assessment.check(judge(deletion))).collect();
        let kills = self.subject.replicas > 1 && self.run.acts(Scenario::Unready);
        if kills && !deletions.iter().any(|deletion| deletion.killed) {
            let reason = "no pod was deleted without grace, so nothing is known of what one would keep then";
            assessment.reject(Finding::inconclusive(reason, []));
        }
        judged
    }

    /// The pod that took a deleted one's place and became Ready, with the record since which it was.
    pub fn successor(&self, deletion: &Deletion<'a>) -> Judged<(&'a PodLife, Mark)> {
        let came = self.timeline.pods.coming(deletion.pod, deletion.asked.seq, deletion.until);
        if let Some(found) = came.rev().find_map(|life| Some((life, life.first_ready()?))) {
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
    pub fn after(&self) -> Checkpoint {
        let pod = self.pod.to_owned();
        if self.killed { Checkpoint::Kill { pod } } else { Checkpoint::Deletion { pod } }
    }

    /// The moment of what is asked just before.
    pub fn before(&self) -> Checkpoint {
        let pod = self.pod.to_owned();
        if self.killed { Checkpoint::BeforeKill { pod } } else { Checkpoint::BeforeDeletion { pod } }
    }

    /// Whether a record lies between this deletion and the next disruption.
    pub fn spans(&self, mark: Mark) -> bool {
        (self.asked.seq..self.until).contains(&mark.seq)
    }
}
