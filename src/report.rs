//! What a run says to people and to machines: the closing text on the terminal, `results.json`, `junit.xml`,
//! `report.html`, and what GitHub Actions shows. All are functions of the outcome alone: the same evidence gives the
//! same bytes.

mod account;
mod causes;
mod costs;
mod describe;
mod exercised;
mod github;
mod html;
mod junit;
mod progress;
mod results;
#[cfg(test)]
pub(crate) mod sample;
mod spans;
mod summary;
mod svg;
mod terminal;
mod versions;

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::check::{Check, Finding, Verdict};
use crate::evidence::{Evidence, Record};

pub use describe::{describe, line};
pub use github::GitHub;
pub use progress::Progress;
pub(crate) use results::{Results, SCHEMA as RESULTS_SCHEMA};
pub(crate) use summary::plain as plain_markdown;
pub use terminal::print;

/// One check's result.
#[derive(Debug)]
pub struct Judged {
    /// The check.
    pub check: &'static Check,
    /// What it concludes.
    pub finding: Finding,
    /// How long the scenarios that it needs took, by the evidence.
    pub seconds: f64,
}

impl Judged {
    /// Judges the evidence by this check.
    pub fn of(check: &'static Check, evidence: &Evidence) -> Self {
        let seconds = spans::seconds_of(&spans::spans(evidence), check.scenarios.iter().copied());
        Self { check, finding: check.judge(evidence), seconds }
    }
}

/// All that the reports say of a run.
#[derive(Debug)]
pub struct Outcome<'a> {
    /// What was seen.
    pub evidence: &'a Evidence,
    /// The checks' results, in the catalogue's order.
    pub judged: Vec<Judged>,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// The run's directory, where the evidence lies.
    pub directory: PathBuf,
    /// The command that runs a check again, such as `steadfast run --cluster ci`: the check's id is appended.
    pub rerun: String,
}

impl Outcome<'_> {
    /// How many checks reached which verdict.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for judged in &self.judged {
            *match judged.finding.verdict {
                Verdict::Pass => &mut summary.pass,
                Verdict::Fail => &mut summary.fail,
                Verdict::Inconclusive => &mut summary.inconclusive,
                Verdict::Skipped => &mut summary.skipped,
            } += 1;
        }
        summary
    }

    /// What the run as a whole comes to.
    pub fn conclusion(&self) -> Conclusion {
        let summary = self.summary();
        match () {
            () if self.interrupted => Conclusion::Interrupted,
            () if summary.fail > 0 => Conclusion::Failed,
            () if summary.inconclusive > 0 => Conclusion::Inconclusive,
            () if summary.pass == 0 => Conclusion::NothingRan,
            () => Conclusion::Passed,
        }
    }

    /// All that a person needs about one check, as plain text.
    pub fn explain(&self, judged: &Judged) -> String {
        account::text(self, judged)
    }

    /// The program's exit code.
    pub fn exit_code(&self) -> u8 {
        self.conclusion() as u8
    }

    /// The results grouped by property, in the order in which the properties first appear.
    fn by_property(&self) -> Vec<(&'static str, Vec<&Judged>)> {
        let mut groups: Vec<(&'static str, Vec<&Judged>)> = Vec::new();
        for judged in &self.judged {
            let property = judged.check.property();
            match groups.iter_mut().find(|(name, _)| *name == property) {
                Some((_, members)) => members.push(judged),
                None => groups.push((property, vec![judged])),
            }
        }
        groups
    }

    /// How long the run took: its records carry the time, so that judging it again says the same.
    fn seconds(&self) -> f64 {
        self.evidence.records.last().map_or(0.0, |record| spans::seconds(record.at_us))
    }

    /// The record of this number.
    fn record(&self, seq: u64) -> Option<&Record> {
        let records = &self.evidence.records;
        records.binary_search_by_key(&seq, |record| record.seq).ok().map(|index| &records[index])
    }
}

/// What a run as a whole comes to; its number is the program's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Conclusion {
    /// Every check that applies passed.
    Passed = 0,
    /// A check failed.
    Failed = 1,
    /// Nothing failed, but something could not be decided.
    Inconclusive = 3,
    /// No check was judged, or none applied.
    NothingRan = 4,
    /// The run was interrupted.
    Interrupted = 130,
}

impl Conclusion {
    /// A word or two for headings.
    fn title(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::NothingRan => "nothing ran",
            Self::Interrupted => "interrupted",
        }
    }
}

/// How many checks reached which verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// Passed.
    pub pass: usize,
    /// Failed.
    pub fail: usize,
    /// Inconclusive.
    pub inconclusive: usize,
    /// Skipped.
    pub skipped: usize,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pass, fail, inconclusive, skipped } = self;
        write!(f, "{pass} passed, {fail} failed, {inconclusive} inconclusive, {skipped} skipped")
    }
}

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct ReportError {
    path: PathBuf,
    source: io::Error,
}

/// Writes `results.json`, `junit.xml` and `report.html` into the directory, each whole or not at all.
///
/// # Errors
/// When a file cannot be written; those before it in this order are there.
pub fn write_all(outcome: &Outcome<'_>, directory: &Path) -> Result<(), ReportError> {
    write(directory, "results.json", || results::json(outcome))?;
    write(directory, "junit.xml", || junit::xml(outcome))?;
    write(directory, "report.html", || Ok(html::page(outcome)))
}

/// Readers of a run's directory may look at any moment: a rename never shows them half a file.
fn write(directory: &Path, name: &str, content: impl FnOnce() -> io::Result<String>) -> Result<(), ReportError> {
    let path = directory.join(name);
    let attempt = || {
        // Temporary files are private by default, and a nightly's reports are read by others: leave it to the umask.
        let open_to_umask = Permissions::from_mode(0o666);
        let mut file = tempfile::Builder::new().prefix(".report-").permissions(open_to_umask).tempfile_in(directory)?;
        file.write_all(content()?.as_bytes())?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    };
    attempt().map_err(|source| ReportError { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_follow_the_worst_verdict() {
        let evidence = Evidence::new(Vec::new());
        let code = |verdicts: &[Verdict], interrupted| {
            let judged = verdicts.iter().map(|verdict| sample::judged_as(*verdict)).collect();
            let (directory, rerun) = (PathBuf::new(), String::new());
            Outcome { evidence: &evidence, judged, interrupted, directory, rerun }.exit_code()
        };
        use Verdict::{Fail, Inconclusive, Pass, Skipped};
        assert_eq!(code(&[Pass, Skipped], false), 0);
        assert_eq!(code(&[Pass, Inconclusive, Fail], false), 1);
        assert_eq!(code(&[Pass, Inconclusive], false), 3);
        assert_eq!(code(&[Skipped], false), 4);
        assert_eq!(code(&[], false), 4);
        assert_eq!(code(&[Pass, Fail], true), 130);
    }

    #[test]
    fn all_three_reports_are_written_whole_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let evidence = sample::failing_evidence();
        write_all(&sample::failing(&evidence), directory.path()).unwrap();
        let mut names: Vec<_> = directory
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["junit.xml", "report.html", "results.json"]);
    }

    /// What is left of a text for a terminal without the colours of the report itself.
    fn uncoloured(text: &str) -> String {
        let mut parts = text.split("\u{1b}[");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            let end = part.find(|c: char| !c.is_ascii_digit() && c != ';');
            text + end.filter(|end| part[*end..].starts_with('m')).map_or(part, |end| &part[end + 1..])
        })
    }

    #[test]
    fn hostile_text_is_inert_in_every_report() {
        for hostile in crate::text::HOSTILE {
            let mut evidence = sample::failing_evidence();
            for record in &mut evidence.records {
                match &mut record.what {
                    crate::evidence::What::Run(run) => {
                        run.cluster = format!("context {hostile}");
                        run.kubernetes = (*hostile).to_owned();
                    }
                    crate::evidence::What::Note(note) => note.message = (*hostile).to_owned(),
                    _ => {}
                }
            }
            let mut outcome = sample::failing(&evidence);
            for judged in &mut outcome.judged {
                judged.finding.reason = (*hostile).to_owned();
            }
            let (xml, html) = (junit::xml(&outcome).unwrap(), html::page(&outcome));
            let shown = [uncoloured(&terminal::render(&outcome, 100)), summary::markdown(&outcome, summary::MOST)];
            for text in shown.iter().chain([&xml, &html]) {
                let hidden = text.find(|c| crate::text::is_hidden(c) && c != '\n');
                assert_eq!(hidden.map(|at| text[at..].chars().take(20).collect::<String>()), None, "{hostile:?}");
            }
            for line in shown.iter().flat_map(|text| text.lines()) {
                assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{hostile:?}: {line}");
            }
            for text in [&xml, &html] {
                assert!(!text.contains("<script>alert") && !text.contains("\" onclick="), "{hostile:?}");
            }
            let one_command = |line: &str| line.starts_with("::error ") || line.starts_with("::warning ");
            assert!(github::annotations(&outcome).lines().all(one_command), "{hostile:?}");
        }
    }

    #[test]
    fn a_missing_directory_is_named() {
        let evidence = Evidence::new(Vec::new());
        let error = write_all(&sample::empty(&evidence), Path::new("/nowhere")).unwrap_err();
        assert_eq!(error.to_string(), "cannot write /nowhere/results.json");
    }
}
