//! The cluster's DNS: which servers pods ask, and how they are configured.

use std::net::IpAddr;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

use super::RunError;
use super::listed::listed;
use crate::evidence::DnsServer;

/// Where clusters have their DNS: the namespace, and how its Service is found there. OpenShift has it in a namespace of its
/// own (<https://docs.redhat.com/en/documentation/openshift_container_platform/4.18/html/networking_operators/dns-operator>).
const PLACES: [(&str, &str); 2] =
    [(NAMESPACE, "k8s-app=kube-dns"), ("openshift-dns", "dns.operator.openshift.io/owning-dns")];

/// The namespace of a cluster's own services.
const NAMESPACE: &str = "kube-system";

/// Marks the pods of a cache on every node, which pods ask in place of the servers
/// (<https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/>).
const NODE_LOCAL: &str = "k8s-app=node-local-dns";

const NODE_LOCAL_CONFIG: &str = "node-local-dns";

const COREFILE: &str = "Corefile";

/// Between two questions to an API server that does not answer as it should.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// The servers that are asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Servers {
    /// Each behind the Service, by itself: one of them may be behind the others.
    Each(Vec<DnsServer>),
    /// The one in the `resolv.conf` of pods, whatever stands behind it.
    OfPods,
}

/// A cluster's DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dns {
    pub servers: Servers,
    /// The Corefile of who is asked, where it is a CoreDNS and may be read.
    pub corefile: Option<String>,
}

/// Finds the DNS servers once they serve.
///
/// # Errors
/// When none serves in time, or the API server does not tell.
pub(super) async fn find(client: &Client, limit: Duration) -> Result<Dns, RunError> {
    let caches: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let caches = caches.list(&ListParams::default().labels(NODE_LOCAL).limit(1)).await;
    if !caches.map_err(|source| RunError::api("look for NodeLocal DNSCache", source))?.items.is_empty() {
        let corefile = corefile(client, NAMESPACE, NODE_LOCAL_CONFIG).await;
        return Ok(Dns { servers: Servers::OfPods, corefile });
    }
    let Some(service) = service(client, limit).await? else {
        return Ok(Dns { servers: Servers::OfPods, corefile: None });
    };
    let namespace = service.namespace().unwrap_or_default();
    let servers = serving(client, &service, limit).await?;
    let corefile = match servers.first() {
        Some(server) => corefile_of(client, &namespace, &server.name).await,
        None => None,
    };
    Ok(Dns { servers: Servers::Each(servers), corefile })
}

/// The Service that pods ask. A cluster whose nodes answer by themselves has none.
async fn service(client: &Client, limit: Duration) -> Result<Option<Service>, RunError> {
    let look = async || {
        for (namespace, labels) in PLACES {
            let services: Api<Service> = Api::namespaced(client.clone(), namespace);
            let list = services.list(&ListParams::default().labels(labels)).await?;
            let asked = list.items.into_iter().find(|service| {
                let spec = service.spec.as_ref();
                let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
                let has_address = spec.is_some_and(|spec| spec.cluster_ip.as_deref().is_some_and(|ip| ip != "None"));
                has_address && ports.iter().any(|port| port.port == 53)
            });
            if asked.is_some() {
                return Ok(asked);
            }
        }
        Ok(None)
    };
    let patiently = async {
        loop {
            match look().await {
                // The API server may still be starting.
                Err(kube::Error::HyperError(_) | kube::Error::Service(_)) => tokio::time::sleep(RETRY_AFTER).await,
                found => return found.map_err(|source| RunError::api("look for the Service of DNS", source)),
            }
        }
    };
    let what = || "the Service of DNS".to_owned();
    let found = tokio::time::timeout(limit, patiently).await;
    found.map_err(|_| RunError::NotReady { what: what(), limit, last_seen: "no answer".to_owned() })?
}

/// The servers behind the Service, once there are some and all of them are ready.
async fn serving(client: &Client, service: &Service, limit: Duration) -> Result<Vec<DnsServer>, RunError> {
    let (name, namespace) = (service.name_any(), service.namespace().unwrap_or_default());
    let families = service.spec.as_ref().and_then(|spec| spec.ip_families.clone()).unwrap_or_default();
    let family = families.first().cloned().unwrap_or_else(|| "IPv4".to_owned());
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), &namespace);
    let labels = format!("kubernetes.io/service-name={name}");
    let look = |slices: Vec<EndpointSlice>| {
        let (ready, waiting) = servers_of(&slices, &family);
        if waiting.is_empty() && !ready.is_empty() {
            return Ok(ready);
        }
        let names: Vec<&str> = waiting.iter().map(|server| server.name.as_str()).collect();
        Err(if names.is_empty() { "no endpoint".to_owned() } else { format!("not ready: {}", names.join(", ")) })
    };
    let what = format!("the DNS servers (endpoints of the Service {namespace}/{name})");
    listed(&slices, &labels, &what, limit, look).await
}

/// Those behind a Service, by its first family: who is ready, and who is not.
fn servers_of(slices: &[EndpointSlice], family: &str) -> (Vec<DnsServer>, Vec<DnsServer>) {
    let of_family = slices.iter().filter(|slice| slice.address_type == family);
    let endpoints = of_family.flat_map(|slice| &slice.endpoints);
    let servers = endpoints.filter_map(|endpoint| {
        let address: IpAddr = endpoint.addresses.first()?.parse().ok()?;
        let target = endpoint.target_ref.as_ref();
        let name = target.and_then(|target| target.name.clone()).unwrap_or_else(|| address.to_string());
        let uid = target.and_then(|target| target.uid.clone()).unwrap_or_else(|| name.clone());
        let conditions = endpoint.conditions.as_ref();
        let is = |condition: Option<bool>, unless: bool| condition.unwrap_or(unless);
        let ends = is(conditions.and_then(|it| it.terminating), false);
        let ready = is(conditions.and_then(|it| it.ready), true);
        (!ends).then_some((DnsServer { name, uid, address }, ready))
    });
    let (ready, waiting): (Vec<_>, Vec<_>) = servers.partition(|(_, ready)| *ready);
    let alone = |servers: Vec<(DnsServer, bool)>| servers.into_iter().map(|(server, _)| server).collect();
    (alone(ready), alone(waiting))
}

/// The Corefile that a server's pod has from a ConfigMap. Whatever is no CoreDNS has none.
async fn corefile_of(client: &Client, namespace: &str, pod: &str) -> Option<String> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let spec = pods.get_opt(pod).await.ok()??.spec?;
    let maps = spec.volumes?.into_iter().filter_map(|volume| volume.config_map.map(|map| map.name));
    for map in maps {
        if let Some(corefile) = corefile(client, namespace, &map).await {
            return Some(corefile);
        }
    }
    None
}

async fn corefile(client: &Client, namespace: &str, map: &str) -> Option<String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    maps.get_opt(map).await.ok()??.data?.remove(COREFILE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(family: &str, endpoints: serde_json::Value) -> EndpointSlice {
        let slice = json!({"metadata": {"name": "kube-dns"}, "addressType": family, "endpoints": endpoints});
        serde_json::from_value(slice).expect("a slice")
    }

    #[test]
    fn servers_are_the_endpoints_of_the_first_family() {
        let pod = |name: &str| json!({"kind": "Pod", "name": name, "uid": format!("uid-{name}")});
        let slices = [
            slice(
                "IPv4",
                json!([
                    {"addresses": ["10.0.0.2"], "conditions": {"ready": true}, "targetRef": pod("a")},
                    {"addresses": ["10.0.0.3"], "conditions": {"ready": false}, "targetRef": pod("b")},
                    {"addresses": ["10.0.0.4"], "conditions": {"ready": false, "terminating": true}, "targetRef": pod("c")},
                    {"addresses": ["10.0.0.5"]},
                ]),
            ),
            slice("IPv6", json!([{"addresses": ["fd00::2"], "conditions": {"ready": true}, "targetRef": pod("a")}])),
        ];
        let names = |servers: Vec<DnsServer>| servers.into_iter().map(|it| it.name).collect::<Vec<_>>();
        let (ready, waiting) = servers_of(&slices, "IPv4");
        assert_eq!((names(ready), names(waiting)), (vec!["a".to_owned(), "10.0.0.5".to_owned()], vec!["b".to_owned()]));
        let (six, _) = servers_of(&slices, "IPv6");
        assert_eq!(six, [DnsServer { name: "a".into(), uid: "uid-a".into(), address: "fd00::2".parse().unwrap() }]);
    }
}
