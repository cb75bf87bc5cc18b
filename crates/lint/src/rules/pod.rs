//! Rules about what pods run, which resources they get, and how they terminate.

use serde_json::Value;

use super::{Level, Rule};
use crate::object::{items, text};
use crate::object_places::Object;
use crate::set::{Container, Hit, POD, Set};

pub(super) const IMAGE_TAG_MOVES: Rule = Rule {
    id: "image-tag-moves",
    level: Level::Warning,
    summary: "An image's tag may refer to another version later.",
    why: "A pod that is recreated on another node pulls the tag's current image. Then servers of one set have \
          different versions, and a newer server upgrades its data directory, which an older one can no longer open.",
    fix: "use the full version, such as mysql:8.4.6, or a digest",
    source: "https://kubernetes.io/docs/concepts/containers/images/#image-names",
    find: image_tag_moves,
};

pub(super) const NO_DISRUPTION_BUDGET: Rule = Rule {
    id: "no-disruption-budget",
    level: Level::Warning,
    summary: "No PodDisruptionBudget covers the pods.",
    why: "If two nodes are drained at once, for example by a cluster upgrade, the primary and its replicas go down \
          together. The budget may be defined elsewhere, so this is not an error.",
    fix: "add a PodDisruptionBudget with maxUnavailable: 1 that selects the labels of the pods",
    source: "https://kubernetes.io/docs/tasks/run-application/configure-pdb/",
    find: no_disruption_budget,
};

pub(super) const GRACE_PERIOD_TOO_SHORT: Rule = Rule {
    id: "grace-period-too-short",
    level: Level::Warning,
    summary: "The grace period is shorter than a server needs to shut down.",
    why: "At its end the server is killed while it still writes dirty pages. The next start needs crash recovery, \
          which may take longer than the shutdown. The period includes preStop. The default of 30 s is the minimum; a \
          large buffer pool needs minutes.",
    fix: "set terminationGracePeriodSeconds to the longest shutdown you have seen, plus preStop",
    source: "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination",
    find: grace_period_too_short,
};

pub(super) const NO_RESOURCES: Rule = Rule {
    id: "no-resources",
    level: Level::Warning,
    summary: "A container has no memory or CPU request, or no memory limit.",
    why: "Without a memory request a pod is evicted first from a full node. Without a memory limit one server can use \
          up the node's memory. Without a CPU request other pods can starve it.",
    fix: "set resources.requests for memory and cpu, and limits.memory; keep the buffer pool well below the limit",
    source: "https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/",
    find: no_resources,
};

pub(super) const PARALLEL_PODS: Rule = Rule {
    id: "parallel-pods",
    level: Level::Note,
    summary: "All pods are started at once.",
    why: "Nothing waits for the primary: replicas may start before their source, and scaling down does not wait \
          either. Some clusters of equal members need this.",
    fix: "remove podManagementPolicy, or set OrderedReady, unless the members can start in any order",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-management-policies",
    find: parallel_pods,
};

pub(super) const SERVER_UNKNOWN: Rule = Rule {
    id: "server-unknown",
    level: Level::Note,
    summary: "No container is known to run MySQL.",
    why: "The rules on the password, the readiness probe, server_id and the data directory check only MySQL servers. \
          These are recognised by the image's name, by `mysqld` in the command, or by a root password. None was \
          checked here.",
    fix: "if this is a MySQL server, name the server's program in the container's command",
    source: "https://dev.mysql.com/doc/refman/8.4/en/docker-mysql-getting-started.html",
    find: server_unknown,
};

/// What a lightly loaded server needs to shut down, in seconds; also Kubernetes' default grace period.
const SHUTDOWN_SECONDS: u64 = 30;

fn image_tag_moves<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let servers: Vec<String> = set.servers().into_iter().map(|server| server.pointer).collect();
    let hit = |container: Container<'a>| {
        let image = container.image();
        let is_server = servers.contains(&container.pointer);
        let label = match image.tag {
            _ if image.repository.is_empty() || image.digest.is_some() => return None,
            None => "no tag means latest".to_owned(),
            // A patch release of a helper does not matter.
            Some(tag) if tag == "latest" || (is_server && moves(tag)) => format!("`{tag}` is no full version"),
            Some(_) => return None,
        };
        let (name, repository) = (container.name(), image.repository);
        let message = match image.tag {
            Some(tag) => {
                format!("container `{name}` runs {repository}:{tag}, a tag that may refer to another version later")
            }
            None => format!("container `{name}` runs {repository} without a tag"),
        };
        Some(container.hit("/image", label, message))
    };
    set.init_containers().chain(set.containers()).filter_map(hit).collect()
}

/// Whether a tag is a partial version, such as `8`, `8.4` and `5.7-debian`, or a name without digits. A date or a hash
/// of a build is not.
fn moves(tag: &str) -> bool {
    if !tag.contains(|it: char| it.is_ascii_digit()) {
        return true;
    }
    let version = tag.strip_prefix('v').unwrap_or(tag).split(['-', '_']).next().unwrap_or_default();
    let parts: Vec<&str> = version.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.len() < 5 && part.chars().all(|it| it.is_ascii_digit());
    parts.len() < 3 && parts.iter().all(is_number)
}

fn no_disruption_budget<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let covers = |budget: &Object| {
        let selector = budget.value.pointer("/spec/selector");
        let labels = selector.is_some_and(|it| it.get("matchLabels").is_some());
        // An empty selector selects every pod of the namespace; expressions are not evaluated.
        selector.is_some() && (!labels || set.is_selected_by(budget, "/spec/selector/matchLabels"))
    };
    // For a single pod a budget would only block drains.
    if set.replicas() < 2 || set.beside("PodDisruptionBudget").any(covers) {
        return Vec::new();
    }
    let message = format!("no PodDisruptionBudget covers the {} pods of StatefulSet {}", set.replicas(), set.name());
    vec![set.hit("/metadata/name", "may lose all its pods at once", message)]
}

fn grace_period_too_short<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let pointer = format!("{POD}/terminationGracePeriodSeconds");
    let given = set.number(&pointer);
    let hit = |server: Container<'a>| {
        let before = pre_stop_seconds(&server);
        let left = given.unwrap_or(SHUTDOWN_SECONDS).saturating_sub(before);
        if left >= SHUTDOWN_SECONDS {
            return None;
        }
        let message = format!("container `{}` has {left} s to shut down before it is killed", server.name());
        let label = if before > 0 { format!("preStop takes {before} s of it") } else { "too short".to_owned() };
        Some(match given {
            Some(_) => set.hit(&pointer, label, message),
            None => server.hit(
                "/lifecycle/preStop",
                format!("takes {before} s of the default {SHUTDOWN_SECONDS} s"),
                message,
            ),
        })
    };
    set.servers().into_iter().filter_map(hit).collect()
}

/// How many seconds preStop sleeps, as far as it says so.
fn pre_stop_seconds(server: &Container<'_>) -> u64 {
    let hook = server.value.pointer("/lifecycle/preStop");
    let sleep = hook.and_then(|hook| hook.pointer("/sleep/seconds")).and_then(Value::as_u64);
    let by_command = || {
        let words: Vec<&str> = hook
            .into_iter()
            .flat_map(|hook| items(hook, "/exec/command"))
            .filter_map(Value::as_str)
            .flat_map(str::split_whitespace)
            .collect();
        let pairs = words.windows(2).filter(|pair| pair[0].ends_with("sleep"));
        pairs.filter_map(|pair| pair[1].trim_end_matches([';', 's']).parse::<u64>().ok()).sum()
    };
    sleep.unwrap_or_else(by_command)
}

fn no_resources<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let for_all = set.object.value.pointer(&format!("{POD}/resources")).is_some();
    if for_all || set.beside("LimitRange").next().is_some() {
        return Vec::new();
    }
    let hit = |container: Container<'a>| {
        let given = |pointer: &str| container.value.pointer(pointer).is_some_and(|value| !value.is_null());
        // Without a request, the limit is also the request.
        let requested =
            |what: &str| given(&format!("/resources/requests/{what}")) || given(&format!("/resources/limits/{what}"));
        let lacks = [
            (!requested("memory"), "memory request"),
            (!given("/resources/limits/memory"), "memory limit"),
            (!requested("cpu"), "CPU request"),
        ];
        let lacks: Vec<&str> = lacks.iter().filter(|(lacks, _)| *lacks).map(|(_, what)| *what).collect();
        let field = if given("/resources") { "/resources" } else { "/name" };
        let lacks = match lacks.as_slice() {
            [] => return None,
            [one] => format!("no {one}"),
            [first @ .., last] => format!("no {} and no {last}", first.join(", no ")),
        };
        let message = format!("container `{}` has {lacks}", container.name());
        Some(container.hit(field, "incomplete resources", message))
    };
    set.containers().filter_map(hit).collect()
}

fn parallel_pods<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let pointer = "/spec/podManagementPolicy";
    let parallel = text(&set.object.value, pointer) == Some("Parallel");
    let message = format!("StatefulSet {} starts and stops all its pods at once", set.name());
    parallel.then(|| set.hit(pointer, "no order", message)).into_iter().collect()
}

fn server_unknown<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let message = format!("no container of StatefulSet {} is known to run MySQL", set.name());
    let unknown = set.servers().is_empty();
    unknown.then(|| set.hit("/metadata/name", "not checked", message)).into_iter().collect()
}
