//! What must not get into the evidence, which is shown to people: passwords, and the values of variables.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

const REDACTED: &str = "[redacted]";

/// The texts that must not get into the evidence. Clones know of the same ones, and more can be learned while a run lasts.
#[derive(Clone, Default)]
pub struct Redaction(Arc<RwLock<Vec<String>>>);

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl Redaction {
    /// Takes this text out from now on.
    pub fn learn(&self, secret: &str) {
        let mut secrets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !secret.is_empty() && !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_owned());
        }
    }

    /// The text without the secrets that are known.
    pub fn text(&self, text: &str) -> String {
        let secrets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), REDACTED))
    }

    /// A line of a server's log: images and servers write down the passwords that they make up themselves
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

    /// Blanks every literal environment value, and known secrets in commands.
    pub(super) fn object(&self, object: &mut Value) {
        match object {
            Value::Object(fields) => {
                for (name, field) in fields {
                    match name.as_str() {
                        "env" => field.as_array_mut().into_iter().flatten().for_each(blank_value),
                        "command" | "args" => {
                            field.as_array_mut().into_iter().flatten().for_each(|word| self.word(word))
                        }
                        _ => self.object(field),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.object(item)),
            _ => {}
        }
    }

    fn word(&self, word: &mut Value) {
        if let Value::String(text) = word {
            *text = self.text(text);
        }
    }
}

fn blank_value(variable: &mut Value) {
    if let Some(value) = variable.get_mut("value") {
        *value = Value::from(REDACTED);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn knowing(secrets: &[&str]) -> Redaction {
        let redaction = Redaction::default();
        secrets.iter().for_each(|secret| redaction.learn(secret));
        redaction
    }

    #[test]
    fn no_secret_stays_in_an_object() {
        let mut object = json!({
            "spec": {"template": {"spec": {"initContainers": [{
                "env": [{"name": "A", "value": "hunter2"}, {"name": "B", "valueFrom": {"secretKeyRef": {"key": "k"}}}],
                "command": ["mysqladmin", "-phunter2", "ping"],
            }]}}},
        });
        knowing(&["hunter2", ""]).object(&mut object);
        let container = &object["spec"]["template"]["spec"]["initContainers"][0];
        assert_eq!(container["env"][0]["value"], "[redacted]");
        assert_eq!(container["env"][1]["valueFrom"]["secretKeyRef"]["key"], "k");
        assert_eq!(container["command"], json!(["mysqladmin", "-p[redacted]", "ping"]));
    }

    #[test]
    fn what_is_learned_later_is_taken_out_too() {
        let redaction = knowing(&["hunter2"]);
        let clone = redaction.clone();
        redaction.learn("swordfish");
        assert_eq!(clone.text("hunter2 and swordfish"), "[redacted] and [redacted]");
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
