//! Whether cluster and workload are the same after an upgrade as before it.

use super::compare::{Class, Classed, compare};
use super::defects::{Defect, defects};
use super::states::{Step, Told, across, covered, states, steps};
use crate::assessment::{Assessment, judged};
use crate::evidence::{Scenario, Subject};
use crate::words::some_of;
use crate::{CaseFile, Check, Finding};

pub(crate) const STATE_IS_EQUAL_BEFORE_AND_AFTER: Check = Check {
    id: "upgrade::state_is_equal_before_and_after",
    statement: "Objects, identities, data and transactions MUST be the same before an upgrade and after each of its \
                steps, except for what the step is meant to change. Everything that was Ready MUST be Ready again.",
    source: "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/ and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
Damage that an upgrade leaves behind is often found only weeks later.
The state is read before the upgrade and after each step: nodes, set, revisions, pods with their containers, claims and
volumes with their owners, Service, Endpoints and EndpointSlices, the Corefile and its servers, the control plane, and
for each server its identity, transactions, tables and source. States are compared field by field. The step of the
control plane may not change the workload. The step of a node replaces its pods under the same names, claims and
revision. kubeadm may migrate the Corefile if all plugins that serve the cluster's zone stay. A component of the control
plane may restart once. In each state Endpoints, EndpointSlices and pods must agree on which pods are ready.
Common causes: a controller takes an old template for a changed one and makes a revision of it; a kubelet restarts
containers that it should have kept; owners of claims are set anew; or a node was left cordoned.",
    scenarios: &[Scenario::Upgrade],
    minimum: &[],
    judge: state_is_equal_before_and_after,
};

fn state_is_equal_before_and_after(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let states = states(case)?;
        let mut known = Vec::new();
        for (place, told) in states.iter().enumerate() {
            let found = defects(case.subject, &told.state);
            object_to_defects(assessment, told, &found, |defect| place == 0 || known.contains(defect));
            known = found;
        }
        let mut changed = Vec::new();
        for step in steps(&states) {
            changed.push(weigh(assessment, case.subject, step));
            assessment.cite(step.seqs());
        }
        covered(case, assessment, &states);
        let across = across(case, steps(&states));
        Ok(format!(
            "{} states are equal except for what the steps explain ({}){across}",
            states.len(),
            changed.join("; ")
        ))
    })
}

/// Holds defects against the upgrade, unless they were there before.
fn object_to_defects(assessment: &mut Assessment, told: &Told, found: &[Defect], known: impl Fn(&Defect) -> bool) {
    let (seq, stage) = (told.mark.seq, &told.state.stage);
    for defect in found {
        let reason = format!("{} {stage} (#{seq})", defect.what);
        let open = defect.class == Class::Open || known(defect);
        assessment.reject(if open { Finding::inconclusive(reason, [seq]) } else { Finding::fail(reason, [seq]) });
    }
}

/// Judges the differences that a step made, and returns what it changed.
fn weigh(assessment: &mut Assessment, subject: &Subject, step: Step<'_>) -> String {
    let found = compare(subject, &step.before.state, &step.after.state);
    for classed in &found {
        object(assessment, step, classed);
    }
    let mut changed: Vec<String> = found.iter().map(|classed| classed.difference.subject()).collect();
    changed.dedup();
    let changed = if changed.is_empty() { "nothing changed".to_owned() } else { some_of(changed) };
    format!("{}: {changed}", step.stage())
}

/// Holds a difference against the property, unless the step explains it.
pub(super) fn object(assessment: &mut Assessment, step: Step<'_>, classed: &Classed) {
    let reason = format!("{}, during {} ({})", classed.words(), step.stage().step(), step.quote());
    match classed.class {
        Class::Allowed => {}
        Class::Open => assessment.reject(Finding::inconclusive(reason, step.seqs())),
        Class::Wrong => assessment.reject(Finding::fail(reason, step.seqs())),
    }
}
