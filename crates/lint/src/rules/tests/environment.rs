//! The rules about the server's environment: the Service, the storage and the pod.

use insta::assert_snapshot;

use super::{COMMAND, GOOD, MOUNT, found, silent};
use crate::manifest::{Dialect, Text};
use crate::read::Input;
use crate::{Level, judge};

#[test]
fn a_governing_service_that_is_not_there() {
    assert_snapshot!(found(&[("serviceName: db", "serviceName: bd")]), @"26:16 no-governing-service: StatefulSet db names the Service `bd`, which is not in the manifests (no such Service)");
    assert_snapshot!(found(&[("  serviceName: db\n", "")]), @"23:18 no-governing-service: StatefulSet db names no Service (has no serviceName)");
    let (here, there) = ("kind: Service\nmetadata: {name: db", "kind: StatefulSet\nmetadata: {name: db");
    let (here_in_a, there_in_b) = (format!("{here}, namespace: a"), format!("{there}, namespace: b"));
    assert_snapshot!(found(&[(here, &here_in_a), (there, &there_in_b)]), @"26:16 no-governing-service: StatefulSet db names the Service `db`, which is not in the manifests (no such Service)");
    silent(&[&[(here, &here_in_a)]]);
}

#[test]
fn a_governing_service_with_an_address() {
    assert_snapshot!(found(&[("  clusterIP: None\n", "")]), @"3:18 service-not-headless: Service db, which gives the pods their names, is not headless (has no clusterIP: None)");
    let mut alone = Input::default();
    let text = GOOD.replace("  clusterIP: None\n", "").replace("replicas: 3", "replicas: 1");
    alone.add(&Text::alone("db.yaml", text), Dialect::Kubectl).expect("YAML");
    let levels: Vec<_> = judge(alone).findings.iter().map(|it| (it.rule.id, it.level)).collect();
    assert_eq!(levels, [("service-not-headless", Level::Warning)]);
    assert_snapshot!(found(&[("clusterIP: None", "clusterIP: 10.96.0.9")]), @"5:14 service-not-headless: Service db, which gives the pods their names, is not headless (must be None)");
}

#[test]
fn selectors_that_select_others() {
    assert_snapshot!(found(&[("  selector: {app: db}", "  selector: {app: bd}")]), @"6:3 selector-mismatch: Service db does not select the pods of StatefulSet db, whose labels are app=db, tier=data (selects other pods)");
    assert_snapshot!(found(&[("  selector: {app: db}\n", "")]), @"3:18 selector-mismatch: Service db does not select the pods of StatefulSet db, whose labels are app=db, tier=data (has no selector)");
    assert_snapshot!(found(&[("  selector: {matchLabels: {app: db}}\n  template", "  selector: {matchLabels: {app: db, a: b}}\n  template")]), @"27:14 selector-mismatch: StatefulSet db does not select its own pods, whose labels are app=db, tier=data (does not match the template)");
    silent(&[&[(
        "  selector: {matchLabels: {app: db}}\n  template",
        "  selector: {matchExpressions: []}\n  template",
    )]]);
}

#[test]
fn ports_without_a_name() {
    assert_snapshot!(found(&[("    name: mysql\n", "")]), @"8:11 unnamed-port: port 3306 of Service db has no name (has no name)");
    assert_snapshot!(found(&[("  ports:\n  - port: 3306\n    name: mysql\n", "")]), @"3:18 unnamed-port: Service db has no port (has no ports)");
}

#[test]
fn pods_that_are_published_before_they_are_ready() {
    let published = ("clusterIP: None", "clusterIP: None\n  publishNotReadyAddresses: true");
    assert_snapshot!(found(&[published]), @"6:29 not-ready-published: the name db also resolves to pods that are not Ready (also for clients)");
    let second = "apiVersion: v1\nkind: Service\nmetadata: {name: clients}\nspec: {selector: {app: db}}\n---\n";
    silent(&[&[published, ("apiVersion: apps/v1", &format!("{second}apiVersion: apps/v1"))]]);
}

/// The data on a volume with this source.
fn on_volume(source: &str) -> String {
    format!("{}      volumes: [{{name: own, {source}}}]\n", MOUNT.replace("data", "own"))
}

/// The data somewhere, and an option file that may name the place.
const CONFIGURED: &str = "        - {name: data, mountPath: /data}
        - {name: conf, mountPath: /etc/my.cnf.d}
      volumes: [{name: conf, configMap: {name: of-somebody-else}}]
";

#[test]
fn data_that_is_not_on_a_claim() {
    assert_snapshot!(found(&[("mountPath: /var/lib/mysql", "mountPath: /var/lib/mysql-files")]), @"45:9 data-outside-claim: container `server` mounts nothing at its data directory /var/lib/mysql (nothing at /var/lib/mysql)");
    assert_snapshot!(found(&[(&format!("        volumeMounts:\n{MOUNT}"), "")]), @"34:15 data-outside-claim: container `server` mounts nothing at its data directory /var/lib/mysql (nothing at /var/lib/mysql)");
    assert_snapshot!(found(&[(MOUNT, &format!("{}      volumes: [{{name: tmp, emptyDir: {{}}}}]\n", MOUNT.replace("data", "tmp")))]), @"46:18 data-outside-claim: container `server` has its data directory /var/lib/mysql on a volume that is deleted with the pod (deleted with the pod)");
    assert_snapshot!(found(&[("mysqld --", "mysqld --datadir=/data/db --")]), @"45:9 data-outside-claim: container `server` mounts nothing at its data directory /data/db (nothing at /data/db)");
    silent(&[
        &[("/var/lib/mysql}", "/var/lib/}")],
        &[("/var/lib/mysql}", "/var/lib/mysql, subPath: mysql}")],
        &[("/var/lib/mysql}", "/var/lib/mysql/data}")],
        &[("mysqld --", "mysqld --datadir /data/db --"), ("/var/lib/mysql}", "/data}")],
        &[(MOUNT, CONFIGURED)],
        &[("mysql:8.4.6", "bitnami/mysql:8.4.6"), ("/var/lib/mysql}", "/bitnami/mysql}")],
        &[("replicas: 3", "replicas: 1"), (MOUNT, &on_volume("persistentVolumeClaim: {claimName: a}"))],
    ]);
}

#[test]
fn claims_that_are_deleted() {
    let policy = |policy: &str| format!("replicas: 3\n  persistentVolumeClaimRetentionPolicy: {policy}");
    assert_snapshot!(found(&[("replicas: 3", &policy("{whenScaled: Delete, whenDeleted: Delete}"))]), @"
    26:54 claims-deleted: claims are deleted when StatefulSet db is scaled down (deletes the rows)
    26:75 claims-deleted: claims are deleted when StatefulSet db is deleted (deletes the rows)
    ");
    silent(&[&[("replicas: 3", &policy("{whenScaled: Retain}"))]]);
}

#[test]
fn a_storage_class_that_the_manifests_do_not_bring() {
    let named = ("spec: {accessModes", "spec: {storageClassName: fast, accessModes");
    assert_snapshot!(found(&[named]), @"49:30 storage-class-absent: claim `data` names the StorageClass `fast`, which is not in the manifests (not among the manifests)");
    let brought = |object: &str| format!("{object}\n---\napiVersion: apps/v1");
    let class = brought("apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: fast}");
    let volume = brought("apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: a}\nspec: {storageClassName: fast}");
    silent(&[
        &[named, ("apiVersion: apps/v1", &class)],
        &[named, ("apiVersion: apps/v1", &volume)],
        &[("spec: {accessModes", "spec: {storageClassName: standard, accessModes")],
        &[("spec: {accessModes", "spec: {storageClassName: '', accessModes")],
    ]);
}

#[test]
fn tags_that_move() {
    assert_snapshot!(found(&[("mysql:8.4.6", "mysql:8.4")]), @"35:16 image-tag-moves: container `server` runs mysql:8.4, a tag that may refer to another version later (`8.4` is no full version)");
    assert_snapshot!(found(&[("mysql:8.4.6", "registry.example:5000/mysql")]), @"35:16 image-tag-moves: container `server` runs registry.example:5000/mysql without a tag (no tag means latest)");
    for tag in ["8", "8.4", "v8.4", "8.0-debian", "latest", "lts", "oracle"] {
        assert!(found(&[("mysql:8.4.6", &format!("mysql:{tag}"))]).contains("image-tag-moves"), "{tag}");
    }
    for image in [
        "mysql:8.4.6-oracle",
        "mysql:8.4@sha256:1",
        "mysql:20260101",
        "mysql:1a2b3c4",
        "mysql:v8.4.6",
        "mysql:8.4.6-14.1",
    ] {
        assert_eq!(found(&[("mysql:8.4.6", image)]), "", "{image}");
    }
    let helper = |image: &str| format!("      initContainers: [{{name: a, image: '{image}'}}]\n      containers:");
    assert_snapshot!(found(&[("      containers:", &helper("busybox"))]), @"33:41 image-tag-moves: container `a` runs busybox without a tag (no tag means latest)");
    silent(&[&[("      containers:", &helper("busybox:1.36"))]]);
}

#[test]
fn pods_that_no_budget_covers() {
    assert_snapshot!(found(&[("matchLabels: {app: db}}}\n---", "matchLabels: {app: other}}}\n---")]), @"23:18 no-disruption-budget: no PodDisruptionBudget covers the 3 pods of StatefulSet db (may lose all its pods at once)");
    silent(&[
        &[("{matchLabels: {app: db}}}\n---", "{}}\n---")],
        &[("{matchLabels: {app: db}}}\n---", "{matchExpressions: []}}\n---")],
        &[("matchLabels: {app: db}}}\n---", "matchLabels: {app: other}}}\n---"), ("replicas: 3", "replicas: 1")],
    ]);
}

#[test]
fn a_grace_period_that_is_too_short() {
    let grace = "terminationGracePeriodSeconds: 60";
    let hook = |hook: &str| format!("        lifecycle: {{preStop: {hook}}}\n{COMMAND}");
    let (sleep, command) = (hook("{sleep: {seconds: 40}}"), hook("{exec: {command: [sh, -c, 'sleep 10; sync']}}"));
    assert_snapshot!(found(&[(grace, "terminationGracePeriodSeconds: 10")]), @"31:38 grace-period-too-short: container `server` has 10 s to shut down before it is killed (too short)");
    assert_snapshot!(found(&[(COMMAND, &sleep)]), @"31:38 grace-period-too-short: container `server` has 20 s to shut down before it is killed (preStop takes 40 s of it)");
    assert_snapshot!(found(&[("      terminationGracePeriodSeconds: 60\n", ""), (COMMAND, &command)]), @"40:21 grace-period-too-short: container `server` has 20 s to shut down before it is killed (takes 10 s of the default 30 s)");
    silent(&[&[(COMMAND, &command)], &[("      terminationGracePeriodSeconds: 60\n", "")]]);
}

#[test]
fn a_container_that_says_nothing_of_its_needs() {
    let given = "        resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}\n";
    assert_snapshot!(found(&[(given, "")]), @"34:15 no-resources: container `server` has no memory request, no memory limit and no CPU request (incomplete resources)");
    assert_snapshot!(found(&[("limits: {memory: 1Gi}", "limits: {cpu: 1}")]), @"44:9 no-resources: container `server` has no memory request and no memory limit (incomplete resources)");
    let range = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: a}\n---\napiVersion: apps/v1";
    silent(&[
        &[("requests: {cpu: 1}, limits: {memory: 1Gi}", "limits: {memory: 1Gi, cpu: 1}")],
        &[(given, ""), ("apiVersion: apps/v1", range)],
        &[(given, ""), ("      containers:", "      resources: {limits: {memory: 1Gi}}\n      containers:")],
    ]);
}

#[test]
fn pods_without_an_order() {
    assert_snapshot!(found(&[("replicas: 3", "replicas: 3\n  podManagementPolicy: Parallel")]), @"26:24 parallel-pods: StatefulSet db starts and stops all its pods at once (no order)");
    silent(&[&[("replicas: 3", "replicas: 3\n  podManagementPolicy: OrderedReady")]]);
}
