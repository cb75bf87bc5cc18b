//! The label that holds a pod's ordinal.

use crate::assessment::{Judged, judged};
use crate::evidence::{PodLife, Scenario};
use crate::words::short;
use crate::{CaseFile, Check, Finding, expectation};

const LABEL: &str = "apps.kubernetes.io/pod-index";

pub(crate) const POD_INDEX_LABEL_MATCHES: Check = Check {
    id: "identity::pod_index_label_matches",
    statement: "The label apps.kubernetes.io/pod-index MUST exist and equal the pod's ordinal.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-index-label",
    explain: "\
A server may take its server_id from this label through the downward API. With a wrong label two servers can get the
same server_id.
The label is checked on each pod in the Pod watch for as long as the pod exists. The ordinal is the number in the pod's
name, which starts at spec.ordinals.start. Kubernetes sets the label from version 1.28 on (feature gate PodIndexLabel);
on older versions the check is skipped. A cluster with an unreadable version counts as new.
Common causes: no manifest can cause this. Look for an admission webhook or a policy that rewrites labels, or for a
controller manager with the feature gate off.",
    scenarios: &[Scenario::Deploy],
    minimum: &[],
    judge: pod_index_label_matches,
};

fn pod_index_label_matches(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let ruling = expectation::pod_index_label(case.run);
        if !ruling.holds {
            return Err(Finding::skipped(format!("this cluster does not set the label {LABEL}: {}", ruling.why)));
        }
        let lives: Vec<_> = case.shown_pods().collect();
        for life in &lives {
            let ordinal = case.subject.ordinal_of(&life.name).map(|ordinal| ordinal.to_string());
            let matched = assessment.check(matches(life, ordinal.as_deref(), &ruling.why));
            matched.into_iter().for_each(|seq| assessment.cite([seq]));
        }
        for pod in case.subject.pods().filter(|pod| lives.iter().all(|life| life.name != *pod)) {
            assessment.reject(Finding::inconclusive(format!("{pod} was never seen"), []));
        }
        if let Some(gap) = case.gap("Pod", 0, case.timeline.last_seq) {
            return Err(gap);
        }
        Ok(format!("{LABEL} was the ordinal on all {} pods ({})", lives.len(), ruling.why))
    })
}

/// Checks that a pod's label always is its ordinal, because its container may have read any other value. Returns the
/// record that shows the pod.
fn matches(life: &PodLife, ordinal: Option<&str>, why: &str) -> Judged<u64> {
    let wrong = life.labels.iter().find(|change| change.value.get(LABEL).map(String::as_str) != ordinal);
    let Some(wrong) = wrong else { return Ok(life.added.seq) };
    let (seq, which) = (wrong.since.seq, format!("{} (uid {})", life.name, short(&life.uid)));
    match wrong.value.get(LABEL) {
        Some(label) => Err(Finding::fail(format!("the label {LABEL} of {which} is `{label}` (#{seq})"), [seq])),
        None => Err(Finding::fail(format!("{which} has no label {LABEL} (#{seq}); it must have one: {why}"), [seq])),
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
    use crate::evidence::What;
    use crate::history::History;

    const INDEX: &str = "identity::pod_index_label_matches";

    /// A good run on this version with another label on the last pod's second life; a null label is removed.
    fn labelled(kubernetes: &str, label: serde_json::Value) -> History {
        History::good().edit(|what| match what {
            What::Run(run) => run.kubernetes = kubernetes.to_owned(),
            What::Object(event) if event.object["metadata"]["uid"] == "2.2" => {
                event.object["metadata"]["labels"][super::LABEL] = label.clone();
            }
            _ => {}
        })
    }

    #[test]
    fn a_label_that_is_the_ordinal_passes() {
        assert_snapshot!(History::good().expect(INDEX, Pass), @"apps.kubernetes.io/pod-index was the ordinal on all 23 pods (Kubernetes v1.37.2 ≥ 1.28)");
        assert_snapshot!(labelled("v1.28.0-eks-1", json!("2")).expect(INDEX, Pass), @"apps.kubernetes.io/pod-index was the ordinal on all 23 pods (Kubernetes v1.28.0-eks-1 ≥ 1.28)");
    }

    #[test]
    fn a_label_that_is_another_fails_in_whichever_life() {
        for label in ["0", "02", ""] {
            let reason = labelled("v1.37.2", json!(label)).expect(INDEX, Fail);
            assert!(reason.contains(&format!("of mysql-2 (uid 2.2) is `{label}`")), "{reason}");
        }
    }

    #[test]
    fn a_label_that_is_missing_fails_where_there_must_be_one() {
        assert_snapshot!(labelled("v1.37.2", json!(null)).expect(INDEX, Fail), @"mysql-2 (uid 2.2) has no label apps.kubernetes.io/pod-index (#152); it must have one: Kubernetes v1.37.2 ≥ 1.28");
        assert_snapshot!(labelled("mystery", json!(null)).expect(INDEX, Fail), @"mysql-2 (uid 2.2) has no label apps.kubernetes.io/pod-index (#152); it must have one: `mystery` is not a known Kubernetes version, so the newest is assumed");
        assert_snapshot!(labelled("v1.27.16", json!(null)).expect(INDEX, Skipped), @"this cluster does not set the label apps.kubernetes.io/pod-index: Kubernetes v1.27.16 < 1.28");
    }

    #[test]
    fn a_pod_that_was_not_seen_leaves_it_open() {
        let mut history = History::of(2);
        history.starts("mysql-0");
        assert_snapshot!(history.expect(INDEX, Inconclusive), @"mysql-1 was never seen");
        History::good().lost("Pod", |what| matches!(what, What::Dns(_))).expect(INDEX, Inconclusive);
        labelled("v1.37.2", json!("0")).lost("Pod", |what| matches!(what, What::Dns(_))).expect(INDEX, Fail);
    }
}
