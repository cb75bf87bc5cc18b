//! The workload's objects, as compared across an upgrade.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The StatefulSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetSummary {
    /// Its UID.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `status.currentRevision`.
    pub current_revision: String,
    /// `status.updateRevision`.
    pub update_revision: String,
    /// `status.collisionCount`.
    pub collision_count: i64,
    /// `spec.replicas`.
    pub replicas: i64,
    /// `status.readyReplicas`.
    pub ready: i64,
    /// `status.availableReplicas`.
    pub available: i64,
    /// `status.updatedReplicas`.
    pub updated: i64,
    /// `spec.updateStrategy.rollingUpdate.partition`.
    pub partition: i64,
}

/// A ControllerRevision of the set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RevisionSummary {
    /// Its name, which its pods have as a label.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its number.
    pub revision: i64,
    /// The template that it holds.
    pub data: Value,
}

/// A pod of the set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PodSummary {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its containers, by name.
    pub containers: Vec<ContainerSummary>,
    /// The revision that it was created from.
    pub revision: String,
    /// Its node; `None` before it is scheduled.
    pub node: Option<String>,
    /// Its address, the first one of a dual-stack pod; `None` before it has one.
    pub address: Option<String>,
    /// The second address of a dual-stack pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_address: Option<String>,
    /// `spec.hostname`.
    pub hostname: String,
    /// `spec.subdomain`.
    pub subdomain: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `status.phase`.
    pub phase: String,
    /// Whether it is Ready.
    pub ready: bool,
    /// When the Ready condition last changed, by the API server's clock.
    pub ready_since: Option<String>,
    /// The claims of its volumes.
    pub claims: Vec<String>,
}

impl PodSummary {
    /// Its addresses of both families.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.address.as_deref().into_iter().chain(self.other_address.as_deref())
    }
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContainerSummary {
    /// Its name.
    pub name: String,
    /// The runtime's container id, which changes with every start.
    pub id: String,
    /// Its image, as in the pod's spec.
    pub image: String,
    /// How often it restarted.
    pub restarts: i64,
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClaimSummary {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// `status.phase`.
    pub phase: String,
    /// The volume that it is bound to.
    pub volume: String,
    /// Its owners, which decide what garbage collection deletes it with.
    pub owners: Vec<OwnerSummary>,
}

/// An owner reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OwnerSummary {
    /// The owner's kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whether the owner is the managing controller.
    pub controller: bool,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VolumeSummary {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// `status.phase`.
    pub phase: String,
    /// The UID of the claim in its `claimRef`.
    pub claim_uid: String,
    /// `spec.persistentVolumeReclaimPolicy`.
    pub reclaim_policy: String,
}

/// A Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceSummary {
    /// Its UID.
    pub uid: String,
    /// `spec.clusterIP`, literally `None` for a headless Service.
    pub cluster_ip: String,
    /// `spec.selector`.
    pub selector: BTreeMap<String, String>,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// `spec.ipFamilies`; empty in evidence of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_families: Vec<String>,
    /// Its ports: `name protocol number target`.
    pub ports: Vec<String>,
}

/// An endpoint of an EndpointSlice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointSummary {
    /// Its address.
    pub address: String,
    /// The UID of its pod; `None` in a slice that was written by hand.
    pub pod_uid: Option<String>,
    /// The host name that DNS serves for it.
    pub hostname: Option<String>,
    /// `conditions.ready`.
    pub ready: bool,
    /// `conditions.serving`.
    pub serving: bool,
    /// `conditions.terminating`.
    pub terminating: bool,
}

/// The addresses of an Endpoints object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LegacyEndpoints {
    /// The ready addresses.
    pub ready: BTreeSet<String>,
    /// The others.
    pub not_ready: BTreeSet<String>,
}
