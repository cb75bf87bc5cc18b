//! The reports of a run for people and machines: the final text on the terminal, `results.json`, `junit.xml`,
//! `report.html`, and what GitHub Actions shows. All are functions of the outcome only: the same evidence gives the
//! same bytes.

mod account;
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
mod summary;
mod svg;
mod terminal;
mod versions;

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::check::{Judged, Outcome};

pub use describe::{describe, line};
pub use github::GitHub;
pub use progress::Progress;
pub(crate) use results::{Results, SCHEMA as RESULTS_SCHEMA};
pub(crate) use summary::plain as plain_markdown;
pub use terminal::print;

/// The account of one check as plain text.
pub fn explain(outcome: &Outcome<'_>, judged: &Judged) -> String {
    account::text(outcome, judged)
}

/// A report could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct ReportError {
    path: PathBuf,
    source: io::Error,
}

/// Writes `results.json`, `junit.xml` and `report.html` into the directory. Each file is written completely or not at
/// all.
///
/// # Errors
/// When a file cannot be written. The files before it in this order exist then.
pub fn write_all(outcome: &Outcome<'_>, directory: &Path) -> Result<(), ReportError> {
    write(directory, "results.json", || results::json(outcome))?;
    write(directory, "junit.xml", || junit::xml(outcome))?;
    write(directory, "report.html", || Ok(html::page(outcome)))
}

/// Writes by rename: readers of the directory never see half a file.
fn write(directory: &Path, name: &str, content: impl FnOnce() -> io::Result<String>) -> Result<(), ReportError> {
    let path = directory.join(name);
    let attempt = || {
        // Temporary files are private by default, but others read the reports of a nightly run, so the umask decides.
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
    use crate::evidence::Evidence;

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

    /// The text without the colour escapes of the report itself.
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
