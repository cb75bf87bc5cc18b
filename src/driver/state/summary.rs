//! Extracts from API objects what is compared across an upgrade.

use serde_json::Value;

use crate::evidence::{
    ClaimSummary, ComponentSummary, ContainerSummary, DnsSetup, EndpointSummary, LegacyEndpoints, NodeSummary,
    OwnerSummary, PodSummary, RevisionSummary, ServiceSummary, SetSummary, VolumeSummary, other_address,
};
use crate::object::{has_condition, items, number, strings, text};

fn string(object: &Value, pointer: &str) -> String {
    text(object, pointer).unwrap_or_default().to_owned()
}

fn optional(object: &Value, pointer: &str) -> Option<String> {
    text(object, pointer).map(str::to_owned)
}

fn flag(object: &Value, pointer: &str) -> Option<bool> {
    object.pointer(pointer).and_then(Value::as_bool)
}

pub(crate) fn node_summary(node: &Value) -> NodeSummary {
    NodeSummary {
        name: string(node, "/metadata/name"),
        uid: string(node, "/metadata/uid"),
        kubelet: string(node, "/status/nodeInfo/kubeletVersion"),
        ready: has_condition(node, "Ready"),
        schedulable: flag(node, "/spec/unschedulable") != Some(true),
    }
}

pub(crate) fn set_summary(set: &Value) -> SetSummary {
    SetSummary {
        uid: string(set, "/metadata/uid"),
        generation: number(set, "/metadata/generation"),
        observed_generation: number(set, "/status/observedGeneration"),
        current_revision: string(set, "/status/currentRevision"),
        update_revision: string(set, "/status/updateRevision"),
        collision_count: number(set, "/status/collisionCount"),
        replicas: number(set, "/spec/replicas"),
        ready: number(set, "/status/readyReplicas"),
        available: number(set, "/status/availableReplicas"),
        updated: number(set, "/status/updatedReplicas"),
        partition: number(set, "/spec/updateStrategy/rollingUpdate/partition"),
    }
}

pub(crate) fn revision_summary(revision: &Value) -> RevisionSummary {
    RevisionSummary {
        name: string(revision, "/metadata/name"),
        uid: string(revision, "/metadata/uid"),
        revision: number(revision, "/revision"),
        data: revision.pointer("/data").cloned().unwrap_or_default(),
    }
}

pub(crate) fn pod_summary(pod: &Value) -> PodSummary {
    let asked = |name: &str| items(pod, "/spec/containers").find(|container| text(container, "/name") == Some(name));
    let container = |status: &Value| {
        let name = string(status, "/name");
        let image = asked(&name).map_or(String::new(), |container| string(container, "/image"));
        ContainerSummary { name, id: string(status, "/containerID"), image, restarts: number(status, "/restartCount") }
    };
    let mut containers: Vec<_> = items(pod, "/status/containerStatuses").map(container).collect();
    containers.sort_by(|one, other| one.name.cmp(&other.name));
    let ready = items(pod, "/status/conditions").find(|condition| text(condition, "/type") == Some("Ready"));
    PodSummary {
        name: string(pod, "/metadata/name"),
        uid: string(pod, "/metadata/uid"),
        containers,
        revision: string(pod, "/metadata/labels/controller-revision-hash"),
        node: optional(pod, "/spec/nodeName"),
        address: optional(pod, "/status/podIP"),
        other_address: pod.pointer("/status").and_then(other_address).map(str::to_owned),
        hostname: string(pod, "/spec/hostname"),
        subdomain: string(pod, "/spec/subdomain"),
        labels: strings(pod, "/metadata/labels"),
        phase: string(pod, "/status/phase"),
        ready: has_condition(pod, "Ready"),
        ready_since: ready.and_then(|condition| optional(condition, "/lastTransitionTime")),
        claims: items(pod, "/spec/volumes")
            .filter_map(|volume| optional(volume, "/persistentVolumeClaim/claimName"))
            .collect(),
    }
}

pub(crate) fn claim_summary(claim: &Value) -> ClaimSummary {
    let owner = |owner: &Value| OwnerSummary {
        kind: string(owner, "/kind"),
        name: string(owner, "/name"),
        uid: string(owner, "/uid"),
        controller: flag(owner, "/controller") == Some(true),
    };
    let mut owners: Vec<_> = items(claim, "/metadata/ownerReferences").map(owner).collect();
    owners.sort();
    ClaimSummary {
        name: string(claim, "/metadata/name"),
        uid: string(claim, "/metadata/uid"),
        phase: string(claim, "/status/phase"),
        volume: string(claim, "/spec/volumeName"),
        owners,
    }
}

pub(crate) fn volume_summary(volume: &Value) -> VolumeSummary {
    VolumeSummary {
        name: string(volume, "/metadata/name"),
        uid: string(volume, "/metadata/uid"),
        phase: string(volume, "/status/phase"),
        claim_uid: string(volume, "/spec/claimRef/uid"),
        reclaim_policy: string(volume, "/spec/persistentVolumeReclaimPolicy"),
    }
}

pub(crate) fn service_summary(service: &Value) -> ServiceSummary {
    let port = |port: &Value| {
        let target = port.pointer("/targetPort").map(ToString::to_string).unwrap_or_default();
        let (name, protocol) = (string(port, "/name"), string(port, "/protocol"));
        format!("{name} {protocol} {} {}", number(port, "/port"), target.trim_matches('"'))
    };
    ServiceSummary {
        uid: string(service, "/metadata/uid"),
        cluster_ip: string(service, "/spec/clusterIP"),
        selector: strings(service, "/spec/selector"),
        publish_not_ready: flag(service, "/spec/publishNotReadyAddresses") == Some(true),
        ip_families: items(service, "/spec/ipFamilies").filter_map(Value::as_str).map(str::to_owned).collect(),
        ports: items(service, "/spec/ports").map(port).collect(),
    }
}

/// The endpoints of a slice. An unset condition has the API's default: ready and serving, not terminating
/// (<https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions>).
pub(crate) fn endpoint_summaries(slice: &Value) -> Vec<EndpointSummary> {
    let summaries = |endpoint: &Value| {
        let condition = |name: &str| flag(endpoint, &format!("/conditions/{name}"));
        let ready = condition("ready").unwrap_or(true);
        let summary = EndpointSummary {
            address: String::new(),
            pod_uid: optional(endpoint, "/targetRef/uid"),
            hostname: optional(endpoint, "/hostname"),
            ready,
            serving: condition("serving").unwrap_or(ready),
            terminating: condition("terminating").unwrap_or(false),
        };
        let addresses = items(endpoint, "/addresses").filter_map(Value::as_str).map(str::to_owned);
        addresses.map(|address| EndpointSummary { address, ..summary.clone() }).collect::<Vec<_>>()
    };
    items(slice, "/endpoints").flat_map(summaries).collect()
}

pub(crate) fn legacy_endpoints(endpoints: &Value) -> LegacyEndpoints {
    let addresses = |of: &str| {
        let subsets = items(endpoints, "/subsets").flat_map(|subset| items(subset, of));
        subsets.filter_map(|address| optional(address, "/ip")).collect()
    };
    LegacyEndpoints { ready: addresses("/addresses"), not_ready: addresses("/notReadyAddresses") }
}

pub(crate) fn dns_setup(config: &Value, deployments: &[Value]) -> DnsSetup {
    let sum = |pointer: &str| deployments.iter().map(|deployment| number(deployment, pointer)).sum();
    DnsSetup {
        corefile: string(config, "/data/Corefile"),
        image: deployments
            .first()
            .map_or(String::new(), |deployment| string(deployment, "/spec/template/spec/containers/0/image")),
        wanted: sum("/spec/replicas"),
        ready: sum("/status/readyReplicas"),
    }
}

pub(crate) fn component_summary(pod: &Value) -> ComponentSummary {
    ComponentSummary {
        component: string(pod, "/metadata/labels/component"),
        node: string(pod, "/spec/nodeName"),
        uid: string(pod, "/metadata/uid"),
        image: string(pod, "/spec/containers/0/image"),
        ready: has_condition(pod, "Ready"),
        restarts: items(pod, "/status/containerStatuses").map(|status| number(status, "/restartCount")).sum(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_pod_is_known_by_what_an_upgrade_must_leave() {
        let pod = json!({
            "metadata": {"name": "mysql-0", "uid": "u", "labels": {"controller-revision-hash": "mysql-1"}},
            "spec": {"nodeName": "n", "hostname": "mysql-0", "subdomain": "mysql-h", "containers": [
                {"name": "mysql", "image": "mysql:5.7"}, {"name": "aside", "image": "aside:1"},
            ], "volumes": [
                {"name": "tmp", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "data-mysql-0"}},
            ]},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "conditions": [
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
            ], "containerStatuses": [
                {"name": "mysql", "containerID": "containerd://b", "image": "docker.io/library/mysql:5.7", "restartCount": 2},
                {"name": "aside", "containerID": "containerd://a", "restartCount": 0},
            ]},
        });
        insta::assert_json_snapshot!(pod_summary(&pod));
    }

    #[test]
    fn conditions_that_are_left_open_read_as_the_api_has_them() {
        let slice = json!({"endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {}},
            {"addresses": ["10.0.0.2"], "hostname": "mysql-1", "targetRef": {"uid": "u"},
             "conditions": {"ready": false, "serving": true, "terminating": true}},
        ]});
        let found = endpoint_summaries(&slice);
        let conditions: Vec<_> = found.iter().map(|it| (it.ready, it.serving, it.terminating)).collect();
        assert_eq!(conditions, [(true, true, false), (false, true, true)]);
        assert_eq!(found[1].pod_uid.as_deref(), Some("u"));
    }

    #[test]
    fn addresses_of_all_subsets_count() {
        let endpoints = json!({"subsets": [
            {"addresses": [{"ip": "10.0.0.1"}], "notReadyAddresses": [{"ip": "10.0.0.2"}]}, {"addresses": [{"ip": "10.0.0.3"}]},
        ]});
        let found = legacy_endpoints(&endpoints);
        assert_eq!(found.ready.into_iter().collect::<Vec<_>>(), ["10.0.0.1", "10.0.0.3"]);
        assert_eq!(found.not_ready.into_iter().collect::<Vec<_>>(), ["10.0.0.2"]);
    }

    #[test]
    fn a_service_tells_its_ports() {
        let service = json!({"metadata": {"uid": "s"}, "spec": {"clusterIP": "None", "selector": {"app": "mysql"},
            "ports": [{"name": "mysql", "protocol": "TCP", "port": 3306, "targetPort": 3306}]}});
        assert_eq!(service_summary(&service).ports, ["mysql TCP 3306 3306"]);
        assert_eq!(service_summary(&service).cluster_ip, "None");
    }
}
