//! Rules about server options, on the command line and in files of ConfigMaps.

use super::{Level, Rule};
use crate::manifest::{self, step};
use crate::object::{quantity, text};
use crate::object_places::Object;
use crate::set::{Container, Hit, Set};

pub(super) const BUFFER_POOL_TOO_LARGE: Rule = Rule {
    id: "buffer-pool-too-large",
    level: Level::Error,
    summary: "The buffer pool does not fit into the container's memory.",
    why: "The kernel kills the server (OOMKilled) when the pool fills up, and again after each restart. Connections \
          and caches need memory in addition to the pool.",
    fix: "set innodb_buffer_pool_size to at most three quarters of limits.memory",
    source: "https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html#sysvar_innodb_buffer_pool_size",
    find: buffer_pool_too_large,
};

pub(super) const MEMORY_UNIT: Rule = Rule {
    id: "memory-unit",
    level: Level::Error,
    summary: "An amount of memory has a unit for CPU.",
    why: "512m of memory is half a byte: the container cannot start.",
    fix: "write 512Mi",
    source: "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/#meaning-of-memory",
    find: memory_unit,
};

pub(super) const NOT_DURABLE: Rule = Rule {
    id: "not-durable",
    level: Level::Warning,
    summary: "A server acknowledges commits that it may lose.",
    why: "With innodb_flush_log_at_trx_commit or sync_binlog other than 1, a server that crashes can lose \
          acknowledged commits. Without the doublewrite buffer it can have half-written pages. This is faster and may \
          be intended.",
    fix: "leave innodb_flush_log_at_trx_commit=1, sync_binlog=1 and innodb_doublewrite=ON, the defaults of MySQL 8",
    source: "https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html#sysvar_innodb_flush_log_at_trx_commit",
    find: not_durable,
};

pub(super) const NOT_REACHABLE: Rule = Rule {
    id: "not-reachable",
    level: Level::Error,
    summary: "A server accepts no connection from outside its pod, or any connection without a password.",
    why: "With skip-networking, or bound to the loopback address, neither clients nor replicas can reach the server. \
          With skip-grant-tables it requires no password.",
    fix: "remove the option",
    source: "https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_bind_address",
    find: not_reachable,
};

/// An option that a server is given.
struct Given<'a> {
    value: String,
    object: &'a Object,
    pointer: String,
    /// The words that give it there.
    words: String,
}

impl<'a> Given<'a> {
    fn hit(&self, label: impl Into<String>, message: impl Into<String>) -> Hit<'a> {
        Hit::new(self.object, self.pointer.clone(), label, message).on(self.words.clone())
    }

    fn is_off(&self) -> bool {
        ["0", "off", "false"].contains(&self.value.to_ascii_lowercase().as_str())
    }
}

/// The value of an option, named with hyphens: from the command line, which takes precedence, or from an option file.
/// An option without a value is `ON`.
fn given<'a>(set: &Set<'a>, server: &Container<'a>, name: &str) -> Option<Given<'a>> {
    let spelled = |word: &str| word.replace('_', "-").to_ascii_lowercase();
    let flag = format!("--{name}");
    let is_it = |part: &&str| spelled(part) == flag || spelled(part).starts_with(&format!("{flag}="));
    let parts = server.words().filter_map(|(field, word)| Some((field, word.split_whitespace().rfind(is_it)?)));
    if let Some((field, part)) = parts.last() {
        let value = manifest::option(server.value, name).unwrap_or_else(|| "ON".to_owned());
        let pointer = format!("{}{field}", server.pointer);
        return Some(Given { value, object: set.object, pointer, words: part.to_owned() });
    }
    let mut found = None;
    for (map, file, content) in set.files(server) {
        for line in content.lines() {
            let line = line.trim();
            let (key, value) = line.split_once('=').unwrap_or((line, "ON"));
            if spelled(key.trim()) == name {
                let value = value.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']).to_owned();
                let (pointer, words) = (format!("/data{}", step(file)), line.to_owned());
                found = Some(Given { value, object: map, pointer, words });
            }
        }
    }
    found
}

/// Parses a MySQL size such as `4G` to bytes; units are powers of 1024.
fn mysql_bytes(text: &str) -> Option<u64> {
    let unit = text.chars().last().map_or(' ', |unit| unit.to_ascii_uppercase());
    let power = "KMGTP".find(unit).map_or(0, |place| place as u32 + 1);
    let number = if power == 0 { text } else { &text[..text.len() - 1] };
    number.trim().parse::<u64>().ok()?.checked_mul(1_u64.checked_shl(10 * power)?)
}

fn buffer_pool_too_large<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: Container<'a>| {
        let pool = given(set, &server, "innodb-buffer-pool-size")?;
        let limit = server.value.pointer("/resources/limits/memory")?;
        let fits = mysql_bytes(&pool.value)? as f64 <= quantity(limit)?;
        let shown = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
        let message = format!(
            "the buffer pool of container `{}` is {}, but its memory limit is {shown}",
            server.name(),
            pool.value
        );
        (!fits).then(|| pool.hit("larger than limits.memory", message))
    };
    set.servers().into_iter().filter_map(hit).collect()
}

fn memory_unit<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let of = |container: Container<'a>| {
        let hit = |list: &str| {
            let field = format!("/resources/{list}/memory");
            let amount = text(container.value, &field).filter(|amount| amount.ends_with('m'))?;
            let message =
                format!("the memory {} of container `{}` is {amount}", &list[..list.len() - 1], container.name());
            Some(container.hit(&field, "m means a thousandth of a byte", message))
        };
        ["requests", "limits"].into_iter().filter_map(hit).collect::<Vec<_>>()
    };
    set.init_containers().chain(set.containers()).flat_map(of).collect()
}

fn not_durable<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let of = |server: Container<'a>| {
        let numbers = ["innodb-flush-log-at-trx-commit", "sync-binlog"];
        let found = numbers.iter().filter_map(|name| given(set, &server, name).filter(|it| it.value != "1"));
        let doublewrite = given(set, &server, "innodb-doublewrite").filter(Given::is_off);
        let skipped = given(set, &server, "skip-innodb-doublewrite");
        let name = server.name();
        found
            .chain(doublewrite)
            .chain(skipped)
            .map(|it| it.hit("may lose commits", format!("container `{name}` gives up durability: {}", it.words)))
            .collect::<Vec<_>>()
    };
    set.servers().into_iter().flat_map(of).collect()
}

fn not_reachable<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let of = |server: Container<'a>| {
        let name = server.name();
        let flag = |option| given(set, &server, option).filter(|it| !it.is_off());
        let loopback = ["127.0.0.1", "localhost", "::1"];
        let bound = given(set, &server, "bind-address").filter(|it| loopback.contains(&it.value.as_str()));
        let closed = flag("skip-networking").or(bound);
        let open = flag("skip-grant-tables");
        let closed = closed.map(|it| {
            it.hit(
                "not reachable",
                format!("the server of container `{name}` accepts no connection from outside its pod"),
            )
        });
        let open = open
            .map(|it| it.hit("everybody is root", format!("the server of container `{name}` requires no password")));
        closed.into_iter().chain(open).collect::<Vec<_>>()
    };
    set.servers().into_iter().flat_map(of).collect()
}
