//! Renames the cluster-wide objects of the manifests for each run, so that two runs on one cluster share nothing and
//! neither deletes what the other uses.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Manifest;

/// Cluster-wide kinds, and the fields by which other objects refer to them. The names of other kinds, such as a
/// CustomResourceDefinition, have a meaning and cannot change.
const KINDS: [(&str, &str); 7] = [
    ("StorageClass", "storageClassName"),
    ("StorageClass", "volume.beta.kubernetes.io/storage-class"),
    ("PersistentVolume", "volumeName"),
    ("PriorityClass", "priorityClassName"),
    ("RuntimeClass", "runtimeClassName"),
    ("IngressClass", "ingressClassName"),
    ("ClusterRoleBinding", ""),
];

const ROLE: &str = "ClusterRole";

/// The manifests with this word appended to the name of every such object, wherever it is referred to.
pub fn with_own_names(mut manifests: Vec<Manifest>, word: &str) -> Vec<Manifest> {
    let brought: BTreeSet<(String, String)> = manifests
        .iter()
        .filter(|it| it.kind() == ROLE || KINDS.iter().any(|(kind, _)| *kind == it.kind()))
        .map(|it| (it.kind().to_owned(), it.name().to_owned()))
        .collect();
    let names = Names { brought, word };
    for manifest in &mut manifests {
        let kind = manifest.kind().to_owned();
        if let Some(name) = manifest.object.pointer_mut("/metadata/name") {
            names.put(&kind, name);
        }
        names.rewrite(&mut manifest.object);
    }
    manifests
}

struct Names<'a> {
    /// Kind and name of each object that the manifests bring.
    brought: BTreeSet<(String, String)>,
    word: &'a str,
}

impl Names<'_> {
    /// Replaces the name of an object of the manifests by the run's own name.
    fn put(&self, kind: &str, name: &mut Value) {
        let Some(there) = name.as_str() else { return };
        if self.brought.contains(&(kind.to_owned(), there.to_owned())) {
            *name = Value::from(format!("{there}-{}", self.word));
        }
    }

    fn rewrite(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => self.rewrite_fields(fields),
            Value::Array(items) => items.iter_mut().for_each(|item| self.rewrite(item)),
            _ => {}
        }
    }

    fn rewrite_fields(&self, fields: &mut Map<String, Value>) {
        for (key, value) in fields {
            match (KINDS.iter().find(|(_, field)| field == key), key.as_str()) {
                (Some((kind, _)), _) => self.put(kind, value),
                (None, "roleRef") if value["kind"] == ROLE => self.put(ROLE, &mut value["name"]),
                // The data of ConfigMaps and Secrets is for programs and stays.
                (None, "data" | "stringData" | "binaryData") => {}
                (None, _) => self.rewrite(value),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::parse;

    fn renamed(text: &str) -> Vec<Value> {
        let text = format!("apiVersion: v1\n{}", text.replace("---\n", "---\napiVersion: v1\n"));
        let manifests = parse("db.yaml", &text).expect("YAML");
        with_own_names(manifests, "7f3a").into_iter().map(|it| it.object).collect()
    }

    #[test]
    fn what_is_brought_gets_the_word_wherever_it_is_named() {
        let objects = renamed(
            "kind: StorageClass\nmetadata: {name: fast}\n---\nkind: PersistentVolume\nmetadata: {name: disk}\n\
             spec: {storageClassName: fast}\n---\nkind: PersistentVolumeClaim\nmetadata: {name: fast}\n\
             spec: {storageClassName: fast, volumeName: disk}\n---\nkind: PriorityClass\nmetadata: {name: high}\n---\n\
             kind: StatefulSet\nmetadata: {name: high}\nspec:\n  template: {spec: {priorityClassName: high}}\n  \
             volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: fast}}]\n",
        );
        let [class, volume, claim, priority, set] = objects.try_into().expect("five objects");
        assert_eq!(
            [&class, &volume, &priority].map(|it| it["metadata"]["name"].as_str()),
            [Some("fast-7f3a"), Some("disk-7f3a"), Some("high-7f3a")]
        );
        assert_eq!((&claim["metadata"]["name"], &set["metadata"]["name"]), (&"fast".into(), &"high".into()));
        assert_eq!(
            (&claim["spec"]["storageClassName"], &claim["spec"]["volumeName"]),
            (&"fast-7f3a".into(), &"disk-7f3a".into())
        );
        assert_eq!(volume["spec"]["storageClassName"], "fast-7f3a");
        assert_eq!(set["spec"]["template"]["spec"]["priorityClassName"], "high-7f3a");
        assert_eq!(set["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"], "fast-7f3a");
    }

    #[test]
    fn a_role_goes_with_its_bindings() {
        let objects = renamed(
            "kind: ClusterRole\nmetadata: {name: looks}\n---\nkind: ClusterRoleBinding\nmetadata: {name: looks}\n\
             roleRef: {kind: ClusterRole, name: looks}\n---\nkind: RoleBinding\nmetadata: {name: looks}\n\
             roleRef: {kind: Role, name: looks}\n",
        );
        assert_eq!(
            [&objects[0], &objects[1], &objects[2]].map(|it| it["metadata"]["name"].as_str()),
            [Some("looks-7f3a"), Some("looks-7f3a"), Some("looks")]
        );
        assert_eq!(
            [&objects[1], &objects[2]].map(|it| it["roleRef"]["name"].as_str()),
            [Some("looks-7f3a"), Some("looks")]
        );
    }

    #[test]
    fn what_the_cluster_has_and_what_programs_read_stays() {
        let text = "kind: StorageClass\nmetadata: {name: fast}\n---\nkind: ConfigMap\nmetadata: {name: a}\n\
            data: {storageClassName: fast}\n---\nkind: PersistentVolumeClaim\nmetadata: {name: a}\n\
            spec: {storageClassName: standard}\n---\nkind: CustomResourceDefinition\nmetadata: {name: a.example.com}\n";
        let objects = renamed(text);
        assert_eq!(objects[1]["data"]["storageClassName"], "fast");
        assert_eq!(objects[2]["spec"]["storageClassName"], "standard");
        assert_eq!(objects[3]["metadata"]["name"], "a.example.com");
    }
}
