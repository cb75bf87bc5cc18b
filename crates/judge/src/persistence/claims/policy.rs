//! Whether exactly those claims are deleted that the policy deletes.

use std::ops::RangeInclusive;

use super::{KIND, Stretch, Teardown, claim_before, claims_in, claims_of, has_templates, named, unproved};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, Unmet, is_after};
use crate::evidence::{Act, ClaimLife, Mark, Retention, Run, Scenario};
use crate::expectation::claim_policy;
use crate::minimum::Need;
use crate::words::some_of;
use crate::{CaseFile, Check, Finding};

pub(crate) const CLAIM_POLICY_IS_HONOURED: Check = Check {
    id: "persistence::claim_policy_is_honoured",
    statement: "With whenScaled: Delete, exactly the claims of the pods that are scaled down MUST be deleted. With \
                whenDeleted: Delete, deleting the set MUST delete all of its claims.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention",
    explain: "\
This policy must free the disks of removed pods, and must never delete the disk of a pod that still exists.
The policy whenScaled is set to Delete, the set is scaled down by one pod, and the policy is set back. Judged from the
Claim watch: the claims of the removed pod, one for each volumeClaimTemplate, must be DELETED after the scale-down was
requested. No other claim of the set may be deleted or get a deletionTimestamp until the scenario ends.
If the manifests set whenDeleted: Delete, all claims must get a deletionTimestamp between the deletion of the set and
the moment when the harness deletes what is left. A claim that stays is a failure if the harness waited for it until the
timeout.
Kubernetes honours the policy by default from version 1.27 on; on older versions the check is skipped.
Common causes: the controller may not set finalizers on pods or claims (changed RBAC); the garbage collector does not
run; or nothing removes a finalizer on the claim.",
    scenarios: &[Scenario::Claims],
    minimum: &[Need::Acts],
    judge: claim_policy_is_honoured,
};

fn claim_policy_is_honoured(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_claim_policy(case.run)?;
        has_templates(case.subject)?;
        let mut texts = vec![scaled_away(case, assessment)];
        if case.subject.claim_policy.when_deleted == Retention::Delete {
            let teardown = Teardown::of(case).into_iter();
            texts.extend(teardown.map(|teardown| all_go(case, assessment, &teardown?)));
        }
        let texts: Vec<_> = texts.into_iter().filter_map(|text| assessment.check(text)).collect();
        Ok(texts.join("; "))
    })
}

/// Skips a check if the cluster does not honour the policy.
fn has_claim_policy(run: &Run) -> Judged<()> {
    let ruling = claim_policy(run);
    if ruling.holds {
        return Ok(());
    }
    Err(Finding::skipped(format!("the claims' policy is not honoured on this cluster: {}", ruling.why)))
}

/// The pods that were scaled away while the policy deleted their claims.
struct Released {
    /// When the policy was requested.
    freed: u64,
    /// When the pods were scaled away.
    asked: u64,
    /// The last record of the scenario, or the set's deletion.
    end: u64,
    away: Vec<String>,
}

fn released(case: &Case<'_>) -> Judged<Released> {
    let (begin, end) = case.span(Scenario::Claims);
    let delete = Act::SetClaimPolicy { when_scaled: Retention::Delete };
    let inside = |seq: u64| (begin..=end).contains(&seq);
    let Some(policy) = case.acts(|act| *act == delete).into_iter().find(|policy| inside(policy.asked.seq)) else {
        return Err(Finding::inconclusive("the claims' policy was never set to Delete", []));
    };
    let Some((proved, _)) = policy.proved else {
        return Err(unproved(case, &policy, "no event shows that the set's controller saw the policy Delete"));
    };
    let downs = case.acts(|act| matches!(act, Act::Scale { from, to } if to < from));
    let down = downs.iter().find(|down| is_after(proved.seq)(&down.asked) && inside(down.asked.seq));
    let Some((asked, Act::Scale { from, to })) = down.map(|down| (down.asked.seq, down.act)) else {
        return Err(Finding::inconclusive("no pod was scaled down while the policy was Delete", [proved.seq]));
    };
    let away = (*to..*from).map(|index| case.subject.nth(index)).collect();
    let torn_down = case.acts(|act| *act == Act::Teardown).first().map_or(end, |teardown| teardown.asked.seq);
    Ok(Released { freed: policy.asked.seq, asked, end: end.min(torn_down), away })
}

fn scaled_away(case: &Case<'_>, assessment: &mut Assessment) -> Judged<String> {
    let Released { freed, asked, end, away } = released(case)?;
    let before = Stretch { within: freed..=asked, when: format!("before the scale-down was requested (#{asked})") };
    let (mut going, mut gone) = (Vec::new(), Vec::new());
    for (pod, claim) in away.iter().flat_map(|pod| claims_of(case.subject, pod).map(move |claim| (pod, claim))) {
        let Some(life) = assessment.check(claim_before(case, &claim, freed)) else { continue };
        going.push(life.uid.as_str());
        let went = before.keeps(life).and_then(|()| went(case, life, pod, &(asked..=end)));
        gone.extend(assessment.check(went).map(|seq| (claim, seq)));
    }
    let when = format!("while only the claims that {} had at #{asked} had to be deleted", away.join(", "));
    let stretch = Stretch { within: freed..=end, when };
    for life in claims_in(case, &stretch.within).filter(|life| !going.contains(&life.uid.as_str())) {
        assessment.check(stretch.keeps(life));
    }
    let stay = case.subject.pods().filter(|pod| !away.contains(pod)).collect::<Vec<_>>();
    let stay: Vec<_> = stay.iter().flat_map(|pod| claims_of(case.subject, pod)).collect();
    for claim in &stay {
        assessment.check(claim_before(case, claim, freed));
    }
    stretch.unbroken(case)?;
    assessment.cite([freed, asked].into_iter().chain(gone.iter().map(|(_, seq)| *seq)));
    let gone = some_of(gone.iter().map(|(claim, seq)| format!("{claim} (DELETED at #{seq})")));
    let stayed = if stay.is_empty() { "there were no others".to_owned() } else { format!("{} stayed", some_of(stay)) };
    Ok(format!("the claims of {} were deleted: {gone}; {stayed}", away.join(", ")))
}

/// The record that shows a claim gone after its pod was scaled away.
fn went(case: &Case<'_>, claim: &ClaimLife, pod: &str, within: &RangeInclusive<u64>) -> Judged<u64> {
    let inside = |mark: &Mark| within.contains(&mark.seq);
    if let Some(gone) = claim.deleted.filter(inside) {
        return Ok(gone.seq);
    }
    let (asked, end) = (*within.start(), *within.end());
    if let Some(gap) = case.gap(KIND, asked, end) {
        return Err(gap);
    }
    let Some(left) = case.timeline.pod_at(pod, asked).and_then(|life| life.deleted).filter(inside) else {
        return Err(Finding::inconclusive(
            format!("{pod} was not seen to be gone after the scale-down (#{asked})"),
            [asked],
        ));
    };
    let told = claim.deleting.filter(inside).map(|mark| format!(" was being deleted at #{}, but", mark.seq));
    let reason =
        format!("{}{} still existed after {pod} was gone (#{})", named(claim), told.unwrap_or_default(), left.seq);
    Err(in_vain(case, claim, reason, left.seq, end))
}

/// The finding about a claim that was not deleted as it must: a failure if the harness waited for that, otherwise
/// inconclusive.
fn in_vain(case: &Case<'_>, claim: &ClaimLife, reason: String, from: u64, to: u64) -> Finding {
    let names_it = |wait: &Unmet<'_>| {
        let mut words = wait.what.split_whitespace().chain(wait.last_seen.split_whitespace());
        words.any(|word| word.trim_end_matches(',') == claim.name)
    };
    match case.unmet_waits(from, to).find(names_it) {
        Some(wait) => wait.blame(format!("{reason}: {wait}"), [from, wait.mark.seq]),
        None => Finding::inconclusive(format!("{reason}, and the harness did not wait for its deletion"), [from]),
    }
}

fn all_go(case: &Case<'_>, assessment: &mut Assessment, teardown: &Teardown<'_>) -> Judged<String> {
    let gone = teardown.weigh(case, assessment, |claim| is_told_to_go(case, claim, &teardown.stretch))?;
    Ok(format!("the set's deletion deleted {gone}"))
}

fn is_told_to_go(case: &Case<'_>, claim: &ClaimLife, stretch: &Stretch) -> Judged<()> {
    stretch.begins_with(claim)?;
    let (asked, end) = (*stretch.within.start(), *stretch.within.end());
    if claim.deleting.is_some_and(|mark| mark.seq <= end) {
        return Ok(());
    }
    stretch.unbroken(case)?;
    let reason = format!("{} was not deleted {}", named(claim), stretch.when);
    Err(in_vain(case, claim, reason, asked, end))
}
