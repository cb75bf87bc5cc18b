//! Deletes everything that the run created, and lists what is left.

use std::time::{Duration, Instant};

use futures::future::join_all;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, PartialObjectMeta};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};

use crate::evidence::{Act, ClaimLife, Fault, Leftover, Snapshot, SnapshotOf, Timeline, What};
use crate::record::{Log, WaitStatus};
use crate::workload::{Owned, await_gone, delete};

/// The kinds to look for in a namespace that does not go.
const KINDS: [(&str, &str, &str); 6] = [
    ("apps", "v1", "StatefulSet"),
    ("", "v1", "Pod"),
    ("", "v1", "PersistentVolumeClaim"),
    ("", "v1", "Service"),
    ("", "v1", "Secret"),
    ("", "v1", "ConfigMap"),
];

/// How long claims may take to be deleted with their StatefulSet, if that is their policy.
const CLAIMS_GO_WITHIN: Duration = Duration::from_secs(20);

/// Deletes by recorded UID: the workload, then its claims, then the namespaces. Each step waits for the one before,
/// because a namespace that still has pods is checked again only after a long pause. Leftovers are in the snapshot with
/// what blocks them: teardown reports, it does not fail.
pub async fn teardown(client: &Client, log: &Log, namespace: &str, made: Vec<Owned>, limit: Duration) {
    log.record(What::Fault(Fault { act: Act::Teardown, proof: None }));
    let end = Instant::now() + limit;
    let (namespaces, objects): (Vec<_>, Vec<_>) = made.into_iter().rev().partition(|owned| owned.kind == "Namespace");
    let mut leftovers = remove(&objects, end).await;
    await_none(log, "the pods gone", end, |timeline| {
        timeline.pods.iter().filter(|pod| pod.deleted.is_none()).map(|pod| pod.name.clone()).collect()
    })
    .await;
    if log.look(Timeline::claims_go_with_set) {
        // The claims are deleted automatically. What is left then is deleted by name.
        let limit = end.min(Instant::now() + CLAIMS_GO_WITHIN);
        await_none(log, "the claims gone with the set", limit, |timeline| {
            let there = timeline.claims.iter().filter(|claim| claim.deleted.is_none());
            there.map(|claim| claim.name.clone()).collect()
        })
        .await;
    }
    log.record(What::Fault(Fault { act: Act::DeleteClaims, proof: None }));
    leftovers.extend(remove(&claims(client, log, namespace), end).await);
    let volumes = await_none(log, "the volumes gone", end, |timeline| {
        timeline.volumes.iter().filter(|volume| volume.deleted.is_none()).map(|volume| volume.name.clone()).collect()
    });
    let volumes = volumes.await;
    leftovers.extend(volumes.into_iter().map(|name| Leftover {
        kind: "PersistentVolume".to_owned(),
        name,
        held_by: None,
    }));
    let standing = remove(&namespaces, end).await;
    if !standing.is_empty() {
        leftovers.extend(inside(client, namespace).await);
    }
    leftovers.extend(standing);
    let value = serde_json::to_value(leftovers).unwrap_or_default();
    let seq = log.record(What::Snapshot(Snapshot { of: SnapshotOf::LeftoverObjects, value }));
    log.record(What::Fault(Fault { act: Act::Teardown, proof: Some(vec![seq]) }));
}

/// Deletes objects, waits until they are gone, and returns those that are left.
async fn remove(objects: &[Owned], end: Instant) -> Vec<Leftover> {
    let removals = objects.iter().map(|owned| async move {
        let held_by = match delete(owned).await {
            Ok(()) if await_gone(owned, end.saturating_duration_since(Instant::now())).await => return None,
            Ok(()) => held_by(owned).await,
            Err(error) => Some(error.to_string()),
        };
        Some(Leftover { kind: owned.kind.clone(), name: owned.name.clone(), held_by })
    });
    join_all(removals).await.into_iter().flatten().collect()
}

/// Waits until nothing of a kind is left in the timeline, and returns what is left.
async fn await_none(log: &Log, what: &str, end: Instant, there: impl Fn(&Timeline) -> Vec<String>) -> Vec<String> {
    let limit = end.saturating_duration_since(Instant::now());
    let gone = log.wait(
        what,
        limit,
        |_| {},
        |timeline| match there(timeline) {
            names if names.is_empty() => WaitStatus::Met(()),
            names => WaitStatus::Pending(format!("still there: {}", names.join(", "))),
        },
    );
    if gone.await.is_ok() { Vec::new() } else { log.look(there) }
}

/// The claims of the namespace, which belongs to the run.
fn claims(client: &Client, log: &Log, namespace: &str) -> Vec<Owned> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "PersistentVolumeClaim"));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    log.look(|timeline| {
        let there = timeline.claims.iter().filter(|claim| claim.deleted.is_none());
        let owned = |claim: &ClaimLife| Owned {
            api_version: "v1".to_owned(),
            kind: "PersistentVolumeClaim".to_owned(),
            name: claim.name.clone(),
            uid: claim.uid.clone(),
            api: api.clone(),
        };
        there.map(owned).collect()
    })
}

/// What blocks an object's deletion: its finalizers.
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
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let Ok(list) = api.list_metadata(&ListParams::default()).await else { continue };
        let objects = list.items.into_iter().filter(|object| object.name_any() != "kube-root-ca.crt");
        found.extend(objects.map(|object| {
            let held_by = finalizers(&object);
            Leftover { kind: kind.to_owned(), name: object.name_any(), held_by }
        }));
    }
    found
}
