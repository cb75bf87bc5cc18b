//! A kind cluster with one node that the trials of a suite share. The first trial that needs it creates it, and it is
//! removed at the end.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use steadfast::cluster::Lab;
use steadfast::cluster::kind::{self, IpFamily, KindCluster, Shape};
use steadfast::run;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// The cluster, from a suite's first trial to its last.
pub struct SharedCluster {
    suite: &'static str,
    runtime: Runtime,
    cancel: CancellationToken,
    folder: TempDir,
    cluster: Mutex<Option<KindCluster>>,
    made: OnceLock<Result<Made, String>>,
}

/// A cluster that is ready.
pub struct Made {
    pub name: String,
    pub lab: Lab,
    pub kubeconfig: PathBuf,
    /// Lets only one run use the cluster at a time, so that each finds it unchanged.
    pub turn: Mutex<()>,
}

/// The body of a trial on the cluster.
pub type Act = fn(&Made) -> Result<(), Failed>;

/// Runs a suite: trials that need the cluster, and others that do not. `STEADFAST_CLUSTER=none` ignores the trials on
/// the cluster visibly. If something of the cluster is left, the suite fails.
pub fn run(
    suite: &'static str,
    arguments: &Arguments,
    prepare: Act,
    on_cluster: &[(&'static str, Act)],
    mut others: Vec<Trial>,
) -> ExitCode {
    if std::env::var("STEADFAST_CLUSTER").as_deref() == Ok("none") {
        let reason = "STEADFAST_CLUSTER=none: no cluster is wanted";
        let ignored = |name: &str| Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)));
        others.extend(on_cluster.iter().map(|(name, _)| ignored(name)));
        return libtest_mimic::run(arguments, others).exit_code();
    }
    let shared_cluster = Arc::new(SharedCluster::new(suite));
    others.extend(on_cluster.iter().map(|&(name, act)| {
        let shared_cluster = shared_cluster.clone();
        Trial::test(name, move || shared_cluster.made(prepare).map_err(Failed::from).and_then(act))
    }));
    let conclusion = libtest_mimic::run(arguments, others);
    match shared_cluster.tear_down() {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            steadfast::terminal::complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl SharedCluster {
    fn new(suite: &'static str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let cancel = runtime.block_on(async { run::cancelled_by_signals() });
        let folder = tempfile::tempdir().expect("a folder");
        Self { suite, runtime, cancel, folder, cluster: Mutex::default(), made: OnceLock::new() }
    }

    fn made(&self, prepare: Act) -> Result<&Made, String> {
        let made = self.made.get_or_init(|| {
            let made = self.make()?;
            prepare(&made).map_err(|failed| failed.message().unwrap_or("it cannot be prepared").to_owned())?;
            Ok(made)
        });
        made.as_ref().map_err(Clone::clone)
    }

    fn make(&self) -> Result<Made, String> {
        let lab = Lab::read().map_err(|error| error.to_string())?;
        let name = format!("{}{}-{}", kind::PREFIX, self.suite, run::run_id());
        let claimed = KindCluster::claim(&lab, &name, self.folder.path()).map_err(|error| error.to_string())?;
        let mut owned = self.cluster.lock().map_err(|error| error.to_string())?;
        let cluster = owned.insert(claimed);
        let node = lab.node_image(None).map_err(|error| error.to_string())?.image.clone();
        self.runtime.block_on(async {
            tokio::select! {
                made = cluster.create(Shape { image: &node, workers: 0, domain: None, ip_family: IpFamily::Ipv4 }, kind::CREATE_WITHIN) => made.map_err(|error| error.to_string()),
                () = self.cancel.cancelled() => Err("interrupted".to_owned()),
            }
        })?;
        Ok(Made { name, lab, kubeconfig: cluster.kubeconfig.clone(), turn: Mutex::default() })
    }

    fn tear_down(&self) -> Result<(), String> {
        let Some(cluster) = self.cluster.lock().map_err(|error| error.to_string())?.take() else { return Ok(()) };
        let left = self.runtime.block_on(cluster.delete()).map_err(|error| error.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("left of the cluster: {left:?}")) }
    }
}

impl Made {
    /// What kubectl prints when it uses the cluster's kubeconfig.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, Failed> {
        let mut command = std::process::Command::new(&self.lab.kubectl);
        command.args(arguments).arg("--kubeconfig").arg(&self.kubeconfig);
        let output = command.arg("--cache-dir").arg(self.kubeconfig.with_file_name("kubectl")).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("kubectl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)).into())
    }
}
