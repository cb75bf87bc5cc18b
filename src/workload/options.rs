//! The options that manifests give a server, on its command line and in files from ConfigMaps, and whether there may be
//! options that the manifests do not show.

use serde_json::Value;

use super::Manifest;
use crate::lint::manifest::{base_name, commands, server};
use crate::object::{items, text};

/// Programs that are known to add no options.
const KNOWN: [&str; 26] = [
    "docker-entrypoint.sh",
    "mysqld",
    "mysqld_safe",
    "mariadbd",
    "bash",
    "sh",
    "set",
    "export",
    "test",
    "[",
    "[[",
    "echo",
    "printf",
    "cp",
    "mkdir",
    "chown",
    "chmod",
    "rm",
    "ln",
    "cat",
    "sed",
    "sleep",
    "exit",
    "trap",
    "wait",
    "hostname",
];

/// Parts of paths where servers look for options or for scripts that set them.
const PATHS: [&str; 5] = ["conf", "cnf", "/etc/my", "entrypoint", "initdb"];

/// The folder of scripts that run at the first start. Their text is not options.
const SCRIPTS: &str = "initdb";

/// The options of a server, as far as manifests show them.
pub(super) struct Options<'a> {
    server: &'a Value,
    /// ConfigMap texts that the pod uses, each with the map's name, and whether it is a script of the first start.
    files: Vec<(&'a str, &'a str, bool)>,
    /// Whether there may be options that the manifests do not show.
    pub not_seen: bool,
}

/// The value of an option, and where it is set.
pub(super) struct Said {
    pub value: String,
    pub place: String,
}

impl Said {
    /// Whether it is switched on (`true`) or off (`false`).
    pub(super) fn is(&self, on: bool) -> bool {
        let words = if on { ["on", "1", "true"] } else { ["off", "0", "false"] };
        words.contains(&self.value.to_ascii_lowercase().as_str())
    }
}

impl<'a> Options<'a> {
    /// The options of the server in this container of a pod template.
    pub(super) fn of(manifests: &'a [Manifest], pod: &'a Value, server: &'a Value) -> Self {
        let mut options = Self { server, files: Vec::new(), not_seen: false };
        let map = |name: &str| manifests.iter().find(|it| it.kind() == "ConfigMap" && it.name() == name);
        for mount in containers(pod).flat_map(|container| items(container, "/volumeMounts")) {
            let path = text(mount, "/mountPath").unwrap_or_default();
            let volume = items(pod, "/volumes").find(|it| it.get("name") == mount.get("name"));
            let Some(volume) = volume else { continue };
            match text(volume, "/configMap/name").map(map) {
                Some(Some(map)) => options.add(map, volume, mount, path.contains(SCRIPTS)),
                _ if volume.get("emptyDir").is_some() => options.not_seen |= filled_by_somebody(pod, mount),
                _ => options.not_seen |= PATHS.iter().any(|part| path.contains(part)),
            }
        }
        let argv: Vec<&str> = words(server).collect();
        let in_files = ["defaults-file", "defaults-extra-file"];
        options.not_seen |= in_files.iter().any(|name| server::option(server, name).is_some());
        options.not_seen |= has_opaque_program(&argv);
        // A variable whose value comes from an object may hold options.
        let of_object = |variable: &Value| {
            let is_password = text(variable, "/name").is_some_and(|name| name.contains("PASSWORD"));
            let sources = ["/valueFrom/secretKeyRef", "/valueFrom/configMapKeyRef"];
            !is_password && sources.iter().any(|source| variable.pointer(source).is_some())
        };
        let from_objects = items(server, "/envFrom").next().is_some() || items(server, "/env").any(of_object);
        options.not_seen |= from_objects && argv.iter().any(|word| word.contains('$'));
        options
    }

    fn add(&mut self, map: &'a Manifest, volume: &Value, mount: &Value, is_script: bool) {
        self.not_seen |= map.object.get("binaryData").is_some();
        let keys: Vec<&str> = items(volume, "/configMap/items").filter_map(|item| text(item, "/key")).collect();
        let sub_path = text(mount, "/subPath");
        let files = map.object.get("data").and_then(Value::as_object).into_iter().flatten();
        for (key, content) in files {
            let listed = keys.is_empty() || keys.contains(&key.as_str());
            let mounted = !keys.is_empty() || sub_path.is_none_or(|path| path == key);
            if let (true, Some(content)) = (listed && mounted, content.as_str()) {
                self.files.push((map.name(), content, is_script));
            }
        }
    }

    /// The value of an option: the command line wins, then the last file that sets it. `name` has `_` between words.
    pub(super) fn get(&self, name: &str) -> Option<Said> {
        let hyphened = name.replace('_', "-");
        let on_command_line = ["", "loose-"].iter().find_map(|prefix| {
            let option = format!("{prefix}{hyphened}");
            Some(Said { value: server::option(self.server, &option)?, place: format!("`--{option}` of its command") })
        });
        let in_files = || {
            let lines = self.files.iter().filter(|(.., is_script)| !is_script).flat_map(|(map, content, _)| {
                content.lines().map(move |line| (*map, line.split('#').next().unwrap_or_default().trim()))
            });
            let mut said = lines.filter_map(|(map, line)| {
                let (key, value) = line.split_once('=').unwrap_or((line, "ON"));
                let key = key.trim().to_ascii_lowercase().replace('-', "_");
                let value = value.trim().trim_matches(['"', '\'']).to_owned();
                let is_it = key.strip_prefix("loose_").unwrap_or(&key) == name;
                is_it.then(|| Said { value, place: format!("`{line}` in the ConfigMap {map}") })
            });
            said.next_back()
        };
        on_command_line.or_else(in_files)
    }

    /// Whether the pod or a file mentions `what`, scripts of the first start included.
    pub(super) fn mention(&self, pod: &Value, what: &str) -> bool {
        let speaks = |text: &str| text.to_ascii_lowercase().contains(what);
        let in_pod = containers(pod).any(|container| {
            let values = items(container, "/env").filter_map(|variable| text(variable, "/value"));
            let hooks = ["/lifecycle/postStart/exec/command"].into_iter().flat_map(|list| items(container, list));
            words(container).chain(values).chain(hooks.filter_map(Value::as_str)).any(speaks)
        });
        let uncommented = |line: &str| speaks(line.split('#').next().unwrap_or_default());
        in_pod || self.files.iter().any(|(_, content, _)| content.lines().any(uncommented))
    }
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    items(pod, "/containers").chain(items(pod, "/initContainers"))
}

fn words(container: &Value) -> impl Iterator<Item = &str> {
    ["/command", "/args"].into_iter().flat_map(|list| items(container, list)).filter_map(Value::as_str)
}

/// Whether a command runs a program that may add options.
fn has_opaque_program(argv: &[&str]) -> bool {
    // A shell without `-c` runs the commands of a file.
    let is_shell = argv.first().is_some_and(|program| ["sh", "bash", "dash", "ash"].contains(&base_name(program)));
    if is_shell && argv.len() > 1 && !argv[1..].iter().any(|word| word.starts_with('-') && word.contains('c')) {
        return true;
    }
    let is_known =
        |program: &str| program.is_empty() || program.starts_with('-') || KNOWN.contains(&base_name(program));
    commands(argv).iter().any(|command| !is_known(command.program()))
}

/// Whether an init container fills an empty volume in a way that the manifests do not show.
fn filled_by_somebody(pod: &Value, mount: &Value) -> bool {
    items(pod, "/initContainers").any(|container| {
        let mounts = items(container, "/volumeMounts").any(|it| it.get("name") == mount.get("name"));
        let argv: Vec<&str> = words(container).collect();
        mounts && (argv.is_empty() || has_opaque_program(&argv))
    })
}
