//! How a command ends: its last messages and its exit code.

use steadfast::check::{Check, Conclusion};
use steadfast::report::{GitHub, Progress};
use steadfast::run::{self, Finished, RunError};
use steadfast::terminal::{complain, tell};

/// A check failed.
pub(crate) const FAILED: u8 = Conclusion::Failed as u8;
/// The command line or the manifests cannot be used.
pub(crate) const USAGE: u8 = 2;
/// Nothing is proved either way.
pub(crate) const INCONCLUSIVE: u8 = Conclusion::Inconclusive as u8;
/// The user interrupted it.
pub(crate) const INTERRUPTED: u8 = Conclusion::Interrupted as u8;

/// Prints what is wrong with the command line or with what it names.
pub(crate) fn usage(message: &str) -> u8 {
    complain(&format!("error: {message}"));
    USAGE
}

/// An error of a run, without secrets.
pub(crate) fn without_secrets(error: &RunError, progress: &Progress) -> anyhow::Error {
    anyhow::Error::msg(progress.redaction().text(&error.to_string()))
}

/// Prints the error that kept a run from starting, and returns the exit code.
pub(crate) fn refused(error: &RunError, progress: &Progress) -> anyhow::Result<u8> {
    let words = without_secrets(error, progress);
    if error.is_bad_input() { Ok(usage(&words.to_string())) } else { Err(words) }
}

/// Judges a finished run by these checks, writes and prints its reports, and returns the exit code.
pub(crate) fn report(
    finished: &Finished,
    progress: &Progress,
    (checks, rerun): (&[&'static Check], &str),
    color: clap::ColorChoice,
) -> anyhow::Result<u8> {
    let outcome = run::outcome(finished, checks, rerun);
    let written = run::write_reports(&outcome);
    // Verdicts count even if something went wrong after them.
    let started = finished.evidence.run().is_some() || matches!(finished.trouble, Some(RunError::Interrupted));
    if started {
        steadfast::report::print(&outcome, color)?;
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

/// Prints why a run did not begin or did not finish, and returns the exit code. The report covers interruptions.
pub(crate) fn trouble(finished: &Finished, progress: &Progress) -> Option<u8> {
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

/// Prints what was kept and how to remove it.
pub(crate) fn tell_kept(finished: &Finished) {
    if let Some(kept) = &finished.kept {
        tell(&format!("\n{kept}"));
    }
}
