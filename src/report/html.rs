//! `report.html`: the whole run on one page that needs nothing but itself, neither scripts nor the network.

use std::fmt::Write as _;

use super::account::{Part, account, exercised, expectations, needs_attention, of_cause, scope, substitutions};
use super::costs::{Cell, ledger, rows};
use super::describe::describe;
use super::escape::escape;
use super::{seconds, svg};
use crate::check::{CommonCause, Conclusion, Ended, Judged, Outcome, Verdict};
use crate::evidence::Scenario;
use crate::text::in_line;

const STYLE: &str = include_str!("style.css");

/// The page.
pub(super) fn page(outcome: &Outcome<'_>) -> String {
    let title = outcome.evidence.run().map_or("no run", |run| &run.run_id);
    let conclusion = outcome.conclusion();
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}: steadfast {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
        conclusion.title(),
        escape(title)
    );
    html += &header(outcome, conclusion);
    html += &facts(outcome);
    html += &svg::timeline(outcome);
    for common in outcome.common_causes() {
        html += &cause(outcome, &common);
    }
    for (property, members) in outcome.others_by_property() {
        let _ = writeln!(html, "<section>\n<h2>{}</h2>", escape(property));
        for judged in members {
            html += &check(outcome, judged, needs_attention(judged.finding.verdict), &judged.finding.reason);
        }
        html += "</section>\n";
    }
    html += &disruptions(outcome);
    html += &list("ledger", &ledger(outcome));
    html += &list("exercised", &exercised(outcome));
    html += &list("expectations", &expectations(outcome.evidence));
    html += &list("scope", &scope(outcome));
    html += &time_table(outcome);
    html + "</main>\n</body>\n</html>\n"
}

fn header(outcome: &Outcome<'_>, conclusion: Conclusion) -> String {
    let class = match conclusion {
        Conclusion::Passed => "pass",
        Conclusion::Failed => "fail",
        Conclusion::Inconclusive | Conclusion::Interrupted => "inconclusive",
        Conclusion::NothingRan => "skipped",
    };
    let summary = outcome.summary();
    let counts: String = [
        ("pass", summary.pass, "passed"),
        ("fail", summary.fail, "failed"),
        ("inconclusive", summary.inconclusive, "inconclusive"),
        ("skipped", summary.skipped, "skipped"),
    ]
    .map(|(class, count, word)| {
        let class = if count == 0 { "none" } else { class };
        format!("<li class=\"{class}\"><b>{count}</b> {word}</li>\n")
    })
    .concat();
    let (title, seconds) = (conclusion.title(), outcome.seconds());
    format!(
        "<header class=\"{class}\">\n<h1>{title}</h1>\n<ul class=\"counts\">\n{counts}<li class=\"none\">in \
         <b>{seconds:.0} s</b></li>\n</ul>\n</header>\n"
    )
}

fn facts(outcome: &Outcome<'_>) -> String {
    let Some(run) = outcome.evidence.run() else {
        return "<p>The run ended before anything was under test.</p>\n".to_owned();
    };
    let subject = &run.subject;
    let began = outcome.evidence.records.first().map(|record| format!("{:.0}", record.wall)).unwrap_or_default();
    let workload = format!("StatefulSet {}/{}, {} replicas", subject.namespace, subject.set, subject.replicas);
    let mut html = String::from("<dl class=\"facts\">\n");
    let mut fact = |name: &str, value: &str| {
        let class = if name == "Substitution" { " class=\"wide\"" } else { "" };
        let _ = writeln!(html, "<div{class}><dt>{name}</dt><dd>{}</dd></div>", escape(value));
    };
    fact("Run", &run.run_id);
    fact("Began", &began);
    fact("Workload", &workload);
    fact("Kubernetes", &run.kubernetes);
    fact("Cluster", &run.cluster);
    fact("Scenarios", &Scenario::names(run.scenarios.iter().copied()));
    fact("Harness", &format!("steadfast {}", run.steadfast));
    for substitution in substitutions(outcome.evidence) {
        fact("Substitution", &substitution);
    }
    html + "</dl>\n"
}

/// A cause that left several checks undecided, and these below it, folded.
fn cause(outcome: &Outcome<'_>, common: &CommonCause<'_>) -> String {
    let parts = of_cause(outcome, common);
    let (why, parts) =
        parts.split_first().map_or((String::new(), &parts[..]), |(why, parts)| (escape(&why.text), parts));
    let (title, parts) = (escape(&common.title()), parts.iter().map(part).collect::<String>());
    let checks: String = common.judged.iter().map(|judged| check(outcome, judged, false, judged.doubt())).collect();
    format!(
        "<section>\n<h2>{title}</h2>\n<details class=\"inconclusive cause\" open>\n<summary><span class=\"symbol\" \
         title=\"inconclusive\">?</span><span class=\"why\">{why}</span></summary>\n<dl>\n{parts}</dl>\n</details>\n\
         {checks}</section>\n"
    )
}

/// A check, unfolded or not, with its reason in a line.
fn check(outcome: &Outcome<'_>, judged: &Judged, open: bool, reason: &str) -> String {
    let verdict = judged.finding.verdict;
    let (class, symbol) = match verdict {
        Verdict::Pass => ("pass", "✔"),
        Verdict::Fail => ("fail", "✘"),
        Verdict::Inconclusive => ("inconclusive", "?"),
        Verdict::Skipped => ("skipped", "–"),
    };
    let open = if open { " open" } else { "" };
    let (id, reason) = (escape(judged.check.id), escape(&in_line(reason)));
    let parts: String = account(outcome, judged).iter().map(part).collect();
    format!(
        "<details class=\"{class}\"{open}>\n<summary><span class=\"symbol\" title=\"{class}\">{symbol}</span>\
         <code>{id}</code><span class=\"reason\">{reason}</span></summary>\n<dl>\n{parts}</dl>\n</details>\n"
    )
}

fn part(part: &Part<'_>) -> String {
    let text = if part.verbatim { format!("<code>{}</code>", escape(&part.text)) } else { linked(&part.text) };
    let mut html = format!("<dt>{}</dt><dd>{text}", part.label);
    if !part.quoted.is_empty() {
        html += "\n<table class=\"records\">\n";
        for quoted in &part.quoted {
            let (at, what) = match quoted.record {
                Some(record) => (format!("{:.3} s", seconds(record.at_us)), describe(record)),
                None => (String::new(), "is not in this evidence".to_owned()),
            };
            let _ = writeln!(html, "<tr><td>#{}</td><td>{at}</td><td>{}</td></tr>", quoted.seq, escape(&what));
        }
        html += "</table>";
    }
    html + "</dd>\n"
}

/// Addresses in a text become links: to be followed by hand, nothing is loaded.
fn linked(text: &str) -> String {
    let word = |word: &str| match escape(word) {
        address if address.starts_with("https://") => format!("<a href=\"{address}\">{address}</a>"),
        word => word,
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn list(heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.iter().map(|line| format!("<li>{}</li>\n", escape(line))).collect();
    format!("<section>\n<h2>{heading}</h2>\n<ul class=\"lines\">\n{lines}</ul>\n</section>\n")
}

fn disruptions(outcome: &Outcome<'_>) -> String {
    let rows = rows(outcome);
    if rows.is_empty() {
        return String::new();
    }
    let cell = |cell: &Cell| {
        let class = if cell.over { " class=\"fail\"" } else { "" };
        format!("<td{class}>{}</td><td>{}</td>", escape(&cell.text), escape(&cell.budget))
    };
    let mut html = String::from(
        "<section>\n<h2>disruptions</h2>\n<table class=\"times costs\">\n<tr><th></th><th>recovered</th><th>within</th>\
         <th>outage</th><th>within</th><th>lag p99</th></tr>\n",
    );
    for row in &rows {
        let (recovery, outage) = (cell(&row.recovery), cell(&row.outage));
        let (name, lag) = (escape(&in_line(&row.name)), escape(&row.lag));
        let _ = writeln!(html, "<tr><td>{name}</td>{recovery}{outage}<td>{lag}</td></tr>");
    }
    html + "</table>\n</section>\n"
}

fn time_table(outcome: &Outcome<'_>) -> String {
    let spans = &outcome.spans;
    if spans.is_empty() {
        return String::new();
    }
    let mut html = String::from("<section>\n<h2>time</h2>\n<table class=\"times\">\n");
    for span in spans {
        let note = match span.ended {
            Ended::Done => String::new(),
            Ended::Failed(reason) => format!("<span class=\"fail\">failed: {}</span>", escape(reason)),
            Ended::CutShort => "<span class=\"inconclusive\">not finished</span>".to_owned(),
        };
        let (name, took) = (escape(span.name), span.seconds());
        let _ = writeln!(html, "<tr><td>{name}</td><td>{took:.1} s</td><td>{note}</td></tr>");
    }
    html + "</table>\n</section>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::report::sample;

    #[test]
    fn the_page_stands_alone_and_shows_every_check() {
        let evidence = sample::failing_evidence();
        let outcome = sample::failing(&evidence);
        let html = page(&outcome);
        for judged in &outcome.judged {
            assert!(html.contains(judged.check.id), "{} is missing", judged.check.id);
        }
        assert_eq!(html.matches("<details class=\"fail\" open>").count(), 2);
        for heading in ["expectations", "scope"] {
            assert!(html.contains(&format!("<h2>{heading}</h2>\n<ul class=\"lines\">\n<li>")), "no {heading}");
        }
        for reference in ["<script", "<link", "src=", "url(", "@import"] {
            assert!(!html.contains(reference), "{reference} refers to something outside the page");
        }
        for tag in ["main", "section", "details", "dl", "dd", "table", "tr", "td", "svg", "g", "ul", "li", "title"] {
            let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "<{tag}> is not balanced");
        }
    }

    #[test]
    fn what_disruptions_cost_is_told_and_drawn() {
        let html = page(&sample::measured(&sample::disrupted_evidence()));
        let from = html.find("<h2>disruptions</h2>").expect("a table");
        let to = html.find("<h2>expectations</h2>").expect("what comes next");
        insta::assert_snapshot!(&html[from..to]);
        let drawn = |html: &str| html.matches("<rect class=\"outage\" x=").count();
        assert_eq!(drawn(&html), 2);
        assert_eq!(drawn(&page(&sample::passing(&sample::passing_evidence()))), 0);
    }

    #[test]
    fn one_cause_is_told_once_before_the_checks_that_it_left_undecided() {
        let evidence = sample::crashing_evidence();
        let html = page(&sample::crashing(&evidence));
        let from = html.find("<h2>4 checks are undecided for one cause</h2>").expect("a cause");
        let to = html.find("<h2>ordering</h2>").expect("what comes next");
        assert!(html.find("</figure>").expect("a timeline") < from && from < to);
        let (cause, checks) = html[from..to].split_once("</details>").expect("checks below it");
        insta::assert_snapshot!(cause);
        assert_eq!(checks.matches("<details class=\"inconclusive\">").count(), 4);
        assert_eq!(html.matches("<h2>identity</h2>").count(), 0);
    }

    #[test]
    fn a_page_without_evidence_is_still_a_page() {
        let html = page(&sample::empty(&Evidence::new(Vec::new())));
        assert!(html.contains("<h1>nothing ran</h1>"));
        assert!(!html.contains("<svg"));
    }

    #[test]
    fn what_servers_say_cannot_become_markup() {
        assert_eq!(escape("<a b='c'>&\"\u{1b}"), "&lt;a b=&#39;c&#39;&gt;&amp;&quot;\u{fffd}");
        assert_eq!(
            linked("see https://a.b/?c&d <i>"),
            "see <a href=\"https://a.b/?c&amp;d\">https://a.b/?c&amp;d</a> &lt;i&gt;"
        );
    }
}
