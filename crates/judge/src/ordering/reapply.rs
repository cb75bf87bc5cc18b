//! Applying the manifests twice.

use std::ops::Range;

use super::updates::told_to_go;
use super::{WATCHED_US, left_open};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, is_after};
use crate::evidence::{Act, Applied, Mark, Scenario, SnapshotOf};
use crate::minimum::Need;
use crate::words::{seconds, short, some_of};
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const REAPPLY_CHANGES_NOTHING: Check = Check {
    id: "ordering::reapply_changes_nothing",
    statement: "Applying the same manifests twice MUST NOT change the UID or the generation of any object, and MUST \
                NOT replace a pod.",
    source: "https://kubernetes.io/docs/reference/using-api/server-side-apply/ and \
             https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/ (generation)",
    explain: "\
People who deploy from a repository apply the same manifests every day. This must never restart the database.
The manifests are applied again once all pods are Ready. The API server's answers are compared object by object: the UID
must be the same, and so must the generation, which counts changes of the spec. After that, for a while, no pod may be
deleted or ADDED, and the StatefulSet's events must show the same generation. The reason states how long that was
watched; less than 0.8 s is too short.
Common causes: a manifest contains a value that changes each time, such as a date in an annotation of the pod template
or a random part of a name; or a controller or a webhook writes a field that the manifest also sets.",
    scenarios: &[Scenario::Deploy],
    minimum: &[Need::Acts],
    judge: reapply_changes_nothing,
};

fn reapply_changes_nothing(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let acts = case.acts(|act| *act == Act::Reapply);
        let Some(again) = acts.first() else {
            return Err(Finding::inconclusive("the manifests were not applied a second time", []));
        };
        let asked = again.asked;
        let (first, second) = answers(case, asked)?;
        let same: Vec<_> =
            first.objects.iter().filter_map(|old| assessment.check(unchanged(old, &first, &second))).collect();
        for new in second.objects.iter().filter(|new| first.find(new).is_none()) {
            let reason = format!("{} {} was not applied at first (#{})", new.kind, new.name, first.seq);
            assessment.reject(Finding::inconclusive(reason, [second.seq]));
        }
        let until = again.proved.map_or(case.next_fault(asked.seq), |(proved, _)| proved.seq);
        nothing_moves(case, assessment, asked, until);
        same_generation(case, assessment, &first, asked.seq..until);
        let Some((proved, _)) = again.proved else {
            let reason = format!("it is not proved that the manifests were applied again (#{})", asked.seq);
            return Err(left_open(case, reason, asked.seq, until));
        };
        assessment.cite([first.seq, second.seq]);
        // The apply itself takes time, in which nothing can follow from it yet.
        let watched_us = case.lasted(second.mark, proved).least_us;
        let watched = seconds(watched_us);
        if watched_us < WATCHED_US {
            let reason = format!("the effect of applying again (#{}) was watched only for {watched}", second.seq);
            return Err(Finding::inconclusive(reason, [second.seq, proved.seq]));
        }
        let objects = format!("UID and generation are unchanged: {}", some_of(same));
        Ok(format!("{objects}; no pod was replaced within {watched}"))
    })
}

/// The API server's response when the manifests were applied.
struct Answer {
    seq: u64,
    mark: Mark,
    objects: Vec<Applied>,
}

impl Answer {
    fn find(&self, object: &Applied) -> Option<&Applied> {
        self.objects.iter().find(|it| it.kind == object.kind && it.name == object.name)
    }
}

/// The first response, and the one after the second apply.
fn answers(case: &Case<'_>, asked: Mark) -> Judged<(Answer, Answer)> {
    let snapshot = |again: bool, when: &str| {
        let found =
            case.snapshots(SnapshotOf::Applied).find(|it| is_after(asked.seq)(&it.mark) == again).ok_or_else(|| {
                let reason =
                    format!("the API server's objects were not recorded when the manifests were applied {when}");
                left_open(case, reason, asked.seq, case.next_fault(asked.seq))
            })?;
        let (mark, seq) = (found.mark, found.mark.seq);
        match serde_json::from_value(found.value.clone()) {
            Ok(objects) => Ok(Answer { seq, mark, objects }),
            Err(error) => Err(Finding::inconclusive(format!("the objects at #{seq} cannot be read: {error}"), [seq])),
        }
    };
    Ok((snapshot(false, "at first")?, snapshot(true, "again")?))
}

/// The object's name, if UID and generation are unchanged.
fn unchanged(old: &Applied, first: &Answer, second: &Answer) -> Judged<String> {
    let name = format!("{} {}", old.kind, old.name);
    let Some(new) = second.find(old) else {
        let reason = format!("{name} (#{}) was not applied again (#{})", first.seq, second.seq);
        return Err(Finding::inconclusive(reason, [first.seq, second.seq]));
    };
    let told = |of: &Applied| match (old.uid != new.uid, of.generation) {
        (true, _) => format!("uid {}", short(&of.uid)),
        (false, Some(generation)) => format!("generation {generation}"),
        (false, None) => "no generation".to_owned(),
    };
    if (&new.uid, new.generation) == (&old.uid, old.generation) {
        return Ok(name);
    }
    let (at_first, again) = (format!("{} at first (#{})", told(old), first.seq), told(new));
    let reason = format!("{name} had {at_first}, and {again} once it was applied again (#{})", second.seq);
    Err(Finding::fail(reason, [first.seq, second.seq]))
}

/// Checks that no pod is deleted or created from the second apply on, for as long as that is watched.
fn nothing_moves(case: &Case<'_>, assessment: &mut Assessment, asked: Mark, until: u64) {
    let span = asked.seq..until;
    let told = told_to_go(case, span.start, span.end);
    let told = told.iter().map(|told| (told.at.seq, format!("{} was deleted", told.life.name)));
    let created = case.timeline.pods.iter().filter(|life| life.seen_created && span.contains(&life.added.seq));
    let created = created.map(|life| (life.added.seq, format!("{} was ADDED", life.name)));
    for (seq, what) in told.chain(created) {
        let reason = format!("{what} at #{seq}, after the manifests were applied again (#{})", span.start);
        assessment.reject(Finding::fail(reason, [seq, span.start]));
    }
    case.gap("Pod", span.start, span.end).into_iter().for_each(|gap| assessment.reject(gap));
}

/// Checks that every event of the set has the generation of the first response. The generation only grows, so the next
/// event after a gap would show a change.
fn same_generation(case: &Case<'_>, assessment: &mut Assessment, first: &Answer, span: Range<u64>) {
    let set = &case.subject.set;
    let applied = first.objects.iter().find(|object| object.kind == "StatefulSet" && object.name == *set);
    let Some(generation) = applied.and_then(|object| object.generation) else {
        let reason = format!("StatefulSet {set} is not among the objects that were applied (#{})", first.seq);
        return assessment.reject(Finding::inconclusive(reason, [first.seq]));
    };
    let changed = case.set_states(span.start, span.end).find(|(_, state)| state.generation != generation);
    if let Some((mark, state)) = changed {
        let (seq, now) = (mark.seq, state.generation);
        let reason =
            format!("StatefulSet {set} had generation {generation} at first (#{}), and {now} at #{seq}", first.seq);
        assessment.reject(Finding::fail(reason, [first.seq, seq]));
    }
}
