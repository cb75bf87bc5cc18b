//! `steadfast judge`: judges a finished run again.

use std::path::{Path, PathBuf};

use steadfast::check::{Check, all};
use steadfast::evidence::{Evidence, What};
use steadfast::run::{self, Finished, RunError};

use super::ending::usage;

/// Judges a finished run again.
pub(crate) fn act(run: &Path, artifacts: &Path, color: clap::ColorChoice) -> anyhow::Result<u8> {
    let path = match evidence_of(run, artifacts) {
        Ok(path) => path,
        Err(message) => return Ok(usage(&message)),
    };
    let evidence = match Evidence::read(&path) {
        Ok(evidence) => evidence,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    let directory = path.parent().unwrap_or(run).to_owned();
    let checks = judged_then(&directory, &evidence);
    let interrupted = RunError::Interrupted.to_string();
    let was_interrupted =
        evidence.records.iter().any(|record| matches!(&record.what, What::Note(note) if note.message == interrupted));
    let trouble = was_interrupted.then_some(RunError::Interrupted);
    let finished = Finished { directory, evidence, trouble, kept: None };
    let outcome = run::outcome(&finished, &checks, "steadfast run");
    steadfast::report::print(&outcome, color)?;
    Ok(outcome.exit_code())
}

/// The checks in the run's results. Without results: the checks whose scenarios ran.
fn judged_then(directory: &Path, evidence: &Evidence) -> Vec<&'static Check> {
    let results = std::fs::read(directory.join("results.json")).unwrap_or_default();
    let results: serde_json::Value = serde_json::from_slice(&results).unwrap_or_default();
    let ids: Vec<&str> =
        results["checks"].as_array().into_iter().flatten().filter_map(|check| check["id"].as_str()).collect();
    if ids.is_empty() {
        let acted = evidence.run().map(|run| run.scenarios.as_slice()).unwrap_or_default();
        let has_evidence = |check: &&Check| check.scenarios.iter().all(|name| acted.iter().any(|known| known == name));
        return all().filter(has_evidence).collect();
    }
    all().filter(|check| ids.contains(&check.id)).collect()
}

/// The evidence of a run, which is given as its directory, its log, or its id below the artifacts folder.
fn evidence_of(run: &Path, artifacts: &Path) -> Result<PathBuf, String> {
    let among = artifacts.join(run);
    let directory = if run.exists() { run } else { &among };
    match directory {
        file if file.is_file() => Ok(file.to_owned()),
        folder if folder.is_dir() => Ok(folder.join("evidence.jsonl")),
        _ => Err(format!(
            "there is no run {}, neither as a path nor in {}; give its directory, its id or `latest`, and set \
             --artifacts to the folder that contains the run directories",
            run.display(),
            artifacts.display()
        )),
    }
}
