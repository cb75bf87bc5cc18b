//! Claims: which are kept and which are deleted when pods are scaled away and when the set is deleted.

mod policy;
mod survive;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use crate::Finding;
use crate::assessment::{Assessment, Judged};
use crate::case::{Acted, Case, is_after, is_before};
use crate::evidence::{Act, Applied, ClaimLife, Mark, SnapshotOf, Subject};
use crate::words::{short, some_of};

pub(crate) use policy::CLAIM_POLICY_IS_HONOURED;
pub(crate) use survive::CLAIMS_SURVIVE_SCALE_DOWN;

const KIND: &str = "PersistentVolumeClaim";

/// A stretch of the log, and its description to follow a verb: `after the scale-down was asked for (#7)`.
struct Stretch {
    within: RangeInclusive<u64>,
    when: String,
}

impl Stretch {
    /// Checks that a claim neither begins to terminate nor is gone in this stretch.
    fn keeps(&self, claim: &ClaimLife) -> Judged<()> {
        let (told, gone) = (claim.deleting.map(|mark| mark.seq), claim.deleted.map(|mark| mark.seq));
        let inside = |seq: &u64| self.within.contains(seq);
        let going = told.filter(|seq| inside(seq) && gone != Some(*seq)).map(|seq| ("being deleted", seq));
        let went = gone.filter(inside).map(|seq| ("DELETED", seq));
        if let Some((what, seq)) = going.or(went) {
            let reason = format!("{} was {what} at #{seq}, {}", named(claim), self.when);
            return Err(Finding::fail(reason, [seq, *self.within.start()]));
        }
        self.begins_with(claim)
    }

    /// Checks that a claim was not terminating before this stretch.
    fn begins_with(&self, claim: &ClaimLife) -> Judged<()> {
        let start = *self.within.start();
        let Some(Mark { seq: told, .. }) = claim.deleting.filter(is_before(start)) else { return Ok(()) };
        let reason = format!("{} was already being deleted (#{told}) before #{start}", named(claim));
        Err(Finding::inconclusive(reason, [told, start]))
    }

    /// The inconclusive finding if the claims' history has a harmful gap in this stretch.
    fn unbroken(&self, case: &Case<'_>) -> Judged<()> {
        case.gap(KIND, *self.within.start(), *self.within.end()).map_or(Ok(()), Err)
    }
}

/// A claim, for people.
fn named(claim: &ClaimLife) -> String {
    format!("the claim {} (uid {})", claim.name, short(&claim.uid))
}

/// Skips a check if the set has no claim templates. Other checks judge what is lost without claims.
fn has_templates(subject: &Subject) -> Judged<()> {
    if subject.claims.is_empty() {
        let reason = format!("the StatefulSet {} has no volumeClaimTemplates, so it has no claims", subject.set);
        return Err(Finding::skipped(reason));
    }
    Ok(())
}

/// The names of a pod's claims, one for each template.
fn claims_of<'a>(subject: &'a Subject, pod: &'a str) -> impl Iterator<Item = String> + 'a {
    subject.claims.iter().map(move |template| subject.claim(template, pod))
}

/// Whether a claim of this name belongs to the set, whatever the ordinal.
pub(super) fn is_of_set(subject: &Subject, name: &str) -> bool {
    let pod = |template: &String| name.strip_prefix(template.as_str())?.strip_prefix('-');
    subject.claims.iter().filter_map(pod).any(|pod| subject.ordinal_of(pod).is_some())
}

/// The claims of the set that existed at some time of a stretch.
fn claims_in<'a>(case: &Case<'a>, within: &RangeInclusive<u64>) -> impl Iterator<Item = &'a ClaimLife> {
    let (subject, from, to) = (case.subject, *within.start(), *within.end());
    let there = move |claim: &&ClaimLife| claim.added.seq <= to && claim.deleted.is_none_or(|gone| gone.seq >= from);
    case.timeline.claims.iter().filter(|claim| is_of_set(subject, &claim.name)).filter(there)
}

/// The claim of this name that existed at that record; inconclusive if there was none.
fn claim_before<'a>(case: &Case<'a>, name: &str, seq: u64) -> Judged<&'a ClaimLife> {
    let not_seen = || Finding::inconclusive(format!("the claim {name} did not exist before #{seq}"), [seq]);
    case.timeline.claim_at(name, seq).ok_or_else(not_seen)
}

/// The next act after which claims may be deleted, or the log's last record.
fn until_claims_may_go(case: &Case<'_>, seq: u64) -> u64 {
    let frees = |act: &Act| matches!(act, Act::SetClaimPolicy { .. } | Act::Teardown | Act::DeleteClaims);
    let next = case.faults_since(seq).find(|fault| frees(&fault.act));
    next.map_or(case.timeline.last_seq, |next| next.mark.seq)
}

/// The inconclusive finding about an act without proof, with the unmet wait for it if there is one.
fn unproved(case: &Case<'_>, acted: &Acted<'_>, what: &str) -> Finding {
    let asked = acted.asked.seq;
    match case.unmet_wait(asked, case.next_fault(asked)) {
        Some(wait) => Finding::inconclusive(format!("{what} (#{asked}): {wait}"), [asked, wait.mark.seq]),
        None => Finding::inconclusive(format!("{what} (#{asked})"), [asked]),
    }
}

/// The time from the set's deletion to the deletion of the remaining claims.
struct Teardown<'a> {
    stretch: Stretch,
    /// The claims that the set had made and that existed when its deletion was asked for.
    claims: Vec<&'a ClaimLife>,
}

impl<'a> Teardown<'a> {
    /// The teardown; `None` if the run had none.
    fn of(case: &Case<'a>) -> Option<Judged<Self>> {
        let asked = case.acts(|act| *act == Act::Teardown).first()?.asked.seq;
        let mut deleted = case.acts(|act| *act == Act::DeleteClaims).into_iter().map(|acted| acted.asked);
        let Some(Mark { seq: deleted, .. }) = deleted.find(is_after(asked)) else {
            let reason = format!("the teardown (#{asked}) did not reach the deletion of the claims");
            return Some(Err(Finding::inconclusive(reason, [asked])));
        };
        let within = asked..=deleted;
        let applied = applied_claims(case);
        let there = |claim: &&ClaimLife| claim.added.seq <= asked && !applied.contains(&claim.uid);
        let claims: Vec<_> = claims_in(case, &within).filter(there).collect();
        if claims.is_empty() {
            let reason = format!("no claim of the set existed when its deletion was requested (#{asked})");
            return Some(Err(Finding::inconclusive(reason, [asked])));
        }
        let when = format!("after the set's deletion was requested (#{asked})");
        Some(Ok(Self { stretch: Stretch { within, when }, claims }))
    }

    /// Judges each claim, and returns their names.
    fn weigh(
        &self,
        case: &Case<'a>,
        assessment: &mut Assessment,
        judge: impl Fn(&'a ClaimLife) -> Judged<()>,
    ) -> Judged<String> {
        for claim in &self.claims {
            assessment.check(judge(claim));
        }
        self.stretch.unbroken(case)?;
        assessment.cite([*self.stretch.within.start(), *self.stretch.within.end()]);
        Ok(some_of(self.claims.iter().map(|claim| &claim.name)))
    }
}

/// The UIDs of claims in the manifests: these are deleted together with the set.
fn applied_claims(case: &Case<'_>) -> Vec<String> {
    let applied = case.snapshot(SnapshotOf::Applied).map(|snapshot| snapshot.value.clone());
    let applied: Vec<Applied> = applied.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
    applied.into_iter().filter(|object| object.kind == KIND).map(|object| object.uid).collect()
}
