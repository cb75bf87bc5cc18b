//! Witnesses: the pods that ask, and keep the ledger, from inside the cluster.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::RunError;
use super::bench::all_ready;
use crate::probe::Session;
use crate::witness::protocol::Secret;
use crate::workload::{self, Manifest};

const POD: &str = include_str!("../../manifests/witness/pod.yaml");
const KEEPER: &str = include_str!("../../manifests/witness/keeper.yaml");

const LABEL: &str = "app.kubernetes.io/name=steadfast-witness";

/// The Secret that a witness has its password from.
pub(super) const SECRET: &str = "steadfast-witness";

/// The manifests of a witness for one run: a pod without a controller, which no drain takes away.
pub(super) fn pod(image: &str, password: &Secret) -> Result<Vec<Manifest>, RunError> {
    let mut manifests = workload::parse("the witness's manifests", POD)?;
    for Manifest { object, .. } in &mut manifests {
        if let Some(field) = object.pointer_mut("/spec/containers/0/image") {
            *field = json!(image);
        }
        if let Some(field) = object.pointer_mut("/stringData/password") {
            *field = json!(password.expose());
        }
    }
    Ok(manifests)
}

/// The manifests of a witness for the time until somebody has upgraded the cluster: a drain moves it, and its ledger goes
/// with it. Its claim has this class, or the cluster's default one.
pub(super) fn keeper(image: &str, password: &Secret, class: Option<&str>) -> Result<Vec<Manifest>, RunError> {
    let (pods, mut manifests): (Vec<_>, Vec<_>) =
        pod(image, password)?.into_iter().partition(|manifest| manifest.kind() == "Pod");
    for mut keeper in workload::parse("the witness's manifests", KEEPER)? {
        let specs = pods.iter().filter_map(|pod| pod.object.get("spec")?.as_object());
        if let Some(spec) = keeper.object.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut) {
            for (name, value) in specs.flatten() {
                spec.entry(name).or_insert_with(|| value.clone());
            }
        }
        if let (Some(class), Some(claim)) = (class, keeper.object.pointer_mut("/spec/volumeClaimTemplates/0/spec")) {
            claim["storageClassName"] = json!(class);
        }
        manifests.push(keeper);
    }
    Ok(manifests)
}

/// Opens the conversation with the witness of a namespace, once it is Ready.
pub(super) async fn session(client: &Client, namespace: &str, limit: Duration) -> Result<Session, RunError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let ready = all_ready(&pods, LABEL, &format!("the witness in {namespace}"), limit).await?;
    let session = Session::new(pods, &ready.first().map(ResourceExt::name_any).unwrap_or_default());
    session.open().await?;
    Ok(session)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(manifests: &[Manifest], kind: &str) -> Value {
        manifests.iter().find(|manifest| manifest.kind() == kind).expect(kind).object.clone()
    }

    #[test]
    fn a_keeper_is_the_same_pod_with_a_claim_for_its_ledger() {
        let password = Secret::from("hunter2");
        let (pods, keepers) = (pod("image", &password).unwrap(), keeper("image", &password, Some("fast")).unwrap());
        let (pod, set) = (of(&pods, "Pod"), of(&keepers, "StatefulSet"));
        assert_eq!(of(&keepers, "Secret"), of(&pods, "Secret"));
        assert_eq!(of(&keepers, "Secret")["stringData"]["password"], "hunter2");
        let (alone, kept) = (&pod["spec"], &set["spec"]["template"]["spec"]);
        assert_eq!(kept["containers"], alone["containers"]);
        assert_eq!(kept["volumes"], alone["volumes"]);
        assert_eq!((&kept["terminationGracePeriodSeconds"], &kept["containers"][0]["image"]), (&json!(10), &json!("image")));
        assert_eq!(set["spec"]["template"]["metadata"]["labels"], pod["metadata"]["labels"]);
        let claim = &set["spec"]["volumeClaimTemplates"][0];
        assert_eq!((&claim["metadata"]["name"], &claim["spec"]["storageClassName"]), (&json!("ledger"), &json!("fast")));
        let default = keeper("image", &password, None).unwrap();
        assert!(of(&default, "StatefulSet")["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"].is_null());
    }

    #[test]
    fn the_password_stands_in_the_secret_alone() {
        for manifests in [pod("image", &"hunter2".into()).unwrap(), keeper("image", &"hunter2".into(), None).unwrap()] {
            let with = manifests.iter().filter(|manifest| manifest.object.to_string().contains("hunter2"));
            assert_eq!(with.map(Manifest::kind).collect::<Vec<_>>(), ["Secret"]);
        }
    }
}
