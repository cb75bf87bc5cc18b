//! Which node runs which pods, and the state of nodes.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::context::Context;
use super::disrupt::failed;
use super::error::ScenarioError;
use crate::evidence::SnapshotOf;
use crate::object::has_condition;
use crate::record::WaitStatus;

const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";

/// The selector of the DNS servers' pods in the namespace kube-system.
pub(crate) const DNS_SERVERS: &str = "k8s-app=kube-dns";

const WITNESSES: &str = "app.kubernetes.io/name=steadfast-witness";

/// When a kubelet last renewed its node's lease; `None` if it never did.
pub(crate) type Renewed = Option<MicroTime>;

impl Context {
    /// A node that may be disrupted: the primary's, or else that of another pod of the StatefulSet. It must not run
    /// what the run itself needs: without the API server, DNS or a witness nobody would see what happens to the
    /// workload.
    pub(crate) async fn free_node(&self, what: &'static str) -> Result<String, ScenarioError> {
        let nodes = self.free_nodes(what).await?;
        Ok(nodes.into_iter().next().unwrap_or_default())
    }

    /// All nodes that may be disrupted, in the order of the pods on them; at least one.
    pub(crate) async fn free_nodes(&self, what: &'static str) -> Result<Vec<String>, ScenarioError> {
        let taken = self.taken_nodes().await?;
        let mut nodes: Vec<String> = Vec::new();
        for node in self.workload.subject.pods().filter_map(|pod| self.node_of(&pod)) {
            if !nodes.contains(&node) {
                nodes.push(node);
            }
        }
        let free: Vec<String> = nodes.iter().filter(|node| !taken.contains_key(*node)).cloned().collect();
        if !free.is_empty() {
            return Ok(free);
        }
        let taken_by = nodes.iter().filter_map(|node| Some(format!("{node} runs {}", taken.get(node)?)));
        Err(ScenarioError::NoNode { what, why: taken_by.collect::<Vec<_>>().join(", ") })
    }

    /// The nodes that run what a run needs, and what that is.
    async fn taken_nodes(&self) -> Result<BTreeMap<String, &'static str>, ScenarioError> {
        let mut taken = BTreeMap::new();
        for node in self.control_planes().await? {
            taken.entry(node).or_insert("the API server");
        }
        let of_run = [
            (&self.workload.subject.namespace, WITNESSES, "a witness"),
            (&self.witnesses.far_namespace, WITNESSES, "a witness"),
            (&"kube-system".to_owned(), DNS_SERVERS, "a DNS server"),
        ];
        for (namespace, selector, what) in of_run {
            for pod in self.pods_of(namespace, selector).await? {
                if let Some(node) = pod.spec.and_then(|spec| spec.node_name) {
                    taken.entry(node).or_insert(what);
                }
            }
        }
        Ok(taken)
    }

    /// The nodes with an API server.
    pub(crate) async fn control_planes(&self) -> Result<Vec<String>, ScenarioError> {
        let nodes: Api<Node> = Api::all(self.cluster.client.clone());
        let list = nodes.list(&ListParams::default().labels(CONTROL_PLANE)).await;
        let list = list.map_err(failed("list the control-plane nodes".to_owned()))?;
        Ok(list.items.iter().map(ResourceExt::name_any).collect())
    }

    /// The pods of a namespace that match this label selector.
    pub(crate) async fn pods_of(&self, namespace: &str, selector: &str) -> Result<Vec<Pod>, ScenarioError> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), namespace);
        let list = pods.list(&ListParams::default().labels(selector)).await;
        Ok(list.map_err(failed(format!("list the pods {selector} of {namespace}")))?.items)
    }

    /// The node that a pod of the StatefulSet runs on.
    pub(crate) fn node_of(&self, pod: &str) -> Option<String> {
        self.journal.log.look(|timeline| timeline.live_pod(pod)?.node.clone())
    }

    /// The pods of the StatefulSet on a node, with their UIDs, by ascending ordinal.
    pub(crate) fn pods_on(&self, node: &str) -> Vec<(String, String)> {
        let there = self.workload.subject.pods().filter(|pod| self.node_of(pod).as_deref() == Some(node));
        there.filter_map(|pod| Some((self.uid(&pod)?, pod))).map(|(uid, pod)| (pod, uid)).collect()
    }

    /// When a node's kubelet last renewed the lease.
    pub(crate) async fn lease(&self, node: &str) -> Result<Renewed, ScenarioError> {
        let leases: Api<Lease> = Api::namespaced(self.cluster.client.clone(), "kube-node-lease");
        let lease = leases.get_opt(node).await.map_err(failed(format!("read the lease of {node}")))?;
        Ok(lease.and_then(|lease| lease.spec).and_then(|spec| spec.renew_time))
    }

    /// Waits until a node is Ready according to a kubelet that has renewed its lease since `before`: after a node has
    /// gone, its condition stays unchanged for most of a minute. Returns the record that shows it.
    pub(crate) async fn node_ready(&self, node: &str, before: &Renewed) -> Result<u64, ScenarioError> {
        let nodes: Api<Node> = Api::all(self.cluster.client.clone());
        let what = format!("the node {node} Ready");
        self.poll(&what, self.timeouts.pod_ready, async || {
            match self.lease(node).await {
                Ok(renewed) if renewed != *before => {}
                Ok(_) => return WaitStatus::Pending("its kubelet has said nothing yet".to_owned()),
                Err(error) => return WaitStatus::Pending(error.to_string()),
            }
            match nodes.get(node).await.map(|node| serde_json::to_value(node).unwrap_or_default()) {
                Ok(node) if has_condition(&node, "Ready") => WaitStatus::Met(()),
                Ok(_) => WaitStatus::Pending("not Ready".to_owned()),
                Err(error) => WaitStatus::Pending(error.to_string()),
            }
        })
        .await?;
        Ok(self.node_state(SnapshotOf::Node, node, "Ready"))
    }
}
