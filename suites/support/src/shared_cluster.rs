//! A kind cluster with one node that the trials of a suite share. The first trial that needs it creates it, and it is
//! removed at the end.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};
use steadfast::cluster::kind::{self, IpFamily, KindCluster, Shape};
use steadfast::cluster::{FileSystem, Lab};
use steadfast::run;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::environment;
use crate::trials::ignored;

/// The cluster, as trials use it.
pub struct SharedCluster {
    /// The name of the kind cluster.
    pub name: String,
    /// The lab of this machine.
    pub lab: Lab,
    /// The kubeconfig of the cluster's administrator.
    pub kubeconfig: PathBuf,
    /// A lock that lets only one run use the cluster at a time, so that each run finds it unchanged.
    pub turn: Mutex<()>,
}

/// The function of a trial on the cluster.
pub type ClusterTrialFunction = fn(&SharedCluster) -> Result<(), Failed>;

/// Creates the cluster when the first trial asks for it, and deletes it.
struct Owner {
    suite: &'static str,
    runtime: Runtime,
    cancel: CancellationToken,
    folder: TempDir,
    kind: Mutex<Option<KindCluster>>,
    cluster: OnceLock<Result<SharedCluster, String>>,
}

/// Runs a suite of trials that need the cluster and trials that do not. With `STEADFAST_CLUSTER=none` the trials on
/// the cluster are visibly ignored. The suite fails if a part of the cluster remains.
pub fn run(
    suite: &'static str,
    arguments: &Arguments,
    prepare: ClusterTrialFunction,
    on_cluster: &[(&'static str, ClusterTrialFunction)],
    mut others: Vec<Trial>,
) -> ExitCode {
    if let Some(reason) = environment::no_cluster() {
        others.extend(on_cluster.iter().map(|(name, _)| ignored(*name, &reason)));
        return libtest_mimic::run(arguments, others).exit_code();
    }
    let owner = Arc::new(Owner::new(suite));
    others.extend(on_cluster.iter().map(|&(name, function)| {
        let owner = owner.clone();
        Trial::test(name, move || owner.cluster(prepare).map_err(Failed::from).and_then(function))
    }));
    let conclusion = libtest_mimic::run(arguments, others);
    match owner.tear_down() {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            steadfast::terminal::complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl Owner {
    fn new(suite: &'static str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let cancel = runtime.block_on(async { run::cancelled_by_signals() });
        let folder = tempfile::tempdir().expect("a folder");
        Self { suite, runtime, cancel, folder, kind: Mutex::default(), cluster: OnceLock::new() }
    }

    fn cluster(&self, prepare: ClusterTrialFunction) -> Result<&SharedCluster, String> {
        let cluster = self.cluster.get_or_init(|| {
            let cluster = self.create()?;
            prepare(&cluster).map_err(|failed| failed.message().unwrap_or("it cannot be prepared").to_owned())?;
            Ok(cluster)
        });
        cluster.as_ref().map_err(Clone::clone)
    }

    fn create(&self) -> Result<SharedCluster, String> {
        let lab = Lab::read().map_err(|error| error.to_string())?;
        let name = format!("{}{}-{}", kind::PREFIX, self.suite, run::run_id());
        let claimed = KindCluster::claim(&lab, &name, self.folder.path()).map_err(|error| error.to_string())?;
        let mut kind_cluster = self.kind.lock().map_err(|error| error.to_string())?;
        let cluster = kind_cluster.insert(claimed);
        let node = lab.node_image(None).map_err(|error| error.to_string())?.image.clone();
        self.runtime.block_on(async {
            tokio::select! {
                created = cluster.create(Shape { image: &node, workers: 0, domain: None, ip_family: IpFamily::Ipv4, file_system: FileSystem::default() }, kind::CREATE_WITHIN) => created.map_err(|error| error.to_string()),
                () = self.cancel.cancelled() => Err("interrupted".to_owned()),
            }
        })?;
        Ok(SharedCluster { name, lab, kubeconfig: cluster.kubeconfig.clone(), turn: Mutex::default() })
    }

    fn tear_down(&self) -> Result<(), String> {
        let Some(cluster) = self.kind.lock().map_err(|error| error.to_string())?.take() else { return Ok(()) };
        let left = self.runtime.block_on(cluster.delete()).map_err(|error| error.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("left of the cluster: {left:?}")) }
    }
}

impl SharedCluster {
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
