//! Pods that the harness deleted, and their successors.

use std::collections::HashMap;

use super::proof::Proof;
use super::questions::unasked;
use super::{Case, Seen, spanned};
use crate::Finding;
use crate::assessment::{Assessment, Judged};
use crate::evidence::{Act, Checkpoint, Mark, PodLife, Question, Scenario, Sql};

/// A deletion of a pod by the harness that is proved.
pub(crate) struct Deletion<'a> {
    /// The pod's name.
    pub pod: &'a str,
    /// The UID of the deleted pod.
    pub uid: &'a str,
    /// Whether the grace period was 0.
    pub killed: bool,
    /// When the deletion was asked for.
    pub asked: Mark,
    /// When it was proved.
    pub proved: Mark,
    /// The record of the next requested act, or one past the end of the log.
    pub until: u64,
}

impl<'a> Case<'a> {
    /// The proved deletions of pods, in order, except those within the scenario `roll`: these change what comes back,
    /// and the server is not asked before and after them.
    pub(crate) fn deletions(&self) -> Vec<Deletion<'a>> {
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

    /// A pod's last answer to a question just before its deletion; inconclusive if it was not asked.
    pub(crate) fn answer_before(&self, deletion: &Deletion<'a>, question: Question) -> Judged<Seen<'a, Sql>> {
        let (pod, checkpoint) = (deletion.pod, deletion.before());
        let mut answers = self.answers_between(pod, question, &checkpoint, 0, deletion.asked.seq);
        answers.next_back().ok_or_else(|| unasked(pod, question, &checkpoint))
    }

    /// The answers of any pod to a question between a deletion and the next act.
    pub(crate) fn answers_after(
        &self,
        deletion: &Deletion<'a>,
        pod: &str,
        question: Question,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Sql>> + use<'a> {
        self.answers_between(pod, question, &deletion.after(), deletion.asked.seq, deletion.until)
    }

    /// The last of [`Self::answers_after`]; inconclusive if the pod was not asked.
    pub(crate) fn answer_after(&self, deletion: &Deletion<'a>, pod: &str, question: Question) -> Judged<Seen<'a, Sql>> {
        let answer = self.answers_after(deletion, pod, question).next_back();
        answer.ok_or_else(|| unasked(pod, question, &deletion.after()))
    }

    /// Judges every deletion. It is inconclusive if a pod was never deleted with its grace period, or if the run should
    /// have deleted a pod without grace and did not.
    pub(crate) fn weigh_deletions<T>(
        &self,
        assessment: &mut Assessment,
        judge: impl Fn(&Deletion<'a>) -> Judged<T>,
    ) -> Vec<T> {
        let deletions = self.deletions();
        let deleted = |pod: &String| deletions.iter().any(|deletion| deletion.pod == pod && !deletion.killed);
        for pod in self.subject.pods().filter(|pod| !deleted(pod)) {
            let reason = format!("{pod} was not deleted, so it is unknown what it keeps");
            assessment.reject(Finding::inconclusive(reason, []));
        }
        let judged = deletions.iter().filter_map(|deletion| assessment.check(judge(deletion))).collect();
        let kills = self.subject.replicas > 1 && self.run.acts(Scenario::Unready);
        if kills && !deletions.iter().any(|deletion| deletion.killed) {
            let reason = "no pod was deleted without a grace period, so it is unknown what a pod keeps then";
            assessment.reject(Finding::inconclusive(reason, []));
        }
        judged
    }

    /// The pod that replaced a deleted one and became Ready, with the time of its first Ready.
    pub(crate) fn successor(&self, deletion: &Deletion<'a>) -> Judged<(&'a PodLife, Mark)> {
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
    /// The suffix for the pod's name that says whether there was a grace period.
    pub(crate) fn manner(&self) -> &'static str {
        if self.killed { " without a grace period" } else { "" }
    }

    /// The kind of deletion in words.
    pub(crate) fn words(&self) -> &'static str {
        if self.killed { "deletion without a grace period" } else { "deletion" }
    }

    /// The checkpoint of questions once the successor is Ready.
    pub(crate) fn after(&self) -> Checkpoint {
        let pod = self.pod.to_owned();
        if self.killed { Checkpoint::Kill { pod } } else { Checkpoint::Deletion { pod } }
    }

    /// The checkpoint of questions just before the deletion.
    pub(crate) fn before(&self) -> Checkpoint {
        let pod = self.pod.to_owned();
        if self.killed { Checkpoint::BeforeKill { pod } } else { Checkpoint::BeforeDeletion { pod } }
    }

    /// Whether a record lies between this deletion and the next act.
    pub(crate) fn spans(&self, mark: Mark) -> bool {
        (self.asked.seq..self.until).contains(&mark.seq)
    }
}
