//! Runs with only the rights of `manifests/account/namespaces.yaml`, in the two namespaces that this file creates.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::authorization::v1::{SelfSubjectRulesReview, SelfSubjectRulesReviewSpec};
use kube::api::{Api, PostParams};
use libtest_mimic::Failed;
use serde_json::{Value, json};
use steadfast::cluster::Cluster;
use steadfast::workload;
use steadfast_suites::shared_cluster::SharedCluster;
use tempfile::NamedTempFile;

use super::program::{run, run_with};
use super::{account, bystanders, path, refused, runs};

/// The names in the manifests.
const NAMESPACES: [&str; 2] = ["workload", "witness"];

/// The account has exactly the documented rights, and a run with them passes.
pub(crate) fn enough(cluster: &SharedCluster) -> Result<(), Failed> {
    let roles = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/account/namespaces.yaml");
    let (kubeconfig, _, options) = place(cluster)?;
    let everybody = account::of(cluster, "workload", "default")?;
    no_more_than_written(cluster, [kubeconfig.path(), everybody.path()], &std::fs::read_to_string(roles)?)?;
    let (file, uid) = (kubeconfig.path().display().to_string(), bystanders::identity(cluster)?);
    let place = [&["--kubeconfig", &file, "--cluster-uid", &uid], &options[..]].concat();
    // The seed's overlay has a StorageClass, which belongs to no namespace, so the run is refused.
    let class = run(cluster, "least-refused", &place)?;
    if class.code != Some(2) || !class.stderr.contains("create, delete, get, watch storageclasses.storage.k8s.io") {
        return Err(format!("{:?}\n{}", class.code, class.stderr).into());
    }
    let filter = ["--allow-disruption", "persistence"];
    let said = run_with(cluster, "least", &[&place[..], &filter].concat(), |cluster| {
        Ok(without_class(&bystanders::workload(cluster, None)?))
    })?;
    said.skips_only_power_cuts()
}

/// The account, a workload that stays inside its namespace, and the options that name the namespaces.
pub(crate) fn place(cluster: &SharedCluster) -> Result<(NamedTempFile, String, [&'static str; 4]), Failed> {
    let [workload, witness] = NAMESPACES;
    let options = ["--namespace", workload, "--witness-namespace", witness];
    let manifests = without_class(&bystanders::workload(cluster, Some(runs::PODS))?);
    Ok((account::of(cluster, "workload", "steadfast")?, manifests, options))
}

/// The workload with the cluster's default StorageClass.
fn without_class(documents: &str) -> String {
    let objects = documents.split("\n---\n").filter_map(|document| serde_json::from_str::<Value>(document).ok());
    let objects = objects.filter(|object| object["kind"] != "StorageClass").map(|mut object| {
        if let Some(class) = object.pointer_mut("/spec/volumeClaimTemplates/0/spec/storageClassName") {
            *class = json!("standard");
        }
        object.to_string()
    });
    objects.collect::<Vec<_>>().join("\n---\n")
}

/// A namespace that somebody uses stays unchanged.
pub(crate) fn in_use(cluster: &SharedCluster) -> Result<(), Failed> {
    let (file, uid) = (path(cluster), bystanders::identity(cluster)?);
    let place =
        ["--kubeconfig", &file, "--cluster-uid", &uid, "--namespace", "shop", "--witness-namespace", "default-2"];
    let said = refused(cluster, &place)?;
    if said.stderr.contains("the namespace shop is in use: it has StatefulSet mysql") {
        Ok(())
    } else {
        Err(said.stderr.into())
    }
}

/// Asks the API server for all rights of the account, without those that every account has, namespace by namespace, and
/// compares them with the manifests.
fn no_more_than_written(cluster: &SharedCluster, accounts: [&Path; 2], manifests: &str) -> Result<(), Failed> {
    let roles = workload::parse("the roles", manifests)?;
    let context = format!("kind-{}", cluster.name);
    let runtime = tokio::runtime::Runtime::new()?;
    for namespace in [&NAMESPACES[..], &["kube-system", "shop"]].concat() {
        let [has, everybody] = accounts.map(|kubeconfig| runtime.block_on(rights(kubeconfig, &context, namespace)));
        let (has, everybody) = (has?, everybody?);
        let has: BTreeSet<String> = has.difference(&everybody).cloned().collect();
        let written = roles.iter().filter(|role| {
            let of = role.text("/metadata/namespace");
            role.kind() == "ClusterRole" || (role.kind() == "Role" && of == namespace)
        });
        let written: BTreeSet<String> = written.flat_map(|role| rules(&role.object)).collect();
        if has != written {
            let more: Vec<_> = has.difference(&written).collect();
            let less: Vec<_> = written.difference(&has).collect();
            return Err(
                format!("in {namespace} the account has {more:?} beyond the manifests, and lacks {less:?}").into()
            );
        }
    }
    Ok(())
}

/// The rights of an account in a namespace according to the API server, one by one.
async fn rights(kubeconfig: &Path, context: &str, namespace: &str) -> Result<BTreeSet<String>, Failed> {
    let cluster = Cluster::connect(kubeconfig, Some(context), false).await?;
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) };
    let review = SelfSubjectRulesReview { spec, ..SelfSubjectRulesReview::default() };
    let api: Api<SelfSubjectRulesReview> = Api::all(cluster.client);
    let status = api.create(&PostParams::default(), &review).await?.status.unwrap_or_default();
    let of = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    let rules = status.resource_rules.iter();
    let rules = rules.map(|it| [of(&it.api_groups), of(&it.resources), it.verbs.clone(), of(&it.resource_names)]);
    Ok(rules.flat_map(|fields| each(&fields)).collect())
}

/// The rights of a role, one by one.
fn rules(role: &Value) -> Vec<String> {
    let names = |rule: &Value, field: &str| -> Vec<String> {
        rule[field].as_array().into_iter().flatten().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
    };
    let rules = role["rules"].as_array().into_iter().flatten();
    rules
        .flat_map(|rule| {
            let fields = ["apiGroups", "resources", "verbs", "resourceNames"].map(|field| names(rule, field));
            each(&fields)
        })
        .collect()
}

fn each([groups, resources, verbs, names]: &[Vec<String>; 4]) -> Vec<String> {
    let pairs = groups.iter().flat_map(|group| resources.iter().map(move |resource| format!("{resource}.{group}")));
    pairs.flat_map(|it| verbs.iter().map(move |verb| format!("{verb} {it} {names:?}"))).collect()
}
