//! An object that took the name of one of the run's objects is never deleted: every deletion has the recorded UID as
//! precondition.

use std::sync::Arc;
use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject};
use kube::core::GroupVersionKind;
use kube::{Client, Config};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use steadfast::evidence::{EventType, ObjectEvent, What};
use steadfast::record::Log;
use steadfast::redaction::Redaction;
use steadfast::scenario::teardown;
use steadfast::workload::Owned;

use super::apiserver::ApiServer;

/// Kind, API group and location of what the run made, and of what the StatefulSet made.
const OBJECTS: [(&str, &str, &str); 4] = [
    ("StatefulSet", "apps", "/apis/apps/v1/namespaces/shop/statefulsets/db"),
    ("Pod", "", "/api/v1/namespaces/shop/pods/db"),
    ("Namespace", "", "/api/v1/namespaces/shop"),
    ("PersistentVolumeClaim", "", CLAIM),
];
const CLAIM: &str = "/api/v1/namespaces/shop/persistentvolumeclaims/db";

const LIMIT: Duration = Duration::from_secs(5);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("deletes::what_was_made_goes", || torn_down("made", |left| left.is_empty())),
        Trial::test("deletes::who_took_the_name_stays", || torn_down("another", |left| left.len() == OBJECTS.len())),
    ]
}

/// Runs the teardown for objects that were made with the UID `made`, while the objects of these names have the UID
/// `uid`, and checks what is left.
fn torn_down(uid: &str, expected: fn(&[String]) -> bool) -> Result<(), Failed> {
    let there = OBJECTS.map(|(kind, _, path)| (path.to_owned(), object(kind, path, uid)));
    let server = ApiServer::start(|_| None, there);
    let folder = tempfile::tempdir()?;
    let log = Arc::new(Log::create(&folder.path().join("evidence.jsonl"), Redaction::default())?);
    let object_kind = "PersistentVolumeClaim".to_owned();
    let claim = object(&object_kind, CLAIM, "made");
    log.record(What::Object(Box::new(ObjectEvent { event: EventType::Added, object_kind, object: claim })));
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let client = Client::try_from(Config::new(server.address.parse()?))?;
        let made = OBJECTS[..3].iter().map(|(kind, group, path)| owned(&client, kind, group, path)).collect();
        teardown(&client, &log, "shop", made, LIMIT).await;
        Ok::<_, Failed>(())
    })?;
    let deletions: Vec<_> = server.requests().into_iter().filter(|request| request.method == "DELETE").collect();
    let without = deletions.iter().find(|it| it.body.pointer("/preconditions/uid") != Some(&json!("made")));
    if let Some(without) = without {
        return Err(format!("a deletion without the recorded UID: {without:?}").into());
    }
    let (left, asked) = (server.objects(), deletions.len());
    if asked == OBJECTS.len() && expected(&left) {
        Ok(())
    } else {
        Err(format!("{asked} deletions, left: {left:?}").into())
    }
}

fn object(kind: &str, path: &str, uid: &str) -> Value {
    let name = path.rsplit('/').next().unwrap_or_default();
    json!({"kind": kind, "metadata": {"name": name, "namespace": "shop", "uid": uid, "resourceVersion": "1"}})
}

fn owned(client: &Client, kind: &str, group: &str, path: &str) -> Owned {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
    let api: Api<DynamicObject> = match kind {
        "Namespace" => Api::all_with(client.clone(), &resource),
        _ => Api::namespaced_with(client.clone(), "shop", &resource),
    };
    let name = path.rsplit('/').next().unwrap_or_default().to_owned();
    Owned { api_version: "v1".to_owned(), kind: kind.to_owned(), name, uid: "made".to_owned(), api }
}
