//! Workloads that a run cannot judge, known from their manifests: what it compares are the transactions of one primary and
//! its replicas, by GTID.

use serde_json::Value;

use super::manifests::Manifest;
use super::server;
use super::shell::base_name;
use super::subject::SubjectError;
use crate::image::Image;
use crate::object::{items, text};

/// Images whose server has the options that the manifests give it, and no others.
const OFFICIAL: [&str; 7] = [
    "mysql",
    "library/mysql",
    "mysql/mysql-server",
    "mysql/community-server",
    "percona",
    "percona/percona-server",
    "library/percona",
];

/// How several servers hold the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Galera,
    GroupReplication,
    WithoutGtids,
}

impl Way {
    fn words(self) -> &'static str {
        match self {
            Self::Galera => "its servers are members of a Galera cluster",
            Self::GroupReplication => "its servers are members of a replication group",
            Self::WithoutGtids => "its servers have no GTIDs: gtid_mode is OFF unless it is set",
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            Self::Galera | Self::GroupReplication => {
                "a run needs one primary, at the first ordinal, and replicas that follow it by GTID; `steadfast lint` judges \
                 the manifests, and what needs no replication can be run by name, as `steadfast run dns::short_names_resolve`"
            }
            Self::WithoutGtids => {
                "replicas follow, and are compared, by GTID: set gtid_mode=ON and enforce_gtid_consistency=ON"
            }
        }
    }
}

/// Refuses a workload whose replication no run can judge.
///
/// # Errors
/// When it is one.
pub fn can_be_judged(manifests: &[Manifest]) -> Result<(), SubjectError> {
    let Some(set) = manifests.iter().find(|manifest| manifest.kind() == "StatefulSet") else { return Ok(()) };
    let pod = set.object.pointer("/spec/template/spec").unwrap_or(&Value::Null);
    let containers: Vec<&Value> = items(pod, "/containers").collect();
    let [place] = server::servers(pod)[..] else { return Ok(()) };
    let replicates = set.object.pointer("/spec/replicas").and_then(Value::as_u64).is_some_and(|pods| pods > 1);
    match way(manifests, pod, containers[place]).filter(|(way, _)| *way != Way::WithoutGtids || replicates) {
        None => Ok(()),
        Some((way, seen)) => {
            Err(SubjectError::Unsupported { set: set.name().to_owned(), what: way.words(), seen, remedy: way.remedy() })
        }
    }
}

/// The way in which a server's rows get to the others, where no run can judge it, and where that is seen.
fn way(manifests: &[Manifest], pod: &Value, server: &Value) -> Option<(Way, String)> {
    let image = text(server, "/image").unwrap_or_default();
    let name = base_name(Image::parse(image).repository);
    if ["galera", "xtradb-cluster", "pxc"].iter().any(|word| name.contains(word)) {
        return Some((Way::Galera, format!("the image {image}")));
    }
    let lines = said(manifests, pod);
    let says = |markers: &[&str]| lines.iter().find(|line| markers.iter().any(|marker| line.spelled.contains(marker)));
    if let Some(line) = says(&["wsrep_cluster_address", "wsrep_new_cluster", "wsrep_on=on", "wsrep_on=1"]) {
        return Some((Way::Galera, line.words()));
    }
    if let Some(line) = says(&["group_replication_group_name", "group_replication.so", "group_replication_group_seeds"])
    {
        return Some((Way::GroupReplication, line.words()));
    }
    if let Some(line) = says(&["gtid_mode=off", "gtid_mode=0"]) {
        return Some((Way::WithoutGtids, line.words()));
    }
    let official = OFFICIAL.iter().any(|known| {
        let repository = Image::parse(image).repository;
        // A mirror has the whole path; under a short name anybody may have an image.
        let mirrored = || repository.strip_suffix(known).is_some_and(|before| before.ends_with('/'));
        repository == *known || (known.contains('/') && mirrored())
    });
    let silent = official && says(&["gtid"]).is_none() && !has_unseen_options(manifests, pod, &lines);
    silent.then(|| (Way::WithoutGtids, "neither its command nor a file of options speaks of them".to_owned()))
}

/// A line of a pod template, or of a ConfigMap that it uses.
struct Line<'a> {
    /// What it belongs to.
    place: &'a str,
    text: &'a str,
    /// In small letters, without spaces, with `_` between words: options may be spelled with `-` too.
    spelled: String,
}

impl Line<'_> {
    fn words(&self) -> String {
        format!("`{}` in {}", self.text, self.place)
    }
}

/// All that the manifests say to a pod, without comments.
fn said<'a>(manifests: &'a [Manifest], pod: &'a Value) -> Vec<Line<'a>> {
    let used = |name: &str| texts(pod).contains(&name);
    let maps = manifests.iter().filter(|manifest| manifest.kind() == "ConfigMap" && used(manifest.name()));
    let of_maps = maps.flat_map(|map| texts(&map.object["data"]).into_iter().map(|text| (map.name(), text)));
    let all = texts(pod).into_iter().map(|text| ("the pod template", text)).chain(of_maps);
    let lines = all.flat_map(|(place, text)| text.lines().map(move |line| (place, line.trim())));
    let lines = lines.filter(|(_, line)| !line.starts_with(['#', ';']));
    lines
        .map(|(place, text)| {
            let spelled = text.to_ascii_lowercase().replace('-', "_").replace(' ', "");
            Line { place, text, spelled }
        })
        .collect()
}

/// Every text in a value.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Whether the server may have options that the manifests do not show: from a script in an image, or from a volume that is
/// filled by somebody else.
fn has_unseen_options(manifests: &[Manifest], pod: &Value, lines: &[Line<'_>]) -> bool {
    let is_script = |word: &str| word.ends_with(".sh") && !word.ends_with("docker-entrypoint.sh");
    let runs_script = lines.iter().any(|line| line.text.split_whitespace().any(is_script));
    let brought = |name: &str| manifests.iter().any(|it| it.kind() == "ConfigMap" && it.name() == name);
    let is_seen = |volume: &Value| match text(volume, "/configMap/name") {
        Some(name) => brought(name),
        None => volume.get("emptyDir").is_some(),
    };
    let mounts = items(pod, "/containers").flat_map(|container| items(container, "/volumeMounts"));
    let mut configuring = mounts.filter(|mount| {
        let path = text(mount, "/mountPath").unwrap_or_default();
        ["conf", "cnf", "/etc/my", "entrypoint", "initdb"].iter().any(|part| path.contains(part))
    });
    let unseen = configuring.any(|mount| {
        let volume = items(pod, "/volumes").find(|volume| volume.get("name") == mount.get("name"));
        !volume.is_some_and(is_seen)
    });
    runs_script || unseen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::parse;

    const SET: &str =
        "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {replicas: 3, template: {spec: POD}}\n";

    fn refusal(pod: &str, beside: &str) -> Option<String> {
        let text = format!("{}---\n{beside}", SET.replace("POD", pod));
        can_be_judged(&parse("db.yaml", &text).expect("YAML")).err().map(|error| error.to_string())
    }

    #[test]
    fn a_replica_without_gtids_is_refused_and_a_single_server_is_not() {
        let plain = "{containers: [{name: a, image: 'mysql:8.4'}]}";
        insta::assert_snapshot!(refusal(plain, "").expect("refused"), @"StatefulSet db cannot be tested: its servers have no GTIDs: gtid_mode is OFF unless it is set (neither its command nor a file of options speaks of them); replicas follow, and are compared, by GTID: set gtid_mode=ON and enforce_gtid_consistency=ON");
        let off = "{containers: [{name: a, image: 'docker.io/library/percona:8.0', args: ['--gtid_mode=OFF']}]}";
        assert!(refusal(off, "").is_some_and(|error| error.contains("(`--gtid_mode=OFF` in the pod template)")));
        let one = SET.replace("replicas: 3, ", "").replace("POD", plain);
        assert!(can_be_judged(&parse("db.yaml", &one).expect("YAML")).is_ok());
    }

    #[test]
    fn who_may_have_gtids_is_let_in() {
        let option = "args: [--gtid-mode=ON]";
        let script = "command: [bash, -c, 'exec /opt/start.sh']";
        let mounted = "volumeMounts: [{name: conf, mountPath: /etc/mysql/conf.d}]}], volumes: [{name: conf, ";
        for pod in [
            format!("{{containers: [{{name: a, image: 'mysql:8.4', {option}}}]}}"),
            format!("{{containers: [{{name: a, image: 'mysql:8.4', {script}}}]}}"),
            "{containers: [{name: a, image: 'mariadb:11.4'}]}".to_owned(),
            "{containers: [{name: a, image: 'acme/mysql:8.4'}]}".to_owned(),
            format!("{{containers: [{{name: a, image: 'mysql:8.4', {mounted} secret: {{secretName: conf}}}}]}}"),
            format!("{{containers: [{{name: a, image: 'mysql:8.4', {mounted} configMap: {{name: elsewhere}}}}]}}"),
        ] {
            assert_eq!(refusal(&pod, ""), None, "{pod}");
        }
        let map = |line: &str| {
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: conf}}\ndata:\n  my.cnf: |\n    [mysqld]\n    {line}\n"
            )
        };
        let pod = format!("{{containers: [{{name: a, image: 'mysql:8.4', {mounted} configMap: {{name: conf}}}}]}}");
        assert_eq!(refusal(&pod, &map("gtid_mode = ON")), None);
        assert!(refusal(&pod, &map("# gtid_mode = ON")).is_some_and(|error| error.contains("no GTIDs")));
    }

    #[test]
    fn members_of_a_group_are_refused_by_what_says_so() {
        let galera = "{containers: [{name: a, image: 'mariadb:11.4', args: [--wsrep-on=ON]}]}";
        insta::assert_snapshot!(refusal(galera, "").expect("refused"), @"StatefulSet db cannot be tested: its servers are members of a Galera cluster (`--wsrep-on=ON` in the pod template); a run needs one primary, at the first ordinal, and replicas that follow it by GTID; `steadfast lint` judges the manifests, and what needs no replication can be run by name, as `steadfast run dns::short_names_resolve`");
        assert!(refusal("{containers: [{name: a, image: 'acme/mariadb-galera:11'}]}", "").is_some());
        assert_eq!(refusal("{containers: [{name: a, image: 'mariadb:11.4', args: [--wsrep-on=OFF]}]}", ""), None);
        let group = "{containers: [{name: a, image: 'mysql:8.4', args: ['--loose-group-replication-group-name=x', --gtid-mode=ON]}]}";
        assert!(refusal(group, "").is_some_and(|error| error.contains("members of a replication group")));
    }
}
