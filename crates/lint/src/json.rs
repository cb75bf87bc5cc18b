//! Findings for programs.

use serde::Serialize;

use super::source::Position;
use super::{Finding, Level, Linted, Spot, Summary};

/// The version of the format.
const SCHEMA: u32 = 1;

/// The findings in manifests.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Output<'a> {
    /// The version of this format.
    #[cfg_attr(feature = "schema", schemars(extend("const" = SCHEMA)))]
    schema: u32,
    /// What was found, by file and line.
    findings: Vec<Entry<'a>>,
    summary: Summary,
    /// Findings that somebody accepted.
    accepted: Vec<Accepted<'a>>,
    /// Files without objects.
    passed_over: &'a [String],
}

/// A finding that somebody has agreed to.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Accepted<'a> {
    #[serde(flatten)]
    finding: Entry<'a>,
    /// Why it was agreed to.
    reason: &'a str,
}

/// A finding.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Entry<'a> {
    /// The rule's id.
    rule: &'static str,
    level: Level,
    /// The file, as it was named.
    file: &'a str,
    /// The line, counted from 1.
    line: usize,
    /// The column, counted from 1.
    column: usize,
    /// The object, as kind and name.
    object: &'a str,
    /// What is wrong.
    message: &'a str,
    /// Why it matters.
    why: &'static str,
    /// How to mend it.
    fix: &'static str,
    /// Where it is written.
    source: &'static str,
}

/// The findings as JSON.
pub(super) fn render(linted: &Linted) -> String {
    let findings = linted.findings.iter().map(|finding| entry(linted, finding)).collect();
    let accepted = linted.accepted.iter().map(|(it, reason)| Accepted { finding: entry(linted, it), reason }).collect();
    let output =
        Output { schema: SCHEMA, findings, summary: linted.summary(), accepted, passed_over: &linted.passed_over };
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
