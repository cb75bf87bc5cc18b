//! Statements with placeholders for secrets, so that records of them are safe to read.

use std::collections::BTreeMap;

use mysql_async::Error;

use super::protocol::Secret;

/// A statement with its secrets in place of `${name}`.
pub(crate) struct Template<'a> {
    parts: Vec<Part<'a>>,
}

enum Part<'a> {
    Text(&'a str),
    Secret(&'a Secret),
}

impl<'a> Template<'a> {
    /// Parses the placeholders of a statement.
    ///
    /// # Errors
    /// If a placeholder has no end, or no secret has its name.
    pub(crate) fn parse(statement: &'a str, secrets: &'a BTreeMap<String, Secret>) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = statement;
        while let Some((text, from)) = rest.split_once("${") {
            let (name, after) = from.split_once('}').ok_or_else(|| format!("a placeholder has no end: {statement}"))?;
            let secret = secrets.get(name).ok_or_else(|| format!("no secret is named {name:?}: {statement}"))?;
            parts.extend([Part::Text(text), Part::Secret(secret)]);
            rest = after;
        }
        parts.push(Part::Text(rest));
        Ok(Self { parts })
    }

    /// The statement for the server. `backslash_escapes` says whether a backslash in a literal is an escape in this
    /// session; `NO_BACKSLASH_ESCAPES` in `sql_mode` turns that off.
    pub(crate) fn render(&self, backslash_escapes: bool) -> String {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => (*text).to_owned(),
                Part::Secret(secret) => literal(secret.expose(), backslash_escapes),
            })
            .collect()
    }

    /// Removes this statement's secrets from an error. A server quotes the statement and truncates it at a length of
    /// its own, so searching for the whole secret is not enough: everything from the first quotation mark on is
    /// removed.
    pub(crate) fn redact(&self, error: Error) -> Error {
        let secrets: Vec<_> = self.secrets().collect();
        match error {
            Error::Server(mut server) if !secrets.is_empty() => {
                if let Some(quotation) = server.message.find(['\'', '"', '`']) {
                    server.message.replace_range(quotation.., "[redacted]");
                }
                for secret in secrets {
                    server.message = server.message.replace(secret, "[redacted]");
                }
                Error::Server(server)
            }
            other => other,
        }
    }

    /// The texts of the secrets, without empty ones: replacing an empty text would insert something between all
    /// characters.
    fn secrets(&self) -> impl Iterator<Item = &'a str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Secret(secret) if !secret.expose().is_empty() => Some(secret.expose()),
            _ => None,
        })
    }
}

/// A string literal (<https://dev.mysql.com/doc/refman/8.4/en/string-literals.html>). A doubled quotation mark means
/// the same in every mode; a backslash does not.
fn literal(text: &str, backslash_escapes: bool) -> String {
    let text = text.replace('\'', "''");
    let text = if backslash_escapes { text.replace('\\', r"\\") } else { text };
    format!("'{text}'")
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    fn secrets() -> BTreeMap<String, Secret> {
        BTreeMap::from([("key".into(), r"it's\".into()), ("empty".into(), "".into())])
    }

    fn message(statement: &str, message: &str) -> String {
        let secrets = secrets();
        let error = ServerError { code: 1064, message: message.into(), state: "42000".into() };
        match Template::parse(statement, &secrets).unwrap().redact(Error::Server(error)) {
            Error::Server(error) => error.message,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_secret_becomes_a_literal_that_cannot_be_left() {
        let secrets = secrets();
        let template = Template::parse("CHANGE A = ${key}, B = ${empty};", &secrets).unwrap();
        assert_eq!(template.render(true), r"CHANGE A = 'it''s\\', B = '';");
        assert_eq!(template.render(false), r"CHANGE A = 'it''s\', B = '';");
    }

    #[test]
    fn a_statement_without_placeholders_stays_as_it_is() {
        let secrets = secrets();
        let statement = r"SELECT '$', '\', '}', '{'";
        assert_eq!(Template::parse(statement, &secrets).unwrap().render(true), statement);
    }

    #[test]
    fn a_placeholder_needs_a_secret_and_an_end() {
        let secrets = secrets();
        let trouble = |statement| Template::parse(statement, &secrets).err().unwrap();
        assert_eq!(trouble("SELECT ${other}"), r#"no secret is named "other": SELECT ${other}"#);
        assert_eq!(trouble("SELECT ${key"), "a placeholder has no end: SELECT ${key");
    }

    #[test]
    fn an_error_quotes_no_secret() {
        assert_eq!(message("FOO ${key}", r"syntax to use near 'FOO 'it''s"), "syntax to use near [redacted]");
        assert_eq!(message("FOO ${key}", r"it's\ is bad"), "it[redacted]");
        assert_eq!(message("FOO ${empty}", "near 'FOO'"), "near 'FOO'");
        assert_eq!(message("FOO", "near 'FOO'"), "near 'FOO'");
    }
}
