//! What can be refused before anything is written to the cluster, and is: the wrong cluster, an account without rights, a
//! namespace that is there, a StorageClass that is not.

use k8s_openapi::api::core::v1::Taint;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::discovery::Scope;

use super::RunError;
use super::guest::Place;
use super::test_cluster::{Target, TestCluster};
use crate::cluster::{Cluster, Right, demand, is_meant, is_new_enough};
use crate::report::Progress;
use crate::workload::{self, Apart, Manifest};

/// Refuses a cluster that the run did not make, unless it is known to be the one that is meant, is new enough, and the
/// account may do there what every run does. A kind cluster of this machine is known by its name. Tells how to find a cluster of
/// somebody else again.
///
/// # Errors
/// When it is not.
pub(super) async fn of_cluster(
    target: &Target,
    cluster: &Cluster,
    progress: &Progress,
) -> Result<Option<Place>, RunError> {
    match target {
        Target::New { .. } => Ok(None),
        Target::Kind(_) => {
            is_new_enough(cluster)?;
            Ok(None)
        }
        Target::Context { uid: meant, kubeconfig, namespaces, .. } => {
            let uid = cluster.identity().await?;
            progress.say(&format!("namespace kube-system of UID {uid}"));
            is_meant(cluster, &uid, meant.as_deref())?;
            is_new_enough(cluster)?;
            let rights = match namespaces {
                Some([workload, witness]) => Right::in_namespaces([workload, witness]),
                None => Right::of_every_run(),
            };
            demand(cluster, &rights).await?;
            Ok(Some(Place { uid, kubeconfig: kubeconfig.clone(), namespaces: namespaces.clone() }))
        }
    }
}

/// Refuses a workload that could not be deployed, or not taken away again, or whose namespaces are in use. Tells of which
/// objects it is not known that they belong to a namespace.
///
/// # Errors
/// When it is so.
pub(super) async fn of_workload<'a>(
    test_cluster: &TestCluster,
    manifests: &'a [Manifest],
    [workload, witness]: [&str; 2],
) -> Result<Vec<&'a Manifest>, RunError> {
    let client = &test_cluster.cluster.client;
    let stays = test_cluster.has_namespaces();
    if stays {
        workload::namespace_is_unused(client, workload).await?;
        workload::namespace_is_there(client, witness).await?;
    } else {
        workload::namespace_is_free(client, workload).await?;
        workload::namespace_is_free(client, witness).await?;
    }
    storage_classes(test_cluster, manifests).await?;
    nodes(manifests, &test_cluster.taints, None)?;
    let (mut rights, mut cluster_wide) = (Vec::new(), Vec::new());
    for manifest in manifests {
        if workload::defines_kind_of(manifests, manifest) {
            cluster_wide.push(manifest);
            continue;
        }
        // A Namespace says what that of the workload is to be like.
        if stays && manifest.is_namespace() {
            continue;
        }
        let (kind, scope) = workload::kind_of(client, manifest).await?;
        if scope == Scope::Cluster && !manifest.is_namespace() {
            cluster_wide.push(manifest);
        } else if stays {
            workload::name_is_free(client, &kind, manifest, workload).await?;
        }
        let right = Right::to_apply(&kind, &scope, if stays { workload } else { "" });
        if !rights.contains(&right) {
            rights.push(right);
        }
    }
    if test_cluster.nodes.is_none() {
        demand(&test_cluster.cluster, &rights).await?;
    }
    Ok(cluster_wide)
}

/// A pod that a quota leaves no room for is never made, be it a witness's that keeps its ledger in a claim.
///
/// # Errors
/// When there is one.
pub(super) fn quotas(manifests: &[Manifest], keeper: bool) -> Result<(), RunError> {
    workload::shortage(manifests, 0, keeper).map_or(Ok(()), |shortage| Err(RunError::Quota(shortage)))
}

/// A pod for which no node is left stays Pending for ever: better to say so at once. `new` is how many nodes the cluster
/// has that the run makes.
///
/// # Errors
/// When there are too few.
pub(super) fn nodes(manifests: &[Manifest], taints: &[Vec<Taint>], new: Option<usize>) -> Result<(), RunError> {
    let Some(apart) = Apart::of(manifests) else { return Ok(()) };
    let takers = apart.takers(taints);
    if takers >= apart.pods {
        return Ok(());
    }
    // One more than that lets the scenario `grow` add a pod.
    let wanted = new.map(|nodes| nodes + apart.pods + 1 - takers);
    let mend =
        wanted.map_or("add nodes, or have pods share them".to_owned(), |nodes| format!("give it --nodes {nodes}"));
    Err(RunError::TooFewNodes { set: apart.set, pods: apart.pods, why: apart.why, takers, mend })
}

/// A claim whose class does not exist stays Pending for ever: better to say so at once.
pub(super) async fn storage_classes(test_cluster: &TestCluster, manifests: &[Manifest]) -> Result<(), RunError> {
    let volumes = manifests.iter().filter(|manifest| manifest.kind() == "PersistentVolume");
    let of_volumes: Vec<&str> = volumes.map(|volume| volume.text("/spec/storageClassName")).collect();
    let wanted = manifests
        .iter()
        .filter_map(|manifest| manifest.object.pointer("/spec/volumeClaimTemplates")?.as_array())
        .flatten()
        .filter_map(|claim| claim.pointer("/spec/storageClassName")?.as_str())
        // Volumes that somebody made by hand need no class.
        .filter(|class| !class.is_empty() && !of_volumes.contains(class));
    let api: Api<StorageClass> = Api::all(test_cluster.cluster.client.clone());
    let there =
        api.list(&ListParams::default()).await.map_err(|source| RunError::api("list the StorageClasses", source))?;
    let there: Vec<String> = there.items.iter().map(ResourceExt::name_any).collect();
    for class in wanted {
        let brought = manifests.iter().any(|manifest| manifest.kind() == "StorageClass" && manifest.name() == class);
        if !brought && !there.iter().any(|name| name == class) {
            return Err(RunError::NoStorageClass { class: class.to_owned(), there: there.join(", ") });
        }
    }
    Ok(())
}
