//! Rejects, before anything is written to the cluster: the wrong cluster, an account without the needed rights, a
//! namespace that exists already, or a StorageClass that does not exist.

use k8s_openapi::api::core::v1::Taint;

use super::RunError;
use super::guest::Place;
use super::target::Target;
use crate::cluster::{Cluster, Right, demand, is_meant, is_new_enough};
use crate::report::Progress;
use crate::workload::{self, Apart, Manifest};

/// Rejects an existing cluster unless it is known to be the intended one, is new enough, and lets the account do what
/// every run does. A kind cluster of this machine is identified by its name. Returns how to find an existing cluster of
/// a kubeconfig again.
///
/// # Errors
/// When it is rejected.
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

/// Rejects manifests whose quotas leave no room for a pod or for a witness: the API server would never admit that pod.
/// A witness that is a `keeper` also has a claim.
///
/// # Errors
/// When a quota is too small.
pub(super) fn quotas(manifests: &[Manifest], keeper: bool) -> Result<(), RunError> {
    workload::shortage(manifests, 0, keeper).map_or(Ok(()), |shortage| Err(RunError::Quota(shortage)))
}

/// Rejects a workload with too few nodes for its pods: a pod without a node would stay Pending for ever. `new` is the
/// number of nodes of a cluster that the run creates.
///
/// # Errors
/// When there are too few.
pub(super) fn nodes(manifests: &[Manifest], taints: &[Vec<Taint>], new: Option<usize>) -> Result<(), RunError> {
    let Some(apart) = Apart::of(manifests) else { return Ok(()) };
    let takers = apart.takers(taints);
    if takers >= apart.pods {
        return Ok(());
    }
    // One node more lets the scenario `grow` add a pod.
    let wanted = new.map(|nodes| nodes + apart.pods + 1 - takers);
    let mend = wanted.map_or("add nodes, or let pods share nodes".to_owned(), |nodes| format!("use --nodes {nodes}"));
    Err(RunError::TooFewNodes { set: apart.set, pods: apart.pods, why: apart.why, takers, mend })
}
