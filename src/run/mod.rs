//! One run: from settings to a cluster, through the scenarios, to verdicts and reports.

mod bench;
mod error;
mod shared;
mod signals;
mod trial;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::check::{Check, Verdict};
use crate::cluster::Lab;
use crate::cluster::kind::{self, KindCluster};
use crate::evidence::{Evidence, Log, Note, Snapshot, SnapshotOf, What};
use crate::report::{self, Judged, Outcome, Progress};
use crate::scenario::{plan, step};
use crate::workload;

pub use bench::{Bench, Target};
pub use error::RunError;
pub use shared::Shared;
pub use signals::cancelled_by_signals;
pub use trial::{Ending, Trial, exercise};

/// What becomes of the cluster, or of the workload on a cluster that was there, after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Keep {
    /// It is removed.
    Never,
    /// It stays if a check did not pass.
    OnFailure,
    /// It stays.
    Always,
}

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The checks.
    pub checks: Vec<&'static Check>,
    /// The manifests; the seed with its overlay unless given.
    pub manifests: Option<PathBuf>,
    /// Where.
    pub target: Target,
    /// The namespace, unless the manifests name one.
    pub namespace: Option<String>,
    /// Under which folder the run's directory is made.
    pub artifacts: PathBuf,
    /// What becomes of what was made.
    pub keep: Keep,
    /// Multiplies every time limit.
    pub timeout_scale: f64,
    /// The command that repeats the run, to which a check's id is appended.
    pub rerun: String,
}

/// A run that ended, with all that was written.
#[derive(Debug)]
pub struct Finished {
    /// Where evidence and reports are.
    pub directory: PathBuf,
    /// What was seen.
    pub evidence: Evidence,
    /// Why the run did not begin or was cut short, if so.
    pub trouble: Option<RunError>,
    /// How to look at what was kept, and how to remove it.
    pub kept: Option<String>,
}

/// Makes the run's directory, does all that is asked, removes what was made, and writes the reports.
///
/// # Errors
/// When the evidence or the reports cannot be written or read back.
pub async fn run(settings: &Settings, cancel: CancellationToken, progress: &Progress) -> Result<Finished, RunError> {
    let run_id = run_id();
    let directory = make_directory(&settings.artifacts, &run_id)?;
    run_in(settings, &run_id, directory, cancel, progress).await
}

/// Does a run in a directory that is there.
///
/// # Errors
/// When the evidence or the reports cannot be written or read back.
pub async fn run_in(
    settings: &Settings,
    run_id: &str,
    directory: PathBuf,
    cancel: CancellationToken,
    progress: &Progress,
) -> Result<Finished, RunError> {
    let path = directory.join("evidence.jsonl");
    let log = Arc::new(Log::create(&path).map_err(|source| RunError::File { path: path.clone(), source })?);
    let mut owned = None;
    // These futures are large, and a test's thread has a small stack: they live on the heap.
    let mut result = Box::pin(attempt(settings, run_id, &directory, &log, progress, &cancel, &mut owned)).await;
    let mut kept = None;
    if let Some(cluster) = owned {
        if keep(settings, &path, result.is_ok()) {
            kept = Some(how_to_look(&cluster.name, &cluster.kubeconfig));
            cluster.keep()?;
        } else {
            progress.say("deleting the cluster");
            match step(&log, "run", "delete the cluster", cluster.delete()).await {
                Ok(left) => {
                    let value = serde_json::to_value(left).unwrap_or_default();
                    log.record(What::Snapshot(Snapshot { of: SnapshotOf::LeftoverResources, value }));
                }
                // The first trouble is the one to mend; this one is often its echo, and the next start deletes again.
                Err(error) => result = result.and(Err(error.into())),
            }
        }
    }
    let trouble = result.err();
    if let Some(trouble) = &trouble {
        log.record(What::Note(Note { message: trouble.to_string() }));
    }
    if let Some(failure) = log.failure() {
        return Err(RunError::File { path, source: std::io::Error::other(failure) });
    }
    let evidence = Evidence::read(&path)?;
    Ok(Finished { directory, evidence, trouble, kept })
}

async fn attempt(
    settings: &Settings,
    run_id: &str,
    directory: &Path,
    log: &Arc<Log>,
    progress: &Progress,
    cancel: &CancellationToken,
    owned: &mut Option<KindCluster>,
) -> Result<(), RunError> {
    let lab = Lab::read()?;
    let evidence_path = log.path().to_owned();
    let open = Box::pin(async {
        sweep(&lab, log, progress).await;
        let manifests = workload::load(settings.manifests.as_deref(), &lab.kubectl).await?;
        // What is wrong with the manifests is said before minutes go into a cluster.
        workload::namespace(&manifests, settings.namespace.as_deref())?;
        workload::subject(&manifests, settings.namespace.as_deref().unwrap_or_default(), "cluster.local")?;
        let name = format!("{}{run_id}", kind::PREFIX);
        let images = workload::images(&manifests);
        let bench = Bench::open(lab.clone(), &settings.target, &name, directory, &images, owned, log, progress);
        Ok::<_, RunError>((bench.await?, manifests))
    });
    let (bench, manifests) = tokio::select! {
        opened = open => opened?,
        () = cancel.cancelled() => return Err(RunError::Interrupted),
    };
    let wanted = settings.checks.iter().flat_map(|check| check.scenarios).copied();
    let mut scenarios = plan(wanted);
    if settings.keep == Keep::Always {
        scenarios.retain(|scenario| scenario != "teardown");
    }
    let trial = Trial {
        run_id: format!("{}{run_id}", kind::PREFIX),
        manifests,
        namespace: settings.namespace.clone(),
        scenarios,
        sabotage: Vec::new(),
        timeout_scale: settings.timeout_scale,
        directory: directory.to_owned(),
    };
    let own_cluster = matches!(settings.target, Target::New { .. });
    let keep = |whole: bool| {
        // With the cluster of its own, an interrupted run's objects go too: no need to wait for them one by one.
        (!whole && own_cluster && cancel.is_cancelled()) || keep(settings, &evidence_path, whole)
    };
    Box::pin(exercise(&bench, &trial, log, progress, Ending { cancel: cancel.clone(), keep: &keep })).await
}

/// Removes what killed runs left. What cannot be removed now does not hinder this run: the next start tries again.
async fn sweep(lab: &Lab, log: &Log, progress: &Progress) {
    let message = match kind::sweep(lab).await {
        Ok(removed) if removed.is_empty() => return,
        Ok(removed) => format!("removed what killed runs had left: {}", removed.join(", ")),
        Err(error) => format!("what killed runs left could not be removed: {error}"),
    };
    progress.say(&message);
    log.record(What::Note(Note { message }));
}

/// Whether what was made stays. A run that was interrupted leaves nothing, unless it was to be kept in any case.
fn keep(settings: &Settings, evidence: &Path, whole: bool) -> bool {
    match settings.keep {
        Keep::Never => false,
        Keep::Always => true,
        Keep::OnFailure if !whole => false,
        Keep::OnFailure => Evidence::read(evidence).is_ok_and(|evidence| {
            let checks = settings.checks.iter().filter(|check| !check.scenarios.contains(&"teardown"));
            checks
                .map(|check| check.judge(&evidence).verdict)
                .any(|v| matches!(v, Verdict::Fail | Verdict::Inconclusive))
        }),
    }
}

fn how_to_look(cluster: &str, kubeconfig: &Path) -> String {
    format!("look:   KUBECONFIG={} kubectl get pods -A\nremove: steadfast down {cluster}", kubeconfig.display())
}

/// Judges a finished run by these checks.
pub fn outcome<'a>(finished: &'a Finished, checks: &[&'static Check], rerun: &str) -> Outcome<'a> {
    Outcome {
        judged: checks.iter().map(|check| Judged::of(check, &finished.evidence)).collect(),
        interrupted: matches!(finished.trouble, Some(RunError::Interrupted)),
        evidence: &finished.evidence,
        directory: finished.directory.clone(),
        rerun: rerun.to_owned(),
    }
}

/// Writes the reports of a finished run.
///
/// # Errors
/// When a file cannot be written.
pub fn write_reports(outcome: &Outcome<'_>) -> Result<(), RunError> {
    Ok(report::write_all(outcome, &outcome.directory)?)
}

/// A run's name: the time, so that runs sort, and some random digits, so that two never meet.
pub fn run_id() -> String {
    let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), &workload::random_word()[..6])
}

/// Makes a run's directory and points the link `latest` at it.
///
/// # Errors
/// When the folder cannot be made.
pub fn make_directory(artifacts: &Path, run_id: &str) -> Result<PathBuf, RunError> {
    let path = artifacts.join(run_id);
    let refuse = |source| RunError::File { path: path.clone(), source };
    std::fs::create_dir_all(&path).map_err(refuse)?;
    let path = path.canonicalize().map_err(refuse)?;
    // The link is a convenience: a file system without links still has the run.
    let link = artifacts.join("latest");
    let fresh = artifacts.join(format!(".latest-{run_id}"));
    let _ = std::os::unix::fs::symlink(run_id, &fresh).and_then(|()| std::fs::rename(&fresh, &link));
    Ok(path)
}
