//! Whether a pod came so far as to run anything.

use serde_json::Value;

use crate::{
    evidence::{PodLife, WaitOutcome},
    object::{items, number, text},
};

use super::{Case, Unmet};

/// What the kubelet says of a container that ended again and again
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>).
const CRASHES: &str = "CrashLoopBackOff";

impl Case<'_> {
    /// Whether something of a pod had run when a wait for it ended, or never can. A pod is Pending until all its containers
    /// were started once, but one that prepares it may have crashed by then.
    pub fn had_begun(&self, life: &PodLife, wait: &Unmet<'_>) -> bool {
        let never = matches!(wait.outcome, WaitOutcome::Impossible(_));
        let pending = wait.last_seen.starts_with("Pending") && !wait.last_seen.contains(CRASHES);
        never || !pending || self.crashed(life, wait.mark.seq)
    }

    /// Whether a container of a pod had ended with an error by a record.
    fn crashed(&self, life: &PodLife, until: u64) -> bool {
        let failed = |status: &Value| {
            let ended = ["/state/terminated/exitCode", "/lastState/terminated/exitCode"];
            ended.iter().any(|code| number(status, code) != 0) || text(status, "/state/waiting/reason") == Some(CRASHES)
        };
        let mut events = self.object("Pod", &life.name, life.added.seq, until);
        events.any(|event| {
            let object = &event.it.object;
            let statuses = ["/status/initContainerStatuses", "/status/containerStatuses"];
            let own = text(object, "/metadata/uid") == Some(life.uid.as_str());
            own && statuses.iter().any(|list| items(object, list).any(failed))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::history::History;
    use super::*;

    /// Whether a container of a pod with these statuses had ended with an error.
    fn crashed(statuses: Value) -> bool {
        let mut history = History::of(1);
        history.added("mysql-0");
        history.modified("mysql-0", "status", json!({"phase": "Pending", "initContainerStatuses": statuses}));
        let evidence = history.evidence();
        let case = Case::of(&evidence).expect("a run");
        case.crashed(&case.timeline.pods[0], u64::MAX)
    }

    #[test]
    fn a_container_crashed_that_ended_with_an_error_or_waits_after_several() {
        assert!(crashed(json!([{"state": {"terminated": {"exitCode": 1}}}])));
        assert!(crashed(json!([{"lastState": {"terminated": {"exitCode": 137}}}])));
        assert!(crashed(json!([{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}])));
        assert!(!crashed(json!([{"state": {"terminated": {"exitCode": 0}}}])));
        assert!(!crashed(json!([{"state": {"waiting": {"reason": "PodInitializing"}}}])));
    }
}
