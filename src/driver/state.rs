//! Reads everything that an upgrade must not change: the workload's objects, the cluster's DNS and control plane, what
//! the servers report about themselves, and the DNS answers.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::Value;

use super::context::Context;
use super::disrupt::failed;
use super::error::ScenarioError;
use super::servers::{column, first};
use crate::evidence::{
    Checkpoint, ComponentSummary, Dns, DnsAnswer, NameAnswer, Question, ServerSummary, SnapshotOf, SqlAnswer, Stage,
    State,
};
use crate::mysql::statements;
use crate::mysql::status::ReplicaStatus;
use crate::object::text;

mod summary;

use summary::{
    claim_summary, component_summary, dns_setup, endpoint_summaries, legacy_endpoints, node_summary, pod_summary,
    revision_summary, service_summary, set_summary, volume_summary,
};

/// The namespace of the cluster's own services.
const SYSTEM: &str = "kube-system";

const DNS: &str = "k8s-app=kube-dns";

/// The selector of the control plane's pods, if the cluster shows them.
const CONTROL_PLANE: &str = "tier=control-plane";

impl Context {
    /// Reads the state, and records it. The ledger is paused while the servers are asked, so that their contents are
    /// the same.
    pub(crate) async fn state(&self, stage: Stage, steps: u32) -> Result<State, ScenarioError> {
        let checkpoint = Checkpoint::Upgrading { steps };
        let servers = self.at_rest(async { Ok(self.server_summaries(&checkpoint).await) }).await?;
        let names = self.all_names();
        let answers = self.resolve(&checkpoint, &names).await;
        let mut state = self.objects(stage).await?;
        state.servers = servers;
        state.answers = answers.into_iter().map(name_answer).collect();
        self.snapshot(SnapshotOf::State, &state);
        Ok(state)
    }

    /// The objects as the API server has them now.
    async fn objects(&self, stage: Stage) -> Result<State, ScenarioError> {
        let subject = &self.workload.subject;
        let namespace = Some(subject.namespace.as_str());
        let selector: Vec<String> = subject.selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let (selector, of_service) = (selector.join(","), format!("kubernetes.io/service-name={}", subject.service));
        let version = self.cluster.client.apiserver_version().await.map_err(failed("read the version".to_owned()))?;
        let set = self.object(("apps", "StatefulSet"), namespace, &subject.set).await?.unwrap_or_default();
        let set_uid = text(&set, "/metadata/uid").unwrap_or_default().to_owned();
        let service = self.object(("", "Service"), namespace, &subject.service).await?.unwrap_or_default();
        let config = self.object(("", "ConfigMap"), Some(SYSTEM), "coredns").await?.unwrap_or_default();
        let (revisions, pods, claims, volumes, slices, nodes, control_plane, deployments) = tokio::try_join!(
            self.list(("apps", "ControllerRevision"), namespace, &selector),
            self.list(("", "Pod"), namespace, &selector),
            self.list(("", "PersistentVolumeClaim"), namespace, ""),
            self.list(("", "PersistentVolume"), None, ""),
            self.list(("discovery.k8s.io", "EndpointSlice"), namespace, &of_service),
            self.list(("", "Node"), None, ""),
            self.components(),
            self.list(("apps", "Deployment"), Some(SYSTEM), DNS),
        )?;
        let legacy = self.object(("", "Endpoints"), namespace, &subject.service).await?;
        let owned = |object: &&Value| text(object, "/metadata/ownerReferences/0/uid") == Some(&set_uid);
        let mut revisions: Vec<_> = revisions.iter().filter(owned).map(revision_summary).collect();
        revisions.sort_by_key(|revision| revision.revision);
        let mut pods: Vec<_> = pods.iter().map(pod_summary).collect();
        pods.retain(|pod| subject.ordinal_of(&pod.name).is_some());
        pods.sort_by_key(|pod| subject.ordinal_of(&pod.name));
        let mut claims: Vec<_> = claims.iter().map(claim_summary).collect();
        claims.retain(|claim| subject.claims.iter().any(|template| claim.name.starts_with(&format!("{template}-"))));
        let bound: BTreeSet<&str> = claims.iter().map(|claim| claim.volume.as_str()).collect();
        let mut volumes: Vec<_> = volumes.iter().map(volume_summary).collect();
        volumes.retain(|volume| bound.contains(volume.name.as_str()));
        let mut endpoints: Vec<_> = slices.iter().flat_map(endpoint_summaries).collect();
        endpoints.sort_by(|one, other| one.address.cmp(&other.address));
        Ok(State {
            stage,
            kubernetes: version.git_version,
            nodes: nodes.iter().map(node_summary).collect(),
            set: set_summary(&set),
            revisions,
            pods,
            claims,
            volumes,
            service: service_summary(&service),
            endpoints,
            legacy_endpoints: legacy.as_ref().map(legacy_endpoints),
            dns: dns_setup(&config, &deployments),
            control_plane,
            servers: Vec::new(),
            answers: Vec::new(),
        })
    }

    /// The components of the control plane, as far as the cluster shows them.
    pub(crate) async fn components(&self) -> Result<Vec<ComponentSummary>, ScenarioError> {
        let pods = self.list(("", "Pod"), Some(SYSTEM), CONTROL_PLANE).await?;
        Ok(pods.iter().map(component_summary).collect())
    }

    fn api(&self, (group, kind): (&str, &str), namespace: Option<&str>) -> Api<DynamicObject> {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        match namespace {
            Some(namespace) => Api::namespaced_with(self.cluster.client.clone(), namespace, &resource),
            None => Api::all_with(self.cluster.client.clone(), &resource),
        }
    }

    async fn object(
        &self,
        kind: (&str, &str),
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, ScenarioError> {
        let there = self.api(kind, namespace).get_opt(name).await;
        let there = there.map_err(failed(format!("read the {} {name}", kind.1)))?;
        Ok(there.map(|object| serde_json::to_value(object).unwrap_or_default()))
    }

    /// The objects that match this label selector, by name.
    async fn list(
        &self,
        kind: (&str, &str),
        namespace: Option<&str>,
        selector: &str,
    ) -> Result<Vec<Value>, ScenarioError> {
        let list = self.api(kind, namespace).list(&ListParams::default().labels(selector)).await;
        let list = list.map_err(failed(format!("list the {}s", kind.1)))?;
        let mut objects: Vec<Value> =
            list.items.into_iter().map(|object| serde_json::to_value(object).unwrap_or_default()).collect();
        objects.sort_by(|one, other| text(one, "/metadata/name").cmp(&text(other, "/metadata/name")));
        Ok(objects)
    }

    /// What the servers report about themselves once the replicas have caught up with the primary.
    async fn server_summaries(&self, checkpoint: &Checkpoint) -> Vec<ServerSummary> {
        let replicas: Vec<String> = self.workload.subject.replica_pods().collect();
        self.barrier(checkpoint, &replicas, self.timeouts.recovery).await;
        let pods: Vec<String> = self.workload.subject.pods().collect();
        join_all(pods.iter().map(|pod| self.server_summary(checkpoint, pod))).await
    }

    async fn server_summary(&self, checkpoint: &Checkpoint, pod: &str) -> ServerSummary {
        let flavour = self.flavour();
        let one = |statement: &str| vec![statement.to_owned()];
        let identity = self.ask(checkpoint, pod, Question::Identity, one(statements::IDENTITY)).await;
        let executed = self.ask(checkpoint, pod, Question::GtidExecuted, one(flavour.executed())).await;
        let status = self.ask(checkpoint, pod, Question::ReplicaStatus, one(flavour.status())).await;
        let digest = self.digest(checkpoint, pod).await;
        let said = |name| first(&identity, name).unwrap_or_default();
        let source = match &status {
            SqlAnswer::Rows(rows) => rows.first().map(|row| ReplicaStatus::of(row).host.to_owned()),
            _ => None,
        };
        ServerSummary {
            pod: pod.to_owned(),
            hostname: said("hostname"),
            server_id: said("server_id"),
            server_uuid: said("server_uuid"),
            version: said("version"),
            gtid_executed: first(&executed, "gtid_executed").unwrap_or_default().split_whitespace().collect(),
            tables: tables(&digest),
            source,
            trouble: [&identity, &executed, &status, &digest].into_iter().find_map(SqlAnswer::trouble),
        }
    }
}

/// The checksum of every table except the witness's, which is written all the time.
fn tables(digest: &SqlAnswer) -> BTreeMap<String, Option<String>> {
    let SqlAnswer::Rows(rows) = digest else { return BTreeMap::new() };
    let named = rows.iter().filter_map(|row| Some((column(row, "table")?, column(row, "checksum"))));
    named.filter(|(table, _)| table != statements::ENTRIES_TABLE).collect()
}

fn name_answer(asked: Dns) -> NameAnswer {
    let (rcode, data) = match asked.answer {
        DnsAnswer::Response { rcode, records } => {
            (Some(rcode), records.into_iter().map(|record| record.data).collect())
        }
        DnsAnswer::Broken { .. } => (None, BTreeSet::new()),
    };
    let Dns { from, server, transport, name, record_type, .. } = asked;
    NameAnswer { from, server, transport, name, record_type, rcode, data }
}
