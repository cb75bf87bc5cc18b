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
    statement: "A pod below the partition MUST NOT be replaced by an update, and one that is deleted MUST come back at \
                the old revision.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#partitions",
    explain: "\
A partition tries an update on some replicas while the primary keeps what is known to work, even if its pod is lost.
The template is changed for the last pod alone. Nobody but the harness may tell a pod below it to go. The harness does,
and who comes back must have the controller-revision-hash of who went, and not the update's. A partition of the set's
own is judged in the same way, for as long as the template is changed.
Usually wrong: nothing that a manifest can do, but for a second tool that sets the partition, or deletes pods itself to
have them updated; then the update reaches pods that it was not for.",
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
            return Err(Finding::inconclusive("no pod below a partition was deleted to see what comes back", []));
        }
        Ok(format!(
            "below the partition the update replaced nobody, and who was deleted came back: {}",
            came.join(", ")
        ))
    })
}

fn replaced(update: &Update<'_>, told: &Told<'_>) -> Finding {
    let (name, at, asked) = (&told.life.name, told.at.seq, update.asked.seq);
    let below = format!("below the partition {} of the update that was asked for at #{asked}", update.partition);
    Finding::fail(format!("{name}, {below}, was told to go at #{at}, and not by the harness"), [at, asked])
}

/// The successor of a pod that the harness deleted: when it was created, and its revision.
fn came_back<'a>(case: &Case<'a>, update: &Update<'_>, told: &Told<'a>) -> Judged<(Mark, &'a str)> {
    let (name, at) = (&told.life.name, told.at.seq);
    let old = revision_of(told.life)?;
    let new = update.revision(case)?;
    if old == new {
        let reason = format!("{name} had {new} already when it was deleted (#{at}): it shows nothing");
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
