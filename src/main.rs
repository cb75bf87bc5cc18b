//! The `steadfast` program.

mod cli;
mod command;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser as _;
use cli::{Cli, Command, RunOptions};
use steadfast::check::{Check, all};
use steadfast::cluster::doctor::{Health, examine};
use steadfast::evidence::{Evidence, What};
use steadfast::report::{Conclusion, GitHub, Progress};
use steadfast::run::{self, Finished, RunError, Settings};
use steadfast::terminal::{complain, tell};

const FAILED: u8 = Conclusion::Failed as u8;
const USAGE: u8 = 2;
const INCONCLUSIVE: u8 = Conclusion::Inconclusive as u8;
const INTERRUPTED: u8 = Conclusion::Interrupted as u8;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(INCONCLUSIVE, &format!("cannot start: {error}")),
    };
    let code = runtime.block_on(dispatch(&cli));
    // A read of standard input that is under way cannot be cancelled, and would hold the end up.
    runtime.shutdown_background();
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => refuse(INCONCLUSIVE, &with_causes(&error)),
    }
}

fn refuse(code: u8, message: &str) -> ExitCode {
    complain(&format!("error: {message}"));
    ExitCode::from(code)
}

/// An error with its causes, each once: most errors of this program quote theirs.
fn with_causes(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .reduce(|text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
        .unwrap_or_default()
}

async fn dispatch(cli: &Cli) -> anyhow::Result<u8> {
    match &cli.command {
        Command::Run { filter, options } => match cli::select(filter.as_deref()) {
            Ok(checks) => run(cli, &options.settings(checks)).await,
            Err(message) => Ok(usage(&message)),
        },
        Command::Upgrade { options } => match options.settings() {
            Ok(settings) => run(cli, &settings).await,
            Err(message) => Ok(usage(&message)),
        },
        Command::Before { options } => command::before::act(options).await,
        Command::After { options } => command::after::act(cli, options).await,
        Command::Up { options } => up(options).await,
        Command::Down { options } => command::down::act(options).await,
        Command::Judge { run, artifacts } => judge(cli, run, artifacts),
        Command::List { json } => list(*json),
        Command::Explain { check } => Ok(explain(check)),
        Command::Lint { options } => command::lint::act(cli, options).await,
        Command::Trend(args) => Ok(command::trend::run(args)),
        Command::Doctor => Ok(doctor().await),
    }
}

fn usage(message: &str) -> u8 {
    complain(&format!("error: {message}"));
    USAGE
}

async fn run(cli: &Cli, settings: &Settings) -> anyhow::Result<u8> {
    let progress = Progress::new();
    let finished = run::run(settings, run::cancelled_by_signals(), &progress).await;
    let finished = finished.map_err(|error| without_secrets(&error, &progress))?;
    report(cli, &finished, &progress, (&settings.checks, &settings.rerun))
}

/// An error of a run as people may see it.
fn without_secrets(error: &RunError, progress: &Progress) -> anyhow::Error {
    anyhow::Error::msg(progress.redaction().text(&error.to_string()))
}

/// Tells of an error by which a run did not come to be, and with which code the program ends then.
fn refused(error: &RunError, progress: &Progress) -> anyhow::Result<u8> {
    let words = without_secrets(error, progress);
    if error.is_bad_input() { Ok(usage(&words.to_string())) } else { Err(words) }
}

/// Judges a finished run by these checks, writes and prints its reports, and tells with which code the program ends.
fn report(
    cli: &Cli,
    finished: &Finished,
    progress: &Progress,
    (checks, rerun): (&[&'static Check], &str),
) -> anyhow::Result<u8> {
    let outcome = run::outcome(finished, checks, rerun);
    let written = run::write_reports(&outcome);
    // Verdicts that were reached stand, also when something went wrong afterwards.
    let started = finished.evidence.run().is_some() || matches!(finished.trouble, Some(RunError::Interrupted));
    if started {
        steadfast::report::print(&outcome, cli.color)?;
    }
    let told = GitHub::from_environment().map_or(Ok(()), |step| step.tell(&outcome));
    let trouble = trouble(finished, progress);
    tell_kept(finished);
    written?;
    told?;
    Ok(match (outcome.exit_code(), trouble) {
        (_, Some(USAGE)) => USAGE,
        (verdict @ (FAILED | INTERRUPTED), _) if started => verdict,
        (verdict, trouble) => trouble.unwrap_or(verdict),
    })
}

/// Says why a run did not begin or did not come to its end, and with which code the program ends then. That it was
/// interrupted is in the report.
fn trouble(finished: &Finished, progress: &Progress) -> Option<u8> {
    match &finished.trouble {
        None | Some(RunError::Interrupted) => None,
        Some(error) => {
            let error_text = without_secrets(error, progress);
            complain(&format!(
                "error: {error_text}\nevidence: {}",
                finished.directory.join("evidence.jsonl").display()
            ));
            Some(if error.is_bad_input() { USAGE } else { INCONCLUSIVE })
        }
    }
}

fn tell_kept(finished: &Finished) {
    if let Some(kept) = &finished.kept {
        tell(&format!("\n{kept}"));
    }
}

async fn up(options: &RunOptions) -> anyhow::Result<u8> {
    let settings = options.up();
    let progress = Progress::new();
    let finished = run::run(&settings, run::cancelled_by_signals(), &progress).await;
    let finished = finished.map_err(|error| without_secrets(&error, &progress))?;
    let outcome = run::outcome(&finished, &settings.checks, &settings.rerun);
    run::write_reports(&outcome)?;
    let trouble = trouble(&finished, &progress);
    if let Some(run) = finished.evidence.run() {
        tell(&format!("namespace: {}", run.subject.namespace));
    }
    tell_kept(&finished);
    Ok(trouble.unwrap_or(outcome.exit_code()))
}

fn judge(cli: &Cli, run: &Path, artifacts: &Path) -> anyhow::Result<u8> {
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
    steadfast::report::print(&outcome, cli.color)?;
    Ok(outcome.exit_code())
}

/// The checks that the run was judged by, as its results say; without results, those whose scenarios were acted.
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

/// The evidence of a run that is named by its directory, by the log itself, or by its id among the artifacts.
fn evidence_of(run: &Path, artifacts: &Path) -> Result<PathBuf, String> {
    let among = artifacts.join(run);
    let directory = if run.exists() { run } else { &among };
    match directory {
        file if file.is_file() => Ok(file.to_owned()),
        folder if folder.is_dir() => Ok(folder.join("evidence.jsonl")),
        _ => Err(format!(
            "there is no run {}, neither as a path nor in {}; give its directory, its id or `latest`, with --artifacts \
             where the directories of runs are",
            run.display(),
            artifacts.display()
        )),
    }
}

fn list(json: bool) -> anyhow::Result<u8> {
    if json {
        let described = |check: &Check| {
            serde_json::json!({
                "id": check.id,
                "statement": check.statement,
                "source": check.source,
                "scenarios": check.scenarios,
            })
        };
        let checks: Vec<_> = all().map(described).collect();
        tell(&serde_json::to_string_pretty(&checks)?);
    } else {
        let width = all().map(|check| check.id.len()).max().unwrap_or_default();
        let lines: Vec<String> = all().map(|check| format!("{:width$}  {}", check.id, check.statement)).collect();
        tell(&lines.join("\n"));
    }
    Ok(0)
}

fn explain(id: &str) -> u8 {
    match cli::check(id) {
        Ok(check) => {
            let scenarios = check.scenarios.iter().map(|it| it.name()).collect::<Vec<_>>().join(", ");
            let Check { id, statement, source, explain, .. } = check;
            let minimum: String = check.minimum.iter().map(|need| format!("\n  - {need}")).collect();
            let minimum = if minimum.is_empty() { minimum } else { format!("\nA pass needs:{minimum}") };
            let explain = explain.trim();
            tell(&format!("{id}\n\n{statement}\n\n{explain}\n\nSource: {source}\nScenarios: {scenarios}{minimum}"));
            0
        }
        Err(message) => usage(&message),
    }
}

async fn doctor() -> u8 {
    let items = examine().await;
    for item in &items {
        let sign = match item.health {
            Health::Good => "ok  ",
            Health::Doubtful => "warn",
            Health::Bad => "BAD ",
        };
        tell(&format!("{sign}  {:15} {}", item.name, item.found));
    }
    if items.iter().any(|item| item.health == Health::Bad) { INCONCLUSIVE } else { 0 }
}
