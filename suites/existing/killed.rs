//! Runs that are killed on the cluster, or are to keep what they made: the next start and `down` remove it, and nothing
//! else.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use tempfile::TempDir;

use super::{account, apart, common, single::Made, world};

/// When a run is killed: so long after it said this.
const MOMENTS: [(&str, Duration); 4] = [
    ("start the witnesses", Duration::ZERO),
    ("start the witnesses", Duration::from_millis(400)),
    ("deploy: apply the manifests", Duration::from_millis(20)),
    ("deploy: ordered start", Duration::from_secs(4)),
];

/// Until a run comes to a moment; before it, it removes what the one before left.
const COMES_WITHIN: Duration = Duration::from_secs(240);

/// A file that another process writes tells nobody of it.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Runs with leases and artifacts of their own, by an account with the rights that the documentation asks for.
struct Runs<'a> {
    made: &'a Made,
    folder: TempDir,
    kubeconfig: PathBuf,
    uid: String,
}

impl Runs<'_> {
    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare();
        command.args(arguments).arg("--kubeconfig").arg(&self.kubeconfig).args(["--cluster-uid", &self.uid]);
        command
    }

    fn bare(&self) -> Command {
        let mut command = apart::program(self.folder.path());
        command.env("DOCKER_HOST", "unix:///nowhere");
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Command, Failed> {
        let manifests = self.folder.path().join("manifests.yaml");
        std::fs::write(&manifests, world::workload(self.made)?)?;
        let mut command = self.program(&[&["run"], arguments].concat());
        command.arg("--manifests").arg(&manifests).args(["--witness-image", &self.made.lab.witness.image]);
        command.args(["--timeout-scale", &common::timeout_scale().to_string()]);
        Ok(command)
    }

    /// Starts a run and kills it at a moment.
    fn kill(&self, (words, later): (&str, Duration)) -> Result<(), Failed> {
        let said = self.folder.path().join("stderr");
        let mut command = self.run(&["dns::each"])?;
        let mut child = command.stdout(Stdio::null()).stderr(File::create(&said)?).spawn()?;
        let came = comes(&mut child, &said, words);
        std::thread::sleep(later);
        child.kill()?;
        child.wait()?;
        came
    }

    fn down(&self) -> Result<String, Failed> {
        let output = self.program(&["down"]).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        if output.status.success() { Ok(stdout) } else { Err(format!("{stdout}{stderr}").into()) }
    }

    /// What runs made that is still there.
    fn there(&self) -> Result<Vec<String>, Failed> {
        let kinds = "namespaces,storageclasses,persistentvolumes";
        let listed = self.made.kubectl(&["get", kinds, "--selector", "steadfast/run", "--output", "name"])?;
        Ok(listed.lines().map(str::to_owned).collect())
    }
}

fn comes(child: &mut Child, said: &Path, words: &str) -> Result<(), Failed> {
    let begun = Instant::now();
    while !std::fs::read_to_string(said)?.contains(words) {
        let ended = child.try_wait()?;
        if ended.is_some() || begun.elapsed() > COMES_WITHIN {
            let text = std::fs::read_to_string(said)?;
            return Err(format!("it did not come to `{words}` ({ended:?}):\n{text}").into());
        }
        std::thread::sleep(LOOK_AGAIN_AFTER);
    }
    Ok(())
}

/// Acts with runs, after which everything is to be as it was.
fn with_runs(made: &Made, act: impl FnOnce(&Runs<'_>) -> Result<(), Failed>) -> Result<(), Failed> {
    let _turn = made.turn.lock();
    let account = account::runner(made)?;
    let (kubeconfig, uid) = (account.path().to_owned(), world::identity(made)?);
    let runs = Runs { made, folder: tempfile::tempdir()?, kubeconfig, uid };
    let before = world::objects(made)?;
    act(&runs)?;
    let changed = world::differences(&before, &world::objects(made)?);
    let books = runs.folder.path().join("cache/steadfast/runs/clusters").join(&runs.uid);
    let books = std::fs::read_dir(books).map_or(0, Iterator::count);
    if changed.is_empty() && books == 0 {
        return Ok(());
    }
    Err(format!("{books} books are left; what was there is otherwise:\n{}", changed.join("\n")).into())
}

pub fn killed(made: &Made) -> Result<(), Failed> {
    with_runs(made, |runs| {
        for moment in MOMENTS {
            let before = runs.there()?;
            runs.kill(moment)?;
            let there = runs.there()?;
            if there.is_empty() || there.iter().any(|left| before.contains(left)) {
                return Err(format!("killed at {moment:?}; before it: {before:?}, after it: {there:?}").into());
            }
        }
        let said = runs.down()?;
        let words = ["removed what steadfast-", " had made"];
        if words.iter().all(|words| said.contains(words)) { Ok(()) } else { Err(said.into()) }
    })
}

/// What is kept outlives the next start, and goes by the command that the run told.
pub fn kept(made: &Made) -> Result<(), Failed> {
    with_runs(made, |runs| {
        let output = runs.run(&["--keep", "always", "dns::each"])?.output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let there = runs.there()?;
        let told = text.lines().find_map(|line| line.strip_prefix("remove: steadfast "));
        let (Some(told), Some(0), false) = (told, output.status.code(), there.is_empty()) else {
            let errors = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{:?}, {there:?}:\n{text}{errors}", output.status).into());
        };
        let output = runs.bare().args(told.split(' ')).output()?;
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
    })
}
