//! The faults that a mutant injects, and when.

use serde::Deserialize;
use serde_json::Value;

/// Where in the scenarios a fault is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InjectionPoint {
    /// Every pod is Ready; nothing is asked yet.
    Deployed,
    /// The manifests are about to be applied again.
    Reapplying,
    /// Replication is configured; nothing is written yet.
    Configured,
    /// The rows are written and replicated; nothing is compared yet.
    Written,
    /// The first pod is about to be deleted.
    Restarting,
    /// A pod is about to be held un-Ready.
    Holding,
    /// The StatefulSet is about to be scaled down.
    Scaling,
    /// The last pod was updated; the one before it is about to be deleted.
    Partitioned,
    /// The template was changed for the pods from this ordinal on.
    Rolling {
        /// The partition.
        partition: u32,
    },
    /// The template was reverted.
    Reverted,
    /// Claims are now deleted with their pods; no pod is scaled away yet.
    Claiming,
    /// The StatefulSet is about to get one more pod.
    Growing,
    /// The control plane was upgraded and its controllers work again; the state is not read yet.
    ControlPlaneUpgraded,
    /// A node was upgraded and its pods are back; the state is not read yet.
    NodeUpgraded,
    /// The ledger has ended and the replicas have all of it; nothing is read back yet.
    Settling,
}

/// What is injected at one point.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultInjection {
    /// When.
    pub at: InjectionPoint,
    /// What.
    pub fault: InjectedFault,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum InjectedFault {
    /// Statements for one server.
    Sql {
        /// The pod, counted from the first pod of the StatefulSet.
        pod: u32,
        /// The statements. `{address:N}` becomes the address of pod N, counted likewise.
        statements: Vec<String>,
    },
    /// A strategic merge patch of the StatefulSet.
    Set(Value),
    /// A strategic merge patch of its Service.
    Service(Value),
    /// One pod is deleted, and the controller replaces it.
    ReplacePod {
        /// The pod, counted from the first pod of the StatefulSet.
        pod: u32,
    },
    /// The claims of one pod are deleted. They stay as long as the pod does.
    DeleteClaims {
        /// The pod, counted from the first pod of the StatefulSet.
        pod: u32,
    },
}
