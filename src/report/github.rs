//! What GitHub Actions shows of a run: annotations by workflow commands on standard output, and the step's summary.
//!
//! The commands and summaries are described in
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>. The escapes in commands are
//! described only by the source of the toolkit:
//! <https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts>.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

use super::{ReportError, summary};
use crate::check::{Cause, Judged, Outcome, Verdict};
use crate::text::in_line;

/// The number of annotations of a kind that GitHub shows for a step. It hides the others without a message
/// (<https://github.com/actions/toolkit/blob/main/docs/problem-matchers.md#limitations>).
const SHOWN: usize = 10;

/// The longest reason in an annotation, in characters. An annotation is a hint, and the reports have the full reason.
const LONGEST: usize = 1_000;

/// A step of a GitHub Actions job.
#[derive(Debug)]
pub struct GitHub {
    summary: Option<PathBuf>,
}

impl GitHub {
    /// The step in which this program runs. `None` outside of GitHub Actions
    /// (<https://docs.github.com/en/actions/reference/workflows-and-actions/variables#default-environment-variables>).
    pub fn from_environment() -> Option<Self> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        variable("GITHUB_ACTIONS").filter(|value| value == "true")?;
        Some(Self { summary: variable("GITHUB_STEP_SUMMARY").map(PathBuf::from) })
    }

    /// Annotates the step on standard output, and appends to its summary.
    ///
    /// # Errors
    /// When the summary's file cannot be written. The annotations are already printed then.
    pub fn tell(&self, outcome: &Outcome<'_>) -> Result<(), ReportError> {
        // If nobody reads standard output, nobody needs the annotations.
        let _ = io::stdout().lock().write_all(annotations(outcome).as_bytes());
        let Some(path) = &self.summary else { return Ok(()) };
        let append = || {
            let mut file = OpenOptions::new().create(true).append(true).open(path)?;
            let used = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
            file.write_all(summary::markdown(outcome, summary::MOST.saturating_sub(used)).as_bytes())
        };
        append().map_err(|source| ReportError { path: path.clone(), source })
    }
}

/// One line for each finding that a person must look at: an error for a violation, a warning for an undecided check.
/// A cause of several findings comes before all others.
pub(super) fn annotations(outcome: &Outcome<'_>) -> String {
    let lines = |verdict, kind| {
        let groups = told_alike(outcome.judged.iter().filter(|judged| judged.finding.verdict == verdict));
        let causes = groups.iter().take(SHOWN - 1).filter(|group| common(group).is_some()).count();
        (limited(groups, kind, outcome), causes)
    };
    let (errors, _) = lines(Verdict::Fail, "error");
    let (mut warnings, causes) = lines(Verdict::Inconclusive, "warning");
    let others = warnings.split_off(causes);
    warnings.into_iter().chain(errors).chain(others).collect()
}

/// The common cause of a group of findings.
fn common<'a>(group: &[&'a Judged]) -> Option<&'a Cause> {
    group[0].finding.cause.as_ref().filter(|_| group.len() > 1)
}

/// Groups the findings by cause or by reason: a run that could not begin has one reason for all checks. Groups with a
/// cause come first, then larger groups.
fn told_alike<'a>(judged: impl Iterator<Item = &'a Judged>) -> Vec<Vec<&'a Judged>> {
    let mut groups: Vec<Vec<&Judged>> = Vec::new();
    let cause = |judged: &Judged| judged.finding.cause.as_ref().map(|cause| cause.seq);
    let alike = |one: &Judged, other: &Judged| match (cause(one), cause(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one.finding.reason == other.finding.reason,
    };
    for one in judged {
        match groups.iter_mut().find(|group| alike(group[0], one)) {
            Some(group) => group.push(one),
            None => groups.push(vec![one]),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse((common(group).is_some(), group.len())));
    groups
}

/// The annotations of a kind. If there are more than GitHub shows, the last one names the checks that are not shown.
fn limited(groups: Vec<Vec<&Judged>>, kind: &str, outcome: &Outcome<'_>) -> Vec<String> {
    let shown = if groups.len() > SHOWN { SHOWN - 1 } else { SHOWN };
    let (told, left) = groups.split_at(shown.min(groups.len()));
    let mut lines: Vec<String> = told.iter().map(|group| annotation(kind, group, outcome)).collect();
    let left: Vec<&str> = left.iter().flatten().map(|judged| judged.check.id).collect();
    if !left.is_empty() {
        let message = format!("not shown for want of room: {}\nall of them: the step's summary", left.join(", "));
        lines.push(command(kind, &format!("{} more", left.len()), &message));
    }
    lines
}

fn annotation(kind: &str, group: &[&Judged], outcome: &Outcome<'_>) -> String {
    let check = group[0].check;
    let others = if group.len() > 1 { format!(" and {} more", group.len() - 1) } else { String::new() };
    let again = format!("run alone: {} {}", outcome.rerun, check.id);
    if let Some(cause) = common(group) {
        let checks: Vec<String> =
            group.iter().map(|judged| format!("{}: {}", judged.check.id, judged.doubt())).collect();
        let (why, checks) = (clipped(&cause.why), checks.join("\n"));
        let title = format!("{} checks are undecided for one cause", group.len());
        return command(kind, &title, &format!("{why} (#{})\n{checks}\n{again}", cause.seq));
    }
    let reason = clipped(&group[0].finding.reason);
    let message = format!("{reason}\nrequired: {}\n{again}", check.statement);
    command(kind, &format!("{}{others}", check.id), &message)
}

/// The text on one line, cut to the length of a hint.
fn clipped(text: &str) -> String {
    let text = in_line(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

/// A workflow command. It needs its own line: after other text on the line it is plain text.
fn command(kind: &str, title: &str, message: &str) -> String {
    format!("::{kind} title={}::{}\n", property(title), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::report::sample;

    #[test]
    fn a_failing_run() {
        insta::assert_snapshot!(annotations(&sample::failing(&sample::failing_evidence())));
    }

    #[test]
    fn a_green_run_says_nothing() {
        assert_eq!(annotations(&sample::passing(&sample::passing_evidence())), "");
    }

    #[test]
    fn one_cause_is_one_annotation() {
        insta::assert_snapshot!(annotations(&sample::crashing(&sample::crashing_evidence())));
    }

    /// Findings with this verdict, each with a different reason.
    fn many(count: usize, verdict: Verdict) -> Vec<Judged> {
        let numbered = |number| {
            let mut judged = sample::judged_as(verdict);
            judged.finding.reason = format!("reason {number}");
            judged
        };
        (1..=count).map(numbered).collect()
    }

    #[test]
    fn what_is_not_shown_is_named_in_the_last_that_is() {
        let evidence = Evidence::new(Vec::new());
        let told = |count| {
            let mut outcome = sample::empty(&evidence);
            outcome.judged = many(count, Verdict::Fail);
            outcome.judged.extend(many(2, Verdict::Inconclusive));
            annotations(&outcome)
        };
        let errors = |text: &str| text.lines().filter(|line| line.starts_with("::error ")).count();
        assert_eq!(errors(&told(10)), 10);
        assert!(!told(10).contains(" more"), "{}", told(10));
        assert_eq!(errors(&told(13)), 10);
        assert!(told(13).contains("::error title=4 more::not shown for want of room: "), "{}", told(13));
        // The limit applies to each kind separately.
        assert_eq!(told(13).lines().filter(|line| line.starts_with("::warning ")).count(), 2);
    }

    #[test]
    fn one_reason_for_all_is_told_once() {
        let evidence = Evidence::new(Vec::new());
        let mut outcome = sample::empty(&evidence);
        outcome.judged = vec![sample::judged_as(Verdict::Inconclusive), sample::judged_as(Verdict::Inconclusive)];
        let text = annotations(&outcome);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("::warning title=persistence%3A%3Aclaims_are_kept and 1 more::so it is%0A"), "{text}");
    }

    #[test]
    fn nothing_in_a_text_ends_its_command() {
        let line = command("error", "50%: a, b\r\n", "1\r\n2%3A: x::y, z");
        assert_eq!(line, "::error title=50%25%3A a%2C b%0D%0A::1%0D%0A2%253A: x::y, z\n");
    }

    #[test]
    fn the_summary_is_appended_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        std::fs::write(&path, "before\n").unwrap();
        let evidence = sample::passing_evidence();
        let step = GitHub { summary: Some(path.clone()) };
        step.tell(&sample::passing(&evidence)).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("before\n") && text.contains("4 passed"), "{text}");
    }

    #[test]
    fn a_summary_that_cannot_be_written_is_named() {
        let step = GitHub { summary: Some("/nowhere/summary.md".into()) };
        let evidence = Evidence::new(Vec::new());
        assert_eq!(step.tell(&sample::empty(&evidence)).unwrap_err().to_string(), "cannot write /nowhere/summary.md");
    }
}
