//! What a run is about: the workload, the versions, the images and the limits. It is the first record that checks need.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is under test, and the expectations that the run was started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The evidence format, [`SCHEMA`](super::SCHEMA).
    pub schema: u32,
    /// Names the run's directory and cluster.
    pub run_id: String,
    /// Version of the harness.
    pub steadfast: String,
    /// Version that the API server reports, such as `v1.37.2`.
    pub kubernetes: String,
    /// The cluster: `kind cluster steadfast-… (3 nodes)`, or the context of one that was there before.
    pub cluster: String,
    /// Images that stand in for those the manifests name, each with the reason.
    pub substitutions: Vec<Substitution>,
    /// The workload, read from its manifests.
    pub subject: Subject,
    /// Limits that checks hold the workload to.
    pub budgets: Budgets,
    /// The scenarios that this run acts out, in order.
    pub scenarios: Vec<String>,
}

/// An image that stands in for another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Substitution {
    /// What the manifests, or the harness, name.
    pub wanted: String,
    /// What runs instead.
    pub image: String,
    /// Why.
    pub why: String,
}

/// The workload under test, as its manifests describe it. No name is written into a check: all come from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Namespace of the StatefulSet and Service.
    pub namespace: String,
    /// The cluster's DNS zone, such as `cluster.local`.
    pub domain: String,
    /// Name of the StatefulSet.
    pub set: String,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.ordinals.start`, 0 unless the manifest says otherwise.
    pub first_ordinal: u32,
    /// `spec.serviceName`: the Service that governs the network identity.
    pub service: String,
    /// `spec.publishNotReadyAddresses` of that Service.
    pub publish_not_ready: bool,
    /// The server's port.
    pub port: u16,
    /// The Service port's name, where it has one: without a name DNS has no SRV record for it.
    pub port_name: Option<String>,
    /// Names of the volumeClaimTemplates.
    pub claims: Vec<String>,
    /// The container that runs the server.
    pub container: String,
    /// `spec.selector.matchLabels`.
    pub selector: BTreeMap<String, String>,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: u32,
}

impl Subject {
    /// The ordinals of `replicas` pods, lowest first.
    pub fn ordinals(&self) -> impl DoubleEndedIterator<Item = u32> + use<> {
        self.first_ordinal..self.first_ordinal + self.replicas
    }

    /// The name of the pod with this ordinal: `<set>-<ordinal>`.
    pub fn pod(&self, ordinal: u32) -> String {
        format!("{}-{ordinal}", self.set)
    }

    /// The names of all pods, lowest ordinal first.
    pub fn pods(&self) -> impl Iterator<Item = String> + '_ {
        self.ordinals().map(|ordinal| self.pod(ordinal))
    }

    /// The ordinal in a pod's name, if the pod belongs to the set.
    pub fn ordinal_of(&self, pod: &str) -> Option<u32> {
        pod.strip_prefix(&self.set)?.strip_prefix('-')?.parse().ok()
    }

    /// The pod that replicas replicate from: the first ordinal.
    pub fn primary(&self) -> String {
        self.pod(self.first_ordinal)
    }

    /// The pods that replicate, lowest ordinal first.
    pub fn replica_pods(&self) -> impl Iterator<Item = String> + '_ {
        self.ordinals().skip(1).map(|ordinal| self.pod(ordinal))
    }

    /// The name of a pod's claim: `<template>-<pod>`.
    pub fn claim(&self, template: &str, pod: &str) -> String {
        format!("{template}-{pod}")
    }

    /// The Service's DNS name, without the trailing dot.
    pub fn service_fqdn(&self) -> String {
        format!("{}.{}.svc.{}", self.service, self.namespace, self.domain)
    }

    /// A pod's stable DNS name, without the trailing dot
    /// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id>).
    pub fn fqdn(&self, pod: &str) -> String {
        format!("{pod}.{}", self.service_fqdn())
    }
}

/// Limits that checks hold the workload to, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budgets {
    /// From the primary's new pod being Ready until every replica has a row written after that.
    pub resume_ms: u64,
    /// A GTID barrier on a replica that is following.
    pub barrier_ms: u64,
}
