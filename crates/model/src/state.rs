//! The state of cluster and workload at one time: what an upgrade of the cluster must not change, or may change only in
//! known ways.
//!
//! An upgrade interrupts the API server and with it the watch history. So two states are compared instead of watching
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

/// The cluster and the workload at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct State {
    /// The step of the upgrade after which it was read.
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
    /// The volumes that the claims are bound to, by name.
    pub volumes: Vec<VolumeSummary>,
    /// The Service that governs the set.
    pub service: ServiceSummary,
    /// The endpoints of the Service from all its EndpointSlices, by address.
    pub endpoints: Vec<EndpointSummary>,
    /// The addresses of the older Endpoints object, if there is one.
    pub legacy_endpoints: Option<LegacyEndpoints>,
    /// The cluster's DNS.
    pub dns: DnsSetup,
    /// The pods of the control plane, by name; empty if the cluster hides them.
    pub control_plane: Vec<ComponentSummary>,
    /// What the servers report of themselves, lowest ordinal first; read while the ledger was paused.
    pub servers: Vec<ServerSummary>,
    /// What DNS answered.
    pub answers: Vec<NameAnswer>,
}

/// The step of an upgrade after which a state was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "after", rename_all = "snake_case")]
pub enum Stage {
    /// No step yet.
    Nothing,
    /// The control plane and the kubelet on this node were upgraded.
    ControlPlane {
        /// The node.
        node: String,
    },
    /// This node was drained, its kubelet upgraded, and the node uncordoned.
    Node {
        /// The node.
        node: String,
    },
    /// Somebody else upgraded the cluster, and the harness did not watch.
    Unseen,
}

impl State {
    /// The address families that DNS must serve: those of the Service, or else that of the pods' first address.
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
    /// The step that led to this stage, as the end of `during …`.
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
    /// The stage, as the end of `the state …`.
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
    /// Whether pods can be scheduled to it.
    pub schedulable: bool,
}

/// The cluster's DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DnsSetup {
    /// The Corefile's text.
    pub corefile: String,
    /// The image of the DNS servers, which shows the version.
    pub image: String,
    /// The wanted number of servers.
    pub wanted: i64,
    /// The number of Ready servers.
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
    /// How often its container restarted.
    pub restarts: i64,
}

/// What a server reports of itself.
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
    /// Every table with its checksum, except the witness's ledger, which has checks of its own.
    pub tables: BTreeMap<String, Option<String>>,
    /// The host that it replicates from.
    pub source: Option<String>,
    /// Why a part of this could not be read, in the words of the server or the probe.
    pub trouble: Option<String>,
}

/// The words for an answer that says nothing about the server.
const UNUSABLE: &str = "gave no usable answer";

impl SqlAnswer {
    /// Why a question got no rows, as a predicate of the server: `could not be reached: …`.
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
    /// `NOERROR`, `NXDOMAIN` …; `None` if no answer came.
    pub rcode: Option<String>,
    /// The records' data.
    pub data: BTreeSet<String>,
}

/// The verdict of a check on the workload that was deployed again after an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Conformed {
    /// The check's id.
    pub id: String,
    /// `pass`, `fail`, `inconclusive` or `skipped`.
    pub verdict: String,
    /// The reason.
    pub reason: String,
}

#[cfg(test)]
mod tests;
