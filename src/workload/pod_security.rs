//! Whether pods comply with the Pod Security Standard `restricted`
//! (<https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>). A namespace that enforces it
//! rejects all others.

use serde_json::Value;

use super::Manifest;
use crate::object::{items, text};

/// The release of the standard implemented here: a later one may demand more.
pub(super) const RESTRICTED_AS_OF: &str = "v1.34";

/// Where each kind has its pod spec.
const TEMPLATES: [(&str, &str); 8] = [
    ("Pod", "/spec"),
    ("StatefulSet", "/spec/template/spec"),
    ("Deployment", "/spec/template/spec"),
    ("DaemonSet", "/spec/template/spec"),
    ("ReplicaSet", "/spec/template/spec"),
    ("ReplicationController", "/spec/template/spec"),
    ("Job", "/spec/template/spec"),
    ("CronJob", "/spec/jobTemplate/spec/template/spec"),
];

/// Built-in kinds that create no pods. Other kinds might.
const WITHOUT_PODS: [&str; 20] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "Endpoints",
    "EndpointSlice",
    "HorizontalPodAutoscaler",
    "LimitRange",
    "Namespace",
    "NetworkPolicy",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "PriorityClass",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "StorageClass",
];

const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];

const SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
];

const SELINUX: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/// Whether all pods of the manifests are restricted.
pub(super) fn is_restricted(manifests: &[Manifest]) -> bool {
    manifests.iter().all(|manifest| {
        let template = TEMPLATES.iter().find(|(kind, _)| *kind == manifest.kind());
        match template {
            Some((_, pointer)) => manifest.object.pointer(pointer).is_some_and(pod),
            None => WITHOUT_PODS.contains(&manifest.kind()),
        }
    })
}

fn pod(spec: &Value) -> bool {
    let shares = ["/hostNetwork", "/hostPID", "/hostIPC"].iter().any(|host| is(spec, host, true));
    let volumes = items(spec, "/volumes").all(|volume| {
        let mut kinds = volume.as_object().into_iter().flat_map(|it| it.keys()).filter(|key| *key != "name");
        kinds.all(|kind| VOLUMES.contains(&kind.as_str()))
    });
    let sysctls =
        items(spec, "/securityContext/sysctls").all(|it| text(it, "/name").is_some_and(|name| SYSCTLS.contains(&name)));
    let containers = ["/containers", "/initContainers", "/ephemeralContainers"];
    let containers = containers.iter().all(|list| items(spec, list).all(|it| container(spec, it)));
    !shares && volumes && sysctls && context(spec.get("securityContext").unwrap_or(&Value::Null)) && containers
}

/// The rules for the security contexts of both pods and containers.
fn context(context: &Value) -> bool {
    let confined = |pointer| text(context, pointer) != Some("Unconfined");
    let labels = text(context, "/seLinuxOptions/type").is_none_or(|kind| SELINUX.contains(&kind))
        && ["/seLinuxOptions/user", "/seLinuxOptions/role"]
            .iter()
            .all(|it| text(context, it).is_none_or(str::is_empty));
    let root = context.get("runAsUser").and_then(Value::as_i64) == Some(0) || is(context, "/runAsNonRoot", false);
    let windows = is(context, "/windowsOptions/hostProcess", true);
    confined("/seccompProfile/type") && confined("/appArmorProfile/type") && labels && !root && !windows
}

fn container(pod: &Value, container: &Value) -> bool {
    let own = container.get("securityContext").unwrap_or(&Value::Null);
    let either = |pointer: &str| own.pointer(pointer).or_else(|| pod.pointer(&format!("/securityContext{pointer}")));
    let confined = either("/seccompProfile/type").and_then(Value::as_str);
    let capabilities = |list| items(own, list).filter_map(Value::as_str);
    let drops_all = capabilities("/capabilities/drop").any(|it| it == "ALL");
    let adds_little = capabilities("/capabilities/add").all(|it| it == "NET_BIND_SERVICE");
    let masked = text(own, "/procMount").is_none_or(|it| it == "Default");
    let host_ports = items(container, "/ports").any(|port| port["hostPort"].as_i64().is_some_and(|port| port != 0));
    context(own)
        && is(own, "/allowPrivilegeEscalation", false)
        && !is(own, "/privileged", true)
        && either("/runAsNonRoot") == Some(&Value::Bool(true))
        && confined.is_some_and(|it| ["RuntimeDefault", "Localhost"].contains(&it))
        && (drops_all && adds_little && masked && !host_ports)
        && hosts(container).is_none()
}

/// The host that a probe or hook contacts instead of the pod, which newer releases forbid.
fn hosts(container: &Value) -> Option<&str> {
    let asked = ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle/postStart", "lifecycle/preStop"];
    let hosts =
        asked.iter().flat_map(|it| ["httpGet", "tcpSocket"].map(|by| text(container, &format!("/{it}/{by}/host"))));
    hosts.flatten().find(|host| !["", "127.0.0.1", "::1", "localhost"].contains(host))
}

fn is(object: &Value, pointer: &str, wanted: bool) -> bool {
    object.pointer(pointer).and_then(Value::as_bool) == Some(wanted)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str, spec: &Value) -> bool {
        let object = json!({"kind": kind, "spec": {"template": {"spec": spec}}});
        is_restricted(&[Manifest { origin: String::new(), object }])
    }

    fn restricted() -> Value {
        json!({
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "containers": [{
                "name": "mysql",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                "ports": [{"containerPort": 3306}],
            }],
        })
    }

    #[test]
    fn a_witness_is_restricted_and_the_seed_is_not() {
        let witness =
            crate::workload::parse("it", include_str!("../../manifests/witness/pod.yaml")).expect("manifests");
        assert!(is_restricted(&witness));
        let variant = include_str!("../../manifests/variants/of-a-user/statefulset.yaml");
        assert!(is_restricted(&crate::workload::parse("it", variant).expect("manifests")));
        let seed = include_str!("../../manifests/seed/statefulset.yaml");
        assert!(!is_restricted(&crate::workload::parse("it", seed).expect("manifests")));
        assert!(of("StatefulSet", &restricted()) && of("Job", &restricted()));
        assert!(!of("PerconaServerMySQL", &restricted()), "nobody knows its pods");
    }

    #[test]
    fn whatever_is_more_than_that_is_not() {
        let more = [
            ("/hostNetwork", json!(true)),
            ("/securityContext/runAsNonRoot", json!(false)),
            ("/securityContext/runAsUser", json!(0)),
            ("/securityContext/seccompProfile/type", json!("Unconfined")),
            ("/securityContext/sysctls", json!([{"name": "kernel.msgmax"}])),
            ("/volumes/0", json!({"name": "host", "hostPath": {"path": "/"}})),
            ("/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
            ("/containers/0/securityContext/privileged", json!(true)),
            ("/containers/0/securityContext/capabilities/add", json!(["SYS_NICE"])),
            ("/containers/0/securityContext/capabilities/drop", json!(["MKNOD"])),
            ("/containers/0/securityContext/procMount", json!("Unmasked")),
            ("/containers/0/securityContext/seLinuxOptions", json!({"type": "spc_t"})),
            ("/containers/0/securityContext/runAsUser", json!(0)),
            ("/containers/0/ports/0/hostPort", json!(3306)),
            ("/containers/0/livenessProbe", json!({"tcpSocket": {"port": 3306, "host": "10.0.0.1"}})),
            ("/initContainers", json!([{"name": "init"}])),
        ];
        for (pointer, value) in more {
            let mut spec = restricted();
            let (parent, field) = pointer.rsplit_once('/').expect("a pointer");
            let parent = spec.pointer_mut(parent).expect("it is there");
            match parent.as_array_mut() {
                Some(list) => list[field.parse::<usize>().expect("an index")] = value,
                None => parent[field] = value,
            }
            assert!(!of("StatefulSet", &spec), "{pointer}");
        }
    }
}
