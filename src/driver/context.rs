//! What every scenario works with: the cluster, the workload, the log, the witnesses.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;

use super::disrupted::Disrupted;
use super::error::ScenarioError;
use super::injection::FaultInjection;
use super::journal::Journal;
use super::newer::Newer;
use super::rate::{Rate, Reader};
use super::timeouts::Timeouts;
use super::vain::Vain;
use crate::cluster::Nodes;
use crate::evidence::{PodLife, Replication, Subject, Timeline};
use crate::mysql::flavour::Flavour;
use crate::probe::Session;
use crate::record::WaitStatus;
use crate::witness::protocol::Secret;
use crate::workload::{Hints, Manifest, Owned};

/// The witnesses: one in the workload's namespace where that is the run's own, one in another.
pub struct Witnesses {
    /// In the workload's namespace, or as near as may be. It keeps the ledger.
    pub near: Session,
    /// The namespace that it is in.
    pub near_namespace: String,
    /// In the other namespace.
    pub far: Session,
    /// The other namespace's name.
    pub far_namespace: String,
}

/// The cluster, as far as scenarios need it.
pub struct ClusterAccess {
    /// The connection.
    pub client: Client,
    /// The nodes, where they are containers of this machine.
    pub nodes: Option<Nodes>,
    /// The DNS servers: pod name and address. They change where a scenario replaces them.
    pub dns_servers: Mutex<Vec<(String, SocketAddr)>>,
    /// How long DNS may take to follow a change, in milliseconds.
    pub dns_budget_ms: u64,
    /// What the nodes are upgraded to, where the run is about that.
    pub newer: Option<Newer>,
}

/// The workload, as far as scenarios need it.
pub struct Workload {
    /// What is under test.
    pub subject: Subject,
    /// Its manifests, ready to apply.
    pub manifests: Vec<Manifest>,
    /// What is said of it beside its manifests.
    pub hints: Hints,
    /// Who configures replication.
    pub replication: Replication,
    /// Whether somebody else deployed it, and uses it.
    pub adopted: bool,
    /// What the run made so far, and must delete.
    pub made: Made,
}

/// The passwords of the accounts that a run uses.
pub struct Accounts {
    /// Of the account that servers are logged in as.
    pub root_password: Secret,
    /// The replicas'.
    pub replica_password: Secret,
    /// Of who writes the witness's ledger.
    pub writer_password: Secret,
    /// Of the account that is made where root may log in from its own machine only.
    pub admin_password: Secret,
}

/// The witness's ledger, as the run wants it.
pub struct LedgerOptions {
    /// How fast it writes, if it is kept.
    pub rate: Option<Rate>,
    /// Whether commits are to wait for a replica, which the ledger then asks around each write.
    pub semi_sync: bool,
}

/// What a context is made of.
pub struct Parts {
    /// The cluster.
    pub cluster: ClusterAccess,
    /// The workload.
    pub workload: Workload,
    /// The accounts.
    pub accounts: Accounts,
    /// The ledger.
    pub ledger: LedgerOptions,
    /// The witnesses.
    pub witnesses: Witnesses,
    /// Where all that is done and seen is written down.
    pub journal: Journal,
    /// Where the servers' logs are saved.
    pub logs: PathBuf,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// What a mutant injects.
    pub injections: Vec<FaultInjection>,
}

/// What a run made, in the order of its making; shared with whoever cleans up when the run is cut short.
pub type Made = Arc<tokio::sync::Mutex<Vec<Owned>>>;

/// What every scenario works with.
pub struct Context {
    pub(crate) cluster: ClusterAccess,
    pub(crate) workload: Workload,
    pub(crate) accounts: Accounts,
    pub(crate) ledger: LedgerOptions,
    pub(crate) witnesses: Witnesses,
    pub(crate) journal: Journal,
    pub(crate) logs: PathBuf,
    pub(crate) timeouts: Timeouts,
    pub(crate) injections: Vec<FaultInjection>,
    next_write: AtomicU64,
    flavour: OnceLock<Flavour>,
    replicating: AtomicBool,
    probing: AtomicBool,
    /// Whether root was seen to be let in from its own machine only.
    pub(crate) root_is_local: AtomicBool,
    pub(crate) reader: Reader,
    /// What is to be made good, whatever happens.
    pub(crate) disrupted: tokio::sync::Mutex<Vec<Disrupted>>,
    /// Whether the workload was awaited in vain.
    pub(crate) vain: Vain,
}

impl Context {
    /// A context of these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { cluster, workload, accounts, ledger, witnesses, journal, logs, timeouts, injections } = parts;
        Self {
            cluster,
            workload,
            accounts,
            ledger,
            witnesses,
            journal,
            logs,
            timeouts,
            injections,
            next_write: AtomicU64::new(1),
            flavour: OnceLock::new(),
            replicating: AtomicBool::new(false),
            probing: AtomicBool::new(false),
            root_is_local: AtomicBool::new(false),
            reader: Reader::default(),
            disrupted: tokio::sync::Mutex::default(),
            vain: Vain::default(),
        }
    }

    /// The DNS servers as they are now.
    pub(crate) fn dns_servers(&self) -> Vec<(String, SocketAddr)> {
        self.cluster.dns_servers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), &self.workload.subject.namespace)
    }

    pub(crate) fn next_write(&self) -> u64 {
        self.next_write.fetch_add(1, Ordering::Relaxed)
    }

    /// Remembers what the servers are, by what one of them says of itself.
    pub(crate) fn learn_flavour(&self, version: &str) {
        self.flavour.get_or_init(|| Flavour::of(version));
    }

    /// Whether replication is configured.
    pub(crate) fn replicating(&self) -> bool {
        self.replicating.load(Ordering::Relaxed)
    }

    pub(crate) fn now_replicating(&self) {
        self.replicating.store(true, Ordering::Relaxed);
    }

    /// Remembers that every server is asked as its pod becomes Ready.
    pub(crate) fn now_probing(&self) {
        self.probing.store(true, Ordering::Relaxed);
    }

    /// What the servers are; while none has said so, what most of them understand.
    pub(crate) fn flavour(&self) -> Flavour {
        self.flavour.get().copied().unwrap_or(Flavour::MySql((5, 7, 0)))
    }

    /// The UID of the pod that bears this name now.
    pub(crate) fn uid(&self, pod: &str) -> Option<String> {
        self.journal.log.look(|timeline| timeline.live_pod(pod).map(|life| life.uid.clone()))
    }

    /// Whether the pod with this UID is gone.
    pub(crate) fn gone_already(&self, uid: &str) -> bool {
        self.journal.log.look(|timeline| timeline.pod_by_uid(uid).is_some_and(|life| life.deleted.is_some()))
    }

    /// The address of the pod that bears this name now.
    pub(crate) fn address(&self, pod: &str) -> Option<String> {
        self.journal.log.look(|timeline| timeline.live_pod(pod)?.address_at(timeline.last_seq).map(str::to_owned))
    }

    /// Waits for something of the timeline, and tells who watches what is seen meanwhile.
    pub(crate) async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        status: impl Fn(&Timeline) -> WaitStatus<T>,
    ) -> Result<T, ScenarioError> {
        let seen = |state: &str| self.journal.progress.seen(&format!("{what}: {state}"));
        Ok(self.journal.log.wait(what, self.vain.patience(limit), seen, status).await?)
    }

    /// Waits for something that no watch of the run shows, and tells who watches what is seen meanwhile.
    pub(crate) async fn poll<T>(
        &self,
        what: &str,
        limit: Duration,
        ask: impl AsyncFn() -> WaitStatus<T>,
    ) -> Result<T, ScenarioError> {
        let seen = |state: &str| self.journal.progress.seen(&format!("{what}: {state}"));
        Ok(self.journal.log.poll(what, self.vain.patience(limit), seen, ask).await?)
    }

    /// Waits until a name's bearer is Ready under another UID than `not`, and was asked as it became so.
    pub(crate) async fn ready(&self, pod: &str, not: Option<&str>) -> Result<(), ScenarioError> {
        let what = if not.is_some() { format!("{pod} Ready under a new UID") } else { format!("{pod} Ready") };
        let awaited = self.wait(&what, self.timeouts.pod_ready, |timeline| {
            let Some(life) = timeline.live_pod(pod) else {
                return WaitStatus::Pending("there is no such pod".to_owned());
            };
            if Some(life.uid.as_str()) == not {
                return WaitStatus::Pending(format!("still the old one: {}", life.summary));
            }
            ready_status(life, timeline.last_seq)
        });
        self.comes_back(awaited).await?;
        self.probed(pod).await;
        Ok(())
    }

    /// Waits until a server was asked as its pod became Ready, where that is done: dozens of other questions, which come
    /// once all pods are Ready, would hold that one up until its answer tells nothing of that moment. Whoever is not
    /// asked in time holds up nobody; the evidence shows it.
    async fn probed(&self, pod: &str) {
        let Some(uid) = self.uid(pod).filter(|_| self.probing.load(Ordering::Relaxed)) else { return };
        let what = format!("{pod} (uid {uid}) asked as it became Ready");
        let _ = self.of_pod(&what, self.timeouts.sql, &uid, |life| life.probed.then_some(())).await;
    }
}

fn ready_status(life: &PodLife, seq: u64) -> WaitStatus<()> {
    // These end only when somebody changes the manifest: waiting longer would tell nothing more. A pull that failed, or
    // a container that crashed, is tried again.
    let hopeless = ["ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"];
    if life.serving_at(seq) {
        WaitStatus::Met(())
    } else if let Some(reason) = hopeless.iter().find(|reason| life.summary.contains(**reason)) {
        WaitStatus::Impossible(format!("{} is in {reason} ({})", life.name, life.summary))
    } else {
        WaitStatus::Pending(life.summary.clone())
    }
}
