//! The recorder: one raw watch per kind of object. Each watch starts from the resourceVersion of a list taken before
//! the first apply, so the history is complete from its beginning. Lost history becomes a `Gap`
//! (<https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>). The cluster's
//! warnings are recorded as well, as far as they arrive.

mod warnings;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, pin_mut};
use kube::api::{Api, ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::core::GroupVersionKind;
use kube::{Client, ResourceExt};
use serde_json::Value;
use tokio::task::JoinSet;

use super::log::Log;
use crate::evidence::{EventType, Gap, Note, ObjectEvent, What};
use crate::redaction::blank_variables;
use warnings::Warnings;

/// The API server closes a watch after this many seconds, which is below its own limit of 295 s.
const WATCH_SECONDS: u32 = 290;

/// The pause after a broken watch: the API server may be restarting.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// A watch could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot list {kind} before watching: {source}")]
pub struct WatchError {
    kind: &'static str,
    source: Box<kube::Error>,
}

/// The kinds whose history is recorded: group, version, kind, and whether it is namespaced.
const KINDS: [(&str, &str, &str, bool); 6] = [
    ("", "v1", "Pod", true),
    ("apps", "v1", "StatefulSet", true),
    ("", "v1", "PersistentVolumeClaim", true),
    ("", "v1", "PersistentVolume", false),
    ("", "v1", "Service", true),
    ("discovery.k8s.io", "v1", "EndpointSlice", true),
];

/// Watches the run's namespace until dropped.
#[derive(Debug)]
pub struct Recorder {
    _watches: JoinSet<()>,
}

impl Recorder {
    /// Lists every kind, records the objects, and watches from the list's resourceVersion.
    ///
    /// # Errors
    /// When a kind cannot be listed.
    pub async fn start(client: &Client, namespace: &str, log: &Arc<Log>) -> Result<Self, WatchError> {
        let mut watches = JoinSet::new();
        let time = log.clone();
        watches.spawn(async move { time.keep_time().await });
        for (group, version, kind, namespaced) in KINDS {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
            let api = if namespaced {
                Api::namespaced_with(client.clone(), namespace, &resource)
            } else {
                Api::all_with(client.clone(), &resource)
            };
            let (namespace, log) = (namespace.to_owned(), log.clone());
            let watch = Watch { api, kind, namespace, log };
            let version = watch.list().await.map_err(|source| WatchError { kind, source: Box::new(source) })?;
            watches.spawn(watch.follow(version));
        }
        if let Some((warnings, version)) = Warnings::begin(client, namespace, log).await {
            watches.spawn(warnings.follow(version));
        }
        Ok(Self { _watches: watches })
    }
}

struct Watch {
    api: Api<DynamicObject>,
    kind: &'static str,
    namespace: String,
    log: Arc<Log>,
}

/// How one watch request ended.
enum End {
    /// The API server closed it normally, or the connection broke: resume from the last version seen.
    Resume(Option<String>),
    /// The last version seen is too old to resume from.
    TooOld(String),
}

impl Watch {
    async fn list(&self) -> kube::Result<String> {
        let list = self.api.list(&ListParams::default()).await?;
        for object in list.items {
            self.record(EventType::Listed, object);
        }
        Ok(list.metadata.resource_version.unwrap_or_default())
    }

    async fn follow(self, mut version: String) {
        loop {
            let parameters = WatchParams::default();
            let watched = watch_once(&self.api, parameters, &mut version, |event, object| self.record(event, object));
            // After the machine slept its connection may be dead without any error.
            let end = tokio::select! {
                end = watched => end,
                () = self.log.lapsed() => End::Resume(None),
            };
            match end {
                End::Resume(trouble) => {
                    if let Some(trouble) = trouble {
                        self.log.record(What::Note(Note { message: format!("watch of {}: {trouble}", self.kind) }));
                    }
                    // A proxy may close watches as fast as they are opened.
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                End::TooOld(reason) => version = self.relist(version, reason).await,
            }
        }
    }

    /// Starts again from a fresh list after history was lost.
    async fn relist(&self, lost: String, reason: String) -> String {
        self.log.record(What::Gap(Gap { object_kind: self.kind.to_owned(), after_version: lost, reason }));
        loop {
            match self.list().await {
                Ok(version) => return version,
                Err(error) => {
                    let message = format!("list of {} after a gap: {error}", self.kind);
                    self.log.record(What::Note(Note { message }));
                    // Nothing reports when the API server is back.
                    tokio::time::sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    fn record(&self, event: EventType, mut object: DynamicObject) {
        object.metadata.managed_fields = None;
        if let Some(annotations) = &mut object.metadata.annotations {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
        let Ok(mut object) = serde_json::to_value(object) else { return };
        if self.concerns_others(&object) {
            return;
        }
        blank_variables(&mut object);
        self.log.record(What::Object(Box::new(ObjectEvent { event, object_kind: self.kind.to_owned(), object })));
    }

    /// PersistentVolumes have no namespace: only those bound to a claim of the run's namespace are evidence.
    fn concerns_others(&self, object: &Value) -> bool {
        let holder = object.pointer("/spec/claimRef/namespace").and_then(Value::as_str);
        self.kind == "PersistentVolume" && holder != Some(self.namespace.as_str())
    }
}

/// Watches until the watch ends, and passes on each event with its object.
async fn watch_once(
    api: &Api<DynamicObject>,
    parameters: WatchParams,
    version: &mut String,
    mut on_event: impl FnMut(EventType, DynamicObject),
) -> End {
    let stream = match api.watch(&parameters.timeout(WATCH_SECONDS), version).await {
        Ok(stream) => stream.into_stream(),
        Err(kube::Error::Api(status)) if status.code == 410 => return End::TooOld(status.message.clone()),
        Err(error) => return End::Resume(Some(error.to_string())),
    };
    pin_mut!(stream);
    while let Some(event) = stream.next().await {
        let (event, object) = match event {
            Ok(WatchEvent::Added(object)) => (EventType::Added, object),
            Ok(WatchEvent::Modified(object)) => (EventType::Modified, object),
            Ok(WatchEvent::Deleted(object)) => (EventType::Deleted, object),
            Ok(WatchEvent::Bookmark(bookmark)) => {
                version.clone_from(&bookmark.metadata.resource_version);
                continue;
            }
            Ok(WatchEvent::Error(status)) if status.code == 410 => return End::TooOld(status.message.clone()),
            Ok(WatchEvent::Error(status)) => return End::Resume(Some(status.message.clone())),
            Err(error) => return End::Resume(Some(error.to_string())),
        };
        if let Some(seen) = object.resource_version() {
            *version = seen;
        }
        on_event(event, object);
    }
    End::Resume(None)
}
