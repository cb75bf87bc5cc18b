//! Waits until the objects that a selector chooses are as they have to be.

use std::time::{Duration, Instant};

use futures::{StreamExt, pin_mut};
use kube::api::{Api, ListParams, WatchParams};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RunError;
use crate::object::has_condition;

/// Between two questions to an API server that does not answer as it should.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// An API server that has just started refuses everybody, until it knows its roles.
const REFUSED_FOR: Duration = Duration::from_secs(10);

/// How many of some objects must be Ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    Some,
}

/// Waits until `look` is content with the list of the objects that are there; it says what it misses otherwise.
///
/// # Errors
/// When it is not in time, with what it missed last.
pub(super) async fn listed<K, T>(
    api: &Api<K>,
    selector: &str,
    what: &str,
    limit: Duration,
    look: impl Fn(Vec<K>) -> Result<T, String>,
) -> Result<T, RunError>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let (begun, mut last_seen) = (Instant::now(), "no answer of the API server".to_owned());
    let found = async {
        loop {
            let list = match api.list(&ListParams::default().labels(selector)).await {
                Ok(list) => list,
                Err(kube::Error::Api(status)) if status.code == 403 && begun.elapsed() > REFUSED_FOR => {
                    return Err(RunError::api(&format!("get {what}"), kube::Error::Api(status)));
                }
                Err(error) => {
                    // The API server may still be starting.
                    last_seen = error.to_string();
                    tokio::time::sleep(RETRY_AFTER).await;
                    continue;
                }
            };
            let version = list.metadata.resource_version.unwrap_or_default();
            match look(list.items) {
                Ok(found) => return Ok(found),
                Err(missed) => last_seen = missed,
            }
            let Ok(events) = api.watch(&WatchParams::default().labels(selector).timeout(30), &version).await else {
                // A watch that is refused is refused at once: without a pause this would only burden the API server.
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            };
            pin_mut!(events);
            // Any change is a reason to look at the whole again.
            let _ = events.next().await;
        }
    };
    match tokio::time::timeout(limit, found).await {
        Ok(found) => found,
        Err(_) => Err(RunError::NotReady { what: what.to_owned(), limit, last_seen }),
    }
}

/// Waits until there are such objects and all of them, or some, have the condition Ready; returns those that have it.
///
/// # Errors
/// When it is not so in time.
pub(super) async fn ready<K>(
    api: &Api<K>,
    selector: &str,
    what: &str,
    wanted: Wanted,
    limit: Duration,
) -> Result<Vec<K>, RunError>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let look = |objects: Vec<K>| {
        let (ready, waiting): (Vec<K>, Vec<K>) = objects.into_iter().partition(is_ready);
        if !ready.is_empty() && (waiting.is_empty() || wanted == Wanted::Some) {
            return Ok(ready);
        }
        let waiting: Vec<String> = waiting.iter().map(ResourceExt::name_any).collect();
        Err(if waiting.is_empty() { "none is there".to_owned() } else { format!("not Ready: {}", waiting.join(", ")) })
    };
    listed(api, selector, what, limit, look).await
}

fn is_ready(object: &impl Serialize) -> bool {
    serde_json::to_value(object).is_ok_and(|object| has_condition(&object, "Ready"))
}
