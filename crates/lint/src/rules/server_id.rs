//! Rules about the server_id, which must depend on the ordinal.

use serde_json::Value;

use super::{Level, Rule};
use crate::manifest::step;
use crate::object::{strings, text};
use crate::set::{Container, Hit, POD, Set};

pub(super) const SAME_SERVER_ID: Rule = Rule {
    id: "same-server-id",
    level: Level::Error,
    summary: "Servers of one set have the same server_id.",
    why: "Replication between two servers with the same server_id stops at once with error 1593. With 0, which is \
          also the default in MySQL 5.7, a server refuses to replicate.",
    fix: "derive it from the ordinal in the label apps.kubernetes.io/pod-index, plus a number above 0: \
          --server-id=$((100 + POD_INDEX)) in a shell command",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-options.html#sysvar_server_id",
    find: same_server_id,
};

/// How a text gives a server_id.
#[derive(Debug, PartialEq, Eq)]
enum Mention {
    /// A number.
    Number(u64),
    /// A variable that Kubernetes expands: `$(NAME)`.
    Variable(String),
    /// Something that only a program can evaluate, or several things.
    Other,
}

fn same_server_id<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    if set.replicas() < 2 {
        return Vec::new();
    }
    set.servers().into_iter().filter_map(|server| of_server(set, &server)).collect()
}

fn of_server<'a>(set: &Set<'a>, server: &Container<'a>) -> Option<Hit<'a>> {
    let words: Vec<(String, &str)> = server.words().collect();
    let last = words.iter().rposition(|(_, word)| mentions(word));
    let Some(last) = last else { return of_configuration(set, server) };
    let (field, word) = &words[last];
    let next = words.get(last + 1).map(|(_, word)| *word);
    let (count, name) = (set.replicas(), server.name());
    match mention(word, next)? {
        Mention::Number(number) => {
            let message = format!("all {count} servers of container `{name}` have the server_id {number}");
            Some(server.hit(field, "the same in every pod", message))
        }
        Mention::Variable(variable) => of_variable(set, server, field, &variable),
        Mention::Other => None,
    }
}

/// Judges the variable that gives the number: the same in every pod, or the ordinal itself, which is 0 in the first
/// pod.
fn of_variable<'a>(set: &Set<'a>, server: &Container<'a>, field: &str, variable: &str) -> Option<Hit<'a>> {
    let (at, _, value) = server.variables().filter(|(_, name, _)| *name == variable).last()?;
    if let Some(number) = text(value, "/value").filter(|value| value.parse::<u64>().is_ok()) {
        let message =
            format!("all {} servers of container `{}` have the server_id {number}", set.replicas(), server.name());
        return Some(server.hit(&format!("{at}/value"), "the same in every pod", message));
    }
    let label = text(value, "/valueFrom/fieldRef/fieldPath").unwrap_or_default();
    let is_ordinal = label.contains("apps.kubernetes.io/pod-index");
    let first = set.number("/spec/ordinals/start").unwrap_or(0);
    let message = format!("{}-0 has the server_id 0 and therefore refuses to replicate", set.name());
    (is_ordinal && first == 0).then(|| server.hit(field, "is 0 in the first pod", message))
}

/// Judges a set whose command line gives no server_id. A ConfigMap may give the same one to all pods; what lint cannot
/// see may give each its own.
fn of_configuration<'a>(set: &Set<'a>, server: &Container<'a>) -> Option<Hit<'a>> {
    if may_be_given_elsewhere(set, server) {
        return None;
    }
    let (count, name) = (set.replicas(), server.name());
    let mut numbers = Vec::new();
    for (map, file, content) in set.files(server) {
        match mention(content, None) {
            Some(Mention::Number(number)) => numbers.push((map, file, number)),
            Some(_) => return None,
            None => {}
        }
    }
    match numbers.as_slice() {
        [] => {
            let message = format!("nothing gives each of the {count} servers of container `{name}` its own server_id");
            Some(server.hit("/name", "sets no --server-id", message))
        }
        [(map, file, number)] => {
            let message = format!("all {count} servers of container `{name}` read the server_id {number}");
            let pointer = format!("/data{}", step(file));
            let content = map.value.pointer(&pointer).and_then(Value::as_str).unwrap_or_default();
            let says = |line: &&str| mention(line, None) == Some(Mention::Number(*number));
            let line = content.lines().find(says).unwrap_or_default().trim();
            Some(Hit::new(map, pointer, format!("says server-id={number}"), message).on(line))
        }
        // It is unknown which of several files a server reads.
        _ => None,
    }
}

/// Whether another part of the pod may give each server its own: one that mentions the option, one that lint cannot see
/// into, or a Galera cluster, in which all may have the same.
fn may_be_given_elsewhere<'a>(set: &Set<'a>, server: &Container<'a>) -> bool {
    let pod = set.object.value.pointer(POD).unwrap_or(&Value::Null).to_string();
    let own_script = server
        .words()
        .any(|(_, word)| word.split_whitespace().any(|part| part.ends_with(".sh") && !part.ends_with("entrypoint.sh")));
    let replication_by_image = server.variables().any(|(_, name, _)| name.ends_with("REPLICATION_MODE"));
    let scripts = || set.beside("ConfigMap").flat_map(|map| strings(&map.value, "/data").into_values());
    own_script
        || server.image().is_of_galera()
        || replication_by_image
        || set.has_unseen_options(server)
        || mentions(&pod)
        || pod.contains("wsrep")
        || scripts().any(|text| text.contains("wsrep") || mention(&text, None) == Some(Mention::Other))
}

const NAMES: [&str; 2] = ["server-id", "server_id"];

fn mentions(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    NAMES.iter().any(|name| text.contains(name))
}

/// How a word of a command line, or an option file, gives the server_id. A word without `=` has its value in the next
/// one.
fn mention(text: &str, next: Option<&str>) -> Option<Mention> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(['#', ';']));
    let values = lines.flat_map(|line| {
        let lower = line.to_ascii_lowercase();
        let ends = NAMES
            .iter()
            .flat_map(|name| lower.match_indices(name).map(|(at, name)| at + name.len()).collect::<Vec<_>>());
        ends.map(|end| value(&line[end..], next)).collect::<Vec<_>>()
    });
    values.map(Some).reduce(|one, other| if one == other { one } else { Some(Mention::Other) }).flatten()
}

/// The value after the name of the option.
fn value(rest: &str, next: Option<&str>) -> Mention {
    let rest = match (rest.trim_start().strip_prefix('='), next) {
        (Some(value), _) => value,
        (None, Some(next)) if rest.is_empty() => next,
        (None, _) => rest,
    };
    let word = rest.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']);
    let variable = word.strip_prefix("$(").and_then(|word| word.strip_suffix(')'));
    match (word.parse(), variable) {
        (Ok(number), _) => Mention::Number(number),
        (_, Some(name)) if name.chars().all(|it| it.is_ascii_alphanumeric() || it == '_') => {
            Mention::Variable(name.to_owned())
        }
        _ => Mention::Other,
    }
}
