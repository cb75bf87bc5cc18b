//! A run on a cluster that was there before it: what it makes stands in its book first, and is removed until nothing is
//! left.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::join_all;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::discovery::Scope;
use kube::{Client, ResourceExt};
use serde_json::json;

use super::RunError;
use crate::cluster::book::{Book, Intent, Of, take_over};
use crate::cluster::kind::lease_folder;
use crate::cluster::{Cluster, Lease, words};
use crate::scenario::Journal;
use crate::workload::{self, ApplyError, Manifest, Owned, RUN_LABEL};

/// Before the second look; it doubles for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// An API server that takes a request and says nothing for so long is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// How long what dead runs left may take to go.
pub const SWEEP_WITHIN: Duration = Duration::from_secs(90);

/// How a cluster that was there before is reached.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The UID of its namespace kube-system.
    pub(super) uid: String,
    /// The file.
    pub(super) kubeconfig: PathBuf,
}

/// A run on somebody's cluster, with its book.
pub(super) struct Guest {
    client: Client,
    book: Book,
    lease: Lease,
}

impl Guest {
    /// Notes all that a run is about to make, before it makes any of it.
    ///
    /// # Errors
    /// When the book cannot be written.
    pub(super) fn arrive(
        cluster: &Cluster,
        place: &Place,
        run: &str,
        namespaces: [&str; 2],
        manifests: &[Manifest],
    ) -> Result<Self, RunError> {
        let namespace =
            |name: &str| Intent { api_version: "v1".to_owned(), kind: "Namespace".to_owned(), name: name.to_owned() };
        let object = |manifest: &Manifest| Intent {
            api_version: manifest.text("/apiVersion").to_owned(),
            kind: manifest.kind().to_owned(),
            name: manifest.name().to_owned(),
        };
        let objects = manifests.iter().filter(|it| !it.is_namespace()).map(object);
        let book = Book {
            run: run.to_owned(),
            cluster: place.uid.clone(),
            server: cluster.server.clone(),
            kubeconfig: std::path::absolute(&place.kubeconfig).unwrap_or_else(|_| place.kubeconfig.clone()),
            context: cluster.context.clone(),
            intents: namespaces.into_iter().map(namespace).chain(objects).collect(),
        };
        let lease = book.open().map_err(unwritable)?;
        Ok(Self { client: cluster.client.clone(), book, lease })
    }

    /// Leaves everything as it is, for `steadfast down` to remove.
    ///
    /// # Errors
    /// When the book cannot be renamed.
    pub(super) fn stay(self) -> Result<(), RunError> {
        self.lease.keep().map_err(unwritable)
    }

    /// Removes what is there still, and gives the book up once nothing is.
    ///
    /// # Errors
    /// When something is left; its book stays for the next start.
    pub(super) async fn leave(self, limit: Duration) -> Result<(), RunError> {
        let left = remove(&self.client, &self.book, limit).await;
        if left.is_empty() {
            return self.lease.release().map_err(unwritable);
        }
        Err(RunError::LeftBehind { left, removal: self.book.removal(), limit })
    }
}

fn unwritable(source: std::io::Error) -> RunError {
    RunError::File { path: lease_folder(), source }
}

/// Removes what runs left on a cluster, and tells of which runs.
///
/// # Errors
/// When something is left; what could be removed is.
pub async fn sweep(cluster: &Cluster, uid: &str, of: Of) -> Result<Vec<String>, RunError> {
    let books = take_over(uid, of);
    let removals = books.iter().map(|taken| remove(&cluster.client, &taken.book, SWEEP_WITHIN));
    let results = join_all(removals).await;
    let (mut removed, mut trouble) = (Vec::new(), None);
    for (taken, left) in books.into_iter().zip(results) {
        if left.is_empty() {
            removed.push(taken.book.run.clone());
            taken.forget();
        } else {
            trouble = Some(RunError::LeftBehind { left, removal: taken.book.removal(), limit: SWEEP_WITHIN });
        }
    }
    trouble.map_or(Ok(removed), Err)
}

/// Says what was swept. What cannot be removed now does not hinder this run: the next start tries again.
pub(super) async fn sweep_dead_runs(cluster: &Cluster, uid: &str, journal: &Journal) {
    let message = match sweep(cluster, uid, Of::DeadRuns).await {
        Ok(removed) if removed.is_empty() => return,
        Ok(removed) => format!("removed what killed runs had left on this cluster: {}", removed.join(", ")),
        Err(error) => error.to_string(),
    };
    journal.announce(&message);
}

/// Deletes the objects of a book that bear the label of its run, again and again until none is there or the time is up.
/// Returns what is left, each with what stands in its way.
async fn remove(client: &Client, book: &Book, limit: Duration) -> Vec<String> {
    let end = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    loop {
        let looks = book.intents.iter().map(|intent| async move {
            let name = format!("{} {}", intent.kind, intent.name);
            let limit = end.min(Instant::now() + ANSWER_WITHIN);
            match tokio::time::timeout_at(limit.into(), delete(client, intent, &book.run)).await {
                Ok(Ok(None)) => None,
                Ok(Ok(Some(why))) => Some(format!("{name} ({why})")),
                Ok(Err(why)) => Some(format!("{name} ({why})")),
                Err(_) => Some(format!("{name} (the API server does not answer)")),
            }
        });
        let left: Vec<String> = join_all(looks).await.into_iter().flatten().collect();
        if left.is_empty() || Instant::now() + pause >= end {
            return left;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Asks for the deletion of an object, if this run made it, and tells what keeps it; nothing once it is gone. Objects of a
/// namespace go with it.
async fn delete(client: &Client, intent: &Intent, run: &str) -> Result<Option<String>, String> {
    let Some(resource) = cluster_wide(client, intent).await? else { return Ok(None) };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let there = api.get_metadata_opt(&intent.name).await.map_err(|error| words(&error))?;
    let Some(there) = there.filter(|it| it.labels().get(RUN_LABEL).is_some_and(|label| label == run)) else {
        return Ok(None);
    };
    let Some(uid) = there.uid() else { return Err("it has no UID".to_owned()) };
    if there.metadata.deletion_timestamp.is_none() {
        let Intent { api_version, kind, name } = intent.clone();
        workload::delete(&Owned { api_version, kind, name, uid, api }).await.map_err(in_words)?;
    }
    let finalizers = there.finalizers();
    let held = (!finalizers.is_empty()).then(|| format!("held by the finalizers {}", finalizers.join(", ")));
    Ok(Some(held.unwrap_or_else(|| "being deleted".to_owned())))
}

/// The resource of an object that belongs to no namespace; none where its kind is unknown, and so nothing of it is there.
async fn cluster_wide(client: &Client, intent: &Intent) -> Result<Option<ApiResource>, String> {
    let Intent { api_version, kind, name } = intent;
    let object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}});
    match workload::kind_of(client, &Manifest { origin: String::new(), object }).await {
        Ok((resource, scope)) => Ok((scope == Scope::Cluster).then_some(resource)),
        Err(ApplyError::UnknownKind { .. }) => Ok(None),
        Err(error) => Err(in_words(error)),
    }
}

/// What the API server said. What it was asked for, whoever tells it has said already.
fn in_words(error: ApplyError) -> String {
    match error {
        ApplyError::Api { source, .. } => words(&source),
        error => error.to_string(),
    }
}
