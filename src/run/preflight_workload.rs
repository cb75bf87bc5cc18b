//! Rejects a workload that a cluster cannot take, before any of it is created.

use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use kube::discovery::Scope;

use super::RunError;
use super::preflight::nodes;
use super::test_cluster::TestCluster;
use crate::cluster::{Right, demand};
use crate::workload::{self, Manifest};

/// Rejects a workload that could not be deployed or removed again, or whose namespaces are in use. Returns the objects
/// that may be cluster-wide.
///
/// # Errors
/// When it is rejected.
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
        // A manifest's Namespace only describes the workload's namespace.
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

/// Rejects a claim whose class does not exist: it would stay Pending for ever.
pub(super) async fn storage_classes(test_cluster: &TestCluster, manifests: &[Manifest]) -> Result<(), RunError> {
    let volumes = manifests.iter().filter(|manifest| manifest.kind() == "PersistentVolume");
    let of_volumes: Vec<&str> = volumes.map(|volume| volume.text("/spec/storageClassName")).collect();
    let wanted = manifests
        .iter()
        .filter_map(|manifest| manifest.object.pointer("/spec/volumeClaimTemplates")?.as_array())
        .flatten()
        .filter_map(|claim| claim.pointer("/spec/storageClassName")?.as_str())
        // Statically provisioned volumes need no class.
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
