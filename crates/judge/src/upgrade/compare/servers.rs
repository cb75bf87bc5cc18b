//! What a step explains of what the servers say of themselves.

use serde_json::Value;

use super::{
    super::{difference::Difference, executed},
    Class, Rules, Ruling, allowed_if, wrong,
};
use crate::{evidence::State, mysql::statements::SCHEMA};

impl<'a> Rules<'a> {
    pub(super) fn server(&self, it: &Difference) -> Ruling {
        let server = |state: &'a State| state.servers.iter().find(|server| server.pod == it.object);
        let (Some(before), Some(after)) = (server(self.before), server(self.after)) else {
            return Ruling(Class::Open, Some("nobody read what it says of itself".to_owned()));
        };
        // Trouble is a defect of the state that has it, and leaves empty what it kept from being read.
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

    /// Between the states nobody writes to the harness's tables. Who else writes to others while nobody watches is not
    /// known.
    fn table(&self, it: &Difference) -> Ruling {
        let name = it.field.strip_prefix("tables/").unwrap_or(&it.field).trim_matches('`');
        let own = name.strip_prefix(SCHEMA).is_some_and(|rest| rest.starts_with(['.', '`']));
        let changed = !it.before.is_null() && !it.after.is_null();
        if self.is_unseen() && !own && (changed || it.before.is_null()) {
            return Ruling(Class::Open, Some("others may have written to it".to_owned()));
        }
        Class::Wrong.into()
    }
}

/// That a server has all transactions that it had, and none that a source wrote which was no source of any.
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
    wrong(format!("{} wrote what nobody wrote before", foreign.join(", ")))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value == "" || value.as_object().is_some_and(serde_json::Map::is_empty)
}
