//! Why a scenario could not be acted to its end.

use std::time::Duration;

use crate::cluster::kind::CommandError;
use crate::record::WaitError;
use crate::workload::{ApplyError, ManifestError};

/// A scenario could not be acted to its end. What it recorded until then is evidence all the same.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A wait ended without what was awaited.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// A manifest of the harness's own is not one.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The API server refused an object.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The API server could not be asked.
    #[error("cannot {what}: {source}")]
    Api {
        /// What was tried.
        what: String,
        /// What happened.
        source: Box<kube::Error>,
    },
    /// The engine did not do something to a node.
    #[error(transparent)]
    Node(#[from] CommandError),
    /// No node may be disrupted.
    #[error("no node with a pod of the set can be {what}: {why}; give the cluster more nodes by --nodes")]
    NoNode {
        /// What was to be done to it.
        what: &'static str,
        /// What each of them carries.
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
    /// The end of the scenarios came first, since the workload did not come back.
    #[error("cut short {after:?} after the workload had been awaited in vain")]
    CutShort {
        /// How long after that.
        after: Duration,
    },
    /// The witness did not do with its ledger what the scenario needs.
    #[error("the witness did not {what}: {reason}")]
    Ledger {
        /// What was asked of it.
        what: String,
        /// Why not.
        reason: String,
    },
}

/// A node that did not come back with a newer kubelet, and what became of it.
#[derive(Debug, thiserror::Error)]
#[error(
    "{node} did not come back with the kubelet {to} ({source}); it ended with: {said}; {after}; mend its flags or its \
     configuration before the next upgrade; its log: logs/{file}"
)]
pub struct LostNode {
    /// The node.
    pub node: String,
    /// The version that it was to have.
    pub to: String,
    /// What was waited for in vain.
    pub source: ScenarioError,
    /// The new kubelet's last error.
    pub said: String,
    /// What became of the node then.
    pub after: String,
    /// The log, among the run's logs.
    pub file: String,
}
