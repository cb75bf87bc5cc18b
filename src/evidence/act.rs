//! Disruptions: what the harness did to the workload, each asked for first and proved afterwards.

use serde::{Deserialize, Serialize};

use super::subject::Retention;

/// A disruption was asked for, or is proved to have happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What was done.
    pub act: Act,
    /// `None` when it was asked for; the records that prove it when it happened.
    pub proof: Option<Vec<u64>>,
}

/// A disruption.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// Everything that the run made was deleted.
    Teardown,
}
