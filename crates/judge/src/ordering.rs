//! Order: pods are created one after the other, deleted and updated in reverse order, and a name belongs to one pod at
//! a time; and which of that the set's own policy lifts.
//!
//! Order is read from the stream of one watch. Timestamps do not prove order: they have a resolution of a second and
//! come from two clocks.

use super::assessment::{Assessment, Judged, judged};
use super::case::Case;
use super::minimum::Need;
use super::words::{seconds, short};
use super::{CaseFile, Check, Finding};
use crate::evidence::{Mark, PodLife, Scenario};

mod away;
mod halts;
mod min_ready;
mod parallel;
mod partition;
#[cfg(test)]
mod properties;
mod reapply;
mod reverse;
mod rolls;
mod serving;
mod starts;
mod stuck;
#[cfg(test)]
mod tests;
mod updates;

pub(super) use away::RESPECTS_MAX_UNAVAILABLE;
pub(super) use halts::{HALTS_WHILE_PREDECESSOR_UNREADY, NO_DEADLOCK_ON_FAILED_PREDECESSOR};
pub(super) use min_ready::WAITS_FOR_MIN_READY_SECONDS;
pub(super) use parallel::PARALLEL_PODS_DO_NOT_WAIT;
pub(super) use partition::PARTITION_IS_RESPECTED;
pub(super) use reapply::REAPPLY_CHANGES_NOTHING;
pub(super) use reverse::SCALES_DOWN_IN_REVERSE;
pub(super) use rolls::ROLLS_HIGHEST_ORDINAL_FIRST;
pub(super) use serving::READY_MEANS_SERVING;
pub(super) use starts::STARTS_IN_ORDINAL_ORDER;
pub(super) use stuck::STUCK_ROLLOUT_RECOVERS;

/// How old the controller's view of the pods may be, in microseconds. It acts on a cache that a watch keeps up to date:
/// within milliseconds usually, within some seconds if the API server is busy or the watch must reconnect.
const CACHE_LAG_US: u64 = 10_000_000;

/// The least time for which the absence of an event must have been observed, in microseconds: most of the second for
/// which the scenarios stand still.
const WATCHED_US: u64 = 800_000;

/// Since when a pod no longer serves, as of a record at which it does not. The pod must have served before.
fn lost(life: &PodLife, seq: u64) -> Option<Mark> {
    let unready = life.ready.iter().rfind(|change| change.since.seq <= seq).filter(|change| !change.value);
    let ends = [unready.map(|change| change.since), life.deleting, life.deleted];
    ends.into_iter().flatten().filter(|mark| mark.seq <= seq).min()
}

/// Whether the controller may have acted at `at` before it knew what had happened at `happened`.
fn is_news(case: &Case<'_>, happened: Mark, at: Mark) -> bool {
    case.lasted(happened, at).least_us <= CACHE_LAG_US
}

/// The finding about an act of the controller while a pod, Ready since a record, no longer served: a race if the
/// controller may not have known that.
fn done_without(case: &Case<'_>, done: &str, life: &PodLife, ready: Mark, at: Mark) -> Finding {
    let which = format!("{} (uid {})", life.name, short(&life.uid));
    let gone = life.deleted.is_some_and(|gone| gone.seq <= at.seq);
    let why = if gone {
        "gone"
    } else if life.deleting_at(at.seq) {
        "being deleted"
    } else {
        "no longer Ready"
    };
    let reason = format!("{done} while {which}, Ready since #{}, was {why}", ready.seq);
    let since = lost(life, at.seq).unwrap_or(at);
    if is_news(case, since, at) {
        return Finding::inconclusive(format!("race: {reason}"), [at.seq, ready.seq]);
    }
    let long = seconds(at.at_us.saturating_sub(since.at_us));
    Finding::fail(format!("{reason} (#{}), for {long}", since.seq), [at.seq, since.seq])
}

pub(super) const AT_MOST_ONE_POD_PER_ORDINAL: Check = Check {
    id: "ordering::at_most_one_pod_per_ordinal",
    statement: "Two pods with different UIDs MUST NOT have the same name at the same time.",
    source: "https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/#statefulset-considerations",
    explain: "\
Two servers on one data directory, or two primaries under one name, destroy data. That a name has at most one pod is the
main guarantee of a StatefulSet.
Judged from the Pod watch: a pod must be DELETED before another UID with the same name is ADDED. Each name needs a
second pod, because a single pod proves nothing.
Only what the API server shows is judged. After a forced deletion (grace period 0) a container may still run on an
unreachable node, and no watch can show that.
Common causes: no manifest can cause this. Look for a second controller, or for a store that lost events.",
    scenarios: &[Scenario::Restart],
    minimum: &[Need::Acts],
    judge: at_most_one_pod_per_ordinal,
};

fn at_most_one_pod_per_ordinal(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        for life in &case.timeline.pods {
            let at = life.added.seq;
            for other in case.timeline.pods.alive_at(&life.name, at).filter(|other| other.added.seq < at) {
                let ends = other
                    .deleted
                    .map_or("was never seen to be gone".to_owned(), |gone| format!("was gone only at #{}", gone.seq));
                let (new, old) = (short(&life.uid), short(&other.uid));
                let reason = format!("uid {new} had the name {} from #{at} while uid {old} {ends}", life.name);
                let fail = Finding::fail(reason, [at, other.added.seq].into_iter().chain(other.deleted.map(|m| m.seq)));
                assessment.reject(case.gap("Pod", 0, at).unwrap_or(fail));
            }
        }
        if let Some(gap) = case.gap("Pod", 0, case.timeline.last_seq) {
            return Err(gap);
        }
        bearers(case, assessment)
    })
}

/// How many pods had each name.
fn bearers(case: &Case<'_>, assessment: &mut Assessment) -> Judged<String> {
    let mut counts = Vec::new();
    for pod in case.subject.pods() {
        let lives: Vec<_> = case.timeline.lives(&pod).collect();
        match lives.as_slice() {
            [] => assessment.reject(Finding::inconclusive(format!("{pod} was never seen"), [])),
            [only] => {
                let reason =
                    format!("{pod} was never replaced (#{}), so no other pod could have had its name", only.added.seq);
                assessment.reject(Finding::inconclusive(reason, [only.added.seq]));
            }
            _ => {}
        }
        assessment.cite(lives.iter().map(|life| life.added.seq));
        counts.push(format!("{pod} {}", lives.len()));
    }
    Ok(format!("pods of each name, one after the other: {}", counts.join(", ")))
}

/// An inconclusive finding, with the unmet wait of that stretch of the log as its reason if there is one.
fn left_open(case: &Case<'_>, reason: String, from: u64, to: u64) -> Finding {
    match case.unmet_wait(from, to) {
        Some(wait) => Finding::inconclusive(format!("{reason}: {wait}"), [from, wait.mark.seq]),
        None => Finding::inconclusive(reason, [from]),
    }
}
