//! What a witness needs to run beside the workload's pods.

use k8s_openapi::api::core::v1::Secret as SecretObject;
use kube::Client;
use kube::api::Api;
use serde_json::{Value, json};

use super::RunError;
use crate::object::items;
use crate::workload::{self, Hints, Manifest};

/// The name prefix of copied image pull Secrets.
const COPY: &str = "steadfast-pull";

/// What the workload and the cluster require of a witness's pod.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// The Secrets to pull its image with.
    pub pull_secrets: Vec<Manifest>,
    /// The tolerations of the StatefulSet's pods.
    tolerations: Vec<Value>,
    /// Whether a quota counts CPU or memory.
    counted: bool,
}

impl Beside {
    /// For a workload that these manifests deploy: uses the manifests' Secrets that its pods name, and the cluster's
    /// Secret named by the user.
    ///
    /// # Errors
    /// When the cluster's Secret does not exist or cannot be read.
    pub(super) async fn of(client: &Client, manifests: &[Manifest], hints: &Hints) -> Result<Self, RunError> {
        let named = workload::pull_secrets(manifests);
        let brought = manifests.iter().filter(|it| it.kind() == "Secret" && named.contains(&it.name()));
        let mut pull_secrets: Vec<Manifest> = brought.cloned().collect();
        for secret in &mut pull_secrets {
            // It is applied to both namespaces, so it must name none.
            if let Some(metadata) = secret.object["metadata"].as_object_mut() {
                metadata.remove("namespace");
            }
        }
        if let Some(place) = &hints.pull_secret {
            let (namespace, name) = place.split_once('/').unwrap_or(("default", place));
            pull_secrets.push(copied(client, namespace, name, COPY.to_owned()).await?);
        }
        Ok(Self { pull_secrets, ..Self::without_secrets(manifests) })
    }

    /// For an adopted workload in this namespace: uses the Secrets that its pods name, as far as they exist, as
    /// kubelets do.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) async fn adopted(
        client: &Client,
        manifests: &[Manifest],
        hints: &Hints,
        namespace: &str,
    ) -> Result<Self, RunError> {
        let mut beside = Self::of(client, manifests, hints).await?;
        for (number, name) in workload::pull_secrets(manifests).into_iter().enumerate() {
            match copied(client, namespace, name, format!("{COPY}-{number}")).await {
                Err(RunError::NoPullSecret { .. }) => {}
                copy => beside.pull_secrets.push(copy?),
            }
        }
        Ok(beside)
    }

    fn without_secrets(manifests: &[Manifest]) -> Self {
        let set = manifests.iter().find(|manifest| manifest.kind() == "StatefulSet");
        let tolerations = set.into_iter().flat_map(|set| items(&set.object, "/spec/template/spec/tolerations"));
        let tolerations = tolerations.cloned().collect();
        Self { pull_secrets: Vec::new(), tolerations, counted: workload::counts_resources(manifests) }
    }

    /// Adapts a witness's pod to these requirements.
    pub(super) fn fit(&self, pod: &mut Value) {
        let named = self.pull_secrets.iter().map(|secret| json!({"name": secret.name()}));
        pod["spec"]["imagePullSecrets"] = named.collect();
        if let Some(tolerations) = pod["spec"]["tolerations"].as_array_mut() {
            tolerations.extend(self.tolerations.iter().cloned());
        }
        if self.counted {
            pod["spec"]["containers"][0]["resources"] = workload::witness_takes();
        }
    }
}

/// A copy of a Secret of the cluster, under the harness's own name.
async fn copied(client: &Client, namespace: &str, name: &str, copy: String) -> Result<Manifest, RunError> {
    let place = format!("{namespace}/{name}");
    let secrets: Api<SecretObject> = Api::namespaced(client.clone(), namespace);
    let there = secrets.get_opt(name).await;
    let there = there.map_err(|source| RunError::api(&format!("read the Secret {place}"), source))?;
    let there = there.ok_or_else(|| RunError::NoPullSecret { place: place.clone() })?;
    let metadata = json!({"name": copy});
    let object =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": there.type_, "data": there.data});
    Ok(Manifest { origin: format!("the Secret {place}"), object })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::parse;

    #[test]
    fn a_witness_goes_where_the_pods_go() {
        let text = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\n\
            spec: {template: {spec: {tolerations: [{key: dedicated, operator: Exists}]}}}\n---\n\
            apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\nspec: {hard: {limits.cpu: 4}}\n";
        let manifests = parse("db.yaml", text).expect("YAML");
        let mut beside = Beside::without_secrets(&manifests);
        beside.pull_secrets = parse("s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: reg}\n").expect("YAML");
        let mut pod = json!({"spec": {"tolerations": [{"key": "own"}], "containers": [{}]}});
        beside.fit(&mut pod);
        let keys: Vec<_> = items(&pod, "/spec/tolerations").map(|it| it["key"].clone()).collect();
        assert_eq!(keys, ["own", "dedicated"]);
        assert_eq!(pod["spec"]["imagePullSecrets"], json!([{"name": "reg"}]));
        assert!(pod["spec"]["containers"][0]["resources"]["limits"]["cpu"].is_string());
    }
}
