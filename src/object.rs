//! Reads fields of untyped Kubernetes objects. What is missing, or of another kind than asked for, reads as not there.

use std::collections::BTreeMap;

use serde_json::Value;

/// The string at a JSON pointer.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}

/// The items of the array at a JSON pointer.
pub(crate) fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The strings of the map at a JSON pointer, such as labels.
pub(crate) fn strings(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    let pairs = object.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Whether the object's status has this condition, and it holds.
pub(crate) fn has_condition(object: &Value, name: &str) -> bool {
    items(object, "/status/conditions")
        .any(|condition| text(condition, "/type") == Some(name) && text(condition, "/status") == Some("True"))
}
