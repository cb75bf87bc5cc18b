//! How many pods an update takes away at a time.

use std::collections::HashMap;

use super::updates::{Told, newest, told_to_go, updatable, updates};
use super::{is_news, lost};
use crate::assessment::{Judged, judged};
use crate::case::{Case, is_after, is_before};
use crate::evidence::{Act, Mark, PodLife, Scenario};
use crate::expectation::max_unavailable;
use crate::minimum::Need;
use crate::words::some_of;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const RESPECTS_MAX_UNAVAILABLE: Check = Check {
    id: "ordering::respects_max_unavailable",
    statement: "During an update at most maxUnavailable pods MUST be unavailable at a time.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#maximum-unavailable-pods",
    explain: "\
An update takes servers down on purpose. The remaining servers must be able to carry the load of those that are down.
Judged from the Pod watch, from the first change of the template to the last. Whenever a Ready pod is deleted by
anything but the harness, the unavailable pods are counted: those that are missing, being deleted or not Ready. Together
with the deleted pod they must be at most maxUnavailable, which counts as 1 if it is not set or the cluster does not
honour it.
A pod that the harness deleted or holds does not count until its name has a Ready pod again. If a pod lost Ready on its
own less than 10 s before, the result is a `race`, because the controller may not have known yet. The pod that is stuck
with the broken template counts until the harness deletes it.
Common causes: a second tool or a person deletes pods during an update.",
    scenarios: &[Scenario::Roll],
    minimum: &[Need::Acts],
    judge: respects_max_unavailable,
};

fn respects_max_unavailable(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        updatable(case)?;
        let bound = Bound::of(case)?;
        let updates = updates(case);
        let (Some(first), Some(last)) = (updates.first(), updates.last()) else {
            return Err(Finding::inconclusive("the template was not changed", []));
        };
        let (from, to) = (first.asked.seq, last.holds);
        let harness = Harness::of(case);
        let (mut told_in_all, mut most) = (Vec::new(), 0);
        for told in told_to_go(case, from, to).iter().filter(|told| counts(case, told)) {
            let judged = bound.holds(case, &harness, told);
            let known = case.gap("Pod", from, told.at.seq).map_or(judged, Err);
            most = most.max(assessment.check(known).unwrap_or(0));
            assessment.cite([told.at.seq]);
            told_in_all.push(format!("{} at #{}", told.life.name, told.at.seq));
        }
        if let Some(gap) = case.gap("Pod", from, to) {
            return Err(gap);
        }
        if told_in_all.is_empty() {
            return Err(Finding::inconclusive("no Ready pod was deleted for an update", [from]));
        }
        let (pods, told) = (bound.pods, some_of(told_in_all));
        Ok(format!("deleted: {told}; at most {most} was unavailable at a time, and {pods} may be ({})", bound.why))
    })
}

/// Whether a deletion takes away a pod that was there: the controller made it, and the pod was Ready.
fn counts(case: &Case<'_>, told: &Told<'_>) -> bool {
    !told.by_harness && told.index < case.subject.replicas && told.life.ready_at(told.at.seq)
}

/// How many pods may be away.
struct Bound {
    pods: u32,
    why: String,
    /// Whether pods below the deleted one count too, although the update has not reached them yet.
    all_count: bool,
}

impl Bound {
    /// The bound of a set; a skipped finding if the set has none.
    fn of(case: &Case<'_>) -> Judged<Self> {
        let (subject, several) = (case.subject, max_unavailable(case.run));
        if subject.replicas == 1 {
            return Err(Finding::skipped("the set has one pod: an update replaces all of them"));
        }
        let pods = if several.holds { subject.max_unavailable } else { 1 };
        if pods >= subject.replicas {
            let reason =
                format!("maxUnavailable allows all {} pods to be replaced at once: {}", subject.replicas, several.why);
            return Err(Finding::skipped(reason));
        }
        let why = if subject.max_unavailable == pods {
            format!("maxUnavailable is {pods}")
        } else {
            format!("maxUnavailable is {}, which is not honoured: {}", subject.max_unavailable, several.why)
        };
        Ok(Self { pods, why, all_count: several.holds || !case.is_parallel() })
    }

    /// How many pods are away together with one that is deleted; a failure if these are too many.
    fn holds(&self, case: &Case<'_>, harness: &Harness<'_>, told: &Told<'_>) -> Judged<u32> {
        let from = if self.all_count { 0 } else { told.index };
        let others = (from..case.subject.replicas).filter(|index| *index != told.index);
        let (mut sure, mut doubtful) = (Vec::new(), Vec::new());
        for name in others.map(|index| case.subject.nth(index)) {
            match is_away(case, harness, &name, told.at) {
                Away::No => {}
                Away::Race(why) => doubtful.push(why),
                Away::Yes(why) => sure.push(why),
            }
        }
        let away = |names: &[String]| u32::try_from(names.len() + 1).unwrap_or(u32::MAX);
        let (name, at, certain) = (&told.life.name, told.at.seq, away(&sure));
        let what = |names: &[String]| {
            let (may, why) = (self.pods, &self.why);
            let count = away(names);
            format!(
                "{name} was deleted at #{at} while {}: {count} unavailable, and {may} may be ({why})",
                names.join(", ")
            )
        };
        if certain > self.pods {
            return Err(Finding::fail(what(&sure), [at]));
        }
        sure.extend(doubtful);
        if away(&sure) > self.pods {
            return Err(Finding::inconclusive(format!("race: {}", what(&sure)), [at]));
        }
        Ok(certain)
    }
}

/// Whether no pod serves under a name, and why not.
enum Away {
    No,
    /// The controller may not have known yet.
    Race(String),
    Yes(String),
}

/// Whether the pod of a name is away when another one is deleted, unless the harness took it away.
fn is_away(case: &Case<'_>, harness: &Harness<'_>, name: &str, at: Mark) -> Away {
    let there = case.timeline.pod_at(name, at.seq);
    if there.is_some_and(|life| life.serving_at(at.seq)) {
        return Away::No;
    }
    // The last pod that served under the name, and all pods after it.
    let lives = case.timeline.pods.coming(name, 0, at.seq);
    let mut since: Vec<&PodLife> = Vec::new();
    for life in lives.rev() {
        since.push(life);
        if life.first_ready().filter(is_before(at.seq)).is_some() {
            break;
        }
    }
    if since.iter().any(|life| harness.took(life, at.seq)) {
        return Away::No;
    }
    let why = match there {
        Some(life) if life.deleting_at(at.seq) => "was being deleted",
        Some(_) => "was not Ready",
        None if newest(case, name, at.seq).is_some() => "was gone",
        None => "did not exist",
    };
    let why = format!("{name} {why}");
    let by_itself =
        there.filter(|life| !life.deleting_at(at.seq) && life.first_ready().is_some_and(|it| it.seq < at.seq));
    match by_itself.and_then(|life| lost(life, at.seq)) {
        Some(unready) if is_news(case, unready, at) => Away::Race(why),
        _ => Away::Yes(why),
    }
}

/// What the harness did to single pods.
struct Harness<'a> {
    /// The first requested deletion, by UID.
    deleted: HashMap<&'a str, Mark>,
    /// The UIDs of pods that were to be held, each with the time.
    held: Vec<(&'a str, Mark)>,
}

impl<'a> Harness<'a> {
    fn of(case: &Case<'a>) -> Self {
        let (mut deleted, mut held) = (HashMap::new(), Vec::new());
        for acted in case.acts(|act| matches!(act, Act::DeletePod { .. } | Act::Hold { .. })) {
            match acted.act {
                Act::DeletePod { uid, .. } => drop(deleted.entry(uid.as_str()).or_insert(acted.asked)),
                Act::Hold { uid, .. } => held.push((uid.as_str(), acted.asked)),
                _ => {}
            }
        }
        Self { deleted, held }
    }

    /// Whether the harness took a pod away: it deleted the pod first, or holds it.
    fn took(&self, life: &PodLife, seq: u64) -> bool {
        let deleted = self.deleted.get(life.uid.as_str()).filter(|asked| asked.seq < seq);
        let first = deleted.is_some_and(|asked| life.deleting.is_none_or(|told| is_after(asked.seq)(&told)));
        let mut held = self.held.iter().filter(|(uid, asked)| *uid == life.uid && asked.seq < seq);
        first || held.any(|(_, asked)| !ready_between(life, asked.seq, seq))
    }
}

/// Whether a pod became Ready between two records.
fn ready_between(life: &PodLife, from: u64, to: u64) -> bool {
    life.ready.iter().any(|change| change.value && (from..to).contains(&change.since.seq))
}
