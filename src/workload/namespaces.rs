//! The namespaces that a run makes: refused where they are there, labelled with the run, and found again by that.

use kube::api::{Api, ApiResource, DynamicObject, ListParams, ObjectMeta, PostParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::apply::{ApplyError, Owned, failed};
use super::manifests::Manifest;
use crate::object::strings;

/// Marks an object with the run that made it.
pub const RUN_LABEL: &str = "steadfast/run";

/// The manifests, each marked with the run that applies it, so that what it leaves is known for its own.
pub fn labelled(mut manifests: Vec<Manifest>, run: &str) -> Vec<Manifest> {
    for manifest in &mut manifests {
        let Some(object) = manifest.object.as_object_mut() else { continue };
        if let Some(metadata) = object.entry("metadata").or_insert_with(|| json!({})).as_object_mut() {
            let labels = metadata.entry("labels").or_insert(Value::Null);
            // `labels:` with nothing behind it is null.
            if labels.is_null() {
                *labels = json!({});
            }
            labels[RUN_LABEL] = json!(run);
        }
    }
    manifests
}

fn namespaces(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace")))
}

/// Refuses a namespace that is there, before anything is written.
///
/// # Errors
/// When it is there, or the API server cannot be asked.
pub async fn namespace_is_free(client: &Client, name: &str) -> Result<(), ApplyError> {
    let there = namespaces(client).get_metadata_opt(name).await.map_err(failed("look for", "Namespace", name))?;
    there.map_or(Ok(()), |_| Err(ApplyError::NamespaceExists(name.to_owned())))
}

/// Makes a namespace that must not be there yet. It gets the labels and annotations of the manifests' Namespace, if they
/// bring one: Pod Security and the injection of sidecars go by them.
///
/// # Errors
/// When it is there already, or the API server refuses.
pub async fn create_namespace(
    client: &Client,
    name: &str,
    run_id: &str,
    manifests: &[Manifest],
) -> Result<Owned, ApplyError> {
    let api = namespaces(client);
    let brought = |pointer: &'static str| {
        manifests.iter().filter(|it| it.is_namespace()).flat_map(move |it| strings(&it.object, pointer))
    };
    let own = [(RUN_LABEL.to_owned(), run_id.to_owned())];
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(brought("/metadata/labels").chain(own).collect()),
        annotations: Some(brought("/metadata/annotations").collect()),
        ..ObjectMeta::default()
    };
    let types = Some(TypeMeta { api_version: "v1".to_owned(), kind: "Namespace".to_owned() });
    let object = DynamicObject { types, metadata, data: json!({}) };
    match api.create(&PostParams::default(), &object).await {
        Ok(made) => {
            let uid = made.uid().unwrap_or_default();
            Ok(namespace(name.to_owned(), uid, api))
        }
        Err(kube::Error::Api(status)) if status.code == 409 => Err(ApplyError::NamespaceExists(name.to_owned())),
        Err(error) => Err(failed("create", "Namespace", name)(error)),
    }
}

/// The namespaces that a run made, by its label: those whose making was asked for when the run was cut short, and which
/// are not among `known`.
///
/// # Errors
/// When the API server cannot be asked.
pub async fn namespaces_of(client: &Client, run_id: &str, known: &[Owned]) -> Result<Vec<Owned>, ApplyError> {
    let api = namespaces(client);
    let labelled = ListParams::default().labels(&format!("{RUN_LABEL}={run_id}"));
    let list = api.list_metadata(&labelled).await.map_err(failed("list", "Namespace", run_id))?;
    let found = list.items.into_iter().filter_map(|object| Some((object.name_any(), object.uid()?)));
    let new = found.filter(|(_, uid)| known.iter().all(|owned| owned.uid != *uid));
    Ok(new.map(|(name, uid)| namespace(name, uid, api.clone())).collect())
}

fn namespace(name: String, uid: String, api: Api<DynamicObject>) -> Owned {
    Owned { api_version: "v1".to_owned(), kind: "Namespace".to_owned(), name, uid, api }
}
