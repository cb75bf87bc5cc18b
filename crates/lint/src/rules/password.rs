//! Rules about the root password.

use serde_json::Value;

use super::{Level, Rule};
use crate::manifest::{is_below, is_root_password, secret_text, step};
use crate::object::{items, text};
use crate::object_places::Object;
use crate::set::{Container, Hit, Set};

pub(super) const NO_ROOT_PASSWORD: Rule = Rule {
    id: "no-root-password",
    level: Level::Error,
    summary: "A server has no root password.",
    why: "Without one the image does not initialise a data directory: the first start fails, and no pod becomes \
          Ready.",
    fix: "set MYSQL_ROOT_PASSWORD from a Secret with valueFrom.secretKeyRef, or mount the Secret and set \
          MYSQL_ROOT_PASSWORD_FILE",
    source: "https://dev.mysql.com/doc/refman/8.4/en/docker-mysql-more-topics.html",
    find: no_root_password,
};

pub(super) const OPEN_ROOT_PASSWORD: Rule = Rule {
    id: "open-root-password",
    level: Level::Warning,
    summary: "A root password is in the manifest, or is empty.",
    why: "Anyone who can read the manifest, the pod or the repository can be root on all servers. The workload runs, \
          so this is not an error.",
    fix: "keep it in a Secret and refer to it with valueFrom.secretKeyRef",
    source: "https://kubernetes.io/docs/concepts/configuration/secret/#using-secrets-as-environment-variables",
    find: open_root_password,
};

pub(super) const SECRET_VALUE: Rule = Rule {
    id: "secret-value",
    level: Level::Error,
    summary: "A Secret's value is not the intended one.",
    why: "data holds Base64, and other values are rejected. A value that was encoded with `echo` ends with a newline; \
          as a variable the newline is part of the password, as a file it is not. The image treats an empty password \
          as none.",
    fix: "encode it with `printf %s PASSWORD | base64`, or put the plain text under stringData",
    source: "https://kubernetes.io/docs/tasks/configmap-secret/managing-secret-using-config-file/",
    find: secret_value,
};

pub(super) const USER_IS_ROOT: Rule = Rule {
    id: "user-is-root",
    level: Level::Error,
    summary: "MYSQL_USER is root.",
    why: "MYSQL_USER is for an additional account. With root the entrypoint refuses to start.",
    fix: "remove MYSQL_USER and MYSQL_PASSWORD, or name another user",
    source: "https://dev.mysql.com/doc/refman/8.4/en/docker-mysql-more-topics.html",
    find: user_is_root,
};

/// What the variables of a container say about a root password.
enum Given<'a> {
    /// One of them sets a root password.
    Yes,
    /// None does.
    No,
    /// The variable at this field takes it from a key that its Secret lacks.
    NoSuchKey { field: String, variable: &'a str, key: &'a str, secret: &'a str },
    /// The variable at this field names a file where nothing is mounted.
    NoSuchFile { field: String, variable: &'a str, path: &'a str },
    /// The variables come from objects that are not among the manifests.
    Unknown,
}

fn no_root_password<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: Container<'a>| match given(set, &server) {
        Given::No if initialises(&server) => {
            let name = server.name();
            let message = format!("container `{name}` has neither MYSQL_ROOT_PASSWORD nor a variable that replaces it");
            Some(server.hit("/name", "sets no root password", message))
        }
        Given::NoSuchKey { field, variable, key, secret } => {
            let message = format!("{variable} is taken from the key `{key}` of Secret {secret}, which has no such key");
            Some(server.hit(&format!("{field}/valueFrom/secretKeyRef/key"), "no such key", message))
        }
        Given::NoSuchFile { field, variable, path } => {
            let message = format!("{variable} names the file {path}, and no volume is mounted there");
            Some(server.hit(&format!("{field}/value"), "no such file", message))
        }
        Given::Yes | Given::No | Given::Unknown => None,
    };
    set.servers().into_iter().filter_map(hit).collect()
}

/// Whether the image's entrypoint initializes the data directory and requires a password: the official images and
/// similar ones do. Oracle's images generate a password, and others may have accounts in files of their own.
fn initialises(server: &Container<'_>) -> bool {
    let own_command = items(server.value, "/command").next().is_some();
    let by_entrypoint = server.words().any(|(_, words)| words.contains("docker-entrypoint.sh"));
    let image = server.image();
    let asks = ["mysql", "mariadb", "percona", "percona-server"].contains(&image.name()) || image.is_of_red_hat();
    (!own_command || by_entrypoint) && asks
}

fn given<'a>(set: &Set<'a>, server: &Container<'a>) -> Given<'a> {
    // Red Hat's images accept the password of another user. MySQL's official images know no other names.
    let image = server.image();
    let of_any_user = image.is_of_red_hat();
    let official =
        ["mysql", "percona", "percona-server"].contains(&image.name()) && !image.repository.contains("bitnami");
    let counts = |name: &str| {
        let known = is_root_password(name) && (!official || name.starts_with("MYSQL_"));
        known || (of_any_user && name.ends_with("PASSWORD"))
    };
    for (field, variable, value) in server.variables().filter(|(_, name, _)| counts(name)) {
        if let Some((secret, key)) = missing_key(set, value) {
            return Given::NoSuchKey { field, variable, key, secret };
        }
        let file = text(value, "/value").filter(|file| variable.ends_with("_FILE") && file.starts_with('/'));
        let is_mounted = |path: &&str| {
            let mut mounts = items(server.value, "/volumeMounts").filter_map(|mount| text(mount, "/mountPath"));
            mounts.any(|above| is_below(path, above.trim_end_matches('/')))
        };
        if let Some(path) = file.filter(|path| !is_mounted(path)) {
            return Given::NoSuchFile { field, variable, path };
        }
        // A number is another kind of mistake, not a missing password.
        let is_empty = match value.get("value") {
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::Null) | None => value.get("valueFrom").is_none(),
            Some(_) => false,
        };
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

/// The Secret and the key that a variable needs, if the Secret is among the manifests and lacks the key.
fn missing_key<'a>(set: &Set<'a>, variable: &'a Value) -> Option<(&'a str, &'a str)> {
    let reference = variable.pointer("/valueFrom/secretKeyRef")?;
    let (name, key) = (text(reference, "/name")?, text(reference, "/key")?);
    let keys = keys(set.named("Secret", name)?)?;
    let optional = reference["optional"] == Value::Bool(true);
    (!optional && !keys.contains(&key)).then_some((name, key))
}

/// The keys of a Secret or ConfigMap. One without any keys is filled by something else, so it gives `None`.
fn keys(object: &Object) -> Option<Vec<&str>> {
    let maps =
        ["/data", "/stringData", "/binaryData"].into_iter().filter_map(|map| object.value.pointer(map)?.as_object());
    let keys: Vec<&str> = maps.flat_map(|map| map.keys().map(String::as_str)).collect();
    (!keys.is_empty()).then_some(keys)
}

/// Judges the values of Secrets that servers take from variables.
fn secret_value<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let of = |server: Container<'a>| {
        let listed = items(server.value, "/env").filter_map(|variable| variable.pointer("/valueFrom/secretKeyRef"));
        let listed =
            listed.filter_map(|it| Some((set.named("Secret", text(it, "/name")?)?, text(it, "/key")?.to_owned())));
        let whole =
            items(server.value, "/envFrom").filter_map(|from| set.named("Secret", text(from, "/secretRef/name")?));
        let whole = whole
            .flat_map(|secret| keys(secret).unwrap_or_default().into_iter().map(move |key| (secret, key.to_owned())));
        listed.chain(whole).filter_map(|(secret, key)| wrong_value(secret, &key)).collect::<Vec<_>>()
    };
    set.servers().into_iter().flat_map(of).collect()
}

fn wrong_value<'a>(secret: &'a Object, key: &str) -> Option<Hit<'a>> {
    let name = secret.name();
    let plain = format!("/stringData{}", step(key));
    let (pointer, value) = match secret.value.pointer(&plain) {
        // A value of another type is another kind of mistake.
        Some(value) => (plain, Ok(value.as_str()?.to_owned())),
        None => {
            let pointer = format!("/data{}", step(key));
            let value = secret_text(secret.value.pointer(&pointer)?);
            (pointer, value)
        }
    };
    let hit = |label: &str, what: String| Some(Hit::new(secret, pointer.clone(), label, what));
    match value {
        Err(why) => hit("not Base64", format!("`{key}` of Secret {name} is not Base64: {why}")),
        Ok(value) if value.is_empty() => hit("empty", format!("`{key}` of Secret {name} is empty")),
        Ok(value) if value.ends_with('\n') => {
            let message = format!("`{key}` of Secret {name} ends with a newline");
            Some(hit("with a newline at its end", message)?.at(Level::Warning))
        }
        Ok(_) => None,
    }
}

fn user_is_root<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let of = |server: Container<'a>| {
        let named = |(field, name, variable): (String, &str, &Value)| {
            let is_user = ["MYSQL_USER", "MARIADB_USER"].contains(&name) && text(variable, "/value") == Some("root");
            let message = format!("{name} of container `{}` is root", server.name());
            (is_user && initialises(&server))
                .then(|| server.hit(&format!("{field}/value"), "must be another user", message))
        };
        server.variables().filter_map(named).collect::<Vec<_>>()
    };
    set.servers().into_iter().flat_map(of).collect()
}

fn open_root_password<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: &Container<'a>, (field, name, variable): (String, &str, &Value)| {
        let value = text(variable, "/value").filter(|value| !value.is_empty());
        let is_password = name.ends_with("ROOT_PASSWORD") && !name.contains("RANDOM") && !name.contains("ALLOW_EMPTY");
        let container = server.name();
        match value {
            Some(value) if is_password && !value.contains("$(") => {
                let message = format!("the root password of container `{container}` is in the manifest");
                Some(server.hit(&format!("{field}/value"), "everyone can read it", message))
            }
            Some(value) if name.contains("ALLOW_EMPTY") && !["no", "0", "false"].contains(&value) => {
                let message = format!("container `{container}` allows an empty root password");
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
