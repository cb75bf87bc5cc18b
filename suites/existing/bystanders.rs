//! What is on the cluster: somebody else's workload, and everything that a run could touch.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::{Value, json};
use steadfast::cluster::kind;
use steadfast::workload::{self, Manifest, Sources};
use steadfast_suites::shared_cluster::SharedCluster;

/// The image that the seed names.
const SERVER: &str = "mysql:5.7";

/// Somebody else's: a set, a Service, a Secret and a StorageClass of the names that the run's have, and a ConfigMap.
const BYSTANDERS: &str = include_str!("bystanders.yaml");

/// Kinds that a run makes, disrupts or could leave; in every namespace, where they have one.
const KINDS: &str = "namespaces,nodes,storageclasses,persistentvolumes,clusterroles,clusterrolebindings,pods,\
                     statefulsets,deployments,daemonsets,services,configmaps,secrets,serviceaccounts,\
                     persistentvolumeclaims,roles,rolebindings";

/// Loads the images, and puts somebody else's workload on the cluster, with accounts.
pub fn settle_in(cluster: &SharedCluster) -> Result<(), Failed> {
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
    // What the cluster itself starts comes to rest too.
    cluster.kubectl(&["rollout", "status", "deployment", "--namespace", "kube-system", "--timeout=180s"])?;
    cluster
        .kubectl(&["rollout", "status", "deployment", "--namespace", "local-path-storage", "--timeout=180s"])
        .map(drop)
}

/// The seed's workload with the image that the nodes have, for nothing stands in for another one on such a cluster, and with
/// so many pods, or its own.
pub fn workload(cluster: &SharedCluster, pods: Option<u64>) -> Result<String, Failed> {
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

/// The UID of the namespace kube-system, as kubectl tells it.
pub fn identity(cluster: &SharedCluster) -> Result<String, Failed> {
    cluster.kubectl(&["get", "namespace", "kube-system", "--output", "jsonpath={.metadata.uid}"])
}

/// Every object of these kinds.
pub fn objects(cluster: &SharedCluster) -> Result<BTreeMap<String, Value>, Failed> {
    let listed: Value =
        serde_json::from_str(&cluster.kubectl(&["get", KINDS, "--all-namespaces", "--output", "json"])?)?;
    Ok(known(listed["items"].as_array().cloned().unwrap_or_default()))
}

/// These objects by kind, namespace and name, without what changes by itself.
pub fn known(objects: Vec<Value>) -> BTreeMap<String, Value> {
    objects.into_iter().map(|object| (name(&object), at_rest(object))).collect()
}

fn name(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    [text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"])].join(" ")
}

/// An object whose status may change has another resourceVersion then; of a pod's status, what tells that its containers
/// run on undisturbed stays.
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

/// What is there no longer, newly, or otherwise.
pub fn differences(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<String> {
    let gone = before.iter().filter(|(name, _)| !after.contains_key(*name)).map(|(name, _)| format!("gone: {name}"));
    let others = after.iter().filter_map(|(name, object)| match before.get(name) {
        None => Some(format!("new: {name}")),
        Some(was) if was != object => Some(format!("changed: {name}:\n  {was}\n  {object}")),
        Some(_) => None,
    });
    gone.chain(others).collect()
}
