//! Whether anything outlives the run.

use super::claims::is_of_set;
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, Seen};
use crate::evidence::{Act, EventType, Leftover, Mark, Phase, Scenario, SnapshotOf, Step};
use crate::minimum::Need;
use crate::object::text;
use crate::words::some_of;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

/// How late a watch may report an object that was there before a list was taken, in microseconds.
const LATE_US: u64 = 10_000_000;

pub(crate) const TEARDOWN_LEAVES_NOTHING: Check = Check {
    id: "persistence::teardown_leaves_nothing",
    statement: "After the teardown no object, volume, container, network or disk of the run MUST remain.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#limitations and \
             https://kubernetes.io/docs/concepts/overview/working-with-objects/finalizers/",
    explain: "\
A StatefulSet leaves its claims behind by design. If nobody deletes them, each run leaves disks behind.
After everything was deleted, claims last, what remains on the cluster is listed. If the run created its own cluster,
the container engine is also listed after the cluster is deleted. Without both lists, a run passes only on a cluster
that it did not create. The watches must agree: the set and each pod, claim and volume that is not listed must have been
seen to disappear.
Common causes: nothing removes a finalizer; a pod still mounts a claim; or a PersistentVolume has the reclaim policy
Retain. The finding names what remains and what holds it.",
    scenarios: &[Scenario::Teardown],
    minimum: &[Need::Acts],
    judge: teardown_leaves_nothing,
};

fn teardown_leaves_nothing(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let mut lists = vec!["object"];
        let objects = torn_down(case).and_then(|after| listed(case, SnapshotOf::LeftoverObjects, after));
        if let Some(list) = assessment.check(objects) {
            assessment.check(list.is_empty());
            assessment.cite([list.mark.seq]);
            seen_to_go(case, assessment, &list);
        }
        if made_its_cluster(case) {
            lists.push("engine resource");
            let resources = unmade(case).and_then(|after| listed(case, SnapshotOf::LeftoverResources, after));
            if let Some(list) = assessment.check(resources) {
                assessment.check(list.is_empty());
                assessment.cite([list.mark.seq]);
            }
        }
        Ok(format!("no {} remains", lists.join(" and no ")))
    })
}

/// The run's steps of this name.
fn run_steps<'a>(case: &Case<'a>, name: &str) -> impl Iterator<Item = Seen<'a, Step>> {
    case.steps().filter(move |step| step.scenario.is_none() && step.name == name)
}

/// Whether the run made its own cluster: such a cluster has the run's name, is created and deleted, and is listed at
/// the end.
fn made_its_cluster(case: &Case<'_>) -> bool {
    let named = case.run.cluster.starts_with(&format!("kind cluster {} ", case.run.run_id));
    let steps = ["create the cluster", "delete the cluster"];
    named
        || steps.iter().any(|name| run_steps(case, name).next().is_some())
        || case.snapshot(SnapshotOf::LeftoverResources).is_some()
}

/// The record after which the objects must be listed: the deletion of the claims, which comes last.
fn torn_down(case: &Case<'_>) -> Judged<u64> {
    let asked = |act: &Act| case.acts(|it| it == act).last().map(|acted| acted.asked.seq);
    let Some(teardown) = asked(&Act::Teardown) else {
        return Err(Finding::inconclusive("no teardown of the workload was recorded", []));
    };
    let Some(claims) = asked(&Act::DeleteClaims) else {
        let reason = format!("the teardown (#{teardown}) did not reach the deletion of the claims");
        return Err(Finding::inconclusive(reason, [teardown]));
    };
    Ok(teardown.max(claims))
}

/// The record after which the engine's resources must be listed: the end of the cluster's deletion.
fn unmade(case: &Case<'_>) -> Judged<u64> {
    let Some(last) = run_steps(case, "delete the cluster").last() else {
        return Err(Finding::inconclusive("the cluster that the run created was not deleted", []));
    };
    let (seq, listed) = (last.mark.seq, case.snapshot(SnapshotOf::LeftoverResources).is_some());
    let reason = match &last.it.phase {
        Phase::Failed(_) | Phase::End if listed => return Ok(seq),
        Phase::Begin if listed => format!("the deletion of the cluster that the run created did not end (#{seq})"),
        phase => {
            let why =
                if let Phase::Failed(why) = phase { format!(": its deletion failed: {why}") } else { String::new() };
            format!("the remains of the cluster that the run created were not listed{why} (#{seq})")
        }
    };
    Err(Finding::inconclusive(reason, [seq]))
}

/// What was listed after everything was deleted.
struct List {
    mark: Mark,
    left: Vec<Leftover>,
}

/// The last list of this kind, which must come after a record.
fn listed(case: &Case<'_>, of: SnapshotOf, after: u64) -> Judged<List> {
    let unlisted = || Finding::inconclusive("the remains after the teardown were not listed", []);
    let snapshot = case.snapshot(of).ok_or_else(unlisted)?;
    let (mark, seq) = (snapshot.mark, snapshot.mark.seq);
    if seq < after {
        let reason = format!("the remains were listed (#{seq}) before everything was deleted (#{after})");
        return Err(Finding::inconclusive(reason, [seq, after]));
    }
    match serde_json::from_value(snapshot.value.clone()) {
        Ok(left) => Ok(List { mark, left }),
        Err(error) => Err(Finding::inconclusive(format!("the list at #{seq} cannot be read: {error}"), [seq])),
    }
}

impl List {
    fn is_empty(&self) -> Judged<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        let (seq, left) = (self.mark.seq, some_of(self.left.iter().map(described)));
        Err(Finding::fail(format!("left after the teardown (#{seq}): {left}"), [seq]))
    }

    fn names(&self, kind: &str, name: &str) -> bool {
        self.left.iter().any(|left| left.kind == kind && left.name == name)
    }
}

fn described(left: &Leftover) -> String {
    let held = left.held_by.as_ref().map_or(String::new(), |holder| format!(" (held by {holder})"));
    format!("{} {}{held}", left.kind, left.name)
}

/// Rejects all objects of the set that the list lacks although the watches did not see them go.
fn seen_to_go(case: &Case<'_>, assessment: &mut Assessment, list: &List) {
    let (timeline, subject) = (case.timeline, case.subject);
    let claims: Vec<_> = timeline.claims.iter().filter(|claim| is_of_set(subject, &claim.name)).collect();
    let bound = |name: &str| claims.iter().any(|claim| claim.volume.iter().any(|change| change.value == name));
    let set = timeline.set.iter().filter(|set| !set.deleted).map(|set| ("StatefulSet", &subject.set, &set.uid, 0));
    let pods = timeline.pods.iter().filter(|pod| pod.deleted.is_none());
    let pods = pods.map(|pod| ("Pod", &pod.name, &pod.uid, pod.added.seq));
    let volumes = timeline.volumes.iter().filter(|volume| volume.deleted.is_none() && bound(&volume.name));
    let volumes = volumes.map(|volume| ("PersistentVolume", &volume.name, &volume.uid, volume.added.seq));
    let claims = claims.iter().filter(|claim| claim.deleted.is_none());
    let claims = claims.map(|claim| ("PersistentVolumeClaim", &claim.name, &claim.uid, claim.added.seq));
    let service = case.service_at_last().filter(|service| service.event != EventType::Deleted);
    let service_uid = service.and_then(|it| text(&it.it.object, "/metadata/uid")).unwrap_or_default().to_owned();
    let service = service.map(|_| ("Service", &subject.service, &service_uid, 0));
    for (kind, name, uid, since) in set.chain(pods).chain(claims).chain(volumes).chain(service) {
        if list.names(kind, name) || case.gap(kind, since, timeline.last_seq).is_some() {
            continue;
        }
        let seq = list.mark.seq;
        let late = case.events(kind, seq, u64::MAX).find(|event| {
            let is_it = text(&event.it.object, "/metadata/uid") == Some(uid) && event.it.event != EventType::Deleted;
            is_it && case.lasted(list.mark, event.mark).least_us > LATE_US
        });
        assessment.reject(match late {
            Some(late) => {
                let reason = format!("{kind} {name} still existed (#{}) after the teardown (#{seq})", late.mark.seq);
                Finding::fail(reason, [late.mark.seq, seq])
            }
            None => {
                Finding::inconclusive(format!("{kind} {name} was not seen to be gone before the list (#{seq})"), [seq])
            }
        });
    }
}
