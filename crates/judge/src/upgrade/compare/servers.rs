//! What a step explains about the servers' own reports.

use serde_json::Value;

use super::{Class, Rules, Ruling, allowed_if, wrong};
use crate::evidence::State;
use crate::mysql::statements::SCHEMA;
use crate::upgrade::difference::Difference;
use crate::upgrade::executed;

impl<'a> Rules<'a> {
    pub(super) fn server(&self, it: &Difference) -> Ruling {
        let server = |state: &'a State| state.servers.iter().find(|server| server.pod == it.object);
        let (Some(before), Some(after)) = (server(self.before), server(self.after)) else {
            return Ruling(Class::Open, Some("its server was not queried".to_owned()));
        };
        // Trouble is a defect of the state itself, and the values that it kept from being read are empty.
        let unread = |trouble: &Option<String>, value: &Value| trouble.is_some() && is_empty(value);
        if it.field == "trouble" || unread(&before.trouble, &it.before) || unread(&after.trouble, &it.after) {
            return Class::Allowed.into();
        }
        match it.head() {
            "gtid_executed" => transactions(&before.gtid_executed, &after.gtid_executed),
            "tables" => self.table(it),
            "version" => allowed_if(self.was_remade(&it.object)),
            _ => Class::Wrong.into(),
        }
    }

    /// Judges a change of a table. Nobody writes to the harness's tables between states. Others may write to other
    /// tables while nobody watches.
    fn table(&self, it: &Difference) -> Ruling {
        let name = it.field.strip_prefix("tables/").unwrap_or(&it.field).trim_matches('`');
        let own = name.strip_prefix(SCHEMA).is_some_and(|rest| rest.starts_with(['.', '`']));
        let changed = !it.before.is_null() && !it.after.is_null();
        if self.is_unseen() && !own && (changed || it.before.is_null()) {
            return Ruling(Class::Open, Some("other clients may have written to it".to_owned()));
        }
        Class::Wrong.into()
    }
}

/// Checks that a server still has all its transactions, and none from a server that was no source before.
fn transactions(before: &str, after: &str) -> Ruling {
    let (before, after) = match (executed(before), executed(after)) {
        (Ok(before), Ok(after)) => (before, after),
        (Err(why), _) | (_, Err(why)) => return Ruling(Class::Open, Some(why)),
    };
    let lost = before.subtract(&after);
    if !lost.is_empty() {
        return wrong(format!("{lost} is lost"));
    }
    let foreign: Vec<String> = after.sources().difference(&before.sources()).cloned().collect();
    if foreign.is_empty() {
        return Class::Allowed.into();
    }
    wrong(format!("new transactions by unknown servers: {}", foreign.join(", ")))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value == "" || value.as_object().is_some_and(serde_json::Map::is_empty)
}
