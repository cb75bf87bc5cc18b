//! The namespaces of a run. A namespace that the run creates must not exist before, and gets the run's label to be
//! found again. A namespace that was prepared for the run must exist and hold nothing that a run could mistake for its
//! own.

use kube::api::{Api, ApiResource, DynamicObject, ListParams, ObjectMeta, PostParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::Manifest;
use super::owned::{ApplyError, Owned, RUN_LABEL, failed};
use super::pod_security::{RESTRICTED_AS_OF, is_restricted};
use crate::object::strings;

/// The manifests, each with the label of the run that applies it, so that its leftovers can be recognised.
pub fn labelled(mut manifests: Vec<Manifest>, run: &str) -> Vec<Manifest> {
    manifests.iter_mut().for_each(|manifest| label(&mut manifest.object, run));
    manifests
}

fn label(object: &mut Value, run: &str) {
    let metadata = object.as_object_mut().map(|it| it.entry("metadata").or_insert_with(|| json!({})));
    if let Some(metadata) = metadata.and_then(Value::as_object_mut) {
        let labels = metadata.entry("labels").or_insert(Value::Null);
        // `labels:` without a value is null.
        if labels.is_null() {
            *labels = json!({});
        }
        labels[RUN_LABEL] = json!(run);
    }
}

fn namespaces(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Namespace")))
}

/// Rejects a namespace that exists, before anything is written.
///
/// # Errors
/// When it exists, or when the API server cannot be asked.
pub async fn namespace_is_free(client: &Client, name: &str) -> Result<(), ApplyError> {
    let there = namespaces(client).get_metadata_opt(name).await.map_err(failed("look for", "Namespace", name))?;
    there.map_or(Ok(()), |_| Err(ApplyError::NamespaceExists(name.to_owned())))
}

/// The recorded kinds, of which the workload's namespace must hold no objects before the run.
const RECORDED: [(&str, &str); 4] =
    [("apps", "StatefulSet"), ("", "Pod"), ("", "PersistentVolumeClaim"), ("", "Service")];

/// Rejects a namespace prepared for the workload unless it exists and is unused.
///
/// # Errors
/// When it is rejected, or when the API server cannot be asked.
pub async fn namespace_is_unused(client: &Client, name: &str) -> Result<(), ApplyError> {
    namespace_is_there(client, name).await?;
    for (group, kind) in RECORDED {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), name, &resource);
        let list = api.list_metadata(&ListParams::default()).await.map_err(failed("list", kind, name))?;
        if let Some(first) = list.items.first() {
            return Err(ApplyError::NamespaceInUse {
                namespace: name.to_owned(),
                object: format!("{kind} {}", first.name_any()),
            });
        }
    }
    Ok(())
}

/// Rejects a namespace that does not exist or is being deleted.
///
/// # Errors
/// When it is rejected, or when the API server cannot be asked.
pub async fn namespace_is_there(client: &Client, name: &str) -> Result<(), ApplyError> {
    let there = namespaces(client).get_metadata_opt(name).await.map_err(failed("look for", "Namespace", name))?;
    match there {
        Some(it) if it.metadata.deletion_timestamp.is_none() => Ok(()),
        _ => Err(ApplyError::NoNamespace(name.to_owned())),
    }
}

/// Rejects a namespace that already has an object with the kind and name of one to be applied there.
///
/// # Errors
/// When there is one, or when the API server cannot be asked.
pub async fn name_is_free(
    client: &Client,
    resource: &ApiResource,
    manifest: &Manifest,
    namespace: &str,
) -> Result<(), ApplyError> {
    let (kind, name) = (manifest.kind(), manifest.name());
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, resource);
    match api.get_metadata_opt(name).await.map_err(failed("look for", kind, name))? {
        None => Ok(()),
        Some(_) => {
            Err(ApplyError::NamespaceInUse { namespace: namespace.to_owned(), object: format!("{kind} {name}") })
        }
    }
}

/// Adds the run's label to the claims that the StatefulSet controller creates, so that they can be found again in a
/// namespace that stays.
pub fn with_labelled_claims(mut manifests: Vec<Manifest>, run: &str) -> Vec<Manifest> {
    for manifest in manifests.iter_mut().filter(|it| it.kind() == "StatefulSet") {
        let claims = manifest.object.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut);
        claims.into_iter().flatten().for_each(|claim| label(claim, run));
    }
    manifests
}

/// Creates a namespace that must not exist yet. It gets the labels and annotations of the manifests' Namespace, if
/// there is one, because Pod Security and sidecar injection depend on them. Otherwise, if all pods of the manifests are
/// restricted, it admits only restricted pods.
///
/// # Errors
/// When it exists already, or when the API server rejects it.
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
    let is_brought = brought("/metadata/labels").next().or_else(|| brought("/metadata/annotations").next()).is_some();
    let restricted = (!is_brought && is_restricted(manifests)).then(|| {
        let [level, version] = [("enforce", "restricted"), ("enforce-version", RESTRICTED_AS_OF)];
        [level, version].map(|(mode, value)| (format!("pod-security.kubernetes.io/{mode}"), value.to_owned()))
    });
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(brought("/metadata/labels").chain(own).chain(restricted.into_iter().flatten()).collect()),
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

/// The namespaces with the run's label that are not in `known`: their creation was in progress when the run was cut
/// short.
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
