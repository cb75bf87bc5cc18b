//! Replaces all DNS servers of the cluster at once.

use std::net::SocketAddr;
use std::sync::PoisonError;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::recover::recovered;
use crate::driver::disrupt::failed;
use crate::driver::placement::DNS_SERVERS;
use crate::driver::{Context, ScenarioError};
use crate::evidence::{Act, DnsServer, Scenario, SnapshotOf};
use crate::object::has_condition;
use crate::record::WaitStatus;
use crate::workload::by_uid;

/// The namespace of the cluster's own services.
const NAMESPACE: &str = "kube-system";

pub(super) async fn dns_replace(context: &Context) -> Result<(), ScenarioError> {
    let replacing = context.disrupt(Act::RestartDns, replace(context));
    context.journal.step(Scenario::DnsReplace, "replace the DNS servers", replacing).await?;
    recovered(context, Scenario::DnsReplace).await
}

/// Deletes every DNS server, waits for as many new ones, and uses these from now on.
async fn replace(context: &Context) -> Result<Vec<u64>, ScenarioError> {
    let servers: Api<Pod> = Api::namespaced(context.cluster.client.clone(), NAMESPACE);
    let mut old = Vec::new();
    for pod in context.pods_of(NAMESPACE, DNS_SERVERS).await? {
        let (name, uid) = (pod.name_any(), pod.uid().unwrap_or_default());
        servers.delete(&name, &by_uid(&uid)).await.map_err(failed(format!("delete {name}")))?;
        old.push(uid);
    }
    let wanted = old.len();
    let new = context.poll("new DNS servers Ready", context.timeouts.pod_ready, async || {
        let there = match context.pods_of(NAMESPACE, DNS_SERVERS).await {
            Ok(there) => there,
            Err(error) => return WaitStatus::Pending(error.to_string()),
        };
        let left = there.iter().filter(|pod| pod.uid().is_some_and(|uid| old.contains(&uid))).count();
        let new: Vec<DnsServer> = there.iter().filter_map(ready_server).filter(|it| !old.contains(&it.uid)).collect();
        if left == 0 && new.len() >= wanted {
            return WaitStatus::Met(new);
        }
        WaitStatus::Pending(format!("{left} old ones are there, and {} of {wanted} new ones Ready", new.len()))
    });
    Ok(vec![ask_from_now_on(context, new.await?)])
}

impl Context {
    /// Waits until the DNS servers are those of their Deployment's latest revision, all Ready, and uses these from now
    /// on.
    pub(super) async fn dns_rolled_out(&self) -> Result<(), ScenarioError> {
        let deployments: Api<Deployment> = Api::namespaced(self.cluster.client.clone(), NAMESPACE);
        let rolled_out = self.poll("the DNS servers rolled out", self.timeouts.pod_ready, async || {
            let wanted = match deployments.list(&ListParams::default().labels(DNS_SERVERS)).await {
                Ok(list) => list.items.iter().map(replicas_rolled_out).sum::<Option<i32>>(),
                Err(error) => return WaitStatus::Pending(error.to_string()),
            };
            let there = match self.pods_of(NAMESPACE, DNS_SERVERS).await {
                Ok(there) => there,
                Err(error) => return WaitStatus::Pending(error.to_string()),
            };
            let servers: Vec<DnsServer> = there.iter().filter_map(ready_server).collect();
            // If the cluster runs DNS without a Deployment, the existing servers must suffice.
            let enough =
                wanted.is_some_and(|wanted| usize::try_from(wanted).is_ok_and(|wanted| servers.len() >= wanted));
            if enough && servers.len() == there.len() {
                return WaitStatus::Met(servers);
            }
            let wanted =
                wanted.map_or_else(|| "a rollout is under way".to_owned(), |wanted| format!("{wanted} wanted"));
            WaitStatus::Pending(format!("{} of {} Ready, {wanted}", servers.len(), there.len()))
        });
        ask_from_now_on(self, rolled_out.await?);
        Ok(())
    }
}

/// The number of a Deployment's pods once its rollout is complete
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#complete-deployment>).
fn replicas_rolled_out(deployment: &Deployment) -> Option<i32> {
    let (spec, status) = (deployment.spec.as_ref()?, deployment.status.as_ref()?);
    let wanted = spec.replicas.unwrap_or(1);
    let seen = status.observed_generation >= deployment.metadata.generation;
    let all = [status.replicas, status.updated_replicas, status.available_replicas];
    (seen && all.iter().all(|count| count.unwrap_or(0) == wanted)).then_some(wanted)
}

/// Makes these the servers to ask from now on, and returns the record that says so.
fn ask_from_now_on(context: &Context, servers: Vec<DnsServer>) -> u64 {
    let asked = servers.iter().map(|server| (server.name.clone(), SocketAddr::new(server.address, 53))).collect();
    *context.cluster.dns_servers.lock().unwrap_or_else(PoisonError::into_inner) = asked;
    context.snapshot(SnapshotOf::DnsServers, &servers)
}

/// A server that can be asked. A pod that is being deleted still reports Ready, so it does not count.
fn ready_server(pod: &Pod) -> Option<DnsServer> {
    let ready = pod.metadata.deletion_timestamp.is_none() && has_condition(&serde_json::to_value(pod).ok()?, "Ready");
    let address = pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?;
    ready.then(|| Some(DnsServer { name: pod.name_any(), uid: pod.uid()?, address }))?
}
