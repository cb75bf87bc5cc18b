//! One kind cluster for many workloads, each in its own namespaces. The first trial creates it.

mod corefile;

use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use steadfast::cluster::kind::{self, IpFamily, KindCluster};
use steadfast::cluster::{FileSystem, Lab};
use steadfast::driver::{FaultInjection, Journal, Rate};
use steadfast::evidence::{Disrupts, Evidence, Scenario};
use steadfast::record::Log;
use steadfast::report::Progress;
use steadfast::run::{self, Ending, RunConfig, RunContext, RunError, Target, TestCluster, WorkloadRun, exercise};
use steadfast::workload::{self, Manifest, Sources};
use tokio::sync::{Mutex, OnceCell, RwLock, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::environment::{artifacts, timeout_scale};
use crate::settings::BUSY_MACHINE_BUDGET;

/// A workload for the cluster.
pub struct WorkloadSpec {
    /// The name of its directory inside the directory of the cluster.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The manifests. Default: the seed with its overlay.
    pub manifests: Option<PathBuf>,
    /// The scenarios to run, in order.
    pub scenarios: Vec<Scenario>,
    /// The facts that the manifests do not contain, and the budgets.
    pub config: RunConfig,
    /// The fault injections, which no scenario announces.
    pub injections: Vec<FaultInjection>,
    /// Multiplies every timeout.
    pub patience: f64,
}

/// The properties of a cluster for workloads.
#[derive(Clone)]
pub struct ClusterSpec {
    /// The number of nodes, including the control plane.
    pub nodes: usize,
    /// The DNS zone. Default: `cluster.local`.
    pub domain: Option<String>,
    /// The IP families of its addresses.
    pub ip_family: IpFamily,
    /// Makes a new Corefile from the cluster's own.
    pub corefile: Option<fn(&str) -> String>,
    /// What its workloads may disrupt. A workload that may disrupt the cluster runs alone, and its ledger writes at the
    /// usual rate.
    pub may_disrupt: Disrupts,
}

/// The shared state of the clusters of a suite.
#[derive(Clone)]
pub struct SuiteContext {
    /// Interrupts the trials.
    pub cancel: CancellationToken,
    /// Every workload that runs its scenarios holds a read lock, and the trial that creates a cluster holds the write
    /// lock. The creation uses both cores for a minute and would delay the questions of other workloads.
    pub quiet: Arc<RwLock<()>>,
}

/// The cluster.
pub struct WorkloadCluster {
    run_id: String,
    spec: ClusterSpec,
    suite: SuiteContext,
    room: Semaphore,
    /// The number of trials that still have to run on it.
    expected: AtomicUsize,
    test_cluster: OnceCell<Result<TestCluster, String>>,
    cluster: Mutex<Option<KindCluster>>,
}

impl WorkloadCluster {
    /// A cluster with room for this many workloads at once. Nothing is created yet.
    pub fn new(name: &str, spec: ClusterSpec, at_once: usize, suite: SuiteContext) -> Self {
        let run_id = format!("{name}-{}", run::run_id());
        let at_once = if spec.may_disrupt == Disrupts::Cluster { 1 } else { at_once };
        let (room, expected) = (Semaphore::new(at_once), AtomicUsize::new(0));
        Self { run_id, spec, suite, room, expected, test_cluster: OnceCell::new(), cluster: Mutex::default() }
    }

    /// Counts one more trial for this cluster.
    pub fn expect_one(&self) {
        self.expected.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a finished trial. The last one removes the cluster, because an idle cluster takes time from others.
    pub async fn leave(&self) -> Result<(), String> {
        if self.expected.fetch_sub(1, Ordering::Relaxed) == 1 { self.tear_down().await } else { Ok(()) }
    }

    /// The directory of a workload's evidence and reports.
    pub fn directory(&self, name: &str) -> PathBuf {
        artifacts().join(&self.run_id).join(name)
    }

    /// Runs a workload's scenarios as soon as there is room, and returns the evidence.
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
            file_system: FileSystem::default(),
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
        // All workloads share the overlay's StorageClass, so it is created here: no workload may delete it.
        let classes: Vec<Manifest> = overlay.into_iter().filter(|it| it.kind() == "StorageClass").collect();
        workload::apply(&test_cluster.cluster.client, &classes, "default", &mut Vec::new()).await?;
        Ok(test_cluster)
    }

    /// Changes the cluster's Corefile, and reads again what depends on it.
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
                ledger: match self.spec.may_disrupt {
                    Disrupts::Cluster => Rate::default(),
                    // The workloads share the machine with others, so the rate is low.
                    _ => Rate { writers: 2, per_second: 5 },
                },
                budgets: iter::once(lag.parse().expect("a budget")).chain(spec.config.budgets.clone()).collect(),
                ..spec.config.clone()
            },
            scenarios: spec.scenarios.clone(),
            injections: spec.injections.clone(),
            may_disrupt: self.spec.may_disrupt,
            newer: None,
            run_context: RunContext {
                // The namespaces of an interrupted trial are found by this name.
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

    /// Removes the cluster. Fails if a part of it remains.
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
