//! Why a scenario could not be completed.

use std::time::Duration;

use crate::cluster::kind::CommandError;
use crate::record::WaitError;
use crate::workload::{ApplyError, ManifestError};

/// A scenario could not be completed. Its records up to then are evidence all the same.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A wait failed.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// A manifest of the harness itself is invalid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The API server rejected an object.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The API server could not be asked.
    #[error("cannot {what}: {source}")]
    Api {
        /// What was tried.
        what: String,
        /// The API server's error.
        source: Box<kube::Error>,
    },
    /// The engine failed to do something to a node.
    #[error(transparent)]
    Node(#[from] CommandError),
    /// No node may be disrupted.
    #[error("no node with a pod of the StatefulSet can be {what}: {why}; give the cluster more nodes with --nodes")]
    NoNode {
        /// What the scenario would do to it.
        what: &'static str,
        /// What each node carries.
        why: String,
    },
    /// A server, or a node, did not do what the scenario needs.
    #[error("{pod} did not {what}: {answer}")]
    Server {
        /// The pod, or the node.
        pod: String,
        /// What was asked of it.
        what: String,
        /// What it answered.
        answer: String,
    },
    /// A node did not come back with a newer kubelet.
    #[error(transparent)]
    Lost(Box<LostNode>),
    /// The scenarios were cut short because the workload did not come back.
    #[error("cut short {after:?} after a wait for the workload had failed")]
    CutShort {
        /// The time since the failed wait.
        after: Duration,
    },
    /// The witness failed to do what the scenario needs with its ledger.
    #[error("the witness did not {what}: {reason}")]
    Ledger {
        /// What was asked of it.
        what: String,
        /// Why not.
        reason: String,
    },
}

/// A node that did not come back with a newer kubelet, and its fate.
#[derive(Debug, thiserror::Error)]
#[error(
    "{node} did not come back with the kubelet {to} ({source}); its last error: {said}; {after}; correct its flags or \
     its configuration before the next upgrade; its log: logs/{file}"
)]
pub struct LostNode {
    /// The node.
    pub node: String,
    /// The version that it should have had.
    pub to: String,
    /// The wait that failed.
    pub source: ScenarioError,
    /// The new kubelet's last error.
    pub said: String,
    /// What was done with the node then.
    pub after: String,
    /// The name of the log file in the run's log folder.
    pub file: String,
}
