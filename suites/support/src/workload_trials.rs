//! Shared code of the suites that run many workloads in one cluster.

use std::cmp::Reverse;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde::de::DeserializeOwned;
use steadfast::check::{CATALOGUE, Check, Outcome};
use steadfast::evidence::{Evidence, Scenario};
use steadfast::report::write_all;
use steadfast::run::cancelled_by_signals;

use crate::environment;
use crate::part::Part;
use crate::trials::{self, ignored};
use crate::workload_cluster::{ClusterSpec, SuiteContext, WorkloadCluster};

/// One trial of such a suite.
pub trait WorkloadTrial: Send + 'static {
    /// Its name.
    fn name(&self) -> String;
    /// The number of its cluster.
    fn cluster(&self) -> usize;
    /// Runs the trial and judges its evidence.
    fn run(&self, cluster: &WorkloadCluster) -> impl Future<Output = Result<(), Failed>>;
}

/// Runs the trials of a suite, or the selected part of them, this many at once, and removes the clusters. The trials
/// of the last cluster come first: all clusters are created before any trial runs, and clusters with few trials are
/// removed early.
pub fn run<T: WorkloadTrial>(mut suite_trials: Vec<T>, clusters: &[(&str, ClusterSpec)], at_once: usize) -> ExitCode {
    let mut arguments = trials::arguments();
    if let Some(reason) = environment::no_cluster() {
        let trials = suite_trials.iter().map(|trial| ignored(trial.name(), &reason));
        return libtest_mimic::run(&arguments, trials.collect()).exit_code();
    }
    let runtime = Arc::new(tokio::runtime::Runtime::new().expect("a runtime"));
    let suite = SuiteContext { cancel: runtime.block_on(async { cancelled_by_signals() }), quiet: Arc::default() };
    let cluster =
        |(name, spec): &(&str, ClusterSpec)| Arc::new(WorkloadCluster::new(name, spec.clone(), at_once, suite.clone()));
    let clusters: Vec<Arc<WorkloadCluster>> = clusters.iter().map(cluster).collect();
    let part = Part::from_environment();
    suite_trials.sort_by_key(|trial| Reverse(trial.cluster()));
    let trials = suite_trials.into_iter().enumerate().map(|(index, trial)| {
        if !part.has(index) {
            return ignored(trial.name(), format!("not in part {part} of the suite"));
        }
        let (runtime, cluster) = (runtime.clone(), clusters[trial.cluster()].clone());
        cluster.expect_one();
        Trial::test(trial.name(), move || runtime.block_on(run_one(trial, &cluster)))
    });
    // A trial mostly waits, so the number at once depends on what the clusters can carry, not on the cores of this
    // machine.
    arguments.test_threads.get_or_insert(at_once);
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let torn_down = runtime.block_on(futures::future::join_all(clusters.iter().map(|cluster| cluster.tear_down())));
    match torn_down.into_iter().collect::<Result<(), String>>() {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            steadfast::terminal::complain(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run_one(trial: impl WorkloadTrial, cluster: &WorkloadCluster) -> Result<(), Failed> {
    let result = trial.run(cluster).await;
    let left = cluster.leave().await;
    result?;
    Ok(left?)
}

/// Reads the list of a suite's workloads.
///
/// # Panics
/// When it cannot be read: a suite without its list must not look like success.
pub fn list<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let list: Vec<T> = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!list.is_empty(), "{} lists nothing", path.display());
    list
}

/// Judges the evidence with these checks and with all checks whose scenarios were run, except those that do not apply
/// to such a cluster. Writes the reports.
pub fn judged<'a>(
    evidence: &'a Evidence,
    directory: &Path,
    rerun: String,
    besides: &[&Check],
) -> Result<Outcome<'a>, String> {
    let has_evidence = |check: &&Check| {
        let done = |it: &Scenario| evidence.run().is_some_and(|run| run.acts(*it) || run.left_out(*it).is_some());
        check.scenarios.iter().all(done) || besides.iter().any(|known| known.id == check.id)
    };
    let checks = CATALOGUE.iter().filter(has_evidence);
    let outcome = Outcome::of(evidence, checks).of_run(directory.to_owned(), rerun);
    write_all(&outcome, directory).map_err(|error| error.to_string())?;
    Ok(outcome)
}
