//! The order in which an update reaches the pods.

use super::done_without;
use super::updates::{Told, Update, newest, revision_of, told_to_go, updatable, updates};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, is_before};
use crate::evidence::{Act, Mark, PodLife, Scenario};
use crate::expectation::max_unavailable;
use crate::minimum::Need;
use crate::words::short;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub(crate) const ROLLS_HIGHEST_ORDINAL_FIRST: Check = Check {
    id: "ordering::rolls_highest_ordinal_first",
    statement: "An update MUST replace pods from the highest ordinal down, one at a time. Each pod MUST be replaced \
                only after all pods above it are Ready with the update.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#rolling-updates",
    explain: "\
The primary has the lowest ordinal. It is replaced last, when each replica has shown that it works with the update.
The template is changed for the last pod (by a partition), then for all pods, and is finally reverted. Judged from the
Pod watch: at the deletionTimestamp of a pod that is being updated, each pod above it must already be a Ready pod of the
update revision. If such a pod lost Ready more than 10 s before, it is a violation. If it lost Ready later, it is a
`race`, neither a pass nor a failure, because the controller acts on a cache that may be behind. An updated pod must not
be deleted again. Pods that the harness deletes are not judged. minReadySeconds has its own check.
The check is skipped where maxUnavailable is above 1 and the cluster honours it. podManagementPolicy Parallel has the
same order, but a pod that is not Ready may be replaced at any time.
Common causes: a forgotten partition, so the lower pods are never updated; or the update strategy was set to OnDelete.",
    scenarios: &[Scenario::Roll],
    minimum: &[Need::Acts],
    judge: rolls_highest_ordinal_first,
};

fn rolls_highest_ordinal_first(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        updatable(case)?;
        let subject = case.subject;
        if subject.replicas - subject.partition < 2 {
            return Err(Finding::skipped("an update replaces only one pod: it shows no order"));
        }
        let several = max_unavailable(case.run);
        if subject.max_unavailable > 1 && several.holds {
            let (pods, why) = (subject.max_unavailable, several.why);
            return Err(Finding::skipped(format!("maxUnavailable allows {pods} pods to be replaced at once: {why}")));
        }
        let updates = updates(case);
        let whole = Act::Roll { partition: subject.partition };
        for (act, what) in [(whole, "changed for all pods"), (Act::RevertTemplate, "reverted")] {
            if updates.iter().all(|update| *update.act != act) {
                assessment.reject(Finding::inconclusive(format!("the template was not {what}"), []));
            }
        }
        let mut orders = Vec::new();
        for update in updates.iter().filter(|update| *update.act != Act::BreakTemplate) {
            let order = in_order(case, assessment, update);
            orders.extend(assessment.check(order));
        }
        if !orders.is_empty() && orders.iter().all(Option::is_none) {
            return Err(Finding::inconclusive("no pod was deleted for an update", []));
        }
        let orders: Vec<_> = orders.into_iter().flatten().collect();
        Ok(format!("deleted, each after all pods above it were Ready with the update: {}", orders.join("; ")))
    })
}

/// Judges one update, and returns which pods it deleted and when, if any.
fn in_order(case: &Case<'_>, assessment: &mut Assessment, update: &Update<'_>) -> Judged<Option<String>> {
    let revision = update.revision(case)?;
    let (begin, _) = case.span(Scenario::Roll);
    let mut order = Vec::new();
    let told = told_to_go(case, update.asked.seq, update.until());
    // With Parallel an unready pod is replaced at once.
    let in_turn = |told: &&Told<'_>| !case.is_parallel() || told.life.ready_at(told.at.seq);
    let by_controller = told.iter().filter(|told| told.index >= update.partition && !told.by_harness);
    for told in by_controller.filter(in_turn) {
        let at = told.at.seq;
        for judged in waited_for_all_above(case, &revision, told) {
            let known = case.gap("Pod", begin, at).map_or(judged, Err);
            assessment.check(known).into_iter().for_each(|ready| assessment.cite([ready.seq]));
        }
        assessment.cite([at]);
        order.push(format!("{} at #{at}", told.life.name));
    }
    if let Some(gap) = case.gap("Pod", begin, update.until()) {
        return Err(gap);
    }
    all_replaced(case, update, &revision)?;
    Ok((!order.is_empty()).then(|| format!("for {revision} {}", order.join(", "))))
}

/// For each pod above a deleted one, when it had become Ready with the update.
fn waited_for_all_above(case: &Case<'_>, revision: &str, told: &Told<'_>) -> Vec<Judged<Mark>> {
    let (name, at) = (&told.life.name, told.at.seq);
    if told.life.revision() == Some(revision) {
        let reason = format!("{name} was deleted at #{at} although it already had {revision}");
        return vec![Err(Finding::fail(reason, [at, told.life.added.seq]))];
    }
    let above = (told.index + 1..case.subject.replicas).rev().map(|index| case.subject.nth(index));
    above.map(|above| stood(case, revision, &above, (name, told.at))).collect()
}

/// When a pod had become Ready with the update, as of the deletion of a lower pod.
fn stood(case: &Case<'_>, revision: &str, above: &str, (name, mark): (&str, Mark)) -> Judged<Mark> {
    let at = mark.seq;
    let told = format!("{name} was deleted at #{at}");
    let Some(life) = newest(case, above, at).filter(|life| life.alive_at(at)) else {
        return Err(Finding::fail(format!("{told} while {above} did not exist"), [at]));
    };
    let which = format!("{above} (uid {})", short(&life.uid));
    let old = revision_of(life)?;
    if old != revision {
        let reason = format!("{told} while {which} had {old} and not {revision}");
        return Err(Finding::fail(reason, [at, life.added.seq]));
    }
    let Some(ready) = life.first_ready().filter(is_before(at)) else {
        let reason = format!("{told} while {which} had never been Ready (#{}–#{})", life.added.seq, at - 1);
        return Err(Finding::fail(reason, [at, life.added.seq]));
    };
    if life.serving_at(at) {
        return Ok(ready);
    }
    Err(done_without(case, &told, life, ready, mark))
}

/// Checks that the update reached every pod that it is for. The highest pod that it did not reach is at fault: lower
/// ones must wait for it.
fn all_replaced(case: &Case<'_>, update: &Update<'_>, revision: &str) -> Judged<()> {
    let until = update.until();
    let reached = |life: &&PodLife| {
        let ready = life.first_ready().is_some_and(|ready| ready.seq <= until);
        ready && life.alive_at(until) && life.revision() == Some(revision)
    };
    let pods = (update.partition..case.subject.replicas).rev().map(|index| case.subject.nth(index));
    let mut left = pods.filter(|pod| newest(case, pod, until).filter(reached).is_none());
    left.next().map_or(Ok(()), |pod| Err(not_reached(case, update, revision, &pod)))
}

fn not_reached(case: &Case<'_>, update: &Update<'_>, revision: &str, pod: &str) -> Finding {
    let (asked, until) = (update.asked.seq, update.until());
    let Some(wait) = case.unmet_wait(asked, until) else {
        let reason = format!("no Ready pod of {revision} was seen to replace {pod}");
        return Finding::inconclusive(reason, [asked]);
    };
    let told: Vec<_> = told_to_go(case, asked, until).into_iter().filter(|told| told.life.name == pod).collect();
    if told.iter().any(|told| told.by_harness) {
        let reason =
            format!("{pod}, which the harness deleted, did not come back, so no pod below it could be updated");
        return Finding::inconclusive(format!("{reason}: {wait}"), [asked, wait.mark.seq]);
    }
    let what = if told.is_empty() { "was never replaced by" } else { "did not come back as" };
    wait.blame(format!("{pod} {what} a pod of {revision} (requested at #{asked}): {wait}"), [asked, wait.mark.seq])
}
