//! Reads what is linted: objects with the places of their fields. Only this part of lint does I/O.

use std::ops::Range;
use std::path::Path;

use super::kustomization::Tree;
use super::object_places::{Object, Place, shown};
use super::origin::Origins;
use super::source::Source;
use crate::manifest::{self, Dialect, ManifestError, Placed, Sources, Text, objects_of};

/// The texts that were read, and the objects in them.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub sources: Vec<Source>,
    pub objects: Vec<Object>,
    /// Files without objects.
    pub passed_over: Vec<String>,
}

/// Reads kustomizations, folders, files, charts, or `-` for standard input.
///
/// A kustomization that only lists resources is followed to its files. Any other is rendered by `kubectl kustomize`,
/// and each field is then looked up in the files that the kustomization names; see [`Origins`].
pub(super) async fn read(sources: &Sources, kubectl: &str) -> Result<Input, ManifestError> {
    let mut input = Input::default();
    for path in &sources.paths {
        if let Some(folder) = manifest::kustomization(path) {
            input.add_kustomization(folder, kubectl).await?;
            continue;
        }
        let (texts, others) = manifest::texts(path, &sources.values).await?;
        input.passed_over.extend(others.iter().map(|path| shown(path)));
        for text in texts {
            let text = Text { name: shown(Path::new(&text.name)), ..text };
            input.add(&text, Dialect::Kubectl)?;
        }
    }
    Ok(input)
}

impl Input {
    async fn add_kustomization(&mut self, folder: &Path, kubectl: &str) -> Result<(), ManifestError> {
        let tree = Tree::of(folder);
        if tree.plain {
            for file in &tree.resources {
                self.add(&Text::alone(shown(file), manifest::read(file)?), Dialect::Kustomize)?;
            }
            return Ok(());
        }
        let rendered = manifest::kustomize(kubectl, folder).await?;
        self.add_rendered(folder, rendered, &tree)
    }

    /// Adds the objects of a rendered kustomization, placed where they come from.
    fn add_rendered(&mut self, folder: &Path, text: String, tree: &Tree) -> Result<(), ManifestError> {
        let (origins, sources) = Origins::read(tree, self.sources.len());
        self.sources.extend(sources);
        let begin = self.objects.len();
        let name = format!("{} (rendered by kubectl kustomize)", shown(folder));
        self.add(&Text::alone(name, text), Dialect::Kubectl)?;
        if let Some(source) = self.sources.last_mut() {
            source.stands_for = manifest::kustomization_file(folder).as_deref().map(shown);
        }
        self.objects[begin..].iter_mut().for_each(|object| origins.place(object));
        Ok(())
    }

    /// Adds a text and its objects.
    pub(super) fn add(&mut self, text: &Text, dialect: Dialect) -> Result<(), ManifestError> {
        let Some(objects) = objects_of(text, dialect)? else {
            self.passed_over.push(text.name.clone());
            return Ok(());
        };
        self.objects.extend(objects.into_iter().map(|it| Object::of(it, self.sources.len())));
        self.sources.push(Source::new(text.name.clone(), text.text.clone()));
        Ok(())
    }
}

impl Object {
    /// An object of the source with this index.
    pub(super) fn of(placed: Placed, source: usize) -> Self {
        let place = |range: Range<usize>| Place { source, range, exact: true };
        Self {
            value: placed.value,
            places: placed.places.into_iter().map(|(pointer, range)| (pointer, place(range))).collect(),
            repeated: placed.repeated.into_iter().map(|(pointer, range)| (pointer, place(range))).collect(),
        }
    }
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

    /// Reads files without a usable kubectl.
    async fn read_here(files: &[(&str, &str)]) -> Result<Input, ManifestError> {
        let folder = folder(files);
        read(&Sources::of(Some(folder.path().to_owned())), "/nowhere/kubectl").await
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
        let mut input = Input::default();
        input.add_rendered(path, text, &Tree::of(path)).expect("readable");
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
        let error = input.add(&Text::alone("a.yaml", list), Dialect::Kubectl).expect_err("nameless").to_string();
        assert!(error.starts_with("a.yaml, document 1: metadata.name is missing"), "{error}");
        let list = list.replace("{}", "{name: a}");
        assert!(input.add(&Text::alone("b.yaml", list.as_str()), Dialect::Kubectl).is_ok());
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
