//! Disruptions: what the harness did to the workload, each asked for first and proved afterwards.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::subject::Retention;

/// A disruption was asked for, or is proved to have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fault {
    /// What was done.
    pub act: Act,
    /// `None` when it was asked for; the records that prove it when it happened.
    pub proof: Option<Vec<u64>>,
}

/// A disruption.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// A pod was deleted, by UID. `grace_s` is the grace period asked for, `None` for the pod's own.
    DeletePod {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
        /// Grace period in seconds.
        grace_s: Option<u32>,
    },
    /// A pod was kept from being Ready: its server's image was replaced by one that cannot be started.
    Hold {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
    },
    /// A pod that was held got its image back; proved when it is Ready.
    Release {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
    },
    /// The set was scaled.
    Scale {
        /// Replicas before.
        from: u32,
        /// Replicas asked for.
        to: u32,
    },
    /// A harmless change of the pod template is to reach the pods from this index on, counted from the set's first pod;
    /// proved when they are Ready with it.
    Roll {
        /// `spec.updateStrategy.rollingUpdate.partition`.
        partition: u32,
    },
    /// The pod template got an image that cannot be started; proved when a pod is stuck with it.
    BreakTemplate,
    /// The pod template was made what it had been before the first change; proved when every pod is Ready with it.
    RevertTemplate,
    /// The manifests were applied a second time.
    Reapply,
    /// What becomes of the claims of pods that are scaled away was set
    /// (`spec.persistentVolumeClaimRetentionPolicy.whenScaled`).
    SetClaimPolicy {
        /// The policy.
        when_scaled: Retention,
    },
    /// The claims were deleted: the set and its pods had gone before.
    DeleteClaims,
    /// A server was killed inside its pod by SIGKILL; proved when its container was started again.
    KillServer {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
    },
    /// Every pod of the set was deleted at once; proved when all of them are gone.
    DeleteAllPods,
    /// All processes of a node were stopped where they were.
    PauseNode {
        /// The node.
        node: String,
    },
    /// All processes of a node that was paused went on.
    UnpauseNode {
        /// The node.
        node: String,
    },
    /// A node was shut down.
    StopNode {
        /// The node.
        node: String,
    },
    /// A node that was shut down was started; proved when it is Ready again.
    StartNode {
        /// The node.
        node: String,
    },
    /// A node was cordoned and its pods of the set were evicted; proved when they are gone.
    Drain {
        /// The node.
        node: String,
    },
    /// A node that was drained takes pods again.
    Uncordon {
        /// The node.
        node: String,
    },
    /// The cluster's DNS servers were replaced; proved when the new ones are Ready.
    RestartDns,
    /// The API server was killed; proved when it answers again.
    RestartApiServer,
    /// The control plane on a node was upgraded to this version, with the node's kubelet; proved when both say so.
    UpgradeControlPlane {
        /// The node.
        node: String,
        /// The version, such as `v1.37.2`.
        to: String,
    },
    /// A node that was drained got the kubelet of this version; proved when it is Ready and says so.
    UpgradeNode {
        /// The node.
        node: String,
        /// The version, such as `v1.37.2`.
        to: String,
    },
    /// The write ledger began: so many writers, each with so many inserts a second.
    StartLedger {
        /// Writers.
        writers: u32,
        /// Inserts a second of each.
        per_second: u32,
    },
    /// The write ledger ended: every write has its outcome.
    StopLedger,
    /// Everything that the run made was deleted.
    Teardown,
}

impl fmt::Display for Act {
    /// What is done, in the imperative.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeletePod { pod, .. } => write!(f, "delete {pod}"),
            Self::Hold { pod, .. } => write!(f, "hold {pod} un-Ready"),
            Self::Release { pod, .. } => write!(f, "release {pod}"),
            Self::Scale { from, to } => write!(f, "scale from {from} to {to}"),
            Self::Roll { partition } => write!(f, "update the pods from index {partition} on"),
            Self::BreakTemplate => f.write_str("give the template an image that cannot start"),
            Self::RevertTemplate => f.write_str("revert the template"),
            Self::Reapply => f.write_str("apply the manifests again"),
            Self::SetClaimPolicy { when_scaled } => write!(f, "set the claims' policy whenScaled to {when_scaled:?}"),
            Self::DeleteClaims => f.write_str("delete the claims"),
            Self::KillServer { pod, .. } => write!(f, "kill the server in {pod}"),
            Self::DeleteAllPods => f.write_str("delete every pod at once"),
            Self::PauseNode { node } => write!(f, "pause {node}"),
            Self::UnpauseNode { node } => write!(f, "unpause {node}"),
            Self::StopNode { node } => write!(f, "stop {node}"),
            Self::StartNode { node } => write!(f, "start {node}"),
            Self::Drain { node } => write!(f, "drain {node}"),
            Self::Uncordon { node } => write!(f, "uncordon {node}"),
            Self::RestartDns => f.write_str("replace the DNS servers"),
            Self::RestartApiServer => f.write_str("kill the API server"),
            Self::UpgradeControlPlane { node, to } => write!(f, "upgrade the control plane on {node} to {to}"),
            Self::UpgradeNode { node, to } => write!(f, "upgrade the node {node} to {to}"),
            Self::StartLedger { writers, per_second } => {
                write!(f, "start the ledger: {writers} writers, {per_second} inserts a second each")
            }
            Self::StopLedger => f.write_str("stop the ledger"),
            Self::Teardown => f.write_str("tear everything down"),
        }
    }
}
