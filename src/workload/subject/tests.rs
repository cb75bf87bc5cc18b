//! Tests of workloads that are understood, and of the messages for mistakes.

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
    for (policy, expected) in [("Parallel", PodManagement::Parallel), ("OrderedReady", PodManagement::OrderedReady)] {
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
        "the manifests contain no StatefulSet `web` (found StatefulSet db, StatefulSet other); correct --statefulset"
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
        (SERVICE.to_owned(), "contain no StatefulSet (found Service db)"),
        (
            format!("{SERVICE}{set}---\n{set}"),
            "contain 2 StatefulSets (db, db), but a run tests one: choose it with --statefulset NAME",
        ),
        (set.clone(), "names the Service `db` in spec.serviceName, but the manifests do not contain it (found none)"),
        (format!("{SERVICE}{}", set.replace("  serviceName: db\n", "")), "names the Service `` in spec.serviceName"),
        (format!("{SERVICE}{}", set.replace("spec:\n  s", "spec:\n  replicas: 0\n  s")), "spec.replicas is 0"),
        (format!("{SERVICE}{SET}      - {{name: server}}\n"), "has neither MYSQL_ROOT_PASSWORD nor a"),
        (format!("{SERVICE}{SET}{two}"), "none of its containers is recognized as the server (one, two)"),
        (format!("{SERVICE}{SET}{servers}"), "more than one of its containers is recognized as the server (one, two)"),
    ];
    for (text, expected) in cases {
        let error = read(&text).expect_err(expected).to_string();
        assert!(error.contains(expected), "{error}\nhas not: {expected}");
    }
}

#[test]
fn objects_agree_on_a_namespace_or_the_one_that_does_not_is_named() {
    let text = format!("{SERVICE}{SET}{SERVER}").replace("metadata: {name: db}", "metadata: {name: db, namespace: a}");
    let manifests = parse("db.yaml", &text).expect("YAML");
    assert_eq!(namespace(&manifests, None).expect("one").as_deref(), Some("a"));
    assert_eq!(namespace(&manifests, Some("a")).expect("one").as_deref(), Some("a"));
    let brought = parse("ns.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n").expect("YAML");
    assert_eq!(namespace(&brought, None).expect("one").as_deref(), Some("a"));
    let error = namespace(&manifests, Some("b")).expect_err("two").to_string();
    assert_eq!(error, "Service db sets the namespace `a`, but the run uses `b`; use the same namespace everywhere");
}
