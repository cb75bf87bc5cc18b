//! Makes a stored run small, so that an input takes few milliseconds: what the judges tell apart stays.

use std::collections::BTreeSet;

use serde_json::Value;

/// Fields of an object's `spec` that are long, and that no judge reads.
const LONG: &[&str] = &["affinity", "containers", "initContainers", "template", "tolerations", "volumeClaimTemplates"];

/// Which records of a run are kept, and what of them.
#[derive(Debug, Default)]
pub struct Thin {
    asked: BTreeSet<String>,
}

impl Thin {
    /// The record without what is long; nothing of an answer to a question that was asked like this before.
    pub fn keep(&mut self, mut record: Value) -> Option<Value> {
        if question(&record["what"]).is_some_and(|question| !self.asked.insert(question)) {
            return None;
        }
        if let Some(spec) = record.pointer_mut("/what/object/spec").and_then(Value::as_object_mut) {
            spec.retain(|name, _| !LONG.contains(&name.as_str()));
        }
        if let Some(gates) = record.pointer_mut("/what/gates").and_then(Value::as_object_mut) {
            gates.clear();
        }
        Some(record)
    }
}

/// What was asked, of whom and when, as far as answers to others differ from answers to it; nothing where a record is no
/// answer.
fn question(what: &Value) -> Option<String> {
    match what["kind"].as_str()? {
        "dns" => Some(format!("{} {}", what["moment"], what["name"])),
        "sql" => Some(format!("{} {} {}", what["moment"]["after"], what["question"], what["pod"])),
        _ => None,
    }
}
