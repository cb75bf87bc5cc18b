//! What is under test, read from its manifests: every name, number and credential that the harness uses comes from
//! the objects themselves.

use serde_json::Value;

use super::hints::Hints;
use super::manifests::Manifest;
use super::password::{self, Credentials};
use super::server;
use crate::evidence::{ClaimPolicy, NamedPort, PodManagement, Retention, Subject};
use crate::object::{items, strings};

/// Manifests that hold no workload that can be tested.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// No StatefulSet.
    #[error("the manifests hold no StatefulSet ({found}); add the one to test")]
    NoStatefulSet {
        /// What they hold.
        found: String,
    },
    /// More than one StatefulSet.
    #[error("the manifests hold {count} StatefulSets ({names}); a run tests one: say which by --statefulset NAME")]
    SeveralStatefulSets {
        /// How many.
        count: usize,
        /// Their names.
        names: String,
    },
    /// No StatefulSet of the name that was asked for.
    #[error("the manifests hold no StatefulSet `{name}` ({found}); correct --statefulset")]
    NoSuchStatefulSet {
        /// The name.
        name: String,
        /// The StatefulSets there are.
        found: String,
    },
    /// The governing Service is not there.
    #[error(
        "StatefulSet {set} names the Service `{service}` in spec.serviceName, which the manifests do not hold \
         ({found}); add it, or correct serviceName: without it no pod has a DNS name"
    )]
    NoService {
        /// The StatefulSet.
        set: String,
        /// The Service it names.
        service: String,
        /// The Services that are there.
        found: String,
    },
    /// A field that the harness needs is missing or of the wrong kind.
    #[error("StatefulSet {set}: {what}")]
    Field {
        /// The StatefulSet.
        set: String,
        /// What is wrong and how to mend it.
        what: String,
    },
    /// Its replication is none that a run can judge.
    #[error("StatefulSet {set} cannot be tested: {what} ({seen}); {remedy}")]
    Unsupported {
        /// The StatefulSet.
        set: String,
        /// What it is.
        what: &'static str,
        /// What says so.
        seen: String,
        /// What would work.
        remedy: &'static str,
    },
    /// Objects name different namespaces, or another one than the run's.
    #[error("{kind} {name} names the namespace `{namespace}`, but the run uses `{expected}`; use one for all")]
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

/// The workload of these manifests, in a namespace and DNS zone, and its root password's source, which may be given.
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
        return Err(field(name, "spec.replicas is 0: there is nothing to test; ask for at least one pod"));
    }
    let credentials = match &hints.password_from {
        Some(key) => Credentials::Key(key.clone()),
        None => password::credentials(manifests, pod, container).map_err(|why| field(name, unknown_password(&why)))?,
    };
    Ok((subject, credentials))
}

/// The namespace that the manifests agree on, if they name or bring one.
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

/// Takes out of objects that they are of the namespace `default`, which no run may use: it stands for the one that somebody
/// applies them to. Tells whether one named it.
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

/// Has the StatefulSet that is named come before the others, so that it is the one that is found.
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
    if names.is_empty() { "there is none".to_owned() } else { format!("there is {}", names.join(", ")) }
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
                "{few} of its containers is known to be the server ({}); one is known by its image (mysql, mariadb, percona), \
                 by a command that runs mysqld, by MYSQL_ROOT_PASSWORD, or by the port 3306: give one of these to the server \
                 alone",
                names.join(", ")
            );
            Err(field(set, what))
        }
    }
}

fn unknown_password(why: &str) -> String {
    format!(
        "the root password is not known: {why}; set MYSQL_ROOT_PASSWORD by valueFrom.secretKeyRef, or say where the \
         password is by --password-from secret/NAME/KEY"
    )
}

/// A number of pods, or a share of them, which is rounded up
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
mod tests {
    use super::*;
    use crate::workload::{Key, parse};

    const SERVICE: &str =
        "apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {ports: [{port: 3306, name: sql}]}\n---\n";
    const SET: &str = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec:\n  serviceName: db\n  \
                       template:\n    spec:\n      containers:\n";
    const SERVER: &str = "      - {name: server, image: 'mysql:5.7', env: [{name: MYSQL_ROOT_PASSWORD, value: x}]}\n";

    fn read(text: &str) -> Result<(Subject, Credentials), SubjectError> {
        subject(&parse("db.yaml", text).expect("YAML"), "ns", "cluster.local", &Hints::default())
    }

    #[test]
    fn everything_comes_from_the_objects_or_their_defaults() {
        let (subject, credentials) = read(&format!("{SERVICE}{SET}{SERVER}")).expect("a workload");
        assert_eq!((subject.replicas, subject.first_ordinal, subject.port), (1, 0, 3306));
        assert_eq!(subject.container, "server");
        assert_eq!(subject.named_ports, [NamedPort { name: "sql".into(), protocol: "tcp".into(), number: 3306 }]);
        assert_eq!((subject.on_delete, subject.partition, subject.max_unavailable), (false, 0, 1));
        assert_eq!(subject.claim_policy, ClaimPolicy::default());
        assert_eq!(subject.pod_management, PodManagement::OrderedReady);
        assert_eq!(credentials, Credentials::Literal("x".to_owned()));
    }

    #[test]
    fn the_pods_need_not_wait_where_the_set_says_so() {
        for (policy, expected) in [("Parallel", PodManagement::Parallel), ("OrderedReady", PodManagement::OrderedReady)]
        {
            let set = SET.replace("spec:\n  s", &format!("spec:\n  podManagementPolicy: {policy}\n  s"));
            let (subject, _) = read(&format!("{SERVICE}{set}{SERVER}")).expect("a workload");
            assert_eq!(subject.pod_management, expected, "{policy}");
        }
    }

    #[test]
    fn where_the_password_is_may_be_said() {
        let server = "      - {name: server, image: 'mysql:8.4.6'}\n";
        let manifests = parse("db.yaml", &format!("{SERVICE}{SET}{server}")).expect("YAML");
        let key: Key = "secret/db/root".parse().expect("a key");
        let hints = Hints { password_from: Some(key.clone()), ..Hints::default() };
        let (_, credentials) = subject(&manifests, "ns", "cluster.local", &hints).expect("a workload");
        assert_eq!(credentials, Credentials::Key(key));
    }

    #[test]
    fn the_default_namespace_is_no_ones() {
        let text = format!("{SERVICE}{SET}{SERVER}").replacen("{name: db}", "{name: db, namespace: default}", 1);
        let mut manifests = parse("db.yaml", &text).expect("YAML");
        assert!(leave_default_namespace(&mut manifests));
        assert_eq!(namespace(&manifests, Some("shop")).expect("they agree").as_deref(), Some("shop"));
        assert!(!leave_default_namespace(&mut manifests));
    }

    #[test]
    fn one_of_several_sets_is_named() {
        let set = format!("{SET}{SERVER}");
        let text = format!(
            "{SERVICE}{set}---\n{}",
            set.replace("StatefulSet\nmetadata: {name: db}", "StatefulSet\nmetadata: {name: other}")
        );
        let mut manifests = parse("db.yaml", &text).expect("YAML");
        let hints = |name: &str| Hints { statefulset: Some(name.to_owned()), ..Hints::default() };
        let named = |manifests: &[Manifest], name: &str| {
            subject(manifests, "ns", "cluster.local", &hints(name)).map(|(subject, _)| subject.set)
        };
        assert_eq!(named(&manifests, "other").expect("a workload"), "other");
        assert_eq!(named(&manifests, "db").expect("a workload"), "db");
        let error = named(&manifests, "web").expect_err("there is none").to_string();
        assert_eq!(
            error,
            "the manifests hold no StatefulSet `web` (there is StatefulSet db, StatefulSet other); correct --statefulset"
        );
        choose(&mut manifests, &hints("other"));
        let order: Vec<&str> = manifests.iter().filter(|manifest| is_set(manifest)).map(Manifest::name).collect();
        assert_eq!(order, ["other", "db"]);
    }

    #[test]
    fn a_share_of_the_pods_is_rounded_up() {
        for (value, pods) in [("2", 2), ("'50%'", 3), ("'1%'", 1), ("'0%'", 1), ("many", 1)] {
            let text = format!("spec: {{updateStrategy: {{rollingUpdate: {{maxUnavailable: {value}}}}}}}");
            let set: Value = serde_saphyr::from_str(&text).expect("YAML");
            assert_eq!(max_unavailable(&set, 5), pods, "{value}");
        }
    }

    #[test]
    fn each_mistake_is_named() {
        let set = format!("{SET}{SERVER}");
        let two = "      - {name: one}\n      - {name: two}\n";
        let servers = "      - {name: one, image: mysql}\n      - {name: two, image: mariadb}\n";
        let cases = [
            (SERVICE.to_owned(), "hold no StatefulSet (there is Service db)"),
            (
                format!("{SERVICE}{set}---\n{set}"),
                "hold 2 StatefulSets (db, db); a run tests one: say which by --statefulset NAME",
            ),
            (
                set.clone(),
                "names the Service `db` in spec.serviceName, which the manifests do not hold (there is none)",
            ),
            (
                format!("{SERVICE}{}", set.replace("  serviceName: db\n", "")),
                "names the Service `` in spec.serviceName",
            ),
            (format!("{SERVICE}{}", set.replace("spec:\n  s", "spec:\n  replicas: 0\n  s")), "spec.replicas is 0"),
            (format!("{SERVICE}{SET}      - {{name: server}}\n"), "has neither MYSQL_ROOT_PASSWORD nor a"),
            (format!("{SERVICE}{SET}{two}"), "none of its containers is known to be the server (one, two)"),
            (
                format!("{SERVICE}{SET}{servers}"),
                "more than one of its containers is known to be the server (one, two)",
            ),
        ];
        for (text, expected) in cases {
            let error = read(&text).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}\nhas not: {expected}");
        }
    }

    #[test]
    fn objects_agree_on_a_namespace_or_the_one_that_does_not_is_named() {
        let text =
            format!("{SERVICE}{SET}{SERVER}").replace("metadata: {name: db}", "metadata: {name: db, namespace: a}");
        let manifests = parse("db.yaml", &text).expect("YAML");
        assert_eq!(namespace(&manifests, None).expect("one").as_deref(), Some("a"));
        assert_eq!(namespace(&manifests, Some("a")).expect("one").as_deref(), Some("a"));
        let brought = parse("ns.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n").expect("YAML");
        assert_eq!(namespace(&brought, None).expect("one").as_deref(), Some("a"));
        let error = namespace(&manifests, Some("b")).expect_err("two").to_string();
        assert_eq!(error, "Service db names the namespace `a`, but the run uses `b`; use one for all");
    }
}
