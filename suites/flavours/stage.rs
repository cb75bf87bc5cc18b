//! Where the trials of a flavour run. Its two servers start with the first trial and are removed after the last one.
//! Trials run one after the other.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use libtest_mimic::Failed;
use steadfast::cluster::{Lab, Lease, abandoned, cache_dir};
use tokio::sync::{Mutex, OnceCell, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::pair::Pair;
use crate::server::LABEL;

/// The body of a trial, which gets the two servers.
pub type Play = for<'a> fn(&'a Pair) -> BoxFuture<'a, Result<(), Failed>>;

/// Whether this is an image name of a server in manifests.
pub fn is_server(wanted: &str) -> bool {
    wanted.starts_with("mysql:") || wanted.starts_with("mariadb:")
}

/// What all flavours share.
pub struct Ground {
    /// Names everything that this process makes.
    run: String,
    cancel: CancellationToken,
    at_once: Arc<Semaphore>,
    /// The lab, and the lease on everything with the run's name. Created when the first servers are needed.
    lab: OnceCell<Result<(Lab, Lease), String>>,
}

impl Ground {
    /// Shared state with room for this many flavours at once.
    pub fn new(at_once: usize, cancel: CancellationToken) -> Self {
        let run = format!("steadfast-flavours-{}", std::process::id());
        Self { run, cancel, at_once: Arc::new(Semaphore::new(at_once)), lab: OnceCell::new() }
    }

    /// The lab. First removes what killed runs left.
    async fn lab(&self) -> Result<&Lab, Failed> {
        let made = self.lab.get_or_init(|| async {
            let lab = Lab::read().map_err(|error| error.to_string())?;
            for run in abandoned(&leases()) {
                if let Some(lease) = Lease::take_over(&leases(), &run) {
                    remove_all(&lab.docker, &run)?;
                    lease.release().map_err(|error| error.to_string())?;
                }
            }
            let lease = Lease::take(&leases(), &self.run).map_err(|error| error.to_string())?;
            Ok((lab, lease))
        });
        made.await.as_ref().map(|(lab, _)| lab).map_err(Failed::from)
    }

    /// Removes what is left of the servers, and releases the lease.
    pub async fn strike(&self, stages: &[Arc<Stage>]) -> Result<(), String> {
        for stage in stages {
            stage.set.lock().await.remove().await;
        }
        let Some(Ok((lab, _))) = self.lab.get() else { return Ok(()) };
        // There is nothing to remove here unless a removal failed.
        remove_all(&lab.docker, &self.run)?;
        let lease = leases().join(format!("{}.lease", self.run));
        std::fs::remove_file(&lease).map_err(|error| format!("cannot remove {}: {error}", lease.display()))
    }
}

fn leases() -> PathBuf {
    cache_dir().join("flavours")
}

/// Removes the containers and networks with a run's name.
fn remove_all(docker: &str, run: &str) -> Result<(), String> {
    let said = |arguments: &[&str]| {
        let output = Command::new(docker).args(arguments).output().map_err(|error| format!("{docker}: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(format!("`{docker} {}` failed: {}", arguments.join(" "), text(&output.stderr)))
    };
    let containers = said(&["ps", "--all", "--quiet", "--filter", &format!("label={LABEL}={run}")])?;
    for container in containers.lines() {
        said(&["rm", "--force", "--volumes", container])?;
    }
    // The filter also matches names that only contain this text.
    let networks = said(&["network", "ls", "--format", "{{.Name}}", "--filter", &format!("name={run}-")])?;
    for network in networks.lines().filter(|name| name.starts_with(&format!("{run}-"))) {
        said(&["network", "rm", network])?;
    }
    Ok(())
}

/// The servers of a flavour: not started, running, or failed.
enum Set {
    Unbuilt,
    Standing(Box<Pair>, OwnedSemaphorePermit),
    Failed(String),
}

impl Set {
    async fn remove(&mut self) {
        if let Self::Standing(pair, _permit) = std::mem::replace(self, Self::Unbuilt) {
            pair.remove().await;
        }
    }
}

/// The stage of one flavour.
pub struct Stage {
    /// The image name in manifests.
    pub wanted: String,
    ground: Arc<Ground>,
    set: Mutex<Set>,
    /// The number of trials that are still to run.
    left: AtomicUsize,
}

impl Stage {
    /// A stage without servers.
    pub fn new(wanted: &str, ground: Arc<Ground>) -> Self {
        Self { wanted: wanted.to_owned(), ground, set: Mutex::new(Set::Unbuilt), left: AtomicUsize::new(0) }
    }

    /// Counts a trial that will run here.
    pub fn expect(&self, will_be_played: bool) {
        self.left.fetch_add(will_be_played.into(), Ordering::Relaxed);
    }

    /// Runs a trial alone on the stage. The last trial removes the servers, however it ends.
    pub async fn play(&self, play: Play) -> Result<(), Failed> {
        let mut set = self.set.lock().await;
        let mut played = AssertUnwindSafe(self.play_on(&mut set, play)).catch_unwind().await;
        if let (Ok(Err(failed)), Set::Standing(pair, _)) = (&mut played, &*set) {
            *failed = Failed::from(format!("{}\n{}", failed.message().unwrap_or(""), pair.save_logs().await));
        }
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 || self.ground.cancel.is_cancelled() {
            set.remove().await;
        }
        played.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    async fn play_on(&self, set: &mut Set, play: Play) -> Result<(), Failed> {
        if self.ground.cancel.is_cancelled() {
            return Err(Failed::from("interrupted"));
        }
        if matches!(set, Set::Unbuilt) {
            *set = self.build().await.unwrap_or_else(|failed| Set::Failed(failed.message().unwrap_or("").to_owned()));
        }
        match set {
            Set::Standing(pair, _) => tokio::select! {
                played = play(pair) => played,
                () = self.ground.cancel.cancelled() => Err(Failed::from("interrupted")),
            },
            Set::Failed(why) => Err(Failed::from(format!("the servers did not start: {why}"))),
            Set::Unbuilt => unreachable!("it was built"),
        }
    }

    async fn build(&self) -> Result<Set, Failed> {
        let lab = self.ground.lab().await?;
        let wanted = &self.wanted;
        let image = lab.image(wanted).ok_or_else(|| {
            let ready: Vec<_> = lab.images.iter().map(|image| image.wanted.as_str()).collect();
            format!("no image stands for {wanted} (there is {}): run ci/setup", ready.join(", "))
        })?;
        let permit = self.ground.at_once.clone().acquire_owned().await?;
        let pair = Pair::start(wanted, &image.image, &self.ground.run, &self.ground.cancel).await?;
        Ok(Set::Standing(Box::new(pair), permit))
    }
}
