//! The context of every scenario: the cluster, the workload, the log, the witnesses.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::Api;

use super::cuts::Cuts;
use super::disrupted::Disrupted;
use super::error::ScenarioError;
use super::injection::FaultInjection;
use super::journal::Journal;
use super::newer::Newer;
use super::rate::{Rate, Reader};
use super::timeouts::Timeouts;
use super::vain::Vain;
use crate::cluster::{Disks, Nodes};
use crate::evidence::{PodLife, Replication, Subject, Timeline};
use crate::mysql::flavour::Flavour;
use crate::probe::Session;
use crate::record::WaitStatus;
use crate::witness::protocol::Secret;
use crate::workload::{Hints, Manifest, Owned};

/// The witnesses: one in the workload's namespace if that belongs to the run, one in another namespace.
pub struct Witnesses {
    /// In the workload's namespace if possible. It keeps the ledger.
    pub near: Session,
    /// Its namespace.
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
    /// The nodes, if they are containers of this machine.
    pub nodes: Option<Nodes>,
    /// The disks below the volumes of the nodes, if they can be cut.
    pub disks: Option<Disks>,
    /// The DNS servers: pod name and address. Scenarios may replace them.
    pub dns_servers: Mutex<Vec<(String, SocketAddr)>>,
    /// How long DNS may take to follow a change, in milliseconds.
    pub dns_budget_ms: u64,
    /// The same for the names of addresses.
    pub dns_reverse_budget_ms: u64,
    /// The release to upgrade nodes to, in a run that upgrades.
    pub newer: Option<Newer>,
}

/// The workload, as far as scenarios need it.
pub struct Workload {
    /// What is under test.
    pub subject: Subject,
    /// Its manifests, ready to apply.
    pub manifests: Vec<Manifest>,
    /// What the user said about it besides the manifests.
    pub hints: Hints,
    /// Who configures replication.
    pub replication: Replication,
    /// Whether it was deployed, and is used, by somebody else.
    pub adopted: bool,
    /// The objects that the run created so far and must delete.
    pub made: Made,
}

/// The passwords of the accounts that a run uses.
pub struct Accounts {
    /// Of the account that the harness logs in with.
    pub root_password: Secret,
    /// Of the replication account.
    pub replica_password: Secret,
    /// Of the account that writes the witness's ledger.
    pub writer_password: Secret,
    /// Of the account that is created if root may log in only locally.
    pub admin_password: Secret,
}

/// The options of the witness's ledger.
pub struct LedgerOptions {
    /// How fast it writes; `None` without a ledger.
    pub rate: Option<Rate>,
    /// Whether commits wait for a replica. If so, the ledger also asks the servers around each write.
    pub semi_sync: bool,
}

/// The parts of a context.
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
    /// Where everything that is done and seen is recorded.
    pub journal: Journal,
    /// The folder for the servers' logs.
    pub logs: PathBuf,
    /// The time limits of waits.
    pub timeouts: Timeouts,
    /// How often the power is cut.
    pub cuts: Cuts,
    /// The faults that a mutant injects.
    pub injections: Vec<FaultInjection>,
}

/// The objects that a run created, in order of creation. Shared with the clean-up of a run that is cut short.
pub type Made = Arc<tokio::sync::Mutex<Vec<Owned>>>;

/// The context of every scenario.
pub struct Context {
    pub(crate) cluster: ClusterAccess,
    pub(crate) workload: Workload,
    pub(crate) accounts: Accounts,
    pub(crate) ledger: LedgerOptions,
    pub(crate) witnesses: Witnesses,
    pub(crate) journal: Journal,
    pub(crate) logs: PathBuf,
    pub(crate) timeouts: Timeouts,
    pub(crate) cuts: Cuts,
    pub(crate) injections: Vec<FaultInjection>,
    next_write: AtomicU64,
    flavour: OnceLock<Flavour>,
    replicating: AtomicBool,
    probing: AtomicBool,
    /// Whether a server was seen to let root log in only locally.
    pub(crate) root_is_local: AtomicBool,
    pub(crate) reader: Reader,
    /// What must be undone, whatever happens.
    pub(crate) disrupted: tokio::sync::Mutex<Vec<Disrupted>>,
    /// Whether a wait for the workload failed.
    pub(crate) vain: Vain,
}

impl Context {
    /// Builds a context from its parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { cluster, workload, accounts, ledger, witnesses, journal, logs, timeouts, cuts, injections } = parts;
        Self {
            cluster,
            workload,
            accounts,
            ledger,
            witnesses,
            journal,
            logs,
            timeouts,
            cuts,
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

    /// The present DNS servers.
    pub(crate) fn dns_servers(&self) -> Vec<(String, SocketAddr)> {
        self.cluster.dns_servers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.cluster.client.clone(), &self.workload.subject.namespace)
    }

    pub(crate) fn next_write(&self) -> u64 {
        self.next_write.fetch_add(1, Ordering::Relaxed)
    }

    /// Remembers the servers' flavour, from the version that one of them reported.
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

    /// Remembers that every server is asked when its pod becomes Ready.
    pub(crate) fn now_probing(&self) {
        self.probing.store(true, Ordering::Relaxed);
    }

    /// The servers' flavour. Until one has reported its version, a flavour whose statements most servers understand.
    pub(crate) fn flavour(&self) -> Flavour {
        self.flavour.get().copied().unwrap_or(Flavour::MySql((5, 7, 0)))
    }

    /// The UID of the pod that has this name now.
    pub(crate) fn uid(&self, pod: &str) -> Option<String> {
        self.journal.log.look(|timeline| timeline.live_pod(pod).map(|life| life.uid.clone()))
    }

    /// Whether the pod with this UID is gone.
    pub(crate) fn gone_already(&self, uid: &str) -> bool {
        self.journal.log.look(|timeline| timeline.pod_by_uid(uid).is_some_and(|life| life.deleted.is_some()))
    }

    /// The address of the pod that has this name now.
    pub(crate) fn address(&self, pod: &str) -> Option<String> {
        self.journal.log.look(|timeline| timeline.live_pod(pod)?.address_at(timeline.last_seq).map(str::to_owned))
    }

    /// Waits for a state of the timeline, and shows what is seen meanwhile as progress.
    pub(crate) async fn wait<T>(
        &self,
        what: &str,
        limit: Duration,
        status: impl Fn(&Timeline) -> WaitStatus<T>,
    ) -> Result<T, ScenarioError> {
        let seen = |state: &str| self.journal.progress.seen(&format!("{what}: {state}"));
        Ok(self.journal.log.wait(what, self.vain.patience(limit), seen, status).await?)
    }

    /// Waits for a state that no watch of the run shows, and shows what is seen meanwhile as progress.
    pub(crate) async fn poll<T>(
        &self,
        what: &str,
        limit: Duration,
        ask: impl AsyncFn() -> WaitStatus<T>,
    ) -> Result<T, ScenarioError> {
        let seen = |state: &str| self.journal.progress.seen(&format!("{what}: {state}"));
        Ok(self.journal.log.poll(what, self.vain.patience(limit), seen, ask).await?)
    }

    /// Waits until the pod of this name is Ready, under another UID than `not`, and was asked when it became Ready.
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

    /// Waits until a server was asked when its pod became Ready, if that is enabled. Otherwise the dozens of questions
    /// that follow once all pods are Ready would delay that one until its answer says nothing about that time. A server
    /// that is not asked in time delays nothing; the evidence shows it.
    async fn probed(&self, pod: &str) {
        let Some(uid) = self.uid(pod).filter(|_| self.probing.load(Ordering::Relaxed)) else { return };
        let what = format!("{pod} (uid {uid}) asked as it became Ready");
        let _ = self.of_pod(&what, self.timeouts.sql, &uid, |life| life.probed.then_some(())).await;
    }
}

fn ready_status(life: &PodLife, seq: u64) -> WaitStatus<()> {
    // These states end only when somebody changes the manifest, so waiting is useless. The kubelet retries failed pulls
    // and crashed containers.
    let hopeless = ["ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError"];
    if life.serving_at(seq) {
        WaitStatus::Met(())
    } else if let Some(reason) = hopeless.iter().find(|reason| life.summary.contains(**reason)) {
        WaitStatus::Impossible(format!("{} is in {reason} ({})", life.name, life.summary))
    } else {
        WaitStatus::Pending(life.summary.clone())
    }
}
