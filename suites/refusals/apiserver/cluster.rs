//! The built-in objects of a small cluster, and the answers about the API server itself.

use serde_json::{Value, json};

use super::store::namespace;
use super::{Answer, UID};

const COREFILE: &str =
    ".:53 {\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n        ttl 30\n    }\n    cache 30\n}\n";

/// The kinds of an API: plural, kind, whether they belong to namespaces.
type Kinds = &'static [(&'static str, &'static str, bool)];

/// The APIs of the cluster.
const APIS: [(&str, &str, Kinds); 3] = [
    (
        "/api/v1",
        "v1",
        &[
            ("services", "Service", true),
            ("secrets", "Secret", true),
            ("pods", "Pod", true),
            ("persistentvolumeclaims", "PersistentVolumeClaim", true),
            ("persistentvolumes", "PersistentVolume", false),
            ("namespaces", "Namespace", false),
        ],
    ),
    ("/apis/apps/v1", "apps/v1", &[("statefulsets", "StatefulSet", true)]),
    ("/apis/storage.k8s.io/v1", "storage.k8s.io/v1", &[("storageclasses", "StorageClass", false)]),
];

/// The answers to requests about the API server itself, not about stored objects.
pub(super) fn of_itself(path: &str) -> Option<Answer> {
    match path {
        "/version" => Some((200, json!({"major": "1", "minor": "37", "gitVersion": "v1.37.2"}).to_string())),
        "/metrics" => Some((200, String::new())),
        path => APIS.iter().find(|api| api.0 == path).map(|(_, version, kinds)| (200, discovery(version, kinds))),
    }
}

fn discovery(group_version: &str, kinds: Kinds) -> String {
    let verbs = ["create", "delete", "get", "list", "patch", "watch"];
    let resources: Vec<Value> = kinds
        .iter()
        .map(|(name, kind, namespaced)| {
            json!({"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": verbs})
        })
        .collect();
    json!({"kind": "APIResourceList", "groupVersion": group_version, "resources": resources}).to_string()
}

/// The built-in objects, by path.
pub(super) fn objects() -> Vec<(String, Value)> {
    let of_system = |rest: &str| format!("/api/v1/namespaces/kube-system/{rest}");
    let corefile = json!({"metadata": {"name": "coredns"}, "data": {"Corefile": COREFILE}});
    let slices = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns-1";
    let class = json!({"kind": "StorageClass", "metadata": {"name": "standard"}, "provisioner": "nobody"});
    vec![
        ("/api/v1/namespaces/kube-system".to_owned(), namespace("kube-system", UID)),
        ("/api/v1/nodes/node".to_owned(), ready("node")),
        (of_system("services/kube-dns"), dns_service()),
        (of_system("pods/coredns"), ready("coredns")),
        (of_system("configmaps/coredns"), corefile),
        (slices.to_owned(), dns_endpoints()),
        ("/apis/storage.k8s.io/v1/storageclasses/standard".to_owned(), class),
    ]
}

fn ready(name: &str) -> Value {
    let status = json!({"podIP": "10.0.0.2", "conditions": [{"type": "Ready", "status": "True"}]});
    let volumes = json!([{"name": "config", "configMap": {"name": "coredns"}}]);
    json!({"metadata": {"name": name, "uid": name}, "spec": {"containers": [], "volumes": volumes}, "status": status})
}

fn dns_service() -> Value {
    let spec = json!({"clusterIP": "10.96.0.10", "ipFamilies": ["IPv4"], "ports": [{"port": 53, "protocol": "UDP"}]});
    let metadata = json!({"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}});
    json!({"metadata": metadata, "spec": spec})
}

fn dns_endpoints() -> Value {
    let server = json!({"kind": "Pod", "name": "coredns", "uid": "coredns"});
    let endpoint = json!({"addresses": ["10.0.0.2"], "conditions": {"ready": true}, "targetRef": server});
    let metadata = json!({"name": "kube-dns-1", "labels": {"kubernetes.io/service-name": "kube-dns"}});
    json!({"metadata": metadata, "addressType": "IPv4", "endpoints": [endpoint]})
}
