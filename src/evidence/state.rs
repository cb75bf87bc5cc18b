//! All that an upgrade of the cluster must leave as it is, or may change only in known ways, read at one moment.
//!
//! An upgrade takes the API server away for a while, and with it the history: what is the same before and after is told
//! by comparing two states, not by watching
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#the-resourceversion-parameter>).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::{SqlAnswer, Transport};
use super::timeline::Family;

/// The cluster and the workload at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// After which step of the upgrade.
    pub stage: Stage,
    /// The API server's version, such as `v1.37.2`.
    pub kubernetes: String,
    /// The nodes, by name.
    pub nodes: Vec<NodeSummary>,
    /// The StatefulSet.
    pub set: SetSummary,
    /// The set's revisions, oldest first.
    pub revisions: Vec<RevisionSummary>,
    /// The set's pods, lowest ordinal first.
    pub pods: Vec<PodSummary>,
    /// The claims of the set's pods, by name.
    pub claims: Vec<ClaimSummary>,
    /// The volumes that these are bound to, by name.
    pub volumes: Vec<VolumeSummary>,
    /// The Service that governs the set.
    pub service: ServiceSummary,
    /// The endpoints of the Service as EndpointSlices have them, all slices together, by address.
    pub endpoints: Vec<EndpointSummary>,
    /// The addresses that the older Endpoints object has, where there is one.
    pub legacy_endpoints: Option<LegacyEndpoints>,
    /// The cluster's DNS.
    pub dns: DnsSetup,
    /// The pods of the control plane, by name; none where the cluster hides them.
    pub control_plane: Vec<ComponentSummary>,
    /// What the servers say of themselves, lowest ordinal first; read while the ledger rested.
    pub servers: Vec<ServerSummary>,
    /// What DNS answered.
    pub answers: Vec<NameAnswer>,
}

/// After which step of an upgrade a state was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "after", rename_all = "snake_case")]
pub enum Stage {
    /// None yet.
    Nothing,
    /// The control plane on this node was upgraded, with the node's kubelet.
    ControlPlane {
        /// The node.
        node: String,
    },
    /// This node was drained, its kubelet upgraded, and the node uncordoned.
    Node {
        /// The node.
        node: String,
    },
    /// Whoever runs the cluster upgraded it, and nobody watched.
    Unseen,
}

impl State {
    /// The families of the addresses that DNS must give: those of the Service, or else that of the pods' first address.
    pub fn families(&self) -> Vec<Family> {
        let named = Family::named(self.service.ip_families.iter().map(String::as_str));
        if !named.is_empty() {
            return named;
        }
        let mut addresses = self.pods.iter().filter_map(|pod| pod.address.as_ref()?.parse().ok());
        vec![addresses.next().map_or(Family::Four, Family::of)]
    }
}

impl Stage {
    /// The step that led here, as the end of `during …`.
    pub fn step(&self) -> String {
        match self {
            Self::Nothing => "the time before the upgrade".to_owned(),
            Self::ControlPlane { node } => format!("the upgrade of the control plane on {node}"),
            Self::Node { node } => format!("the upgrade of the node {node}"),
            Self::Unseen => "the upgrade".to_owned(),
        }
    }
}

impl fmt::Display for Stage {
    /// What had been done, as the end of `the state …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("before the upgrade"),
            Self::ControlPlane { node } => write!(f, "after the control plane on {node}"),
            Self::Node { node } => write!(f, "after the node {node}"),
            Self::Unseen => f.write_str("after the upgrade"),
        }
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeSummary {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its kubelet's version.
    pub kubelet: String,
    /// Whether it is Ready.
    pub ready: bool,
    /// Whether it takes pods.
    pub schedulable: bool,
}

/// The StatefulSet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
pub struct RevisionSummary {
    /// Its name, which pods made from it bear as a label.
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
pub struct PodSummary {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Its containers, by name.
    pub containers: Vec<ContainerSummary>,
    /// The revision it was made from.
    pub revision: String,
    /// Its node; none while it is Pending.
    pub node: Option<String>,
    /// Its address; none while it has none. Of a dual-stack pod it is the first one.
    pub address: Option<String>,
    /// The address of the other family that a dual-stack pod has.
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
    /// When the Ready condition last changed, as the API server has it.
    pub ready_since: Option<String>,
    /// The claims that its volumes are on.
    pub claims: Vec<String>,
}

impl PodSummary {
    /// Its addresses of either family.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        self.address.as_deref().into_iter().chain(self.other_address.as_deref())
    }
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSummary {
    /// Its name.
    pub name: String,
    /// The runtime's id of it, which changes with every start.
    pub id: String,
    /// Its image, as its pod asks for it.
    pub image: String,
    /// How often it was started again.
    pub restarts: i64,
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimSummary {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// `status.phase`.
    pub phase: String,
    /// The volume that it is bound to.
    pub volume: String,
    /// Who owns it, which decides what goes with whom.
    pub owners: Vec<OwnerSummary>,
}

/// An owner reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnerSummary {
    /// The owner's kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whether it is the managing controller.
    pub controller: bool,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSummary {
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// `status.phase`.
    pub phase: String,
    /// The UID of the claim that it is for.
    pub claim_uid: String,
    /// `spec.persistentVolumeReclaimPolicy`.
    pub reclaim_policy: String,
}

/// A Service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceSummary {
    /// Its UID.
    pub uid: String,
    /// `spec.clusterIP`, `None` in a word for a headless one.
    pub cluster_ip: String,
    /// `spec.selector`.
    pub selector: BTreeMap<String, String>,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// `spec.ipFamilies`; none in evidence of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ip_families: Vec<String>,
    /// Its ports: `name protocol number target`.
    pub ports: Vec<String>,
}

/// An endpoint of an EndpointSlice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSummary {
    /// Its address.
    pub address: String,
    /// The pod that it is; none of a slice that somebody wrote by hand.
    pub pod_uid: Option<String>,
    /// The host name that DNS has for it.
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
pub struct LegacyEndpoints {
    /// Those that are ready.
    pub ready: BTreeSet<String>,
    /// Those that are not.
    pub not_ready: BTreeSet<String>,
}

/// The cluster's DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsSetup {
    /// The Corefile's text.
    pub corefile: String,
    /// The servers' image, which tells the version.
    pub image: String,
    /// How many servers are wanted.
    pub wanted: i64,
    /// How many are Ready.
    pub ready: i64,
}

/// A pod of the control plane.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentSummary {
    /// The component, such as `kube-controller-manager`.
    pub component: String,
    /// Its node.
    pub node: String,
    /// Its pod's UID.
    pub uid: String,
    /// Its image.
    pub image: String,
    /// Whether it is Ready.
    pub ready: bool,
    /// How often its container was started again.
    pub restarts: i64,
}

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSummary {
    /// Its pod.
    pub pod: String,
    /// `@@hostname`.
    pub hostname: String,
    /// `@@server_id`.
    pub server_id: String,
    /// `@@server_uuid`; empty where the server has none.
    pub server_uuid: String,
    /// `@@version`.
    pub version: String,
    /// The transactions that it has executed.
    pub gtid_executed: String,
    /// Every table with its checksum, but for that of the witness's ledger, which is judged by its own account.
    pub tables: BTreeMap<String, Option<String>>,
    /// The host that it replicates from.
    pub source: Option<String>,
    /// Why something of this could not be read, in the words of [`SqlAnswer::trouble`].
    pub trouble: Option<String>,
}

/// What a question came to that says nothing about the server.
const UNUSABLE: &str = "gave no usable answer";

impl SqlAnswer {
    /// What kept a question from being answered, with the server as the subject: `could not be reached: …`.
    pub fn trouble(&self) -> Option<String> {
        match self {
            Self::Rows(_) => None,
            Self::Error { code, message } => Some(format!("answered error {code}: {message}")),
            Self::Unreachable { message } => Some(format!("could not be reached: {message}")),
            Self::Broken { message } => Some(format!("{UNUSABLE}: {message}")),
        }
    }
}

impl ServerSummary {
    /// Whether the trouble is the probe's own, and so says nothing about the server.
    pub fn was_not_asked(&self) -> bool {
        self.trouble.as_deref().is_some_and(|trouble| trouble.contains(UNUSABLE))
    }
}

/// A DNS answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameAnswer {
    /// The namespace of the pod that asked.
    pub from: String,
    /// The DNS server's pod.
    pub server: String,
    /// UDP or TCP.
    pub transport: Transport,
    /// The absolute name, without the trailing dot.
    pub name: String,
    /// The record type.
    pub record_type: String,
    /// `NOERROR`, `NXDOMAIN` …; none where no answer came.
    pub rcode: Option<String>,
    /// The records' data.
    pub data: BTreeSet<String>,
}

/// What a check concluded of the workload that was deployed once more after an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conformed {
    /// The check.
    pub id: String,
    /// `pass`, `fail`, `inconclusive` or `skipped`.
    pub verdict: String,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
mod tests;
