//! Persistence: what is on a claim outlives its pod, and nothing outlives the run.

use crate::evidence::{Evidence, Leftover, Phase, SnapshotOf, Step};

use super::{
    Check, Finding,
    case::{Case, Deletion, Seen},
    minimum::Need,
    opinion::{Judged, judged},
    words::{short, some_of},
};

mod claims;
mod rows;
mod settings;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub(super) use claims::{CLAIM_POLICY_IS_HONOURED, CLAIMS_SURVIVE_SCALE_DOWN};
pub(super) use rows::ROWS_SURVIVE_POD_DELETION;
pub(super) use settings::DURABILITY_SETTINGS;

pub(super) const SAME_VOLUME_RETURNS: Check = Check {
    id: "persistence::same_volume_returns",
    statement: "After a pod's deletion its claim and its volume MUST be the same ones by UID, and never another \
                ordinal's.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage",
    explain: "\
Rows can be there although the volume is not: a replica that starts empty fetches them again, until the source is gone.
Judged from the watches of pods, claims and volumes: each pod must mount the claim of each volumeClaimTemplate, and the
claim's UID and the UID of the volume that it is bound to must be the same before and after each deletion: of every pod
with its grace period, and, where the run has the scenario unready, of one without grace.
Usually wrong: the set has no volumeClaimTemplates, or something deletes the claim together with its pod.",
    scenarios: &["restart"],
    minimum: &[Need::Acts],
    judge: same_volume_returns,
};

fn same_volume_returns(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        if case.subject.claims.is_empty() {
            let reason = format!("the StatefulSet {} has no volumeClaimTemplates: nothing persists", case.subject.set);
            return Err(Finding::fail(reason, []));
        }
        let kept = case.weigh_deletions(opinion, |deletion| {
            let templates = case.subject.claims.iter();
            templates.map(|template| same_volume(case, deletion, template)).collect::<Judged<Vec<_>>>()
        });
        opinion.prove(kept.iter().flatten().flat_map(|(_, evidence)| *evidence));
        let volumes: Vec<_> = kept.iter().flatten().map(|(text, _)| text.as_str()).collect();
        Ok(format!("each claim kept its volume: {}", volumes.join(", ")))
    })
}

/// The claim of a template with its volume, which are what they were before the deletion.
fn same_volume<'a>(case: &Case<'a>, deletion: &Deletion<'a>, template: &str) -> Judged<(String, [u64; 2])> {
    let (new, _) = case.successor(deletion)?;
    let (timeline, asked, end) = (case.timeline, deletion.asked.seq, deletion.until);
    let deleted = deletion.words();
    let claim = case.subject.claim(template, deletion.pod);
    let mut lives = timeline.pod_by_uid(deletion.uid).into_iter().chain([new]);
    if let Some(life) = lives.find(|life| !life.claims.contains(&claim)) {
        let reason = format!("{} (uid {}) does not mount its claim {claim}", life.name, short(&life.uid));
        return Err(Finding::fail(reason, [life.added.seq]));
    }
    if let Some(gap) = ["PersistentVolumeClaim", "PersistentVolume"].iter().find_map(|kind| case.gap(kind, asked, end))
    {
        return Err(gap);
    }
    let unseen = |what: &str| Finding::inconclusive(format!("{what} of {claim} was not seen"), [asked]);
    let old_claim = timeline.claim_at(&claim, asked).ok_or_else(|| unseen("the claim before the deletion"))?;
    let Some(new_claim) = timeline.claim_at(&claim, end) else {
        let reason = format!("the claim {claim} was gone after the {deleted} of {} (#{asked})", deletion.pod);
        return Err(Finding::fail(reason, [asked].into_iter().chain(old_claim.deleted.map(|mark| mark.seq))));
    };
    if old_claim.uid != new_claim.uid {
        let (was, is) = (short(&old_claim.uid), short(&new_claim.uid));
        let reason =
            format!("the claim {claim} had the uid {was} before the {deleted} of {} and {is} after it", deletion.pod);
        return Err(Finding::fail(reason, [old_claim.added.seq, asked, new_claim.added.seq]));
    }
    let old = timeline.volume_at(old_claim, asked).ok_or_else(|| unseen("the volume before the deletion"))?;
    let new = timeline.volume_at(new_claim, end).ok_or_else(|| unseen("the volume after the deletion"))?;
    if old.uid == new.uid {
        return Ok((format!("{claim} on {}{}", new.name, deletion.manner()), [old_claim.added.seq, asked]));
    }
    let owner = timeline.claims.iter().find(|other| {
        other.uid != new_claim.uid && timeline.volume_at(other, asked).is_some_and(|volume| volume.uid == new.uid)
    });
    let whose = owner.map_or(String::new(), |owner| format!(", which was the volume of {}", owner.name));
    let was = format!("{claim} was on {} before the {deleted} of {} (#{asked})", old.name, deletion.pod);
    let reason = format!("{was} and is on {} after it{whose}", new.name);
    Err(Finding::fail(reason, [old.added.seq, asked, new.added.seq]))
}

pub(super) const TEARDOWN_LEAVES_NOTHING: Check = Check {
    id: "persistence::teardown_leaves_nothing",
    statement: "After the teardown no object, volume, container or network of the run MUST remain.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#limitations and \
             https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/",
    explain: "\
Claims outlive their StatefulSet on purpose: whoever makes them must delete them, or every run leaves disks behind.
What remains is listed after everything was deleted, and, where the run made its cluster, again in the container engine
once that is deleted too: without both lists a run passes only in a cluster that somebody else made.
Usually wrong: a finalizer that nobody removes, a claim that a pod still mounts, or a PersistentVolume with the reclaim
policy Retain. The finding names what remains and what holds it.",
    scenarios: &["teardown"],
    minimum: &[Need::Acts],
    judge: teardown_leaves_nothing,
};

fn teardown_leaves_nothing(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let mut lists = vec![(SnapshotOf::LeftoverObjects, "object")];
        if made_its_cluster(case) || case.snapshot(SnapshotOf::LeftoverResources).is_some() {
            lists.push((SnapshotOf::LeftoverResources, "engine resource"));
        }
        for (of, _) in &lists {
            let listed = nothing_left(case, *of);
            opinion.weigh(listed).into_iter().for_each(|seq| opinion.prove([seq]));
        }
        let lists: Vec<_> = lists.iter().map(|(_, what)| *what).collect();
        Ok(format!("no {} remains", lists.join(" and no ")))
    })
}

/// The run's steps of this name.
fn run_steps<'a>(case: &Case<'a>, name: &str) -> impl Iterator<Item = Seen<'a, Step>> {
    case.steps().filter(move |step| step.scenario == "run" && step.name == name)
}

fn made_its_cluster(case: &Case<'_>) -> bool {
    run_steps(case, "create the cluster").any(|step| step.phase == Phase::End)
}

/// The record of a list of what remains, which is empty.
fn nothing_left(case: &Case<'_>, of: SnapshotOf) -> Judged<u64> {
    let Some(snapshot) = case.snapshot(of) else {
        return Err(match of {
            SnapshotOf::LeftoverResources => unlisted_cluster(case),
            _ => Finding::inconclusive("what remains after the teardown was not listed", []),
        });
    };
    let seq = snapshot.mark.seq;
    match serde_json::from_value::<Vec<Leftover>>(snapshot.value.clone()) {
        Ok(left) if left.is_empty() => Ok(seq),
        Ok(left) => {
            let reason = format!("after the teardown remain (#{seq}): {}", some_of(left.iter().map(described)));
            Err(Finding::fail(reason, [seq]))
        }
        Err(error) => Err(Finding::inconclusive(format!("the list at #{seq} cannot be read: {error}"), [seq])),
    }
}

/// Why nobody knows what remains of the cluster that the run made.
fn unlisted_cluster(case: &Case<'_>) -> Finding {
    let Some(last) = run_steps(case, "delete the cluster").last() else {
        return Finding::inconclusive("the cluster that the run made was not deleted", []);
    };
    let seq = last.mark.seq;
    let why =
        if let Phase::Failed(why) = &last.it.phase { format!(": its deletion failed: {why}") } else { String::new() };
    let reason = format!("what remains of the cluster that the run made was not listed{why} (#{seq})");
    Finding::inconclusive(reason, [seq])
}

fn described(left: &Leftover) -> String {
    let held = left.held_by.as_ref().map_or(String::new(), |holder| format!(" (held by {holder})"));
    format!("{} {}{held}", left.kind, left.name)
}
