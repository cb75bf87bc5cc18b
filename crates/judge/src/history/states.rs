//! The state of a good cluster with the pods of a history.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::whole::{COREFILE, UUID};
use super::{History, NAMESPACE};
use crate::evidence::{
    ClaimSummary, ComponentSummary, ContainerSummary, DnsSetup, EndpointSummary, LegacyEndpoints, NameAnswer,
    NodeSummary, PodSummary, RevisionSummary, ServerSummary, ServiceSummary, SetSummary, Stage, State, Transport,
    VolumeSummary, reverse_name,
};

/// The node of the control plane.
pub(crate) const CONTROL_PLANE: &str = "control-plane";
/// The nodes that run pods of the set.
pub(crate) const WORKERS: [&str; 2] = ["worker", "worker2"];

/// Which parts of a cluster were upgraded.
#[derive(Debug, Clone, Default)]
pub struct Done {
    /// Whether the control plane was upgraded.
    pub control_plane: bool,
    /// The nodes whose kubelet was upgraded.
    pub kubelets: Vec<String>,
}

fn version(newer: bool) -> String {
    if newer { "v1.37.2" } else { "v1.36.3" }.to_owned()
}

impl History {
    /// The node of a pod's volume: pods with even ordinals are on the first worker.
    pub fn node_of(&self, pod: &str) -> &'static str {
        WORKERS[self.subject.ordinal_of(pod).unwrap_or_default() as usize % 2]
    }

    /// The current state.
    pub fn state(&mut self, stage: Stage, done: &Done) -> State {
        let pods: Vec<PodSummary> = self.pod_names().iter().map(|pod| self.pod_summary(pod)).collect();
        let addresses: BTreeSet<String> = pods.iter().filter_map(|pod| pod.address.clone()).collect();
        State {
            stage,
            kubernetes: version(done.control_plane),
            nodes: nodes(done),
            set: self.set_summary(),
            revisions: vec![RevisionSummary {
                name: "rev-1".into(),
                uid: "uid of rev-1".into(),
                revision: 1,
                data: json!({"spec": {"template": {"spec": {"containers": [{"name": "mysql", "image": "mysql:8.4"}]}}}}),
            }],
            claims: pods.iter().map(|pod| claim(&pod.name)).collect(),
            volumes: pods.iter().map(|pod| volume(&pod.name)).collect(),
            service: self.service_summary(),
            endpoints: pods.iter().map(endpoint).collect(),
            legacy_endpoints: Some(LegacyEndpoints { ready: addresses, not_ready: BTreeSet::new() }),
            dns: DnsSetup {
                corefile: COREFILE.into(),
                image: format!("coredns for {}", version(done.control_plane)),
                wanted: 2,
                ready: 2,
            },
            control_plane: components(done),
            servers: pods.iter().map(|pod| self.server_summary(&pod.name)).collect(),
            answers: self.name_answers(&pods),
            pods,
        }
    }

    fn set_summary(&self) -> SetSummary {
        let replicas = i64::from(self.subject.replicas);
        SetSummary {
            uid: "set".into(),
            generation: self.set.generation,
            observed_generation: self.set.generation,
            current_revision: self.set.current.clone(),
            update_revision: self.set.revision.clone(),
            collision_count: 0,
            replicas,
            ready: replicas,
            available: replicas,
            updated: replicas,
            partition: 0,
        }
    }

    fn pod_summary(&mut self, name: &str) -> PodSummary {
        let (uid, node) = (self.uid(name), self.node_of(name));
        let labels = self.pod(name).object["metadata"]["labels"].as_object().cloned().unwrap_or_default();
        let labels: BTreeMap<_, _> =
            labels.into_iter().map(|(key, value)| (key, value.as_str().unwrap_or_default().to_owned())).collect();
        PodSummary {
            name: name.into(),
            containers: vec![ContainerSummary {
                name: "mysql".into(),
                id: format!("containerd://{uid}"),
                image: "mysql:8.4".into(),
                restarts: 0,
            }],
            revision: labels.get("controller-revision-hash").cloned().unwrap_or_default(),
            node: Some(node.into()),
            address: self.address(name),
            other_address: None,
            hostname: name.into(),
            subdomain: self.subject.service.clone(),
            labels,
            phase: "Running".into(),
            ready: true,
            ready_since: Some(format!("when {uid} was Ready")),
            claims: vec![format!("data-{name}")],
            uid,
        }
    }

    fn service_summary(&self) -> ServiceSummary {
        ServiceSummary {
            uid: "service".into(),
            cluster_ip: "None".into(),
            selector: self.subject.selector.clone(),
            publish_not_ready: self.subject.publish_not_ready,
            ip_families: Vec::new(),
            ports: vec!["mysql TCP 3306 mysql".into()],
        }
    }

    fn server_summary(&self, pod: &str) -> ServerSummary {
        let ordinal = self.subject.ordinal_of(pod).unwrap_or_default();
        let primary = self.subject.primary();
        ServerSummary {
            pod: pod.into(),
            hostname: pod.into(),
            server_id: (100 + ordinal).to_string(),
            server_uuid: format!("{UUID}{ordinal}"),
            version: "8.4.6".into(),
            gtid_executed: self.gtids(),
            tables: [("steadfast.ledger", "77"), ("shop.orders", "78")]
                .map(|(table, checksum)| (table.to_owned(), Some(checksum.to_owned())))
                .into(),
            source: (pod != primary).then(|| self.subject.fqdn(&primary)),
            trouble: None,
        }
    }

    /// The answers of every DNS server to every name, over both transports and from two namespaces.
    fn name_answers(&self, pods: &[PodSummary]) -> Vec<NameAnswer> {
        let subject = &self.subject;
        let addresses = || pods.iter().filter_map(|pod| pod.address.clone());
        let mut all: Vec<(&str, String, BTreeSet<String>)> = vec![("A", subject.service_fqdn(), addresses().collect())];
        for pod in pods {
            let name = subject.fqdn(&pod.name);
            all.push(("A", name.clone(), pod.address.iter().cloned().collect()));
            if let Some(address) = pod.address.as_ref().and_then(|address| address.parse().ok()) {
                all.push(("PTR", reverse_name(address), [name].into()));
            }
        }
        for port in &subject.named_ports {
            let targets = pods.iter().map(|pod| format!("0 33 {} {}", port.number, subject.fqdn(&pod.name)));
            all.push(("SRV", subject.srv_name(port), targets.collect()));
        }
        let askers = ["coredns-a", "coredns-b"].iter().flat_map(|server| {
            let namespaces = [NAMESPACE, "default"].into_iter();
            namespaces
                .flat_map(move |from| [Transport::Udp, Transport::Tcp].map(|transport| (*server, from, transport)))
        });
        let answer = |(server, from, transport): (&str, &str, Transport)| {
            let answer = move |(record_type, name, data): &(&str, String, BTreeSet<String>)| NameAnswer {
                from: from.into(),
                server: server.into(),
                transport,
                name: name.clone(),
                record_type: (*record_type).into(),
                rcode: Some("NOERROR".into()),
                data: data.clone(),
            };
            all.iter().map(answer).collect::<Vec<_>>()
        };
        askers.flat_map(answer).collect()
    }
}

fn nodes(done: &Done) -> Vec<NodeSummary> {
    let node = |name: &str| NodeSummary {
        name: name.into(),
        uid: format!("node {name}"),
        kubelet: version(done.kubelets.iter().any(|it| it == name)),
        ready: true,
        schedulable: true,
    };
    [CONTROL_PLANE].iter().chain(&WORKERS).map(|name| node(name)).collect()
}

/// The pods of the control plane: an upgrade replaces each.
fn components(done: &Done) -> Vec<ComponentSummary> {
    let component = |component: &str| {
        let version = version(done.control_plane);
        ComponentSummary {
            component: component.into(),
            node: CONTROL_PLANE.into(),
            uid: format!("{component} {version}"),
            image: format!("registry.k8s.io/{component}:{version}"),
            ready: true,
            restarts: 0,
        }
    };
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"].map(component).into()
}

fn claim(pod: &str) -> ClaimSummary {
    ClaimSummary {
        name: format!("data-{pod}"),
        uid: format!("claim of {pod}"),
        phase: "Bound".into(),
        volume: format!("pv-{pod}"),
        owners: Vec::new(),
    }
}

fn volume(pod: &str) -> VolumeSummary {
    VolumeSummary {
        name: format!("pv-{pod}"),
        uid: format!("volume of {pod}"),
        phase: "Bound".into(),
        claim_uid: format!("claim of {pod}"),
        reclaim_policy: "Delete".into(),
    }
}

fn endpoint(pod: &PodSummary) -> EndpointSummary {
    EndpointSummary {
        address: pod.address.clone().unwrap_or_default(),
        pod_uid: Some(pod.uid.clone()),
        hostname: Some(pod.name.clone()),
        ready: true,
        serving: true,
        terminating: false,
    }
}
