//! A run on an existing cluster. Every object is noted in the run's book before it is created, and removed until
//! nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::future::join_all;
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::discovery::Scope;
use kube::{Client, ResourceExt};
use serde_json::json;

use super::RunError;
use crate::cluster::book::{Book, Intent, Made, Of, take_over};
use crate::cluster::kind::lease_folder;
use crate::cluster::{Cluster, Lease, words};
use crate::driver::Journal;
use crate::workload::{self, ApplyError, Manifest, Owned, RUN_LABEL};

/// The pause before the second look. It doubles for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// How long to wait for an API server that accepted a request before asking again.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// The time limit to remove the leftovers of dead runs.
pub(super) const SWEEP_WITHIN: Duration = Duration::from_secs(90);

/// How to reach an existing cluster.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The UID of its namespace kube-system.
    pub(super) uid: String,
    /// The kubeconfig file.
    pub(super) kubeconfig: PathBuf,
    /// The workload's namespace and a witness's, if they were prepared beforehand.
    pub(super) namespaces: Option<[String; 2]>,
}

/// What a run is about to create.
pub(super) struct Plans<'a> {
    /// The workload's namespace and the witness's.
    pub(super) namespaces: [&'a str; 2],
    /// The workload's objects.
    pub(super) manifests: &'a [Manifest],
    /// The objects among them that may be cluster-wide.
    pub(super) cluster_wide: &'a [&'a Manifest],
    /// A witness's objects.
    pub(super) witness: &'a [Manifest],
}

impl Plans<'_> {
    /// All objects that must be removed by name. Objects in the run's own namespaces are deleted with them.
    pub(super) fn intents(&self, namespaces_stay: bool) -> Vec<Intent> {
        let object = |namespace: Option<&str>, manifest: &Manifest| Intent {
            api_version: manifest.text("/apiVersion").to_owned(),
            kind: manifest.kind().to_owned(),
            namespace: namespace.map(str::to_owned),
            name: manifest.name().to_owned(),
        };
        let cluster_wide = self.cluster_wide.iter().map(|manifest| object(None, manifest));
        let [workload, witness] = self.namespaces;
        if !namespaces_stay {
            let namespace = |name: &str| Intent {
                api_version: "v1".to_owned(),
                kind: "Namespace".to_owned(),
                namespace: None,
                name: name.to_owned(),
            };
            return self.namespaces.map(namespace).into_iter().chain(cluster_wide).collect();
        }
        let is_inside = |manifest: &&Manifest| {
            !manifest.is_namespace() && self.cluster_wide.iter().all(|it| !std::ptr::eq(*it, *manifest))
        };
        let own = self.manifests.iter().filter(is_inside).map(|manifest| object(Some(workload), manifest));
        let witnesses = [workload, witness]
            .into_iter()
            .flat_map(|namespace| self.witness.iter().map(move |manifest| object(Some(namespace), manifest)));
        cluster_wide.chain(own).chain(witnesses).collect()
    }
}

/// A run on an existing cluster, with its book.
pub(super) struct Guest {
    client: Client,
    book: Book,
    lease: Lease,
}

impl Guest {
    /// Writes down everything that a run is about to create, before it creates any of it.
    ///
    /// # Errors
    /// When the book cannot be written.
    pub(super) fn arrive(cluster: &Cluster, place: &Place, run: &str, plans: &Plans<'_>) -> Result<Self, RunError> {
        let book = Book {
            run: run.to_owned(),
            cluster: place.uid.clone(),
            server: cluster.server.clone(),
            kubeconfig: std::path::absolute(&place.kubeconfig).unwrap_or_else(|_| place.kubeconfig.clone()),
            context: cluster.context.clone(),
            intents: plans.intents(place.namespaces.is_some()),
            claims_in: place.namespaces.as_ref().map(|[workload, _]| workload.clone()),
        };
        let lease = book.open().map_err(unwritable)?;
        Ok(Self { client: cluster.client.clone(), book, lease })
    }

    /// Leaves everything in place, for `steadfast down` to remove.
    ///
    /// # Errors
    /// When the book cannot be renamed.
    pub(super) fn stay(self) -> Result<(), RunError> {
        self.lease.keep().map_err(unwritable)
    }

    /// Removes what is left, and deletes the book once nothing is.
    ///
    /// # Errors
    /// When something is left. The book then stays for the next start.
    pub(super) async fn leave(self, limit: Duration) -> Result<(), RunError> {
        let left = remove(&self.client, &self.book.made(), limit).await;
        if left.is_empty() {
            return self.lease.release().map_err(unwritable);
        }
        Err(RunError::LeftBehind { left, removal: self.book.removal(), limit })
    }
}

fn unwritable(source: std::io::Error) -> RunError {
    RunError::File { path: lease_folder(), source }
}

/// Removes what runs left on a cluster, and returns the names of those runs.
///
/// # Errors
/// When something is left. Everything else is removed nevertheless.
pub async fn sweep(cluster: &Cluster, uid: &str, of: Of) -> Result<Vec<String>, RunError> {
    let books = take_over(uid, of);
    let removals = books.iter().map(|taken| async { remove(&cluster.client, &taken.book.made(), SWEEP_WITHIN).await });
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

/// Removes the leftovers of dead runs and says so. A failure does not stop this run: the next start tries again.
pub(super) async fn sweep_dead_runs(cluster: &Cluster, uid: &str, journal: &Journal) {
    let message = match sweep(cluster, uid, Of::DeadRuns).await {
        Ok(removed) if removed.is_empty() => return,
        Ok(removed) => format!("removed the objects that killed runs left on this cluster: {}", removed.join(", ")),
        Err(error) => error.to_string(),
    };
    journal.announce(&message);
}

/// Deletes the objects that a run may have created and that have its label, repeatedly until all are gone or the time
/// is up. Returns what is left, each with what blocks its deletion.
pub(super) async fn remove(client: &Client, made: &Made<'_>, limit: Duration) -> Vec<String> {
    let end = Instant::now() + limit;
    let (mut pause, mut kinds) = (FIRST_PAUSE, Kinds::default());
    loop {
        kinds.look_up(client, made.intents, end).await;
        let looks = made.intents.iter().map(|intent| {
            let kinds = &kinds;
            async move {
                let asked = async { delete(client, intent, kinds.of(intent)?, made.run).await };
                let left = answered(asked, end).await.unwrap_or_else(Some);
                left.map(|why| format!("{} {} ({why})", intent.kind, intent.name))
            }
        });
        let claims = async {
            let namespace = made.claims_in?;
            let claims = answered(delete_claims(client, namespace, made.run), end).await;
            claims.unwrap_or_else(Some).map(|why| format!("claims in {namespace} ({why})"))
        };
        let (left, claims) = tokio::join!(join_all(looks), claims);
        let left: Vec<String> = left.into_iter().chain([claims]).flatten().collect();
        if left.is_empty() || Instant::now() + pause >= end {
            return left;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// The answer, if it comes in time.
async fn answered<T>(asked: impl Future<Output = Result<T, String>>, end: Instant) -> Result<T, String> {
    let limit = end.min(Instant::now() + ANSWER_WITHIN);
    let answer = tokio::time::timeout_at(limit.into(), asked).await;
    answer.unwrap_or_else(|_| Err("the API server does not answer".to_owned()))
}

/// The resources of objects, by API and kind. `None` if the cluster does not serve the kind and so has no such object.
#[derive(Default)]
struct Kinds(BTreeMap<(String, String), Result<Found, String>>);

/// A kind's resource and scope, if the cluster serves it.
type Found = Option<(ApiResource, Scope)>;

impl Kinds {
    /// Looks up the kinds that are not known yet.
    async fn look_up(&mut self, client: &Client, intents: &[Intent], end: Instant) {
        let kinds: BTreeSet<_> = intents.iter().map(kind_of).collect();
        let unknown = kinds.into_iter().filter(|kind| !matches!(self.0.get(kind), Some(Ok(_))));
        let lookups = unknown.map(|kind| async move {
            let found = answered(resource(client, &kind), end).await;
            (kind, found)
        });
        self.0.extend(join_all(lookups).await);
    }

    fn of(&self, intent: &Intent) -> Result<Found, String> {
        self.0.get(&kind_of(intent)).cloned().unwrap_or(Ok(None))
    }
}

fn kind_of(intent: &Intent) -> (String, String) {
    (intent.api_version.clone(), intent.kind.clone())
}

async fn resource(client: &Client, (api_version, kind): &(String, String)) -> Result<Found, String> {
    let object = json!({"apiVersion": api_version, "kind": kind});
    match workload::kind_of(client, &Manifest { origin: String::new(), object }).await {
        Ok(found) => Ok(Some(found)),
        Err(ApplyError::UnknownKind { .. }) => Ok(None),
        Err(error) => Err(in_words(error)),
    }
}

/// Requests the deletion of an object, if this run created it, and returns what blocks it; `None` once it is gone.
async fn delete(client: &Client, intent: &Intent, found: Found, run: &str) -> Result<Option<String>, String> {
    let api: Api<DynamicObject> = match (found, &intent.namespace) {
        (Some((resource, Scope::Cluster)), _) => Api::all_with(client.clone(), &resource),
        (Some((resource, Scope::Namespaced)), Some(namespace)) => {
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
        // It is deleted with its namespace.
        (Some((_, Scope::Namespaced)), None) | (None, _) => return Ok(None),
    };
    let there = api.get_metadata_opt(&intent.name).await.map_err(|error| words(&error))?;
    let Some(there) = there.filter(|it| it.labels().get(RUN_LABEL).is_some_and(|label| label == run)) else {
        return Ok(None);
    };
    let Some(uid) = there.uid() else { return Err("it has no UID".to_owned()) };
    if there.metadata.deletion_timestamp.is_none() {
        let Intent { api_version, kind, name, .. } = intent.clone();
        let owned = Owned { api_version, kind, name, uid, api };
        // In a namespace that stays, nothing else would find the object's dependents.
        let asked = match intent.namespace {
            Some(_) => workload::delete_after_dependents(&owned).await,
            None => workload::delete(&owned).await,
        };
        asked.map_err(in_words)?;
    }
    let finalizers = there.finalizers();
    let held = (!finalizers.is_empty()).then(|| format!("held by the finalizers {}", finalizers.join(", ")));
    Ok(Some(held.unwrap_or_else(|| "being deleted".to_owned())))
}

/// Requests the deletion of the claims that a controller created for the run's StatefulSet, and returns those left.
async fn delete_claims(client: &Client, namespace: &str, run: &str) -> Result<Option<String>, String> {
    let (api_version, kind) = ("v1", "PersistentVolumeClaim");
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", api_version, kind));
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let labelled = ListParams::default().labels(&format!("{RUN_LABEL}={run}"));
    let list = api.list_metadata(&labelled).await.map_err(|error| words(&error))?;
    for claim in list.iter().filter(|claim| claim.metadata.deletion_timestamp.is_none()) {
        let (name, uid, api) = (claim.name_any(), claim.uid().unwrap_or_default(), api.clone());
        let owned = Owned { api_version: api_version.to_owned(), kind: kind.to_owned(), name, uid, api };
        workload::delete(&owned).await.map_err(in_words)?;
    }
    let names: Vec<String> = list.iter().map(ResourceExt::name_any).collect();
    Ok((!names.is_empty()).then(|| format!("{} being deleted", names.join(", "))))
}

/// The API server's message alone. The caller has already named the request.
fn in_words(error: ApplyError) -> String {
    match error {
        ApplyError::Api { source, .. } => words(&source),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_namespace_that_stays_every_object_is_noted_and_else_what_belongs_to_none() {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: db}\n---\n\
                    apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: fast}\n---\n\
                    apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
        let manifests = workload::parse("here", text).expect("manifests");
        let witness = workload::parse("here", "apiVersion: v1\nkind: Pod\nmetadata: {name: witness}\n").expect("one");
        let plans = Plans {
            namespaces: ["shop", "near"],
            manifests: &manifests,
            cluster_wide: &[&manifests[1]],
            witness: &witness,
        };
        let noted = |stay| -> Vec<String> {
            let intents = plans.intents(stay).into_iter();
            intents.map(|it| format!("{} {} in {:?}", it.kind, it.name, it.namespace.unwrap_or_default())).collect()
        };
        assert_eq!(noted(false), ["Namespace shop in \"\"", "Namespace near in \"\"", "StorageClass fast in \"\""]);
        let wanted = [
            "StorageClass fast in \"\"",
            "Service db in \"shop\"",
            "Pod witness in \"shop\"",
            "Pod witness in \"near\"",
        ];
        assert_eq!(noted(true), wanted);
    }
}
