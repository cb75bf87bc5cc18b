//! Reads what is linted: objects with the places of their fields. This is the only part of the room that does I/O.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;
use tokio::io::AsyncReadExt as _;

use super::kustomization::{Tree, kustomization_of};
use super::origin::Origins;
use super::source::{Document, Source, placed_documents, step};
use crate::object::text;
use crate::workload::{self, ManifestError};

/// The texts that were read, and the objects in them.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub sources: Vec<Source>,
    pub objects: Vec<Object>,
}

/// One object and where its fields stand.
#[derive(Debug)]
pub(super) struct Object {
    pub value: Value,
    /// By JSON pointer.
    pub places: BTreeMap<String, Place>,
}

/// Where a field stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Which of the sources.
    pub source: usize,
    /// The bytes to point at.
    pub range: Range<usize>,
    /// Whether the field itself stands there, and not only its object.
    pub exact: bool,
}

impl Object {
    pub(super) fn kind(&self) -> &str {
        text(&self.value, "/kind").unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        text(&self.value, "/metadata/name").unwrap_or_default()
    }

    /// Where a field stands, or the nearest one above it.
    pub(super) fn place(&self, pointer: &str) -> Option<&Place> {
        let mut pointer = pointer;
        loop {
            match (self.places.get(pointer), pointer.rfind('/')) {
                (Some(place), _) => return Some(place),
                (None, Some(above)) => pointer = &pointer[..above],
                (None, None) => return None,
            }
        }
    }
}

/// Reads a kustomization, a folder of YAML files, one file, or `-` for standard input.
///
/// A kustomization that only lists resources is followed to its files. Any other is rendered by `kubectl kustomize`,
/// and each field is then looked for in the files that the kustomization names; see [`Origins`].
pub(super) async fn read(path: &Path, kubectl: &str) -> Result<Input, ManifestError> {
    let mut input = Input::default();
    if path == Path::new("-") {
        let mut text = String::new();
        let unreadable = |source| ManifestError::Unreadable { path: path.to_owned(), source };
        tokio::io::stdin().read_to_string(&mut text).await.map_err(unreadable)?;
        input.add(Source::new("<stdin>", text))?;
    } else if let Some(kustomization) = kustomization_of(path) {
        let tree = Tree::of(path);
        if tree.plain {
            input.add_files(&tree.resources)?;
        } else {
            let text = workload::kustomize(kubectl, path).await?;
            input = rendered(path, &kustomization, text, &tree)?;
        }
    } else {
        input.add_files(&workload::files(path)?)?;
    }
    Ok(input)
}

/// The objects of a rendered kustomization, placed where they come from.
fn rendered(path: &Path, kustomization: &Path, text: String, tree: &Tree) -> Result<Input, ManifestError> {
    let (origins, sources) = Origins::read(tree);
    let mut input = Input { sources, objects: Vec::new() };
    let name = format!("{} (rendered by kubectl kustomize)", shown(path));
    input.add(Source { stands_for: Some(shown(kustomization)), ..Source::new(name, text) })?;
    for object in &mut input.objects {
        origins.place(object);
    }
    Ok(input)
}

impl Input {
    fn add_files(&mut self, files: &[PathBuf]) -> Result<(), ManifestError> {
        for file in files {
            self.add(Source::new(shown(file), workload::read(file)?))?;
        }
        Ok(())
    }

    /// Adds a text and the objects in it.
    pub(super) fn add(&mut self, source: Source) -> Result<(), ManifestError> {
        let documents = placed_documents(&source.name, &source.text)?;
        for (index, document) in documents.into_iter().enumerate() {
            for object in objects(document, self.sources.len()) {
                workload::must_be_object(&source.name, index + 1, &object.value)?;
                self.objects.push(object);
            }
        }
        self.sources.push(source);
        Ok(())
    }
}

/// The objects of a document: itself, or what it lists where it is a List, as `kubectl get` prints them.
pub(super) fn objects(document: Document, source: usize) -> Vec<Object> {
    let Document { value, places } = document;
    let placed = |prefix: &str| {
        let below = places.iter().filter_map(|(pointer, range)| Some((pointer.strip_prefix(prefix)?, range)));
        let whole = below.filter(|(rest, _)| rest.is_empty() || rest.starts_with('/'));
        whole.map(|(rest, range)| (rest.to_owned(), Place { source, range: range.clone(), exact: true })).collect()
    };
    match value.get("items") {
        Some(Value::Array(items)) if text(&value, "/kind").is_some_and(|kind| kind.ends_with("List")) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| {
                    let places = placed(&format!("{}{}", step("items"), step(&index.to_string())));
                    Object { value: item.clone(), places }
                })
                .collect()
        }
        _ => vec![Object { places: placed(""), value }],
    }
}

/// A path as people and code hosts write it: without detours, and relative where it lies below the current folder.
pub(super) fn shown(path: &Path) -> String {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(clean.components().next_back(), Some(Component::Normal(_))) => {
                clean.pop();
            }
            part => clean.push(part),
        }
    }
    let below = std::env::current_dir().ok().and_then(|here| clean.strip_prefix(here).ok().map(Path::to_owned));
    below.unwrap_or(clean).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        folder
    }

    /// What is read with a kubectl that is not there.
    async fn read_here(files: &[(&str, &str)]) -> Result<Input, ManifestError> {
        read(folder(files).path(), "/nowhere/kubectl").await
    }

    #[tokio::test]
    async fn a_list_of_resources_is_read_without_kubectl() {
        let files = [
            ("kustomization.yaml", "resources: [b.yaml, a.yaml]\n"),
            ("a.yaml", POD),
            ("b.yaml", POD),
            ("c.yaml", POD),
        ];
        let input = read_here(&files).await.expect("readable");
        let names: Vec<_> = input.sources.iter().filter_map(|source| source.name.rsplit('/').next()).collect();
        assert_eq!((names, input.objects.len()), (vec!["b.yaml", "a.yaml"], 2));
    }

    #[tokio::test]
    async fn what_changes_objects_is_rendered() {
        let error =
            read_here(&[("kustomization.yaml", "resources: [a.yaml]\nnamePrefix: x-\n"), ("a.yaml", POD)]).await;
        assert!(error.expect_err("no kubectl").to_string().starts_with("`/nowhere/kubectl kustomize "));
    }

    #[test]
    fn rendered_objects_are_placed_in_their_files() {
        let folder = folder(&[("kustomization.yaml", "resources: [a.yaml]\nnamespace: x\n"), ("a.yaml", POD)]);
        let (path, kustomization) = (folder.path(), folder.path().join("kustomization.yaml"));
        let text = POD.replace("name: a", "name: a\n  namespace: x");
        let input = rendered(path, &kustomization, text, &Tree::of(path)).expect("readable");
        let place = |pointer: &str| input.objects[0].place(pointer).expect("a place");
        let source = &input.sources[place("/metadata/name").source];
        assert!(source.name.ends_with("/a.yaml"), "{}", source.name);
        assert!(!place("/metadata/namespace").exact);
        assert_eq!(input.sources[1].stands_for, Some(shown(&kustomization)));
    }

    #[test]
    fn an_object_of_a_list_is_as_strictly_read() {
        let mut input = Input::default();
        let list = "apiVersion: v1\nkind: PodList\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {}}\n";
        let error = input.add(Source::new("a.yaml", list)).expect_err("nameless").to_string();
        assert!(error.starts_with("a.yaml, document 1: metadata.name is missing"), "{error}");
        let list = list.replace("{}", "{name: a}");
        assert!(input.add(Source::new("b.yaml", list.as_str())).is_ok());
        let name = input.objects[0].place("/metadata/name").expect("a place");
        assert_eq!(name.range.start, list.find("a}").expect("a name"));
    }

    #[test]
    fn paths_are_shown_without_detours() {
        let shown = |path: &str| shown(Path::new(path));
        assert_eq!(shown("./a/../b/./c.yaml"), "b/c.yaml");
        assert_eq!(shown("../../a.yaml"), "../../a.yaml");
        assert_eq!(shown("/nowhere/a/../b.yaml"), "/nowhere/b.yaml");
        let here = std::env::current_dir().expect("a folder").join("a.yaml");
        assert_eq!(shown(&here.display().to_string()), "a.yaml");
    }
}
