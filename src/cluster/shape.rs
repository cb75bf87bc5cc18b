//! The configuration of a new kind cluster (<https://kind.sigs.k8s.io/docs/user/configuration/>).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::disks::FileSystem;
use super::lab::Lab;

/// The addresses that a new cluster gives pods and Services
/// (<https://kubernetes.io/docs/concepts/services-networking/dual-stack/>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum IpFamily {
    /// IPv4 only.
    #[default]
    Ipv4,
    /// IPv6 only.
    Ipv6,
    /// Both (dual-stack), IPv4 first.
    Dual,
}

/// The properties of a new cluster.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// The node image.
    pub image: &'a str,
    /// The number of nodes besides the control plane.
    pub workers: usize,
    /// The DNS zone; `None` for kubeadm's default.
    pub domain: Option<&'a str>,
    /// The address families.
    pub ip_family: IpFamily,
    /// The file system of the nodes' disks.
    pub file_system: FileSystem,
}

/// kind's configuration for a new cluster.
pub(super) fn configuration(lab: &Lab, shape: Shape<'_>) -> Value {
    let mut nodes = vec![json!({"role": "control-plane"})];
    nodes.extend(std::iter::repeat_n(json!({"role": "worker"}), shape.workers));
    let mut configuration = json!({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": nodes});
    if shape.ip_family != IpFamily::Ipv4 {
        // The engine may not publish ports on IPv6.
        configuration["networking"] = json!({"ipFamily": shape.ip_family, "apiServerAddress": "127.0.0.1"});
    }
    let mut patches = Vec::new();
    if !lab.kubelet.is_empty() {
        let mut kubelet = json!({"kind": "KubeletConfiguration"});
        for (key, value) in &lab.kubelet {
            kubelet[key] = value.clone();
        }
        patches.push(kubelet.to_string());
    }
    if let Some(domain) = shape.domain {
        let cluster = json!({"kind": "ClusterConfiguration", "networking": {"dnsDomain": domain}});
        patches.push(cluster.to_string());
    }
    if !patches.is_empty() {
        configuration["kubeadmConfigPatches"] = json!(patches);
    }
    configuration
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab(kubelet: Value) -> Lab {
        serde_json::from_value(json!({
            "schema": 1, "kind": "kind", "kubectl": "kubectl", "docker": "docker", "default_kubernetes": "1.37.2",
            "nodes": [], "images": [], "witness": {"image": "w", "archive": "/w.tar"}, "kubelet": kubelet,
        }))
        .expect("a lab")
    }

    fn shape(workers: usize, ip_family: IpFamily) -> Shape<'static> {
        Shape { image: "node", workers, domain: None, ip_family, file_system: FileSystem::default() }
    }

    #[test]
    fn families_of_addresses_are_the_clusters_own() {
        let networking =
            |ip_family| configuration(&lab(json!({})), shape(0, ip_family))["networking"]["ipFamily"].clone();
        assert_eq!(
            [IpFamily::Ipv4, IpFamily::Ipv6, IpFamily::Dual].map(networking),
            [json!(null), json!("ipv6"), json!("dual")]
        );
    }

    #[test]
    fn a_cluster_has_a_control_plane_and_its_workers() {
        let configuration = configuration(&lab(json!({})), shape(2, IpFamily::Ipv4));
        let roles: Vec<_> = configuration["nodes"].as_array().expect("nodes").iter().map(|n| &n["role"]).collect();
        assert_eq!(roles, ["control-plane", "worker", "worker"]);
        assert!(configuration.get("kubeadmConfigPatches").is_none());
    }

    #[test]
    fn kubelet_settings_become_a_patch() {
        let configuration = configuration(&lab(json!({"failCgroupV1": false})), shape(0, IpFamily::Ipv4));
        let patch = configuration["kubeadmConfigPatches"][0].as_str().expect("a patch");
        let patch: Value = serde_json::from_str(patch).expect("JSON");
        assert_eq!(patch, json!({"kind": "KubeletConfiguration", "failCgroupV1": false}));
    }
}
