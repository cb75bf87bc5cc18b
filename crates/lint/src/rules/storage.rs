//! Rules about where the rows are stored, and for how long.

use serde_json::Value;

use super::{Level, Rule};
use crate::manifest::is_below;
use crate::object::{items, text};
use crate::object_places::Object;
use crate::set::{Container, Hit, Set};

pub(super) const DATA_OUTSIDE_CLAIM: Rule = Rule {
    id: "data-outside-claim",
    level: Level::Error,
    summary: "The data directory is not on a claim.",
    why: "Data outside of a claim is deleted with the pod: all rows, the server_uuid and the replication state are \
          lost at the first deletion, drain or update.",
    fix: "mount a volume of volumeClaimTemplates at the data directory (/var/lib/mysql unless --datadir sets another)",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage",
    find: data_outside_claim,
};

pub(super) const SHARED_CLAIM: Rule = Rule {
    id: "shared-claim",
    level: Level::Error,
    summary: "All servers have their data on one claim.",
    why: "Only one server may open a data directory. A second server finds it locked, or destroys it if the storage \
          has no locks.",
    fix: "give each pod its own claim with volumeClaimTemplates",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#volume-claim-templates",
    find: shared_claim,
};

pub(super) const CLAIMS_DELETED: Rule = Rule {
    id: "claims-deleted",
    level: Level::Error,
    summary: "Claims are deleted with the StatefulSet or on scaling down.",
    why: "Data is deleted with its claim. A StatefulSet must be deleted to change an immutable field, and a pod that \
          was scaled down comes back empty. The default keeps the claims.",
    fix: "set it to Retain, and delete claims by hand after you have tested a backup",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention",
    find: claims_deleted,
};

pub(super) const STORAGE_CLASS_ABSENT: Rule = Rule {
    id: "storage-class-absent",
    level: Level::Warning,
    summary: "A claim names a StorageClass that is not in the manifests.",
    why: "In a cluster without this class the claim and the first pod stay Pending without an error. The cluster may \
          have the class, so this is not an error.",
    fix: "check `kubectl get storageclass`; add the class, name an existing one, or remove storageClassName for the \
          default class",
    source: "https://kubernetes.io/docs/concepts/storage/persistent-volumes/#class-1",
    find: storage_class_absent,
};

/// StorageClasses that come with kind, minikube, k3s, MicroK8s, Docker Desktop, and the clusters of Amazon, Google,
/// Microsoft and DigitalOcean.
const WELL_KNOWN: [&str; 14] = [
    "standard",
    "local-path",
    "microk8s-hostpath",
    "hostpath",
    "gp2",
    "gp3",
    "auto-ebs-sc",
    "standard-rwo",
    "premium-rwo",
    "default",
    "managed",
    "managed-csi",
    "managed-csi-premium",
    "do-block-storage",
];

const TEMPLATES: &str = "/spec/volumeClaimTemplates";
const POLICY: &str = "/spec/persistentVolumeClaimRetentionPolicy";

fn data_outside_claim<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |server: Container<'a>| {
        let directory = data_directory(set, &server)?;
        let name = server.name();
        let mounts = || items(server.value, "/volumeMounts").enumerate();
        let path = |mount: &Value| text(mount, "/mountPath").unwrap_or_default().trim_end_matches('/').to_owned();
        // A claim that is mounted below it may have the data, by an option that lint does not see.
        if mounts().any(|(_, mount)| is_below(&path(mount), &directory) && path(mount) != directory) {
            return None;
        }
        let covering =
            mounts().filter(|(_, mount)| is_below(&directory, &path(mount))).max_by_key(|(_, it)| path(it).len());
        let Some((index, mount)) = covering else {
            let message = format!("container `{name}` mounts nothing at its data directory {directory}");
            let field = if mounts().next().is_some() { "/volumeMounts" } else { "/name" };
            return Some(server.hit(field, format!("nothing at {directory}"), message));
        };
        let volume = text(mount, "/name").unwrap_or_default();
        let (what, label) = outside(set, volume)?;
        let message = format!("container `{name}` has its data directory {directory} on {what}");
        Some(server.hit(&format!("/volumeMounts/{index}/name"), label, message))
    };
    set.servers().into_iter().filter_map(|server| hit(server).or_else(|| nothing_persists(set))).collect()
}

/// Judges a set whose data directory is unknown: without any claim it keeps nothing.
fn nothing_persists<'a>(set: &Set<'a>) -> Option<Hit<'a>> {
    let volumes = items(&set.object.value, "/spec/template/spec/volumes").filter_map(|it| text(it, "/name"));
    let claims = items(&set.object.value, TEMPLATES).next().is_some();
    let message = format!("StatefulSet {} has no claims", set.name());
    let outside =
        !claims && volumes.into_iter().all(|name| outside(set, name).is_some() || is_configuration(set, name));
    outside.then(|| set.hit("/metadata/name", "keeps no data", message))
}

fn is_configuration(set: &Set<'_>, name: &str) -> bool {
    let volume = items(&set.object.value, "/spec/template/spec/volumes").find(|it| text(it, "/name") == Some(name));
    let kinds = ["configMap", "secret", "downwardAPI", "projected"];
    volume.is_some_and(|volume| kinds.iter().any(|kind| volume.get(kind).is_some()))
}

/// The data directory, if it is known: options may be in files, and some images have a directory of their own.
fn data_directory<'a>(set: &Set<'a>, server: &Container<'a>) -> Option<String> {
    let words: Vec<&str> = server.words().flat_map(|(_, words)| words.split_whitespace()).collect();
    let option = words.iter().enumerate().rev().find_map(|(at, word)| match word.strip_prefix("--datadir")? {
        "" => words.get(at + 1).copied(),
        rest => rest.strip_prefix('='),
    });
    let image = server.image();
    let by_file = set.files(server).flat_map(|(_, _, content)| content.lines()).filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "datadir").then(|| value.trim().trim_matches(['"', '\'']).to_owned())
    });
    let option = option.map(str::to_owned).or_else(|| by_file.last());
    let elsewhere = || set.has_unseen_options(server) || image.is_of_red_hat() || image.repository.contains("bitnami");
    match option {
        Some(path) if path.starts_with('/') => Some(path.trim_end_matches('/').to_owned()),
        Some(_) => None,
        None => (!elsewhere()).then(|| "/var/lib/mysql".to_owned()),
    }
}

/// What a volume of the pod is if it is no claim, and the same in a few words. A claim template takes precedence over a
/// volume of the same name.
fn outside(set: &Set<'_>, name: &str) -> Option<(&'static str, &'static str)> {
    let called = |pointer: &'static str| move |volume: &&Value| text(volume, pointer) == Some(name);
    if items(&set.object.value, TEMPLATES).any(|template| called("/metadata/name")(&template)) {
        return None;
    }
    let Some(volume) = items(&set.object.value, "/spec/template/spec/volumes").find(called("/name")) else {
        return Some(("a volume that nothing defines", "no such volume"));
    };
    let has = |kind: &str| volume.get(kind).is_some();
    let has_source = volume.as_object().is_some_and(|fields| fields.len() > 1);
    if has("emptyDir") || has("ephemeral") || !has_source {
        return Some(("a volume that is deleted with the pod", "deleted with the pod"));
    }
    has("hostPath").then_some(("a folder of its node, which other nodes do not have", "stays on the node"))
}

/// Judges one claim for all pods: they would open each other's data directory.
fn shared_claim<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let volumes = items(&set.object.value, "/spec/template/spec/volumes");
    let named: Vec<&str> = volumes
        .filter(|volume| volume.pointer("/persistentVolumeClaim/claimName").is_some())
        .filter_map(|volume| text(volume, "/name"))
        .collect();
    let hit = |server: Container<'a>| {
        let directory = data_directory(set, &server)?;
        let holds = |mount: &&Value| {
            let path = text(mount, "/mountPath").unwrap_or_default().trim_end_matches('/');
            is_below(&directory, path) && mount.get("subPathExpr").is_none()
        };
        let (index, mount) = items(server.value, "/volumeMounts").enumerate().find(|(_, mount)| holds(mount))?;
        let shared = set.replicas() > 1 && text(mount, "/name").is_some_and(|name| named.contains(&name));
        let message = format!("all {} servers of container `{}` share one claim", set.replicas(), server.name());
        shared.then(|| server.hit(&format!("/volumeMounts/{index}/name"), "one claim for all", message))
    };
    set.servers().into_iter().filter_map(hit).collect()
}

fn claims_deleted<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let name = set.name();
    let when = [("whenDeleted", "is deleted"), ("whenScaled", "is scaled down")];
    let deletes = |(field, event): (&str, &str)| {
        let pointer = format!("{POLICY}/{field}");
        let deletes =
            text(&set.object.value, &pointer) == Some("Delete") && items(&set.object.value, TEMPLATES).next().is_some();
        let message = format!("claims are deleted when StatefulSet {name} {event}");
        deletes.then(|| set.hit(&pointer, "deletes the rows", message))
    };
    when.into_iter().filter_map(deletes).collect()
}

fn storage_class_absent<'a>(set: &Set<'a>) -> Vec<Hit<'a>> {
    let hit = |(index, template): (usize, &Value)| {
        // An empty name asks for existing volumes, and a missing name for the default class.
        let class = text(template, "/spec/storageClassName").filter(|class| !class.is_empty())?;
        let of_volume = |volume: &Object| text(&volume.value, "/spec/storageClassName") == Some(class);
        let brought = set.named("StorageClass", class).is_some() || set.beside("PersistentVolume").any(of_volume);
        let claim = text(template, "/metadata/name").unwrap_or_default();
        let message = format!("claim `{claim}` names the StorageClass `{class}`, which is not in the manifests");
        let pointer = format!("{TEMPLATES}/{index}/spec/storageClassName");
        (!brought && !WELL_KNOWN.contains(&class)).then(|| set.hit(&pointer, "not among the manifests", message))
    };
    items(&set.object.value, TEMPLATES).enumerate().filter_map(hit).collect()
}
