//! What happens before the scenarios: images, manifests, namespaces, witnesses.

use std::time::Duration;

use super::guest::{Guest, Plans};
use super::images::substituted;
use super::names::word_of;
use super::test_cluster::TestCluster;
use super::workload_run::{Standing, WorkloadRun};
use super::{RunError, witness};
use crate::evidence::{Subject, Substitution};
use crate::probe::Session;
use crate::workload::{self, Credentials, Manifest};

const WITNESS_READY_WITHIN: Duration = Duration::from_secs(60);

/// A workload that is ready to be applied.
pub(super) struct Prepared {
    pub subject: Subject,
    pub credentials: Credentials,
    pub manifests: Vec<Manifest>,
    pub substitutions: Vec<Substitution>,
}

/// Brings the images, and adapts the manifests to this run.
pub(super) async fn prepare(
    test_cluster: &TestCluster,
    workload_run: &WorkloadRun,
    namespace: &str,
) -> Result<Prepared, RunError> {
    let journal = &workload_run.run_context.journal;
    let brought = match &test_cluster.place {
        Some(_) => workload::with_own_names(workload_run.manifests.clone(), word_of(&workload_run.run_context.name)),
        None => workload_run.manifests.clone(),
    };
    let (subject, credentials) =
        workload::subject(&brought, namespace, &test_cluster.domain, &workload_run.config.hints)?;
    let mut substitutions = test_cluster.provide(&test_cluster.images_of(&brought, journal).await, journal).await?;
    let manifests = workload::with_random_values(substituted(&brought, &substitutions));
    let mut manifests = workload::labelled(manifests, &workload_run.run_context.name);
    if test_cluster.has_namespaces() {
        manifests = workload::with_labelled_claims(manifests, &workload_run.run_context.name);
    }
    let manifests = test_cluster.taking_from_nodes(manifests, journal);
    substitutions.extend(test_cluster.node_substitution.clone());
    Ok(Prepared { subject, credentials, manifests, substitutions })
}

/// Creates the run's namespaces, or adapts prepared ones. On an existing cluster, namespaces and objects are first
/// noted in the run's book.
pub(super) async fn settle_in(
    test_cluster: &TestCluster,
    workload_run: &WorkloadRun,
    standing: &Standing,
    plans: &Plans<'_>,
) -> Result<(), RunError> {
    let (client, run) = (&test_cluster.cluster.client, &workload_run.run_context.name);
    if test_cluster.has_namespaces() {
        for manifest in plans.witness {
            let (kind, _) = workload::kind_of(client, manifest).await?;
            for namespace in plans.namespaces {
                workload::name_is_free(client, &kind, manifest, namespace).await?;
            }
        }
    }
    if let Some(place) = &test_cluster.place {
        let guest = Guest::arrive(&test_cluster.cluster, place, run, plans)?;
        // It is empty, because a workload is run once.
        let _ = standing.guest.set(guest);
    }
    if !test_cluster.has_namespaces() {
        // The second namespace is like the first, but has no pods of the workload.
        let like = plans.manifests.iter().filter(|manifest| manifest.is_namespace());
        let far: Vec<Manifest> = like.chain(plans.witness).cloned().collect();
        for (name, manifests) in plans.namespaces.into_iter().zip([plans.manifests, &far]) {
            let owned = workload::create_namespace(client, name, run, manifests).await?;
            standing.made.lock().await.push(owned);
        }
    }
    Ok(())
}

/// Starts a witness in a namespace, and opens a session with it.
pub(super) async fn start_witness(
    test_cluster: &TestCluster,
    workload_run: &WorkloadRun,
    namespace: &str,
    manifests: &[Manifest],
    standing: &Standing,
) -> Result<Session, RunError> {
    let client = &test_cluster.cluster.client;
    workload::apply(client, manifests, namespace, &mut *standing.made.lock().await).await?;
    witness::session(client, namespace, WITNESS_READY_WITHIN.mul_f64(workload_run.run_context.timeout_scale)).await
}
