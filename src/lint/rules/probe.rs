//! Readiness: what tells the StatefulSet to go on, and DNS to give an address.

use serde_json::Value;

use super::{Level, Rule};
use crate::lint::set::{Container, Hit, Set};
use crate::object::items;

const ASK_LIKE_A_CLIENT: &str = "ask what a client would ask, over TCP: mysql --host=127.0.0.1 --execute='SELECT 1', with \
                                 the password in MYSQL_PWD";

pub(super) const NO_READINESS_PROBE: Rule = Rule {
    id: "no-readiness-probe",
    level: Level::Error,
    summary: "A server has no readiness probe, or one that always succeeds.",
    why: "The pod is Ready as soon as the process runs, while the server still initialises or recovers: the next pod \
          is started too early, clients are sent to a server that refuses them, and an update goes on over broken \
          pods.",
    fix: ASK_LIKE_A_CLIENT,
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees",
    find: no_readiness_probe,
};

pub(super) const READINESS_PROBE_LIES: Rule = Rule {
    id: "readiness-probe-lies",
    level: Level::Warning,
    summary: "A readiness probe can succeed while clients are refused.",
    why: "mysqladmin ping exits with 0 also on access denied; the socket answers while the image initialises, when \
          no client is let in; an open port answers nothing, and connections that are cut short count to \
          max_connect_errors. Most of the time such a probe is right, which is why this is no error.",
    fix: ASK_LIKE_A_CLIENT,
    source: "https://dev.mysql.com/doc/refman/8.4/en/mysqladmin.html",
    find: readiness_probe_lies,
};

fn no_readiness_probe<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: Container<'a>| {
        let name = server.name();
        if server.value.get("readinessProbe").is_none_or(Value::is_null) {
            let message = format!("container `{name}` has no readiness probe");
            return Some(server.hit("/name", "has no readinessProbe", message));
        }
        let words = command(&server)?;
        let program = script(&words);
        let always = ["true", "/bin/true", "/usr/bin/true", ":", "exit 0"].contains(&program)
            || ["echo ", "sleep ", "/bin/echo ", "/bin/sleep "].iter().any(|begin| program.starts_with(begin))
                && !program.contains([';', '&', '|', '\n']);
        let message = format!("the readiness probe of container `{name}` always succeeds: `{program}`");
        always.then(|| server.hit(COMMAND, "always succeeds", message))
    };
    set.servers().into_iter().filter_map(hit).collect()
}

const COMMAND: &str = "/readinessProbe/exec/command";

/// The words of the probe's command, as one line.
fn command(server: &Container<'_>) -> Option<String> {
    let words: Vec<&str> = items(server.value, COMMAND).filter_map(Value::as_str).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The command without the shell around it.
fn script(words: &str) -> &str {
    let shells = ["sh -c ", "bash -c ", "bash -ec ", "sh -ec ", "bash -lc "];
    let inner = shells.iter().find_map(|shell| words.trim_start_matches("/bin/").strip_prefix(shell));
    inner.unwrap_or(words).trim()
}

fn readiness_probe_lies<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: Container<'a>| {
        let name = server.name();
        if server.value.pointer("/readinessProbe/tcpSocket").is_some() {
            let message = format!("the readiness probe of container `{name}` only opens a connection");
            return Some(server.hit("/readinessProbe/tcpSocket", "an open port is not a server that answers", message));
        }
        let words = command(&server)?;
        let client = Client::in_words(&words)?;
        let (socket, says) = (client.by_socket && !reaches_elsewhere(&server), client.pings);
        let (label, what) = match (says, socket) {
            (true, true) => ("succeeds on access denied, and over the socket", "pings, over the socket"),
            (true, false) => ("succeeds on access denied", "pings"),
            (false, true) => ("asks over the socket", "asks over the socket"),
            (false, false) => return None,
        };
        Some(server.hit(COMMAND, label, format!("the readiness probe of container `{name}` only {what}")))
    };
    set.servers().into_iter().filter_map(hit).collect()
}

/// Whether a variable tells the client the host, which may then not be this one's socket.
fn reaches_elsewhere(server: &Container<'_>) -> bool {
    server.variables().any(|(_, name, _)| name == "MYSQL_HOST")
}

/// The MySQL client that a probe calls.
struct Client {
    /// `mysqladmin ping`, and nothing else.
    pings: bool,
    /// It is told no host but the socket's.
    by_socket: bool,
}

impl Client {
    /// The client in a command, unless its options stand in a file that nobody sees here.
    fn in_words(words: &str) -> Option<Self> {
        let bare = |word: &str| word.trim_matches(['"', '\'', '`', '(', ')', ';']).to_owned();
        let words: Vec<String> = words.split_whitespace().map(bare).collect();
        let called = |names: &[&str]| (0..words.len()).any(|at| names.contains(&program(&words, at)));
        let (admin, query) = (called(&["mysqladmin", "mariadb-admin"]), called(&["mysql", "mariadb"]));
        let by_file = words.iter().any(|word| word.starts_with("--defaults-") || word.starts_with("--login-path"));
        if !(admin || query) {
            return None;
        }
        let host = words.iter().enumerate().find_map(|(at, word)| match word.as_str() {
            "-h" | "--host" => words.get(at + 1).map(String::as_str),
            word => {
                word.strip_prefix("--host=").or_else(|| word.strip_prefix("-h").filter(|_| !word.starts_with("--")))
            }
        });
        let tcp = words.iter().any(|word| word.eq_ignore_ascii_case("--protocol=tcp"));
        let by_socket = !by_file && !tcp && host.is_none_or(|host| bare(host) == "localhost");
        Some(Self { pings: admin && !query && words.iter().any(|word| word == "ping"), by_socket })
    }
}

/// The program that a word may call. One that follows these is a user, and a path outside of `bin` is no program.
fn program(words: &[String], at: usize) -> &str {
    let users = ["su", "gosu", "su-exec", "runuser", "-u", "--user"];
    let is_user = at.checked_sub(1).is_some_and(|before| users.contains(&words[before].as_str()));
    match words[at].rsplit_once('/') {
        _ if is_user => "",
        Some((folder, name)) if folder.ends_with("bin") => name,
        Some(_) => "",
        None => &words[at],
    }
}
