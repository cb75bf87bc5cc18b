//! The kinds of objects that a cluster serves: the built-in ones, and those of applied CustomResourceDefinitions.

use std::time::{Duration, Instant};

use kube::Client;
use kube::api::ApiResource;
use kube::core::{GroupVersionKind, TypeMeta};
use kube::discovery::Scope;
use kube::discovery::oneshot::pinned_kind;
use kube::error::DiscoveryError;

use super::Manifest;
use super::owned::{ApplyError, failed};

/// The built-in API groups without `k8s.io` in their names
/// (<https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.34/>).
const PLAIN: [&str; 5] = ["", "apps", "autoscaling", "batch", "policy"];

/// The other built-in groups. Further groups of `k8s.io` belong to projects beside Kubernetes.
const OF_KUBERNETES: [&str; 16] = [
    "admissionregistration",
    "apiextensions",
    "apiregistration",
    "authentication",
    "authorization",
    "certificates",
    "coordination",
    "discovery",
    "events",
    "flowcontrol.apiserver",
    "networking",
    "node",
    "rbac.authorization",
    "resource",
    "scheduling",
    "storage",
];

/// How long the API server may take to serve a new kind.
const SERVED_WITHIN: Duration = Duration::from_secs(15);

/// The polling interval for a new kind.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

fn api_version(manifest: &Manifest) -> &str {
    manifest.text("/apiVersion")
}

fn group(manifest: &Manifest) -> &str {
    api_version(manifest).split_once('/').map_or("", |(group, _)| group)
}

/// Whether these manifests define the kind of one of them.
pub fn defines_kind_of(manifests: &[Manifest], manifest: &Manifest) -> bool {
    manifests.iter().any(|it| {
        it.kind() == "CustomResourceDefinition"
            && it.text("/spec/group") == group(manifest)
            && it.text("/spec/names/kind") == manifest.kind()
    })
}

fn unknown(manifest: &Manifest) -> ApplyError {
    let (kind, name) = (manifest.kind().to_owned(), manifest.name().to_owned());
    ApplyError::UnknownKind {
        kind,
        name,
        api_version: api_version(manifest).to_owned(),
        origin: manifest.origin.clone(),
    }
}

/// Rejects objects whose kind a new cluster does not serve and the manifests do not define.
///
/// # Errors
/// When there is one.
pub fn known_to_new_cluster(manifests: &[Manifest]) -> Result<(), ApplyError> {
    let of_every_cluster = |manifest: &Manifest| {
        let group = group(manifest);
        let own = group.strip_suffix(".k8s.io").is_some_and(|group| OF_KUBERNETES.contains(&group));
        PLAIN.contains(&group) || own
    };
    let foreign = |manifest: &&Manifest| !of_every_cluster(manifest) && !defines_kind_of(manifests, manifest);
    manifests.iter().find(foreign).map_or(Ok(()), |manifest| Err(unknown(manifest)))
}

/// A manifest's kind as the API server serves it, and whether it is namespaced.
///
/// # Errors
/// When the API server does not know the kind, or cannot be asked.
pub async fn kind_of(client: &Client, manifest: &Manifest) -> Result<(ApiResource, Scope), ApplyError> {
    let types = TypeMeta { api_version: api_version(manifest).to_owned(), kind: manifest.kind().to_owned() };
    let gvk = GroupVersionKind::try_from(&types).unwrap_or_else(|_| GroupVersionKind::gvk("", "v1", manifest.kind()));
    match pinned_kind(client, &gvk).await {
        Ok((resource, capabilities)) => Ok((resource, capabilities.scope)),
        Err(kube::Error::Discovery(DiscoveryError::MissingKind(_) | DiscoveryError::MissingApiGroup(_))) => {
            Err(unknown(manifest))
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Err(unknown(manifest)),
        Err(error) => Err(failed("find the kind of", manifest.kind(), manifest.name())(error)),
    }
}

/// Like [`kind_of`], while these manifests are being applied: a kind that they define is served a little later.
///
/// # Errors
/// As [`kind_of`].
pub(super) async fn kind_among(
    client: &Client,
    manifests: &[Manifest],
    manifest: &Manifest,
) -> Result<(ApiResource, Scope), ApplyError> {
    let begun = Instant::now();
    loop {
        match kind_of(client, manifest).await {
            Err(ApplyError::UnknownKind { .. })
                if defines_kind_of(manifests, manifest) && begun.elapsed() < SERVED_WITHIN =>
            {
                // Discovery has no watch.
                tokio::time::sleep(ASK_AGAIN_AFTER).await;
            }
            found => return found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::parse;

    const MONITOR: &str = "apiVersion: monitoring.example.com/v1\nkind: ServiceMonitor\nmetadata: {name: db}\n";
    const DEFINITION: &str = "---\napiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n\
        metadata: {name: servicemonitors.monitoring.example.com}\n\
        spec: {group: monitoring.example.com, names: {kind: ServiceMonitor}}\n";

    #[test]
    fn a_new_cluster_knows_its_own_kinds_and_those_that_it_is_given() {
        let judged = |text: &str| known_to_new_cluster(&parse("db.yaml", text).expect("YAML"));
        let own = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: db}\n---\n\
            apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: db}\n";
        assert!(judged(own).is_ok());
        assert!(judged(&format!("{MONITOR}{DEFINITION}")).is_ok());
        insta::assert_snapshot!(judged(MONITOR).expect_err("unknown"), @"db.yaml: the cluster does not know the kind ServiceMonitor of monitoring.example.com/v1, which db has; add its CustomResourceDefinition to the manifests, or remove the object");
        assert!(judged(&MONITOR.replace("monitoring.example.com", "gateway.networking.k8s.io")).is_err());
    }
}
