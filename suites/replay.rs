//! Judges stored runs again, without a cluster. `suites/replay/<name>.jsonl` is the evidence, and
//! `suites/replay/<name>.verdicts.json` has the verdict that every check must reach.
//!
//! A judge with a new verdict on a stored run changes what the harness promises. Then the expected verdicts are changed
//! too, in a review. A failed trial prints the new verdicts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use steadfast::check::{Finding, Outcome, Verdict, all};
use steadfast::evidence::Evidence;
use steadfast::redaction::Redaction;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/replay");
    let trials = logs(&stored).into_iter().map(|log| {
        let name = log.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || replay(&log))
    });
    let passwords = Trial::test("a_password_that_is_a_word_changes_no_verdict", words_as_passwords);
    libtest_mimic::run(&arguments, trials.chain([passwords]).collect()).exit_code()
}

/// The stored logs, by name. No log at all is a mistake and must not look like success.
fn logs(stored: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(stored).unwrap_or_else(|error| panic!("failed to list {}: {error}", stored.display()));
    let mut logs: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect();
    logs.sort();
    assert!(!logs.is_empty(), "no stored run in {}", stored.display());
    logs
}

/// What each check finds, by its id.
fn findings(evidence: &Evidence) -> impl Iterator<Item = (&'static str, Finding)> {
    Outcome::of(evidence, all()).judged.into_iter().map(|judged| (judged.check.id, judged.finding))
}

fn replay(log: &Path) -> Result<(), Failed> {
    let evidence = Evidence::read(log).map_err(|error| format!("failed to read {}: {error}", log.display()))?;
    let expectation = log.with_extension("verdicts.json");
    let text = fs::read_to_string(&expectation)
        .map_err(|error| format!("failed to read {}: {error}", expectation.display()))?;
    let expected: BTreeMap<String, Verdict> = serde_json::from_str(&text)?;
    let found: BTreeMap<&str, Finding> = findings(&evidence).collect();

    let unknown = expected.keys().filter(|id| !found.contains_key(id.as_str()));
    let mut differ: Vec<String> = unknown.map(|id| format!("{id} is not in the catalogue")).collect();
    for (id, finding) in &found {
        if expected.get(*id) != Some(&finding.verdict) {
            let wanted = expected.get(*id).map_or("no verdict".to_owned(), |verdict| format!("{verdict:?}"));
            differ.push(format!("{id}: expected {wanted}, found {:?}: {}", finding.verdict, finding.reason));
        }
    }
    if differ.is_empty() {
        return Ok(());
    }
    let verdicts: BTreeMap<&str, Verdict> = found.iter().map(|(id, finding)| (*id, finding.verdict)).collect();
    let now = serde_json::to_string_pretty(&verdicts)?;
    Err(format!("{}\nIf this is right, {} is to be:\n{now}", differ.join("\n"), expectation.display()).into())
}

/// Passwords from tutorials, and words that occur in records.
const PASSWORDS: [&str; 14] = [
    "mysql",
    "root",
    "password",
    "changeme",
    "my-secret-pw",
    "123456",
    "2026",
    "mysql-0",
    "data-mysql-1",
    "steadfast",
    "restart",
    "Ready",
    "localhost",
    "S3cr3t!",
];

/// Redacts each of them in a stored run, as the run itself would have done.
fn words_as_passwords() -> Result<(), Failed> {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/replay/seed-1.37.2.jsonl");
    let text = fs::read_to_string(&stored)?;
    let verdicts = |evidence: &Evidence| -> Vec<(&str, Finding)> { findings(evidence).collect() };
    let wanted = verdicts(&Evidence::parse(text.as_bytes())?);
    for password in PASSWORDS {
        let redaction = Redaction::default();
        redaction.keep(["mysql", "data"].map(str::to_owned));
        redaction.learn([password]);
        let lines = text.lines().map(|line| {
            let mut record: serde_json::Value = serde_json::from_str(line)?;
            redaction.value(&mut record);
            Ok::<_, serde_json::Error>(record.to_string())
        });
        let lines: Vec<String> = lines.collect::<Result<_, _>>()?;
        let found = verdicts(&Evidence::parse((lines.join("\n") + "\n").as_bytes())?);
        let other = found.iter().zip(&wanted).find(|((_, found), (_, wanted))| found.verdict != wanted.verdict);
        if let Some((found, wanted)) = other {
            return Err(format!("without the password `{password}` {found:?} in place of {wanted:?}").into());
        }
    }
    Ok(())
}
