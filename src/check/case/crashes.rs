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
