//! Findings for programs.

use serde::Serialize;

use super::source::Position;
use super::{Finding, Level, Linted, Spot, Summary};

#[derive(Serialize)]
struct Output<'a> {
    schema: u32,
    findings: Vec<Entry<'a>>,
    summary: Summary,
}

#[derive(Serialize)]
struct Entry<'a> {
    rule: &'static str,
    level: Level,
    file: &'a str,
    line: usize,
    column: usize,
    object: &'a str,
    message: &'a str,
    why: &'static str,
    fix: &'static str,
    source: &'static str,
}

/// The findings as JSON.
pub(super) fn render(linted: &Linted) -> String {
    let findings = linted.findings.iter().map(|finding| entry(linted, finding)).collect();
    let output = Output { schema: 1, findings, summary: linted.summary() };
    // Strings and numbers only: nothing in it can fail.
    serde_json::to_string_pretty(&output).unwrap_or_default() + "\n"
}

fn entry<'a>(linted: &'a Linted, finding: &'a Finding) -> Entry<'a> {
    let rule = finding.rule;
    let Spot { file, start: Position { line, column }, .. } = linted.spot(finding);
    Entry {
        rule: rule.id,
        level: rule.level,
        file,
        line,
        column,
        object: &finding.object,
        message: &finding.message,
        why: rule.why,
        fix: rule.fix,
        source: rule.source,
    }
}
