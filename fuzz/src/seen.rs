//! Which pods a log has shown: the reader refuses a log in which somebody is asked who was not seen.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

/// A pod that a record names, with its UID where it has one.
pub type Named = (String, Option<String>);

/// The pods that a record says were there: whom it asked, whom it acted on, or at whose moment.
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
    /// Takes in what a record shows.
    pub fn look(&mut self, what: &Value) {
        if what["object_kind"] == "Pod" && what["kind"] == "object" {
            let text = |field: &str| what["object"]["metadata"][field].as_str().unwrap_or_default().to_owned();
            self.names.insert(text("name"));
            self.names_by_uid.insert(text("uid"), text("name"));
        }
    }

    /// Whether the reader takes these for pods that it knows: in a log without pods anything may be asked.
    pub fn has(&self, named: &[Named]) -> bool {
        let knows = |(name, uid): &Named| {
            let by_uid = uid.as_ref().is_none_or(|uid| self.names_by_uid.get(uid).is_some_and(|known| known == name));
            self.names.contains(name) && by_uid
        };
        self.names_by_uid.is_empty() || named.iter().all(knows)
    }
}
