//! The cluster's DNS: which servers pods ask, and their configuration.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::Api;
use kube::{Client, ResourceExt};

use super::RunError;
use super::listed::{Wanted, listed, ready};
use crate::check::dns_zone;
use crate::evidence::DnsServer;

/// Where clusters run DNS: the namespace, and the label selector of its Service. OpenShift uses a namespace of its own:
/// <https://docs.redhat.com/en/documentation/openshift_container_platform/4.18/html/networking_operators/dns-operator>
const PLACES: [(&str, &str); 2] =
    [(NAMESPACE, "k8s-app=kube-dns"), ("openshift-dns", "dns.operator.openshift.io/owning-dns")];

/// The namespace of a cluster's own services.
const NAMESPACE: &str = "kube-system";

/// The label of NodeLocal DNSCache pods, one per node, which pods ask instead of the servers
/// (<https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/>).
const NODE_LOCAL: &str = "k8s-app=node-local-dns";

const COREFILE: &str = "Corefile";

/// The port of DNS (RFC 1035 section 4.2).
const PORT: u16 = 53;

/// How long an existing cluster's Service may have no server before it counts as unused: where nodes answer DNS
/// themselves, such a Service is kept only for programs that look for one.
const SERVED_WITHIN: Duration = Duration::from_secs(15);

/// A DNS server, and the address to ask it at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub server: DnsServer,
    pub at: SocketAddr,
}

/// A cluster's DNS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dns {
    /// The servers behind the Service. Each one is asked, because one may lag behind the others. Empty if pods ask
    /// something else.
    pub servers: Vec<Server>,
    /// The Service's addresses, which pods ask.
    pub asked: Vec<IpAddr>,
    /// The Corefile of the server that pods ask, if that is CoreDNS.
    pub corefile: Option<String>,
    /// Why it is unknown whether there is a Corefile.
    pub unread: Option<String>,
    /// The zone of the cluster's names, if a Corefile shows it.
    pub zone: Option<String>,
}

/// Finds the DNS servers once all of them serve (on an existing cluster: once some do).
///
/// # Errors
/// When none serves in time, or when the API server does not answer.
pub(super) async fn find(client: &Client, wanted: Wanted, limit: Duration) -> Result<Dns, RunError> {
    let Some(service) = service(client, limit).await? else { return Ok(Dns::default()) };
    let namespace = service.namespace().unwrap_or_default();
    let patience = if wanted == Wanted::All { limit } else { SERVED_WITHIN };
    let mut servers = match serving(client, &service, wanted, 1, patience).await {
        Ok(servers) => servers,
        Err(_) if wanted == Wanted::Some => return Ok(Dns::default()),
        Err(error) => return Err(error),
    };
    if wanted == Wanted::All {
        // A server without an address is not an endpoint yet, so count the pods as well.
        let selector = service.spec.as_ref().and_then(|spec| spec.selector.clone()).unwrap_or_default();
        let labels: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
        let what = format!("the pods of the DNS servers ({})", labels.join(","));
        let all = ready(&pods, &labels.join(","), &what, wanted, limit).await?.len();
        if all > servers.len() {
            servers = serving(client, &service, wanted, all, limit).await?;
        }
    }
    let read = match servers.first() {
        Some(first) => corefile_of(client, &namespace, &first.server.name).await,
        None => Ok(None),
    };
    let zone = read.as_ref().ok().and_then(|read| dns_zone(read.as_deref()?));
    let known = |read: kube::Result<Option<String>>| {
        let unread = read.as_ref().err().map(ToString::to_string);
        Dns { corefile: read.ok().flatten(), unread, zone: zone.clone(), ..Dns::default() }
    };
    if let Some(cache) = node_local(client, limit).await? {
        return Ok(known(corefile_of(client, NAMESPACE, &cache.name_any()).await));
    }
    let spec = service.spec.unwrap_or_default();
    let asked = spec.cluster_ips.unwrap_or_default().iter().filter_map(|address| address.parse().ok()).collect();
    Ok(Dns { servers, asked, ..known(read) })
}

/// A pod of NodeLocal DNSCache, if the cluster has one.
async fn node_local(client: &Client, limit: Duration) -> Result<Option<Pod>, RunError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    listed(&pods, NODE_LOCAL, "the list of NodeLocal DNSCache", limit, |pods: Vec<Pod>| Ok(pods.into_iter().next()))
        .await
}

/// The Service that pods ask. A cluster whose nodes answer DNS themselves may have none.
async fn service(client: &Client, limit: Duration) -> Result<Option<Service>, RunError> {
    let is_asked = |service: &Service| {
        let spec = service.spec.as_ref();
        let ports = spec.and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
        let has_address = spec.is_some_and(|spec| spec.cluster_ip.as_deref().is_some_and(|ip| ip != "None"));
        has_address && ports.iter().any(|port| port.port == i32::from(PORT))
    };
    for (namespace, labels) in PLACES {
        let services: Api<Service> = Api::namespaced(client.clone(), namespace);
        let look = |services: Vec<Service>| Ok(services.into_iter().find(is_asked));
        let what = format!("the list of Services {labels} in {namespace}");
        if let Some(service) = listed(&services, labels, &what, limit, look).await? {
            return Ok(Some(service));
        }
    }
    Ok(None)
}

/// The servers behind the Service, once there are this many, and all of them or enough are ready.
async fn serving(
    client: &Client,
    service: &Service,
    wanted: Wanted,
    least: usize,
    limit: Duration,
) -> Result<Vec<Server>, RunError> {
    let (name, namespace) = (service.name_any(), service.namespace().unwrap_or_default());
    let families = service.spec.as_ref().and_then(|spec| spec.ip_families.clone()).unwrap_or_default();
    let family = families.first().cloned().unwrap_or_else(|| "IPv4".to_owned());
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), &namespace);
    let labels = format!("kubernetes.io/service-name={name}");
    let look = |slices: Vec<EndpointSlice>| {
        let (ready, waiting) = servers_of(&slices, &family);
        if ready.len() >= least && (waiting.is_empty() || wanted == Wanted::Some) {
            return Ok(ready);
        }
        let names: Vec<&str> = waiting.iter().map(|it| it.server.name.as_str()).collect();
        Err(if names.is_empty() { "no endpoint".to_owned() } else { format!("not ready: {}", names.join(", ")) })
    };
    let what = format!("the DNS servers (endpoints of the Service {namespace}/{name})");
    listed(&slices, &labels, &what, limit, look).await
}

/// The servers behind a Service, in its first address family: ready ones, and others.
fn servers_of(slices: &[EndpointSlice], family: &str) -> (Vec<Server>, Vec<Server>) {
    let of_family = slices.iter().filter(|slice| slice.address_type == family);
    let endpoints = of_family.flat_map(|slice| slice.endpoints.iter().map(move |endpoint| (slice, endpoint)));
    let servers = endpoints.filter_map(|(slice, endpoint)| {
        let address: IpAddr = endpoint.addresses.first()?.parse().ok()?;
        let target = endpoint.target_ref.as_ref();
        let name = target.and_then(|target| target.name.clone()).unwrap_or_else(|| address.to_string());
        let uid = target.and_then(|target| target.uid.clone()).unwrap_or_else(|| name.clone());
        let conditions = endpoint.conditions.as_ref();
        let ends = conditions.and_then(|it| it.terminating).unwrap_or(false);
        let ready = conditions.and_then(|it| it.ready).unwrap_or(true);
        let at = SocketAddr::new(address, port_of(slice));
        (!ends).then_some((Server { server: DnsServer { name, uid, address }, at }, ready))
    });
    let (ready, waiting): (Vec<_>, Vec<_>) = servers.partition(|(_, ready)| *ready);
    let alone = |servers: Vec<(Server, bool)>| servers.into_iter().map(|(server, _)| server).collect();
    (alone(ready), alone(waiting))
}

/// The port that servers listen on, which may differ from the Service's: the UDP port, which TCP shares.
fn port_of(slice: &EndpointSlice) -> u16 {
    let ports = slice.ports.as_deref().unwrap_or_default();
    let udp = ports.iter().find(|port| port.protocol.as_deref() == Some("UDP"));
    udp.and_then(|port| u16::try_from(port.port?).ok()).unwrap_or(PORT)
}

/// The Corefile that a server's pod has from a ConfigMap. Servers other than CoreDNS have none.
async fn corefile_of(client: &Client, namespace: &str, pod: &str) -> kube::Result<Option<String>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let spec = pods.get_opt(pod).await?.and_then(|pod| pod.spec);
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let volumes = spec.and_then(|spec| spec.volumes).unwrap_or_default();
    for map in volumes.into_iter().filter_map(|volume| volume.config_map.map(|map| map.name)) {
        if let Some(corefile) = maps.get_opt(&map).await?.and_then(|map| map.data?.remove(COREFILE)) {
            return Ok(Some(corefile));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(family: &str, port: u16, endpoints: serde_json::Value) -> EndpointSlice {
        let ports =
            json!([{"name": "tcp", "protocol": "TCP", "port": port}, {"name": "udp", "protocol": "UDP", "port": port}]);
        let slice = json!({"metadata": {"name": "dns"}, "addressType": family, "ports": ports, "endpoints": endpoints});
        serde_json::from_value(slice).expect("a slice")
    }

    #[test]
    fn servers_are_the_endpoints_of_the_first_family_at_their_own_port() {
        let pod = |name: &str| json!({"kind": "Pod", "name": name, "uid": format!("uid-{name}")});
        let four = json!([
            {"addresses": ["10.0.0.2"], "conditions": {"ready": true}, "targetRef": pod("a")},
            {"addresses": ["10.0.0.3"], "conditions": {"ready": false}, "targetRef": pod("b")},
            {"addresses": ["10.0.0.4"], "conditions": {"ready": false, "terminating": true}, "targetRef": pod("c")},
            {"addresses": ["10.0.0.5"]},
        ]);
        let six = json!([{"addresses": ["fd00::2"], "conditions": {"ready": true}, "targetRef": pod("a")}]);
        let slices = [slice("IPv4", 5353, four), slice("IPv6", 53, six)];
        let told = |servers: Vec<Server>| -> Vec<String> {
            servers.into_iter().map(|it| format!("{} {} {}", it.server.name, it.server.uid, it.at)).collect()
        };
        let (ready, waiting) = servers_of(&slices, "IPv4");
        assert_eq!(told(ready), ["a uid-a 10.0.0.2:5353", "10.0.0.5 10.0.0.5 10.0.0.5:5353"]);
        assert_eq!(told(waiting), ["b uid-b 10.0.0.3:5353"]);
        assert_eq!(told(servers_of(&slices, "IPv6").0), ["a uid-a [fd00::2]:53"]);
    }
}
