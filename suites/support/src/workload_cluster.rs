//! One kind cluster for many workloads, each in namespaces of its own. The first trial creates it.

mod corefile;

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use steadfast::cluster::Lab;
use steadfast::cluster::kind::{self, IpFamily, KindCluster};
use steadfast::driver::{FaultInjection, Journal, Rate};
use steadfast::evidence::{Evidence, Scenario};
use steadfast::record::Log;
use steadfast::report::Progress;
use steadfast::run::{
    self, Disruption, Ending, RunConfig, RunContext, RunError, Target, TestCluster, WorkloadRun, exercise,
};
use steadfast::workload::{self, Manifest, Sources};
use tokio::sync::{Mutex, OnceCell, RwLock, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::environment::{artifacts, timeout_scale};
use crate::settings::BUSY_MACHINE_BUDGET;

/// A workload, and what is done with it.
pub struct WorkloadSpec {
    /// Its directory below the cluster's.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its manifests; the seed with its overlay unless given.
    pub manifests: Option<PathBuf>,
    /// What it is put through, in order.
    pub scenarios: Vec<Scenario>,
    /// What is said of it beside its manifests, and what it is held to.
    pub config: RunConfig,
    /// What is done to it behind the scenarios' back.
    pub injections: Vec<FaultInjection>,
    /// Multiplies every time limit.
    pub patience: f64,
}

/// What a cluster is like.
#[derive(Clone)]
pub struct ClusterSpec {
    /// Nodes, the control plane among them.
    pub nodes: usize,
    /// The DNS zone, `cluster.local` unless given.
    pub domain: Option<String>,
    /// The families of its addresses.
    pub ip_family: IpFamily,
    /// Makes another Corefile of the cluster's own.
    pub corefile: Option<fn(&str) -> String>,
}

/// What the clusters of a suite share.
#[derive(Clone)]
pub struct SuiteContext {
    /// Cuts all trials short.
    pub cancel: CancellationToken,
    /// Held by every workload that is put through its scenarios, and alone by who makes a cluster: that takes all of two
    /// cores for a minute, in which questions that have to be asked at once come late.
    pub quiet: Arc<RwLock<()>>,
}

/// The cluster.
pub struct WorkloadCluster {
    run_id: String,
    spec: ClusterSpec,
    suite: SuiteContext,
    room: Semaphore,
    /// How many trials are still to come to their end on it.
    expected: AtomicUsize,
    test_cluster: OnceCell<Result<TestCluster, String>>,
    cluster: Mutex<Option<KindCluster>>,
}

impl WorkloadCluster {
    /// A cluster in which so many workloads find room at once; nothing is created yet.
    pub fn new(name: &str, spec: ClusterSpec, at_once: usize, suite: SuiteContext) -> Self {
        let run_id = format!("{name}-{}", run::run_id());
        let (room, expected) = (Semaphore::new(at_once), AtomicUsize::new(0));
        Self { run_id, spec, suite, room, expected, test_cluster: OnceCell::new(), cluster: Mutex::default() }
    }

    /// One trial more is to run on it.
    pub fn expect_one(&self) {
        self.expected.fetch_add(1, Ordering::Relaxed);
    }

    /// One of these trials is over. The last one removes the cluster, which would take from the others by idling.
    pub async fn leave(&self) -> Result<(), String> {
        if self.expected.fetch_sub(1, Ordering::Relaxed) == 1 { self.tear_down().await } else { Ok(()) }
    }

    /// Where a workload's evidence and reports are.
    pub fn directory(&self, name: &str) -> PathBuf {
        artifacts().join(&self.run_id).join(name)
    }

    /// Puts a workload through its scenarios once there is room, and returns what was seen.
    pub async fn run(&self, workload: &WorkloadSpec) -> Result<Evidence, String> {
        let _room = self.room.acquire().await.map_err(|error| error.to_string())?;
        let test_cluster =
            self.test_cluster.get_or_init(|| async { self.open().await.map_err(|error| error.to_string()) }).await;
        let test_cluster = test_cluster.as_ref().map_err(Clone::clone)?;
        let _running = self.suite.quiet.read().await;
        self.put_through(test_cluster, workload).await.map_err(|error| error.to_string())
    }

    async fn open(&self) -> Result<TestCluster, RunError> {
        let _alone = self.suite.quiet.write().await;
        let lab = Lab::read()?;
        let directory = run::make_directory(&artifacts(), &self.run_id)?;
        kind::sweep(&lab).await?;
        let journal = journal(&directory, Progress::new())?;
        let overlay = workload::load(&Sources::default(), &lab.kubectl).await?.manifests;
        let name = format!("{}{}", kind::PREFIX, self.run_id);
        let run_context = RunContext { name, directory, journal, timeout_scale: timeout_scale() };
        let images = workload::images(&overlay);
        let mut cluster = self.cluster.lock().await;
        let target = Target::New {
            nodes: self.spec.nodes,
            kubernetes: None,
            domain: self.spec.domain.clone(),
            ip_family: self.spec.ip_family,
        };
        let open = Box::pin(TestCluster::open(lab, &target, &run_context, &images, &mut cluster));
        let test_cluster = tokio::select! {
            test_cluster = open => test_cluster?,
            () = self.suite.cancel.cancelled() => return Err(RunError::Interrupted),
        };
        let test_cluster = match self.spec.corefile {
            Some(edit) => self.reopen(test_cluster, &run_context, &images, edit).await?,
            None => test_cluster,
        };
        // All workloads use the overlay's StorageClass: none of them is to take it away under the others.
        let classes: Vec<Manifest> = overlay.into_iter().filter(|it| it.kind() == "StorageClass").collect();
        workload::apply(&test_cluster.cluster.client, &classes, "default", &mut Vec::new()).await?;
        Ok(test_cluster)
    }

    /// Changes the cluster's Corefile, and reads anew what depends on it.
    async fn reopen(
        &self,
        test_cluster: TestCluster,
        run_context: &RunContext,
        images: &[String],
        edit: fn(&str) -> String,
    ) -> Result<TestCluster, RunError> {
        let trouble = |error| RunError::File { path: "Corefile".into(), source: std::io::Error::other(error) };
        corefile::change(&test_cluster.cluster.client, edit).await.map_err(trouble)?;
        let target = Target::Kind(run_context.name.clone());
        Box::pin(TestCluster::open(test_cluster.lab, &target, run_context, images, &mut None)).await
    }

    async fn put_through(&self, test_cluster: &TestCluster, spec: &WorkloadSpec) -> Result<Evidence, RunError> {
        let [_, lag] = BUSY_MACHINE_BUDGET;
        let directory = self.directory(&spec.name);
        let journal = journal(&directory, Progress::silent())?;
        let evidence = journal.log.path().to_owned();
        let workload_run = WorkloadRun {
            manifests: workload::load(&Sources::of(spec.manifests.clone()), &test_cluster.lab.kubectl).await?.manifests,
            namespace: Some(spec.namespace.clone()),
            config: RunConfig {
                // They share the machine with others.
                ledger: Rate { writers: 2, per_second: 5 },
                budgets: iter::once(lag.parse().expect("a budget")).chain(spec.config.budgets.clone()).collect(),
                ..spec.config.clone()
            },
            scenarios: spec.scenarios.clone(),
            injections: spec.injections.clone(),
            // Other workloads are on it too.
            disruption: Disruption::Workload,
            newer: None,
            run_context: RunContext {
                // Namespaces are found by it when their trial is cut short.
                name: format!("{}.{}", self.run_id, spec.name),
                directory,
                journal,
                timeout_scale: spec.patience * timeout_scale(),
            },
        };
        let ending = Ending { cancel: self.suite.cancel.clone(), keep: &|_| self.suite.cancel.is_cancelled() };
        Box::pin(exercise(test_cluster, &workload_run, ending)).await?;
        Ok(Evidence::read(&evidence)?)
    }

    /// Removes the cluster; it is an error if something of it is left.
    pub async fn tear_down(&self) -> Result<(), String> {
        let Some(cluster) = self.cluster.lock().await.take() else { return Ok(()) };
        let left = cluster.delete().await.map_err(|error| error.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("left of the cluster: {left:?}")) }
    }
}

fn journal(directory: &Path, progress: Progress) -> Result<Journal, RunError> {
    let path = directory.join("evidence.jsonl");
    let log = std::fs::create_dir_all(directory).and_then(|()| Log::create(&path, progress.redaction().clone()));
    let log = log.map_err(|source| RunError::File { path, source })?;
    Ok(Journal { log: Arc::new(log), progress })
}
