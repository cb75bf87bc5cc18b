//! Whether the upgrade of the control plane leaves the workload alone.

use super::compare::{Class, Classed, compare};
use super::equal::object;
use super::states::{Step, Told, across, control_plane_upgraded, states, steps};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::Case;
use crate::evidence::{Act, Scenario, Stage};
use crate::words::some_of;
use crate::{CaseFile, Check, Finding};

pub(crate) const CONTROL_PLANE_UPGRADE_TOUCHES_NO_POD: Check = Check {
    id: "upgrade::control_plane_upgrade_touches_no_pod",
    statement: "An upgrade of the control plane MUST NOT replace, restart or change any pod of the set, or its \
                revisions, claims or volumes.",
    source: "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/ and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies",
    explain: "\
Pods keep running without a control plane, and a new one must leave them unchanged. Kubernetes 1.34.0 did not: its
controller took old templates for changed ones and rolled every StatefulSet.
The states before and after the step are compared. For each pod: its UID, container ids and restarts, revision, node,
address, labels, and the last transition of its Ready condition. For the set: its generation and revisions, and every
ControllerRevision. For claims and volumes: their UIDs, phases and owners. None of this may change. The states decide
because the API server is down during the step and there is no watch history.
Common causes: a controller manager or an admission webhook of the new version rewrites the template; a kubelet that was
upgraded on a node with pods restarts them; or somebody applied a manifest meanwhile.",
    scenarios: &[Scenario::Upgrade],
    minimum: &[],
    judge: control_plane_upgrade_touches_no_pod,
};

/// The parts of a state that are compared.
const PARTS: [&str; 5] = ["pods", "set", "revisions", "claims", "volumes"];

fn control_plane_upgrade_touches_no_pod(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let states = states(case)?;
        let (mut nodes, mut looked_at) = (Vec::new(), Vec::new());
        for step in steps(&states) {
            let found = compare(case.subject, &step.before.state, &step.after.state);
            let of_workload = found.iter().filter(|classed| PARTS.contains(&classed.difference.part.as_str()));
            match step.stage() {
                Stage::ControlPlane { node } => {
                    assessment.check(asked(case, step, node));
                    of_workload.for_each(|classed| object(assessment, step, classed));
                    nodes.push(node.as_str());
                }
                Stage::Unseen => not_seen(assessment, step, of_workload)?,
                Stage::Node { .. } | Stage::Nothing => continue,
            }
            assessment.cite(step.seqs());
            looked_at.push(step);
        }
        let Some(first) = looked_at.first() else {
            let seqs = states.iter().map(|told| told.mark.seq);
            return Err(Finding::inconclusive("no state was read after the control plane was upgraded", seqs));
        };
        whole(case, assessment, &states, &looked_at);
        let pods = first.before.state.pods.len();
        let on = if nodes.is_empty() { String::new() } else { format!(" on {}", some_of(nodes)) };
        Ok(format!(
            "{pods} pods, their claims and volumes, the set and its revisions are unchanged since before the upgrade \
             of the control plane{on}{}",
            across(case, looked_at)
        ))
    })
}

/// Checks that the control plane changed its version, and that every pod of the set was there to be touched.
fn whole(case: &Case<'_>, assessment: &mut Assessment, states: &[Told], looked_at: &[Step<'_>]) {
    assessment.check(control_plane_upgraded(case, states));
    if let (Some(first), Some(last)) = (states.first(), states.last())
        && first.state.kubernetes == last.state.kubernetes
    {
        // Somebody may have made other changes while nobody watched.
        let version = &last.state.kubernetes;
        let reason = format!("the API server is {version} as before: it was not upgraded");
        assessment.reject(Finding::skipped(reason));
    }
    for step in looked_at {
        let (there, seq) = (&step.before.state.pods, step.before.mark.seq);
        let missing: Vec<String> =
            case.subject.pods().filter(|name| !there.iter().any(|pod| pod.name == *name)).collect();
        if there.is_empty() || !missing.is_empty() {
            let missing = if missing.is_empty() { "a pod of the set".to_owned() } else { some_of(missing) };
            let reason = format!("{missing} did not exist before the upgrade of the control plane (#{seq})");
            assessment.reject(Finding::inconclusive(reason, [seq]));
        }
    }
}

/// Checks that the control plane was upgraded at all.
fn asked(case: &Case<'_>, step: Step<'_>, node: &str) -> Judged<()> {
    let what = format!("the upgrade of the control plane on {node}");
    let ours = |act: &Act| matches!(act, Act::UpgradeControlPlane { node: other, .. } if other == node);
    step.proved(case, &what, ours).map(drop)
}

/// Judges an upgrade that nobody watched: what did not change was not touched, but a change cannot be attributed to the
/// control plane.
fn not_seen<'c>(assessment: &mut Assessment, step: Step<'_>, found: impl Iterator<Item = &'c Classed>) -> Judged<()> {
    let (explained, unexplained): (Vec<_>, Vec<_>) = found.partition(|classed| classed.class == Class::Allowed);
    unexplained.into_iter().for_each(|classed| object(assessment, step, classed));
    let mut touched: Vec<String> = explained.iter().map(|classed| classed.difference.subject()).collect();
    touched.dedup();
    if touched.is_empty() {
        return Ok(());
    }
    Err(Finding::skipped(format!(
        "no watch ran during the upgrade, so it is unknown during which step {} changed ({})",
        some_of(touched),
        step.quote()
    )))
}
