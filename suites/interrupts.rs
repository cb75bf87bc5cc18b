//! The interrupts suite: an interrupted run leaves nothing, and the next start removes what a killed run left. The
//! trials use real signals and the real engine. Each trial has its own leases, so that it does not touch other runs.
//!
//! `STEADFAST_CLUSTER=none` ignores the trials visibly.

use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed};
use steadfast::cluster::kind::{CREATE_WITHIN, IpFamily, KindCluster, PREFIX, Shape, lease_folder};
use steadfast::cluster::{FileSystem, Lab};
use steadfast::run;
use steadfast_suites::program;
use steadfast_suites::trials::{self, TrialFunction};
use tempfile::TempDir;

/// The number of clusters at once.
const AT_ONCE: usize = 2;

/// How long it may take until a cluster of one node exists and its workload is being deployed.
const BEGIN_WITHIN: Duration = Duration::from_secs(300);

/// How long a person who pressed Ctrl-C waits at most.
const CLEAN_WITHIN: Duration = Duration::from_secs(60);

/// Nothing announces that another process has written to a file.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);

const TRIALS: [(&str, TrialFunction); 8] = [
    ("interrupted_before_the_cluster_leaves_nothing", || interrupted(&Checkpoint::Said("create the cluster"))),
    ("interrupted_in_the_making_leaves_nothing", || interrupted(&Checkpoint::Container)),
    ("interrupted_in_the_deployment_leaves_nothing", || interrupted(&Checkpoint::Recorded("ordered start"))),
    ("killed_in_the_making_is_swept_by_the_next_start", || killed(&Checkpoint::Container)),
    ("killed_in_the_deployment_is_swept_by_the_next_start", || killed(&Checkpoint::Recorded("ordered start"))),
    ("a_second_signal_ends_at_once", a_second_signal),
    ("a_panic_leaves_nothing", a_panic),
    ("evidence_that_cannot_be_written_ends_the_disruptions", a_full_disk),
];

fn main() -> ExitCode {
    trials::run(Arguments::from_args(), &TRIALS, AT_ONCE, None)
}

/// The program, with leases and artifacts in this folder.
fn program(folder: &Path) -> Command {
    program::isolated(env!("CARGO_BIN_EXE_steadfast"), folder)
}

/// When a signal is sent.
enum Checkpoint {
    /// When standard error has this text.
    Said(&'static str),
    /// When the evidence has this text.
    Recorded(&'static str),
    /// When the cluster's first container runs.
    Container,
}

/// A run of the program with its own cache and artifacts.
struct Run {
    folder: TempDir,
    child: Child,
}

impl Run {
    fn start() -> Result<Self, Failed> {
        Self::of("dns::each", |command| command)
    }

    /// Starts a run of these checks. `with` changes its command first.
    fn of(checks: &str, with: impl FnOnce(Command) -> Command) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let stderr = std::fs::File::create(folder.path().join("stderr"))?;
        let mut command = program(folder.path());
        command.args(["run", "--nodes", "1", checks]);
        let child = with(command).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn()?;
        Ok(Self { folder, child })
    }

    /// Starts a run and waits for the checkpoint.
    fn until(checkpoint: &Checkpoint) -> Result<Self, Failed> {
        let mut run = Self::start()?;
        run.wait_for(checkpoint)?;
        Ok(run)
    }

    fn wait_for(&mut self, checkpoint: &Checkpoint) -> Result<(), Failed> {
        let begun = Instant::now();
        while !self.is(checkpoint)? {
            let ended = self.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > BEGIN_WITHIN {
                return Err(format!("the moment did not come ({ended:?}):\n{}", self.text("stderr")).into());
            }
            std::thread::sleep(LOOK_AGAIN_AFTER);
        }
        Ok(())
    }

    fn is(&self, checkpoint: &Checkpoint) -> Result<bool, Failed> {
        Ok(match checkpoint {
            Checkpoint::Said(words) => self.text("stderr").contains(words),
            Checkpoint::Recorded(words) => self.text("artifacts/latest/evidence.jsonl").contains(words),
            Checkpoint::Container => match self.cluster() {
                Some(cluster) => !containers(&cluster, "status=running")?.is_empty(),
                None => false,
            },
        })
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    fn cluster(&self) -> Option<String> {
        let link = std::fs::read_link(self.folder.path().join("artifacts/latest")).ok()?;
        Some(format!("{PREFIX}{}", link.to_str()?))
    }

    fn signal(&self, name: &str) -> Result<(), Failed> {
        let status = Command::new("kill").args([format!("-{name}"), self.child.id().to_string()]).status()?;
        if status.success() { Ok(()) } else { Err(format!("kill -{name}: {status}").into()) }
    }

    /// Waits for the end and returns the exit code, or `None` after a signal that was not caught.
    fn end(&mut self, limit: Duration) -> Result<Option<i32>, Failed> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            if begun.elapsed() > limit {
                return Err(format!("it did not end within {limit:?}:\n{}", self.text("stderr")).into());
            }
            std::thread::sleep(LOOK_AGAIN_AFTER);
        }
    }

    /// Starts the program again with nothing to do, so that it only cleans up.
    fn start_again(&self) -> Result<(), Failed> {
        let output = program(self.folder.path()).args(["down", "nothing"]).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let cluster = self.cluster().unwrap_or_default();
        if text.contains(&format!("removed {cluster}, which a killed run left")) {
            return Ok(());
        }
        Err(format!("it did not sweep {cluster}:\n{text}{}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Checks that nothing of the run's cluster is left: no container, none of these volumes, and no lease.
    fn left_nothing(&self, volumes: &[String]) -> Result<(), Failed> {
        let leases = std::fs::read_dir(self.folder.path().join("cache/steadfast/runs")).map_or(0, Iterator::count);
        let cluster = self.cluster().ok_or("the run has no directory")?;
        match leases {
            0 => is_gone(&cluster, volumes),
            _ => Err(format!("{leases} leases are left").into()),
        }
    }
}

impl Drop for Run {
    /// A failed trial also removes what it left.
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill().and_then(|()| self.child.wait());
        }
        let _ = program(self.folder.path()).arg("down").output();
    }
}

fn docker(arguments: &[&str]) -> Result<Vec<String>, Failed> {
    let output = Command::new(Lab::read()?.docker).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let lines = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>();
    Ok(lines.into_iter().filter(|line| !line.is_empty()).collect())
}

fn containers(cluster: &str, state: &str) -> Result<Vec<String>, Failed> {
    let label = format!("label=io.x-k8s.kind.cluster={cluster}");
    docker(&["container", "ls", "--all", "--quiet", "--filter", &label, "--filter", state])
}

/// The volumes of the cluster's containers. They must be read while the containers exist: later nothing shows whose
/// they are.
fn volumes(cluster: &str) -> Result<Vec<String>, Failed> {
    let format = "{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}}\n{{end}}{{end}}";
    let containers = containers(cluster, "status=running")?;
    let mut arguments = vec!["container", "inspect", "--format", format];
    arguments.extend(containers.iter().map(String::as_str));
    if containers.is_empty() { Ok(Vec::new()) } else { docker(&arguments) }
}

fn is_gone(cluster: &str, volumes: &[String]) -> Result<(), Failed> {
    let mut left = containers(cluster, "name=")?;
    left.extend(docker(&["network", "ls", "--format", "{{.Name}}", "--filter", &format!("name=^{cluster}$")])?);
    let there = docker(&["volume", "ls", "--quiet"])?;
    left.extend(volumes.iter().filter(|volume| there.contains(volume)).cloned());
    if left.is_empty() { Ok(()) } else { Err(format!("left of {cluster}: {}", left.join(", ")).into()) }
}

fn interrupted(checkpoint: &Checkpoint) -> Result<(), Failed> {
    let mut run = Run::until(checkpoint)?;
    let volumes = volumes(&run.cluster().unwrap_or_default())?;
    run.signal("INT")?;
    let code = run.end(CLEAN_WITHIN)?;
    run.left_nothing(&volumes)?;
    let results: serde_json::Value = serde_json::from_str(&run.text("artifacts/latest/results.json"))?;
    let judged = program(run.folder.path()).args(["judge", "latest"]).output()?.status.code();
    if code != Some(130) || judged != code || results["interrupted"] != true {
        return Err(format!("exit code {code:?}, judged again {judged:?}:\n{}", run.text("stderr")).into());
    }
    Ok(())
}

fn killed(checkpoint: &Checkpoint) -> Result<(), Failed> {
    let mut run = Run::until(checkpoint)?;
    let volumes = volumes(&run.cluster().unwrap_or_default())?;
    run.signal("KILL")?;
    run.end(CLEAN_WITHIN)?;
    run.start_again()?;
    run.left_nothing(&volumes)
}

fn a_second_signal() -> Result<(), Failed> {
    let mut run = Run::until(&Checkpoint::Container)?;
    run.signal("INT")?;
    run.wait_for(&Checkpoint::Said("interrupt again to stop at once"))?;
    run.signal("INT")?;
    let begun = Instant::now();
    let code = run.end(CLEAN_WITHIN)?;
    if code != Some(130) || begun.elapsed() > Duration::from_secs(1) {
        return Err(format!("exit code {code:?} after {:?}", begun.elapsed()).into());
    }
    run.start_again()?;
    run.left_nothing(&[])
}

/// The same command with a limit on file size in KiB. A write beyond it fails, as on a full disk.
fn limited(command: &Command, kib: u32) -> Command {
    let mut limited = Command::new("bash");
    limited.args(["-c", &format!("trap '' XFSZ; ulimit -f {kib}; exec \"$@\""), "bash"]);
    limited.arg(command.get_program()).args(command.get_args());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited
}

/// With this much evidence a run has begun to scale the StatefulSet, and has not yet reached the scenario `claims`.
fn a_full_disk() -> Result<(), Failed> {
    let mut run = Run::of("persistence::claims_survive", |command| limited(&command, 400))?;
    run.wait_for(&Checkpoint::Said("scale: scale to 1"))?;
    let volumes = volumes(&run.cluster().unwrap_or_default())?;
    let code = run.end(BEGIN_WITHIN)?;
    run.left_nothing(&volumes)?;
    let said = run.text("stderr");
    let told = said.contains("error: cannot write") && said.contains("evidence.jsonl");
    if code == Some(3) && told && !said.contains("claims") { Ok(()) } else { Err(format!("{code:?}:\n{said}").into()) }
}

/// The last resort: the cluster is deleted when its owner is dropped, also in a panic.
fn a_panic() -> Result<(), Failed> {
    let lab = Lab::read()?;
    let folder = tempfile::tempdir()?;
    let name = format!("{PREFIX}panic-{}", run::run_id());
    let node = lab.node_image(None)?.image.clone();
    let mut cluster = KindCluster::claim(&lab, &name, folder.path())?;
    let seen = name.clone();
    let runtime = tokio::runtime::Runtime::new()?;
    let panicked = runtime.block_on(runtime.spawn(async move {
        let begun = async {
            while containers(&seen, "status=running").is_ok_and(|there| there.is_empty()) {
                tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            }
        };
        tokio::select! {
            made = cluster.create(Shape { image: &node, workers: 0, domain: None, ip_family: IpFamily::Ipv4, file_system: FileSystem::default() }, CREATE_WITHIN) => panic!("on purpose, late: {made:?}"),
            () = begun => panic!("on purpose, in the making"),
        }
    }));
    if panicked.is_ok_and(|()| true) || lease_folder().join(format!("{name}.lease")).exists() {
        return Err("the task did not panic, or the lease is left".into());
    }
    is_gone(&name, &[])
}
