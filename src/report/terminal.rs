//! The final report for people, on standard output.

use std::fmt::Write as _;
use std::io;

use anstyle::{AnsiColor, Style};

use super::account::{Part, account, exercised, expectations, needs_attention, of_cause, scope, substitutions};
use super::costs::{Cell, Row, ledger, rows};
use super::describe::{STAMP, describe, stamp};
use crate::check::{CommonCause, Conclusion, Ended, Judged, Outcome, Span, Verdict};
use crate::terminal::{self, width};
use crate::text::{in_line, inert, wrap};

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const RED: Style = AnsiColor::Red.on_default().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default().bold();

/// The column in which the parts of an account begin, after their labels.
const PARTS: usize = 19;
/// The column with the names of disruptions, after their costs.
const COSTS: usize = 51;
/// The largest number of quoted records. A finding may quote every lost row, and the report files show them all.
const MOST_QUOTED: usize = 12;
/// The longest id that still shares a line with its reason. The reason of a longer id is on the next line.
const LONGEST_ID: usize = 48;
/// If the column of the reasons would be narrower, the reasons go below the ids, which reads better.
const NARROWEST_REASON: usize = 40;

/// Prints the report, in colours if `--color`, the environment and the terminal allow them.
///
/// # Errors
/// When standard output cannot be written.
pub fn print(outcome: &Outcome<'_>, color: clap::ColorChoice) -> io::Result<()> {
    terminal::print(&render(outcome, width()), color)
}

/// The report with its colours, wrapped at this width.
pub(super) fn render(outcome: &Outcome<'_>, width: usize) -> String {
    let mut page = Page { text: String::new(), width };
    page.header(outcome);
    let longest = outcome.judged.iter().map(|judged| judged.check.id.len()).max().unwrap_or(0).min(LONGEST_ID);
    for common in outcome.common_causes() {
        page.cause(outcome, &common, longest);
    }
    for (property, members) in outcome.others_by_property() {
        page.heading(property);
        for judged in members {
            page.check(outcome, judged, longest);
        }
    }
    page.list("images", &substitutions(outcome.evidence));
    page.disruptions(&rows(outcome));
    page.list("ledger", &ledger(outcome));
    page.list("exercised", &exercised(outcome));
    page.list("expectations", &expectations(outcome.evidence));
    page.list("scope", &scope(outcome));
    page.time_table(&outcome.spans);
    page.footer(outcome);
    page.text
}

struct Page {
    text: String,
    width: usize,
}

impl Page {
    fn line(&mut self, style: Style, text: &str) {
        let _ = writeln!(self.text, "{style}{}{style:#}", inert(text));
    }

    fn heading(&mut self, text: &str) {
        self.text.push('\n');
        self.line(BOLD, text);
    }

    /// Appends the text to the current line, wrapped between words and indented by `indent`.
    fn hanging(&mut self, indent: usize, style: Style, text: &str) {
        let room = self.width.saturating_sub(indent).max(1);
        for (index, line) in wrap(text, room).iter().enumerate() {
            let margin = if index == 0 { 0 } else { indent };
            let _ = writeln!(self.text, "{:margin$}{style}{}{style:#}", "", inert(line));
        }
    }

    fn header(&mut self, outcome: &Outcome<'_>) {
        if let Some(run) = outcome.evidence.run() {
            let subject = &run.subject;
            self.line(BOLD, &format!("steadfast {}, run {}", run.steadfast, run.run_id));
            let (set, namespace, replicas) = (&subject.set, &subject.namespace, subject.replicas);
            let on = format!("on Kubernetes {}, {}", run.kubernetes, run.cluster);
            self.hanging(0, DIM, &format!("StatefulSet {set} in namespace {namespace}, {replicas} replicas, {on}"));
        } else {
            self.hanging(0, BOLD, "the run ended before anything was under test");
        }
        if outcome.interrupted {
            self.hanging(0, YELLOW, "interrupted: the verdicts rest on what had been recorded by then");
        }
    }

    fn check(&mut self, outcome: &Outcome<'_>, judged: &Judged, longest: usize) {
        let (symbol, style) = symbol(judged.finding.verdict);
        let id = judged.check.id;
        let _ = write!(self.text, "  {style}{symbol}{style:#} ");
        if needs_attention(judged.finding.verdict) {
            self.line(BOLD, id);
            for part in account(outcome, judged) {
                self.part(&part);
            }
            return;
        }
        self.beside(id, longest, &judged.finding.reason);
    }

    /// An id, which begins in the fourth column, with its reason beside it or below it.
    fn beside(&mut self, id: &str, longest: usize, reason: &str) {
        let column = 4 + longest + 2;
        let column = if column + NARROWEST_REASON <= self.width { column } else { 6 };
        if 4 + id.len() + 2 <= column {
            let _ = write!(self.text, "{id:width$}", width = column - 4);
        } else {
            let _ = write!(self.text, "{id}\n{:column$}", "");
        }
        self.hanging(column, DIM, &in_line(reason));
    }

    /// A cause that left several checks undecided, followed by these checks.
    fn cause(&mut self, outcome: &Outcome<'_>, common: &CommonCause<'_>, longest: usize) {
        self.heading(&common.title());
        for part in of_cause(outcome, common) {
            self.part(&part);
        }
        let (symbol, style) = symbol(Verdict::Inconclusive);
        for judged in &common.judged {
            let _ = write!(self.text, "  {style}{symbol}{style:#} ");
            self.beside(judged.check.id, longest, judged.doubt());
        }
    }

    fn part(&mut self, part: &Part<'_>) {
        let _ = write!(self.text, "      {DIM}{:<width$}{DIM:#}", part.label, width = PARTS - 6);
        if part.verbatim {
            self.line(PLAIN, &part.text);
        } else {
            self.hanging(PARTS, PLAIN, &part.text);
        }
        for quoted in part.quoted.iter().take(MOST_QUOTED) {
            match quoted.record {
                Some(record) => {
                    let _ = write!(self.text, "{:PARTS$}{}", "", stamp(record));
                    self.hanging(PARTS + STAMP, DIM, &describe(record));
                }
                None => self.line(DIM, &format!("{:PARTS$}{}", "", quoted.line())),
            }
        }
        if let Some(more) = part.quoted.len().checked_sub(MOST_QUOTED).filter(|more| *more > 0) {
            let _ = writeln!(self.text, "{:PARTS$}{DIM}and {more} more, in report.html{DIM:#}", "");
        }
    }

    fn list(&mut self, heading: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.heading(heading);
        for line in lines {
            self.text.push_str("  ");
            self.hanging(4, PLAIN, &in_line(line));
        }
    }

    fn disruptions(&mut self, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        self.heading("disruptions");
        let heads = format!("  {:>9} {:>7}  {:>9} {:>7}  {:>9}", "recovered", "within", "outage", "within", "lag p99");
        self.line(DIM, &heads);
        for row in rows {
            let cell = |cell: &Cell| {
                let style = if cell.over { RED } else { PLAIN };
                format!("{style}{:>9}{style:#} {DIM}{:>7}{DIM:#}", cell.text, cell.budget)
            };
            let (recovery, outage) = (cell(&row.recovery), cell(&row.outage));
            let _ = write!(self.text, "  {recovery}  {outage}  {:>9}  ", row.lag);
            self.hanging(COSTS, PLAIN, &in_line(&row.name));
        }
    }

    fn time_table(&mut self, spans: &[Span<'_>]) {
        if spans.is_empty() {
            return;
        }
        self.heading("time");
        let longest = spans.iter().map(|span| span.name.chars().count()).max().unwrap_or(0);
        for span in spans {
            let _ = write!(self.text, "  {:longest$}  {:>8.1} s", span.name, span.seconds());
            match span.ended {
                Ended::Done => self.text.push('\n'),
                Ended::CutShort => self.line(YELLOW, "  not finished"),
                Ended::Failed(reason) => {
                    self.text.push_str("  ");
                    self.hanging(longest + 16, RED, &format!("failed: {}", in_line(reason)));
                }
            }
        }
    }

    fn footer(&mut self, outcome: &Outcome<'_>) {
        let conclusion = outcome.conclusion();
        let style = match conclusion {
            Conclusion::Passed => GREEN,
            Conclusion::Failed => RED,
            Conclusion::Inconclusive | Conclusion::NothingRan | Conclusion::Interrupted => YELLOW,
        };
        self.text.push('\n');
        let title = match conclusion {
            Conclusion::NothingRan | Conclusion::Interrupted => format!("{}: ", conclusion.title()),
            Conclusion::Passed | Conclusion::Failed | Conclusion::Inconclusive => String::new(),
        };
        self.line(style, &format!("{title}{} in {:.0} s", outcome.summary(), outcome.seconds()));
        for (label, file) in [("report", "report.html"), ("evidence", "evidence.jsonl")] {
            let _ = writeln!(self.text, "{DIM}{label:<10}{DIM:#}{}", outcome.directory.join(file).display());
        }
    }
}

fn symbol(verdict: Verdict) -> (char, Style) {
    match verdict {
        Verdict::Pass => ('✔', GREEN),
        Verdict::Fail => ('✘', RED),
        Verdict::Inconclusive => ('?', YELLOW),
        Verdict::Skipped => ('-', DIM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::report::sample;
    use crate::text::WIDTH;

    fn colourless(outcome: &Outcome<'_>) -> String {
        anstream::adapter::strip_str(&render(outcome, WIDTH)).to_string()
    }

    #[test]
    fn a_passing_run() {
        insta::assert_snapshot!(colourless(&sample::passing(&sample::passing_evidence())));
    }

    #[test]
    fn a_run_with_disruptions() {
        insta::assert_snapshot!(colourless(&sample::measured(&sample::disrupted_evidence())));
    }

    #[test]
    fn a_failing_run() {
        insta::assert_snapshot!(colourless(&sample::failing(&sample::failing_evidence())));
    }

    #[test]
    fn an_inconclusive_run() {
        insta::assert_snapshot!(colourless(&sample::inconclusive(&sample::failing_evidence())));
    }

    #[test]
    fn one_cause_is_told_once_before_the_checks_that_it_left_undecided() {
        let text = colourless(&sample::crashing(&sample::crashing_evidence()));
        let to = text.find("\nimages").expect("what comes next");
        insta::assert_snapshot!(&text[..to]);
    }

    #[test]
    fn an_interrupted_run() {
        insta::assert_snapshot!(colourless(&sample::interrupted(&sample::interrupted_evidence())));
    }

    #[test]
    fn a_run_that_could_not_start() {
        insta::assert_snapshot!(colourless(&sample::empty(&Evidence::new(Vec::new()))));
    }
}
