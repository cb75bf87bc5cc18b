//! The changes of the pod template that the harness requests, and the pods that are deleted meanwhile.

use std::collections::HashMap;

use crate::Finding;
use crate::assessment::Judged;
use crate::case::{Case, is_after, is_before};
use crate::evidence::{Act, Mark, Phase, PodLife, Scenario};

/// The scenario that changes the template.
const SCENARIO: Scenario = Scenario::Roll;

/// A change of the pod template.
pub(super) struct Update<'a> {
    /// The act.
    pub act: &'a Act,
    /// When it was asked for.
    pub asked: Mark,
    /// The index of the first pod that is to follow, counted from the set's first pod.
    pub partition: u32,
    /// The record that proves it, if any.
    pub proved: Option<u64>,
    /// The record with which the harness requested another change or gave up, or else the last of the log. After giving
    /// up it restores the template, which is no change that anything waits for.
    pub holds: u64,
}

/// All changes, in order.
pub(super) fn updates<'a>(case: &Case<'a>) -> Vec<Update<'a>> {
    let own = case.subject.partition;
    let partition = |act: &Act| match act {
        Act::Roll { partition } => Some(*partition),
        Act::BreakTemplate | Act::RevertTemplate => Some(own),
        _ => None,
    };
    let acts = case.acts(|act| partition(act).is_some()).into_iter();
    let updates = acts.filter_map(|acted| {
        let proved = acted.proved.map(|(mark, _)| mark.seq);
        let holds = until_another(case, acted.asked.seq);
        Some(Update { act: acted.act, asked: acted.asked, partition: partition(acted.act)?, proved, holds })
    });
    updates.collect()
}

/// The record until which a change holds. Deletions of single pods belong to it: with them the harness tests its
/// effect.
fn until_another(case: &Case<'_>, asked: u64) -> u64 {
    let mut faults = case.faults().filter(|fault| fault.proof.is_none() && !matches!(fault.act, Act::DeletePod { .. }));
    let mut steps = case.steps().filter(|step| step.scenario == Some(SCENARIO) && is_after(asked)(&step.mark));
    let another = faults.find(|fault| is_after(asked)(&fault.mark)).map(|fault| fault.mark.seq);
    let end = steps.find(|step| step.whole().is_some() || matches!(step.phase, Phase::Failed(_)));
    another.into_iter().chain(end.map(|step| step.mark.seq)).min().unwrap_or(case.timeline.last_seq)
}

impl Update<'_> {
    /// The last record of the stretch in which pods follow the change.
    pub(super) fn until(&self) -> u64 {
        self.proved.unwrap_or(self.holds)
    }

    /// The revision of the change: the update revision that the controller reports once it has observed the change.
    pub(super) fn revision(&self, case: &Case<'_>) -> Judged<String> {
        let asked = self.asked.seq;
        let before = case.generation_before(asked);
        let mut told = case.set_states(asked, self.until()).filter(|(_, set)| {
            set.observed_generation == set.generation && Some(set.generation) > before && !set.deleted
        });
        let set = &case.subject.set;
        let Some((mark, first)) = told.next() else {
            let reason = format!("no event shows that the controller of StatefulSet {set} saw the change of #{asked}");
            return Err(Finding::inconclusive(reason, [asked]));
        };
        let Some((other, last)) = told.find(|(_, set)| set.update_revision != first.update_revision) else {
            return Ok(first.update_revision);
        };
        let (first, last) = (first.update_revision, last.update_revision);
        let reason = format!(
            "the template of StatefulSet {set} was changed a second time: its update revision was {first} at #{} and \
             {last} at #{}",
            mark.seq, other.seq
        );
        Err(Finding::inconclusive(reason, [mark.seq, other.seq]))
    }
}

/// A deletion of a pod: it began to terminate.
pub(super) struct Told<'a> {
    /// The pod.
    pub life: &'a PodLife,
    /// Its index, counted from the set's first pod.
    pub index: u32,
    /// When it began to terminate.
    pub at: Mark,
    /// Whether the harness had requested it.
    pub by_harness: bool,
}

/// The pods that began to terminate after one record and up to another, in order.
pub(super) fn told_to_go<'a>(case: &Case<'a>, after: u64, to: u64) -> Vec<Told<'a>> {
    let mut deletions = HashMap::new();
    for deletion in case.acts(|act| matches!(act, Act::DeletePod { .. })) {
        if let Act::DeletePod { uid, .. } = deletion.act {
            deletions.entry(uid.as_str()).or_insert(deletion.asked);
        }
    }
    let by_harness = |life: &PodLife, at: Mark| deletions.get(life.uid.as_str()).is_some_and(is_before(at.seq));
    let told = case.timeline.pods.iter().filter_map(|life| {
        let at = life.deleting.filter(is_after(after)).filter(|mark| mark.seq <= to)?;
        Some(Told { life, index: case.subject.index_of(&life.name)?, at, by_harness: by_harness(life, at) })
    });
    let mut told: Vec<_> = told.collect();
    told.sort_by_key(|told| told.at);
    told
}

/// The last pod of a name up to a record; it may be gone by then.
pub(super) fn newest<'a>(case: &Case<'a>, name: &str, seq: u64) -> Option<&'a PodLife> {
    case.timeline.pods.coming(name, 0, seq + 1).next_back()
}

/// The revision that a pod was created from.
pub(super) fn revision_of(life: &PodLife) -> Judged<&str> {
    life.revision().ok_or_else(|| {
        let reason = format!("{} has no revision label (#{})", life.name, life.added.seq);
        Finding::inconclusive(reason, [life.added.seq])
    })
}

/// Skips a check if no pod follows a change of the template.
pub(super) fn updatable(case: &Case<'_>) -> Judged<()> {
    case.subject.keeps_from_updates().map_or(Ok(()), |why| Err(Finding::skipped(why)))
}
