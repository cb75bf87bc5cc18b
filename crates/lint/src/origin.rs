//! Maps the fields of a rendered kustomization back to the files that they come from.

use serde_json::Value;

use super::kustomization::Tree;
use super::object_places::{Object, Place, shown};
use super::source::Source;
use crate::manifest::{self, Dialect, step};

/// The objects and patches in the files of a kustomization.
///
/// A rendered object is matched by kind and name. Its field is placed where a file has the same value; list items are
/// matched by the keys by which Kubernetes merges them. A field that comes from an inline patch or a generator is
/// placed at its object's name. An object that is in no file, because it was renamed or generated, keeps its rendered
/// place.
#[derive(Debug)]
pub(super) struct Origins {
    objects: Vec<Object>,
}

impl Origins {
    /// Reads the files of a kustomization, resources first, then patches. Source indexes start at `known`. kustomize
    /// has already read the files, so a file that is not a list of objects, such as a JSON patch, is skipped.
    pub(super) fn read(tree: &Tree, known: usize) -> (Self, Vec<Source>) {
        let (mut list, mut sources) = (Vec::new(), Vec::new());
        for file in tree.resources.iter().chain(&tree.patches) {
            let Ok(content) = manifest::read(file) else { continue };
            let source = Source::new(shown(file), content);
            let objects = manifest::objects(&source.name, &source.text, Dialect::Kustomize).unwrap_or_default();
            list.extend(objects.into_iter().map(|object| Object::of(object, known + sources.len())));
            sources.push(source);
        }
        (Self { objects: list }, sources)
    }

    /// Moves the places of a rendered object to where its fields come from.
    pub(super) fn place(&self, rendered: &mut Object) {
        let same = |object: &&Object| object.kind() == rendered.kind() && object.name() == rendered.name();
        let originals: Vec<&Object> = self.objects.iter().filter(same).collect();
        let Some(whole) = originals.first().and_then(|object| object.place("/metadata/name")) else { return };
        let places = rendered.places.keys().map(|pointer| {
            let place = origin(&originals, &rendered.value, pointer).cloned();
            (pointer.clone(), place.unwrap_or_else(|| Place { exact: false, ..whole.clone() }))
        });
        rendered.places = places.collect();
    }
}

/// The origin of a field: the first file with the same value, or for a merged map or list the last file with a part of
/// it.
fn origin<'a>(originals: &[&'a Object], rendered: &Value, pointer: &str) -> Option<&'a Place> {
    let value = rendered.pointer(pointer)?;
    let found: Vec<(&Object, String)> =
        originals.iter().filter_map(|object| Some((*object, counterpart(rendered, &object.value, pointer)?))).collect();
    let is = |(object, there): &&(&Object, String), wanted: &dyn Fn(&Value) -> bool| {
        object.value.pointer(there).is_some_and(wanted)
    };
    let equal = found.iter().find(|it| is(it, &|there| there == value));
    let merged = || {
        found.iter().rev().find(|it| {
            is(it, &|there| (there.is_object() && value.is_object()) || (there.is_array() && value.is_array()))
        })
    };
    let (object, there) = equal.or_else(merged)?;
    object.places.get(there)
}

/// The pointer in `original` to what `pointer` leads to in `rendered`.
fn counterpart(rendered: &Value, original: &Value, pointer: &str) -> Option<String> {
    let (mut here, mut there, mut path) = (rendered, original, String::new());
    for token in pointer.split('/').skip(1) {
        let (step_here, step_there) = (format!("/{token}"), member(here, there, token)?);
        here = here.pointer(&step_here)?;
        there = there.pointer(&step_there)?;
        path.push_str(&step_there);
    }
    Some(path)
}

/// The segment in `there` that leads to what the segment `token` leads to in `here`.
fn member(here: &Value, there: &Value, token: &str) -> Option<String> {
    let (Value::Array(items), Value::Array(others)) = (here, there) else { return Some(format!("/{token}")) };
    let item = items.get(token.parse::<usize>().ok()?)?;
    // The keys by which Kubernetes merges lists of a pod, and the name of a claim template.
    let key = ["/mountPath", "/containerPort", "/port", "/name", "/metadata/name"]
        .into_iter()
        .find(|key| item.pointer(key).is_some());
    let same = |other: &Value| match key {
        Some(key) => other.pointer(key) == item.pointer(key),
        None => other == item,
    };
    let index = others.iter().position(same)?;
    Some(step(&index.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Text;
    use crate::read::Input;

    const BASE: &str = "\
kind: StatefulSet
apiVersion: apps/v1
metadata: {name: db}
spec:
  replicas: 3
  template:
    spec:
      containers:
      - name: helper
      - name: server
        image: mysql:5.7
        args: [--one, --two]
";
    const PATCH: &str = "\
kind: StatefulSet
apiVersion: apps/v1
metadata: {name: db}
spec:
  template:
    spec:
      containers:
      - name: server
        readinessProbe: {exec: {command: ['true']}}
        args: [--three]
";
    const RENDERED: &str = "\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 5
  template:
    spec:
      containers:
      - args: [--three]
        image: mysql:5.7
        name: server
        readinessProbe: {exec: {command: ['true']}}
      - name: helper
---
apiVersion: v1
kind: ConfigMap
metadata: {name: generated-7f3a5c}
";

    fn add(input: &mut Input, name: &str, text: &str) {
        input.add(&Text::alone(name, text), Dialect::Kustomize).expect("YAML");
    }

    /// These texts, read in order, with the objects of the last one mapped to those before it.
    fn placed() -> Input {
        let mut input = Input::default();
        for (name, text) in [("base.yaml", BASE), ("patch.yaml", PATCH)] {
            add(&mut input, name, text);
        }
        let origins = Origins { objects: std::mem::take(&mut input.objects) };
        add(&mut input, "rendered", RENDERED);
        input.objects.iter_mut().for_each(|object| origins.place(object));
        input
    }

    #[test]
    fn fields_are_found_where_they_are_written() {
        let input = placed();
        let fields = [
            "/metadata/name",
            "/spec/replicas",
            "/spec/template/spec/containers",
            "/spec/template/spec/containers/0/name",
            "/spec/template/spec/containers/0/image",
            "/spec/template/spec/containers/0/args",
            "/spec/template/spec/containers/0/args/0",
            "/spec/template/spec/containers/0/readinessProbe/exec/command",
            "/spec/template/spec/containers/1/name",
        ];
        let lines = fields.iter().map(|pointer| {
            let place = input.objects[0].place(pointer).expect("a place");
            let source = &input.sources[place.source];
            let (line, exact) =
                (source.position(place.range.start).line, if place.exact { "" } else { " (its object)" });
            format!("{pointer}: {}:{line} {}{exact}", source.name, &source.text[place.range.clone()])
        });
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
        /metadata/name: base.yaml:3 db
        /spec/replicas: base.yaml:3 db (its object)
        /spec/template/spec/containers: patch.yaml:7 containers
        /spec/template/spec/containers/0/name: base.yaml:10 server
        /spec/template/spec/containers/0/image: base.yaml:11 mysql:5.7
        /spec/template/spec/containers/0/args: patch.yaml:10 args
        /spec/template/spec/containers/0/args/0: patch.yaml:10 --three
        /spec/template/spec/containers/0/readinessProbe/exec/command: patch.yaml:9 command
        /spec/template/spec/containers/1/name: base.yaml:9 helper
        ");
    }

    #[test]
    fn a_generated_object_stays_where_it_was_rendered() {
        let input = placed();
        let place = input.objects[1].place("/metadata/name").expect("a place");
        assert_eq!(input.sources[place.source].name, "rendered");
    }
}
