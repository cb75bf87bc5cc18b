//! Rules about days on which nodes fail, servers recover, or somebody drains a node.

use serde_json::Value;

use super::{Level, Rule};
use crate::manifest;
use crate::object::{items, text};
use crate::object_places::Object;
use crate::set::{Container, Hit, POD, Set};

pub(super) const LIVENESS_KILLS_RECOVERY: Rule = Rule {
    id: "liveness-kills-recovery",
    level: Level::Warning,
    summary: "A liveness probe gives a server too little time to recover.",
    why: "After a crash InnoDB applies its redo log before clients can connect, which can take minutes. The probe \
          kills the server meanwhile, and recovery starts again each time.",
    fix: "add a startupProbe with the same command and a failureThreshold for the longest recovery; the liveness \
          probe starts after it",
    source: "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/\
             #define-startup-probes",
    find: liveness_kills_recovery,
};

pub(super) const PODS_SHARE_A_NODE: Rule = Rule {
    id: "pods-share-a-node",
    level: Level::Warning,
    summary: "Nothing prevents all servers from running on one node.",
    why: "The scheduler may put the primary and all its replicas on one node. If that node fails, all servers fail.",
    fix: "add podAntiAffinity with topologyKey kubernetes.io/hostname for the labels of the pods, or \
          topologySpreadConstraints",
    source: "https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity",
    find: pods_share_a_node,
};

pub(super) const BUDGET_BLOCKS_DRAINS: Rule = Rule {
    id: "budget-blocks-drains",
    level: Level::Warning,
    summary: "A PodDisruptionBudget allows no eviction.",
    why: "A node with such a pod cannot be drained: a cluster upgrade waits forever or deletes the pod by force.",
    fix: "allow one with maxUnavailable: 1",
    source: "https://kubernetes.io/docs/tasks/run-application/configure-pdb/#think-about-how-your-application-reacts-to-disruptions",
    find: budget_blocks_drains,
};

pub(super) const EXPOSED: Rule = Rule {
    id: "exposed",
    level: Level::Warning,
    summary: "A server can be reached from outside the cluster, or can access its node.",
    why: "A Service of type LoadBalancer or NodePort exposes the servers to anyone who can reach the nodes. A \
          privileged container, or one on the node's network, can reach the node itself. This may be intended.",
    fix: "use a Service of type ClusterIP, and remove privileged and hostNetwork",
    source: "https://kubernetes.io/docs/concepts/security/pod-security-standards/",
    find: exposed,
};

pub(super) const VOLUME_NOT_WRITABLE: Rule = Rule {
    id: "volume-not-writable",
    level: Level::Warning,
    summary: "A server runs as a user that may not own its volume.",
    why: "In most clusters a new volume belongs to root. Without fsGroup the server cannot write to it and exits at \
          once.",
    fix: "set fsGroup in the pod's securityContext to the server's group",
    source: "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/\
             #set-the-security-context-for-a-pod",
    find: volume_not_writable,
};

pub(super) const LOST_FOUND: Rule = Rule {
    id: "lost-found",
    level: Level::Warning,
    summary: "MySQL 5.7 has its data directory at the root of a volume.",
    why: "A new ext4 volume has a folder lost+found, but MySQL 5.7 initialises only an empty data directory, so the \
          first start fails. Volumes that are folders of a node have no lost+found.",
    fix: "add a subPath to the mount, such as subPath: data",
    source: "https://dev.mysql.com/doc/refman/5.7/en/data-directory-initialization.html",
    find: lost_found,
};

/// How long a recovery may be expected to take at least, in seconds.
const RECOVERY_SECONDS: u64 = 300;

fn liveness_kills_recovery<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: Container<'a>| {
        let probe = server.value.get("livenessProbe").filter(|probe| probe.is_object())?;
        let number = |field: &str, usual: u64| probe.get(field).and_then(Value::as_u64).unwrap_or(usual);
        let (delay, period, failures) =
            (number("initialDelaySeconds", 0), number("periodSeconds", 10), number("failureThreshold", 3));
        // The first probe comes after the delay.
        let seconds = delay + period * failures.saturating_sub(1);
        let early = server.value.get("startupProbe").is_none_or(Value::is_null) && seconds < RECOVERY_SECONDS;
        let message = format!(
            "the liveness probe of container `{}` kills a server whose recovery takes more than {seconds} s",
            server.name()
        );
        early.then(|| server.hit("/livenessProbe", "no startupProbe delays it", message))
    };
    set.servers().into_iter().filter_map(hit).collect()
}

fn pods_share_a_node<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let template = set.object.value.pointer("/spec/template").unwrap_or(&Value::Null);
    let spread = items(template, "/spec/topologySpreadConstraints").next().is_some();
    if set.replicas() < 2 || spread || manifest::is_kept_apart(template) {
        return Vec::new();
    }
    let message =
        format!("nothing prevents all {} pods of StatefulSet {} from running on one node", set.replicas(), set.name());
    vec![set.hit("/metadata/name", "may all run on one node", message)]
}

fn budget_blocks_drains<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let replicas = set.replicas();
    let of = |budget: &'a Object| {
        let pods = |field: &str| -> Option<(String, u64)> {
            let pointer = format!("/spec/{field}");
            let count = match budget.value.pointer(&pointer)? {
                Value::String(share) => (share.strip_suffix('%')?.parse::<u64>().ok()? * replicas).div_ceil(100),
                number => number.as_u64()?,
            };
            Some((pointer, count))
        };
        let message = format!("PodDisruptionBudget {} allows no eviction of the {replicas} pods", budget.name());
        match (pods("maxUnavailable"), pods("minAvailable")) {
            (Some((field, 0)), _) => Some(Hit::new(budget, field, "none may be unavailable", message)),
            (_, Some((field, least))) if least >= replicas => {
                Some(Hit::new(budget, field, "all must be available", message))
            }
            (None, None) if ["maxUnavailable", "minAvailable"].iter().all(|it| budget.value["spec"][it].is_null()) => {
                let message =
                    format!("PodDisruptionBudget {} has neither maxUnavailable nor minAvailable", budget.name());
                Some(Hit::new(budget, "/metadata/name", "sets nothing", message))
            }
            _ => None,
        }
    };
    set.budgets().filter_map(of).collect()
}

fn exposed<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let of_service = |service: &'a Object| {
        let name = service.name();
        let kind = text(&service.value, "/spec/type").filter(|kind| ["LoadBalancer", "NodePort"].contains(kind));
        let addresses = items(&service.value, "/spec/externalIPs").next().is_some();
        let message = format!("Service {name} exposes the servers outside the cluster");
        match kind {
            Some(_) => Some(Hit::new(service, "/spec/type", "reachable from outside", message)),
            None => addresses.then(|| Hit::new(service, "/spec/externalIPs", "reachable from outside", message)),
        }
    };
    let mut hits: Vec<Hit<'a>> = set.services().filter_map(of_service).collect();
    let network = format!("{POD}/hostNetwork");
    if set.object.value.pointer(&network) == Some(&Value::Bool(true)) {
        let message = format!("the pods of StatefulSet {} use their nodes' network", set.name());
        hits.push(set.hit(&network, "the node's network", message));
    }
    let privileged = |server: Container<'a>| {
        let field = "/securityContext/privileged";
        let message = format!("container `{}` is privileged", server.name());
        (server.value.pointer(field) == Some(&Value::Bool(true)))
            .then(|| server.hit(field, "full access to its node", message))
    };
    hits.extend(set.servers().into_iter().filter_map(privileged));
    hits
}

fn volume_not_writable<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let context = format!("{POD}/securityContext");
    let of_pod = |field: &str| set.number(&format!("{context}/{field}"));
    let has_templates = items(&set.object.value, "/spec/volumeClaimTemplates").next().is_some();
    // An init container may set the permissions.
    if of_pod("fsGroup").is_some() || !has_templates || set.init_containers().next().is_some() {
        return Vec::new();
    }
    let hit = |server: Container<'a>| {
        let own = server.value.pointer("/securityContext/runAsUser").and_then(Value::as_u64);
        let user = own.or(of_pod("runAsUser")).filter(|user| *user != 0)?;
        let message = format!("container `{}` runs as user {user}, but its pod has no fsGroup", server.name());
        Some(match own {
            Some(_) => server.hit("/securityContext/runAsUser", "no fsGroup set", message),
            None => set.hit(&format!("{context}/runAsUser"), "no fsGroup set", message),
        })
    };
    set.servers().into_iter().filter_map(hit).collect()
}

fn lost_found<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let templates: Vec<&str> =
        items(&set.object.value, "/spec/volumeClaimTemplates").filter_map(|it| text(it, "/metadata/name")).collect();
    let hit = |server: Container<'a>| {
        let image = server.image();
        let old = image.name() == "mysql" && image.tag.is_some_and(|tag| tag == "5.7" || tag.starts_with("5.7."));
        let (place, _) = items(server.value, "/volumeMounts").enumerate().find(|(_, mount)| {
            let of_claim = text(mount, "/name").is_some_and(|name| templates.contains(&name));
            let whole = text(mount, "/subPath").is_none_or(str::is_empty) && mount.get("subPathExpr").is_none();
            of_claim
                && whole
                && text(mount, "/mountPath").map(|path| path.trim_end_matches('/')) == Some("/var/lib/mysql")
        })?;
        let ignored = server.words().any(|(_, word)| word.contains("ignore-db-dir"));
        let message = format!("container `{}` has its data directory at the root of a volume", server.name());
        let field = format!("/volumeMounts/{place}/mountPath");
        (old && !ignored).then(|| server.hit(&field, "may hold lost+found", message))
    };
    set.servers().into_iter().filter_map(hit).collect()
}
