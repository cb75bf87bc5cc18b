//! Whether a pod got far enough to run a container.

use serde_json::Value;

use super::{Case, Unmet};
use crate::evidence::{PodLife, WaitOutcome};
use crate::object::{items, number, text};

/// The kubelet's reason for a container that ended repeatedly
/// (<https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy>).
const CRASHES: &str = "CrashLoopBackOff";

impl Case<'_> {
    /// Whether a container of a pod had run when a wait for the pod ended, or the wait became impossible. A pod is
    /// Pending until all its containers have started once, but an init container may have crashed by then.
    pub(crate) fn had_begun(&self, life: &PodLife, wait: &Unmet<'_>) -> bool {
        let never = matches!(wait.outcome, WaitOutcome::Impossible(_));
        let pending = wait.last_seen.starts_with("Pending") && !wait.last_seen.contains(CRASHES);
        never || !pending || self.crashed(life, wait.mark.seq)
    }

    /// Whether a container of a pod had ended with an error by this record.
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
    use serde_json::json;

    use super::*;
    use crate::history::History;

    /// Whether a pod with this container status had begun, if it was Pending until the wait expired.
    fn begun(list: &str, container: &Value) -> bool {
        let mut history = History::of(3);
        history.added("mysql-0");
        history.modified("mysql-0", "status", json!({ "phase": "Pending", list: [container] }));
        history.expired("mysql-0 Ready", "Pending, not Ready");
        let evidence = history.evidence();
        let case = Case::of(&evidence).expect("a run");
        let life = case.timeline.pod_by_uid("0.1").expect("a pod");
        case.had_begun(life, &case.unmet_wait(0, u64::MAX).expect("a wait"))
    }

    #[test]
    fn a_pending_pod_had_begun_where_a_container_of_it_had_crashed() {
        let waiting = |reason: &str| json!({"state": {"waiting": {"reason": reason}}});
        let ended = |code: i32| json!({"state": {"terminated": {"exitCode": code}}});
        let ended_before = |code: i32| json!({"lastState": {"terminated": {"exitCode": code}}});
        for list in ["initContainerStatuses", "containerStatuses"] {
            for crashed in [waiting(CRASHES), ended(1), ended_before(137)] {
                assert!(begun(list, &crashed), "{list}: {crashed}");
            }
            for other in [waiting("ContainerCreating"), ended(0), ended_before(0)] {
                assert!(!begun(list, &other), "{list}: {other}");
            }
        }
    }
}
