//! Acts: what the harness does to the workload. Each act is recorded when it is asked for, and again with its proof.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::subject::Retention;

/// An act was asked for, or is proved to have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fault {
    /// What was done.
    pub act: Act,
    /// `None` when the act was asked for; the sequence numbers of the records that prove it when it happened.
    pub proof: Option<Vec<u64>>,
}

/// One thing that a scenario does to the workload or the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Delete a pod by UID. `grace_s` is the requested grace period, `None` for the pod's own.
    DeletePod {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
        /// Grace period in seconds.
        grace_s: Option<u32>,
    },
    /// Keep a pod from becoming Ready: replace its server's image by one that cannot start.
    Hold {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
    },
    /// Give a held pod its image back; proved when the pod is Ready.
    Release {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
    },
    /// Scale the set.
    Scale {
        /// Replicas before.
        from: u32,
        /// Replicas requested.
        to: u32,
    },
    /// Roll out a harmless change of the pod template to the pods from this index on, counted from the set's first pod;
    /// proved when these pods are Ready with it.
    Roll {
        /// `spec.updateStrategy.rollingUpdate.partition`.
        partition: u32,
    },
    /// Give the pod template an image that cannot start; proved when a pod is stuck with it.
    BreakTemplate,
    /// Restore the pod template as it was before the first change; proved when every pod is Ready with it.
    RevertTemplate,
    /// Apply the manifests a second time.
    Reapply,
    /// Set what happens to the claims of pods that are scaled away
    /// (`spec.persistentVolumeClaimRetentionPolicy.whenScaled`).
    SetClaimPolicy {
        /// The policy.
        when_scaled: Retention,
    },
    /// Delete the claims, after the set and its pods are gone.
    DeleteClaims,
    /// Kill a server inside its pod with SIGKILL; proved when its container has restarted.
    KillServer {
        /// The pod's name.
        pod: String,
        /// Its UID.
        uid: String,
    },
    /// Delete every pod of the set at once; proved when all of them are gone.
    DeleteAllPods,
    /// Freeze all processes of a node.
    PauseNode {
        /// The node.
        node: String,
    },
    /// Let all processes of a paused node continue.
    UnpauseNode {
        /// The node.
        node: String,
    },
    /// Shut a node down.
    StopNode {
        /// The node.
        node: String,
    },
    /// Start a node that was shut down; proved when it is Ready again.
    StartNode {
        /// The node.
        node: String,
    },
    /// Cut the power of nodes: freeze all their processes, stop the file systems below their volumes without writing
    /// anything more, then kill the processes. Proved by the kernel's message about each file system.
    CutPower {
        /// The nodes.
        nodes: Vec<String>,
    },
    /// Give nodes their power back; proved when they are Ready, and their disks have what was synced before the cut and
    /// lack what was not.
    RestorePower {
        /// The nodes.
        nodes: Vec<String>,
    },
    /// Cordon a node and evict its pods of the set; proved when they are gone.
    Drain {
        /// The node.
        node: String,
    },
    /// Let a drained node take pods again.
    Uncordon {
        /// The node.
        node: String,
    },
    /// Replace the cluster's DNS servers; proved when the new ones are Ready.
    RestartDns,
    /// Kill the API server; proved when it answers again.
    RestartApiServer,
    /// Upgrade the control plane and the kubelet on a node to this version; proved when both report it.
    UpgradeControlPlane {
        /// The node.
        node: String,
        /// The version, such as `v1.37.2`.
        to: String,
    },
    /// Upgrade the kubelet of a drained node to this version; proved when the node is Ready and reports it.
    UpgradeNode {
        /// The node.
        node: String,
        /// The version, such as `v1.37.2`.
        to: String,
    },
    /// Start the write ledger with this many writers, each at this many inserts per second.
    StartLedger {
        /// Number of writers.
        writers: u32,
        /// Inserts per second of each writer.
        per_second: u32,
    },
    /// Stop the write ledger; every write then has its outcome.
    StopLedger,
    /// Delete everything that the run made.
    Teardown,
}

impl fmt::Display for Act {
    /// The act in the imperative.
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
            Self::CutPower { nodes } => write!(f, "cut the power of {}", nodes.join(", ")),
            Self::RestorePower { nodes } => write!(f, "restore the power of {}", nodes.join(", ")),
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
