//! The workload of the run, and existing objects that must not be changed.

use serde_json::{Value, json};

use crate::apiserver::namespace;

/// A StatefulSet of two pods with claims, a Secret with its root password, and a StorageClass.
pub(super) const WORKLOAD: &str = "\
apiVersion: v1
kind: Secret
metadata: {name: db}
data: {root: c2VjcmV0}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: example.com/disks
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{port: 3306}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: server
        image: mysql:5.7
        env: [{name: MYSQL_ROOT_PASSWORD, valueFrom: {secretKeyRef: {name: db, key: root}}}]
        volumeMounts: [{name: data, mountPath: /var/lib/mysql}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

/// The run's namespace.
pub(super) const NAMESPACE: &str = "shop";

/// Objects of others: some have the names of the run's objects, some belong to another run, and some look like
/// objects of a run.
pub(super) fn others() -> Vec<(String, Value)> {
    let labelled = |run: &str| json!({"steadfast/run": run});
    let of = |kind: &str, name: &str, labels: Value| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels}});
    let class = |name: &str, labels| {
        let mut class = of("StorageClass", name, labels);
        class["apiVersion"] = json!("storage.k8s.io/v1");
        class["provisioner"] = json!("example.com/disks");
        (format!("/apis/storage.k8s.io/v1/storageclasses/{name}"), class)
    };
    let among = |kinds: &str, object: Value| {
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        (format!("/api/v1/namespaces/store/{kinds}/{name}"), object)
    };
    let home = |name: &str, labels: Value| {
        let mut namespace = namespace(name, &format!("uid-{name}"));
        namespace["metadata"]["labels"] = labels;
        (format!("/api/v1/namespaces/{name}"), namespace)
    };
    let another = "steadfast-20260105-030000-7f3a55";
    let volume = of("PersistentVolume", "disk", json!({}));
    vec![
        home("store", json!({})),
        home("shop-2", json!({})),
        home("steadfast-7f3a55", json!({})),
        home("steadfast-7f3a55-witness", labelled(another)),
        class("fast", json!({})),
        class("fast-7f3a55", labelled(another)),
        among("secrets", of("Secret", "steadfast-witness", labelled(another))),
        among("secrets", of("Secret", "db", json!({}))),
        among("pods", of("Pod", "db-0", json!({"app": "db"}))),
        among("persistentvolumeclaims", of("PersistentVolumeClaim", "data-db-0", json!({"app": "db"}))),
        ("/api/v1/persistentvolumes/disk".to_owned(), volume),
    ]
}
