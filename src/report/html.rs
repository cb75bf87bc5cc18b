//! `report.html`: the whole run on one self-contained page without scripts or network access.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::account::{Part, Quoted, account, exercised, expectations, needs_attention, of_cause, scope, substitutions};
use super::costs::{Cell, ledger, rows};
use super::describe::describe;
use super::svg;
use crate::check::{CommonCause, Conclusion, Ended, Judged, Outcome, Verdict};
use crate::evidence::Scenario;
use crate::evidence::duration::as_seconds;
use crate::text::{in_line, visible};

const STYLE: &str = include_str!("style.css");

/// The page.
pub(super) fn page(outcome: &Outcome<'_>) -> String {
    let title = outcome.evidence.run().map_or("no run", |run| &run.run_id);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (outcome.conclusion().title()) ": steadfast " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content(outcome)) } }
        }
    };
    // Templates escape markup, but keep characters that HTML cannot contain or that are invisible.
    visible(&page.into_string()) + "\n"
}

fn content(outcome: &Outcome<'_>) -> Markup {
    html! {
        (header(outcome))
        (facts(outcome))
        (svg::timeline(outcome))
        @for common in &outcome.common_causes() { (cause(outcome, common)) }
        @for (property, members) in outcome.others_by_property() {
            section {
                h2 { (property) }
                @for judged in members {
                    (check(outcome, judged, needs_attention(judged.finding.verdict), &judged.finding.reason))
                }
            }
        }
        (disruptions(outcome))
        (list("ledger", &ledger(outcome)))
        (list("exercised", &exercised(outcome)))
        (list("expectations", &expectations(outcome.evidence)))
        (list("scope", &scope(outcome)))
        (time_table(outcome))
    }
}

fn header(outcome: &Outcome<'_>) -> Markup {
    let conclusion = outcome.conclusion();
    let class = match conclusion {
        Conclusion::Passed => "pass",
        Conclusion::Failed => "fail",
        Conclusion::Inconclusive | Conclusion::Interrupted => "inconclusive",
        Conclusion::NothingRan => "skipped",
    };
    let summary = outcome.summary();
    let counts = [
        ("pass", summary.pass, "passed"),
        ("fail", summary.fail, "failed"),
        ("inconclusive", summary.inconclusive, "inconclusive"),
        ("skipped", summary.skipped, "skipped"),
    ];
    html! {
        header class=(class) {
            h1 { (conclusion.title()) }
            ul.counts {
                @for (class, count, word) in counts {
                    li class=(if count == 0 { "none" } else { class }) { b { (count) } " " (word) }
                }
                li.none { "in " b { (format_args!("{:.0} s", outcome.seconds())) } }
            }
        }
    }
}

fn facts(outcome: &Outcome<'_>) -> Markup {
    let Some(run) = outcome.evidence.run() else {
        return html! { p { "The run ended before anything was under test." } };
    };
    let subject = &run.subject;
    let began = outcome.evidence.records.first().map(|record| format!("{:.0}", record.wall)).unwrap_or_default();
    let workload = format!("StatefulSet {}/{}, {} replicas", subject.namespace, subject.set, subject.replicas);
    let fact = |name: &str, value: &str| html! { div { dt { (name) } dd { (value) } } };
    html! {
        dl.facts {
            (fact("Run", &run.run_id))
            (fact("Began", &began))
            (fact("Workload", &workload))
            (fact("Kubernetes", &run.kubernetes))
            (fact("Cluster", &run.cluster))
            (fact("Scenarios", &Scenario::names(run.scenarios.iter().copied())))
            (fact("Harness", &format!("steadfast {}", run.steadfast)))
            @for substitution in substitutions(outcome.evidence) {
                div.wide { dt { "Substitution" } dd { (substitution) } }
            }
        }
    }
}

/// A cause that left several checks undecided, with these checks folded below it.
fn cause(outcome: &Outcome<'_>, common: &CommonCause<'_>) -> Markup {
    let parts = of_cause(outcome, common);
    let (why, parts) = parts.split_first().map_or(("", &parts[..]), |(why, parts)| (why.text.as_str(), parts));
    html! {
        section {
            h2 { (common.title()) }
            details.inconclusive.cause open {
                summary { (symbol("inconclusive", "?")) span.why { (why) } }
                dl { @for one in parts { (part(one)) } }
            }
            @for judged in &common.judged { (check(outcome, judged, false, judged.doubt())) }
        }
    }
}

/// A check with its reason on one line, open or folded.
fn check(outcome: &Outcome<'_>, judged: &Judged, open: bool, reason: &str) -> Markup {
    let (class, sign) = match judged.finding.verdict {
        Verdict::Pass => ("pass", "✔"),
        Verdict::Fail => ("fail", "✘"),
        Verdict::Inconclusive => ("inconclusive", "?"),
        Verdict::Skipped => ("skipped", "–"),
    };
    html! {
        details class=(class) open[open] {
            summary { (symbol(class, sign)) code { (judged.check.id) } span.reason { (in_line(reason)) } }
            dl { @for one in &account(outcome, judged) { (part(one)) } }
        }
    }
}

fn symbol(verdict: &str, sign: &str) -> Markup {
    html! { span.symbol title=(verdict) { (sign) } }
}

fn part(part: &Part<'_>) -> Markup {
    html! {
        dt { (part.label) }
        dd {
            @if part.verbatim { code { (part.text) } } @else { (linked(&part.text)) }
            @if !part.quoted.is_empty() {
                table.records { @for quoted in &part.quoted { (record(quoted)) } }
            }
        }
    }
}

fn record(quoted: &Quoted<'_>) -> Markup {
    let (at, what) = match quoted.record {
        Some(record) => (format!("{:.3} s", as_seconds(record.at_us)), describe(record)),
        None => (String::new(), "is not in this evidence".to_owned()),
    };
    html! { tr { td { "#" (quoted.seq) } td { (at) } td { (what) } } }
}

/// Turns the addresses in a text into links. The page itself loads nothing.
fn linked(text: &str) -> Markup {
    html! {
        @for (index, word) in text.split(' ').enumerate() {
            @if index > 0 { " " }
            @if word.starts_with("https://") { a href=(word) { (word) } } @else { (word) }
        }
    }
}

fn list(heading: &str, lines: &[String]) -> Markup {
    html! {
        @if !lines.is_empty() {
            section {
                h2 { (heading) }
                ul.lines { @for line in lines { li { (line) } } }
            }
        }
    }
}

fn disruptions(outcome: &Outcome<'_>) -> Markup {
    let rows = rows(outcome);
    let cell = |cell: &Cell| html! { td class=[cell.over.then_some("fail")] { (cell.text) } td { (cell.budget) } };
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "disruptions" }
                table.times.costs {
                    tr { @for head in ["", "recovered", "within", "outage", "within", "lag p99"] { th { (head) } } }
                    @for row in &rows {
                        tr { td { (in_line(&row.name)) } (cell(&row.recovery)) (cell(&row.outage)) td { (row.lag) } }
                    }
                }
            }
        }
    }
}

fn time_table(outcome: &Outcome<'_>) -> Markup {
    let note = |ended: Ended<'_>| match ended {
        Ended::Done => html! {},
        Ended::Failed(reason) => html! { span.fail { "failed: " (reason) } },
        Ended::CutShort => html! { span.inconclusive { "not finished" } },
    };
    html! {
        @if !outcome.spans.is_empty() {
            section {
                h2 { "time" }
                table.times {
                    @for span in &outcome.spans {
                        tr {
                            td { (span.name) }
                            td { (format_args!("{:.1} s", span.seconds())) }
                            td { (note(span.ended)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::report::sample;

    /// Splits the markup into lines that people can read.
    fn lines(html: &str) -> String {
        let ends = ["</dd>", "</h2>", "</li>", "</section>", "</summary>", "</table>", "</tr>", "</ul>"];
        ends.iter().fold(html.to_owned(), |html, end| html.replace(end, &format!("{end}\n")))
    }

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
            assert!(html.contains(&format!("<h2>{heading}</h2><ul class=\"lines\"><li>")), "no {heading}");
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
        insta::assert_snapshot!(lines(&html[from..to]));
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
        insta::assert_snapshot!(lines(cause));
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
        assert_eq!(
            linked("see https://a.b/?c&d <i>").into_string(),
            "see <a href=\"https://a.b/?c&amp;d\">https://a.b/?c&amp;d</a> &lt;i&gt;"
        );
    }
}
