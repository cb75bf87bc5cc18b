//! One run: from settings to a cluster, through the scenarios, to verdicts and reports.

mod beside;
mod budget;
mod config;
mod dns;
mod error;
mod exercise;
mod guest;
mod images;
mod listed;
mod names;
mod password;
pub mod phases;
mod preflight;
mod preflight_workload;
mod prepare;
mod scope;
mod settings;
mod shared;
mod signals;
mod target;
mod test_cluster;
mod upgrade;
mod witness;
mod workload_run;

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::check::{Check, Conclusion, Outcome};
use crate::cluster::kind::{self, KindCluster};
use crate::cluster::{Lab, book, engine};
use crate::driver::Journal;
use crate::evidence::{Evidence, Leftover, Scenario, Snapshot, SnapshotOf, What};
use crate::record::Log;
use crate::report::{self, Progress};
use crate::text::quoted;
use crate::workload;

pub use budget::{Budget, BudgetError};
pub use config::RunConfig;
pub use error::RunError;
pub use exercise::{Ending, exercise};
pub use guest::sweep as sweep_cluster;
pub use settings::{Keep, Settings};
pub use shared::Shared;
pub use signals::cancelled_by_signals;
pub use target::Target;
pub use test_cluster::{RunContext, TestCluster};
pub use workload_run::WorkloadRun;

/// A run that ended, with its evidence.
#[derive(Debug)]
pub struct Finished {
    /// Where evidence and reports are.
    pub directory: PathBuf,
    /// What was recorded.
    pub evidence: Evidence,
    /// Why the run did not begin or was cut short, if so.
    pub trouble: Option<RunError>,
    /// How to look at what was kept, and how to remove it.
    pub kept: Option<String>,
}

/// Creates the run's directory, runs everything that the settings ask for, and removes what it made. The caller writes
/// the reports.
///
/// # Errors
/// When the evidence cannot be written or read back.
pub async fn run(settings: &Settings, cancel: CancellationToken, progress: &Progress) -> Result<Finished, RunError> {
    let run_id = run_id();
    let directory = make_directory(&settings.artifacts, &run_id)?;
    run_in(settings, &run_id, directory, cancel, progress).await
}

/// Does a run in an existing directory.
///
/// # Errors
/// When the evidence cannot be written or read back.
pub async fn run_in(
    settings: &Settings,
    run_id: &str,
    directory: PathBuf,
    cancel: CancellationToken,
    progress: &Progress,
) -> Result<Finished, RunError> {
    let name = format!("{}{run_id}", kind::PREFIX);
    let run_context = open_context(name, directory, settings.timeout_scale, progress)?;
    let path = run_context.journal.log.path().to_owned();
    let mut owned = None;
    // These futures are large, and a test's thread has a small stack: they live on the heap.
    let mut result = Box::pin(attempt(settings, &run_context, &cancel, &mut owned)).await;
    let mut kept = None;
    if let Some(cluster) = owned {
        if keep(settings, &path, result.as_ref().map(drop)) {
            kept = Some(how_to_look(&cluster.name, &cluster.kubeconfig));
            cluster.keep()?;
        } else {
            result = result.and(remove(cluster, &run_context.journal).await);
        }
    }
    let finished = read_back(&run_context, result.err())?;
    let kept = kept.or_else(|| kept_namespaces(settings, run_id, &finished.evidence));
    Ok(Finished { kept, ..finished })
}

/// The context of a run in this directory, with its own log.
fn open_context(
    name: String,
    directory: PathBuf,
    timeout_scale: f64,
    progress: &Progress,
) -> Result<RunContext, RunError> {
    let path = directory.join("evidence.jsonl");
    let log = Log::create(&path, progress.redaction().clone()).map_err(|source| RunError::File { path, source })?;
    let journal = Journal { log: Arc::new(log), progress: progress.clone() };
    Ok(RunContext { name, directory, journal, timeout_scale })
}

/// Reads back the log of a run that ended.
///
/// # Errors
/// When the evidence could not be written, or cannot be read back.
fn read_back(run_context: &RunContext, trouble: Option<RunError>) -> Result<Finished, RunError> {
    let RunContext { directory, journal, .. } = run_context;
    if let Some(trouble) = &trouble {
        journal.note(trouble.to_string());
    }
    if journal.log.failure().is_some() {
        if let Some(trouble) = trouble.filter(|trouble| !matches!(trouble, RunError::File { .. })) {
            // The log cannot hold this record, so it goes to the terminal.
            journal.progress.say(&trouble.to_string());
        }
        return Err(RunError::unwritten(&journal.log));
    }
    Ok(Finished { directory: directory.clone(), evidence: Evidence::read(journal.log.path())?, trouble, kept: None })
}

/// How to remove what was kept on a cluster that existed before the run.
fn kept_namespaces(settings: &Settings, run_id: &str, evidence: &Evidence) -> Option<String> {
    let namespace = &evidence.run()?.subject.namespace;
    let torn_down = evidence
        .records
        .iter()
        .any(|record| matches!(&record.what, What::Step(step) if step.whole() == Some(Scenario::Teardown)));
    if torn_down {
        return None;
    }
    match &settings.target {
        Target::New { .. } => None,
        Target::Kind(cluster) => {
            let kubectl = format!("kubectl --kubeconfig <(kind get kubeconfig --name {cluster})");
            Some(format!("remove: {kubectl} delete namespace {namespace} {namespace}-witness"))
        }
        Target::Context { .. } => {
            let name = format!("{}{run_id}", kind::PREFIX);
            let book = book::left().kept.into_iter().find(|book| book.run == name)?;
            let [file, context] = [&book.kubeconfig.display().to_string(), &book.context].map(|word| quoted(word));
            let look = format!("kubectl --kubeconfig {file} --context {context} --namespace {namespace} get pods");
            Some(format!("look:   {look}\nremove: {}", book.removal()))
        }
    }
}

/// Deletes the run's cluster and records what is left: all of it if the deletion fails.
async fn remove(cluster: KindCluster, journal: &Journal) -> Result<(), RunError> {
    let name = cluster.name.clone();
    let deleted = journal.step(None, "delete the cluster", cluster.delete()).await;
    let left = match &deleted {
        Ok(left) => left.clone(),
        Err(error) => vec![Leftover { kind: "cluster".to_owned(), name, held_by: Some(error.to_string()) }],
    };
    let value = serde_json::to_value(left).unwrap_or_default();
    journal.log.record(What::Snapshot(Snapshot { of: SnapshotOf::LeftoverResources, value }));
    Ok(deleted.map(drop)?)
}

async fn attempt(
    settings: &Settings,
    run_context: &RunContext,
    cancel: &CancellationToken,
    owned: &mut Option<KindCluster>,
) -> Result<(), RunError> {
    let lab = Lab::read()?;
    let evidence = run_context.journal.log.path().to_owned();
    let own_cluster = matches!(settings.target, Target::New { .. });
    let open = Box::pin(async {
        let upgrade::Route { target, newer } = upgrade::route(settings, &lab)?;
        sweep(&lab, &run_context.journal).await;
        let workload_run = WorkloadRun { newer, ..settings.workload_run(&lab, run_context).await? };
        if !matches!(settings.target, Target::Context { .. }) {
            engine(&lab).await?;
        }
        let images = images::to_load(&lab, &target, &workload_run.manifests, &run_context.journal).await;
        if own_cluster {
            // Report a missing image before spending minutes on a cluster.
            for image in images.iter().filter(|image| lab.image(image).is_none()) {
                images::provide_image(&lab, image).await?;
            }
        }
        let test_cluster = TestCluster::open(lab.clone(), &target, run_context, &images, owned).await?;
        if let Some(newer) = &workload_run.newer {
            upgrade::possible(&test_cluster, newer)?;
        }
        Ok::<_, RunError>((test_cluster, workload_run))
    });
    let (test_cluster, workload_run) = tokio::select! {
        opened = open => opened?,
        () = cancel.cancelled() => return Err(RunError::Interrupted),
    };
    let keep = |acted: Result<(), &RunError>| {
        // An interrupted run deletes its own cluster with all objects: no need to wait for each of them.
        (acted.is_err() && own_cluster && cancel.is_cancelled()) || keep(settings, &evidence, acted)
    };
    Box::pin(exercise(&test_cluster, &workload_run, Ending { cancel: cancel.clone(), keep: &keep })).await?;
    if workload_run.newer.is_some() && upgrade::ended(&evidence)? {
        // The second run's objects go with the run's own cluster too.
        let keep = |_: Result<(), &RunError>| own_cluster && cancel.is_cancelled();
        let ending = Ending { cancel: cancel.clone(), keep: &keep };
        Box::pin(upgrade::conform(settings, &test_cluster, run_context, ending)).await?;
    }
    Ok(())
}

/// Removes the leftovers of killed runs. A failure does not stop this run: the next start tries again.
async fn sweep(lab: &Lab, journal: &Journal) {
    let message = match kind::sweep(lab).await {
        Ok(removed) if removed.is_empty() => return,
        Ok(removed) => format!("removed the clusters that killed runs left: {}", removed.join(", ")),
        Err(error) => format!("cannot remove what killed runs left: {error}"),
    };
    journal.announce(&message);
}

/// Whether the run's objects stay. An interrupted run leaves nothing, and a run that never reached its scenarios leaves
/// nothing that should have been kept.
fn keep(settings: &Settings, evidence: &Path, acted: Result<(), &RunError>) -> bool {
    match (settings.keep, acted) {
        (Keep::Never, _) | (_, Err(RunError::Interrupted)) => false,
        (Keep::Always, Ok(())) | (Keep::OnFailure, Err(_)) => true,
        (Keep::Always, Err(_)) => Evidence::read(evidence).is_ok_and(|evidence| evidence.run().is_some()),
        (Keep::OnFailure, Ok(())) => Evidence::read(evidence).is_ok_and(|evidence| {
            let checks = settings.checks.iter().filter(|check| !check.scenarios.contains(&Scenario::Teardown));
            let conclusion = Outcome::of(&evidence, checks.copied()).conclusion();
            matches!(conclusion, Conclusion::Failed | Conclusion::Inconclusive)
        }),
    }
}

fn how_to_look(cluster: &str, kubeconfig: &Path) -> String {
    format!("look:   KUBECONFIG={} kubectl get pods -A\nremove: steadfast down {cluster}", kubeconfig.display())
}

/// Judges a finished run by these checks.
pub fn outcome<'a>(finished: &'a Finished, checks: &[&'static Check], rerun: &str) -> Outcome<'a> {
    with_run(finished, Outcome::of(&finished.evidence, checks.iter().copied()), rerun)
}

/// An outcome with what a finished run adds to its evidence.
fn with_run<'a>(finished: &Finished, outcome: Outcome<'a>, rerun: &str) -> Outcome<'a> {
    let mut outcome = outcome.of_run(finished.directory.clone(), rerun);
    outcome.interrupted = matches!(finished.trouble, Some(RunError::Interrupted));
    outcome
}

/// Writes the reports of a finished run.
///
/// # Errors
/// When a file cannot be written.
pub fn write_reports(outcome: &Outcome<'_>) -> Result<(), RunError> {
    Ok(report::write_all(outcome, &outcome.directory)?)
}

/// A run's id: the time, so that runs sort, and random digits, so that two runs never share one.
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
    // Evidence holds private facts: names, addresses, and whatever the servers logged.
    let mut private = std::fs::DirBuilder::new();
    private.mode(0o700);
    let made = private.create(&path).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => std::fs::create_dir_all(artifacts).and_then(|()| private.create(&path)),
        _ => Err(error),
    });
    made.map_err(refuse)?;
    let path = path.canonicalize().map_err(refuse)?;
    // The link is a convenience: without it, the run is still complete.
    let link = artifacts.join("latest");
    let fresh = artifacts.join(format!(".latest-{run_id}"));
    let _ = std::os::unix::fs::symlink(run_id, &fresh).and_then(|()| std::fs::rename(&fresh, &link));
    Ok(path)
}
