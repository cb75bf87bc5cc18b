//! The namespaces of a run: those that it makes are refused where they are there, labelled with the run, and found again by
//! that; those that somebody made for it have to be there, with nothing in them that a run could take for its own.

use kube::api::{Api, ApiResource, DynamicObject, ListParams, ObjectMeta, PostParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use super::Manifest;
use super::owned::{ApplyError, Owned, RUN_LABEL, failed};
use super::pod_security::{RESTRICTED_AS_OF, is_restricted};
use crate::object::strings;

/// The manifests, each marked with the run that applies it, so that what it leaves is known for its own.
pub fn labelled(mut manifests: Vec<Manifest>, run: &str) -> Vec<Manifest> {
    manifests.iter_mut().for_each(|manifest| label(&mut manifest.object, run));
    manifests
}

fn label(object: &mut Value, run: &str) {
    let metadata = object.as_object_mut().map(|it| it.entry("metadata").or_insert_with(|| json!({})));
    if let Some(metadata) = metadata.and_then(Value::as_object_mut) {
        let labels = metadata.entry("labels").or_insert(Value::Null);
        // `labels:` with nothing behind it is null.
        if labels.is_null() {
            *labels = json!({});
        }
        labels[RUN_LABEL] = json!(run);
    }
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

/// Kinds whose history a run records, and of which the workload's namespace must hold none before it.
const RECORDED: [(&str, &str); 4] =
    [("apps", "StatefulSet"), ("", "Pod"), ("", "PersistentVolumeClaim"), ("", "Service")];

/// Refuses the namespace that somebody made for the workload, unless it is there and unused.
///
/// # Errors
/// When it is not, or the API server cannot be asked.
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

/// Refuses a namespace that is not there, or about to go.
///
/// # Errors
/// When it is so, or the API server cannot be asked.
pub async fn namespace_is_there(client: &Client, name: &str) -> Result<(), ApplyError> {
    let there = namespaces(client).get_metadata_opt(name).await.map_err(failed("look for", "Namespace", name))?;
    match there {
        Some(it) if it.metadata.deletion_timestamp.is_none() => Ok(()),
        _ => Err(ApplyError::NoNamespace(name.to_owned())),
    }
}

/// Refuses a namespace that has an object of the kind and name of one that is about to be applied there.
///
/// # Errors
/// When it has one, or the API server cannot be asked.
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

/// Has the claims of the manifests' sets marked with the run too, which their controller makes: in a namespace that stays they
/// are found again by that.
pub fn with_labelled_claims(mut manifests: Vec<Manifest>, run: &str) -> Vec<Manifest> {
    for manifest in manifests.iter_mut().filter(|it| it.kind() == "StatefulSet") {
        let claims = manifest.object.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut);
        claims.into_iter().flatten().for_each(|claim| label(claim, run));
    }
    manifests
}

/// Makes a namespace that must not be there yet. It gets the labels and annotations of the manifests' Namespace, if they
/// bring one: Pod Security and the injection of sidecars go by them. Otherwise it
/// takes restricted pods only, where the manifests' are.
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
