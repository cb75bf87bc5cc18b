//! The workload under test, read from its manifests: every name, number and credential that the harness uses comes from
//! the objects themselves.

use serde_json::Value;

use super::Manifest;
use super::hints::Hints;
use super::password::{self, Credentials};
use crate::evidence::{ClaimPolicy, NamedPort, PodManagement, Retention, Subject};
use crate::lint::manifest::server;
use crate::object::{items, strings, text};

/// The manifests hold no workload that can be tested.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// No StatefulSet.
    #[error("the manifests contain no StatefulSet ({found}); add the one to test")]
    NoStatefulSet {
        /// What they hold.
        found: String,
    },
    /// More than one StatefulSet.
    #[error(
        "the manifests contain {count} StatefulSets ({names}), but a run tests one: choose it with --statefulset NAME"
    )]
    SeveralStatefulSets {
        /// The number of StatefulSets.
        count: usize,
        /// Their names.
        names: String,
    },
    /// No StatefulSet has the requested name.
    #[error("the manifests contain no StatefulSet `{name}` ({found}); correct --statefulset")]
    NoSuchStatefulSet {
        /// The name.
        name: String,
        /// The StatefulSets in the manifests.
        found: String,
    },
    /// The governing Service is missing.
    #[error(
        "StatefulSet {set} names the Service `{service}` in spec.serviceName, but the manifests do not contain it \
         ({found}); add it, or correct serviceName: without the Service no pod has a DNS name"
    )]
    NoService {
        /// The StatefulSet.
        set: String,
        /// The Service it names.
        service: String,
        /// The Services in the manifests.
        found: String,
    },
    /// A field that the harness needs is missing or of the wrong kind.
    #[error("StatefulSet {set}: {what}")]
    Field {
        /// The StatefulSet.
        set: String,
        /// What is wrong and how to fix it.
        what: String,
    },
    /// A run cannot judge this kind of replication.
    #[error("StatefulSet {set} cannot be tested: {what} ({seen}); {remedy}")]
    Unsupported {
        /// The StatefulSet.
        set: String,
        /// The kind of replication.
        what: &'static str,
        /// What shows it.
        seen: String,
        /// What would work.
        remedy: &'static str,
    },
    /// Objects name different namespaces, or another one than the run's.
    #[error(
        "{kind} {name} sets the namespace `{namespace}`, but the run uses `{expected}`; use the same namespace \
         everywhere"
    )]
    Namespace {
        /// The object's kind.
        kind: String,
        /// Its name.
        name: String,
        /// Its namespace.
        namespace: String,
        /// The run's.
        expected: String,
    },
}

/// The workload in these manifests, for this namespace and DNS zone, and the source of its root password, which `hints`
/// may name.
///
/// # Errors
/// When there is not exactly one StatefulSet with its governing Service and a root password.
pub fn subject(
    manifests: &[Manifest],
    namespace: &str,
    domain: &str,
    hints: &Hints,
) -> Result<(Subject, Credentials), SubjectError> {
    let set = wanted_set(manifests, hints.statefulset.as_deref())?;
    let name = set.name();
    let object = &set.object;
    let service = governing_service(manifests, set)?;
    let pod = object.pointer("/spec/template/spec").unwrap_or(&Value::Null);
    let container = server_container(name, pod)?;
    let port = server::port(container, Some(&service.object));
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    let retention = |when| match set.text(&format!("/spec/persistentVolumeClaimRetentionPolicy/{when}")) {
        "Delete" => Retention::Delete,
        _ => Retention::Retain,
    };
    let subject = Subject {
        namespace: namespace.to_owned(),
        domain: domain.to_owned(),
        set: name.to_owned(),
        replicas: number("/spec/replicas").unwrap_or(1),
        first_ordinal: number("/spec/ordinals/start").unwrap_or(0),
        service: service.name().to_owned(),
        publish_not_ready: service.object.pointer("/spec/publishNotReadyAddresses") == Some(&Value::Bool(true)),
        port,
        named_ports: named_ports(service, container),
        claims: items(object, "/spec/volumeClaimTemplates")
            .filter_map(|claim| claim.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned))
            .collect(),
        container: container["name"].as_str().unwrap_or_default().to_owned(),
        selector: strings(object, "/spec/selector/matchLabels"),
        min_ready_seconds: number("/spec/minReadySeconds").unwrap_or(0),
        pod_management: match set.text("/spec/podManagementPolicy") {
            "Parallel" => PodManagement::Parallel,
            _ => PodManagement::OrderedReady,
        },
        on_delete: set.text("/spec/updateStrategy/type") == "OnDelete",
        partition: number("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0),
        max_unavailable: max_unavailable(object, number("/spec/replicas").unwrap_or(1)),
        claim_policy: ClaimPolicy { when_deleted: retention("whenDeleted"), when_scaled: retention("whenScaled") },
    };
    if subject.replicas == 0 {
        return Err(field(name, "spec.replicas is 0: there is nothing to test; set it to at least 1"));
    }
    let credentials = match &hints.password_from {
        Some(key) => Credentials::Key(key.clone()),
        None => password::credentials(manifests, pod, container).map_err(|why| field(name, unknown_password(&why)))?,
    };
    Ok((subject, credentials))
}

/// The one namespace that the manifests name or contain, if any.
///
/// # Errors
/// When two objects name different ones, or one differs from `asked`.
pub fn namespace(manifests: &[Manifest], asked: Option<&str>) -> Result<Option<String>, SubjectError> {
    let mut agreed = asked.map(str::to_owned);
    for manifest in manifests {
        let named = if manifest.is_namespace() { manifest.name() } else { manifest.text("/metadata/namespace") };
        match &agreed {
            _ if named.is_empty() => {}
            Some(expected) if expected != named => {
                return Err(SubjectError::Namespace {
                    kind: manifest.kind().to_owned(),
                    name: manifest.name().to_owned(),
                    namespace: named.to_owned(),
                    expected: expected.clone(),
                });
            }
            _ => agreed = Some(named.to_owned()),
        }
    }
    Ok(agreed)
}

/// The names of the image pull Secrets of pods and of ServiceAccounts
/// (<https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/>).
pub fn pull_secrets(manifests: &[Manifest]) -> Vec<&str> {
    let of_pods = manifests.iter().flat_map(|it| items(&it.object, "/spec/template/spec/imagePullSecrets"));
    let accounts = manifests.iter().filter(|it| it.kind() == "ServiceAccount");
    let of_accounts = accounts.flat_map(|it| items(&it.object, "/imagePullSecrets"));
    of_pods.chain(of_accounts).filter_map(|secret| text(secret, "/name")).collect()
}

/// Every image of the pod template, each once.
pub fn images(manifests: &[Manifest]) -> Vec<String> {
    let lists = ["/spec/template/spec/containers", "/spec/template/spec/initContainers"];
    let mut images: Vec<String> = manifests
        .iter()
        .flat_map(|manifest| lists.iter().flat_map(|pointer| items(&manifest.object, pointer)))
        .filter_map(|container| container["image"].as_str().map(str::to_owned))
        .collect();
    images.sort();
    images.dedup();
    images
}

/// Removes the namespace `default` from all objects: it stands for whichever namespace they are applied to, and no run
/// may use it itself. Returns whether any object named it.
pub fn leave_default_namespace(manifests: &mut Vec<Manifest>) -> bool {
    let is_default = |manifest: &Manifest| manifest.text("/metadata/namespace") == "default";
    let mut named = manifests.iter().any(is_default);
    for manifest in manifests.iter_mut().filter(|manifest| is_default(manifest)) {
        if let Some(metadata) = manifest.object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("namespace");
        }
    }
    manifests.retain(|manifest| {
        let itself = manifest.is_namespace() && manifest.name() == "default";
        named |= itself;
        !itself
    });
    named
}

fn is_set(manifest: &Manifest) -> bool {
    manifest.kind() == "StatefulSet"
}

/// Moves the StatefulSet that the hints name before the others, so that it is found first.
pub fn choose(manifests: &mut [Manifest], hints: &Hints) {
    let first = manifests.iter().position(is_set);
    let wanted = hints.statefulset.as_deref();
    let named = manifests.iter().position(|manifest| is_set(manifest) && Some(manifest.name()) == wanted);
    if let Some((first, named)) = first.zip(named) {
        manifests.swap(first, named);
    }
}

fn wanted_set<'a>(manifests: &'a [Manifest], wanted: Option<&str>) -> Result<&'a Manifest, SubjectError> {
    let sets: Vec<&Manifest> = manifests.iter().filter(|manifest| is_set(manifest)).collect();
    if let Some(name) = wanted {
        let found = || names(manifests, is_set);
        let named = sets.into_iter().find(|set| set.name() == name);
        return named.ok_or_else(|| SubjectError::NoSuchStatefulSet { name: name.to_owned(), found: found() });
    }
    match sets.as_slice() {
        [set] => Ok(set),
        [] => Err(SubjectError::NoStatefulSet { found: names(manifests, |_| true) }),
        several => Err(SubjectError::SeveralStatefulSets {
            count: several.len(),
            names: sets.iter().map(|set| set.name()).collect::<Vec<_>>().join(", "),
        }),
    }
}

fn governing_service<'a>(manifests: &'a [Manifest], set: &Manifest) -> Result<&'a Manifest, SubjectError> {
    let wanted = set.text("/spec/serviceName");
    let is_service = |manifest: &Manifest| manifest.kind() == "Service";
    manifests.iter().find(|manifest| is_service(manifest) && manifest.name() == wanted).ok_or_else(|| {
        SubjectError::NoService {
            set: set.name().to_owned(),
            service: wanted.to_owned(),
            found: names(manifests, is_service),
        }
    })
}

fn names(manifests: &[Manifest], wanted: impl Fn(&Manifest) -> bool) -> String {
    let names: Vec<String> = manifests
        .iter()
        .filter(|manifest| wanted(manifest))
        .map(|manifest| format!("{} {}", manifest.kind(), manifest.name()))
        .collect();
    if names.is_empty() { "found none".to_owned() } else { format!("found {}", names.join(", ")) }
}

fn field(set: &str, what: impl Into<String>) -> SubjectError {
    SubjectError::Field { set: set.to_owned(), what: what.into() }
}

/// The container that runs the server.
fn server_container<'a>(set: &str, pod: &'a Value) -> Result<&'a Value, SubjectError> {
    let containers: Vec<&Value> = items(pod, "/containers").collect();
    match (server::servers(pod).as_slice(), containers.as_slice()) {
        ([place], _) => Ok(containers[*place]),
        ([], [only]) => Ok(only),
        ([], []) => Err(field(set, "the pod template has no containers")),
        (found, all) => {
            let found: Vec<&Value> = found.iter().map(|place| all[*place]).collect();
            let (few, of) = if found.is_empty() { ("none", all) } else { ("more than one", found.as_slice()) };
            let names: Vec<&str> = of.iter().filter_map(|container| container["name"].as_str()).collect();
            let what = format!(
                "{few} of its containers is recognized as the server ({}); a server is recognized by its image (mysql, \
                 mariadb, percona), by a command that runs mysqld, by MYSQL_ROOT_PASSWORD, or by the port 3306: give \
                 one of these to the server only",
                names.join(", ")
            );
            Err(field(set, what))
        }
    }
}

fn unknown_password(why: &str) -> String {
    format!(
        "the root password is unknown: {why}; set MYSQL_ROOT_PASSWORD with valueFrom.secretKeyRef, or set \
         --password-from secret/NAME/KEY"
    )
}

/// A number of pods, or a percentage of them, which is rounded up
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#maximum-unavailable-pods>).
fn max_unavailable(set: &Value, replicas: u32) -> u32 {
    let pods = match set.pointer("/spec/updateStrategy/rollingUpdate/maxUnavailable") {
        Some(Value::String(share)) => share
            .strip_suffix('%')
            .and_then(|percent| percent.parse::<u64>().ok())
            .map(|percent| (u64::from(replicas) * percent).div_ceil(100)),
        other => other.and_then(Value::as_u64),
    };
    pods.and_then(|pods| u32::try_from(pods).ok()).unwrap_or(1).max(1)
}

/// The Service's named ports.
fn named_ports(service: &Manifest, container: &Value) -> Vec<NamedPort> {
    let named = |port: &Value| {
        Some(NamedPort {
            name: port["name"].as_str()?.to_owned(),
            protocol: port["protocol"].as_str().unwrap_or("TCP").to_lowercase(),
            number: server::target(port, container)?,
        })
    };
    items(&service.object, "/spec/ports").filter_map(named).collect()
}

#[cfg(test)]
mod tests;
