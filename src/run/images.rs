//! The images that replace those in manifests, and how nodes get them.

use std::collections::BTreeSet;
use std::path::Path;

use k8s_openapi::api::core::v1::Node;
use kube::Client;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use super::RunError;
use super::target::Target;
use crate::cluster::{Image as LabImage, Lab, kind};
use crate::driver::Journal;
use crate::evidence::Substitution;
use crate::image::Image;
use crate::object::text;
use crate::workload::{self, Manifest};

/// The containers of a manifest's pods.
fn containers(manifest: &mut Manifest) -> Vec<&mut Value> {
    let Some(pod) = manifest.object.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut) else {
        return Vec::new();
    };
    let lists = pod.iter_mut().filter(|(field, _)| ["containers", "initContainers"].contains(&field.as_str()));
    lists.filter_map(|(_, list)| list.as_array_mut()).flatten().collect()
}

/// The manifests with the substituted images.
pub(super) fn substituted(manifests: &[Manifest], substitutions: &[Substitution]) -> Vec<Manifest> {
    let mut manifests = manifests.to_vec();
    for container in manifests.iter_mut().flat_map(containers) {
        let stand_in = substitutions.iter().find(|substitution| container["image"] == substitution.wanted);
        if let Some(stand_in) = stand_in {
            container["image"] = json!(stand_in.image);
        }
    }
    manifests
}

/// The manifests for nodes into which images were loaded, and the names of the containers that changed. A kubelet with
/// the pull policy `Always`, the default for the tag `latest`, asks a registry even for images that it has
/// (<https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy>).
pub(super) fn taken_from_nodes(mut manifests: Vec<Manifest>) -> (Vec<Manifest>, Vec<String>) {
    let mut changed = Vec::new();
    for container in manifests.iter_mut().flat_map(containers) {
        let always = match text(container, "/imagePullPolicy").filter(|policy| !policy.is_empty()) {
            Some(policy) => policy == "Always",
            None => Image::parse(text(container, "/image").unwrap_or_default()).is_latest(),
        };
        if always {
            container["imagePullPolicy"] = json!("IfNotPresent");
            changed.push(text(container, "/name").unwrap_or_default().to_owned());
        }
    }
    (manifests, changed)
}

/// Loads images into a cluster's nodes, each image once.
pub(super) struct Loader {
    lab: Lab,
    nodes: Api<Node>,
    kind: Option<String>,
    loaded: tokio::sync::Mutex<BTreeSet<String>>,
}

impl Loader {
    /// A loader for this kind cluster; it loads nothing if `kind` is `None`.
    pub(super) fn new(lab: &Lab, client: &Client, kind: Option<String>) -> Self {
        Self { lab: lab.clone(), nodes: Api::all(client.clone()), kind, loaded: tokio::sync::Mutex::default() }
    }

    /// Whether a node reports that it has an image, by its full name.
    async fn is_on_nodes(&self, image: &str) -> bool {
        let nodes = self.nodes.list(&ListParams::default()).await.map(|list| list.items).unwrap_or_default();
        let images = nodes.into_iter().filter_map(|node| node.status?.images).flatten();
        let names: Vec<String> = images.filter_map(|image| image.names).flatten().collect();
        ["", "docker.io/", "docker.io/library/"].iter().any(|host| names.contains(&format!("{host}{image}")))
    }

    /// Brings images into the cluster, and returns the substitutions.
    ///
    /// # Errors
    /// When an image is neither in the lab, in the engine or on a node, nor can be pulled.
    pub(super) async fn provide(&self, images: &[String], journal: &Journal) -> Result<Vec<Substitution>, RunError> {
        // A cluster that images cannot be loaded into pulls the manifests' images itself.
        let Some(cluster) = &self.kind else { return Ok(Vec::new()) };
        let ready: Vec<&LabImage> = images.iter().filter_map(|wanted| self.lab.image(wanted)).collect();
        let mut loaded = self.loaded.lock().await;
        let witness = (self.lab.witness.image.as_str(), self.lab.witness.archive.as_path());
        let archives = ready.iter().map(|image| (image.image.as_str(), image.archive.as_path())).chain([witness]);
        let archives: Vec<(&str, &Path)> = archives.filter(|(image, _)| !loaded.contains(*image)).collect();
        let others = images.iter().filter(|wanted| self.lab.image(wanted).is_none());
        let missing: Vec<&str> = others.map(String::as_str).filter(|image| !loaded.contains(*image)).collect();
        let mut others = Vec::new();
        for image in missing {
            if !kind::has_image(&self.lab, image).await && self.is_on_nodes(image).await {
                journal.note(format!("{image} is not in the engine, but on nodes already"));
                loaded.insert(image.to_owned());
                continue;
            }
            provide_image(&self.lab, image).await?;
            others.push(image);
        }
        if !(archives.is_empty() && others.is_empty()) {
            let paths: Vec<&Path> = archives.iter().map(|(_, path)| *path).collect();
            let loading = async {
                tokio::try_join!(
                    kind::load_archives(&self.lab, cluster, &paths),
                    kind::load_images(&self.lab, cluster, &others)
                )
            };
            journal.step(None, "load images", loading).await?;
            loaded.extend(archives.iter().map(|(image, _)| *image).chain(others).map(str::to_owned));
        }
        let built = ready.into_iter().filter(|image| image.built);
        Ok(built
            .map(|LabImage { wanted, image, why, .. }| Substitution {
                wanted: wanted.clone(),
                image: image.clone(),
                why: why.clone(),
            })
            .collect())
    }
}

/// The images of these manifests to load: all, except those that the engine cannot pull while the pods name a Secret
/// that lets nodes pull them.
pub(super) async fn to_load(lab: &Lab, target: &Target, manifests: &[Manifest], journal: &Journal) -> Vec<String> {
    let mut images = workload::images(manifests);
    // A cluster that images cannot be loaded into pulls all of them.
    if matches!(target, Target::Context { .. }) || workload::pull_secrets(manifests).is_empty() {
        return images;
    }
    let mut left = Vec::new();
    for image in images.iter().filter(|image| lab.image(image).is_none()) {
        if let Err(error) = provide_image(lab, image).await {
            journal.note(format!("left to the nodes, which have a Secret for it: {error}"));
            left.push(image.clone());
        }
    }
    images.retain(|image| !left.contains(image));
    images
}

/// Makes the engine have an image that the lab does not provide.
///
/// # Errors
/// When the image is missing and cannot be pulled.
pub(super) async fn provide_image(lab: &Lab, image: &str) -> Result<(), RunError> {
    let provided = kind::provide_image(lab, image).await;
    provided.map_err(|source| RunError::NoImage { image: image.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::parse;

    #[test]
    fn what_was_loaded_is_not_asked_of_a_registry() {
        let text = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {template: {spec: {\n\
            initContainers: [{name: a, image: 'busybox'}],\n\
            containers: [{name: b, image: 'mysql:8.4', imagePullPolicy: Always}, {name: c, image: 'mysql:8.4'},\n\
            {name: d, image: 'x:latest', imagePullPolicy: Never}]}}}\n";
        let (manifests, changed) = taken_from_nodes(parse("db.yaml", text).expect("YAML"));
        assert_eq!(changed, ["b", "a"]);
        let pod = &manifests[0].object["spec"]["template"]["spec"];
        let policy = |list: &str, place: usize| pod[list][place]["imagePullPolicy"].clone();
        assert_eq!([policy("initContainers", 0), policy("containers", 0)], ["IfNotPresent", "IfNotPresent"]);
        assert_eq!([policy("containers", 1), policy("containers", 2)], [json!(null), json!("Never")]);
    }
}
