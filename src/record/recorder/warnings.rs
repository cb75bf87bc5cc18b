//! Warnings: what the cluster itself reports about the set, its pods and claims in Events of type Warning
//! (<https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>). They explain findings and are
//! never judged. So their history need not be complete: losses leave no `Gap`, and an account that may not read Events
//! goes without.

use std::collections::HashMap;
use std::sync::Arc;

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, WatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};

use super::{End, RETRY_AFTER, watch_once};
use crate::evidence::{EventType, Note, ObjectEvent, Subject, What};
use crate::object::{number, text};
use crate::record::log::Log;

const KIND: &str = "Event";

/// The field selector.
const OF_TYPE: &str = "type=Warning";

/// The watch of the namespace's warnings.
pub(super) struct Warnings {
    api: Api<DynamicObject>,
    subject: Subject,
    log: Arc<Log>,
    said: Said,
}

impl Warnings {
    /// The watch and the version to start from. Warnings from before the run are not recorded. `None`, with a note in
    /// the log, if the account may not list Events.
    pub(super) async fn begin(client: &Client, namespace: &str, log: &Arc<Log>) -> Option<(Self, String)> {
        let subject = log.look(|timeline| timeline.subject().cloned())?;
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", KIND));
        let api = Api::namespaced_with(client.clone(), namespace, &resource);
        let mut warnings = Self { api, subject, log: log.clone(), said: Said::default() };
        match warnings.list(false).await {
            Ok(version) => Some((warnings, version)),
            Err(error) => {
                let message = format!("the cluster's warnings are not recorded: cannot list Events: {error}");
                warnings.log.record(What::Note(Note { message }));
                None
            }
        }
    }

    /// Records warnings as they come. Errors are ignored: no verdict needs warnings.
    pub(super) async fn follow(mut self, mut version: String) {
        let api = self.api.clone();
        loop {
            let parameters = WatchParams::default().fields(OF_TYPE);
            let hear = |event, object| self.hear(event, object, true);
            if let End::TooOld(_) = watch_once(&api, parameters, &mut version, hear).await
                && let Ok(fresh) = self.list(true).await
            {
                version = fresh;
            }
            // Nothing reports when the API server is back or stops refusing.
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    async fn list(&mut self, news: bool) -> kube::Result<String> {
        let list = self.api.list(&ListParams::default().fields(OF_TYPE)).await?;
        for object in list.items {
            self.hear(EventType::Listed, object, news);
        }
        Ok(list.metadata.resource_version.unwrap_or_default())
    }

    /// Records a warning about the workload if it says something new.
    fn hear(&mut self, event: EventType, object: DynamicObject, news: bool) {
        // An Event is deleted an hour after its last occurrence.
        if event == EventType::Deleted {
            return;
        }
        let Ok(object) = serde_json::to_value(object) else { return };
        let Some(object) = warning(&object, &self.subject) else { return };
        if self.said.is_news(&object) && news {
            self.log.record(What::Object(Box::new(ObjectEvent { event, object_kind: KIND.to_owned(), object })));
        }
    }
}

/// The kept fields of an Event, if it is a warning about the workload.
fn warning(event: &Value, subject: &Subject) -> Option<Value> {
    let field = |pointer| text(event, pointer);
    let (kind, name) = (field("/involvedObject/kind")?, field("/involvedObject/name")?);
    if field("/type") != Some("Warning") || !subject.has(kind, name) {
        return None;
    }
    // Newer sources of Events count in a series.
    let count = number(event, "/count").max(number(event, "/series/count")).max(1);
    let times = ["/lastTimestamp", "/series/lastObservedTime", "/eventTime"];
    Some(json!({
        "metadata": {"name": field("/metadata/name"), "uid": field("/metadata/uid")},
        "type": "Warning",
        "involvedObject": {"kind": kind, "name": name, "uid": field("/involvedObject/uid")},
        "reason": field("/reason"),
        "message": field("/message").unwrap_or_default(),
        "count": count,
        "lastTimestamp": times.into_iter().find_map(field),
    }))
}

/// The count of each warning when it was last recorded.
#[derive(Default)]
struct Said(HashMap<[String; 3], i64>);

impl Said {
    /// Whether a warning is new or has at least doubled its count since it was last recorded. So a warning that repeats
    /// every few seconds for minutes makes only a handful of records.
    fn is_news(&mut self, warning: &Value) -> bool {
        let key = ["/involvedObject/uid", "/reason", "/message"];
        let key = key.map(|pointer| text(warning, pointer).unwrap_or_default().to_owned());
        let (count, known) = (number(warning, "/count"), self.0.entry(key).or_insert(0));
        let news = count >= known.saturating_mul(2);
        if news {
            *known = count;
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::run;

    fn event(kind: &str, name: &str, reason: &str, count: i64) -> Value {
        json!({
            "metadata": {"name": format!("{name}.18a"), "uid": "e-1", "managedFields": []},
            "involvedObject": {"kind": kind, "name": name, "uid": "p-1", "fieldPath": "spec.containers{mysql}"},
            "type": "Warning", "reason": reason, "message": "probe failed", "count": count,
            "source": {"component": "kubelet"}, "lastTimestamp": "2026-01-05T03:00:00Z",
        })
    }

    fn kept(event: &Value) -> Option<Value> {
        warning(event, &run().subject)
    }

    #[test]
    fn a_warning_about_the_workload_is_kept() {
        let kept_ones = [("StatefulSet", "mysql"), ("Pod", "mysql-2"), ("PersistentVolumeClaim", "data-mysql-0")];
        for (kind, name) in kept_ones {
            assert!(kept(&event(kind, name, "FailedCreate", 1)).is_some(), "{kind} {name}");
        }
        let other = [("Pod", "steadfast-witness"), ("Node", "mysql-0"), ("PersistentVolumeClaim", "logs-mysql-0")];
        for (kind, name) in other {
            assert!(kept(&event(kind, name, "FailedCreate", 1)).is_none(), "{kind} {name}");
        }
        let mut normal = event("Pod", "mysql-0", "Pulled", 1);
        normal["type"] = "Normal".into();
        assert!(kept(&normal).is_none());
        let kept = kept(&event("Pod", "mysql-0", "Unhealthy", 3)).expect("a warning");
        let wanted = json!({
            "metadata": {"name": "mysql-0.18a", "uid": "e-1"},
            "type": "Warning",
            "involvedObject": {"kind": "Pod", "name": "mysql-0", "uid": "p-1"},
            "reason": "Unhealthy",
            "message": "probe failed",
            "count": 3,
            "lastTimestamp": "2026-01-05T03:00:00Z",
        });
        assert_eq!(kept, wanted);
    }

    #[test]
    fn newer_sources_count_in_a_series() {
        let mut series = event("Pod", "mysql-0", "FailedScheduling", 0);
        series["count"] = Value::Null;
        series["lastTimestamp"] = Value::Null;
        series["series"] = json!({"count": 4, "lastObservedTime": "2026-01-05T03:00:09.5Z"});
        let kept = kept(&series).expect("a warning");
        assert_eq!((&kept["count"], &kept["lastTimestamp"]), (&json!(4), &json!("2026-01-05T03:00:09.5Z")));
    }

    #[test]
    fn what_is_said_again_and_again_is_recorded_ever_more_seldom() {
        let mut said = Said::default();
        let news = |said: &mut Said, reason: &str, count| said.is_news(&event("Pod", "mysql-0", reason, count));
        let recorded = (1..=1_000).filter(|count| news(&mut said, "BackOff", *count)).collect::<Vec<_>>();
        assert_eq!(recorded, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
        assert!(news(&mut said, "Unhealthy", 1));
        assert!(!news(&mut said, "Unhealthy", 1), "a list tells it again");
    }
}
