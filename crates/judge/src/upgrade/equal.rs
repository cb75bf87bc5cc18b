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
                steps, except for what the step is to change; and all that was Ready MUST be Ready again.",
    source: "https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/ and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
An upgrade that goes through and leaves something behind is found weeks later. So all that matters is read before it and
after each step: nodes, set, revisions, pods with their containers, claims and volumes with their owners, Service,
endpoints of both kinds, the Corefile and its servers, the control plane, and of each server its identity, transactions,
tables and source. States are compared field by field. The control plane's step may change nothing of the workload; a
node's step replaces the pods that were on it, under the same names, claims and revision. A Corefile may be migrated as
kubeadm does it, as long as no plugin goes that serves the cluster's zone; a component of the control plane may be
started again once. In every state endpoints, EndpointSlices and pods must agree on who is ready.
Usually wrong: a controller that sees a changed template in an old one and makes a revision of it; a kubelet that starts
containers again which it should have found; owners of claims that are stamped anew; or a node that was left cordoned.",
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
        Ok(format!("{} states are equal but for what the steps explain ({}){across}", states.len(), changed.join("; ")))
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
