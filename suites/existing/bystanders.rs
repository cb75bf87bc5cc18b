//! What is on the cluster: a workload of another user, and everything else that a run could touch.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::{Value, json};
use steadfast::cluster::kind;
use steadfast::workload::{self, Manifest, Sources};
use steadfast_suites::shared_cluster::SharedCluster;

/// The image that the seed names.
const SERVER: &str = "mysql:5.7";

/// Objects of another user: a StatefulSet, a Service, a Secret and a StorageClass with the names that the run's objects
/// have, and a ConfigMap.
const BYSTANDERS: &str = include_str!("bystanders.yaml");

/// Kinds that a run creates, disrupts or could leave, in all namespaces.
const KINDS: &str = "namespaces,nodes,storageclasses,persistentvolumes,clusterroles,clusterrolebindings,pods,\
                     statefulsets,deployments,daemonsets,services,configmaps,secrets,serviceaccounts,\
                     persistentvolumeclaims,roles,rolebindings";

/// Loads the images, and deploys the other user's workload, with accounts.
pub(crate) fn settle_in(cluster: &SharedCluster) -> Result<(), Failed> {
    let server = cluster.lab.image(SERVER).ok_or("ci/setup made no image ready for the seed")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let archives = [server.archive.as_path(), &cluster.lab.witness.archive];
    runtime.block_on(kind::load_archives(&cluster.lab, &cluster.name, &archives))?;
    let account = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/account");
    let roles = ["cluster-role.yaml", "namespaces.yaml"].map(|name| account.join(name));
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("bystanders.yaml");
    std::fs::write(&file, BYSTANDERS.replace(SERVER, &server.image))?;
    for file in roles.iter().chain([&file]) {
        cluster.kubectl(&["apply", "--filename", &file.display().to_string()])?;
    }
    cluster.kubectl(&["rollout", "status", "statefulset/mysql", "--namespace", "shop", "--timeout=180s"])?;
    // Waits until the cluster's own workloads are ready too.
    cluster.kubectl(&["rollout", "status", "deployment", "--namespace", "kube-system", "--timeout=180s"])?;
    cluster
        .kubectl(&["rollout", "status", "deployment", "--namespace", "local-path-storage", "--timeout=180s"])
        .map(drop)
}

/// The manifests of the seed's workload, with the image that the nodes have, because on an existing cluster no image is
/// replaced by another. With `pods`, the number of replicas is changed.
pub(crate) fn workload(cluster: &SharedCluster, pods: Option<u64>) -> Result<String, Failed> {
    let runtime = tokio::runtime::Runtime::new()?;
    let server = cluster.lab.image(SERVER).ok_or("ci/setup made no image ready for the seed")?;
    let manifests: Vec<Manifest> =
        runtime.block_on(workload::load(&Sources::default(), &cluster.lab.kubectl))?.manifests;
    let documents: Vec<String> = manifests
        .iter()
        .map(|manifest| {
            let mut object = manifest.object.clone();
            if let Some(image) = object.pointer_mut("/spec/template/spec/containers/0/image") {
                *image = json!(server.image);
                object["spec"]["replicas"] =
                    pods.map_or_else(|| object["spec"]["replicas"].clone(), |pods| json!(pods));
            }
            object.to_string()
        })
        .collect();
    Ok(documents.join("\n---\n"))
}

/// The UID of the namespace kube-system, as kubectl shows it.
pub(crate) fn identity(cluster: &SharedCluster) -> Result<String, Failed> {
    cluster.kubectl(&["get", "namespace", "kube-system", "--output", "jsonpath={.metadata.uid}"])
}

/// Every object of these kinds.
pub(crate) fn objects(cluster: &SharedCluster) -> Result<BTreeMap<String, Value>, Failed> {
    let listed: Value =
        serde_json::from_str(&cluster.kubectl(&["get", KINDS, "--all-namespaces", "--output", "json"])?)?;
    Ok(known(listed["items"].as_array().cloned().unwrap_or_default()))
}

/// These objects by kind, namespace and name, without the fields that change on their own.
pub(crate) fn known(objects: Vec<Value>) -> BTreeMap<String, Value> {
    objects.into_iter().map(|object| (name(&object), at_rest(object))).collect()
}

fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    [text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"])].join(" ")
}

/// Removes what changes on its own. The resourceVersion changes with the status. Of a pod's status, keeps what shows
/// that its containers run undisturbed.
fn at_rest(mut object: Value) -> Value {
    let containers: Vec<Value> = object["status"]["containerStatuses"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| json!([container["containerID"], container["restartCount"]]))
        .collect();
    if let Some(fields) = object.as_object_mut()
        && fields.remove("status").is_some()
        && let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut)
    {
        metadata.remove("resourceVersion");
    }
    object["containers"] = containers.into();
    object
}

/// The objects that are missing, new or changed.
pub(crate) fn differences(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name)).map(|(name, _)| format!("gone: {name}"));
    let others = after.iter().filter_map(|(name, object)| match before.get(name) {
        None => Some(format!("new: {name}")),
        Some(was) if was != object => Some(format!("changed: {name}:\n  {was}\n  {object}")),
        Some(_) => None,
    });
    gone.chain(others).collect()
}
