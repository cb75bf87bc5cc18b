//! Waits until the objects that match a selector are in the wanted state.

use std::time::{Duration, Instant};

use futures::{StreamExt, pin_mut};
use kube::api::{Api, ListParams, WatchParams};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RunError;
use crate::object::has_condition;

/// The pause before asking an API server again after an error.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// How long to retry after a 403: an API server that has just started forbids everything until it has loaded its roles.
const REFUSED_FOR: Duration = Duration::from_secs(10);

/// How many of the objects must be Ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    All,
    Some,
}

/// Waits until `look` accepts the list of objects. Otherwise `look` returns what it misses.
///
/// # Errors
/// When that takes too long, with what was missing last.
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
    let (begun, mut last_seen) = (Instant::now(), "no answer from the API server".to_owned());
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
                // A refused watch returns at once, so pause to spare the API server.
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            };
            pin_mut!(events);
            // Any change is a reason to list again.
            let _ = events.next().await;
        }
    };
    match tokio::time::timeout(limit, found).await {
        Ok(found) => found,
        Err(_) => Err(RunError::NotReady { what: what.to_owned(), limit, last_seen }),
    }
}

/// Waits until there are such objects and all (or some) of them have the condition Ready. Returns the Ready ones.
///
/// # Errors
/// When that takes too long.
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
        Err(if waiting.is_empty() { "none exists".to_owned() } else { format!("not Ready: {}", waiting.join(", ")) })
    };
    listed(api, selector, what, limit, look).await
}

fn is_ready(object: &impl Serialize) -> bool {
    serde_json::to_value(object).is_ok_and(|object| has_condition(&object, "Ready"))
}
