//! Tests of which workloads are rejected, and above all which are not.

use insta::assert_snapshot;

use super::*;
use crate::workload::parse;

const SET: &str =
    "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {replicas: 3, template: {spec: POD}}\n";

fn refusal(pod: &str, beside: &str) -> Option<String> {
    let text = format!("{}---\n{beside}", SET.replace("POD", pod));
    can_be_judged(&parse("db.yaml", &text).expect("YAML")).err().map(|error| error.to_string())
}

/// A pod with one container, which has this image and these fields, and with `more` in the pod.
fn pod(image: &str, fields: &str, more: &str) -> String {
    format!("{{containers: [{{name: a, image: '{image}', {fields}}}], {more}}}")
}

/// A pod of the official image.
fn mysql(fields: &str) -> String {
    pod("mysql:8.4", fields, "")
}

fn config_map(files: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: conf}}\ndata: {{{files}}}\n")
}

const MOUNTED: &str = "volumeMounts: [{name: conf, mountPath: /etc/mysql/conf.d}]";
const FROM_MAP: &str = "volumes: [{name: conf, configMap: {name: conf}}]";

#[test]
fn replicas_without_gtids_are_refused_and_a_single_server_is_not() {
    assert_snapshot!(refusal(&mysql(""), "").expect("refused"), @"StatefulSet db cannot be tested: its servers have no GTIDs: gtid_mode is OFF by default (neither its command nor an option file mentions them); the harness configures and compares replicas by GTID: set gtid_mode=ON and enforce_gtid_consistency=ON");
    for (pod, seen) in [
        (pod("docker.io/library/percona:8.0", "args: ['--gtid_mode=OFF']", ""), "`--gtid-mode` of its command"),
        (mysql("args: [--gtid-mode, 'OFF']"), "`--gtid-mode` of its command"),
        (pod("mirror.example/library/mysql:8.4", "", ""), "neither its command"),
        (pod("docker.io/mysql:8.4", "", ""), "neither its command"),
    ] {
        assert!(refusal(&pod, "").is_some_and(|error| error.contains(seen)), "{pod}");
    }
    let one = SET.replace("replicas: 3, ", "").replace("POD", &mysql(""));
    assert!(can_be_judged(&parse("db.yaml", &one).expect("YAML")).is_ok());
    let live = SET.replace("POD", &mysql(""));
    assert!(is_no_group(&parse("db.yaml", &live).expect("YAML")).is_ok());
}

#[test]
fn files_of_options_count_as_they_are_mounted() {
    let pod = pod("mysql:8.4", MOUNTED, FROM_MAP);
    for none in ["my.cnf: 'max_connections=9'", "my.cnf: \"gtid_mode = 'OFF'\"", "my.cnf: \"a=1\\n# gtid_mod = ON\""] {
        assert!(refusal(&pod, &config_map(none)).is_some_and(|error| error.contains("no GTIDs")), "{none}");
    }
    for some in [
        "my.cnf: 'gtid_mode = ON'",
        "my.cnf: 'gtid-mode=ON  # gtid_mode=OFF until 2023'",
        "my.cnf: 'loose_gtid_mode=1'",
    ] {
        assert_eq!(refusal(&pod, &config_map(some)), None, "{some}");
    }
    let one_of_two =
        pod.replace("configMap: {name: conf}", "configMap: {name: conf, items: [{key: a.cnf, path: a.cnf}]}");
    let two = config_map("a.cnf: 'gtid_mode=ON', galera.cnf: 'wsrep_on=ON'");
    assert_eq!(refusal(&one_of_two, &two), None);
    assert!(refusal(&pod, &two).is_some_and(|error| error.contains("`wsrep_on=ON` in the ConfigMap conf")));
    // A ConfigMap of another StatefulSet does not count.
    assert_eq!(refusal(&mysql("args: [--gtid-mode=ON, --x=conf]"), &config_map("my.cnf: 'wsrep_on=ON'")), None);
}

#[test]
fn who_may_have_gtids_is_let_in() {
    let from = |source: &str| pod("mysql:8.4", MOUNTED, &format!("volumes: [{{name: conf, {source}}}]"));
    let filled = |container: &str| {
        let volumes = format!("initContainers: [{container}], volumes: [{{name: conf, emptyDir: {{}}}}]");
        pod("mysql:8.4", MOUNTED, &volumes)
    };
    for pod in [
        mysql("args: [--gtid-mode=ON]"),
        mysql("args: [--gtid-mode=OFF, --gtid-mode=ON]"),
        mysql("command: [bash, -c, 'exec /opt/start.sh']"),
        mysql("command: [/hooks/start]"),
        mysql("args: [--defaults-extra-file=/opt/cfg/server.ini]"),
        mysql("command: [bash, -c, 'exec docker-entrypoint.sh mysqld $EXTRA'], envFrom: [{secretRef: {name: extra}}]"),
        mysql("env: [{name: EXTRA, value: '--gtid-mode=ON'}], args: ['$(EXTRA)']"),
        mysql("args: [mysqld, '$(OPTS)'], env: [{name: OPTS, valueFrom: {configMapKeyRef: {name: o, key: o}}}]"),
        mysql("args: ['$(OPTS)'], envFrom: [{configMapRef: {name: conf}}]"),
        mysql("command: [bash, /scripts/start]"),
        mysql("lifecycle: {postStart: {exec: {command: [sh, -c, 'SET PERSIST gtid_mode=ON']}}}"),
        pod("mariadb:11.4", "", ""),
        pod("acme/mysql:8.4", "", ""),
        pod("registry.example/golden/mysql/mysql-server:8.0", "", ""),
        from("secret: {secretName: conf}"),
        from("configMap: {name: elsewhere}"),
        from("persistentVolumeClaim: {claimName: conf}"),
        filled(&format!("{{name: i, image: 'acme/config:1', {MOUNTED}}}")),
        filled(&format!("{{name: i, image: b, command: [/sync], {MOUNTED}}}")),
        filled(&format!(
            "{{name: i, image: b, command: [sh, -c, 'echo gtid_mode=ON > /etc/mysql/conf.d/a.cnf'], {MOUNTED}}}"
        )),
    ] {
        assert_eq!(refusal(&pod, ""), None, "{pod}");
    }
    let shown = filled(&format!(
        "{{name: i, image: b, command: [sh, -c, 'echo log-bin > /etc/mysql/conf.d/a.cnf'], {MOUNTED}}}"
    ));
    assert!(refusal(&shown, "").is_some());
    let initdb = pod("mysql:8.4", "volumeMounts: [{name: conf, mountPath: /docker-entrypoint-initdb.d}]", FROM_MAP);
    assert_eq!(refusal(&initdb, &config_map("a.sql: 'SET PERSIST gtid_mode=OFF_PERMISSIVE'")), None);
}

#[test]
fn members_of_a_group_are_refused_by_what_says_so() {
    let galera = pod("mariadb:11.4", "args: [--wsrep-on=ON]", "");
    assert_snapshot!(refusal(&galera, "").expect("refused"), @"StatefulSet db cannot be tested: its servers are members of a Galera cluster (`--wsrep-on` of its command); a run needs one primary, at the first ordinal, and replicas that follow it by GTID; `steadfast lint` can check the manifests, and checks without replication can run by name, such as `steadfast run dns::short_names_resolve`");
    for pod in [
        pod("acme/mariadb-galera:11", "", ""),
        pod("percona/percona-xtradb-cluster:8.0", "", ""),
        pod("mariadb:11.4", "args: ['--wsrep-cluster-address=gcomm://db']", ""),
    ] {
        assert!(refusal(&pod, "").is_some_and(|error| error.contains("Galera")), "{pod}");
    }
    for pod in [
        pod("mariadb:11.4", "args: [--wsrep-on=OFF, '--wsrep-cluster-address=gcomm://db']", ""),
        mysql("args: [--gtid-mode=ON, --plugin-load-add=group_replication.so]"),
    ] {
        assert_eq!(refusal(&pod, ""), None, "{pod}");
    }
    let group = mysql("args: ['--loose-group-replication-group-name=x', --gtid-mode=ON]");
    assert!(refusal(&group, "").is_some_and(|error| error.contains("members of a replication group")));
}
