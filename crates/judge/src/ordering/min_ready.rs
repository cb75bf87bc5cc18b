//! How long a pod must be Ready before the next one may follow.

use jiff::Timestamp;
use serde_json::Value;

use super::is_news;
use super::updates::{told_to_go, updates};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, is_before, out_of_time};
use crate::evidence::{Mark, PodLife, Scenario};
use crate::expectation::{max_unavailable, min_ready_seconds, parallel_min_ready_seconds};
use crate::minimum::Need;
use crate::object::{items, number, text};
use crate::words::seconds;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const WAITS_FOR_MIN_READY_SECONDS: Check = Check {
    id: "ordering::waits_for_min_ready_seconds",
    statement: "A pod MUST NOT be created, or deleted for an update, before the pods that it waits for have been Ready \
                for minReadySeconds.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#minimum-ready-seconds",
    explain: "\
A server that has just become Ready may crash under its first load. The wait limits the damage to one pod.
Judged by the times in the log. When a pod is ADDED, each lower pod must have been Ready for minReadySeconds; this holds
at the start, at a scale-up and at any other time. In an update, the same holds for each higher pod at the
deletionTimestamp of the next pod. The controller counts from lastTransitionTime, which has whole seconds, so 1.5 s too
early is allowed. Earlier than that in the log is a violation, unless the objects' own times contradict it. Then the log
was late and the check is inconclusive, as it also is if a pod lost Ready for a moment.
Pods that are not Ready at all belong to other checks. With podManagementPolicy Parallel only updates wait. Where
maxUnavailable is above 1, no update is judged.
Common causes: no manifest can cause this. Look for a second tool that deletes pods.",
    scenarios: &[Scenario::Deploy, Scenario::Scale, Scenario::Roll],
    minimum: &[Need::Acts],
    judge: waits_for_min_ready_seconds,
};

/// How much too early the next pod may follow, in microseconds: a second for the resolution of the condition's time,
/// and half a second for the watch.
const FORGIVEN_US: u64 = 1_500_000;

fn waits_for_min_ready_seconds(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let wanted = case.subject.min_ready_seconds;
        if wanted == 0 {
            return Err(Finding::skipped("minReadySeconds is 0: pods wait only for Ready"));
        }
        if case.subject.replicas == 1 {
            return Err(Finding::skipped("the set has one pod: no pod waits for it"));
        }
        let honoured = min_ready_seconds(case.run);
        if !honoured.holds {
            return Err(Finding::skipped(format!("minReadySeconds is not honoured: {}", honoured.why)));
        }
        let mut parts = Vec::new();
        if !case.is_parallel() {
            parts.push(("created", created(case)));
        }
        if updates_wait(case) {
            parts.push(("deleted", updated(case)));
        }
        if parts.is_empty() {
            return Err(Finding::skipped("neither creations nor updates have to wait for it"));
        }
        let mut told = Vec::new();
        for (what, turns) in parts {
            if turns.is_empty() {
                assessment
                    .reject(Finding::inconclusive(format!("no pod was {what} after another pod had become Ready"), []));
            }
            let waited = turns.iter().filter_map(|turn| assessment.check(turn.judged(case, wanted)));
            let waited: Vec<u64> = waited.collect();
            let shortest = waited.iter().min().copied().unwrap_or(0);
            told.push(format!("{} were {what}, the soonest after {}", waited.len(), seconds(shortest)));
            prove(assessment, &turns);
        }
        if let Some(gap) = case.gap("Pod", 0, case.timeline.last_seq) {
            return Err(gap);
        }
        Ok(format!("minReadySeconds is {wanted}; of the pods, {}", told.join("; ")))
    })
}

fn prove(assessment: &mut Assessment, turns: &[Turn<'_>]) {
    assessment.cite(turns.iter().flat_map(|turn| [turn.ready.seq, turn.at.seq]));
}

/// Whether updates must wait for minReadySeconds, one pod at a time.
fn updates_wait(case: &Case<'_>) -> bool {
    let several = case.subject.max_unavailable > 1 && max_unavailable(case.run).holds;
    let honoured = !case.is_parallel() || parallel_min_ready_seconds(case.run).holds;
    let next = case.subject.replicas.saturating_sub(case.subject.partition) > 1;
    case.subject.is_updatable() && honoured && next && !several
}

/// A pod that is created or deleted after another one became Ready.
struct Turn<'a> {
    /// What happened, such as `mysql-1 was ADDED`.
    what: String,
    /// When it happened.
    at: Mark,
    /// When the API server got the request, by its own clock.
    asked: Option<Timestamp>,
    /// The pod that became Ready last before it.
    before: &'a PodLife,
    /// When that pod became Ready.
    ready: Mark,
}

/// Among the serving pods of these indexes at a record, the one that became Ready last.
fn latest<'a>(case: &Case<'a>, indexes: impl Iterator<Item = u32>, at: u64) -> Option<(&'a PodLife, Mark)> {
    let serving = indexes.filter_map(|index| {
        let life = case.timeline.pod_at(&case.subject.nth(index), at).filter(|life| life.serving_at(at))?;
        let turned = life.ready.iter().rfind(|change| change.since.seq <= at)?;
        Some((life, turned.since))
    });
    serving.max_by_key(|(_, ready)| *ready)
}

/// Every creation of a pod while pods before it in order serve.
fn created<'a>(case: &Case<'a>) -> Vec<Turn<'a>> {
    let created = case.timeline.pods.iter().filter(|life| life.seen_created);
    let turns = created.filter_map(|life| {
        let (index, at) = (case.subject.index_of(&life.name)?, life.added);
        let (before, ready) = latest(case, 0..index.min(case.subject.replicas), at.seq)?;
        let asked = case.event_at(at.seq).and_then(|event| time(&event.object, "/metadata/creationTimestamp"));
        Some(Turn { what: format!("{} was ADDED", life.name), at, asked, before, ready })
    });
    turns.collect()
}

/// Every deletion of a pod by an update while pods above it serve.
fn updated<'a>(case: &Case<'a>) -> Vec<Turn<'a>> {
    let mut turns = Vec::new();
    for update in updates(case) {
        let told = told_to_go(case, update.asked.seq, update.until()).into_iter();
        // An update may replace an unready pod at any time.
        let by_controller = told.filter(|told| !told.by_harness && told.index >= update.partition);
        for told in by_controller.filter(|told| told.life.ready_at(told.at.seq)) {
            let above = told.index.saturating_add(1)..case.subject.replicas;
            let Some((before, ready)) = latest(case, above, told.at.seq) else { continue };
            let asked = case.event_at(told.at.seq).and_then(|event| told_at(&event.object));
            let what = format!("{} was deleted", told.life.name);
            turns.push(Turn { what, at: told.at, asked, before, ready });
        }
    }
    turns
}

impl Turn<'_> {
    /// Judges how long the other pod had been Ready, and returns that in microseconds.
    fn judged(&self, case: &Case<'_>, wanted: u32) -> Judged<u64> {
        let Self { what, at, before, ready, .. } = self;
        if let Some(gap) = case.gap("Pod", ready.seq, at.seq) {
            return Err(gap);
        }
        let (lasted, wanted_us) = (case.lasted(*ready, *at), u64::from(wanted) * 1_000_000);
        let (waited, enough_us) = (lasted.least_us, wanted_us.saturating_sub(FORGIVEN_US));
        if waited >= enough_us {
            return Ok(waited);
        }
        if lasted.most_us >= enough_us {
            let what = format!("how long {} had been Ready when {what}", before.name);
            return Err(out_of_time(&what, lasted.doubt, [at.seq, ready.seq]));
        }
        let since = format!("{}, Ready since #{}", before.name, ready.seq);
        let reason =
            format!("{what} at #{}, when {since}, had been Ready for {} of {wanted} s", at.seq, seconds(waited));
        let marks = [at.seq, ready.seq];
        if self.had_flapped(case) {
            return Err(Finding::inconclusive(format!("race: {reason} after a moment in which it was not"), marks));
        }
        if self.objects_say(case).is_some_and(|said| said + 1 >= i64::from(wanted)) {
            return Err(Finding::inconclusive(format!("{reason}, but the objects' own times contradict this"), marks));
        }
        Err(Finding::fail(reason, marks))
    }

    /// Whether the other pod had been Ready before, and the controller may have missed that it was unready for a while.
    fn had_flapped(&self, case: &Case<'_>) -> bool {
        let earlier = self.before.ready.iter().filter(|change| is_before(self.ready.seq)(&change.since));
        let (mut was_ready, mut lost) = (false, None);
        for change in earlier {
            lost = (was_ready && !change.value).then_some(change.since).or(lost);
            was_ready |= change.value;
        }
        lost.is_some_and(|lost| is_news(case, lost, self.at))
    }

    /// How many seconds the other pod had been Ready by the condition's time and the API server's.
    fn objects_say(&self, case: &Case<'_>) -> Option<i64> {
        let mut conditions = items(&case.event_at(self.ready.seq)?.object, "/status/conditions");
        let ready = conditions.find(|condition| text(condition, "/type") == Some("Ready"))?;
        Some(self.asked?.as_second() - time(ready, "/lastTransitionTime")?.as_second())
    }
}

fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer)?.parse().ok()
}

/// When the deletion of a pod was requested: its deletionTimestamp is later by the grace period.
fn told_at(pod: &Value) -> Option<Timestamp> {
    let grace = number(pod, "/metadata/deletionGracePeriodSeconds");
    time(pod, "/metadata/deletionTimestamp")?.checked_sub(jiff::SignedDuration::from_secs(grace)).ok()
}
