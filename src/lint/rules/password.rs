//! The root password.

use serde_json::Value;

use super::{Level, Rule};
use crate::lint::read::Object;
use crate::lint::set::{Container, Hit, Set, is_root_password};
use crate::object::{items, text};

pub(super) const NO_ROOT_PASSWORD: Rule = Rule {
    id: "no-root-password",
    level: Level::Error,
    summary: "A server has no root password.",
    why: "The image makes no data directory without one: the first start ends with an error, and no pod becomes \
          Ready.",
    fix: "take MYSQL_ROOT_PASSWORD from a Secret, by valueFrom.secretKeyRef, or mount the Secret and set \
          MYSQL_ROOT_PASSWORD_FILE",
    source: "https://dev.mysql.com/doc/refman/8.4/en/docker-mysql-more-topics.html",
    find: no_root_password,
};

pub(super) const OPEN_ROOT_PASSWORD: Rule = Rule {
    id: "open-root-password",
    level: Level::Warning,
    summary: "A root password stands in the manifest, or is empty.",
    why: "Whoever reads the manifest, the pod or the repository is root on every server. It runs, which is why this \
          is no error.",
    fix: "keep it in a Secret and name it by valueFrom.secretKeyRef",
    source: "https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-environment-variables",
    find: open_root_password,
};

/// What is known of the variables in a container.
enum Given<'a> {
    /// One of them gives a root password.
    Yes,
    /// None does.
    No,
    /// The variable at this field takes it from a key that its Secret does not have.
    NoSuchKey { field: String, variable: &'a str, key: &'a str, secret: &'a str },
    /// The variables come from objects that the manifests do not bring.
    Unknown,
}

fn no_root_password<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: Container<'a>| match given(set, &server) {
        Given::No if initialises(&server) => {
            let name = server.name();
            let message = format!("container `{name}` has no MYSQL_ROOT_PASSWORD, nor a variable that stands for it");
            Some(server.hit("/name", "sets no root password", message))
        }
        Given::NoSuchKey { field, variable, key, secret } => {
            let message = format!("{variable} is taken from the key `{key}` of Secret {secret}, which has no such key");
            Some(server.hit(&format!("{field}/valueFrom/secretKeyRef/key"), "no such key", message))
        }
        Given::Yes | Given::No | Given::Unknown => None,
    };
    set.servers().into_iter().filter_map(hit).collect()
}

/// Whether the image's own entrypoint makes the data directory, and asks for a password. Oracle's images make one up.
fn initialises(server: &Container<'_>) -> bool {
    let own_command = items(server.value, "/command").next().is_some();
    let by_entrypoint = server.words().any(|(_, words)| words.contains("entrypoint"));
    let makes_one_up = ["mysql-server", "community-server", "enterprise-server"].contains(&server.image().name());
    (!own_command || by_entrypoint) && !makes_one_up
}

fn given<'a>(set: &Set<'a>, server: &Container<'a>) -> Given<'a> {
    // Red Hat's images are content with the password of another user.
    let of_any_user = server.image().is_of_red_hat();
    let counts = |name: &str| is_root_password(name) || (of_any_user && name.ends_with("PASSWORD"));
    for (field, variable, value) in server.variables().filter(|(_, name, _)| counts(name)) {
        if let Some((secret, key)) = missing_key(set, value) {
            return Given::NoSuchKey { field, variable, key, secret };
        }
        let is_empty = value.get("valueFrom").is_none() && text(value, "/value").is_none_or(str::is_empty);
        if !is_empty {
            return Given::Yes;
        }
    }
    let mut answer = Given::No;
    for from in items(server.value, "/envFrom") {
        let prefix = text(from, "/prefix").unwrap_or_default();
        let reference = [("Secret", "/secretRef/name"), ("ConfigMap", "/configMapRef/name")]
            .into_iter()
            .find_map(|(kind, pointer)| set.named(kind, text(from, pointer)?));
        match reference.and_then(keys) {
            None => answer = Given::Unknown,
            Some(keys) if keys.iter().any(|key| counts(&format!("{prefix}{key}"))) => return Given::Yes,
            Some(_) => {}
        }
    }
    answer
}

/// The Secret and the key that a variable needs, where the manifests bring the Secret and it lacks the key.
fn missing_key<'a>(set: &Set<'a>, variable: &'a Value) -> Option<(&'a str, &'a str)> {
    let reference = variable.pointer("/valueFrom/secretKeyRef")?;
    let (name, key) = (text(reference, "/name")?, text(reference, "/key")?);
    let keys = keys(set.named("Secret", name)?)?;
    let optional = reference["optional"] == Value::Bool(true);
    (!optional && !keys.contains(&key)).then_some((name, key))
}

/// The keys of a Secret or ConfigMap. One without any is filled by something else.
fn keys(object: &Object) -> Option<Vec<&str>> {
    let maps =
        ["/data", "/stringData", "/binaryData"].into_iter().filter_map(|map| object.value.pointer(map)?.as_object());
    let keys: Vec<&str> = maps.flat_map(|map| map.keys().map(String::as_str)).collect();
    (!keys.is_empty()).then_some(keys)
}

fn open_root_password<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: &Container<'a>, (field, name, variable): (String, &str, &Value)| {
        let value = text(variable, "/value").filter(|value| !value.is_empty());
        let is_password = name.ends_with("ROOT_PASSWORD") && !name.contains("RANDOM") && !name.contains("ALLOW_EMPTY");
        let container = server.name();
        match value {
            Some(value) if is_password && !value.contains("$(") => {
                let message = format!("the root password of container `{container}` stands in the manifest");
                Some(server.hit(&format!("{field}/value"), "everyone can read it", message))
            }
            Some(value) if name.contains("ALLOW_EMPTY") && !["no", "0", "false"].contains(&value) => {
                let message = format!("container `{container}` agrees to an empty root password");
                Some(server.hit(&format!("{field}/name"), "root needs no password", message))
            }
            None if is_password && variable.pointer("/valueFrom/configMapKeyRef").is_some() => {
                let message = format!("the root password of container `{container}` is kept in a ConfigMap");
                Some(server.hit(&format!("{field}/valueFrom/configMapKeyRef"), "everyone can read it", message))
            }
            _ => None,
        }
    };
    set.servers()
        .into_iter()
        .flat_map(|server| server.variables().filter_map(|it| hit(&server, it)).collect::<Vec<_>>())
        .collect()
}
