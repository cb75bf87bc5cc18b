//! The order in which pods are created.

use std::collections::BTreeSet;

use super::updates::newest;
use super::{done_without, is_news, lost};
use crate::assessment::judged;
use crate::case::Case;
use crate::evidence::{Mark, PodLife, Scenario};
use crate::words::short;
use crate::{CaseFile, Check, Finding, Verdict};

pub(crate) const STARTS_IN_ORDINAL_ORDER: Check = Check {
    id: "ordering::starts_in_ordinal_order",
    statement: "Pods MUST be created in ordinal order. Each pod MUST be created only after all pods with lower \
                ordinals have been Ready under their current UID.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees",
    explain: "\
A replica that starts before its source initialises on its own, and the two servers then have separate histories.
Judged from the Pod watch. When a pod is ADDED, each lower ordinal must have a live pod that is not being deleted and
has been Ready. It is a violation if such a pod is missing, was never Ready, or lost Ready more than 10 s before. If it
lost Ready less than 10 s before, the result is a `race`, neither a pass nor a failure, because the controller acts on a
cache that may be behind. Pods that are recreated after a deletion or a scale-up are judged in the same way. Each pod
must have been created in the scenario deploy. A gap in the watch leaves the order unknown.
With podManagementPolicy Parallel there is no order, and the check is skipped unless `--expect ordered-ready` demands
one.
Common causes: podManagementPolicy is Parallel; or a pod never becomes Ready, so the remaining pods are never created.",
    scenarios: &[Scenario::Deploy],
    minimum: &[],
    judge: starts_in_ordinal_order,
};

fn starts_in_ordinal_order(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        case.in_order()?;
        let (begin, end) = case.span(Scenario::Deploy);
        let created: Vec<&PodLife> = case.timeline.pods.iter().filter(|life| life.seen_created).collect();
        for finding in out_of_order(case) {
            let at = finding.evidence.first().copied().unwrap_or(begin);
            assessment.reject(case.gap("Pod", begin, at).unwrap_or(finding));
        }
        let last = created.iter().map(|life| life.added.seq).max().unwrap_or(case.timeline.last_seq);
        if let Some(gap) = case.gap("Pod", begin, last) {
            return Err(gap);
        }
        let deployed = |life: &PodLife| life.seen_created && (begin..=end).contains(&life.added.seq);
        for pod in case.subject.pods().filter(|pod| !case.timeline.lives(pod).any(deployed)) {
            assessment.reject(not_created(case, &pod));
        }
        for life in &created {
            let before = case.subject.index_of(&life.name).and_then(|index| index.checked_sub(1));
            let before = before.and_then(|before| case.timeline.pod_at(&case.subject.nth(before), life.added.seq));
            assessment.cite(before.and_then(PodLife::first_ready).map(|ready| ready.seq));
            assessment.cite([life.added.seq]);
        }
        let order: Vec<_> = created.iter().map(|life| format!("{} at #{}", life.name, life.added.seq)).collect();
        Ok(format!("ADDED, each after all pods before it were Ready: {}", order.join(", ")))
    })
}

/// A change that the creation order depends on; numbers are indexes of pods.
enum Turn<'a> {
    Serves(u32),
    Ceases(u32),
    Created(u32, &'a PodLife),
}

/// All such changes, in order. A pod has many predecessors: one pass over the changes keeps track of the missing ones
/// without a query for each.
fn turns<'a>(case: &Case<'a>) -> Vec<(u64, Turn<'a>)> {
    let mut turns = Vec::new();
    for life in &case.timeline.pods {
        let Some(index) = case.subject.index_of(&life.name) else { continue };
        if life.seen_created {
            turns.push((life.added.seq, Turn::Created(index, life)));
        }
        let end = life.deleting.into_iter().chain(life.deleted).map(|mark| mark.seq).min().unwrap_or(u64::MAX);
        let mut serves = false;
        for change in life.ready.iter().filter(|change| change.since.seq < end && index < case.subject.replicas) {
            match (serves, change.value) {
                (false, true) => turns.push((change.since.seq, Turn::Serves(index))),
                (true, false) => turns.push((change.since.seq, Turn::Ceases(index))),
                _ => {}
            }
            serves = change.value;
        }
        // A pod that still exists stops serving after all other changes.
        if serves {
            turns.push((end, Turn::Ceases(index)));
        }
    }
    turns.sort_by_key(|(seq, _)| *seq);
    turns
}

/// The gravest finding against each creation, if any.
fn out_of_order(case: &Case<'_>) -> Vec<Finding> {
    let mut missing: BTreeSet<u32> = (0..case.subject.replicas).collect();
    let mut serving = vec![0_u32; missing.len()];
    let mut objections = Vec::new();
    for (_, turn) in turns(case) {
        match turn {
            Turn::Serves(index) => {
                serving[index as usize] += 1;
                missing.remove(&index);
            }
            Turn::Ceases(index) => {
                serving[index as usize] -= 1;
                if serving[index as usize] == 0 {
                    missing.insert(index);
                }
            }
            Turn::Created(index, life) => objections.extend(gravest(case, life, missing.range(..index))),
        }
    }
    objections
}

/// The first failure among the predecessors that do not serve when a pod is created, or else the first finding.
fn gravest<'a>(case: &Case<'_>, life: &PodLife, missing: impl Iterator<Item = &'a u32>) -> Option<Finding> {
    let mut first = None;
    for index in missing {
        let finding = not_waited_for(case, life, &case.subject.nth(*index));
        if finding.verdict == Verdict::Fail {
            return Some(finding);
        }
        first.get_or_insert(finding);
    }
    first
}

/// The finding about the creation of a pod while no pod of a predecessor's name serves.
fn not_waited_for(case: &Case<'_>, later: &PodLife, name: &str) -> Finding {
    let at = later.added;
    let added = format!("{} was ADDED at #{}", later.name, at.seq);
    let was_ready = |life: &PodLife| life.first_ready().filter(|ready| ready.seq < at.seq);
    let lives: Vec<&PodLife> = case.timeline.pods.alive_at(name, at.seq).collect();
    let Some(life) = lives.last() else {
        let went = newest(case, name, at.seq).and_then(|life| Some((life, was_ready(life)?)));
        let went = went.filter(|(life, _)| lost(life, at.seq).is_some_and(|since| is_news(case, since, at)));
        return match went {
            Some((life, ready)) => done_without(case, &added, life, ready, at),
            None => Finding::fail(format!("{added} while {name} did not exist"), [at.seq]),
        };
    };
    let Some((once, ready)) = lately_ready(&lives, at) else {
        let which = format!("{name} (uid {})", short(&life.uid));
        let seen = format!("#{}–#{}", life.added.seq, at.seq - 1);
        let reason = format!("{added} while {which} had never been Ready ({seen})");
        return Finding::fail(reason, [at.seq, life.added.seq]);
    };
    done_without(case, &added, once, ready, at)
}

/// Among pods of one name that were Ready once, the one that stopped to be Ready last, and when it became Ready.
fn lately_ready<'a>(lives: &[&'a PodLife], at: Mark) -> Option<(&'a PodLife, Mark)> {
    let once = lives.iter().filter_map(|life| Some((*life, life.first_ready().filter(|it| it.seq < at.seq)?)));
    once.max_by_key(|(life, _)| lost(life, at.seq))
}

fn not_created(case: &Case<'_>, pod: &str) -> Finding {
    let (begin, end) = case.span(Scenario::Deploy);
    let later = case.timeline.lives(pod).find(|life| life.seen_created && life.added.seq > end);
    let what = match later {
        Some(life) => format!("{pod} was created only after the scenario deploy (#{})", life.added.seq),
        None => format!("{pod} was never created"),
    };
    match case.unmet_wait(begin, end) {
        Some(wait) => wait.blame(format!("{what}: {wait}"), [wait.mark.seq]),
        None if later.is_some() => Finding::inconclusive(what, []),
        None => Finding::inconclusive(format!("{pod} was not seen to be created"), []),
    }
}
