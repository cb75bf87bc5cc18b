//! Waits of the harness that ended without what they waited for.

use std::fmt;

use crate::evidence::{Wait, WaitOutcome};

use super::{
    super::{Finding, words::seconds},
    Seen,
};

/// What the kubelet and the scheduler say of a pod that an image or room on the nodes is missing for
/// (<https://kubernetes.io/docs/concepts/containers/images/> and
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/>).
const INFRASTRUCTURE: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "Unschedulable",
    "nodes are available",
];

impl Seen<'_, Wait> {
    /// What follows from a wait that was not met: a violation, unless the cluster could not give the pod an image or a
    /// node, which says nothing about the workload.
    pub fn blame(&self, reason: String, evidence: impl IntoIterator<Item = u64>) -> Finding {
        self.blame_beside(None, reason, evidence)
    }

    /// The same, where the harness itself made one kind of that trouble: to be rid of it is up to the workload then.
    pub fn blame_beside(&self, own: Option<&str>, reason: String, evidence: impl IntoIterator<Item = u64>) -> Finding {
        let impossible = if let WaitOutcome::Impossible(why) = &self.it.outcome { why } else { "" };
        let said = |trouble: &str| impossible.contains(trouble) || self.it.last_seen.contains(trouble);
        if INFRASTRUCTURE.into_iter().any(|trouble| Some(trouble) != own && said(trouble)) {
            return Finding::inconclusive(format!("infrastructure: {reason}"), evidence);
        }
        Finding::fail(reason, evidence)
    }
}

impl fmt::Display for Seen<'_, Wait> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mark, it } = self;
        write!(f, "`{}` was awaited for {}", it.what, seconds(it.took_us))?;
        if let WaitOutcome::Impossible(why) = &it.outcome {
            write!(f, " and can come no more ({why})")?;
        }
        write!(f, "; last seen: {} (#{})", it.last_seen, mark.seq)
    }
}
