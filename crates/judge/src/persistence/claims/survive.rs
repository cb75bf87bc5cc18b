//! Whether claims that must be kept are kept.

use super::{Stretch, Teardown, claim_before, claims_of, has_templates, unproved, until_claims_may_go};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Acted, Case, ScaleDown, is_after};
use crate::evidence::{Act, Retention, Scenario};
use crate::minimum::Need;
use crate::words::{short, some_of};
use crate::{CaseFile, Check, Finding};

pub(crate) const CLAIMS_SURVIVE_SCALE_DOWN: Check = Check {
    id: "persistence::claims_survive_scale_down",
    statement: "With the policy Retain, the claims of pods that are scaled down MUST stay, recreated pods MUST mount \
                the same claims by UID, and deleting the set MUST NOT delete its claims.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention",
    explain: "\
Scaling down overnight must not delete data. An empty replica can copy its data again; an empty primary has lost it.
Judged from the watches of claims and pods. From the scale-down until the end of the scale-up, no claim of a removed pod
may get a deletionTimestamp or be DELETED, and the recreated pod must mount the same claims, by UID. From the deletion
of the set until the harness deletes the claims, no claim of the set may get a deletionTimestamp.
Each part is judged only where persistentVolumeClaimRetentionPolicy in the manifests is Retain, the default: whenScaled
for the first part, whenDeleted for the second. The second part needs a teardown in the run.
Common causes: somebody changed the policy on the cluster; an operator or a script deletes claims that no pod mounts; or
the claims have an owner that is deleted.",
    scenarios: &[Scenario::Scale],
    minimum: &[Need::Acts],
    judge: claims_survive_scale_down,
};

fn claims_survive_scale_down(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_templates(case.subject)?;
        let policy = case.subject.claim_policy;
        let (mut texts, mut besides) = (Vec::new(), Vec::new());
        match policy.when_scaled {
            Retention::Delete => besides.push("whenScaled is Delete"),
            Retention::Retain if case.subject.replicas < 2 => besides.push("the set has one pod, which stays"),
            Retention::Retain => texts.push(across_scaling(case, assessment)),
        }
        match Teardown::of(case) {
            _ if policy.when_deleted == Retention::Delete => besides.push("whenDeleted is Delete"),
            None => besides.push("the set was not deleted"),
            Some(teardown) => texts.push(teardown.and_then(|teardown| after_deletion(case, assessment, &teardown))),
        }
        if texts.is_empty() {
            return Err(Finding::skipped(besides.join(", and ")));
        }
        let texts: Vec<_> = texts.into_iter().filter_map(|text| assessment.check(text)).collect();
        Ok(texts.join("; "))
    })
}

fn after_deletion(case: &Case<'_>, assessment: &mut Assessment, teardown: &Teardown<'_>) -> Judged<String> {
    let kept = teardown.weigh(case, assessment, |claim| teardown.stretch.keeps(claim))?;
    Ok(format!("the set's deletion left {kept}"))
}

fn across_scaling(case: &Case<'_>, assessment: &mut Assessment) -> Judged<String> {
    let down = case.scale_down().ok_or_else(|| Finding::inconclusive("the set was not scaled down", []))?;
    let limit = until_claims_may_go(case, down.asked);
    let up = case.acts(|act| matches!(act, Act::Scale { from, to } if from < to && *from == down.to));
    let up = up.into_iter().find(|up| (down.asked..=limit).contains(&up.asked.seq));
    let ended = up.as_ref().and_then(|up| up.proved).map(|(mark, _)| mark.seq).filter(|seq| *seq <= limit);
    let within = down.asked..=ended.unwrap_or(limit);
    let when = format!("after the scale-down to {} was requested (#{})", down.to, down.asked);
    let stretch = Stretch { within, when };
    let away: Vec<String> = (down.to..down.from).map(|index| case.subject.nth(index)).collect();
    let mut kept = Vec::new();
    for claim in away.iter().flat_map(|pod| claims_of(case.subject, pod)) {
        let stayed = claim_before(case, &claim, down.asked).and_then(|life| stretch.keeps(life));
        kept.extend(assessment.check(stayed).map(|()| claim));
    }
    stretch.unbroken(case)?;
    let Some(up) = up else { return Err(Finding::inconclusive("the set was not scaled up again", [down.asked])) };
    let Some(end) = ended else { return Err(unproved(case, &up, "the set was not seen to be scaled up")) };
    for pod in &away {
        let mounted = came_back(case, &down, &up, end, pod, &kept);
        assessment.check(mounted).into_iter().for_each(|seq| assessment.cite([seq]));
    }
    assessment.cite([down.asked, end]);
    Ok(format!("scaled to {} and back with the same claims: {}", down.to, some_of(kept)))
}

/// Checks that a pod that was scaled away came back with the kept claims, by UID. Returns the record that shows the
/// pod.
fn came_back(case: &Case<'_>, down: &ScaleDown, up: &Acted<'_>, end: u64, pod: &str, kept: &[String]) -> Judged<u64> {
    let life = case.timeline.pod_at(pod, end).filter(|life| is_after(up.asked.seq)(&life.added));
    let Some(life) = life else {
        let doubt =
            Finding::inconclusive(format!("{pod} was not seen to come back after the scale-up"), [up.asked.seq]);
        return Err(case.gap("Pod", up.asked.seq, end).unwrap_or(doubt));
    };
    let added = life.added.seq;
    for claim in claims_of(case.subject, pod).filter(|claim| kept.contains(claim)) {
        if !life.claims.contains(&claim) {
            let reason = format!("{pod} (uid {}) came back without its claim {claim} (#{added})", short(&life.uid));
            return Err(Finding::fail(reason, [added]));
        }
        let (old, new) = (claim_before(case, &claim, down.asked)?, claim_before(case, &claim, end)?);
        if old.uid != new.uid {
            let (was, is) = (&old.uid, &new.uid);
            let reason =
                format!("the claim {claim} had the uid {was} before the scale-down and {is} after the scale-up");
            return Err(Finding::fail(reason, [old.added.seq, down.asked, new.added.seq]));
        }
    }
    Ok(added)
}
