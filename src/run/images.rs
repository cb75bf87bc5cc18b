//! The images that run in place of those that manifests name, and how nodes come by them.

use serde_json::{Value, json};

use crate::evidence::Substitution;
use crate::image::Image;
use crate::object::text;
use crate::workload::Manifest;

/// The containers of the pods that a manifest brings.
fn containers(manifest: &mut Manifest) -> Vec<&mut Value> {
    let Some(pod) = manifest.object.pointer_mut("/spec/template/spec").and_then(Value::as_object_mut) else {
        return Vec::new();
    };
    let lists = pod.iter_mut().filter(|(field, _)| ["containers", "initContainers"].contains(&field.as_str()));
    lists.filter_map(|(_, list)| list.as_array_mut()).flatten().collect()
}

/// The manifests with the images that run in place of those they name.
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

/// The manifests for nodes that the images were loaded into, and the containers of which they say otherwise than before: a
/// kubelet that is to pull each time, as it is for the tag `latest` too, asks a registry for what it has
/// (<https://kubernetes.io/docs/concepts/containers/images/#image-pull-policy>).
pub(super) fn taken_from_nodes(mut manifests: Vec<Manifest>) -> (Vec<Manifest>, Vec<String>) {
    let mut changed = Vec::new();
    for container in manifests.iter_mut().flat_map(containers) {
        let always = match text(container, "/imagePullPolicy") {
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
