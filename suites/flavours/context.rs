//! The shared state of all flavours: the lab, a name for everything that the suite creates, and a limit of flavours
//! at once.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use libtest_mimic::Failed;
use steadfast::cluster::{Lab, Lease, abandoned, cache_dir};
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::server::LABEL;

/// The shared state of all flavours.
pub(crate) struct FlavoursContext {
    /// The name for everything that this process creates.
    pub run: String,
    /// Cancels all trials.
    pub cancel: CancellationToken,
    /// Each flavour whose servers run holds a permit.
    pub at_once: Arc<Semaphore>,
    /// The lab, and the lease for everything with the run's name. Created when the first servers are needed.
    lab: OnceCell<Result<(Lab, Lease), String>>,
}

impl FlavoursContext {
    /// Creates a context for this many flavours at once.
    pub(crate) fn new(at_once: usize, cancel: CancellationToken) -> Self {
        let run = format!("steadfast-flavours-{}", std::process::id());
        Self { run, cancel, at_once: Arc::new(Semaphore::new(at_once)), lab: OnceCell::new() }
    }

    /// The lab. The first call removes what killed runs left.
    pub(crate) async fn lab(&self) -> Result<&Lab, Failed> {
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

    /// Removes the remaining servers, and releases the lease.
    pub(crate) fn tear_down(&self) -> Result<(), String> {
        let Some(Ok((lab, _))) = self.lab.get() else { return Ok(()) };
        // There are remaining servers only if a removal failed.
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
