//! The rules about bad days, and about mistakes in writing manifests.

use insta::assert_snapshot;

use super::{COMMAND, GOOD, MOUNT, PASSWORD, PROBE, found, silent, with_options};

const SPREAD: &str = "      topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, \
                      whenUnsatisfiable: DoNotSchedule}]\n";
const RESOURCES: &str = "resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}";

/// Another probe beside the readiness probe.
fn with_probe(more: &str) -> String {
    format!("        {more}\n        {RESOURCES}")
}

#[test]
fn a_liveness_probe_that_leaves_no_time_to_recover() {
    let liveness =
        |fields: &str| with_probe(&format!("livenessProbe: {{exec: {{command: [mysqladmin, ping]}}, {fields}}}"));
    let line = format!("        {RESOURCES}");
    assert_snapshot!(found(&[(&line, &liveness("initialDelaySeconds: 5, periodSeconds: 5"))]), @"44:9 liveness-kills-recovery: the liveness probe of container `server` kills a server whose recovery takes more than 15 s (no startupProbe delays it)");
    assert_snapshot!(found(&[(&line, &liveness("timeoutSeconds: 1"))]), @"44:9 liveness-kills-recovery: the liveness probe of container `server` kills a server whose recovery takes more than 20 s (no startupProbe delays it)");
    let held_off = with_probe("startupProbe: {exec: {command: [mysqladmin, ping]}, failureThreshold: 60}");
    let both = format!("{}\n{held_off}", liveness("periodSeconds: 5").replace(&format!("\n{line}"), ""));
    silent(&[&[(&line, &liveness("initialDelaySeconds: 600"))], &[(&line, &both)]]);
}

#[test]
fn servers_that_may_share_a_node() {
    assert_snapshot!(found(&[(SPREAD, "")]), @"23:18 pods-share-a-node: nothing prevents all 3 pods of StatefulSet db from running on one node (may all run on one node)");
    let affinity = |how: &str, term: &str| {
        format!("      affinity: {{podAntiAffinity: {{{how}DuringSchedulingIgnoredDuringExecution: [{term}]}}}}\n")
    };
    let term = "{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: db}}}";
    let weighed = format!("{{weight: 100, podAffinityTerm: {term}}}");
    silent(&[
        &[(SPREAD, &affinity("required", term))],
        &[(SPREAD, &affinity("preferred", &weighed))],
        &[(SPREAD, ""), ("replicas: 3", "replicas: 1")],
    ]);
    assert!(!found(&[(SPREAD, &affinity("required", &term.replace("app: db", "app: web")))]).is_empty());
}

#[test]
fn a_budget_that_lets_nobody_go() {
    assert_snapshot!(found(&[("maxUnavailable: 1", "maxUnavailable: 0")]), @"19:24 budget-blocks-drains: PodDisruptionBudget db allows no eviction of the 3 pods (none may be unavailable)");
    assert_snapshot!(found(&[("maxUnavailable: 1", "minAvailable: '100%'")]), @"19:22 budget-blocks-drains: PodDisruptionBudget db allows no eviction of the 3 pods (all must be available)");
    assert_snapshot!(found(&[("maxUnavailable: 1, ", "")]), @"18:18 budget-blocks-drains: PodDisruptionBudget db has neither maxUnavailable nor minAvailable (sets nothing)");
    silent(&[&[("maxUnavailable: 1", "minAvailable: 2")], &[("maxUnavailable: 1", "maxUnavailable: 30%")]]);
}

#[test]
fn servers_that_are_reached_from_outside() {
    assert_snapshot!(found(&[("  ports:\n  - port", "  externalIPs: [192.0.2.1]\n  ports:\n  - port")]), @"7:3 exposed: Service db exposes the servers outside the cluster (reachable from outside)");
    let second =
        "apiVersion: v1\nkind: Service\nmetadata: {name: all}\nspec: {type: NodePort, selector: {app: db}}\n---\n";
    assert_snapshot!(found(&[("apiVersion: apps/v1", &format!("{second}apiVersion: apps/v1"))]), @"24:14 exposed: Service all exposes the servers outside the cluster (reachable from outside)");
    assert_snapshot!(found(&[(SPREAD, &format!("{SPREAD}      hostNetwork: true\n"))]), @"33:20 exposed: the pods of StatefulSet db use their nodes' network (the node's network)");
    assert_snapshot!(found(&[(RESOURCES, &format!("securityContext: {{privileged: true}}\n        {RESOURCES}"))]), @"44:39 exposed: container `server` is privileged (full access to its node)");
    silent(&[&[("apiVersion: apps/v1", &format!("{}apiVersion: apps/v1", second.replace("app: db", "app: web")))]]);
}

#[test]
fn a_volume_that_the_server_may_not_write_to() {
    let context = |fields: &str| format!("{SPREAD}      securityContext: {{{fields}}}\n");
    assert_snapshot!(found(&[(SPREAD, &context("runAsUser: 999"))]), @"33:36 volume-not-writable: container `server` runs as user 999, but its pod has no fsGroup (no fsGroup set)");
    silent(&[&[(SPREAD, &context("runAsUser: 999, fsGroup: 999"))], &[(SPREAD, &context("runAsUser: 0"))]]);
}

#[test]
fn an_old_server_at_the_root_of_a_volume() {
    assert_snapshot!(found(&[("mysql:8.4.6", "mysql:5.7.44")]), @"46:35 lost-found: container `server` has its data directory at the root of a volume (may hold lost+found)");
    silent(&[&[("mysql:8.4.6", "mysql:5.7.44"), ("/var/lib/mysql}", "/var/lib/mysql, subPath: data}")]]);
}

#[test]
fn options_that_lose_commits_or_keep_clients_out() {
    let with = |option: &str| found(&[("mysqld --", &format!("mysqld {option} --"))]);
    assert_snapshot!(with("--innodb_flush_log_at_trx_commit=2"), @"41:63 not-durable: container `server` gives up durability: --innodb_flush_log_at_trx_commit=2 (may lose commits)");
    assert_snapshot!(with("--sync-binlog=0 --innodb-doublewrite=OFF"), @"
    41:63 not-durable: container `server` gives up durability: --sync-binlog=0 (may lose commits)
    41:79 not-durable: container `server` gives up durability: --innodb-doublewrite=OFF (may lose commits)
    ");
    assert_snapshot!(with("--bind-address=127.0.0.1"), @"41:63 not-reachable: the server of container `server` accepts no connection from outside its pod (not reachable)");
    assert_snapshot!(with("--skip-networking"), @"41:63 not-reachable: the server of container `server` accepts no connection from outside its pod (not reachable)");
    assert_snapshot!(with("--skip-grant-tables"), @"41:63 not-reachable: the server of container `server` requires no password (everybody is root)");
    for right in ["--sync-binlog=1", "--bind-address=0.0.0.0", "--skip-networking=OFF", "--skip-name-resolve"] {
        assert_eq!(with(right), "", "{right}");
    }
    let changes = with_options("    [mysqld]\n    server-id = ${ID}\n    sync_binlog = 0 # fast\n");
    let changes: Vec<(&str, &str)> = changes.iter().map(|(part, other)| (*part, other.as_str())).collect();
    assert_snapshot!(found(&changes), @"28:5 not-durable: container `server` gives up durability: sync_binlog = 0 # fast (may lose commits)");
}

#[test]
fn memory_that_is_too_small() {
    let pool = |size: &str| ("mysqld --", format!("mysqld --innodb-buffer-pool-size={size} --"));
    assert_snapshot!(found(&[(pool("4G").0, &pool("4G").1)]), @"41:63 buffer-pool-too-large: the buffer pool of container `server` is 4G, but its memory limit is 1Gi (larger than limits.memory)");
    silent(&[&[(pool("768M").0, &pool("768M").1)], &[(pool("x").0, &pool("x").1)]]);
    assert_snapshot!(found(&[("memory: 1Gi", "memory: 512m")]), @"44:58 memory-unit: the memory limit of container `server` is 512m (m means a thousandth of a byte)");
}

#[test]
fn one_claim_for_all_and_data_on_none() {
    let on_volume = |source: &str| format!("{}      volumes: [{{name: own{source}}}]\n", MOUNT.replace("data", "own"));
    assert_snapshot!(found(&[(MOUNT, &on_volume(", persistentVolumeClaim: {claimName: a}"))]), @"46:18 shared-claim: all 3 servers of container `server` share one claim (one claim for all)");
    assert_snapshot!(found(&[(MOUNT, &on_volume(""))]), @"46:18 data-outside-claim: container `server` has its data directory /var/lib/mysql on a volume that is deleted with the pod (deleted with the pod)");
    assert_snapshot!(found(&[(MOUNT, &on_volume(", hostPath: {path: /data}"))]), @"46:18 data-outside-claim: container `server` has its data directory /var/lib/mysql on a folder of its node, which other nodes do not have (stays on the node)");
    assert_snapshot!(found(&[(MOUNT, &MOUNT.replace("data", "none"))]), @"46:18 data-outside-claim: container `server` has its data directory /var/lib/mysql on a volume that nothing defines (no such volume)");
    let without = "  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {accessModes: [ReadWriteOnce]}\n";
    let elsewhere = format!(
        "{}      volumes: [{{name: c, emptyDir: {{}}}}]\n",
        "        - {name: c, mountPath: /etc/mysql/conf.d}\n"
    );
    assert_snapshot!(found(&[(MOUNT, &elsewhere), (without, "")]), @"23:18 data-outside-claim: StatefulSet db has no claims (keeps no data)");
    silent(&[&[(MOUNT, &on_volume(", nfs: {server: a, path: /}"))]]);
}

#[test]
fn ports_at_which_nobody_listens() {
    assert_snapshot!(found(&[("- port: 3306", "- port: 5000")]), @"8:11 port-nobody-listens: Service db targets port 5000, where no server listens (no server listens there)");
    assert_snapshot!(found(&[("- port: 3306", "- port: 3306\n    targetPort: sql")]), @"9:17 port-nobody-listens: Service db targets port `sql`, where no server listens (no server listens there)");
    let named = ("        readinessProbe", "        ports: [{name: sql, containerPort: 3306}]\n        readinessProbe");
    silent(&[
        &[("- port: 3306", "- port: 5000\n    targetPort: 3306")],
        &[("- port: 3306", "- port: 5000\n    targetPort: sql"), named],
        &[("- port: 3306", "- port: 33060")],
        &[("- port: 3306", "- port: 5000"), ("mysqld --", "mysqld --port=5000 --")],
    ]);
}

#[test]
fn secrets_that_hold_something_else() {
    let data = |value: &str| format!("data: {{password: {value}}}");
    assert_snapshot!(found(&[("stringData: {password: x}", &data("cGFzc3dvcmQK"))]), @"14:18 secret-value: `password` of Secret root ends with a newline (with a newline at its end)");
    assert_snapshot!(found(&[("stringData: {password: x}", &data("'not base64'"))]), @"14:18 secret-value: `password` of Secret root is not Base64: Invalid symbol 32, offset 3. (not Base64)");
    assert_snapshot!(found(&[("stringData: {password: x}", &data("''"))]), @"14:18 secret-value: `password` of Secret root is empty (empty)");
    silent(&[&[("stringData: {password: x}", &data("cGFzc3dvcmQ="))]]);
}

#[test]
fn variables_of_another_meaning() {
    let user = |name: &str| format!("{PASSWORD}        - {{name: MYSQL_USER, value: {name}}}\n");
    assert_snapshot!(found(&[(PASSWORD, &user("root"))]), @"39:37 user-is-root: MYSQL_USER of container `server` is root (must be another user)");
    silent(&[&[(PASSWORD, &user("orders"))]]);
    assert_snapshot!(found(&[("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD")]), @"34:15 no-root-password: container `server` has neither MYSQL_ROOT_PASSWORD nor a variable that replaces it (sets no root password)");
    let twice = format!("{PASSWORD}{PASSWORD}");
    assert_snapshot!(found(&[(PASSWORD, &twice)]), @"39:17 variable-twice: container `server` sets MYSQL_ROOT_PASSWORD twice (the last one counts)");
}

#[test]
fn values_of_another_type() {
    assert_snapshot!(found(&[("replicas: 3", "replicas: '3'")]), @"25:13 wrong-type: replicas of StatefulSet db is a string, and must not have quotes (must be a number)");
    assert_snapshot!(found(&[("replicas: 3", "replicas: '3'"), (COMMAND, "")]), @"
    25:13 wrong-type: replicas of StatefulSet db is a string, and must not have quotes (must be a number)
    34:15 same-server-id: nothing gives each of the 3 servers of container `server` its own server_id (sets no --server-id)
    ");
    assert_snapshot!(found(&[(PASSWORD, &format!("{PASSWORD}        - {{name: SKIP, value: yes}}\n"))]), @"39:31 wrong-type: the value of SKIP is a boolean, and needs quotes (must be a string)");
    assert_snapshot!(found(&[("stringData: {password: x}", "stringData: {password: 5}")]), @"14:24 wrong-type: `password` of Secret root is a number, and needs quotes (must be a string)");
    silent(&[&[(PASSWORD, &format!("{PASSWORD}        - {{name: SKIP, value: 'yes'}}\n"))]]);
}

#[test]
fn objects_that_the_api_server_knows_not_or_twice() {
    assert_snapshot!(found(&[("apiVersion: apps/v1", "apiVersion: apps/v1beta1")]), @"21:13 api-version: StatefulSet is not served as apps/v1beta1 (must be apps/v1)");
    assert_snapshot!(found(&[("policy/v1", "policy/v1beta1")]), @"16:13 api-version: PodDisruptionBudget is not served as policy/v1beta1 (must be policy/v1)");
    assert_snapshot!(found(&[("apiVersion: policy/v1", "apiVersion: v1\nkind: Secret\nmetadata: {name: root}\nstringData: {password: y}\n---\napiVersion: policy/v1")]), @"
    18:18 object-twice: Secret root is defined twice (replaces the earlier one)
    19:24 wrong-type: `password` of Secret root is a boolean, and needs quotes (must be a string)
    ");
    assert_snapshot!(found(&[("  replicas: 3\n", "  replicas: 3\n  replicas: 5\n")]), @"26:13 repeated-key: `replicas` is more than once in one map of StatefulSet db (the last one counts)");
    assert_snapshot!(found(&[("  selector: {matchLabels: {app: db}}\n  template", "  template")]), @"23:18 selector-mismatch: StatefulSet db has no spec.selector, which apps/v1 requires (selects no pods)");
}

#[test]
fn probes_that_decide_nothing() {
    for always in [
        "[bash, -c, 'mysql -h 127.0.0.1 -e \"SELECT 1\" || true']",
        "[bash, -c, 'mysql -h 127.0.0.1 -e \"SELECT 1\"; exit 0']",
        "[/bin/sh, -c, 'MYSQL_PWD=x', 'mysql -h 127.0.0.1']",
    ] {
        let found = found(&[(PROBE, &format!("{{command: {always}}}"))]);
        assert!(found.contains("no-readiness-probe") && found.contains("always succeeds"), "{always}: {found}");
    }
    for never in
        ["[mysql, -h127.0.0.1, -p$MYSQL_ROOT_PASSWORD]", "[mysql, -h127.0.0.1]", "[sh, -c, 'mysql -h127.0.0.1 -p $X']"]
    {
        let found = found(&[(PROBE, &format!("{{command: {never}}}"))]);
        assert!(found.contains("probe-never-succeeds"), "{never}: {found}");
    }
    assert_snapshot!(found(&[(&format!("exec: {PROBE}"), "httpGet: {port: 3306}")]), @"43:11 probe-never-succeeds: the readiness probe of container `server` queries a MySQL server over HTTP (MySQL does not speak HTTP)");
    assert_snapshot!(found(&[(&format!("exec: {PROBE}"), "periodSeconds: 5")]), @"42:9 no-readiness-probe: the readiness probe of container `server` has no handler (has no exec, httpGet, tcpSocket or grpc)");
    assert_snapshot!(found(&[(PROBE, "{command: [pgrep, mysqld]}")]), @"43:18 readiness-probe-lies: the readiness probe of container `server` only checks for the process (a process is not a server that answers)");
    assert_snapshot!(found(&[(PROBE, "{command: [sh, -c, 'test \"$(mysql -p$P -N -e \"SELECT 1\")\" = 1']}")]), @"43:18 readiness-probe-lies: the readiness probe of container `server` only queries over the socket (queries over the socket)");
    silent(&[
        &[(PROBE, "{command: [sh, -c, 'mysqladmin -h 127.0.0.1 ping | grep -q \"is alive\"']}")],
        &[(PROBE, "{command: [sh, -c, 'mysql -h127.0.0.1 -p$P -e \"SELECT 1\" || exit 1']}")],
        &[(PROBE, "{command: [sh, -c, 'test -f /tmp/off && exit 1; true']}")],
        &[(PROBE, "{command: [mysql, -h127.0.0.1, '-p$(MYSQL_ROOT_PASSWORD)', -e, SELECT 1]}")],
    ]);
}

#[test]
fn another_application_is_not_judged() {
    let cache = "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: cache}\nspec: {replicas: 3, template: {spec: \
                 {containers: [{name: redis, image: redis}]}}}\n";
    silent(&[&[(
        "    spec: {accessModes: [ReadWriteOnce]}\n",
        &format!("    spec: {{accessModes: [ReadWriteOnce]}}\n{cache}"),
    )]]);
    assert!(GOOD.contains("mysql:8.4.6"));
}
