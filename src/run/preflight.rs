//! What can be refused before anything is written to the cluster, and is: the wrong cluster, an account without rights, a
//! namespace that is there, a StorageClass that is not.

use k8s_openapi::api::core::v1::Taint;

use super::RunError;
use super::guest::Place;
use super::target::Target;
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
