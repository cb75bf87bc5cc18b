//! All that an upgrade of the cluster must leave as it is, or may change only in known ways, read at one moment.
//!
//! An upgrade takes the API server away for a while, and with it the history: what is the same before and after is told
//! by comparing two states, not by watching
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#the-resourceversion-parameter>).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::answer::{SqlAnswer, Transport};
use super::timeline::Family;

mod workload;

pub use workload::{
    ClaimSummary, ContainerSummary, EndpointSummary, LegacyEndpoints, OwnerSummary, PodSummary, RevisionSummary,
    ServiceSummary, SetSummary, VolumeSummary,
};

/// The cluster and the workload at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// The cluster's DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Why something of this could not be read, in the words of the server or the probe.
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
