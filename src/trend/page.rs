//! A trend as a page: for people, for programs, or for GitHub's step summary.

use std::fmt::Write as _;

use super::{Apart, CheckTrend, Figure, Rate, Trend};

/// The form in which a trend is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people, on a terminal.
    Text,
    /// For people, in Markdown.
    Markdown,
    /// For programs.
    Json,
}

/// Figures under a heading.
struct Table {
    title: &'static str,
    heads: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// The trend in this form.
pub(super) fn render(trend: &Trend, form: Form) -> String {
    let (about, tables) = (about(trend), tables(trend));
    match form {
        Form::Text => text(&about, &tables),
        Form::Markdown => markdown(&about, &tables),
        // Strings and numbers cannot fail to serialise.
        Form::Json => serde_json::to_string_pretty(trend).unwrap_or_default() + "\n",
    }
}

/// What the figures are based on, one sentence each.
fn about(trend: &Trend) -> Vec<String> {
    let mut lines = Vec::new();
    match trend.runs.as_slice() {
        [] => lines.push("no run counts".to_owned()),
        [only] => lines.push(format!("1 run: {only}")),
        [first, .., last] => lines.push(format!("{} runs, from {first} to {last}", trend.runs.len())),
    }
    let one =
        |trend: &Trend| Some(format!("Kubernetes {}, server {}", trend.groups[0].kubernetes, trend.groups[0].server));
    let ran_on = if trend.groups.len() == 1 { one(trend) } else { None };
    let judged = (!trend.steadfast.is_empty()).then(|| format!("judged by steadfast {}", trend.steadfast.join(", ")));
    lines.extend([ran_on, judged].into_iter().flatten());
    lines.extend(apart(&trend.apart));
    lines
}

fn apart(apart: &Apart) -> Vec<String> {
    let paths = |paths: &[std::path::PathBuf]| {
        paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    };
    let said = |count: usize, what: &str| (count > 0).then(|| format!("not counted: {count} {what}"));
    let named = |count: usize, what: &str, names: String| said(count, what).map(|text| format!("{text}: {names}"));
    let Apart { interrupted, never_began, without_results, mutants, repeated, unread } = apart;
    let mut lines: Vec<String> = [
        named(interrupted.len(), "interrupted", interrupted.join(", ")),
        named(never_began.len(), "that never began", paths(never_began)),
        named(without_results.len(), "without results: killed or still running", paths(without_results)),
        said(*mutants, "of mutants, which must be red"),
        said(*repeated, "repeated"),
    ]
    .into_iter()
    .flatten()
    .collect();
    lines.extend(unread.iter().map(|it| format!("NOT READ: {}: {}", it.path.display(), it.reason)));
    lines
}

fn tables(trend: &Trend) -> Vec<Table> {
    let mut tables = vec![checks(trend), reds(trend)];
    if trend.groups.len() > 1 {
        tables.extend([groups(trend), flaky_by_group(trend)]);
    }
    tables.extend([figures(trend), times(trend)]);
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn checks(trend: &Trend) -> Table {
    let heads = vec!["check", "runs", "passed", "red", "undecided", "skipped", "rate of reds", "95 %"];
    let row = |check: &CheckTrend| [vec![check.id.clone()], counts(check), rate(&check.red)].concat();
    Table { title: "checks", heads, rows: trend.checks.iter().map(row).collect() }
}

fn counts(check: &CheckTrend) -> Vec<String> {
    let counts = check.counts;
    [check.runs, counts.pass, counts.fail, counts.inconclusive, counts.skipped].map(|count| count.to_string()).to_vec()
}

/// The rate and its interval in per cent; dashes if nothing was decided.
fn rate(red: &Rate) -> Vec<String> {
    let per_cent = |rate: f64| format!("{:.1}", rate * 100.0);
    let rate = red.rate.map(|rate| per_cent(rate) + " %");
    let interval = red.interval.map(|it| format!("{} to {}", per_cent(it.low), per_cent(it.high)));
    [rate, interval].map(|text| text.unwrap_or_else(|| "-".to_owned())).to_vec()
}

fn reds(trend: &Trend) -> Table {
    let row = |check: &CheckTrend| Some(vec![check.id.clone(), check.first_red.clone()?, check.last_red.clone()?]);
    let rows = trend.checks.iter().filter_map(row).collect();
    Table { title: "when they were red", heads: vec!["check", "first", "last"], rows }
}

fn groups(trend: &Trend) -> Table {
    let rows = trend.groups.iter().map(|group| {
        let names = vec![group.kubernetes.clone(), group.server.clone(), group.runs.to_string()];
        [names, rate(&group.red_runs)].concat()
    });
    let heads = vec!["Kubernetes", "server", "runs", "rate of red runs", "95 %"];
    Table { title: "by Kubernetes and server", heads, rows: rows.collect() }
}

/// The checks that were not always green, for each group: where a check was red hints at why.
fn flaky_by_group(trend: &Trend) -> Table {
    let doubtful = |check: &&CheckTrend| check.counts.fail + check.counts.inconclusive > 0;
    let rows = trend.checks.iter().filter(doubtful).flat_map(|check| {
        trend.groups.iter().filter_map(|group| {
            let here = group.checks.iter().find(|it| it.id == check.id)?;
            let names = vec![check.id.clone(), group.kubernetes.clone(), group.server.clone()];
            let counts = [here.runs, here.counts.fail, here.counts.inconclusive].map(|count| count.to_string());
            Some([names, counts.to_vec(), rate(&here.red)].concat())
        })
    });
    let heads = vec!["check", "Kubernetes", "server", "runs", "red", "undecided", "rate of reds", "95 %"];
    Table { title: "where they were not green", heads, rows: rows.collect() }
}

fn figures(trend: &Trend) -> Table {
    let row = |figure: &Figure| {
        let spread = &figure.spread;
        let seconds = [spread.median, spread.worst, spread.last].map(|seconds| format!("{seconds:.3} s"));
        let name = vec![format!("{}: {}", figure.what, figure.of), spread.runs.to_string()];
        [name, seconds.to_vec(), vec![spread.worst_run.clone()]].concat()
    };
    let heads = vec!["figure", "runs", "median", "worst", "last", "worst in"];
    Table { title: "figures", heads, rows: trend.figures.iter().map(row).collect() }
}

fn times(trend: &Trend) -> Table {
    let row = |check: &CheckTrend| {
        let spread = check.seconds.as_ref()?;
        let seconds = [spread.median, spread.worst, spread.last].map(|seconds| format!("{seconds:.1} s"));
        Some([vec![check.id.clone()], seconds.to_vec(), vec![spread.worst_run.clone()]].concat())
    };
    let rows = trend.checks.iter().filter_map(row).collect();
    Table {
        title: "time of the scenarios of a check",
        heads: vec!["check", "median", "worst", "last", "worst in"],
        rows,
    }
}

fn text(about: &[String], tables: &[Table]) -> String {
    let mut text = about.join("\n") + "\n";
    for table in tables {
        let _ = writeln!(text, "\n{}", table.title);
        let heads: Vec<String> = table.heads.iter().map(|head| (*head).to_owned()).collect();
        let rows = || std::iter::once(&heads).chain(&table.rows);
        let width = |column: usize| rows().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..heads.len()).map(width).collect();
        for row in rows() {
            let cells = row.iter().zip(&widths).zip(numeric(table)).map(|((cell, width), numeric)| {
                if numeric { format!("  {cell:>width$}") } else { format!("  {cell:<width$}") }
            });
            let _ = writeln!(text, "{}", cells.collect::<String>().trim_end());
        }
    }
    text
}

/// Whether each column holds figures, which are right-aligned.
fn numeric(table: &Table) -> impl Iterator<Item = bool> {
    // `last` is a figure, except beside `first`, where it names a run.
    let names_runs = table.heads.contains(&"first");
    table.heads.iter().map(move |head| match *head {
        "check" | "figure" | "Kubernetes" | "server" | "first" | "worst in" => false,
        "last" => !names_runs,
        _ => true,
    })
}

fn markdown(about: &[String], tables: &[Table]) -> String {
    let mut text = "### steadfast: trend\n\n".to_owned();
    text.extend(about.iter().map(|line| format!("- {}\n", cell(line))));
    for table in tables {
        let aligned: String = numeric(table).map(|numeric| if numeric { " ---: |" } else { " --- |" }).collect();
        let _ = writeln!(text, "\n#### {}\n\n| {} |\n|{aligned}", table.title, table.heads.join(" | "));
        for row in &table.rows {
            let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    text + "\n"
}

/// Text without special meaning in Markdown.
fn cell(text: &str) -> String {
    crate::report::plain_markdown(text)
}
