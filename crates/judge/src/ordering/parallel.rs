//! What replaces the order of pods if they need not wait for one another.

use super::halts::held;
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, is_after, is_before};
use crate::evidence::{Act, Expect, Mark, PodLife, PodManagement, Scenario};
use crate::minimum::Need;
use crate::words::seconds;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const PARALLEL_PODS_DO_NOT_WAIT: Check = Check {
    id: "ordering::parallel_pods_do_not_wait",
    statement: "With podManagementPolicy Parallel, pods MUST be created and deleted without waiting for one another.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#parallel-pod-management",
    explain: "\
Users choose Parallel so that the set starts even if one of its pods is stuck. A controller that waits breaks that.
Judged from the Pod watch. In the scenario deploy each pod must be ADDED, and at least one of them while another pod is
not Ready yet. When the set is scaled up while a pod is held unready, the other pods must still be created. Deletions
must not wait until other pods are gone. Deleted pods must be recreated.
A pod has waited if no pod was created for half a second although it could have been, and it is then created within one
second after another pod became Ready. If this happens once, it may be chance and is inconclusive; twice is a violation.
A controller that is slow for another reason is no violation.
Updates work as with OrderedReady and are judged by the checks for updates. The checks for order are skipped.
Common causes: no manifest can cause this. Look at the controller, or at a webhook that delays new pods.",
    scenarios: &[Scenario::Deploy, Scenario::Scale],
    minimum: &[Need::Acts],
    judge: parallel_pods_do_not_wait,
};

/// How long no pod must have been created or deleted for the controller to have stood still, in microseconds.
const STILL_US: u64 = 500_000;

/// How soon a controller that waited continues, in microseconds.
const AT_ONCE_US: u64 = 1_000_000;

fn parallel_pods_do_not_wait(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        if case.subject.pod_management == PodManagement::OrderedReady {
            return Err(Finding::skipped("podManagementPolicy is OrderedReady: pods have to wait for one another"));
        }
        if case.run.expect.contains(&Expect::OrderedReady) {
            return Err(Finding::skipped("the run demands that pods come in order (`--expect ordered-ready`)"));
        }
        if case.subject.replicas == 1 {
            return Err(Finding::skipped("the set has one pod: there is no other pod to wait for"));
        }
        if let Some(gap) = case.gap("Pod", 0, case.timeline.last_seq) {
            return Err(gap);
        }
        all_asked_for(case, assessment);
        came_beside_held(case, assessment);
        came_back(case, assessment);
        let (creations, ready) = (creations(case), became_ready(case));
        let mut waits: Vec<Wait> = creations.iter().filter_map(|creation| creation.waited(case, &ready)).collect();
        waits.extend(departures(case, assessment));
        assessment.cite(creations.iter().map(|creation| creation.at.seq));
        for finding in weighed(&waits) {
            assessment.reject(finding);
        }
        Ok(format!("{} pods were created, and surplus pods deleted, without waiting", creations.len()))
    })
}

/// A pod that was created or deleted just after the event that a waiting controller would wait for.
struct Wait {
    what: String,
    at: Mark,
    after: Mark,
    /// Whether it followed immediately after a standstill; otherwise it may have been late for any reason.
    at_once: bool,
}

/// The findings about all waits together: a single one may be chance.
fn weighed(waits: &[Wait]) -> Vec<Finding> {
    let sure = waits.iter().filter(|wait| wait.at_once).count() > 1;
    let findings = waits.iter().map(|wait| {
        let took = seconds(wait.at.at_us.saturating_sub(wait.after.at_us));
        let reason = format!("{} at #{}, {took} later (#{})", wait.what, wait.at.seq, wait.after.seq);
        let marks = [wait.at.seq, wait.after.seq];
        if wait.at_once && sure { Finding::fail(reason, marks) } else { Finding::inconclusive(reason, marks) }
    });
    findings.collect()
}

/// Events in order: when, and the pod's name.
type Events<'a> = Vec<(Mark, &'a str)>;

/// If a pod was late: the last event of another pod that a waiting controller would have waited for, and whether the
/// pod followed it immediately after a standstill. From `from` on nothing stood in the pod's way.
fn late(case: &Case<'_>, name: &str, (from, at): (Mark, Mark), events: &Events<'_>) -> Option<(Mark, bool)> {
    if case.lasted(from, at).most_us <= STILL_US {
        return None;
    }
    let passed = events.partition_point(|(mark, _)| *mark < at);
    let since = events[..passed].iter().rev().take_while(|(mark, _)| *mark > from);
    let (last, _) = since.into_iter().find(|(_, other)| *other != name)?;
    let stood_still = case.lasted(from, *last).least_us >= STILL_US;
    Some((*last, stood_still && case.lasted(*last, at).most_us <= AT_ONCE_US))
}

/// When each pod became Ready.
fn became_ready<'a>(case: &Case<'a>) -> Events<'a> {
    let mut events = Vec::new();
    for life in &case.timeline.pods {
        let ready = life.ready.iter().filter(|change| change.value);
        events.extend(ready.map(|change| (change.since, life.name.as_str())));
    }
    events.sort();
    events
}

/// A creation of a pod.
struct Creation<'a> {
    life: &'a PodLife,
    at: Mark,
    /// The time from which it could have been created, and no other pod was.
    from: Mark,
}

impl Creation<'_> {
    /// The wait, if the creation waited for another pod to become Ready.
    fn waited(&self, case: &Case<'_>, ready: &Events<'_>) -> Option<Wait> {
        let name = &self.life.name;
        let (after, at_once) = late(case, name, (self.from, self.at), ready)?;
        let what = format!(
            "{name} could be created from #{} on, another pod became Ready, and {name} was created",
            self.from.seq
        );
        Some(Wait { what, at: self.at, after, at_once })
    }
}

/// All creations of pods that the set was to have.
fn creations<'a>(case: &Case<'a>) -> Vec<Creation<'a>> {
    let created: Vec<&PodLife> = case.timeline.pods.iter().filter(|life| life.seen_created).collect();
    let Some(first) = created.iter().map(|life| life.added).min() else { return Vec::new() };
    let scales = scales(case);
    let creations = created.iter().enumerate().filter_map(|(place, life)| {
        let wanted = wanted_since(case, &scales, life, first)?;
        let earlier = case.timeline.pods.coming(&life.name, 0, life.added.seq).filter_map(|other| other.deleted).max();
        let last = place.checked_sub(1).map(|place| created[place].added);
        let from = [Some(wanted), earlier, last].into_iter().flatten().max()?;
        Some(Creation { life, at: life.added, from })
    });
    creations.collect()
}

/// The numbers of replicas that the harness requested, each with its time.
fn scales(case: &Case<'_>) -> Vec<(Mark, u32)> {
    let acts = case.acts(|act| matches!(act, Act::Scale { .. }));
    let scale = |act: &Act| if let Act::Scale { to, .. } = act { Some(*to) } else { None };
    acts.iter().filter_map(|acted| Some((acted.asked, scale(acted.act)?))).collect()
}

/// Since when the set was to have this pod at its creation.
fn wanted_since(case: &Case<'_>, scales: &[(Mark, u32)], life: &PodLife, first: Mark) -> Option<Mark> {
    let index = case.subject.index_of(&life.name)?;
    let mut since = (index < case.subject.replicas).then_some(first);
    for (asked, to) in scales.iter().filter(|(asked, _)| *asked < life.added) {
        since = if index >= *to { None } else { since.or(Some(*asked)) };
    }
    since
}

/// Checks that every pod was created in the scenario deploy, at least one of them beside an unready one.
fn all_asked_for(case: &Case<'_>, assessment: &mut Assessment) {
    let (begin, end) = case.span(Scenario::Deploy);
    let mut beside = false;
    for pod in case.subject.pods() {
        let deployed = |life: &&PodLife| life.seen_created && (begin..=end).contains(&life.added.seq);
        match case.timeline.lives(&pod).find(deployed) {
            Some(life) => beside = beside || is_beside(case, life),
            None => assessment.reject(match case.unmet_wait(begin, end) {
                Some(wait) => wait.blame(format!("{pod} was not created: {wait}"), [wait.mark.seq]),
                None => Finding::inconclusive(format!("{pod} was not seen to be created"), []),
            }),
        }
    }
    if !beside {
        let reason = "in the scenario deploy each pod was created while all others were Ready, which proves nothing";
        assessment.reject(Finding::inconclusive(reason, []));
    }
}

/// Whether a pod was created while another one existed that was not Ready.
fn is_beside(case: &Case<'_>, life: &PodLife) -> bool {
    let at = life.added.seq;
    let waits = |other: &PodLife| other.uid != life.uid && other.alive_at(at) && !other.ready_at(at);
    case.timeline.pods.iter().any(waits)
}

/// Checks that every requested pod was created while one was held unready.
fn came_beside_held(case: &Case<'_>, assessment: &mut Assessment) {
    let Some(held) = assessment.check(held(case, Scenario::Scale)) else { return };
    let (since, ends) = (held.since.seq, held.ends(case));
    let until = held.released.map_or(ends, |released| released.seq);
    let up = scales(case).into_iter().find(|(asked, _)| (since..until).contains(&asked.seq));
    let Some((asked, to)) = up else {
        let reason = format!("the set was not scaled up while {} was held (#{since})", held.life.name);
        return assessment.reject(Finding::inconclusive(reason, [since]));
    };
    for name in (0..to.min(case.subject.replicas)).map(|index| case.subject.nth(index)) {
        let mut there =
            case.timeline.lives(&name).filter(|life| life.alive_at(asked.seq) || is_after(asked.seq)(&life.added));
        if there.any(|life| life.added.seq < ends) {
            continue;
        }
        let reason = format!("{name} was not created while {} was held unready (#{since}–#{ends})", held.life.name);
        assessment.reject(match case.unmet_wait(asked.seq, until) {
            Some(wait) => wait.blame(format!("{reason}: {wait}"), [asked.seq, wait.mark.seq]),
            None => Finding::inconclusive(reason, [asked.seq, ends]),
        });
    }
}

/// Checks that each pod that the harness deleted has a successor if one was awaited.
fn came_back(case: &Case<'_>, assessment: &mut Assessment) {
    for acted in case.acts(|act| matches!(act, Act::DeletePod { .. })) {
        let (Act::DeletePod { pod, uid, .. }, asked) = (acted.act, acted.asked.seq) else { continue };
        let Some(gone) = case.timeline.pod_by_uid(uid).and_then(|life| life.deleted) else { continue };
        let until = case.next_fault(asked);
        if case.timeline.pods.coming(pod, gone.seq, until).next().is_some() {
            continue;
        }
        if let Some(wait) = case.unmet_wait(gone.seq, until) {
            let reason = format!("{pod}, deleted at #{asked}, did not come back: {wait}");
            assessment.reject(wait.blame(reason, [asked, wait.mark.seq]));
        }
    }
}

/// The pods that had to go when the set was scaled down.
struct Surplus<'a> {
    asked: Mark,
    /// When each began to terminate.
    told: Events<'a>,
    /// When each was gone.
    gone: Events<'a>,
}

/// The waits of surplus pods for one another to be gone.
fn departures(case: &Case<'_>, assessment: &mut Assessment) -> Vec<Wait> {
    let Some(Surplus { asked, told, gone }) = assessment.check(surplus(case)) else { return Vec::new() };
    let none_between = |from: Mark, to: Mark| !gone.iter().any(|(gone, _)| (from..to).contains(gone));
    if told.len() > 1 && !told.windows(2).any(|pair| none_between(pair[0].0, pair[1].0)) {
        let reason = "each surplus pod was deleted when the next higher pod was gone, which proves nothing";
        assessment.reject(Finding::inconclusive(reason, [asked.seq]));
    }
    assessment.cite(told.iter().map(|(mark, _)| mark.seq));
    let waits = told.iter().enumerate().filter_map(|(place, (at, name))| {
        let from = place.checked_sub(1).map_or(asked, |place| told[place].0);
        let (after, at_once) = late(case, name, (from, *at), &gone)?;
        let what =
            format!("{name} could be deleted from #{} on, another pod was gone, and {name} was deleted", from.seq);
        Some(Wait { what, at: *at, after, at_once })
    });
    waits.collect()
}

fn surplus<'a>(case: &Case<'a>) -> Judged<Surplus<'a>> {
    let not_scaled = || Finding::inconclusive("the set was not scaled down", []);
    let scaled = case.scale_down().ok_or_else(not_scaled)?;
    let until = case.next_fault(scaled.asked);
    let (asked, _) = scales(case).into_iter().find(|(mark, _)| mark.seq == scaled.asked).ok_or_else(not_scaled)?;
    let (mut told, mut gone) = (Vec::new(), Vec::new());
    for index in (scaled.to..scaled.from).rev() {
        let name = case.subject.nth(index);
        let Some(life) = case.timeline.pod_at(&name, asked.seq) else {
            let reason = format!("{name} did not exist when the set was scaled down (#{})", asked.seq);
            return Err(Finding::inconclusive(reason, [asked.seq]));
        };
        let Some(at) = life.deleting.filter(is_before(until)) else {
            let reason = format!("{name} was not deleted when the set was scaled down (#{})", asked.seq);
            return Err(match case.unmet_wait(asked.seq, until) {
                Some(wait) => wait.blame(format!("{reason}: {wait}"), [asked.seq, wait.mark.seq]),
                None => Finding::inconclusive(reason, [asked.seq]),
            });
        };
        told.push((at, life.name.as_str()));
        gone.extend(life.deleted.filter(is_before(until)).map(|mark| (mark, life.name.as_str())));
    }
    told.sort();
    gone.sort();
    Ok(Surplus { asked, told, gone })
}
