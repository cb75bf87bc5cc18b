//! What a pod that is not Ready must hold up, and what it must not.

use super::{WATCHED_US, left_open};
use crate::assessment::{Judged, judged};
use crate::case::{Acted, Case, is_after, is_before};
use crate::evidence::{Act, Mark, PodLife, Scenario};
use crate::minimum::Need;
use crate::words::seconds;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub(crate) const HALTS_WHILE_PREDECESSOR_UNREADY: Check = Check {
    id: "ordering::halts_while_predecessor_unready",
    statement: "Scaling up MUST stop while a predecessor is not Ready, and MUST continue once it is Ready again.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees",
    explain: "\
A replica that starts while its source is down has no source to follow, so the controller must wait as long as needed.
The set is scaled to one pod. That pod is held unready by an image that cannot start, and the set is scaled up again. No
later pod may be ADDED in the Pod watch until the held pod is Ready again. Then the pod is released, and the next pod
must be created.
The absence of new pods is proved only for the time that was watched. That time starts with the StatefulSet event whose
observedGeneration shows that the controller has seen the new size. The reason states the time; less than 0.8 s is too
short. The check is inconclusive if the held pod was Ready in between or if the watch has a gap.
With podManagementPolicy Parallel no pod has to wait, and the check is skipped unless `--expect ordered-ready` demands
it.
Common causes: podManagementPolicy is Parallel, so no pod waits for another.",
    scenarios: &[Scenario::Scale],
    minimum: &[Need::Acts],
    judge: halts_while_predecessor_unready,
};

fn halts_while_predecessor_unready(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        case.in_order()?;
        if case.subject.replicas == 1 {
            return Err(Finding::skipped("the set has one pod: no pod comes after it"));
        }
        let held = held(case, Scenario::Scale)?;
        let (pod, since) = (&held.life.name, held.since.seq);
        for life in later(case, &held).filter(|life| (since..held.ends(case)).contains(&life.added.seq)) {
            let at = life.added.seq;
            let reason = format!("{} was ADDED at #{at} while {pod} was held unready (since #{since})", life.name);
            assessment.reject(case.gap("Pod", since, at).unwrap_or(Finding::fail(reason, [at, since])));
        }
        let (seen, to) = size_seen(case, &held)?;
        let ready = ready_again(case, &held)?;
        let next = went_on(case, &held, ready)?;
        assessment.cite([since, seen.seq, ready.seq, next.added.seq]);
        let watched = case.lasted(seen, ready).least_us;
        let bound = seconds(watched);
        let halted =
            format!("{pod} was unready for {bound} after the controller had seen {to} replicas (#{})", seen.seq);
        if watched < WATCHED_US {
            let reason = format!("{halted}: too short to prove that no pod is created");
            return Err(Finding::inconclusive(reason, [seen.seq, ready.seq]));
        }
        let went_on = format!("{} was created at #{}, after Ready at #{}", next.name, next.added.seq, ready.seq);
        Ok(format!("{halted} and no pod was ADDED in that time; {went_on}"))
    })
}

/// A pod that the harness holds unready.
pub(super) struct Held<'a> {
    pub life: &'a PodLife,
    /// When the hold was proved.
    pub since: Mark,
    /// When the pod was Ready again.
    ready: Option<Mark>,
    /// When the release was asked for.
    pub released: Option<Mark>,
}

impl Held<'_> {
    /// The record that ends its being unready.
    pub(super) fn ends(&self, case: &Case<'_>) -> u64 {
        self.ready.or(self.life.deleted).map_or(case.timeline.last_seq + 1, |mark| mark.seq)
    }

    /// The record by which an act at `asked` must have taken effect while the pod is held.
    fn until(&self, case: &Case<'_>, asked: u64) -> u64 {
        self.released.map_or_else(|| case.next_fault(asked), |released| released.seq)
    }
}

/// The pod that is held in a scenario.
pub(super) fn held<'a>(case: &Case<'a>, scenario: Scenario) -> Judged<Held<'a>> {
    let hold = acted(case, scenario, 0, |act| matches!(act, Act::Hold { .. }));
    let Some(Acted { act: Act::Hold { pod, uid }, asked, proved }) = hold else {
        return Err(Finding::inconclusive(format!("no pod was held unready in the scenario {scenario}"), []));
    };
    let (asked, (_, end)) = (asked.seq, case.span(scenario));
    let Some((since, _)) = proved else {
        return Err(left_open(case, format!("{pod} was not seen to be unready (#{asked})"), asked, end));
    };
    let Some(life) = case.timeline.pod_by_uid(uid).filter(|life| !life.ready_at(since.seq)) else {
        let reason = format!("{pod} was to be held unready (#{asked}), but was Ready at #{}", since.seq);
        return Err(Finding::inconclusive(reason, [asked, since.seq]));
    };
    let ready = life.ready.iter().filter(|change| change.value).map(|change| change.since).find(is_after(since.seq));
    let release = acted(case, scenario, since.seq, |act| matches!(act, Act::Release { uid: held, .. } if held == uid));
    Ok(Held { life, since, ready, released: release.map(|release| release.asked) })
}

/// The first act of a kind that was asked for in a scenario after a record.
fn acted<'a>(case: &Case<'a>, scenario: Scenario, after: u64, wanted: impl Fn(&Act) -> bool) -> Option<Acted<'a>> {
    let (begin, end) = case.span(scenario);
    let mut acts = case.acts(wanted).into_iter();
    acts.find(|acted| (begin.max(after)..=end).contains(&acted.asked.seq))
}

/// Pods after the held one in order that were seen to be created.
fn later<'a>(case: &Case<'a>, held: &Held<'a>) -> impl Iterator<Item = &'a PodLife> {
    let (subject, index) = (case.subject, case.subject.index_of(&held.life.name));
    let created = case.timeline.pods.iter().filter(|life| life.seen_created);
    created.filter(move |life| subject.index_of(&life.name) > index)
}

/// The record that shows that the controller has observed the new number of replicas, and that number. It must come
/// before the release of the held pod is asked for.
fn size_seen(case: &Case<'_>, held: &Held<'_>) -> Judged<(Mark, u32)> {
    let (pod, since) = (&held.life.name, held.since.seq);
    let Some(released) = held.released else {
        return Err(left_open(case, format!("{pod}, held since #{since}, was not released"), since, held.ends(case)));
    };
    let up = acted(case, Scenario::Scale, since, |act| matches!(act, Act::Scale { from, to } if to > from));
    let Some(Acted { act: Act::Scale { to, .. }, asked, .. }) = up else {
        let reason = format!("the set was not scaled up while {pod} was held (#{since}–#{})", released.seq);
        return Err(Finding::inconclusive(reason, [since, released.seq]));
    };
    if let Some(gap) = case.gap("StatefulSet", asked.seq, released.seq) {
        return Err(gap);
    }
    let seen = case
        .set_states(asked.seq, released.seq)
        .find(|(_, set)| set.observed_generation == set.generation && set.replicas == i64::from(*to) && !set.deleted);
    seen.map(|(mark, _)| (mark, *to)).ok_or_else(|| {
        let reason = format!("no event shows that the controller saw {to} replicas while {pod} was held");
        left_open(case, format!("{reason} (#{}–#{})", asked.seq, released.seq), asked.seq, released.seq)
    })
}

/// When the held pod was Ready again; inconclusive if that was before its release.
fn ready_again(case: &Case<'_>, held: &Held<'_>) -> Judged<Mark> {
    let (pod, since) = (&held.life.name, held.since.seq);
    if let Some(gap) = case.gap("Pod", since, held.ends(case)) {
        return Err(gap);
    }
    match held.ready {
        Some(ready) if held.released.filter(is_before(ready.seq)).is_some() => Ok(ready),
        Some(ready) => {
            let reason = format!("{pod} was held since #{since}, but was Ready at #{} before its release", ready.seq);
            Err(Finding::inconclusive(reason, [since, ready.seq]))
        }
        None => {
            let reason = format!("{pod}, held since #{since}, was not Ready again ({})", held.life.summary);
            Err(left_open(case, reason, since, case.timeline.last_seq))
        }
    }
}

/// The pod that was created once the held one was Ready again.
fn went_on<'a>(case: &Case<'a>, held: &Held<'a>, ready: Mark) -> Judged<&'a PodLife> {
    let until = case.next_fault(ready.seq);
    let mut next = later(case, held).filter(|life| (ready.seq..until).contains(&life.added.seq));
    if let Some(life) = next.next() {
        return Ok(life);
    }
    if let Some(gap) = case.gap("Pod", ready.seq, until) {
        return Err(gap);
    }
    let reason = format!("no pod was ADDED after {} was Ready again (#{})", held.life.name, ready.seq);
    Err(match case.unmet_wait(ready.seq, until) {
        Some(wait) => wait.blame(format!("{reason}: {wait}"), [ready.seq, wait.mark.seq]),
        None => Finding::inconclusive(reason, [ready.seq]),
    })
}

pub(crate) const NO_DEADLOCK_ON_FAILED_PREDECESSOR: Check = Check {
    id: "ordering::no_deadlock_on_failed_predecessor",
    statement: "A pod that is deleted while a later pod is not Ready MUST be recreated without waiting for the later \
                pod.",
    source: "https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/#statefulset-considerations",
    explain: "\
Replicas that lost their primary are not Ready until it is back. A controller that waits for them would wait forever.
The second pod is held unready by an image that cannot start. Meanwhile the first pod is deleted without a grace period.
It must be Ready again, under a new UID, before the held pod is released. The Pod watch must show that the held pod was
not Ready all this time. If it was Ready in between, nothing is proved.
Common causes: the first pod cannot start while its replica is down, because its start script or its probe queries the
replica; or its volume is still attached for the pod that was killed.",
    scenarios: &[Scenario::Unready],
    minimum: &[Need::Acts],
    judge: no_deadlock_on_failed_predecessor,
};

fn no_deadlock_on_failed_predecessor(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        if case.subject.replicas == 1 {
            return Err(Finding::skipped("the set has one pod: no pod comes after it"));
        }
        let held = held(case, Scenario::Unready)?;
        let (name, since, index) = (&held.life.name, held.since.seq, case.subject.index_of(&held.life.name));
        let before = |act: &Act| matches!(act, Act::DeletePod { pod, .. } if case.subject.index_of(pod) < index);
        let deletion = acted(case, Scenario::Unready, since, before);
        let Some(Acted { act: Act::DeletePod { pod, .. }, asked, proved }) = deletion else {
            return Err(Finding::inconclusive(format!("no pod before {name} was deleted while it was held"), [since]));
        };
        if proved.is_none() {
            let reason = format!("{pod} was not seen to be gone after its deletion (#{})", asked.seq);
            return Err(left_open(case, reason, asked.seq, held.until(case, asked.seq)));
        }
        let (life, ready) = came_back(case, &held, pod, asked.seq)?;
        if let Some(gap) = case.gap("Pod", since, ready.seq) {
            return Err(gap);
        }
        let (added, ends) = (life.added.seq, held.ends(case));
        if !(since..ends).contains(&ready.seq) {
            let reason = format!("{name} was held only until #{ends}, before {pod} was Ready (#{})", ready.seq);
            return Err(Finding::inconclusive(reason, [since, ends]));
        }
        assessment.cite([since, asked.seq, added, ready.seq]);
        let took = seconds(ready.at_us.saturating_sub(asked.at_us));
        let came = format!("{pod}, deleted at #{}, came back at #{added} and was Ready at #{}", asked.seq, ready.seq);
        Ok(format!("{came}, after {took}, while {name} was unready (since #{since})"))
    })
}

/// The pod that replaced the deleted one, and when it was Ready, before the release of the held one.
fn came_back<'a>(case: &Case<'a>, held: &Held<'a>, pod: &'a str, asked: u64) -> Judged<(&'a PodLife, Mark)> {
    let until = held.until(case, asked);
    let lives = case.timeline.pods.coming(pod, asked, until);
    let mut ready = lives.filter_map(|life| Some((life, life.first_ready().filter(is_before(until))?)));
    if let Some(found) = ready.next() {
        return Ok(found);
    }
    if let Some(gap) = case.gap("Pod", asked, until) {
        return Err(gap);
    }
    let reason = format!("{pod} did not come back after its deletion (#{asked}) while {} was held", held.life.name);
    // The harness itself causes the image trouble of the held pod, so only a wait for the deleted pod counts.
    Err(match case.unmet_wait(asked, until) {
        Some(wait) if wait.what.starts_with(&format!("{pod} ")) => {
            wait.blame(format!("{reason}: {wait}"), [asked, wait.mark.seq])
        }
        _ => left_open(case, reason, asked, until),
    })
}
