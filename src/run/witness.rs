//! Witnesses: the pods that ask questions, and keep the ledger, inside the cluster.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret as SecretObject};
use kube::api::Api;
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::RunError;
use super::beside::Beside;
use super::listed::{Wanted, ready};
use crate::probe::Session;
use crate::witness::protocol::Secret;
use crate::workload::{self, Manifest};

const POD: &str = include_str!("../../manifests/witness/pod.yaml");
const KEEPER: &str = include_str!("../../manifests/witness/keeper.yaml");

const LABEL: &str = "app.kubernetes.io/name=steadfast-witness";

/// The Secret with a witness's password, and its keys.
const SECRET: &str = "steadfast-witness";
const WRITER: &str = "password";
const REPLICA: &str = "replica-password";
const ADMIN: &str = "admin-password";

/// The manifests of a witness for one run: a pod without a controller, which a drain does not evict.
pub(super) fn pod(image: &str, password: &Secret, beside: &Beside) -> Result<Vec<Manifest>, RunError> {
    let mut manifests = workload::parse("the witness's manifests", POD)?;
    for Manifest { object, .. } in &mut manifests {
        if object["kind"] == "Pod" {
            beside.fit(object);
        }
        if let Some(field) = object.pointer_mut("/spec/containers/0/image") {
            *field = json!(image);
        }
        if let Some(field) = object.pointer_mut("/stringData/password") {
            *field = json!(password.expose());
        }
    }
    Ok(beside.pull_secrets.iter().cloned().chain(manifests).collect())
}

/// The passwords of the accounts that the harness creates.
pub(super) struct Passwords {
    /// Of the account that writes the ledger.
    pub writer: Secret,
    /// Of the replication account. A witness does not see it: `before` keeps it for a later configuration of replicas.
    pub replica: Secret,
    /// Of the account that is created if root may log in only locally. It is kept likewise.
    pub admin: Secret,
}

impl Passwords {
    /// New random passwords.
    pub(super) fn random() -> Self {
        let random = || Secret::from(workload::random_password());
        Self { writer: random(), replica: random(), admin: random() }
    }

    /// The passwords that a keeper in this namespace holds, if there is one.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub(super) async fn kept(client: &Client, namespace: &str) -> Result<Option<Self>, RunError> {
        let secrets: Api<SecretObject> = Api::namespaced(client.clone(), namespace);
        let there = secrets.get_opt(SECRET).await;
        let there = there.map_err(|source| RunError::api("read the witness's Secret", source))?;
        let data = there.and_then(|secret| secret.data).unwrap_or_default();
        let value = |key| data.get(key).map(|value| Secret::from(String::from_utf8_lossy(&value.0).into_owned()));
        let admin = value(ADMIN).unwrap_or_else(|| Secret::from(workload::random_password()));
        Ok(value(WRITER).zip(value(REPLICA)).map(|(writer, replica)| Self { writer, replica, admin }))
    }
}

/// The manifests of a witness for an external upgrade: a drain moves its pod, and its ledger moves along. Its claim has
/// this class, or the cluster's default class.
pub(super) fn keeper(
    image: &str,
    passwords: &Passwords,
    class: Option<&str>,
    beside: &Beside,
) -> Result<Vec<Manifest>, RunError> {
    let (pods, mut manifests): (Vec<_>, Vec<_>) =
        pod(image, &passwords.writer, beside)?.into_iter().partition(|manifest| manifest.kind() == "Pod");
    for secret in manifests.iter_mut().filter(|secret| secret.name() == SECRET) {
        if let Some(data) = secret.object.pointer_mut("/stringData").and_then(Value::as_object_mut) {
            data.insert(REPLICA.to_owned(), json!(passwords.replica.expose()));
            data.insert(ADMIN.to_owned(), json!(passwords.admin.expose()));
        }
    }
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

/// Opens a session with the witness of a namespace, once it is Ready.
pub(super) async fn session(client: &Client, namespace: &str, limit: Duration) -> Result<Session, RunError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let ready = ready(&pods, LABEL, &format!("the witness in {namespace}"), Wanted::All, limit).await?;
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

    fn passwords() -> Passwords {
        Passwords { writer: "hunter2".into(), replica: "swordfish".into(), admin: "xyzzy".into() }
    }

    #[test]
    fn a_keeper_is_the_same_pod_with_a_claim_for_its_ledger() {
        let pods = pod("image", &"hunter2".into(), &Beside::default()).unwrap();
        let keepers = keeper("image", &passwords(), Some("fast"), &Beside::default()).unwrap();
        let (pod, set) = (of(&pods, "Pod"), of(&keepers, "StatefulSet"));
        let data = &of(&keepers, "Secret")["stringData"];
        assert_eq!((&data["password"], &data["replica-password"]), (&json!("hunter2"), &json!("swordfish")));
        let (alone, kept) = (&pod["spec"], &set["spec"]["template"]["spec"]);
        assert_eq!((&kept["containers"], &kept["volumes"]), (&alone["containers"], &alone["volumes"]));
        assert_eq!(kept["containers"][0]["image"], "image");
        assert_eq!(kept["terminationGracePeriodSeconds"], 10);
        assert_eq!(set["spec"]["template"]["metadata"]["labels"], pod["metadata"]["labels"]);
        let claim = &set["spec"]["volumeClaimTemplates"][0];
        assert_eq!(
            (&claim["metadata"]["name"], &claim["spec"]["storageClassName"]),
            (&json!("ledger"), &json!("fast"))
        );
        let default = of(&keeper("image", &passwords(), None, &Beside::default()).unwrap(), "StatefulSet");
        assert!(default["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"].is_null());
    }

    #[test]
    fn passwords_stand_in_the_secret_alone_and_a_witness_sees_its_own() {
        for manifests in [
            pod("image", &"hunter2".into(), &Beside::default()).unwrap(),
            keeper("image", &passwords(), None, &Beside::default()).unwrap(),
        ] {
            let tells = |manifest: &&Manifest| {
                ["hunter2", "swordfish", "xyzzy"].iter().any(|it| manifest.object.to_string().contains(it))
            };
            assert_eq!(manifests.iter().filter(tells).map(Manifest::kind).collect::<Vec<_>>(), ["Secret"]);
        }
        let pod = of(&pod("image", &"hunter2".into(), &Beside::default()).unwrap(), "Pod");
        assert_eq!(pod["spec"]["volumes"][1]["secret"]["items"], json!([{"key": "password", "path": "password"}]));
    }
}
