//! Tests of passwords in every place where images read them.

use insta::assert_snapshot;

use super::*;
use crate::workload::parse;

const OBJECTS: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {ROOT_PASSWORD: x, OTHER: y}\n";

/// What is found for a container with this image and these fields, beside a Secret `db`.
fn found_in(image: &str, fields: &str) -> String {
    let manifests = parse("a.yaml", OBJECTS).expect("YAML");
    let volumes = "[{name: file, secret: {secretName: db, items: [{key: ROOT_PASSWORD, path: root}]}}, \
                   {name: whole, secret: {secretName: db}}, {name: none, emptyDir: {}}, \
                   {name: both, projected: {sources: [{configMap: {name: c}}, {secret: {name: db}}]}}]";
    let container = format!("{{name: server, image: '{image}', {fields}}}");
    let pod = format!("{{volumes: {volumes}, containers: [{container}]}}");
    let pod: Value = serde_saphyr::from_str(&pod).expect("YAML");
    match credentials(&manifests, &pod, &pod["containers"][0]) {
        Ok(Credentials::Key(key)) => format!("{key}{}", if key.as_file { " as a file" } else { "" }),
        Ok(other) => format!("{other:?}"),
        Err(why) => why,
    }
}

fn found(fields: &str) -> String {
    found_in("mysql:8.4.6", fields)
}

#[test]
fn it_is_found_wherever_images_take_it_from() {
    assert_snapshot!(found("env: [{name: MYSQL_ROOT_PASSWORD, value: a}]"), @r#"Literal("a")"#);
    assert_snapshot!(found("env: [{name: MYSQL_ROOT_PASSWORD, valueFrom: {secretKeyRef: {name: a, key: b}}}]"), @"secret/a/b");
    assert_snapshot!(found("env: [{name: MYSQL_ROOT_PASSWORD, valueFrom: {configMapKeyRef: {name: a, key: b}}}]"), @"configmap/a/b");
    assert_snapshot!(found("envFrom: [{prefix: MYSQL_, secretRef: {name: db}}]"), @"secret/db/ROOT_PASSWORD");
    // A listed variable wins over `envFrom`, and the last of equal names wins.
    let twice = "[{name: MYSQL_ROOT_PASSWORD, value: a}, {name: MYSQL_ROOT_PASSWORD, value: b}]";
    assert_eq!(
        found(&format!("envFrom: [{{prefix: MYSQL_, secretRef: {{name: db}}}}], env: {twice}")),
        r#"Literal("b")"#
    );
}

#[test]
fn the_names_are_those_of_the_image() {
    let both = "env: [{name: MYSQL_ROOT_PASSWORD, value: a}, {name: MARIADB_ROOT_PASSWORD, value: b}]";
    assert_eq!(found(both), r#"Literal("a")"#);
    for image in ["mariadb:11.4.2", "acme/mysql-or-mariadb:1", "acme/orders:1"] {
        assert_eq!(found_in(image, both), r#"Literal("b")"#, "{image}");
    }
    let of_mariadb = "env: [{name: MARIADB_ROOT_PASSWORD, value: b}]";
    assert_snapshot!(found(of_mariadb), @"the container `server` has neither MYSQL_ROOT_PASSWORD nor an equivalent variable");
}

#[test]
fn a_file_leads_to_the_key_of_its_volume() {
    let of = |mount: &str| {
        found(&format!("env: [{{name: MYSQL_ROOT_PASSWORD_FILE, value: /run/db/root}}], volumeMounts: [{mount}]"))
    };
    assert_snapshot!(of("{name: file, mountPath: /run/db}"), @"secret/db/ROOT_PASSWORD as a file");
    assert_snapshot!(of("{name: whole, mountPath: /run/db/}"), @"secret/db/root as a file");
    assert_snapshot!(of("{name: whole, mountPath: /run/db/root, subPath: ROOT_PASSWORD}"), @"secret/db/ROOT_PASSWORD as a file");
    assert_snapshot!(of("{name: none, mountPath: /}, {name: both, mountPath: /run/db}"), @"configmap/c/root as a file");
    assert_snapshot!(of("{name: none, mountPath: /run/db}"), @"the password is in the file /run/db/root, which no Secret or ConfigMap of the pod template provides");
    assert_snapshot!(of("{name: file, mountPath: /run/d}"), @"the password is in the file /run/db/root, but no volume is mounted there");
}

#[test]
fn a_password_beats_the_word_that_none_is_needed() {
    let empty = "{name: MYSQL_ALLOW_EMPTY_PASSWORD, value: 'yes'}";
    let password = "{name: MYSQL_ROOT_PASSWORD, value: a}";
    assert_eq!(found(&format!("env: [{empty}, {password}]")), r#"Literal("a")"#);
    assert_eq!(found(&format!("env: [{password}, {empty}]")), r#"Literal("a")"#);
    assert_eq!(found(&format!("env: [{empty}]")), "Empty");
    assert_eq!(found(&format!("env: [{empty}, {{name: MYSQL_ROOT_PASSWORD, value: ''}}]")), "Empty");
    assert_eq!(found_in("acme/mariadb:1", "env: [{name: ALLOW_EMPTY_PASSWORD, value: 'yes'}]"), "Empty");
}

#[test]
fn variables_are_put_into_others() {
    let with = |value: &str| {
        let known = "{name: A, value: a}, {name: S, valueFrom: {secretKeyRef: {name: s, key: k}}}";
        found(&format!("env: [{known}, {{name: MYSQL_ROOT_PASSWORD, value: '{value}'}}]"))
    };
    assert_eq!(with("x$(A)y$(NONE)$$(A)$"), r#"Literal("xay$(NONE)$(A)$")"#);
    assert_eq!(with("$(S)"), "secret/s/k");
    assert_snapshot!(with("$(S)!"), @"MYSQL_ROOT_PASSWORD is composed of ${S} and other text");
}

#[test]
fn what_cannot_be_known_is_said() {
    assert_snapshot!(found("envFrom: [{secretRef: {name: elsewhere}}]"), @"its variables come from Secret elsewhere, which the manifests do not contain");
    assert_snapshot!(found("env: [{name: MYSQL_RANDOM_ROOT_PASSWORD, value: '1'}]"), @"MYSQL_RANDOM_ROOT_PASSWORD lets the image choose the password, or gives only its hash");
    assert_snapshot!(found("env: [{name: MYSQL_ROOT_PASSWORD, value: 5}]"), @"MYSQL_ROOT_PASSWORD has a value that is not a string: quote it");
    assert_snapshot!(found("env: [{name: MYSQL_ROOT_PASSWORD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"), @"MYSQL_ROOT_PASSWORD comes from a field of the pod");
}

#[test]
fn a_key_is_named_as_kubectl_names_it() {
    let key: Key = "secret/db/a/b".parse().expect("a key");
    assert_eq!((key.to_string().as_str(), key.kind), ("secret/db/a/b", Holder::Secret));
    assert_eq!("cm/db/a".parse::<Key>().expect("a key").kind, Holder::ConfigMap);
    for wrong in ["db", "secret/db", "secret//a", "pod/db/a"] {
        assert!(wrong.parse::<Key>().is_err(), "{wrong}");
    }
}
