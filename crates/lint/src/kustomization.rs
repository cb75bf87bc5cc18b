//! Follows a kustomization to its local files, without rendering it.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::manifest::{Dialect, kustomization_file, objects, read};
use crate::object::items;

/// The files of a kustomization.
#[derive(Debug)]
pub(super) struct Tree {
    /// The resources, in the listed order.
    pub resources: Vec<PathBuf>,
    /// The patches.
    pub patches: Vec<PathBuf>,
    /// Whether the kustomization only lists these resources, so that it needs no rendering. Anything unknown, missing
    /// or broken is left to kustomize, which has better error messages.
    pub plain: bool,
    entered: BTreeSet<PathBuf>,
}

impl Tree {
    /// Follows the kustomization in this folder.
    pub(super) fn of(folder: &Path) -> Self {
        let mut tree = Self { resources: Vec::new(), patches: Vec::new(), plain: true, entered: BTreeSet::new() };
        tree.enter(folder);
        tree
    }

    fn enter(&mut self, folder: &Path) {
        let once = folder.canonicalize().is_ok_and(|folder| self.entered.insert(folder));
        let kustomization = kustomization_file(folder).filter(|_| once).and_then(|file| {
            let text = read(&file).ok()?;
            let objects = objects(&file.display().to_string(), &text, Dialect::Kustomize).ok()?;
            objects.into_iter().next().map(|object| object.value)
        });
        let Some(Value::Object(fields)) = &kustomization else {
            self.plain = false;
            return;
        };
        for (field, value) in fields {
            let entries = || items(value, "").filter_map(Value::as_str);
            match field.as_str() {
                "apiVersion" | "kind" | "metadata" => {}
                "resources" => entries().for_each(|entry| self.resource(folder, entry)),
                "bases" | "components" => {
                    self.plain = false;
                    entries().for_each(|entry| self.resource(folder, entry));
                }
                "patches" | "patchesStrategicMerge" => {
                    self.plain = false;
                    let named = items(value, "").filter_map(|patch| patch["path"].as_str());
                    let paths = entries().chain(named).map(|entry| folder.join(entry));
                    self.patches.extend(paths.filter(|path| path.is_file()));
                }
                _ => self.plain = false,
            }
        }
    }

    fn resource(&mut self, folder: &Path, entry: &str) {
        let path = folder.join(entry);
        if path.is_dir() {
            self.enter(&path);
            return;
        }
        // kustomize refuses a file outside of the kustomization's folder, and fetches an entry that is not a path.
        let inside = Path::new(entry).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        self.plain &= inside && path.is_file();
        if path.is_file() {
            self.resources.push(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree of a kustomization next to a base and two files.
    fn tree(kustomization: &str) -> (bool, Vec<String>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let files = [
            ("top/kustomization.yaml", kustomization),
            ("top/a.yaml", ""),
            ("top/p.yaml", ""),
            ("base/Kustomization", "resources: [b.yaml]"),
            ("base/b.yaml", ""),
            ("out.yaml", ""),
        ];
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("written");
        }
        let tree = Tree::of(&folder.path().join("top"));
        let names = |paths: &[PathBuf]| {
            let names = paths.iter().filter_map(|path| path.file_name()?.to_str().map(str::to_owned));
            names.collect::<Vec<_>>()
        };
        (tree.plain, names(&tree.resources), names(&tree.patches))
    }

    #[test]
    fn a_list_of_local_resources_is_plain() {
        let (plain, resources, _) = tree("kind: Kustomization\nresources: [../base, a.yaml]\n");
        assert!(plain);
        assert_eq!(resources, ["b.yaml", "a.yaml"]);
    }

    #[test]
    fn what_changes_an_object_is_not_plain_but_is_followed() {
        let (plain, resources, patches) =
            tree("bases: [../base]\npatches: [{path: p.yaml}, {target: {kind: Pod}, patch: '[]'}]\n");
        assert!(!plain);
        assert_eq!((resources, patches), (vec!["b.yaml".to_owned()], vec!["p.yaml".to_owned()]));
    }

    #[test]
    fn what_kustomize_may_refuse_or_fetch_is_left_to_it() {
        for resources in
            ["[a.yaml, gone.yaml]", "[../out.yaml]", "['https://example.org/base']", "[../base, ../base]", "[..]"]
        {
            assert!(!tree(&format!("resources: {resources}\n")).0, "{resources}");
        }
        for kustomization in ["namePrefix: x-\nresources: [a.yaml]\n", "resources: [a.yaml\n", "- a.yaml\n", ""] {
            assert!(!tree(kustomization).0, "{kustomization}");
        }
    }
}
