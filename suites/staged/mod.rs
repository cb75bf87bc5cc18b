//! What the suites share that put many workloads into one cluster.

mod corefile;
pub mod part;
pub mod stage;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Completion, Conclusion, Trial};
use serde::de::DeserializeOwned;
use steadfast::check::{CATALOGUE, Check};
use steadfast::evidence::Evidence;
use steadfast::report::{Judged, Outcome, write_all};

use stage::Stage;

/// Why nothing is tried where `STEADFAST_CLUSTER` says so.
pub const NO_CLUSTER: &str = "STEADFAST_CLUSTER=none: no cluster is wanted";

/// Whether `STEADFAST_CLUSTER` says that no cluster is wanted.
pub fn no_cluster() -> bool {
    std::env::var("STEADFAST_CLUSTER").as_deref() == Ok("none")
}

/// A trial that is shown as ignored, with the reason.
pub fn ignored(name: String, reason: String) -> Trial {
    Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)))
}

/// The list of a suite's workloads.
///
/// # Panics
/// When it cannot be read: a suite without its list must not look like success.
pub fn list<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let list: Vec<T> = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!list.is_empty(), "{} lists nothing", path.display());
    list
}

/// Judges what was seen by every check whose scenarios were all acted, and writes the reports.
pub fn judged<'a>(evidence: &'a Evidence, directory: &Path, rerun: String) -> Result<Outcome<'a>, String> {
    let acted = evidence.run().map(|run| run.scenarios.clone()).unwrap_or_default();
    let has_evidence = |check: &&Check| check.scenarios.iter().all(|name| acted.iter().any(|it| it == name));
    let judged = CATALOGUE.iter().filter(has_evidence).map(|check| Judged::of(check, evidence)).collect();
    let outcome = Outcome { evidence, judged, interrupted: false, directory: directory.to_owned(), rerun };
    write_all(&outcome, directory).map_err(|error| error.to_string())?;
    Ok(outcome)
}

/// Removes the clusters of all stages; it is an error if something of one is left.
pub async fn strike(stages: &[Arc<Stage>]) -> Result<(), String> {
    let struck = futures::future::join_all(stages.iter().map(|stage| stage.strike())).await;
    struck.into_iter().collect()
}

/// The suite's exit code: it fails too when something of its clusters is left.
pub fn finish(conclusion: &Conclusion, struck: Result<(), String>) -> ExitCode {
    match struck {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
