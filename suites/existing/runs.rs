//! Runs of the program on the cluster that share one folder of books, as the runs of one machine do, by an account with the
//! rights that the documentation asks for.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use libtest_mimic::Failed;
use steadfast_suites::environment::timeout_scale;
use steadfast_suites::program::isolated;
use steadfast_suites::shared_cluster::SharedCluster;
use tempfile::TempDir;

use super::program::PROGRAM;
use super::{account, bystanders};

/// Pods of the workload's set: as few as there may be for all that is acted.
pub const PODS: u64 = 2;

/// The runs of a trial.
pub struct Runs<'a> {
    cluster: &'a SharedCluster,
    folder: TempDir,
    kubeconfig: PathBuf,
    uid: String,
}

/// A run that has been started.
pub struct Run {
    pub child: Child,
    /// What it says goes there, and below that is its directory.
    folder: PathBuf,
}

impl Run {
    /// All that it has said so far.
    pub fn said(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        ["stdout", "stderr"].map(read).concat()
    }

    /// What it is called, once it has a directory.
    pub fn name(&self) -> Option<String> {
        let id = std::fs::read_link(self.folder.join("artifacts/latest")).ok()?;
        Some(format!("steadfast-{}", id.display()))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A trial that fails leaves none behind; one that has ended cannot be killed.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Runs<'_> {
    /// The program, with artifacts in a folder of this name.
    pub fn bare(&self, name: &str) -> Command {
        let mut command = isolated(PROGRAM, self.folder.path());
        command.env("DOCKER_HOST", "unix:///nowhere").env("ARTIFACTS", self.folder.path().join(name).join("artifacts"));
        command
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare(name);
        command.args(arguments).arg("--kubeconfig").arg(&self.kubeconfig).args(["--cluster-uid", &self.uid]);
        command
    }

    /// Starts a run of all that `name` has, one after another.
    pub fn start(&self, name: &str, arguments: &[&str]) -> Result<Run, Failed> {
        let folder = self.folder.path().join(name);
        // The link to the run before it would be taken for its own.
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        let mut command = self.program(name, &[&["run"], arguments].concat());
        command.arg("--manifests").arg(self.manifests()).args(["--witness-image", &self.cluster.lab.witness.image]);
        command.args(["--timeout-scale", &timeout_scale().to_string()]);
        let [out, err] = ["stdout", "stderr"].map(|name| File::create(folder.join(name)));
        Ok(Run { child: command.stdout(out?).stderr(err?).stdin(Stdio::null()).spawn()?, folder })
    }

    fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests.yaml")
    }

    /// What `down` says, which has to remove all that dead runs left.
    pub fn down(&self) -> Result<String, Failed> {
        let output = self.program("down", &["down"]).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if output.status.success() { Ok(stdout) } else { Err(format!("{stdout}{stderr}").into()) }
    }

    /// What this run, or any, made that is still there and belongs to no namespace.
    pub fn there(&self, run: Option<&str>) -> Result<Vec<String>, Failed> {
        let selector = run.map_or("steadfast/run".to_owned(), |run| format!("steadfast/run={run}"));
        let kinds = "namespaces,storageclasses,persistentvolumes";
        let listed = self.cluster.kubectl(&["get", kinds, "--selector", &selector, "--output", "name"])?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// The book of a run, if it has one.
    pub fn book(&self, run: &str) -> Option<String> {
        let path = self.books().join(format!("{run}.lease"));
        std::fs::read_to_string(path).ok().filter(|text| text.ends_with('}'))
    }

    fn books(&self) -> PathBuf {
        self.folder.path().join(Path::new("cache/steadfast/runs/clusters")).join(&self.uid)
    }
}

/// Acts with runs, after which everything is to be as it was.
pub fn with_runs(cluster: &SharedCluster, act: impl FnOnce(&Runs<'_>) -> Result<(), Failed>) -> Result<(), Failed> {
    with_runs_of(cluster, account::runner(cluster)?.path(), &bystanders::workload(cluster, Some(PODS))?, act)
}

/// The same by this account, and of these manifests.
pub fn with_runs_of(
    cluster: &SharedCluster,
    account: &Path,
    manifests: &str,
    act: impl FnOnce(&Runs<'_>) -> Result<(), Failed>,
) -> Result<(), Failed> {
    let _turn = cluster.turn.lock();
    let (kubeconfig, uid) = (account.to_owned(), bystanders::identity(cluster)?);
    let runs = Runs { cluster, folder: tempfile::tempdir()?, kubeconfig, uid };
    std::fs::write(runs.manifests(), manifests)?;
    let before = bystanders::objects(cluster)?;
    act(&runs)?;
    let changed = bystanders::differences(&before, &bystanders::objects(cluster)?);
    let books = std::fs::read_dir(runs.books()).map_or(0, Iterator::count);
    if changed.is_empty() && books == 0 {
        return Ok(());
    }
    Err(format!("{books} books are left; what was there is otherwise:\n{}", changed.join("\n")).into())
}
