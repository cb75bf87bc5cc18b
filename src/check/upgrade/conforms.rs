//! Whether the upgraded cluster does what the old one did.

use crate::evidence::{Conformed, Evidence, SnapshotOf};

use super::super::{Check, Finding, opinion::judged};

pub(in super::super) const NEW_VERSION_STILL_CONFORMS: Check = Check {
    id: "upgrade::new_version_still_conforms",
    statement: "On the upgraded cluster every check of the catalogue MUST pass that applies to the workload.",
    source: "https://kubernetes.io/releases/version-skew-policy/ and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/",
    explain: "\
A cluster can come through an upgrade unharmed and behave differently from then on: a set that does not roll back, a pod
below the partition that comes back with the new template, DNS that is late. No comparison of two states shows that. So
the workload is deployed once more on the upgraded cluster, in a namespace of its own, and every scenario and check is
run; what each concluded is taken over here. One that failed fails this; one that could not decide leaves it open.
The details are in the evidence of that run, which is a log of its own.
Usually wrong: what the failed check's own explanation says; then the release notes of the new version, and its feature
gates.",
    scenarios: &["upgrade"],
    minimum: &[],
    judge: new_version_still_conforms,
};

fn new_version_still_conforms(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let snapshot = case
            .snapshot(SnapshotOf::Conformance)
            .ok_or_else(|| Finding::inconclusive("the checks were not run on the upgraded cluster", []))?;
        let seq = snapshot.mark.seq;
        let told: Vec<Conformed> = serde_json::from_value(snapshot.value.clone())
            .map_err(|error| Finding::inconclusive(format!("the verdicts of #{seq} cannot be read: {error}"), [seq]))?;
        let (mut passed, mut skipped) = (0, 0);
        for Conformed { id, verdict, reason } in &told {
            let reason = format!("{id}: {reason} (#{seq})");
            match verdict.as_str() {
                "pass" => passed += 1,
                "skipped" => skipped += 1,
                "fail" => opinion.object(Finding::fail(reason, [seq])),
                _ => opinion.object(Finding::inconclusive(reason, [seq])),
            }
        }
        opinion.prove([seq]);
        if passed == 0 {
            let reason = format!("none of {} checks passed on the upgraded cluster (#{seq})", told.len());
            return Err(Finding::inconclusive(reason, [seq]));
        }
        Ok(format!("{passed} checks passed on the upgraded cluster and {skipped} did not apply (#{seq})"))
    })
}
