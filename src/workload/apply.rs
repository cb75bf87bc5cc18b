//! Server-side apply of the manifests, and deletion of exactly what was applied. Deletion is by UID, so a replacement
//! of the same name is left alone.

use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kube::api::{
    Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy, WatchEvent,
    WatchParams,
};
use kube::discovery::Scope;
use kube::{Client, ResourceExt};
use serde_json::Value;

use super::Manifest;
use super::kinds::kind_among;
use super::owned::{ApplyError, Owned, RUN_LABEL, failed};
use crate::evidence::Applied;

const FIELD_MANAGER: &str = "steadfast";

/// The pause before asking an API server again that does not answer.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// The annotation that asks for a random value. It names the key of `stringData` to fill in.
const RANDOM: &str = "/metadata/annotations/steadfast~1random";

/// Applies the manifests: CustomResourceDefinitions first and StatefulSets last, so that dependencies exist. Returns
/// the objects in the namespace as the API server then has them. Every created object is added to `made` for clean-up,
/// even if an error follows. A Namespace is left out: [`create_namespace`](super::create_namespace) creates it.
///
/// # Errors
/// When an object is rejected, or when a cluster-wide object exists already and differs.
pub async fn apply(
    client: &Client,
    manifests: &[Manifest],
    namespace: &str,
    made: &mut Vec<Owned>,
) -> Result<Vec<Applied>, ApplyError> {
    let mut applied = Vec::new();
    let mut ordered: Vec<&Manifest> = manifests.iter().filter(|manifest| !manifest.is_namespace()).collect();
    ordered.sort_by_key(|manifest| match manifest.kind() {
        "CustomResourceDefinition" => 0,
        "StatefulSet" => 2,
        _ => 1,
    });
    for manifest in ordered {
        let (resource, scope) = kind_among(client, manifests, manifest).await?;
        let api: Api<DynamicObject> = match scope {
            Scope::Namespaced => Api::namespaced_with(client.clone(), namespace, &resource),
            Scope::Cluster => Api::all_with(client.clone(), &resource),
        };
        let (kind, name) = (manifest.kind(), manifest.name());
        let object = &manifest.object;
        let object = match scope {
            Scope::Namespaced => {
                let parameters = PatchParams::apply(FIELD_MANAGER).force();
                let patched = api.patch(name, &parameters, &Patch::Apply(object)).await;
                let patched = patched.map_err(failed("apply", kind, name))?;
                let (uid, generation) = (patched.uid().unwrap_or_default(), patched.metadata.generation);
                applied.push(Applied { kind: kind.to_owned(), name: name.to_owned(), uid, generation });
                Some(patched)
            }
            Scope::Cluster => create_unless_there(&api, kind, name, object).await?,
        };
        if let Some(object) = object {
            let uid = object.uid().unwrap_or_default();
            if made.iter().all(|known| known.uid != uid) {
                let api_version = manifest.text("/apiVersion").to_owned();
                made.push(Owned { api_version, kind: kind.to_owned(), name: name.to_owned(), uid, api });
            }
        }
    }
    Ok(applied)
}

/// Cluster-wide objects are shared. An existing one with the same content is used but not deleted later, because the
/// run did not create it.
async fn create_unless_there(
    api: &Api<DynamicObject>,
    kind: &str,
    name: &str,
    object: &Value,
) -> Result<Option<DynamicObject>, ApplyError> {
    let wanted: DynamicObject = serde_json::from_value(object.clone())
        .map_err(|error| failed("read", kind, name)(kube::Error::SerdeError(error)))?;
    match api.create(&PostParams::default(), &wanted).await {
        Ok(made) => Ok(Some(made)),
        Err(kube::Error::Api(status)) if status.code == 409 => {
            let there = api.get(name).await.map_err(failed("read", kind, name))?;
            let there = serde_json::to_value(there).unwrap_or_default();
            // An object of another run serves as well; only the label differs.
            match first_difference(&without_run(object), &there, "") {
                None => Ok(None),
                Some(pointer) => Err(ApplyError::Differs { kind: kind.to_owned(), name: name.to_owned(), pointer }),
            }
        }
        Err(error) => Err(failed("create", kind, name)(error)),
    }
}

/// The object without the run's label, as the manifest has it.
fn without_run(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(metadata) = object.pointer_mut("/metadata").and_then(Value::as_object_mut)
        && let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut)
    {
        labels.remove(RUN_LABEL);
        if labels.is_empty() {
            metadata.remove("labels");
        }
    }
    object
}

/// The first field of `wanted` whose value differs or is missing in `there`.
fn first_difference(wanted: &Value, there: &Value, pointer: &str) -> Option<String> {
    match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => wanted.iter().find_map(|(key, value)| {
            let pointer = format!("{pointer}/{key}");
            first_difference(value, there.get(key).unwrap_or(&Value::Null), &pointer)
        }),
        (wanted, there) => (wanted != there).then(|| pointer.to_owned()),
    }
}

/// Fills in the random values that manifests ask for. The annotation names the key.
pub fn with_random_values(mut manifests: Vec<Manifest>) -> Vec<Manifest> {
    for manifest in &mut manifests {
        let key = manifest.text(RANDOM).to_owned();
        if let Some(value) = manifest.object.pointer_mut("/stringData").and_then(|data| data.get_mut(&key)) {
            *value = Value::from(random_password());
        }
    }
    manifests
}

/// 128 random bits in hexadecimal.
pub fn random_word() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A password that satisfies the policies of validate_password: upper case, lower case, a digit, another character, and
/// about a hundred random bits (<https://dev.mysql.com/doc/refman/8.4/en/validate-password.html>). It has 32
/// characters, the maximum for a replication account
/// (<https://dev.mysql.com/doc/refman/8.4/en/change-replication-source-to.html>).
pub fn random_password() -> String {
    format!("Aa1-{}", &random_word()[..28])
}

/// Deletes only the object with this UID, not a replacement of the same name.
pub(crate) fn by_uid(uid: &str) -> DeleteParams {
    let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() }
}

/// Requests the deletion of an object by UID. An object that is gone or was replaced is left alone.
///
/// # Errors
/// When the API server rejects the request.
pub async fn delete(owned: &Owned) -> Result<(), ApplyError> {
    delete_with(owned, PropagationPolicy::Background).await
}

/// Like [`delete`], but the object stays until all its dependents are gone
/// (<https://kubernetes.io/docs/concepts/architecture/garbage-collection/#foreground-deletion>).
///
/// # Errors
/// When the API server rejects the request.
pub async fn delete_after_dependents(owned: &Owned) -> Result<(), ApplyError> {
    delete_with(owned, PropagationPolicy::Foreground).await
}

async fn delete_with(owned: &Owned, policy: PropagationPolicy) -> Result<(), ApplyError> {
    let parameters = DeleteParams { propagation_policy: Some(policy), ..by_uid(&owned.uid) };
    match owned.api.delete(&owned.name, &parameters).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(error) => Err(failed("delete", &owned.kind, &owned.name)(error)),
    }
}

/// Waits until an object is gone. True if that happened within `limit`.
pub async fn await_gone(owned: &Owned, limit: Duration) -> bool {
    let gone = async {
        loop {
            let version = match owned.api.get_metadata_opt(&owned.name).await {
                Ok(Some(there)) if there.metadata.uid.as_deref() == Some(&owned.uid) => there.metadata.resource_version,
                Ok(_) => return,
                Err(_) => {
                    // Do not add load while the API server is away.
                    tokio::time::sleep(RETRY_AFTER).await;
                    continue;
                }
            };
            if owned.kind == "Secret" {
                // A right to watch one of these is a right to read all of them, so this polls. They go quickly.
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            }
            let by_name = WatchParams::default().fields(&format!("metadata.name={}", owned.name)).timeout(60);
            let Ok(events) = owned.api.watch_metadata(&by_name, &version.unwrap_or_default()).await else {
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            };
            pin_mut!(events);
            while let Some(Ok(event)) = events.next().await {
                if matches!(event, WatchEvent::Deleted(_)) {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(limit, gone).await.is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_marked_secret_gets_a_random_value() {
        let object = json!({
            "metadata": {"annotations": {"steadfast/random": "password"}},
            "stringData": {"password": "x", "other": "y"},
        });
        let secret = vec![Manifest { origin: String::new(), object }];
        let filled = with_random_values(secret.clone());
        assert_eq!(filled[0].text("/stringData/password").len(), 32);
        assert_eq!(filled[0].text("/stringData/other"), "y");
        assert_ne!(filled, with_random_values(secret));
    }

    #[test]
    fn what_another_run_made_is_no_other_object() {
        let class = json!({"metadata": {"name": "fast"}, "provisioner": "a"});
        let labelled = json!({"metadata": {"name": "slow", "labels": {"app": "db"}}, "provisioner": "a"});
        for object in [class, labelled] {
            let manifest = Manifest { origin: String::new(), object: object.clone() };
            let of = |run: &str| crate::workload::labelled(vec![manifest.clone()], run).remove(0).object;
            assert_eq!(of("steadfast-1").pointer("/metadata/labels/steadfast~1run"), Some(&json!("steadfast-1")));
            assert_eq!(without_run(&of("steadfast-1")), object);
            assert_eq!(first_difference(&without_run(&of("steadfast-1")), &of("steadfast-2"), ""), None);
        }
    }

    #[test]
    fn a_difference_is_named_by_its_field() {
        let wanted = json!({"provisioner": "a", "parameters": {"x": "1"}});
        let there = json!({"provisioner": "a", "parameters": {"x": "2"}, "more": true});
        assert_eq!(first_difference(&wanted, &there, ""), Some("/parameters/x".to_owned()));
        assert_eq!(first_difference(&json!({"provisioner": "a"}), &there, ""), None);
        assert_eq!(first_difference(&json!({"new": true}), &there, ""), Some("/new".to_owned()));
        assert_eq!(first_difference(&json!({"parameters": "x"}), &there, ""), Some("/parameters".to_owned()));
        let lists = (json!({"modes": ["a", "b"]}), json!({"modes": ["b", "a"]}));
        assert_eq!(first_difference(&lists.0, &lists.1, ""), Some("/modes".to_owned()));
        assert_eq!(first_difference(&json!({}), &there, ""), None);
    }
}
