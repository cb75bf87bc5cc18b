//! What the watch history shows of the upgrade of a node.

use std::collections::{BTreeMap, BTreeSet};

use super::states::Step;
use crate::Finding;
use crate::assessment::{Assessment, Judged};
use crate::case::Case;
use crate::evidence::{Mark, PodLife, PodSummary};
use crate::words::{short, some_of};

/// Judges the history from the drain of a node to the state after its upgrade, and returns whether the history is
/// complete.
pub(super) fn weigh(
    case: &Case<'_>,
    assessment: &mut Assessment,
    step: Step<'_>,
    since: Mark,
    evicted: &[&PodSummary],
) -> bool {
    let window = (since.seq, step.after.mark.seq);
    let whole = case.gap("Pod", window.0, window.1).is_none();
    for pod in evicted {
        replaced_once(case, assessment, step, window, pod, whole);
    }
    // Across a gap it is unknown who was gone when.
    if whole {
        one_at_a_time(case, assessment, step, window, evicted);
    }
    whole
}

/// Checks that exactly one pod replaced an evicted one.
fn replaced_once(
    case: &Case<'_>,
    assessment: &mut Assessment,
    step: Step<'_>,
    (from, to): (u64, u64),
    pod: &PodSummary,
    whole: bool,
) {
    let gone = case.timeline.pod_by_uid(&pod.uid).and_then(|life| life.deleted);
    if whole && !gone.is_some_and(|gone| (from..=to).contains(&gone.seq)) {
        let reason = format!("{} (uid {}) was not seen to be gone ({})", pod.name, short(&pod.uid), step.quote());
        assessment.reject(Finding::inconclusive(reason, step.seqs()));
    }
    let came: Vec<&PodLife> = case.timeline.pods.coming(&pod.name, from, to).collect();
    match &came[..] {
        [] if whole => {
            let reason = format!("no pod was seen to replace {} ({})", pod.name, step.quote());
            assessment.reject(Finding::inconclusive(reason, step.seqs()));
        }
        [] => {}
        [one] => {
            assessment.cite([one.added.seq]);
            if whole {
                assessment.check(is_in_state(step, one));
            }
        }
        many => {
            let lives = some_of(many.iter().map(|life| format!("{} (#{})", short(&life.uid), life.added.seq)));
            let reason = format!("{} pods replaced {} during {}: {lives}", many.len(), pod.name, step.stage().step());
            assessment.reject(Finding::fail(reason, many.iter().map(|life| life.added.seq)));
        }
    }
}

/// Checks that the observed new pod is the one in the state afterwards, and was observed as Ready if the state says so.
fn is_in_state(step: Step<'_>, came: &PodLife) -> Judged<()> {
    let (name, seq) = (&came.name, step.after.mark.seq);
    let Some(told) = step.after.state.pods.iter().find(|pod| pod.name == *name) else { return Ok(()) };
    let which = short(&came.uid);
    if told.uid != came.uid {
        let other = short(&told.uid);
        let reason =
            format!("{name} (uid {which}) was seen to be created, but the state has another pod ({other}, #{seq})");
        return Err(Finding::inconclusive(reason, [came.added.seq, seq]));
    }
    if told.ready && !came.ready_at(seq) {
        let reason = format!("{name} (uid {which}) was not seen to be Ready, but it is Ready in the state (#{seq})");
        return Err(Finding::inconclusive(reason, [came.added.seq, seq]));
    }
    Ok(())
}

/// Checks that at no time two pods were missing, beyond those that were missing at the beginning. An exception are pods
/// that can only run on the node, if they were deleted one after the other.
fn one_at_a_time(
    case: &Case<'_>,
    assessment: &mut Assessment,
    step: Step<'_>,
    (from, to): (u64, u64),
    evicted: &[&PodSummary],
) {
    let names: Vec<String> = case.subject.pods().collect();
    let missing = |seq: u64| -> BTreeSet<&str> {
        let serves = |name: &&String| case.timeline.pod_at(name, seq).is_some_and(|life| life.serving_at(seq));
        names.iter().filter(|name| !serves(name)).map(String::as_str).collect()
    };
    let before = missing(from);
    let bound: BTreeSet<&str> =
        evicted.iter().filter(|pod| came_back(step, pod)).map(|pod| pod.name.as_str()).collect();
    for seq in changes(case, &names, from, to) {
        let away: BTreeSet<&str> = missing(seq).difference(&before).copied().collect();
        if away.len() > 1 && !away.is_subset(&bound) {
            let away = some_of(away);
            let reason = format!("{away} were unavailable at the same time during {} (#{seq})", step.stage().step());
            return assessment.reject(Finding::fail(reason, [seq]));
        }
    }
    gone_in_turn(case, assessment, step, (from, to), &bound);
}

/// Whether an evicted pod came back to the same node: then no other node could run it.
fn came_back(step: Step<'_>, pod: &PodSummary) -> bool {
    step.after.state.pods.iter().any(|after| after.name == pod.name && after.node == pod.node)
}

/// The records at which it can change whether a pod exists and is Ready.
fn changes(case: &Case<'_>, names: &[String], from: u64, to: u64) -> BTreeSet<u64> {
    let of_life = |life: &PodLife| -> Vec<u64> {
        let ends = [Some(life.added), life.deleting, life.deleted];
        let ready = life.ready.iter().map(|change| change.since);
        ends.into_iter().flatten().chain(ready).map(|mark| mark.seq).collect()
    };
    let all = names.iter().flat_map(|name| case.timeline.lives(name)).flat_map(of_life);
    all.filter(|seq| (from..=to).contains(seq)).collect()
}

/// Checks that each pod that can only run on the node was gone before the next one began to terminate.
fn gone_in_turn(
    case: &Case<'_>,
    assessment: &mut Assessment,
    step: Step<'_>,
    (from, to): (u64, u64),
    bound: &BTreeSet<&str>,
) {
    let mut going = BTreeMap::new();
    for life in bound.iter().flat_map(|name| case.timeline.lives(name)) {
        if let Some(told) = life.deleting.filter(|told| (from..=to).contains(&told.seq)) {
            going.insert(told.seq, life);
        }
    }
    for ((_, first), (told, next)) in going.iter().zip(going.iter().skip(1)) {
        if first.deleted.is_none_or(|gone| gone.seq > *told) {
            let (first, next, step) = (&first.name, &next.name, step.stage().step());
            let reason = format!("{next} was deleted before {first} was gone, during {step} (#{told})");
            assessment.reject(Finding::fail(reason, [*told]));
        }
    }
}
