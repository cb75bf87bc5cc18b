//! Whether the successive pods of a name have the same volume.

use std::collections::BTreeMap;

use super::claims::is_of_set;
use crate::assessment::{Judged, judged};
use crate::case::{Case, Return, Scenes, out_of_time};
use crate::evidence::{ClaimLife, Mark, PodLife, Scenario, VolumeLife};
use crate::minimum::Need;
use crate::words::{short, some_of, times};
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const SAME_VOLUME_RETURNS: Check = Check {
    id: "persistence::same_volume_returns",
    statement: "After a pod is deleted, its claim and its volume MUST have the same UIDs as before, and MUST NOT be \
                those of another ordinal.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage",
    explain: "\
A replica that starts with an empty volume fetches the rows again, so rows alone do not prove that its volume came back.
Once the source is lost, so is the data.
Judged from the watches of pods, claims and volumes. Each pod must mount the claim of each volumeClaimTemplate. The UIDs
of the claim and of its bound volume must be those of the previous pod of that name, no matter what removed that pod:
the harness, the controller, a drain or an update. No volume may be DELETED while it is bound to a claim of the set that
is not being deleted. Claims that the policy deletes with their pod (whenScaled: Delete) may be replaced once.
Common causes: the set has no volumeClaimTemplates; or something deletes the claim together with its pod.",
    scenarios: &[Scenario::Restart],
    minimum: &[Need::Acts],
    judge: same_volume_returns,
};

/// How far two watches may be apart, in microseconds.
const BEHIND_US: u64 = 2_000_000;

fn same_volume_returns(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        if case.subject.claims.is_empty() {
            let reason = format!("the StatefulSet {} has no volumeClaimTemplates: nothing persists", case.subject.set);
            return Err(Finding::fail(reason, []));
        }
        let deleted = case.weigh_deletions(assessment, |deletion| Ok((deletion.proved, case.successor(deletion)?)));
        assessment.cite(deleted.iter().map(|(proved, _)| proved.seq));
        let (scenes, mut kept) = (case.scenes(), BTreeMap::new());
        for (life, template) in case.shown_pods().flat_map(|life| case.subject.claims.iter().map(move |it| (life, it)))
        {
            assessment.check(mounts(case, life, template));
        }
        for it in case.returns().iter().filter(|it| !it.renewed) {
            for template in &case.subject.claims {
                let claim = case.subject.claim(template, &it.new.name);
                let Some(volume) = assessment.check(same_volume(case, &scenes, it, &claim)) else { continue };
                *kept.entry((claim, volume)).or_insert(0_usize) += 1;
            }
        }
        for volume in &case.timeline.volumes {
            assessment.check(outlives_its_claims(case, &scenes, volume));
        }
        for claim in case.timeline.claims.iter().filter(|claim| is_of_set(case.subject, &claim.name)) {
            assessment.check(outlives_its_pod(case, &scenes, claim));
        }
        let volumes =
            kept.iter().map(|((claim, volume), count)| format!("{claim} on {volume} (back {})", times(*count)));
        Ok(format!("each claim kept its volume: {}", some_of(volumes)))
    })
}

/// Checks that a pod mounts its claim of a template.
fn mounts(case: &Case<'_>, life: &PodLife, template: &str) -> Judged<()> {
    let claim = case.subject.claim(template, &life.name);
    if life.claims.contains(&claim) {
        return Ok(());
    }
    let reason = format!("{} (uid {}) does not mount its claim {claim}", life.name, short(&life.uid));
    Err(Finding::fail(reason, [life.added.seq]))
}

/// The volume of a claim, which must be the same as for the pod before.
fn same_volume<'a>(case: &Case<'a>, scenes: &Scenes, it: &Return<'a>, claim: &str) -> Judged<&'a str> {
    let (pod, before, after) = (&it.new.name, it.before, it.after);
    let going = format!("{pod} was gone{} (#{before})", scenes.words(before));
    if let Some(gap) = case.storage_gap(before, after) {
        return Err(gap);
    }
    let not_seen = |what: &str| Finding::inconclusive(format!("{what} of {claim} was not seen"), [before]);
    let old = case.bound(claim, before).ok_or_else(|| not_seen(&format!("the claim before {going}")))?;
    let Some(new) = case.bound(claim, after) else {
        let reason = format!("the claim {claim} was gone after {going}");
        return Err(Finding::fail(reason, [before].into_iter().chain(old.claim.deleted.map(|mark| mark.seq))));
    };
    if old.claim.uid != new.claim.uid {
        let (was, is) = (short(&old.claim.uid), short(&new.claim.uid));
        let reason = format!("the claim {claim} had the uid {was} before {going} and {is} after it");
        return Err(Finding::fail(reason, [old.claim.added.seq, before, new.claim.added.seq]));
    }
    let was = old.volume.ok_or_else(|| not_seen(&format!("the volume before {going}")))?;
    let is = new.volume.ok_or_else(|| not_seen(&format!("the volume after {going}")))?;
    if was.uid == is.uid {
        return Ok(&is.name);
    }
    let owner = case.timeline.claims.iter().find(|other| {
        let volume = case.timeline.volume_at(other, before);
        other.uid != new.claim.uid && volume.is_some_and(|volume| volume.uid == is.uid)
    });
    let whose = owner.map_or(String::new(), |owner| format!(", which was the volume of {}", owner.name));
    let reason =
        format!("{claim} was bound to {} before {going} and is bound to {} after it{whose}", was.name, is.name);
    Err(Finding::fail(reason, [was.added.seq, before, is.added.seq]))
}

/// Checks that a claim was not deleted while a pod that mounts it existed and was not terminating.
fn outlives_its_pod(case: &Case<'_>, scenes: &Scenes, claim: &ClaimLife) -> Judged<()> {
    let Some(gone) = claim.deleted else { return Ok(()) };
    let seq = gone.seq;
    // Claims and pods are reported by two watches, one of which may lag.
    let after = |mark: Mark| mark.at_us > gone.at_us.saturating_add(BEHIND_US);
    let mounts = |life: &&PodLife| {
        let before = life.added.at_us.saturating_add(BEHIND_US) < gone.at_us;
        // A pod that is gone was terminating by then at the latest.
        let stays = life.deleting.is_none_or(after);
        life.claims.contains(&claim.name) && before && stays
    };
    let Some(life) = case.timeline.pods.iter().find(mounts) else { return Ok(()) };
    let reason = format!(
        "the claim {} was DELETED{} (#{seq}) while {} (uid {}) used it",
        claim.name,
        scenes.words(seq),
        life.name,
        short(&life.uid)
    );
    if let Some(doubt) = case.clocks.lasted(gone.at_us, gone.at_us).doubt {
        return Err(out_of_time("which came first", Some(doubt), [seq, life.added.seq]));
    }
    Err(case.gap("Pod", life.added.seq, seq).unwrap_or_else(|| Finding::fail(reason, [seq, life.added.seq])))
}

/// Checks that a volume was not deleted while a claim of the set was bound to it and was not terminating.
fn outlives_its_claims(case: &Case<'_>, scenes: &Scenes, volume: &VolumeLife) -> Judged<()> {
    let Some(gone) = volume.deleted else { return Ok(()) };
    let seq = gone.seq;
    let holder = case.timeline.claims.iter().find(|claim| {
        let there = claim.added.seq < seq && claim.going().is_none_or(|going| going.seq > seq);
        there && is_of_set(case.subject, &claim.name) && claim.volume_at(seq) == Some(volume.name.as_str())
    });
    let Some(claim) = holder else { return Ok(()) };
    let when = scenes.words(seq);
    let reason =
        format!("the volume {} was DELETED{when} (#{seq}) while the claim {} was bound to it", volume.name, claim.name);
    Err(case.storage_gap(claim.added.seq, seq).unwrap_or_else(|| Finding::fail(reason, [seq, claim.added.seq])))
}
