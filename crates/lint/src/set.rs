//! A StatefulSet among the other objects, with the queries that rules need.

use serde_json::Value;

use super::Level;
use super::object_places::Object;
use crate::image::Image;
use crate::manifest;
use crate::object::{items, strings, text};

/// The prefix of all pointers into a pod.
pub(super) const POD: &str = "/spec/template/spec";

/// A StatefulSet and the objects beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Set<'a> {
    pub object: &'a Object,
    all: &'a [Object],
}

/// A mistake at a field.
#[derive(Debug)]
pub(super) struct Hit<'a> {
    pub object: &'a Object,
    /// The field, or the one beside which something is missing.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// The same in a few words, for the place of the field.
    pub label: String,
    /// The severity here, if it is lower than the rule's.
    pub level: Option<Level>,
    /// The words to point at, if the field's text has several lines.
    pub words: Option<String>,
}

impl<'a> Hit<'a> {
    pub(super) fn new(
        object: &'a Object,
        pointer: impl Into<String>,
        label: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { object, pointer: pointer.into(), message: message.into(), label: label.into(), level: None, words: None }
    }

    /// The same hit with this severity.
    pub(super) fn at(self, level: Level) -> Self {
        Self { level: Some(level), ..self }
    }

    /// The same hit, pointing at these words of the field's text.
    pub(super) fn on(self, words: impl Into<String>) -> Self {
        Self { words: Some(words.into()), ..self }
    }
}

impl<'a> Set<'a> {
    /// The StatefulSets among these objects.
    pub(super) fn of(all: &'a [Object]) -> impl Iterator<Item = Self> {
        all.iter().filter(|object| object.kind() == "StatefulSet").map(move |object| Self { object, all })
    }

    pub(super) fn name(&self) -> &'a str {
        self.object.name()
    }

    /// A hit on the set itself.
    pub(super) fn hit(&self, pointer: &str, label: impl Into<String>, message: impl Into<String>) -> Hit<'a> {
        Hit::new(self.object, pointer, label, message)
    }

    pub(super) fn number(&self, pointer: &str) -> Option<u64> {
        self.object.value.pointer(pointer).and_then(Value::as_u64)
    }

    /// The number of pods, 1 by default. A quoted number counts as a number.
    pub(super) fn replicas(&self) -> u64 {
        let quoted = || text(&self.object.value, "/spec/replicas")?.parse().ok();
        self.number("/spec/replicas").or_else(quoted).unwrap_or(1)
    }

    /// The objects of a kind in the set's namespace. An object without a namespace may be in any.
    pub(super) fn beside(&self, kind: &'a str) -> impl Iterator<Item = &'a Object> {
        let here = self.object;
        let namespace = |object: &'a Object| text(&object.value, "/metadata/namespace");
        let near = move |object: &Object| match (namespace(here), text(&object.value, "/metadata/namespace")) {
            (Some(here), Some(there)) => here == there,
            _ => true,
        };
        self.all.iter().filter(move |object| object.kind() == kind && near(object))
    }

    /// The object of this kind and name.
    pub(super) fn named(&self, kind: &'a str, name: &str) -> Option<&'a Object> {
        self.beside(kind).find(|object| object.name() == name)
    }

    /// The Service that `serviceName` names.
    pub(super) fn service(&self) -> Option<&'a Object> {
        self.named("Service", text(&self.object.value, "/spec/serviceName")?)
    }

    /// Whether a selector, at a pointer into an object, selects the pods of this set. An empty one selects none.
    pub(super) fn is_selected_by(&self, object: &Object, pointer: &str) -> bool {
        let (wanted, labels) =
            (strings(&object.value, pointer), strings(&self.object.value, "/spec/template/metadata/labels"));
        !wanted.is_empty() && wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
    }

    /// The Services that select the pods of this set.
    pub(super) fn services(&self) -> impl Iterator<Item = &'a Object> {
        let set = *self;
        self.beside("Service").filter(move |service| set.is_selected_by(service, "/spec/selector"))
    }

    /// The PodDisruptionBudgets whose labels select the pods of this set.
    pub(super) fn budgets(&self) -> impl Iterator<Item = &'a Object> {
        let set = *self;
        self.beside("PodDisruptionBudget").filter(move |it| set.is_selected_by(it, "/spec/selector/matchLabels"))
    }

    /// The pod's containers.
    pub(super) fn containers(&self) -> impl Iterator<Item = Container<'a>> {
        self.list("containers")
    }

    /// The pod's init containers, including sidecars.
    pub(super) fn init_containers(&self) -> impl Iterator<Item = Container<'a>> {
        self.list("initContainers")
    }

    fn list(&self, list: &str) -> impl Iterator<Item = Container<'a>> {
        let (object, pointer) = (self.object, format!("{POD}/{list}"));
        items(&object.value, &pointer.clone())
            .enumerate()
            .map(move |(index, value)| Container { object, pointer: format!("{pointer}/{index}"), value })
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The containers that run a MySQL server, by the same rule as in `run`.
    pub(super) fn servers(&self) -> Vec<Container<'a>> {
        let places = self.object.value.pointer(POD).map(manifest::servers).unwrap_or_default();
        self.containers().enumerate().filter(|(place, _)| places.contains(place)).map(|(_, it)| it).collect()
    }

    /// The volumes of a container, each with its mount path.
    pub(super) fn volumes(&self, container: &Container<'a>) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let volumes: Vec<&Value> = items(&self.object.value, "/spec/template/spec/volumes").collect();
        items(container.value, "/volumeMounts").filter_map(move |mount| {
            let volume = volumes.iter().find(|volume| volume.get("name") == mount.get("name"))?;
            Some((text(mount, "/mountPath")?, *volume))
        })
    }

    /// The files that a container mounts from ConfigMaps of the manifests: ConfigMap, file name and content.
    pub(super) fn files(&self, container: &Container<'a>) -> impl Iterator<Item = (&'a Object, &'a str, &'a str)> {
        let set = *self;
        let maps = self.volumes(container).filter_map(move |(_, volume)| set.config_map(volume));
        maps.flat_map(|map| {
            let files = map.value.pointer("/data").and_then(Value::as_object).into_iter().flatten();
            files.filter_map(move |(file, content)| Some((map, file.as_str(), content.as_str()?)))
        })
    }

    /// Whether a container mounts option files that are not among the manifests: they may say anything.
    pub(super) fn has_unseen_options(&self, container: &Container<'a>) -> bool {
        self.volumes(container).any(|(path, volume)| {
            let configures = ["conf", "cnf", "/etc/my", "initdb", "entrypoint"].iter().any(|part| path.contains(part));
            configures && self.config_map(volume).is_none()
        })
    }

    fn config_map(&self, volume: &Value) -> Option<&'a Object> {
        self.named("ConfigMap", text(volume, "/configMap/name")?)
    }
}

/// A container of the set's pod template.
#[derive(Debug)]
pub(super) struct Container<'a> {
    object: &'a Object,
    /// The pointer to it in its object.
    pub pointer: String,
    pub value: &'a Value,
}

impl<'a> Container<'a> {
    pub(super) fn name(&self) -> &'a str {
        text(self.value, "/name").unwrap_or("(without a name)")
    }

    pub(super) fn image(&self) -> Image<'a> {
        Image::parse(text(self.value, "/image").unwrap_or_default())
    }

    /// A hit on a field of the container.
    pub(super) fn hit(&self, field: &str, label: impl Into<String>, message: impl Into<String>) -> Hit<'a> {
        Hit::new(self.object, format!("{}{field}", self.pointer), label, message)
    }

    /// The environment variables of `env`, with their fields in the container.
    pub(super) fn variables(&self) -> impl Iterator<Item = (String, &'a str, &'a Value)> {
        let variables = items(self.value, "/env").enumerate();
        variables.filter_map(|(index, it)| Some((format!("/env/{index}"), text(it, "/name")?, it)))
    }

    /// The words of command and arguments, as the program gets them, with their fields.
    pub(super) fn words(&self) -> impl Iterator<Item = (String, &'a str)> {
        ["/command", "/args"].into_iter().flat_map(|list| {
            let words = items(self.value, list).enumerate();
            words.filter_map(move |(index, word)| Some((format!("{list}/{index}"), word.as_str()?)))
        })
    }
}
