//! Rules about what the API server refuses, or takes otherwise than intended.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Level, Rule};
use crate::manifest::step;
use crate::object::{items, text};
use crate::object_places::Object;
use crate::set::{Container, Hit, Set};

pub(super) const WRONG_TYPE: Rule = Rule {
    id: "wrong-type",
    level: Level::Error,
    summary: "A field has a value of the wrong type.",
    why: "The API server rejects the object. For kubectl, yes, no, on, off, y and n without quotes are booleans, and \
          digits without quotes are a number, but a variable, a label or a file needs a string.",
    fix: "put strings into quotes, and remove the quotes from numbers",
    source: "https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables",
    find: wrong_type,
};

pub(super) const REPEATED_KEY: Rule = Rule {
    id: "repeated-key",
    level: Level::Warning,
    summary: "A map has the same key more than once.",
    why: "kubectl silently uses the last value, and the earlier ones are lost. Other programs reject the file.",
    fix: "remove all but one",
    source: "https://yaml.org/spec/1.2.2/#nodes",
    find: repeated_key,
};

pub(super) const API_VERSION: Rule = Rule {
    id: "api-version",
    level: Level::Error,
    summary: "An object names an API version that its kind does not have.",
    why: "The API server does not know this kind and rejects the object.",
    fix: "use the served version; apps/v1 also requires spec.selector",
    source: "https://kubernetes.io/docs/reference/using-api/deprecation-guide/",
    find: api_version,
};

pub(super) const OBJECT_TWICE: Rule = Rule {
    id: "object-twice",
    level: Level::Error,
    summary: "Two objects of one kind have the same name, or two StatefulSets select the same pods.",
    why: "If two objects have the same name, the later replaces the earlier. If two StatefulSets have the same \
          selector, they adopt each other's pods, and their Services send clients to the servers of both.",
    fix: "give each its own name and labels",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-selector",
    find: object_twice,
};

pub(super) const VARIABLE_TWICE: Rule = Rule {
    id: "variable-twice",
    level: Level::Warning,
    summary: "A variable is set twice in one container.",
    why: "The last value is used, and server-side apply rejects the object.",
    fix: "remove all but one",
    source: "https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy",
    find: variable_twice,
};

/// The API versions of kinds that are used with a server, newest first.
const SERVED: [(&str, &[&str]); 18] = [
    ("StatefulSet", &["apps/v1"]),
    ("Deployment", &["apps/v1"]),
    ("DaemonSet", &["apps/v1"]),
    ("Service", &["v1"]),
    ("Secret", &["v1"]),
    ("ConfigMap", &["v1"]),
    ("Namespace", &["v1"]),
    ("ServiceAccount", &["v1"]),
    ("PersistentVolumeClaim", &["v1"]),
    ("PersistentVolume", &["v1"]),
    ("PodDisruptionBudget", &["policy/v1"]),
    ("StorageClass", &["storage.k8s.io/v1"]),
    ("NetworkPolicy", &["networking.k8s.io/v1"]),
    ("Job", &["batch/v1"]),
    ("CronJob", &["batch/v1"]),
    ("Role", &["rbac.authorization.k8s.io/v1"]),
    ("RoleBinding", &["rbac.authorization.k8s.io/v1"]),
    ("HorizontalPodAutoscaler", &["autoscaling/v2", "autoscaling/v1"]),
];

/// The objects whose faults count as the set's: itself and those that it refers to.
fn own<'a>(set: &Set<'a>) -> Vec<&'a Object> {
    let mut own: Vec<&Object> = [Some(set.object), set.service()].into_iter().flatten().chain(set.services()).collect();
    own.extend(set.budgets());
    own.extend(set.beside("Secret").chain(set.beside("ConfigMap")));
    // The governing Service may also be one that selects the pods.
    let mut known = HashSet::new();
    own.retain(|object| known.insert(std::ptr::from_ref(*object)));
    own
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Null => "nothing",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn wrong_type<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let mut hits = Vec::new();
    let mut not = |object: &'a Object, pointer: String, what: String, wanted: &str| {
        let Some(value) = object.value.pointer(&pointer) else { return };
        let right = match wanted {
            "a string" => value.is_string() || value.is_null(),
            _ => value.is_number() || value.is_null(),
        };
        if !right {
            let (is, quotes) =
                (type_of(value), if wanted == "a string" { "needs quotes" } else { "must not have quotes" });
            let message = format!("{what} is {is}, and {quotes}");
            hits.push(Hit::new(object, pointer, format!("must be {wanted}"), message));
        }
    };
    let set_name = set.name();
    for field in ["/spec/replicas", "/spec/minReadySeconds", "/spec/template/spec/terminationGracePeriodSeconds"] {
        let name = field.rsplit('/').next().unwrap_or(field);
        not(set.object, field.to_owned(), format!("{name} of StatefulSet {set_name}"), "a number");
    }
    for container in set.init_containers().chain(set.containers()) {
        for (field, name, _) in container.variables() {
            not(set.object, format!("{}{field}/value", container.pointer), format!("the value of {name}"), "a string");
        }
        for list in ["/command", "/args"] {
            for index in 0..items(container.value, list).count() {
                let what = format!("a word of {} of container `{}`", &list[1..], container.name());
                not(set.object, format!("{}{list}/{index}", container.pointer), what, "a string");
            }
        }
        for index in 0..items(container.value, "/ports").count() {
            let pointer = format!("{}/ports/{index}/containerPort", container.pointer);
            not(set.object, pointer, format!("containerPort of container `{}`", container.name()), "a number");
        }
    }
    for object in own(set) {
        let name = format!("{} {}", object.kind(), object.name());
        for map in ["/data", "/stringData", "/metadata/labels", "/metadata/annotations"] {
            let fields = object.value.pointer(map).and_then(Value::as_object).into_iter().flatten();
            for (key, _) in fields {
                not(object, format!("{map}{}", step(key)), format!("`{key}` of {name}"), "a string");
            }
        }
        if object.kind() == "Service" {
            for index in 0..items(&object.value, "/spec/ports").count() {
                not(object, format!("/spec/ports/{index}/port"), format!("a port of {name}"), "a number");
            }
        }
    }
    hits
}

fn repeated_key<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let of = |object: &'a Object| {
        object.repeated.iter().map(move |(pointer, _)| {
            let key = pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
            let message = format!("`{key}` is more than once in one map of {} {}", object.kind(), object.name());
            Hit::new(object, pointer.clone(), "the last one counts", message)
        })
    };
    own(set).into_iter().flat_map(of).collect()
}

fn api_version<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let of = |object: &'a Object| {
        let (kind, version) = (object.kind(), text(&object.value, "/apiVersion").unwrap_or_default());
        let (_, served) = SERVED.iter().find(|(known, _)| *known == kind)?;
        let message = format!("{kind} is not served as {version}");
        let hit = || Hit::new(object, "/apiVersion", format!("must be {}", served[0]), message);
        (!served.contains(&version)).then(hit)
    };
    own(set).into_iter().filter_map(of).collect()
}

fn object_twice<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let mut hits = Vec::new();
    let namespace = |object: &'a Object| text(&object.value, "/metadata/namespace").unwrap_or_default();
    let mut first: HashMap<[&str; 3], &Object> = HashMap::new();
    let own = own(set);
    let kinds: HashSet<&str> = own.iter().map(|object| object.kind()).collect();
    for object in kinds.into_iter().flat_map(|kind| set.beside(kind)) {
        first.entry([object.kind(), namespace(object), object.name()]).or_insert(object);
    }
    for object in own {
        // Of two objects, the later one is reported.
        let earlier = first.get(&[object.kind(), namespace(object), object.name()]);
        if earlier.is_some_and(|earlier| !std::ptr::eq(*earlier, object)) && !object.name().is_empty() {
            let message = format!("{} {} is defined twice", object.kind(), object.name());
            hits.push(Hit::new(object, "/metadata/name", "replaces the earlier one", message));
        }
    }
    let selector = set.object.value.pointer("/spec/selector/matchLabels").filter(|it| !it.is_null());
    let others = set.beside("StatefulSet").take_while(|other| !std::ptr::eq(*other, set.object));
    let with_same = |other: &&Object| {
        selector.is_some()
            && other.value.pointer("/spec/selector/matchLabels") == selector
            && other.name() != set.name()
    };
    if let Some(other) = others.into_iter().find(with_same) {
        let message = format!("StatefulSets {} and {} select the same pods", other.name(), set.name());
        hits.push(set.hit("/spec/selector/matchLabels", "also in another set", message));
    }
    hits
}

fn variable_twice<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let of = |container: Container<'a>| {
        let names: Vec<(String, &str)> = container.variables().map(|(field, name, _)| (field, name)).collect();
        let again = |(place, (field, name)): (usize, &(String, &str))| {
            let before = names[..place].iter().any(|(_, known)| known == name);
            let message = format!("container `{}` sets {name} twice", container.name());
            before.then(|| container.hit(&format!("{field}/name"), "the last one counts", message))
        };
        names.iter().enumerate().filter_map(again).collect::<Vec<_>>()
    };
    set.init_containers().chain(set.containers()).flat_map(of).collect()
}
