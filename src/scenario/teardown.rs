//! Deletes everything that the run made, and lists what is left of it.

use std::time::{Duration, Instant};

use futures::future::join_all;
use kube::api::{Api, ListParams, PartialObjectMeta};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};

use crate::evidence::{Act, Fault, Leftover, Log, Sight, Snapshot, SnapshotOf, What};
use crate::workload::{Owned, await_gone, delete};

/// Kinds that are looked for in the namespace when it does not go.
const KINDS: [(&str, &str, &str); 6] = [
    ("apps", "v1", "StatefulSet"),
    ("", "v1", "Pod"),
    ("", "v1", "PersistentVolumeClaim"),
    ("", "v1", "Service"),
    ("", "v1", "Secret"),
    ("", "v1", "ConfigMap"),
];

/// Deletes by recorded UID: the workload first, the namespaces with all claims last. It is done when the volumes are gone too.
/// Where something stays, it is in the snapshot with what holds it: teardown reports, it does not fail.
pub async fn teardown(client: &Client, log: &Log, namespace: &str, made: Vec<Owned>, limit: Duration) {
    log.record(What::Fault(Fault { act: Act::Teardown, proof: None }));
    let begun = Instant::now();
    let left = || limit.saturating_sub(begun.elapsed());
    let mut troubles = Vec::new();
    let (namespaces, objects): (Vec<_>, Vec<_>) =
        made.into_iter().rev().partition(|owned| owned.kind == "Namespace");
    for owned in objects.iter().chain(&namespaces) {
        if let Err(error) = delete(owned, None).await {
            troubles.push(Leftover { kind: owned.kind.clone(), name: owned.name.clone(), held_by: Some(error.to_string()) });
        }
    }
    let all: Vec<&Owned> = objects.iter().chain(&namespaces).collect();
    let gone = join_all(all.iter().map(|owned| await_gone(owned, left()))).await;
    let volumes = log.wait("the volumes gone", left(), |_| {}, |timeline| {
        let there: Vec<&str> =
            timeline.volumes.iter().filter(|volume| volume.deleted.is_none()).map(|volume| volume.name.as_str()).collect();
        if there.is_empty() { Sight::Met(()) } else { Sight::NotYet(format!("still there: {}", there.join(", "))) }
    });
    let volumes_gone = volumes.await.is_ok();
    let mut leftovers = troubles;
    for (owned, gone) in all.iter().zip(gone) {
        if !gone {
            leftovers.push(Leftover { kind: owned.kind.clone(), name: owned.name.clone(), held_by: held_by(owned).await });
        }
    }
    if namespaces.iter().any(|owned| leftovers.iter().any(|left| left.name == owned.name)) {
        leftovers.extend(inside(client, namespace).await);
    }
    if !volumes_gone {
        let there = log.look(|timeline| {
            let there = timeline.volumes.iter().filter(|volume| volume.deleted.is_none());
            there.map(|volume| volume.name.clone()).collect::<Vec<_>>()
        });
        let volume = |name| Leftover { kind: "PersistentVolume".to_owned(), name, held_by: None };
        leftovers.extend(there.into_iter().map(volume));
    }
    let value = serde_json::to_value(leftovers).unwrap_or_default();
    let seq = log.record(What::Snapshot(Snapshot { of: SnapshotOf::LeftoverObjects, value }));
    log.record(What::Fault(Fault { act: Act::Teardown, proof: Some(vec![seq]) }));
}

/// What keeps an object: its finalizers.
async fn held_by(owned: &Owned) -> Option<String> {
    let there = owned.api.get_metadata_opt(&owned.name).await.ok().flatten()?;
    finalizers(&there)
}

fn finalizers<K>(object: &PartialObjectMeta<K>) -> Option<String> {
    let finalizers = object.metadata.finalizers.as_ref().filter(|finalizers| !finalizers.is_empty())?;
    Some(format!("finalizers {}", finalizers.join(", ")))
}

/// What is still in the namespace.
async fn inside(client: &Client, namespace: &str) -> Vec<Leftover> {
    let mut found = Vec::new();
    for (group, version, kind) in KINDS {
        let resource = kube::api::ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<kube::api::DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let Ok(list) = api.list_metadata(&ListParams::default()).await else { continue };
        let objects = list.items.into_iter().filter(|object| object.name_any() != "kube-root-ca.crt");
        found.extend(objects.map(|object| {
            let held_by = finalizers(&object);
            Leftover { kind: kind.to_owned(), name: object.name_any(), held_by }
        }));
    }
    found
}
