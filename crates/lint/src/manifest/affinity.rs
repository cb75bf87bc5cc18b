//! What keeps the pods of one template apart
//! (<https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity>).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::object::{items, strings, text};

/// The label that identifies a node.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Whether any anti-affinity, even a preferred one, keeps two pods of this template off the same node or zone.
pub fn is_kept_apart(template: &Value) -> bool {
    let labels = strings(template, "/metadata/labels");
    let affinity = template.pointer("/spec/affinity/podAntiAffinity").unwrap_or(&Value::Null);
    let required = items(affinity, "/requiredDuringSchedulingIgnoredDuringExecution");
    let preferred = items(affinity, "/preferredDuringSchedulingIgnoredDuringExecution");
    let mut terms = required.chain(preferred.filter_map(|it| it.get("podAffinityTerm")));
    terms.any(|term| term.get("labelSelector").is_some_and(|selector| selects(selector, &labels)))
        || why_apart(template).is_some()
}

/// What keeps two pods of this template off the same node, if anything.
pub fn why_apart(template: &Value) -> Option<String> {
    let labels = strings(template, "/metadata/labels");
    let rules = "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution";
    let apart = |rule: &Value| {
        text(rule, "/topologyKey") == Some(HOSTNAME)
            && items(rule, "/namespaces").next().is_none()
            && rule.get("labelSelector").is_some_and(|selector| selects(selector, &labels))
    };
    if items(template, rules).any(apart) {
        return Some(format!("required podAntiAffinity by {HOSTNAME}"));
    }
    let ports = items(template, "/spec/containers").flat_map(|container| items(container, "/ports"));
    let host_port = ports.into_iter().find_map(|port| port["hostPort"].as_u64());
    host_port.map(|port| format!("hostPort {port}"))
}

/// Whether a label selector selects these labels
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>).
fn selects(selector: &Value, labels: &BTreeMap<String, String>) -> bool {
    let wanted = strings(selector, "/matchLabels");
    let expression = |rule: &Value| {
        let value = text(rule, "/key").and_then(|key| labels.get(key));
        let among = || items(rule, "/values").any(|it| it.as_str() == value.map(String::as_str));
        match text(rule, "/operator") {
            Some("In") => value.is_some() && among(),
            Some("NotIn") => value.is_none() || !among(),
            Some("Exists") => value.is_some(),
            Some("DoesNotExist") => value.is_none(),
            _ => false,
        }
    };
    wanted.iter().all(|(key, value)| labels.get(key) == Some(value))
        && items(selector, "/matchExpressions").all(expression)
}
