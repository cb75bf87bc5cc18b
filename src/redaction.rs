//! The only redactor. It removes the passwords that a run knows from every record, log and terminal line, in every
//! encoding that occurs. Reports are made from records.

mod forms;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;

use forms::forms;

const REDACTED: &str = "[redacted]";

/// Shorter texts occur by chance in names, versions and identifiers.
const SHORTEST: usize = 6;

/// Shorter hexadecimal numbers occur by chance in UIDs.
const SHORTEST_NUMBER: usize = 12;

/// A line of a multi-line secret that is at least this long is a secret of its own, because files are quoted line by
/// line.
const LONG_LINE: usize = 16;

/// Fields of records and objects that hold free text of people and servers. No judge identifies an object by them.
const FREE: [&str; 12] = [
    "Err",
    "Failed",
    "annotations",
    "args",
    "command",
    "error",
    "held_by",
    "httpHeaders",
    "last_seen",
    "lines",
    "message",
    "trouble",
];

/// The secrets of a run. Clones share them, and more can be added while a run lasts.
///
/// A secret that is a plain word, short, or part of a name that the workload uses is removed only from free text and
/// only where it stands alone. Elsewhere it stays, because a run whose pods have no names proves nothing.
#[derive(Clone, Default)]
pub struct Redaction(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    secrets: BTreeSet<String>,
    names: BTreeSet<String>,
    /// Matches every form of every secret, and whether that form also looks like a name.
    forms: Option<(AhoCorasick, Vec<bool>)>,
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Redaction {
    /// Adds secrets, and the long lines of multi-line secrets.
    pub fn learn(&self, secrets: impl IntoIterator<Item = impl AsRef<str>>) {
        let mut known = self.known_mut();
        for secret in secrets {
            let secret = secret.as_ref().trim();
            let lines = secret.lines().map(str::trim).filter(|line| line.len() >= LONG_LINE);
            known.secrets.extend(lines.chain([secret]).filter(|it| !it.is_empty()).map(str::to_owned));
        }
        known.build();
    }

    /// Adds texts that may or may not be secret, such as the values of a Secret, one of which is a user name. Values
    /// that look like a name are ignored.
    pub fn learn_distinctive(&self, texts: impl IntoIterator<Item = impl AsRef<str>>) {
        let names = self.known().names.clone();
        let texts = texts.into_iter().filter(|text| !is_like_a_name(text.as_ref().trim(), &names));
        self.learn(texts.collect::<Vec<_>>());
    }

    /// Protects these names: judges need them.
    pub fn keep(&self, names: impl IntoIterator<Item = String>) {
        let mut known = self.known_mut();
        known.names.extend(names);
        known.build();
    }

    /// The text without the secrets that are known.
    pub fn text(&self, text: &str) -> String {
        self.known().without(text, true).unwrap_or_else(|| text.to_owned())
    }

    /// A line of a server's log. It also redacts passwords that images and servers generate and log
    /// (<https://hub.docker.com/_/mysql>, `MYSQL_RANDOM_ROOT_PASSWORD`).
    pub fn line(&self, line: &str) -> String {
        let line = self.text(line);
        let small = line.to_lowercase();
        match line.rsplit_once(": ") {
            Some((before, _)) if small.contains("generated") && small.contains("password") => {
                format!("{before}: {REDACTED}")
            }
            _ => line,
        }
    }

    /// Whether a text may hold a secret. A record without one is written unchanged.
    pub fn concerns(&self, text: &str) -> bool {
        self.known().forms.as_ref().is_some_and(|(finder, _)| finder.is_match(text))
    }

    /// Removes the secrets from every string of a record.
    pub fn value(&self, value: &mut Value) {
        self.known().value(value, false);
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn known_mut(&self) -> RwLockWriteGuard<'_, Known> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn build(&mut self) {
        let forms: BTreeSet<String> = self.secrets.iter().flat_map(|secret| forms(secret)).collect();
        let like_names = forms.iter().map(|form| is_like_a_name(form, &self.names)).collect();
        let built = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms);
        // Building fails only for more text than a run can know.
        self.forms = Some((built.expect("so few secrets can be searched for"), like_names));
    }

    fn value(&self, value: &mut Value, free: bool) {
        match value {
            Value::String(text) => {
                if let Some(without) = self.without(text, free) {
                    *text = without;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item, free)),
            Value::Object(fields) => {
                let bad: Vec<String> = fields.keys().filter(|key| self.without(key, free).is_some()).cloned().collect();
                for key in bad {
                    if let (Some(field), Some(name)) = (fields.remove(&key), self.without(&key, free)) {
                        fields.insert(name, field);
                    }
                }
                for (name, field) in fields {
                    self.value(field, free || FREE.contains(&name.as_str()));
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// The text without its secrets; `None` if it has none. Outside of free text, secrets that look like a name stay.
    fn without(&self, text: &str, free: bool) -> Option<String> {
        let (finder, like_names) = self.forms.as_ref()?;
        let (mut without, mut end) = (String::new(), 0);
        for found in finder.find_iter(text) {
            if !like_names[found.pattern()] || (free && stands_alone(text, found.range())) {
                without.push_str(&text[end..found.start()]);
                without.push_str(REDACTED);
                end = found.end();
            }
        }
        (end > 0).then(|| without + &text[end..])
    }
}

/// Whether a text may occur where nobody meant the secret: in a name, a word, a version or an identifier.
fn is_like_a_name(text: &str, names: &BTreeSet<String>) -> bool {
    let is_word = text.chars().all(|it| it.is_ascii_alphabetic() || "-._:/ ".contains(it));
    let is_number = text.chars().all(|it| !it.is_ascii_alphabetic());
    let is_id = text.len() < SHORTEST_NUMBER && text.chars().all(|it| it.is_ascii_hexdigit());
    let of_a_pod = |name: &str| {
        let ordinal = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
        ordinal.is_some_and(|ordinal| ordinal.parse::<u32>().is_ok())
    };
    let is_name = names.iter().any(|name| name.contains(text) || of_a_pod(name));
    text.len() < SHORTEST || is_word || is_number || is_id || is_name
}

/// Whether a part of a text is not part of a longer word or name. The `secret` of `-psecret` stands alone.
fn stands_alone(text: &str, part: Range<usize>) -> bool {
    let (before, after) = (&text[..part.start], &text[part.end..]);
    let joins = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let before_it: Vec<char> = before.chars().rev().take(2).collect();
    let after_it: Vec<char> = after.chars().take(2).collect();
    let goes_on = |near: &[char]| match near {
        [first, ..] if joins(*first) => true,
        ['-' | '.', second] => joins(*second),
        _ => false,
    };
    (before.ends_with("-p") || !goes_on(&before_it)) && !goes_on(&after_it)
}

/// Blanks every literal value of a container's environment, secret or not.
pub(crate) fn blank_variables(object: &mut Value) {
    match object {
        Value::Object(fields) => {
            for (name, field) in fields {
                let variables = if name == "env" { field.as_array_mut() } else { None };
                let values = variables.into_iter().flatten().filter_map(|variable| variable.get_mut("value"));
                values.for_each(|value| *value = Value::from(REDACTED));
                blank_variables(field);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blank_variables),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn knowing(secrets: &[&str]) -> Redaction {
        let redaction = Redaction::default();
        redaction.learn(secrets);
        redaction
    }

    #[test]
    fn no_secret_stays_in_a_record() {
        let mut record = json!({
            "metadata": {"name": "shop", "labels": {"hunter2": "yes"}, "annotations": {"a": "{\"b\":\"hunter2\"}"}},
            "env": [{"name": "A", "value": "hunter3"}, {"name": "B", "valueFrom": {"secretKeyRef": {"key": "k"}}}],
            "command": ["mysqladmin", "-phunter2", "ping"],
            "number": 3,
        });
        let redaction = knowing(&["hunter2", ""]);
        assert!(redaction.concerns(&record.to_string()) && !redaction.concerns("hunter"));
        redaction.value(&mut record);
        blank_variables(&mut record);
        let wanted = json!({
            "metadata": {
                "name": "shop", "labels": {"[redacted]": "yes"}, "annotations": {"a": "{\"b\":\"[redacted]\"}"},
            },
            "env": [{"name": "A", "value": "[redacted]"}, {"name": "B", "valueFrom": {"secretKeyRef": {"key": "k"}}}],
            "command": ["mysqladmin", "-p[redacted]", "ping"],
            "number": 3,
        });
        assert_eq!(record, wanted);
    }

    #[test]
    fn a_password_that_is_a_word_is_taken_out_where_it_is_no_name() {
        let mut record = json!({
            "metadata": {"name": "mysql-0", "labels": {"app": "mysql"}},
            "command": ["mysql", "-pmysql", "--password=mysql", "--host=mysql-0.mysql"],
            "message": "password mysql. mysqld of mysql-0 says: 'mysql'",
        });
        knowing(&["mysql"]).value(&mut record);
        let wanted = json!({
            "metadata": {"name": "mysql-0", "labels": {"app": "mysql"}},
            "command": ["[redacted]", "-p[redacted]", "--password=[redacted]", "--host=mysql-0.mysql"],
            "message": "password [redacted]. mysqld of mysql-0 says: '[redacted]'",
        });
        assert_eq!(record, wanted);
    }

    #[test]
    fn what_is_like_a_name_is_known() {
        let names = BTreeSet::from(["shop-db1".to_owned()]);
        for text in
            ["root", "password", "123456", "10.96.0.10", "beef42", "shop-db1", "db1", "shop-db1-12", "Not Ready"]
        {
            assert!(is_like_a_name(text, &names), "{text}");
        }
        for text in ["hunter2", "pass_word1", "s3cret", "shop-db2", "deadbeef0042", "a b-c!"] {
            assert!(!is_like_a_name(text, &names), "{text}");
        }
    }

    #[test]
    fn what_is_learned_later_is_taken_out_too() {
        let redaction = knowing(&["hunter2"]);
        let clone = redaction.clone();
        redaction.learn(["swordfish", "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n-----END KEY-----\n"]);
        redaction.learn_distinctive(["root", "hunter3"]);
        let text = clone.text("root, hunter2, swordfish, hunter3 and MIIEvQIBADANBgkqhkiG");
        assert_eq!(text, "root, [redacted], [redacted], [redacted] and [redacted]");
        assert_eq!(format!("{redaction:?}"), "[redacted]");
    }

    #[test]
    fn a_password_that_a_server_makes_up_is_taken_out() {
        let redaction = Redaction::default();
        let line = "[Note] [Entrypoint]: GENERATED ROOT PASSWORD: abc";
        assert_eq!(redaction.line(line), "[Note] [Entrypoint]: GENERATED ROOT PASSWORD: [redacted]");
        let line = "A temporary password is generated for root@localhost: x/Y;z";
        assert_eq!(redaction.line(line), "A temporary password is generated for root@localhost: [redacted]");
        let line = "Access denied for user 'root'@'localhost' (using password: YES)";
        assert_eq!(redaction.line(line), line);
    }
}
