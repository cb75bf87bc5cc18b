//! Rules about readiness: it lets the StatefulSet continue, and DNS list the pod.

use serde_json::Value;

use super::{Level, Rule};
use crate::manifest::{Command, MYSQL_PORT, Then, commands, script};
use crate::object::items;
use crate::set::{Container, Hit, Set};

const ASK_LIKE_A_CLIENT: &str = "run a query over TCP as a client does: mysql --host=127.0.0.1 --execute='SELECT 1', \
                                 with the password in MYSQL_PWD";

pub(super) const NO_READINESS_PROBE: Rule = Rule {
    id: "no-readiness-probe",
    level: Level::Error,
    summary: "A server has no readiness probe, or one that always succeeds.",
    why: "The pod is Ready as soon as the process runs, even if the server still initialises or recovers. The next \
          pod is then started too early, clients reach a server that refuses them, and an update continues although \
          pods are broken.",
    fix: ASK_LIKE_A_CLIENT,
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees",
    find: no_readiness_probe,
};

pub(super) const READINESS_PROBE_LIES: Rule = Rule {
    id: "readiness-probe-lies",
    level: Level::Warning,
    summary: "A readiness probe can succeed while clients are refused.",
    why: "mysqladmin ping also exits with 0 on access denied. The socket answers while the image initialises and \
          clients cannot connect yet. An open port does not prove that the server answers, and aborted connections \
          count towards max_connect_errors. Such a probe is mostly right, so this is not an error.",
    fix: ASK_LIKE_A_CLIENT,
    source: "https://dev.mysql.com/doc/refman/8.4/en/mysqladmin.html",
    find: readiness_probe_lies,
};

pub(super) const PROBE_NEVER_SUCCEEDS: Rule = Rule {
    id: "probe-never-succeeds",
    level: Level::Error,
    summary: "A readiness probe can never succeed.",
    why: "The first pod never becomes Ready, so no other pod is started and no DNS name resolves to it.",
    fix: ASK_LIKE_A_CLIENT,
    source: "https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/",
    find: probe_never_succeeds,
};

/// The clients that can run a query, and those that only ping.
const CLIENTS: [&str; 2] = ["mysql", "mariadb"];
const ADMINS: [&str; 2] = ["mysqladmin", "mariadb-admin"];

const COMMAND: &str = "/readinessProbe/exec/command";

/// The command of the readiness probe.
struct Probe<'a> {
    argv: Vec<&'a str>,
    commands: Vec<Command>,
    has_shell: bool,
}

impl<'a> Probe<'a> {
    fn of(server: &Container<'a>) -> Option<Self> {
        let argv: Vec<&str> = items(server.value, COMMAND).filter_map(Value::as_str).collect();
        let (commands, has_shell) = (commands(&argv), script(&argv).is_some());
        (!argv.is_empty()).then_some(Self { argv, commands, has_shell })
    }

    /// The script of a shell, or the words themselves.
    fn shown(&self) -> String {
        script(&self.argv).map_or_else(|| self.argv.join(" "), |(script, _)| script.to_owned()).trim().to_owned()
    }

    /// Whether it exits with 0 whatever the server does: its last command succeeds, and no earlier command exits.
    fn always_succeeds(&self) -> bool {
        let outer: Vec<&Command> = self.commands.iter().filter(|command| command.depth == 0).collect();
        let Some((last, before)) = outer.split_last() else { return false };
        let succeeds = match (last.program(), last.call()) {
            ("true" | ":" | "echo" | "sleep" | "printf", _) => true,
            ("exit" | "return", [_, code, ..]) => code == "0",
            // Only assignments, as when the words of a script were taken for arguments.
            ("", _) => self.has_shell && self.commands.iter().all(|command| command.depth == 0),
            _ => false,
        };
        let is_reached = before.last().is_none_or(|command| command.then != Then::And && command.then != Then::Pipe);
        let ends_early = |command: &&Command| command.program() == "exit" || command.program() == "set";
        succeeds && is_reached && !before.iter().any(ends_early)
    }

    /// The calls of clients.
    fn calls(&self, names: &[&str]) -> Vec<&[String]> {
        let all = self.commands.iter().filter(|command| names.contains(&command.program()));
        all.map(Command::call).collect()
    }

    /// Whether it searches the client's output for a text.
    fn is_filtered(&self) -> bool {
        self.commands.windows(2).any(|pair| pair[0].then == Then::Pipe && pair[1].program().ends_with("grep"))
    }
}

fn no_readiness_probe<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: Container<'a>| {
        let name = server.name();
        let Some(given) = server.value.get("readinessProbe").filter(|probe| !probe.is_null()) else {
            let message = format!("container `{name}` has no readiness probe");
            return Some(server.hit("/name", "has no readinessProbe", message));
        };
        let handlers = ["exec", "httpGet", "tcpSocket", "grpc"];
        if handlers.iter().all(|handler| given.get(handler).is_none()) {
            let message = format!("the readiness probe of container `{name}` has no handler");
            return Some(server.hit("/readinessProbe", "has no exec, httpGet, tcpSocket or grpc", message));
        }
        let probe = Probe::of(&server)?;
        let message = format!("the readiness probe of container `{name}` always succeeds: `{}`", probe.shown());
        probe.always_succeeds().then(|| server.hit(COMMAND, "always succeeds", message))
    };
    set.servers().into_iter().filter_map(hit).collect()
}

fn readiness_probe_lies<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: Container<'a>| {
        let name = server.name();
        if server.value.pointer("/readinessProbe/tcpSocket").is_some() {
            let message = format!("the readiness probe of container `{name}` only opens a connection");
            return Some(server.hit("/readinessProbe/tcpSocket", "an open port is not a server that answers", message));
        }
        let probe = Probe::of(&server)?;
        if !probe.commands.is_empty() && probe.commands.iter().all(|it| ["pgrep", "pidof"].contains(&it.program())) {
            let message = format!("the readiness probe of container `{name}` only checks for the process");
            return Some(server.hit(COMMAND, "a process is not a server that answers", message));
        }
        let (asks, pings) = (probe.calls(&CLIENTS), probe.calls(&ADMINS));
        let all = || asks.iter().chain(&pings);
        all().next()?;
        let socket = all().all(|call| is_by_socket(call)) && !reaches_elsewhere(&server);
        let only_pings = asks.is_empty() && pings.iter().any(|call| call.iter().any(|word| word == "ping"));
        let (label, what) = match (only_pings && !probe.is_filtered(), socket) {
            (true, true) => ("succeeds on access denied, and over the socket", "pings, over the socket"),
            (true, false) => ("succeeds on access denied", "pings"),
            (false, true) => ("queries over the socket", "queries over the socket"),
            (false, false) => return None,
        };
        Some(server.hit(COMMAND, label, format!("the readiness probe of container `{name}` only {what}")))
    };
    set.servers().into_iter().filter_map(hit).collect()
}

/// Whether a client uses the socket, because it gets no other host. Option files are not read.
fn is_by_socket(call: &[String]) -> bool {
    let by_file = call.iter().any(|word| word.starts_with("--defaults-") || word.starts_with("--login-path"));
    let tcp = call.iter().any(|word| word.eq_ignore_ascii_case("--protocol=tcp"));
    let host = value_of(call, "--host", "-h");
    !by_file && !tcp && host.is_none_or(|host| host == "localhost")
}

/// Whether a variable sets the client's host, which may then be another server than this one.
fn reaches_elsewhere(server: &Container<'_>) -> bool {
    server.variables().any(|(_, name, _)| name == "MYSQL_HOST")
}

/// The value of a client's option, in the same word or in the next one.
fn value_of<'a>(call: &'a [String], long: &str, short: &str) -> Option<&'a str> {
    call.iter().enumerate().find_map(|(place, word)| {
        if word == long || word == short {
            return call.get(place + 1).map(String::as_str);
        }
        let joined = word.strip_prefix(long).and_then(|rest| rest.strip_prefix('='));
        joined.or_else(|| word.strip_prefix(short).filter(|_| !word.starts_with("--")))
    })
}

fn probe_never_succeeds<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: Container<'a>| {
        let name = server.name();
        if let Some(port) = server.value.pointer("/readinessProbe/httpGet/port") {
            let of_server = *port == MYSQL_PORT || port == "mysql";
            let message = format!("the readiness probe of container `{name}` queries a MySQL server over HTTP");
            return of_server.then(|| server.hit("/readinessProbe/httpGet", "MySQL does not speak HTTP", message));
        }
        let probe = Probe::of(&server)?;
        if probe.always_succeeds() {
            return None;
        }
        let why = why_never(&server, &probe)?;
        let message = format!("the readiness probe of container `{name}` can never succeed: {why}");
        Some(server.hit(COMMAND, "never succeeds", message))
    };
    set.servers().into_iter().filter_map(hit).collect()
}

fn why_never(server: &Container<'_>, probe: &Probe<'_>) -> Option<String> {
    let calls = probe.calls(&CLIENTS);
    // Kubernetes expands $(NAME), but without a shell nothing expands $NAME.
    let variable = |word: &&String| {
        let after = word.split('$').nth(1);
        after.is_some_and(|after| after.starts_with(|it: char| it.is_ascii_alphabetic() || "_{".contains(it)))
    };
    if let Some(word) = calls.iter().flat_map(|call| call.iter()).find(variable).filter(|_| !probe.has_shell) {
        return Some(format!("no shell expands the variable in `{word}`"));
    }
    if calls.iter().any(|call| call.windows(2).any(|pair| pair[0] == "-p" && !pair[1].starts_with('-'))) {
        return Some(
            "after `-p` and a space comes a database name, and the client prompts for the password".to_owned(),
        );
    }
    let [call] = calls.as_slice() else { return None };
    let is_root = value_of(call, "--user", "-u").is_none_or(|user| user == "root");
    let says = |word: &String| {
        ["-p", "--password", "--defaults-", "--login-path"].iter().any(|option| word.starts_with(option))
    };
    let by_variable = server.variables().any(|(_, name, _)| name == "MYSQL_PWD")
        || probe.argv.iter().any(|word| word.contains("MYSQL_PWD"));
    let official = ["mysql", "mariadb"].contains(&server.image().name());
    let has_password = server.variables().any(|(_, name, value)| {
        let given = value.get("valueFrom").is_some() || value["value"].as_str().is_some_and(|value| !value.is_empty());
        name.ends_with("_ROOT_PASSWORD") && !name.contains("RANDOM") && !name.contains("ALLOW_EMPTY") && given
    });
    let decides = probe.commands.len() == 1;
    let denied = is_root && official && has_password && decides && !by_variable && !call.iter().any(says);
    denied.then(|| "root has a password, but the probe passes none".to_owned())
}
