//! Which pods a log has shown. The reader refuses a log in which a question goes to a pod that the log has not shown.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// A pod that a record names, with its UID if the record has one.
pub type Named = (String, Option<String>);

/// The pods that must have existed according to a record: it asked them, acted on them, or names them in its
/// checkpoint.
pub fn named(what: &Value) -> Vec<Named> {
    let named = |place: &Value| {
        let text = |field: &str| place[field].as_str().map(str::to_owned);
        Some((text("pod")?, text("uid").filter(|uid| !uid.is_empty())))
    };
    let act = what["act"].as_object().into_iter().flat_map(|act| act.values());
    let lags = what["lags"].as_array().into_iter().flatten();
    [what, &what["moment"]].into_iter().chain(act).chain(lags).filter_map(named).collect()
}

/// The pods that a log has shown so far.
#[derive(Default)]
pub struct Seen {
    names: HashSet<String>,
    names_by_uid: HashMap<String, String>,
}

impl Seen {
    /// Notes the pods that a record shows.
    pub fn look(&mut self, what: &Value) {
        if what["object_kind"] == "Pod" && what["kind"] == "object" {
            let text = |field: &str| what["object"]["metadata"][field].as_str().unwrap_or_default().to_owned();
            self.names.insert(text("name"));
            self.names_by_uid.insert(text("uid"), text("name"));
        }
    }

    /// Whether the reader accepts that these pods are known. In a log without pods it accepts all of them.
    pub fn has(&self, named: &[Named]) -> bool {
        let knows = |(name, uid): &Named| {
            let by_uid = uid.as_ref().is_none_or(|uid| self.names_by_uid.get(uid).is_some_and(|known| known == name));
            self.names.contains(name) && by_uid
        };
        self.names_by_uid.is_empty() || named.iter().all(knows)
    }
}
