//! The pods that a partition keeps from an update.

use super::updates::{Told, Update, revision_of, told_to_go, updatable, updates};
use crate::assessment::{Judged, judged};
use crate::case::{Case, is_after};
use crate::evidence::{Mark, Scenario};
use crate::minimum::Need;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const PARTITION_IS_RESPECTED: Check = Check {
    id: "ordering::partition_is_respected",
    statement: "An update MUST NOT replace a pod below the partition. If such a pod is deleted, it MUST be recreated \
                at the old revision.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions",
    explain: "\
With a partition you can test an update on some replicas. The primary keeps the known revision, even if its pod is lost.
The template is changed for the last pod only. Only the harness may delete a pod below it. The harness deletes one, and
the new pod must have the controller-revision-hash of the deleted pod, not that of the update. A partition that the set
defines itself is judged in the same way for as long as the template is changed.
Common causes: no manifest can cause this. Look for a second tool that sets the partition, or that deletes pods to have
them updated; then the update reaches pods that it was not meant for.",
    scenarios: &[Scenario::Roll],
    minimum: &[Need::Acts],
    judge: partition_is_respected,
};

fn partition_is_respected(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        if case.subject.replicas == 1 {
            return Err(Finding::skipped("the set has one pod: a partition leaves none below it to be updated"));
        }
        updatable(case)?;
        let mut came = Vec::new();
        let mut tried = false;
        for update in updates(case).iter().filter(|update| update.partition > 0) {
            let told = told_to_go(case, update.asked.seq, update.holds);
            for told in told.iter().filter(|told| told.index < update.partition) {
                tried |= told.by_harness;
                let judged = if told.by_harness { came_back(case, update, told) } else { Err(replaced(update, told)) };
                let known = case.gap("Pod", update.asked.seq, told.at.seq).map_or(judged, Err);
                if let Some((added, revision)) = assessment.check(known) {
                    assessment.cite([told.at.seq, added.seq]);
                    came.push(format!("{} at {revision} (#{})", told.life.name, added.seq));
                }
            }
            case.gap("Pod", update.asked.seq, update.holds).into_iter().for_each(|gap| assessment.reject(gap));
        }
        if !tried {
            return Err(Finding::inconclusive(
                "no pod below a partition was deleted, so it is unknown what comes back",
                [],
            ));
        }
        Ok(format!("below the partition the update replaced no pod, and deleted pods came back: {}", came.join(", ")))
    })
}

fn replaced(update: &Update<'_>, told: &Told<'_>) -> Finding {
    let (name, at, asked) = (&told.life.name, told.at.seq, update.asked.seq);
    let below = format!("below the partition {} of the update requested at #{asked}", update.partition);
    Finding::fail(format!("{name}, {below}, was deleted at #{at}, not by the harness"), [at, asked])
}

/// The successor of a pod that the harness deleted: when it was created, and its revision.
fn came_back<'a>(case: &Case<'a>, update: &Update<'_>, told: &Told<'a>) -> Judged<(Mark, &'a str)> {
    let (name, at) = (&told.life.name, told.at.seq);
    let old = revision_of(told.life)?;
    let new = update.revision(case)?;
    if old == new {
        let reason = format!("{name} already had {new} when it was deleted (#{at}), which proves nothing");
        return Err(Finding::inconclusive(reason, [at]));
    }
    let mut later = case.timeline.lives(name).filter(|life| is_after(at)(&life.added));
    let came = later.find(|life| life.added.seq <= update.holds);
    let Some(life) = came else {
        let asked = update.asked.seq;
        let reason = format!("{name}, below the partition, did not come back after its deletion (#{at})");
        return Err(match case.unmet_wait(asked, update.holds) {
            Some(wait) => wait.blame(format!("{reason}: {wait}"), [at, wait.mark.seq]),
            None => Finding::inconclusive(reason, [at]),
        });
    };
    let revision = revision_of(life)?;
    if revision == old {
        return Ok((life.added, revision));
    }
    let added = life.added.seq;
    let below = format!("below the partition {}", update.partition);
    let reason =
        format!("{name}, {below}, had {old} when it was deleted (#{at}) and came back at {revision} (#{added})");
    Err(Finding::fail(reason, [at, added]))
}
