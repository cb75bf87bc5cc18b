//! Finds the source of a server's root password: the environment variables that images read, with all ways to set them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Manifest;
use crate::lint::manifest::is_below;
use crate::object::{items, text};

/// Where the root password comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// The image is configured to have none.
    Empty,
    /// A literal in the pod template.
    Literal(String),
    /// A key of an object.
    Key(Key),
}

/// The kinds of objects that hold values under keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

impl Holder {
    /// The kind, as written in manifests.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        }
    }
}

/// A key of a Secret or a ConfigMap; as a text `secret/NAME/KEY` or `configmap/NAME/KEY`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key {
    /// What holds it.
    pub kind: Holder,
    /// The object's name.
    pub name: String,
    /// The key.
    pub key: String,
    /// Whether it is read as a file. Images strip trailing newlines from files.
    pub as_file: bool,
}

impl std::str::FromStr for Key {
    type Err = String;

    /// Parses `secret/NAME/KEY` or `configmap/NAME/KEY`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(3, '/').collect();
        let kind = match parts.first().map(|kind| kind.to_ascii_lowercase()).as_deref() {
            Some("secret" | "secrets") => Holder::Secret,
            Some("configmap" | "configmaps" | "cm") => Holder::ConfigMap,
            _ => return Err("give secret/NAME/KEY or configmap/NAME/KEY".to_owned()),
        };
        match parts.as_slice() {
            [_, name, key] if !name.is_empty() && !key.is_empty() => {
                Ok(Self { kind, name: (*name).to_owned(), key: (*key).to_owned(), as_file: false })
            }
            _ => Err(format!("give {}/NAME/KEY", kind.kind().to_ascii_lowercase())),
        }
    }
}

impl TryFrom<String> for Key {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.kind.kind().to_ascii_lowercase(), self.name, self.key)
    }
}

/// The variables that set a password, in order of precedence. MariaDB images read their own names first
/// (<https://mariadb.com/kb/en/mariadb-server-docker-official-image-environment-variables/>); MySQL images know only
/// the `MYSQL_` names (<https://dev.mysql.com/doc/refman/8.4/en/docker-mysql-more-topics.html>).
const PASSWORDS: [&str; 2] = ["MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD"];
/// The variables that set a password which nobody knows beforehand.
const UNKNOWABLE: [&str; 3] =
    ["MARIADB_ROOT_PASSWORD_HASH", "MARIADB_RANDOM_ROOT_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD"];
/// The variables that allow an empty password.
const EMPTY: [&str; 4] = [
    "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD",
    "MARIADB_ALLOW_EMPTY_PASSWORD",
    "MYSQL_ALLOW_EMPTY_PASSWORD",
    "ALLOW_EMPTY_PASSWORD",
];

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Given {
    Text(String),
    Key(Key),
    /// The manifests do not show it, for this reason.
    Unknown(String),
}

/// Where the password of the server in this container of a pod template comes from. A set password wins over a variable
/// that allows an empty one, in any order.
///
/// # Errors
/// When the manifests do not show it, with the reason.
pub(crate) fn credentials(manifests: &[Manifest], pod: &Value, container: &Value) -> Result<Credentials, String> {
    let environment = Environment::of(manifests, container);
    let image = text(container, "/image").unwrap_or_default();
    let of_mysql_alone = !image.contains("mariadb") && (image.contains("mysql") || image.contains("percona"));
    let known = |name: &&str| !(of_mysql_alone && name.starts_with("MARIADB_"));
    for name in PASSWORDS.into_iter().filter(known) {
        match environment.get(name) {
            Some(Given::Text(password)) => return Ok(Credentials::Literal(password.clone())),
            Some(Given::Key(key)) => return Ok(Credentials::Key(key.clone())),
            Some(Given::Unknown(why)) => return Err(format!("{name} {why}")),
            None => {}
        }
        let path = format!("{name}_FILE");
        match environment.get(&path) {
            Some(Given::Text(file)) => return key_of_file(pod, container, file).map(Credentials::Key),
            Some(Given::Key(key)) => return Err(format!("{path} gets its path from {key}")),
            Some(Given::Unknown(why)) => return Err(format!("{path} {why}")),
            None => {}
        }
    }
    let is_set = |name: &&str| known(name) && environment.get(name).is_some();
    if let Some(name) = UNKNOWABLE.iter().find(|name| is_set(name)) {
        return Err(format!("{name} lets the image choose the password, or gives only its hash"));
    }
    if EMPTY.iter().any(is_set) {
        return Ok(Credentials::Empty);
    }
    let name = text(container, "/name").unwrap_or_default();
    Err(match environment.not_seen.as_slice() {
        [] => format!("the container `{name}` has neither MYSQL_ROOT_PASSWORD nor an equivalent variable"),
        not_seen => format!("its variables come from {}, which the manifests do not contain", not_seen.join(", ")),
    })
}

/// The variables of a container, and the sources that may add more.
struct Environment {
    /// The last variable of a name wins.
    variables: Vec<(String, Given)>,
    /// Objects that `envFrom` names and the manifests do not contain.
    not_seen: Vec<String>,
}

impl Environment {
    fn of(manifests: &[Manifest], container: &Value) -> Self {
        let mut environment = Self { variables: Vec::new(), not_seen: Vec::new() };
        for from in items(container, "/envFrom") {
            let prefix = text(from, "/prefix").unwrap_or_default();
            let references = [(Holder::Secret, "/secretRef/name"), (Holder::ConfigMap, "/configMapRef/name")];
            let named = references.into_iter().find_map(|(kind, pointer)| Some((kind, text(from, pointer)?)));
            let Some((kind, name)) = named else { continue };
            let keys = keys(manifests, kind, name);
            if keys.is_empty() {
                environment.not_seen.push(format!("{} {name}", kind.kind()));
            }
            let key = |key: &str| Key { kind, name: name.to_owned(), key: key.to_owned(), as_file: false };
            environment.variables.extend(keys.iter().map(|it| (format!("{prefix}{it}"), Given::Key(key(it)))));
        }
        for variable in items(container, "/env") {
            let Some(name) = text(variable, "/name") else { continue };
            let given = environment.given(variable);
            environment.variables.push((name.to_owned(), given));
        }
        environment
    }

    /// The value of a listed variable.
    fn given(&self, variable: &Value) -> Given {
        if let Some(value) = variable.get("value").and_then(Value::as_str) {
            return self.expanded(value);
        }
        let sources = [(Holder::Secret, "/valueFrom/secretKeyRef"), (Holder::ConfigMap, "/valueFrom/configMapKeyRef")];
        let key = sources.into_iter().find_map(|(kind, pointer)| {
            let reference = variable.pointer(pointer)?;
            let (name, key) = (text(reference, "/name")?.to_owned(), text(reference, "/key")?.to_owned());
            Some(Key { kind, name, key, as_file: false })
        });
        match (key, variable.get("value"), variable.get("valueFrom")) {
            (Some(key), ..) => Given::Key(key),
            (None, Some(Value::Null) | None, None) => Given::Text(String::new()),
            (None, Some(_), None) => Given::Unknown("has a value that is not a string: quote it".to_owned()),
            (None, ..) => Given::Unknown("comes from a field of the pod".to_owned()),
        }
    }

    /// A literal after Kubernetes expanded `$(NAME)`; `$$` stands for one `$`
    /// (<https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/>).
    fn expanded(&self, value: &str) -> Given {
        let (mut text, mut rest) = (String::new(), value);
        while let Some(place) = rest.find('$') {
            text.push_str(&rest[..place]);
            let after = &rest[place + 1..];
            let reference = after.strip_prefix('(').and_then(|inner| inner.split_once(')'));
            match reference {
                _ if after.starts_with('$') => {
                    text.push('$');
                    rest = &after[1..];
                }
                Some((name, behind)) => {
                    match self.named(name) {
                        None => text.push_str(&rest[place..rest.len() - behind.len()]),
                        Some(Given::Text(value)) => text.push_str(value),
                        Some(given) if text.is_empty() && behind.is_empty() => return given.clone(),
                        Some(_) => return Given::Unknown(format!("is composed of ${{{name}}} and other text")),
                    }
                    rest = behind;
                }
                None => {
                    text.push('$');
                    rest = after;
                }
            }
        }
        text.push_str(rest);
        Given::Text(text)
    }

    fn named(&self, name: &str) -> Option<&Given> {
        self.variables.iter().rev().find(|(known, _)| known == name).map(|(_, given)| given)
    }

    /// The value of a variable. Images treat an empty value as unset.
    fn get(&self, name: &str) -> Option<&Given> {
        self.named(name).filter(|given| **given != Given::Text(String::new()))
    }
}

/// The keys of a Secret or ConfigMap in the manifests.
fn keys<'a>(manifests: &'a [Manifest], kind: Holder, name: &str) -> Vec<&'a str> {
    let object = manifests.iter().find(|manifest| manifest.kind() == kind.kind() && manifest.name() == name);
    let maps = ["/data", "/stringData"].into_iter().filter_map(|map| object?.object.pointer(map)?.as_object());
    maps.flat_map(|map| map.keys().map(String::as_str)).collect()
}

/// The key that a file in a container shows, from the Secret or ConfigMap volume mounted at its path
/// (<https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-files-from-a-pod>).
fn key_of_file(pod: &Value, container: &Value, file: &str) -> Result<Key, String> {
    let below = |mount: &Value| {
        let path = text(mount, "/mountPath")?.trim_end_matches('/');
        // A mount of a single file names it in subPath.
        let inner = file.strip_prefix(path).filter(|_| is_below(file, path))?;
        let inner = inner.strip_prefix('/').unwrap_or_default();
        let above = text(mount, "/subPath").unwrap_or_default();
        let joined = [above, inner].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        Some((path.len(), text(mount, "/name")?.to_owned(), joined))
    };
    let nearest = items(container, "/volumeMounts").filter_map(below).max_by_key(|(length, ..)| *length);
    let Some((_, volume, path)) = nearest else {
        return Err(format!("the password is in the file {file}, but no volume is mounted there"));
    };
    let source = items(pod, "/volumes").find(|it| text(it, "/name") == Some(&volume));
    let projected = source.into_iter().flat_map(|source| items(source, "/projected/sources"));
    let key = source.into_iter().chain(projected).find_map(|source| key_at(source, &path));
    key.ok_or_else(|| {
        format!("the password is in the file {file}, which no Secret or ConfigMap of the pod template provides")
    })
}

/// The key that a volume source shows at this path.
fn key_at(source: &Value, path: &str) -> Option<Key> {
    let sources =
        [(Holder::Secret, "/secret", ["/secretName", "/name"]), (Holder::ConfigMap, "/configMap", ["/name", "/name"])];
    sources.into_iter().find_map(|(kind, pointer, names)| {
        let source = source.pointer(pointer)?;
        let name = names.into_iter().find_map(|name| text(source, name))?;
        let listed = items(source, "/items").find(|item| text(item, "/path") == Some(path));
        let key = match listed {
            Some(item) => text(item, "/key")?,
            None if items(source, "/items").next().is_none() => path,
            None => return None,
        };
        Some(Key { kind, name: name.to_owned(), key: key.to_owned(), as_file: true })
    })
}

#[cfg(test)]
mod tests;
