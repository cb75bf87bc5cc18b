//! The secrets in manifests, and the names that must stay readable.

use serde_json::Value;

use super::Manifest;
use crate::lint::manifest::secret_text;
use crate::object::{items, text};
use crate::redaction::Redaction;

/// Words in the names of variables whose values are secret.
const SECRET_WORDS: [&str; 6] = ["PASSWORD", "PASSWD", "PWD", "SECRET", "TOKEN", "KEY"];

/// Fields that hold no object names.
const NO_NAMES: [&str; 8] =
    ["annotations", "args", "binaryData", "command", "data", "httpHeaders", "stringData", "value"];

/// Redacts the values of the manifests' Secrets and of variables with a name like a password's, and keeps the names of
/// objects readable.
pub fn hide(redaction: &Redaction, manifests: &[Manifest]) {
    let (mut names, mut secrets) = (Vec::new(), Vec::new());
    for Manifest { object, .. } in manifests {
        names_in(object, &mut names);
        variables_in(object, &mut secrets);
        if object["kind"] == "Secret" {
            let values = |field: &str| object.get(field).and_then(Value::as_object).into_iter().flatten();
            secrets.extend(values("stringData").filter_map(|(_, value)| value.as_str().map(str::to_owned)));
            secrets.extend(values("data").filter_map(|(_, value)| secret_text(value).ok()));
        }
    }
    redaction.keep(names);
    redaction.learn_distinctive(secrets);
}

fn names_in(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(name) => names.push(name.clone()),
        Value::Array(items) => items.iter().for_each(|item| names_in(item, names)),
        Value::Object(fields) => {
            for (name, field) in fields.iter().filter(|(name, _)| !NO_NAMES.contains(&name.as_str())) {
                names.push(name.clone());
                names_in(field, names);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn variables_in(value: &Value, secrets: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| variables_in(item, secrets)),
        Value::Object(fields) => {
            let is_secret = |variable: &&Value| {
                let name = text(variable, "/name").unwrap_or_default().to_uppercase();
                SECRET_WORDS.iter().any(|word| name.contains(word))
            };
            let variables = items(value, "/env").filter(is_secret);
            secrets.extend(variables.filter_map(|variable| text(variable, "/value").map(str::to_owned)));
            fields.values().for_each(|field| variables_in(field, secrets));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFESTS: &str = "
apiVersion: v1
kind: Secret
metadata: {name: shop-db1}
stringData: {root: hunter2, user: shop}
data: {app: c3dvcmRmMXNo}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: mysql}
spec:
  template:
    spec:
      containers:
      - name: mysql
        image: mysql:5.7
        env:
        - {name: MYSQL_PASSWORD, value: xyzzy1}
        - {name: MYSQL_DATABASE, value: orders1}
        command: [mysqld, --user=shop]
";

    #[test]
    fn secrets_and_passwords_are_hidden_and_names_are_not() {
        let redaction = Redaction::default();
        hide(&redaction, &crate::workload::parse("here", MANIFESTS).expect("manifests"));
        redaction.learn(["db1"]);
        let told = redaction.text("hunter2 swordf1sh xyzzy1 shop orders1 shop-db1 db1");
        assert_eq!(told, "[redacted] [redacted] [redacted] shop orders1 shop-db1 [redacted]");
    }
}
