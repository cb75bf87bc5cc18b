//! The summary of a step of GitHub Actions, in GitHub's Markdown (<https://github.github.com/gfm/>).

use std::fmt::Write as _;

use maud::html;

use super::account::{exercised, substitutions, text, text_of_cause};
use super::costs::{Cell, ledger, rows};
use super::versions::versions;
use crate::check::{CommonCause, Conclusion, Judged, Outcome, Verdict};
use crate::text::{in_line, visible};

/// The largest size of a step's summary, in bytes. GitHub does not show a larger summary at all
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits>).
pub(super) const MOST: usize = 1 << 20;

/// The longest reason in a table, in characters.
const LONGEST: usize = 300;

/// The summary, in at most `room` bytes. Whole sections are left out from the end, and the summary says so.
pub(super) fn markdown(outcome: &Outcome<'_>, room: usize) -> String {
    let causes = outcome.common_causes();
    let others: Vec<&Judged> = outcome.others_by_property().into_iter().flat_map(|(_, members)| members).collect();
    let mut sections = vec![heading(outcome)];
    sections.extend(causes.iter().map(cause));
    sections.extend([properties(outcome), findings(&others)]);
    sections.extend([disruptions(outcome), facts(outcome), remarks(outcome)]);
    sections.extend(causes.iter().map(|common| folded("❔", &common.title(), &text_of_cause(outcome, common))));
    let looked_at = others.into_iter().filter(|judged| symbol(judged).1);
    sections.extend(looked_at.map(|judged| folded(symbol(judged).0, judged.check.id, &text(outcome, judged))));
    fitted(sections, room, outcome)
}

/// A cause that left several checks undecided, followed by these checks.
fn cause(common: &CommonCause<'_>) -> String {
    let why = clipped(&common.cause.why);
    let mut section = format!("#### ❔ {}\n\n{} (#{})\n\n", common.title(), plain(&why), common.cause.seq);
    for judged in &common.judged {
        let _ = writeln!(section, "- {}: {}", code(judged.check.id), plain(&clipped(judged.doubt())));
    }
    section + "\n"
}

/// A text on one line, cut to the length that fits a table.
fn clipped(text: &str) -> String {
    let text = in_line(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

fn fitted(sections: Vec<String>, room: usize, outcome: &Outcome<'_>) -> String {
    let total: usize = sections.iter().map(String::len).sum();
    if total <= room {
        return sections.concat();
    }
    let report = outcome.directory.join("report.html");
    let word = format!(
        "> [!WARNING]\n> Cut here: GitHub shows no summary of more than 1 MiB. The rest is in {}.\n\n",
        code(&report.display().to_string())
    );
    let mut text = String::new();
    for section in sections {
        if text.len() + section.len() + word.len() > room {
            break;
        }
        text += &section;
    }
    if text.len() + word.len() <= room { text + &word } else { String::new() }
}

fn heading(outcome: &Outcome<'_>) -> String {
    let conclusion = outcome.conclusion();
    let sign = match conclusion {
        Conclusion::Passed => "✅",
        Conclusion::Failed => "❌",
        Conclusion::Inconclusive | Conclusion::NothingRan | Conclusion::Interrupted => "⚠️",
    };
    let mut text = format!("### {sign} steadfast: {}\n\n", conclusion.title());
    match outcome.evidence.run() {
        Some(run) => {
            let (set, namespace) = (code(&run.subject.set), code(&run.subject.namespace));
            let on = format!("on Kubernetes {}, {}", plain(&run.kubernetes), plain(&run.cluster));
            let _ = write!(text, "StatefulSet {set} in namespace {namespace} {on}: ");
        }
        None => text += "The run ended before anything was under test: ",
    }
    let _ = writeln!(text, "{} in {:.0} s.\n", outcome.summary(), outcome.seconds());
    if outcome.interrupted {
        text += "The run was interrupted: the verdicts rest on what had been recorded by then.\n\n";
    }
    let _ = writeln!(text, "The run's directory is {}.\n", code(&outcome.directory.display().to_string()));
    text
}

fn properties(outcome: &Outcome<'_>) -> String {
    if outcome.judged.is_empty() {
        return String::new();
    }
    let mut text = table(["property", "passed", "failed", "undecided", "skipped"]);
    for (property, members) in outcome.by_property() {
        let count = |verdict| members.iter().filter(|judged| judged.finding.verdict == verdict).count();
        let counts = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive, Verdict::Skipped].map(count);
        let [pass, fail, inconclusive, skipped] = counts;
        let _ = writeln!(text, "| {property} | {pass} | {fail} | {inconclusive} | {skipped} |");
    }
    text + "\n"
}

/// All findings that are not a pass, with their reasons, except those under a common cause.
fn findings(others: &[&Judged]) -> String {
    let told: Vec<&&Judged> = others.iter().filter(|it| it.finding.verdict != Verdict::Pass).collect();
    if told.is_empty() {
        return String::new();
    }
    let mut text = table(["", "check", "reason"]);
    for judged in told {
        let reason = clipped(&judged.finding.reason);
        let _ = writeln!(text, "| {} | {} | {} |", symbol(judged).0, code(judged.check.id), plain(&reason));
    }
    text + "\n"
}

fn disruptions(outcome: &Outcome<'_>) -> String {
    let rows = rows(outcome);
    let mut text = String::new();
    if !rows.is_empty() {
        text += "#### What disruptions cost\n\n";
        text += &table(["disruption", "recovered after", "longest outage", "lag p99"]);
    }
    for row in rows {
        let cell = |cell: &Cell| {
            if !cell.known() {
                return cell.text.clone();
            }
            let figure = format!("{} of {}", cell.text, cell.budget);
            if cell.over { format!("**{figure}**") } else { figure }
        };
        let (name, recovery, outage) = (plain(&row.name), cell(&row.recovery), cell(&row.outage));
        let _ = writeln!(text, "| {name} | {recovery} | {outage} | {} |", row.lag);
    }
    text + "\n" + &list(ledger(outcome))
}

fn facts(outcome: &Outcome<'_>) -> String {
    let versions = versions(outcome.evidence);
    if versions.is_empty() {
        return String::new();
    }
    let mut text = format!("#### What it ran on\n\n{}", table(["", "version"]));
    for (name, value) in versions {
        let _ = writeln!(text, "| {} | {} |", name.replace('_', " "), code(&value));
    }
    text + "\n" + &list(substitutions(outcome.evidence))
}

/// What was exercised, only read back or left out.
fn remarks(outcome: &Outcome<'_>) -> String {
    let lines = exercised(outcome);
    if lines.is_empty() { String::new() } else { format!("#### What was exercised\n\n{}", list(lines)) }
}

/// An account in a folded section with this title.
fn folded(symbol: &str, title: &str, account: &str) -> String {
    // An empty line switches between HTML and Markdown.
    let folded = html! {
        details { summary { (symbol) " " (title) } "\n\n" pre { "\n" (visible(account)) } "\n\n" }
    };
    folded.into_string() + "\n\n"
}

/// The symbol of a verdict, and whether a person must look at it.
fn symbol(judged: &Judged) -> (&'static str, bool) {
    match judged.finding.verdict {
        Verdict::Pass => ("✅", false),
        Verdict::Fail => ("❌", true),
        Verdict::Inconclusive => ("❔", true),
        Verdict::Skipped => ("➖", false),
    }
}

/// The head of a table with these columns.
fn table<const COLUMNS: usize>(heads: [&str; COLUMNS]) -> String {
    format!("| {} |\n|{}\n", heads.join(" | "), " --- |".repeat(COLUMNS))
}

fn list(lines: Vec<String>) -> String {
    let items: String = lines.iter().map(|line| format!("- {}\n", plain(line))).collect();
    if items.is_empty() { items } else { items + "\n" }
}

/// Escapes the text for Markdown, tables and HTML. A backslash escapes each of these characters
/// (<https://github.github.com/gfm/#backslash-escapes>).
pub(crate) fn plain(text: &str) -> String {
    let text = in_line(text);
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\`*_[]<>|~&#".contains(c) {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// The text as code. The delimiter must have more backticks than any run of them in the text, and a table needs its
/// `|` escaped in code too.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let padding = if longest > 0 { " " } else { "" };
    format!("{fence}{padding}{}{padding}{fence}", in_line(text).replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::report::sample;

    #[test]
    fn a_failing_run() {
        insta::assert_snapshot!(markdown(&sample::failing(&sample::failing_evidence()), MOST));
    }

    #[test]
    fn a_run_with_disruptions() {
        insta::assert_snapshot!(markdown(&sample::measured(&sample::disrupted_evidence()), MOST));
    }

    #[test]
    fn a_run_that_could_not_start() {
        insta::assert_snapshot!(markdown(&sample::empty(&Evidence::new(Vec::new())), MOST));
    }

    #[test]
    fn one_cause_is_told_once_before_everything_else() {
        let text = markdown(&sample::crashing(&sample::crashing_evidence()), MOST);
        let to = text.find("#### What it ran on").expect("what comes next");
        insta::assert_snapshot!(&text[..to]);
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end_with_a_word() {
        let evidence = sample::failing_evidence();
        let outcome = sample::failing(&evidence);
        let whole = markdown(&outcome, MOST);
        assert_eq!(markdown(&outcome, whole.len()), whole);
        for room in 0..whole.len() {
            let text = markdown(&outcome, room);
            assert!(text.len() <= room, "{} bytes in room for {room}", text.len());
            assert!(text.is_empty() || text.contains("Cut here"), "{text}");
            assert_eq!(text.matches("<pre>").count(), text.matches("</pre>").count(), "{text}");
        }
        let cut = markdown(&outcome, whole.len() - 1);
        assert!(cut.contains("❌ ordering::never_two_pods_of_one_name</summary>"), "{cut}");
        assert!(!cut.contains("❔ persistence::acknowledged_writes_survive_deletion</summary>"), "{cut}");
    }

    #[test]
    fn a_text_cannot_become_markup() {
        assert_eq!(plain("a|b <script> `x` *y* _z_ [l](u)"), r"a\|b \<script\> \`x\` \*y\* \_z\_ \[l\](u)");
        assert_eq!(code("a|b"), r"`a\|b`");
        assert_eq!(code("x ``y`` z"), "``` x ``y`` z ```");
    }
}
