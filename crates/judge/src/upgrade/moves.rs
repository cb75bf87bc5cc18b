//! Whether the upgrade of a node moves its pods in order.

use super::compare::compare;
use super::defects::pods;
use super::equal::object;
use super::states::{Step, Told, across, nodes_left, states, steps};
use super::watched;
use crate::assessment::{Assessment, Judged, judged};
use crate::case::Case;
use crate::evidence::{Act, Mark, PodSummary, Scenario, Stage};
use crate::words::some_of;
use crate::{CaseFile, Check, Finding};

pub(crate) const NODE_UPGRADE_MOVES_ONE_AT_A_TIME: Check = Check {
    id: "upgrade::node_upgrade_moves_one_at_a_time",
    statement: "When a node is drained and upgraded, each of its pods MUST be replaced once, one after the other, with \
                the same name, claims and revision, and be Ready again. Pods on other nodes MUST NOT change.",
    source: "https://kubernetes.io/docs/tasks/administer-cluster/safely-drain-node/ and \
             https://kubernetes.io/docs/concepts/workloads/pods/disruptions/",
    explain: "\
A cluster is upgraded node by node so that a set is never missing more than one pod.
The watch history, from the drain to the next state, shows how many pods replaced each evicted pod, and when each was
not Ready. Apart from pods that were not Ready before, no two may be unready at the same time. Pods whose volumes are on
the node can come back only there; if there are several, they must be deleted one after the other. The states before and
after must show that each pod is back with its claims and revision, and that pods on other nodes kept their UID,
containers and restarts. If the watch has a gap, only the states decide, and the reason says so.
Common causes: without a PodDisruptionBudget a drain evicts all pods at once; a pod ended Succeeded or Failed with its
node and is never recreated; a pod is recreated again and again; or a volume cannot be mounted after the kubelet
changed.",
    scenarios: &[Scenario::Upgrade],
    minimum: &[],
    judge: node_upgrade_moves_one_at_a_time,
};

/// The parts of a state about pods and their storage.
const PARTS: [&str; 3] = ["pods", "claims", "volumes"];

fn node_upgrade_moves_one_at_a_time(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let states = states(case)?;
        let mut upgraded = Vec::new();
        for step in steps(&states) {
            match step.stage() {
                Stage::Node { node } => {
                    let told = weigh(case, assessment, step, node);
                    assessment.cite(step.seqs());
                    upgraded.push((step, told));
                }
                Stage::Unseen => return Err(not_seen(step)),
                Stage::ControlPlane { .. } | Stage::Nothing => {}
            }
        }
        if let Some(last) = states.last() {
            assessment.check(came_to_a_state(case, last));
        }
        nodes_left(case, &states).into_iter().for_each(|finding| assessment.reject(finding));
        let across = across(case, upgraded.iter().map(|(step, _)| *step));
        let told: Vec<String> = upgraded.into_iter().map(|(_, told)| told).collect();
        Ok(format!("{}{across}", told.join("; ")))
    })
}

/// Judges the upgrade of a node, and returns what happened to its pods.
fn weigh(case: &Case<'_>, assessment: &mut Assessment, step: Step<'_>, node: &str) -> String {
    let drained = assessment.check(drained(case, step, node));
    let found = compare(case.subject, &step.before.state, &step.after.state);
    let of_pods = found.iter().filter(|classed| PARTS.contains(&classed.difference.part.as_str()));
    of_pods.for_each(|classed| object(assessment, step, classed));
    let before: Vec<String> = pods(case.subject, &step.before.state).collect();
    for away in pods(case.subject, &step.after.state) {
        let seq = step.after.mark.seq;
        let found = if before.contains(&away) { Finding::inconclusive } else { Finding::fail };
        assessment.reject(found(format!("{away} {} (#{seq})", step.stage()), vec![seq]));
    }
    let evicted: Vec<&PodSummary> =
        step.before.state.pods.iter().filter(|pod| pod.node.as_deref() == Some(node)).collect();
    let whole = drained.is_some_and(|since| watched::weigh(case, assessment, step, since, &evicted));
    if evicted.is_empty() {
        return format!("{node} had no pod of the set");
    }
    let names = some_of(evicted.iter().map(|pod| &pod.name));
    let (each, were) = if evicted.len() == 1 { ("", "was") } else { (", one at a time", "were each") };
    // The states do not show who was away when, and how often.
    let how = if whole { format!(" once{each}") } else { String::new() };
    format!("{names} on {node} {were} replaced{how}, in a step of {}", step.took())
}

/// Checks that the node was drained, upgraded and uncordoned. Returns when the drain was asked for.
fn drained(case: &Case<'_>, step: Step<'_>, name: &str) -> Judged<Mark> {
    let drained =
        step.proved(case, &format!("the drain of {name}"), |act| matches!(act, Act::Drain { node } if node == name))?;
    step.proved(
        case,
        &format!("the upgrade of {name}"),
        |act| matches!(act, Act::UpgradeNode { node, .. } if node == name),
    )?;
    step.proved(
        case,
        &format!("the uncordoning of {name}"),
        |act| matches!(act, Act::Uncordon { node } if node == name),
    )?;
    Ok(drained)
}

/// Checks that a state was read after every drain of the upgrade. Otherwise an unmet wait may give the reason.
fn came_to_a_state(case: &Case<'_>, last: &Told) -> Judged<()> {
    let (_, end) = case.span(Scenario::Upgrade);
    let drains = case.acts(|act| matches!(act, Act::Drain { .. }));
    let later = drains.iter().find(|drain| (last.mark.seq..=end).contains(&drain.asked.seq));
    let Some(drain) = later else { return Ok(()) };
    let (act, seq) = (drain.act, drain.asked.seq);
    match case.unmet_wait(seq, end) {
        Some(wait) => {
            let reason = format!("after `{act}` (#{seq}) not all pods were seen to come back: {wait}");
            Err(wait.blame(reason, [seq, wait.mark.seq]))
        }
        None => Err(Finding::inconclusive(format!("no state was read after `{act}` (#{seq})"), [seq])),
    }
}

/// The skipped finding about an upgrade that nobody watched: the order of moves is unknown.
fn not_seen(step: Step<'_>) -> Finding {
    let quote = step.quote();
    Finding::skipped(format!("no watch ran during the upgrade, so the order of the moves is unknown ({quote})"))
}
