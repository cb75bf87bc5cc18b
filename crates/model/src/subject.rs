//! The workload under test.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The workload under test, as its manifests describe it. Checks take all names from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Subject {
    /// Namespace of the StatefulSet and Service.
    pub namespace: String,
    /// The cluster's DNS zone, such as `cluster.local`.
    pub domain: String,
    /// Name of the StatefulSet.
    pub set: String,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.ordinals.start`, 0 by default.
    pub first_ordinal: u32,
    /// `spec.serviceName`: the Service that governs the network identity.
    pub service: String,
    /// `spec.publishNotReadyAddresses` of that Service.
    pub publish_not_ready: bool,
    /// The server's port.
    pub port: u16,
    /// The named ports of the Service, with the numbers that pods listen on: DNS has an SRV record for each of these
    /// and for no other port.
    #[serde(default)]
    pub named_ports: Vec<NamedPort>,
    /// Names of the volumeClaimTemplates.
    pub claims: Vec<String>,
    /// The container that runs the server.
    pub container: String,
    /// `spec.selector.matchLabels`.
    pub selector: BTreeMap<String, String>,
    /// `spec.minReadySeconds`.
    pub min_ready_seconds: u32,
    /// `spec.podManagementPolicy`.
    #[serde(default)]
    pub pod_management: PodManagement,
    /// Whether `spec.updateStrategy` is `OnDelete`: only the user replaces pods then.
    #[serde(default)]
    pub on_delete: bool,
    /// `spec.updateStrategy.rollingUpdate.partition`, counted from the set's first pod.
    #[serde(default)]
    pub partition: u32,
    /// `spec.updateStrategy.rollingUpdate.maxUnavailable` in pods.
    #[serde(default = "one")]
    pub max_unavailable: u32,
    /// `spec.persistentVolumeClaimRetentionPolicy`.
    #[serde(default)]
    pub claim_policy: ClaimPolicy,
}

fn one() -> u32 {
    1
}

/// Whether pods are created and deleted one after the other
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-management-policies>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PodManagement {
    /// Each waits until those before it are Ready.
    #[default]
    OrderedReady,
    /// None waits for another one.
    Parallel,
}

/// A named port of the Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NamedPort {
    /// Its name.
    pub name: String,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// The number that pods listen on, which the SRV records of a headless Service give.
    pub number: u16,
}

/// What happens to claims
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClaimPolicy {
    /// When the set is deleted.
    pub when_deleted: Retention,
    /// When the claim's pod is scaled away.
    pub when_scaled: Retention,
}

/// Whether a claim is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Retention {
    /// It is kept.
    #[default]
    Retain,
    /// It is deleted.
    Delete,
}

/// The largest number of replicas that a run supports.
pub const MAX_REPLICAS: u32 = 1_000;

impl Subject {
    /// The ordinals of `replicas` pods, lowest first.
    pub fn ordinals(&self) -> impl DoubleEndedIterator<Item = u32> + use<> {
        self.first_ordinal..self.first_ordinal.saturating_add(self.replicas)
    }

    /// The name of the pod with this ordinal: `<set>-<ordinal>`.
    pub fn pod(&self, ordinal: u32) -> String {
        format!("{}-{ordinal}", self.set)
    }

    /// The names of all pods, lowest ordinal first.
    pub fn pods(&self) -> impl Iterator<Item = String> + '_ {
        self.ordinals().map(|ordinal| self.pod(ordinal))
    }

    /// The ordinal in the name of a pod of the set, `None` for other names. The controller writes no leading zeros.
    pub fn ordinal_of(&self, pod: &str) -> Option<u32> {
        let digits = pod.strip_prefix(&self.set)?.strip_prefix('-')?;
        let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
        digits.parse().ok().filter(|_| canonical)
    }

    /// Why no pod follows a change of the template: with OnDelete only the user replaces pods, and a partition above
    /// the last pod holds all of them back. `None` if pods follow.
    pub fn keeps_from_updates(&self) -> Option<String> {
        if self.on_delete {
            return Some("the update strategy is OnDelete: nobody but the user replaces pods".to_owned());
        }
        (self.partition >= self.replicas)
            .then(|| format!("the set's own partition, {}, keeps every pod from being updated", self.partition))
    }

    /// Whether pods follow a change of the template.
    pub fn is_updatable(&self) -> bool {
        self.keeps_from_updates().is_none()
    }

    /// The pod that replicas replicate from: the one with the first ordinal.
    pub fn primary(&self) -> String {
        self.pod(self.first_ordinal)
    }

    /// The pods that replicate, lowest ordinal first.
    pub fn replica_pods(&self) -> impl Iterator<Item = String> + '_ {
        self.ordinals().skip(1).map(|ordinal| self.pod(ordinal))
    }

    /// The name of the pod with this index, counted from the set's first pod.
    pub fn nth(&self, index: u32) -> String {
        self.pod(self.first_ordinal.saturating_add(index))
    }

    /// A pod's index, counted from the set's first pod; `None` if it is not a pod of the set.
    pub fn index_of(&self, pod: &str) -> Option<u32> {
        self.ordinal_of(pod)?.checked_sub(self.first_ordinal)
    }

    /// The name of a pod's claim: `<template>-<pod>`.
    pub fn claim(&self, template: &str, pod: &str) -> String {
        format!("{template}-{pod}")
    }

    /// Whether an object of this kind is the set, one of its pods or one of their claims.
    pub fn has(&self, kind: &str, name: &str) -> bool {
        let of_template = |template: &String| name.strip_prefix(template.as_str())?.strip_prefix('-');
        let pod_has = |template: &String| of_template(template).is_some_and(|pod| self.ordinal_of(pod).is_some());
        match kind {
            "StatefulSet" => name == self.set,
            "Pod" => self.ordinal_of(name).is_some(),
            "PersistentVolumeClaim" => self.claims.iter().any(pod_has),
            _ => false,
        }
    }

    /// The Service's DNS name, without the trailing dot.
    pub fn service_fqdn(&self) -> String {
        format!("{}.{}.svc.{}", self.service, self.namespace, self.domain)
    }

    /// The owner name of a port's SRV records, without the trailing dot (DNS specification, section 2.4.2).
    pub fn srv_name(&self, port: &NamedPort) -> String {
        format!("_{}._{}.{}", port.name, port.protocol, self.service_fqdn())
    }

    /// The short form of a pod's name, which the search list of its own namespace completes.
    pub fn short_name(&self, pod: &str) -> String {
        format!("{pod}.{}", self.service)
    }

    /// A pod's stable DNS name, without the trailing dot
    /// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id>).
    pub fn fqdn(&self, pod: &str) -> String {
        format!("{pod}.{}", self.service_fqdn())
    }
}

/// The owner name of an address's PTR record, without the trailing dot (RFC 1035 section 3.5, RFC 3596 section 2.5).
pub fn reverse_name(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        std::net::IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|octet| [octet & 0xf, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Subject, reverse_name};
    use crate::fixtures;

    #[test]
    fn an_ordinal_is_written_as_the_controller_writes_it() {
        let subject = Subject { first_ordinal: u32::MAX - 1, ..fixtures::run().subject };
        for (pod, ordinal) in [("mysql-0", Some(0)), ("mysql-17", Some(17)), ("mysql-4294967295", Some(u32::MAX))] {
            assert_eq!(subject.ordinal_of(pod), ordinal, "{pod}");
        }
        for pod in ["mysql-007", "mysql-00", "mysql-+7", "mysql--7", "mysql-", "mysql-7a", "mysql-4294967296", "db-0"] {
            assert_eq!(subject.ordinal_of(pod), None, "{pod}");
        }
        // The last ordinal is the last pod.
        assert_eq!(subject.ordinals().count(), 1);
        assert_eq!(subject.nth(7), "mysql-4294967295");
    }

    #[test]
    fn an_address_is_asked_for_backwards() {
        assert_eq!(reverse_name([10, 244, 1, 7].into()), "7.1.244.10.in-addr.arpa");
        let six: std::net::IpAddr = "2001:db8::567:89ab".parse().expect("an address");
        let name = "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(reverse_name(six), name);
    }
}
