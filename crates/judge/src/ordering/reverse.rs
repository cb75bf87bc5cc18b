//! The order in which pods are scaled away.

use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, ScaleDown, Unmet, is_after, is_before};
use crate::evidence::{Mark, PodLife, Scenario};
use crate::minimum::Need;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const SCALES_DOWN_IN_REVERSE: Check = Check {
    id: "ordering::scales_down_in_reverse",
    statement: "When the set is scaled down, each pod MUST be gone before the pod with the next lower ordinal is \
                deleted.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees",
    explain: "\
The primary has the lowest ordinal. Scaling down in reverse order keeps a source for each replica that still runs.
Judged from the Pod watch, from the scale-down until the next disruption. The DELETED event of each surplus pod must
come before the deletionTimestamp of the pod below it. Pods that stay must not be deleted. Each surplus pod must have
existed and must be gone.
If only one pod is removed, for example from two to one, there is no order and the check is skipped. It is also skipped
with podManagementPolicy Parallel, unless `--expect ordered-ready` demands an order.
Common causes: podManagementPolicy is Parallel, so all surplus pods are deleted at once.",
    scenarios: &[Scenario::Scale],
    minimum: &[Need::Acts],
    judge: scales_down_in_reverse,
};

fn scales_down_in_reverse(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        case.in_order()?;
        let scaled = case.scale_down();
        let several = scaled.as_ref().is_some_and(|scaled| scaled.from - scaled.to > 1);
        if case.subject.replicas < 3 && !several {
            let pods = if case.subject.replicas == 1 { "one pod" } else { "two pods" };
            return Err(Finding::skipped(format!("the set has {pods}: a scale-down to one shows no order")));
        }
        let scaled = scaled.ok_or_else(|| Finding::inconclusive("the set was not scaled down", []))?;
        let until = case.next_fault(scaled.asked);
        those_that_stay(case, assessment, &scaled, until);
        let gone = one_after_the_other(case, assessment, &scaled, until)?;
        if let Some(gap) = case.gap("Pod", scaled.asked, until) {
            return Err(gap);
        }
        assessment.cite([scaled.asked].into_iter().chain(gone.iter().map(|(_, seq)| *seq)));
        let order: Vec<_> = gone.iter().map(|(pod, seq)| format!("{pod} at #{seq}")).collect();
        Ok(format!("DELETED one after the other: {}", order.join(", ")))
    })
}

/// When a pod began to terminate after the set was scaled down and before the next act, if it did.
fn told(life: &PodLife, scaled: &ScaleDown, until: u64) -> Option<Mark> {
    life.deleting.filter(is_after(scaled.asked)).filter(is_before(until))
}

/// Checks that none of the pods that are to stay is deleted.
fn those_that_stay(case: &Case<'_>, assessment: &mut Assessment, scaled: &ScaleDown, until: u64) {
    let asked = scaled.asked;
    for life in &case.timeline.pods {
        let stays = case.subject.index_of(&life.name).is_some_and(|index| index < scaled.to);
        let Some(told) = told(life, scaled, until).filter(|_| stays) else { continue };
        let reason = format!("{} was deleted at #{}, but had to stay (#{asked})", life.name, told.seq);
        let fail = Finding::fail(reason, [told.seq, asked]);
        assessment.reject(case.gap("Pod", asked, told.seq).unwrap_or(fail));
    }
}

/// Checks that surplus pods go one after the other, and returns when each was gone, highest ordinal first.
fn one_after_the_other<'a>(
    case: &Case<'a>,
    assessment: &mut Assessment,
    scaled: &ScaleDown,
    until: u64,
) -> Judged<Vec<(&'a str, u64)>> {
    let (asked, mut gone) = (scaled.asked, Vec::new());
    // Among the pods above, the one that still exists or went last.
    let mut above: Option<(&PodLife, Option<Mark>)> = None;
    for index in (scaled.to..scaled.from).rev() {
        let name = case.subject.nth(index);
        let Some(life) = case.timeline.pod_at(&name, asked) else {
            let reason = format!("{name} did not exist when the set was scaled down (#{asked})");
            return Err(case.gap("Pod", 0, asked).unwrap_or(Finding::inconclusive(reason, [asked])));
        };
        let left = life.deleted.filter(is_before(until));
        if let (Some((above, went)), Some(told)) = (above, told(life, scaled, until))
            && went.filter(is_before(told.seq)).is_none()
        {
            let fail = told_too_early(above, went, life, told);
            assessment.reject(case.gap("Pod", asked, told.seq).unwrap_or(fail));
        }
        match left {
            Some(mark) => gone.push((life.name.as_str(), mark.seq)),
            None => assessment.reject(still_there(life, case.unmet_wait(asked, until), asked)),
        }
        if above.is_none_or(|(_, went)| went.is_some_and(|went| left.is_none_or(|left| left > went))) {
            above = Some((life, left));
        }
    }
    Ok(gone)
}

fn told_too_early(above: &PodLife, went: Option<Mark>, life: &PodLife, told: Mark) -> Finding {
    let when = went.map_or("was not DELETED by then".to_owned(), |went| format!("was DELETED only at #{}", went.seq));
    let reason = format!("{} was deleted at #{} while {} still existed: it {when}", life.name, told.seq, above.name);
    Finding::fail(reason, [told.seq].into_iter().chain(went.map(|went| went.seq)))
}

fn still_there(life: &PodLife, wait: Option<Unmet<'_>>, asked: u64) -> Finding {
    match wait {
        Some(wait) => wait.blame(format!("{} was not gone: {wait}", life.name), [asked, wait.mark.seq]),
        None => Finding::inconclusive(format!("{} was not seen to be gone ({})", life.name, life.summary), [asked]),
    }
}
