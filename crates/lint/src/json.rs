//! Findings for programs.

use serde::Serialize;

use super::source::Position;
use super::{Finding, Level, Linted, Spot, Summary};

#[derive(Serialize)]
struct Output<'a> {
    schema: u32,
    findings: Vec<Entry<'a>>,
    summary: Summary,
    /// Findings that somebody accepted.
    accepted: Vec<Accepted<'a>>,
    /// Files without objects.
    passed_over: &'a [String],
}

#[derive(Serialize)]
struct Accepted<'a> {
    #[serde(flatten)]
    finding: Entry<'a>,
    reason: &'a str,
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
    let accepted = linted.accepted.iter().map(|(it, reason)| Accepted { finding: entry(linted, it), reason }).collect();
    let output = Output { schema: 1, findings, summary: linted.summary(), accepted, passed_over: &linted.passed_over };
    // The output has only strings and numbers, so serializing cannot fail.
    serde_json::to_string_pretty(&output).unwrap_or_default() + "\n"
}

fn entry<'a>(linted: &'a Linted, finding: &'a Finding) -> Entry<'a> {
    let rule = finding.rule;
    let Spot { file, start: Position { line, column }, .. } = linted.spot(finding);
    Entry {
        rule: rule.id,
        level: finding.level,
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
