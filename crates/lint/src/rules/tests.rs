//! Every rule both ways, on good manifests and variations of them.

use insta::assert_snapshot;

use super::RULES;
use crate::judge;
use crate::manifest::{Dialect, Text};
use crate::read::Input;
use crate::source::Position;

mod bad_days;
mod environment;
mod in_shape;

/// Manifests without a mistake.
const GOOD: &str = "\
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  clusterIP: None
  selector: {app: db}
  ports:
  - port: 3306
    name: mysql
---
apiVersion: v1
kind: Secret
metadata: {name: root}
stringData: {password: x}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: db}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: db}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db, tier: data}}
    spec:
      terminationGracePeriodSeconds: 60
      topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule}]
      containers:
      - name: server
        image: mysql:8.4.6
        env:
        - name: MYSQL_ROOT_PASSWORD
          valueFrom: {secretKeyRef: {name: root, key: password}}
        - name: POD_INDEX
          valueFrom: {fieldRef: {fieldPath: \"metadata.labels['apps.kubernetes.io/pod-index']\"}}
        command: [bash, -c, 'exec docker-entrypoint.sh mysqld --server-id=$((100 + POD_INDEX))']
        readinessProbe:
          exec: {command: [bash, -c, 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --host=127.0.0.1 -e \"SELECT 1\"']}
        resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}
        volumeMounts:
        - {name: data, mountPath: /var/lib/mysql}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce]}
";

/// The findings after each part is replaced by another.
fn found(changes: &[(&str, &str)]) -> String {
    let mut text = GOOD.to_owned();
    for (part, other) in changes {
        assert!(text.contains(part), "{part}");
        text = text.replacen(part, other, 1);
    }
    let mut input = Input::default();
    input.add(&Text::alone("db.yaml", text), Dialect::Kubectl).expect("YAML");
    let linted = judge(input);
    let lines = linted.findings.iter().map(|finding| {
        let Position { line, column } = linted.source(finding).position(finding.range.start);
        format!("{line}:{column} {}: {} ({})", finding.rule.id, finding.message, finding.label)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Asserts that there is no finding in any of these variations.
fn silent(variations: &[&[(&str, &str)]]) {
    for changes in variations {
        assert_eq!(found(changes), "", "{changes:?}");
    }
}

const PASSWORD: &str = "        - name: MYSQL_ROOT_PASSWORD
          valueFrom: {secretKeyRef: {name: root, key: password}}
";
const COMMAND: &str =
    "        command: [bash, -c, 'exec docker-entrypoint.sh mysqld --server-id=$((100 + POD_INDEX))']\n";
const PROBE: &str = "{command: [bash, -c, 'MYSQL_PWD=$MYSQL_ROOT_PASSWORD mysql --host=127.0.0.1 -e \"SELECT 1\"']}";
const MOUNT: &str = "        - {name: data, mountPath: /var/lib/mysql}\n";

const MOUNT_OF_OPTIONS: &str = "        - {name: conf, mountPath: /etc/mysql/conf.d}
      volumes: [{name: conf, configMap: {name: conf}}]
";
const WITH_INIT: &str = "      initContainers:
      - {name: id, image: 'a:1', args: ['echo server-id=$((1 + ORDINAL)) > /conf/id.cnf']}
      containers:
";

#[test]
fn rules_are_explained() {
    let ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_snapshot!(ids.join("\n"), @"
    no-root-password
    open-root-password
    secret-value
    user-is-root
    same-server-id
    no-readiness-probe
    probe-never-succeeds
    readiness-probe-lies
    liveness-kills-recovery
    no-governing-service
    service-not-headless
    selector-mismatch
    unnamed-port
    port-nobody-listens
    not-ready-published
    not-reachable
    exposed
    data-outside-claim
    shared-claim
    claims-deleted
    storage-class-absent
    volume-not-writable
    lost-found
    not-durable
    image-tag-moves
    no-disruption-budget
    budget-blocks-drains
    pods-share-a-node
    grace-period-too-short
    no-resources
    buffer-pool-too-large
    memory-unit
    parallel-pods
    server-unknown
    api-version
    wrong-type
    repeated-key
    object-twice
    variable-twice
    ");
    for rule in RULES {
        assert!(rule.id.chars().all(|it| it.is_ascii_lowercase() || it == '-'), "{}", rule.id);
        assert!(rule.summary.ends_with('.') && rule.why.ends_with('.') && !rule.fix.ends_with('.'), "{}", rule.id);
        assert!(rule.source.starts_with("https://"), "{}", rule.id);
        assert_eq!(ids.iter().filter(|id| **id == rule.id).count(), 1, "{}", rule.id);
    }
}

#[test]
fn nothing_is_wrong_with_good_manifests() {
    silent(&[&[]]);
}

#[test]
fn a_server_without_a_root_password() {
    assert_snapshot!(found(&[(PASSWORD, "")]), @"34:15 no-root-password: container `server` has neither MYSQL_ROOT_PASSWORD nor a variable that replaces it (sets no root password)");
    assert_snapshot!(found(&[(PASSWORD, "        - {name: MYSQL_ROOT_PASSWORD, value: ''}\n")]), @"34:15 no-root-password: container `server` has neither MYSQL_ROOT_PASSWORD nor a variable that replaces it (sets no root password)");
    assert_snapshot!(found(&[("key: password", "key: pasword")]), @"38:55 no-root-password: MYSQL_ROOT_PASSWORD is taken from the key `pasword` of Secret root, which has no such key (no such key)");
    let from = |name: &str| format!("        envFrom: [{{secretRef: {{name: {name}}}}}]\n{COMMAND}");
    assert_snapshot!(found(&[(PASSWORD, ""), (COMMAND, &from("root"))]), @"34:15 no-root-password: container `server` has neither MYSQL_ROOT_PASSWORD nor a variable that replaces it (sets no root password)");
    silent(&[
        &[(PASSWORD, ""), (COMMAND, &from("of-somebody-else"))],
        &[(PASSWORD, ""), ("{password: x}", "{MYSQL_ROOT_PASSWORD: x}"), (COMMAND, &from("root"))],
        &[
            (PASSWORD, "        - {name: MYSQL_ROOT_PASSWORD_FILE, value: /run/secrets/root}\n"),
            (
                MOUNT,
                "        - {name: data, mountPath: /var/lib/mysql}\n        - {name: any, mountPath: /run/secrets/}\n",
            ),
        ],
        &[(PASSWORD, "        - {name: MYSQL_RANDOM_ROOT_PASSWORD, value: 'yes'}\n")],
        &[("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD"), ("mysql:8.4.6", "mariadb:11.4.2")],
        &[("{name: root, key", "{name: of-somebody-else, key")],
        &[("stringData: {password: x}\n", "")],
        &[("key: password", "key: pasword, optional: true")],
        &[(PASSWORD, ""), ("docker-entrypoint.sh ", "")],
        &[(PASSWORD, ""), ("mysql:8.4.6", "container-registry.example/mysql/community-server:8.4.6")],
        &[("MYSQL_ROOT_PASSWORD", "MYSQL_PASSWORD"), ("mysql:8.4.6", "registry.example/rhel9/mysql-84:1.2.3")],
    ]);
}

#[test]
fn a_root_password_that_everyone_can_read() {
    assert_snapshot!(found(&[(PASSWORD, "        - {name: MYSQL_ROOT_PASSWORD, value: secret}\n")]), @"37:46 open-root-password: the root password of container `server` is in the manifest (everyone can read it)");
    assert_snapshot!(found(&[(PASSWORD, "        - {name: MYSQL_ALLOW_EMPTY_PASSWORD, value: '1'}\n")]), @"37:18 open-root-password: container `server` allows an empty root password (root needs no password)");
    assert_snapshot!(found(&[("secretKeyRef", "configMapKeyRef")]), @"38:23 open-root-password: the root password of container `server` is kept in a ConfigMap (everyone can read it)");
    silent(&[&[(PASSWORD, "        - {name: MYSQL_ROOT_PASSWORD, value: $(FROM_A_SECRET)}\n")]]);
}

#[test]
fn servers_with_the_same_id() {
    assert_snapshot!(found(&[(COMMAND, "")]), @"34:15 same-server-id: nothing gives each of the 3 servers of container `server` its own server_id (sets no --server-id)");
    assert_snapshot!(found(&[(COMMAND, "        args: [--server-id=7]\n")]), @"41:16 same-server-id: all 3 servers of container `server` have the server_id 7 (the same in every pod)");
    assert_snapshot!(found(&[(COMMAND, "        args: [--server_id, '7']\n")]), @"41:16 same-server-id: all 3 servers of container `server` have the server_id 7 (the same in every pod)");
    // The last of two equal options counts.
    assert_snapshot!(found(&[(COMMAND, &format!("{COMMAND}        args: [--server-id=7]\n"))]), @"42:16 same-server-id: all 3 servers of container `server` have the server_id 7 (the same in every pod)");
    assert_snapshot!(found(&[(COMMAND, "        args: [--server-id=$(POD_INDEX)]\n")]), @"41:16 same-server-id: db-0 has the server_id 0 and therefore refuses to replicate (is 0 in the first pod)");
    let literal = "        - {name: ID, value: '7'}\n        args: [--server-id=$(ID)]\n";
    assert_snapshot!(found(&[(COMMAND, literal)]), @"41:29 same-server-id: all 3 servers of container `server` have the server_id 7 (the same in every pod)");
    silent(&[
        &[(COMMAND, ""), ("replicas: 3", "replicas: 1")],
        &[
            (COMMAND, "        args: [--server-id=$(POD_INDEX)]\n"),
            ("replicas: 3", "replicas: 3\n  ordinals: {start: 1}"),
        ],
        &[(COMMAND, "        args: [--server-id=$(UNKNOWN)]\n")],
        &[(COMMAND, "        args: [--wsrep-on=1]\n")],
        &[(COMMAND, "        command: [/scripts/run.sh]\n")],
        &[("--server-id=$((100 + POD_INDEX))", "--server-id=${HOSTNAME##*-}")],
        &[("exec docker", "if true; then exec mysqld --server-id=1; else exec mysqld --server-id=2; fi; docker")],
        &[(COMMAND, ""), ("POD_INDEX", "MYSQL_REPLICATION_MODE")],
        &[(COMMAND, ""), ("      containers:\n", WITH_INIT)],
    ]);
}

/// An option file for the server, in a ConfigMap that it mounts.
fn with_options(options: &str) -> Vec<(&'static str, String)> {
    let data = format!("data:\n  my.cnf: |\n{options}---\napiVersion: apps/v1");
    let map = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: conf}}\n{data}");
    vec![(COMMAND, String::new()), ("apiVersion: apps/v1", map), (MOUNT, format!("{MOUNT}{MOUNT_OF_OPTIONS}"))]
}

#[test]
fn servers_that_read_the_same_id_from_a_file() {
    let with = |options: &str, more: &[(&str, &str)]| {
        let changes = with_options(options);
        let mut changes: Vec<(&str, &str)> = changes.iter().map(|(part, other)| (*part, other.as_str())).collect();
        changes.extend(more);
        found(&changes)
    };
    assert_snapshot!(with("    [mysqld]\n    server-id = 5 # all\n", &[]), @"27:5 same-server-id: all 3 servers of container `server` read the server_id 5 (says server-id=5)");
    assert_snapshot!(with("    [mysqld]\n    # server-id = 5\n", &[]), @"42:15 same-server-id: nothing gives each of the 3 servers of container `server` its own server_id (sets no --server-id)");
    assert_eq!(with("    [mysqld]\n    server-id = ${ID}\n", &[]), "");
    assert_eq!(with("    [mysqld]\n    server_id=1\n    [replica]\n    server_id=2\n", &[]), "");
    assert_eq!(with("    [mysqld]\n", &[("configMap: {name: conf}", "configMap: {name: of-somebody-else}")]), "");
    assert_eq!(with("    [mysqld]\n", &[("configMap: {name: conf}", "emptyDir: {}")]), "");
}

#[test]
fn a_server_without_a_readiness_probe() {
    assert_snapshot!(found(&[("readinessProbe", "livenessProbe")]), @"
    34:15 no-readiness-probe: container `server` has no readiness probe (has no readinessProbe)
    42:9 liveness-kills-recovery: the liveness probe of container `server` kills a server whose recovery takes more than 20 s (no startupProbe delays it)
    ");
    assert_snapshot!(found(&[(PROBE, "{command: ['true']}")]), @"43:18 no-readiness-probe: the readiness probe of container `server` always succeeds: `true` (always succeeds)");
    assert_snapshot!(found(&[(PROBE, "{command: [/bin/sh, -c, 'exit 0']}")]), @"43:18 no-readiness-probe: the readiness probe of container `server` always succeeds: `exit 0` (always succeeds)");
    assert_snapshot!(found(&[(PROBE, "{command: [sh, -c, echo ok]}")]), @"43:18 no-readiness-probe: the readiness probe of container `server` always succeeds: `echo ok` (always succeeds)");
    silent(&[
        &[(PROBE, "{command: [/probe]}")],
        &[(PROBE, "{command: [sh, -c, 'echo ok; /probe']}")],
        &[(PROBE, "{command: [healthcheck.sh, --connect]}")],
    ]);
}

#[test]
fn a_readiness_probe_that_lies() {
    assert_snapshot!(found(&[(PROBE, "{command: [mysqladmin, ping]}")]), @"43:18 readiness-probe-lies: the readiness probe of container `server` only pings, over the socket (succeeds on access denied, and over the socket)");
    assert_snapshot!(found(&[(PROBE, "{command: [/usr/bin/mysqladmin, -h127.0.0.1, ping]}")]), @"43:18 readiness-probe-lies: the readiness probe of container `server` only pings (succeeds on access denied)");
    assert_snapshot!(found(&[(PROBE, "{command: [bash, -c, 'mariadb -h \"localhost\" -e \"SELECT 1\"']}")]), @"
    43:18 probe-never-succeeds: the readiness probe of container `server` can never succeed: root has a password, but the probe passes none (never succeeds)
    43:18 readiness-probe-lies: the readiness probe of container `server` only queries over the socket (queries over the socket)
    ");
    assert_snapshot!(found(&[(&format!("exec: {PROBE}"), "tcpSocket: {port: 3306}")]), @"43:11 readiness-probe-lies: the readiness probe of container `server` only opens a connection (an open port is not a server that answers)");
    silent(&[
        &[(PROBE, "{command: [mysql, --protocol=TCP, --password=x, -e, SELECT 1]}")],
        &[(PROBE, "{command: [mysql, --defaults-extra-file=/c, -e, SELECT 1]}")],
        &[(PROBE, "{command: [mysqladmin, --host, '$(POD_IP)', status]}")],
        &[(PROBE, "{command: [sh, -c, 'test -d /var/lib/mysql && gosu mysql /probe']}")],
        &[(PROBE, "{command: [sh, -c, 'mysqladmin ping -h 127.0.0.1 && mysql -h 127.0.0.1 -e \"SELECT 1\"']}")],
    ]);
}

#[test]
fn which_containers_are_servers() {
    let other = "        image: registry.example/cache:1.2.3\n        command: [cached]\n        env:\n";
    let unknown = [("        image: mysql:8.4.6\n        env:\n", other), (PASSWORD, ""), (COMMAND, "")];
    assert_snapshot!(found(&unknown), @"23:18 server-unknown: no container of StatefulSet db is known to run MySQL (not checked)");
    // Recognized by the password if nothing else identifies it.
    silent(&[&[("mysql:8.4.6", "registry.example/our-db:1.2.3")]]);
    assert_snapshot!(found(&[("mysql:8.4.6", "registry.example/our-db:1.2.3"), ("readinessProbe", "livenessProbe")]), @"
    34:15 no-readiness-probe: container `server` has no readiness probe (has no readinessProbe)
    42:9 liveness-kills-recovery: the liveness probe of container `server` kills a server whose recovery takes more than 20 s (no startupProbe delays it)
    ");
    // A helper beside the server is no server, nor is a script that only mentions one.
    for image in [
        "prom/mysqld-exporter:v0.15.1",
        "percona/percona-xtrabackup:8.0",
        "mysql/mysql-router:8.0",
        "acme/mysql-monitor:2.1.0",
        "acme/mysqltuner:1.9.3",
        "acme/waits:1.0.0', command: [bash, -c, 'echo waiting for mysqld; sleep 9; exec report']",
    ] {
        let image = if image.contains('[') { image.to_owned() } else { format!("{image}'") };
        let helper = format!(
            "      containers:\n      - {{name: a, image: '{image}, resources: {{limits: {{cpu: 1, memory: 1Gi}}}}}}\n"
        );
        silent(&[&[("      containers:\n", &helper)]]);
    }
}

#[test]
fn an_image_of_other_ways_is_not_held_to_the_official_ones() {
    let galera = ("mysql:8.4.6", "acme/mariadb-galera-node:10.11.9");
    silent(&[&[galera, (PASSWORD, ""), (COMMAND, "        args: [--defaults-file=/opt/node.cnf]\n")]]);
}

#[test]
fn sets_of_a_list_that_share_a_service() {
    let item = |object: &str| format!("- {}\n", object.trim_end().replace('\n', "\n  "));
    let items: Vec<String> = GOOD.replace("  clusterIP: None\n", "").split("---\n").map(item).collect();
    let second = items[3].replace("metadata: {name: db}", "metadata: {name: second}");
    let mut input = Input::default();
    let text = format!("apiVersion: v1\nkind: List\nitems:\n{}{second}", items.concat());
    input.add(&Text::alone("list.yaml", text), Dialect::Kubectl).expect("YAML");
    let linted = judge(input);
    let found: Vec<_> = linted.findings.iter().map(|it| (it.rule.id, it.object.as_str())).collect();
    assert_eq!(
        (found, linted.objects),
        (vec![("service-not-headless", "Service db"), ("object-twice", "StatefulSet second")], 5)
    );
}
