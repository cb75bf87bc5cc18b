//! Runs on the cluster that share one folder of books, as the runs of one machine do. They use an account with the
//! documented rights.

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

/// The pods of the workload: as few as the scenarios allow.
pub(crate) const PODS: u64 = 2;

/// The runs of a trial.
pub(crate) struct Runs<'a> {
    cluster: &'a SharedCluster,
    folder: TempDir,
    kubeconfig: PathBuf,
    uid: String,
}

/// A run that has been started.
pub(crate) struct Run {
    pub child: Child,
    /// The folder of its output and of its run directory.
    folder: PathBuf,
}

impl Run {
    /// Everything that it has printed so far.
    pub(crate) fn said(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        ["stdout", "stderr"].map(read).concat()
    }

    /// Its name, once it has a directory.
    pub(crate) fn name(&self) -> Option<String> {
        let id = std::fs::read_link(self.folder.join("artifacts/latest")).ok()?;
        Some(format!("steadfast-{}", id.display()))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // A failed trial leaves no process behind. A process that has ended cannot be killed.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Runs<'_> {
    /// The program, with artifacts in the folder of this name.
    pub(crate) fn bare(&self, name: &str) -> Command {
        let mut command = isolated(PROGRAM, self.folder.path());
        command.env("DOCKER_HOST", "unix:///nowhere").env("ARTIFACTS", self.folder.path().join(name).join("artifacts"));
        command
    }

    fn program(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare(name);
        command.args(arguments).arg("--kubeconfig").arg(&self.kubeconfig).args(["--cluster-uid", &self.uid]);
        command
    }

    /// Starts a run in the folder `name`. Runs with the same name start one after the other.
    pub(crate) fn start(&self, name: &str, arguments: &[&str]) -> Result<Run, Failed> {
        let folder = self.folder.path().join(name);
        // A link to the previous run would be taken for this run's.
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

    /// The output of `down`, which must remove everything that dead runs left.
    pub(crate) fn down(&self) -> Result<String, Failed> {
        let output = self.program("down", &["down"]).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if output.status.success() { Ok(stdout) } else { Err(format!("{stdout}{stderr}").into()) }
    }

    /// The objects outside namespaces that this run, or any run, made and that still exist.
    pub(crate) fn there(&self, run: Option<&str>) -> Result<Vec<String>, Failed> {
        let selector = run.map_or("steadfast/run".to_owned(), |run| format!("steadfast/run={run}"));
        let kinds = "namespaces,storageclasses,persistentvolumes";
        let listed = self.cluster.kubectl(&["get", kinds, "--selector", &selector, "--output", "name"])?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// The book of a run, if it has one.
    pub(crate) fn book(&self, run: &str) -> Option<String> {
        let path = self.books().join(format!("{run}.lease"));
        std::fs::read_to_string(path).ok().filter(|text| text.ends_with('}'))
    }

    fn books(&self) -> PathBuf {
        self.folder.path().join(Path::new("cache/steadfast/runs/clusters")).join(&self.uid)
    }
}

/// Does something with runs, and checks that everything is unchanged afterwards.
pub(crate) fn with_runs(
    cluster: &SharedCluster,
    act: impl FnOnce(&Runs<'_>) -> Result<(), Failed>,
) -> Result<(), Failed> {
    with_runs_of(cluster, account::runner(cluster)?.path(), &bystanders::workload(cluster, Some(PODS))?, act)
}

/// The same with this account and these manifests.
pub(crate) fn with_runs_of(
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
