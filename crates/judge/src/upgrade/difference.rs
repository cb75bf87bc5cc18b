//! The differences between two states, field by field. Nothing is left out: states are compared in their serialized
//! form, so a new field of the state is compared automatically.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Map, Value};

use crate::evidence::{EndpointSummary, State};

/// How much of a value is quoted, in characters.
const QUOTED: usize = 60;

/// The lists of a state, with the fields that identify their items.
const LISTS: [(&str, &[&str]); 7] = [
    ("nodes", &["name"]),
    ("revisions", &["name"]),
    ("pods", &["name"]),
    ("claims", &["name"]),
    ("volumes", &["name"]),
    ("control_plane", &["component", "node"]),
    ("servers", &["pod"]),
];

/// A difference between two states.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    /// The field of the state, such as `pods`.
    pub part: String,
    /// The item of that part, by name; empty if the part has no items.
    pub object: String,
    /// The path to the value within the item, such as `containers/mysql/restarts`; empty for the whole item.
    pub field: String,
    /// The value before; null if there was none.
    pub before: Value,
    /// The value after; null if there is none.
    pub after: Value,
}

impl Difference {
    /// The first segment of the path.
    pub(super) fn head(&self) -> &str {
        self.field.split('/').next().unwrap_or_default()
    }

    /// The last segment of the path.
    pub(super) fn tail(&self) -> &str {
        self.field.rsplit('/').next().unwrap_or_default()
    }

    /// The item, for people.
    pub(super) fn subject(&self) -> String {
        let name = &self.object;
        match self.part.as_str() {
            "kubernetes" => "the API server".to_owned(),
            "nodes" => format!("the node {name}"),
            "set" => "the set".to_owned(),
            "revisions" => format!("the revision {name}"),
            "pods" => name.clone(),
            "claims" => format!("the claim {name}"),
            "volumes" => format!("the volume {name}"),
            "service" => "the Service".to_owned(),
            "endpoints" => format!("the endpoint {name}"),
            "legacy_endpoints" => "the Endpoints object".to_owned(),
            "dns" => "the cluster's DNS".to_owned(),
            "control_plane" => name.replacen('/', " on ", 1),
            "servers" => format!("the server of {name}"),
            part => format!("{part} {name}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, before, after) = (self.subject(), &self.before, &self.after);
        let field = match (self.part.as_str(), self.field.as_str()) {
            ("kubernetes", _) => "version",
            (_, field) => field,
        };
        if field.is_empty() && before.is_null() {
            return write!(f, "{subject} is new");
        }
        if field.is_empty() && after.is_null() {
            return write!(f, "{subject} is gone");
        }
        let colon = if field.is_empty() { "" } else { ": " };
        write!(f, "{subject}{colon}{field} was {}, is {}", quoted(before), quoted(after))
    }
}

fn quoted(value: &Value) -> String {
    let text = match value {
        Value::Null => return "absent".to_owned(),
        Value::String(text) if text.is_empty() => return "empty".to_owned(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// All differences except the stage and the DNS answers, which are compared separately.
pub(super) fn differences(before: &State, after: &State) -> Vec<Difference> {
    let mut found = Vec::new();
    walk(&mut Vec::new(), &keyed(before), &keyed(after), &mut found);
    found
}

fn walk(way: &mut Vec<String>, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    let (Value::Object(ours), Value::Object(theirs)) = (before, after) else {
        return found.push(difference(way, before, after));
    };
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    for name in names {
        way.push(name.clone());
        walk(way, ours.get(name).unwrap_or(&Value::Null), theirs.get(name).unwrap_or(&Value::Null), found);
        way.pop();
    }
}

fn difference(way: &[String], before: &Value, after: &Value) -> Difference {
    let part = way.first().cloned().unwrap_or_default();
    let has_items = part == "endpoints" || LISTS.iter().any(|(list, _)| *list == part);
    let object = way.get(1).filter(|_| has_items).cloned().unwrap_or_default();
    let field = way.iter().skip(1 + usize::from(has_items)).map(String::as_str).collect::<Vec<_>>().join("/");
    Difference { part, object, field, before: before.clone(), after: after.clone() }
}

/// A state with its items by name, and with unordered lists sorted.
fn keyed(state: &State) -> Value {
    let mut state = state.clone();
    state.service.ports.sort();
    state.claims.iter_mut().for_each(|claim| claim.owners.sort());
    state.pods.iter_mut().for_each(|pod| pod.claims.sort());
    let (endpoints, legacy) = (endpoints(&state), legacy(&state));
    let mut value = serde_json::to_value(&state).unwrap_or_default();
    let Some(fields) = value.as_object_mut() else { return value };
    fields.remove("stage");
    fields.remove("answers");
    for (list, names) in LISTS {
        if let Some(items) = fields.get_mut(list) {
            *items = by_name(items, names);
        }
    }
    for pod in fields.get_mut("pods").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        pod["containers"] = by_name(&pod["containers"], &["name"]);
    }
    fields.insert("endpoints".to_owned(), endpoints);
    fields.insert("legacy_endpoints".to_owned(), legacy);
    value
}

/// The items of a list by the given fields, without these fields. A repeated name gets a number.
fn by_name(items: &Value, names: &[&str]) -> Value {
    let mut named = Map::new();
    for item in items.as_array().into_iter().flatten() {
        let mut item = item.clone();
        let name: Vec<String> = names.iter().map(|name| item[*name].as_str().unwrap_or_default().to_owned()).collect();
        if let Some(fields) = item.as_object_mut() {
            fields.retain(|field, _| !names.contains(&field.as_str()));
        }
        insert(&mut named, name.join("/"), item);
    }
    Value::Object(named)
}

fn insert(named: &mut Map<String, Value>, name: String, item: Value) {
    let taken = |name: &str| named.contains_key(name);
    let free = (2..).map(|count| format!("{name} ({count})")).find(|name| !taken(name));
    let name = if taken(&name) { free.unwrap_or_default() } else { name };
    named.insert(name, item);
}

/// The endpoints by their pods, so that an endpoint keeps its name when its pod gets another address.
fn endpoints(state: &State) -> Value {
    let mut named = Map::new();
    for endpoint in &state.endpoints {
        let mut item = serde_json::to_value(endpoint).unwrap_or_default();
        if let Some(fields) = item.as_object_mut() {
            fields.remove("pod_uid");
        }
        insert(&mut named, endpoint_name(state, endpoint), item);
    }
    Value::Object(named)
}

fn endpoint_name(state: &State, endpoint: &EndpointSummary) -> String {
    let pod = state.pods.iter().find(|pod| endpoint.pod_uid.as_ref() == Some(&pod.uid));
    match pod {
        Some(pod) if endpoint.address.contains(':') => format!("{} (IPv6)", pod.name),
        Some(pod) => pod.name.clone(),
        None => endpoint.address.clone(),
    }
}

/// The addresses of the Endpoints object, with pods in place of addresses.
fn legacy(state: &State) -> Value {
    let Some(legacy) = &state.legacy_endpoints else { return Value::Null };
    let pods = pods_by_address(state);
    let named = |addresses: &BTreeSet<String>| -> BTreeSet<String> {
        addresses
            .iter()
            .map(|address| pods.get(address.as_str()).map_or(address.clone(), ToString::to_string))
            .collect()
    };
    serde_json::json!({"ready": named(&legacy.ready), "not_ready": named(&legacy.not_ready)})
}

/// The names of pods by their addresses.
pub(super) fn pods_by_address(state: &State) -> BTreeMap<&str, &str> {
    state.pods.iter().flat_map(|pod| pod.addresses().map(|address| (address, pod.name.as_str()))).collect()
}
