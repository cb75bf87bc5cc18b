//! Reads fields of untyped Kubernetes objects. A field that is missing or of another type reads as absent.

use std::collections::BTreeMap;

use serde_json::Value;

/// The value at a JSON pointer (RFC 6901) without support for the escape `~`: no field that is read here needs it, and
/// unescaping would copy every name on the path twice.
fn at<'a>(object: &'a Value, pointer: &str) -> Option<&'a Value> {
    pointer.split('/').skip(1).try_fold(object, |value, name| match value {
        Value::Object(fields) => fields.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    })
}

/// The string at a JSON pointer.
pub fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    at(object, pointer).and_then(Value::as_str)
}

/// The number at a JSON pointer; 0 if there is none, because the API server omits zeros.
pub fn number(object: &Value, pointer: &str) -> i64 {
    at(object, pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// The items of the array at a JSON pointer.
pub fn items<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    at(object, pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The strings of the map at a JSON pointer, such as labels.
pub fn strings(object: &Value, pointer: &str) -> BTreeMap<String, String> {
    pairs(object, pointer).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Whether the map at a JSON pointer equals `known`.
pub fn has_strings(object: &Value, pointer: &str, known: &BTreeMap<String, String>) -> bool {
    pairs(object, pointer).eq(known.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

fn pairs<'a>(object: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let fields = at(object, pointer).and_then(Value::as_object).into_iter().flatten();
    fields.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// Whether the object's status has this condition with status `True`.
pub fn has_condition(object: &Value, name: &str) -> bool {
    items(object, "/status/conditions")
        .any(|condition| text(condition, "/type") == Some(name) && text(condition, "/status") == Some("True"))
}

/// The numeric value of a quantity, such as `500m` or `1Gi`
/// (<https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>).
pub fn quantity(value: &Value) -> Option<f64> {
    if let Some(number) = value.as_f64() {
        return Some(number);
    }
    let quantity = value.as_str()?;
    let units: [(&str, f64); 16] = [
        ("Ki", 1024.0),
        ("Mi", 1024.0 * 1024.0),
        ("Gi", 1024.0 * 1024.0 * 1024.0),
        ("Ti", 1024.0 * 1024.0 * 1024.0 * 1024.0),
        ("Pi", 1024_f64.powi(5)),
        ("Ei", 1024_f64.powi(6)),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
        ("m", 1e-3),
        ("u", 1e-6),
        ("n", 1e-9),
        ("", 1.0),
    ];
    units.iter().find_map(|(unit, factor)| Some(quantity.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}
