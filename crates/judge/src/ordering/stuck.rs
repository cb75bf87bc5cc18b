//! The recovery from an update that cannot start.

use super::left_open;
use super::updates::{Update, newest, revision_of, told_to_go, updatable, updates};
use crate::assessment::{Judged, judged};
use crate::case::{Case, is_after};
use crate::evidence::{Act, Mark, PodLife, Scenario};
use crate::minimum::Need;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const STUCK_ROLLOUT_RECOVERS: Check = Check {
    id: "ordering::stuck_rollout_recovers",
    statement: "A rollout MUST stop at a pod that cannot start. After the template is reverted and that pod is \
                deleted, all pods MUST be Ready again at the previous revision.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback",
    explain: "\
A bad image must cost one replica and not the whole set, and there must be a way back without data loss.
The template gets an image that no kubelet can start. The last pod is stuck with it, and meanwhile no other pod may be
deleted. Then the template is reverted, and the stuck pod is deleted unless the controller has already replaced it. It
must be recreated. In the end all pods must be Ready at the revision that they had before the first change, and the set
must be at that revision again. The kubelet reports an invalid image name because of the harness, so that is no excuse
for a failure.
Common causes: something else also writes the template, so the reverted template does not last; a volume or a Secret has
changed, so the pods are not as before; or a finalizer keeps the stuck pod.",
    scenarios: &[Scenario::Roll],
    minimum: &[Need::Acts],
    judge: stuck_rollout_recovers,
};

/// The kubelet's reason for the image that the harness puts into the template.
const OWN_TROUBLE: &str = "InvalidImageName";

fn stuck_rollout_recovers(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        updatable(case)?;
        let updates = updates(case);
        let find = |act: Act, what: &str| {
            let found = updates.iter().find(|update| *update.act == act);
            found.ok_or_else(|| Finding::inconclusive(format!("the template was not {what}"), []))
        };
        let broken = find(Act::BreakTemplate, "broken")?;
        let old = revision_before(case, updates.first().unwrap_or(broken))?;
        let stuck = stuck_pod(case, broken, old)?;
        let asked = broken.asked.seq;
        let told = told_to_go(case, asked, broken.holds);
        for told in told.iter().filter(|told| told.life.name != stuck.name && !told.by_harness) {
            let (name, at) = (&told.life.name, told.at.seq);
            let reason = format!("{name} was deleted at #{at} while {} could not start (#{asked})", stuck.name);
            assessment.reject(case.gap("Pod", asked, at).unwrap_or(Finding::fail(reason, [at, asked])));
        }
        let reverted = find(Act::RevertTemplate, "reverted")?;
        if let Some(gap) = case.gap("Pod", asked, reverted.until()) {
            return Err(gap);
        }
        // Lower pods wait for higher ones, so the highest pod that is wrong is at fault.
        for ordinal in case.subject.ordinals().rev() {
            assessment.cite([ended(case, reverted, &case.subject.pod(ordinal), old)?.seq]);
        }
        let told = set_is_back(case, reverted, old)?;
        assessment.cite([stuck.added.seq, told.seq]);
        let how = how_it_went(case, stuck, reverted);
        let halted = format!("{} was stuck from #{} and no other pod was deleted", stuck.name, stuck.added.seq);
        Ok(format!("{halted}; it {how}, and all pods ended Ready at {old}, as before"))
    })
}

/// The revision of the pods before the first change: that of the last pod.
fn revision_before<'a>(case: &Case<'a>, first: &Update<'_>) -> Judged<&'a str> {
    let (pod, asked) = (last_pod(case), first.asked.seq);
    let life = newest(case, &pod, asked).filter(|life| life.alive_at(asked));
    life.map_or_else(
        || Err(Finding::inconclusive(format!("{pod} did not exist before the first change (#{asked})"), [asked])),
        revision_of,
    )
}

fn last_pod(case: &Case<'_>) -> String {
    case.subject.nth(case.subject.replicas - 1)
}

/// The pod that could not start with the broken template.
fn stuck_pod<'a>(case: &Case<'a>, broken: &Update<'_>, old: &str) -> Judged<&'a PodLife> {
    let (pod, asked) = (last_pod(case), broken.asked.seq);
    let stuck = newest(case, &pod, broken.until()).filter(|life| is_after(asked)(&life.added));
    let Some(stuck) = stuck.filter(|_| broken.proved.is_some()) else {
        let reason = format!("{pod} was not seen to be stuck with the template that was broken at #{asked}");
        return Err(left_open(case, reason, asked, broken.until()));
    };
    if revision_of(stuck)? == old {
        let reason = format!("{pod} came back at {old} (#{}) though the template was broken", stuck.added.seq);
        return Err(Finding::inconclusive(reason, [stuck.added.seq]));
    }
    match stuck.first_ready().filter(|ready| ready.seq <= broken.holds) {
        Some(ready) => {
            let reason = format!("{pod} became Ready at #{}: the broken template could start", ready.seq);
            Err(Finding::inconclusive(reason, [ready.seq]))
        }
        None => Ok(stuck),
    }
}

/// Since when a pod is Ready at the old revision after the template was reverted.
fn ended(case: &Case<'_>, reverted: &Update<'_>, pod: &str, old: &str) -> Judged<Mark> {
    let (asked, until) = (reverted.asked.seq, reverted.until());
    let Some(life) = newest(case, pod, until).filter(|life| life.alive_at(until) && !life.deleting_at(until)) else {
        let reason = format!("{pod} did not exist after the template was reverted (#{asked})");
        return Err(not_back(case, reverted, reason));
    };
    let (revision, added) = (revision_of(life)?, life.added.seq);
    if revision != old {
        let reason =
            format!("{pod} (#{added}) has {revision} after the template was reverted (#{asked}), and not {old}");
        return Err(match reverted.proved {
            Some(_) => Finding::fail(reason, [added, asked]),
            None => not_back(case, reverted, reason),
        });
    }
    let ready = life.ready.iter().rfind(|change| change.since.seq <= until).filter(|change| change.value);
    ready.map(|change| change.since).ok_or_else(|| {
        let reason = format!("{pod} (#{added}) was not Ready with {old} after the template was reverted (#{asked})");
        not_back(case, reverted, reason)
    })
}

/// The record that shows the set itself at the old revision.
fn set_is_back(case: &Case<'_>, reverted: &Update<'_>, old: &str) -> Judged<Mark> {
    let (asked, until) = (reverted.asked.seq, reverted.until());
    if let Some(gap) = case.gap("StatefulSet", asked, until) {
        return Err(gap);
    }
    let set = &case.subject.set;
    let Some((mark, state)) = case.set_states(asked, until).next_back() else {
        return Err(not_back(case, reverted, format!("StatefulSet {set} was not seen to be reverted (#{asked})")));
    };
    let told = format!("StatefulSet {set}, reverted at #{asked}, has the update revision {}", state.update_revision);
    if state.update_revision != old {
        let reason = format!("{told} (#{}), and not {old}", mark.seq);
        return Err(match reverted.proved {
            Some(_) => Finding::fail(reason, [mark.seq, asked]),
            None => not_back(case, reverted, reason),
        });
    }
    match reverted.proved {
        Some(_) => Ok(mark),
        None => Err(not_back(case, reverted, format!("{told} (#{}), but the rollout did not end", mark.seq))),
    }
}

/// The finding about a revert that was not seen to complete: a failure if the harness waited for that.
fn not_back(case: &Case<'_>, reverted: &Update<'_>, reason: String) -> Finding {
    let asked = reverted.asked.seq;
    match case.unmet_wait(asked, reverted.until()) {
        Some(wait) => wait.blame_beside(Some(OWN_TROUBLE), format!("{reason}: {wait}"), [asked, wait.mark.seq]),
        None => Finding::inconclusive(reason, [asked]),
    }
}

/// How the stuck pod made room for its successor.
fn how_it_went(case: &Case<'_>, stuck: &PodLife, reverted: &Update<'_>) -> String {
    let mut told = told_to_go(case, stuck.added.seq, reverted.until()).into_iter();
    match told.find(|told| told.life.uid == stuck.uid) {
        Some(told) if told.by_harness => format!("was deleted once the template was reverted (#{})", told.at.seq),
        Some(told) => format!("was deleted by the controller (#{}), which recovered on its own", told.at.seq),
        None => "was replaced".to_owned(),
    }
}
