//! Findings for code hosts: SARIF 2.1.0 with everything that GitHub's code scanning requires
//! (<https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support-for-code-scanning>).

use serde_json::{Value, json};

use super::{Finding, Linted, RULES, Rule, Spot};
use crate::text::in_line;

/// The findings as SARIF.
pub(super) fn render(linted: &Linted) -> String {
    let open = linted.findings.iter().map(|finding| result(linted, finding));
    let accepted = linted.accepted.iter().map(|(finding, reason)| {
        let mut result = result(linted, finding);
        result["suppressions"] = json!([{ "kind": "inSource", "justification": reason }]);
        result
    });
    let results: Vec<Value> = open.chain(accepted).collect();
    let driver = json!({
        "name": "steadfast",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": RULES.iter().map(described).collect::<Vec<_>>(),
    });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results }],
    });
    format!("{log:#}\n")
}

fn described(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.summary },
        "fullDescription": { "text": rule.why },
        "help": { "text": format!("{}\n\nFix: {}\n\nSee {}", rule.why, rule.fix, rule.source) },
        "helpUri": rule.source,
        "defaultConfiguration": { "level": rule.level },
    })
}

fn result(linted: &Linted, finding: &Finding) -> Value {
    let Spot { file, start, end } = linted.spot(finding);
    let region = json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    });
    json!({
        "ruleId": finding.rule.id,
        "ruleIndex": RULES.iter().position(|rule| rule.id == finding.rule.id),
        "level": finding.level,
        "message": { "text": message(&format!("{}. Fix: {}.", finding.message, finding.rule.fix)) },
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(file) }, "region": region } }],
    })
}

/// A message for SARIF readers: on one line, and without links, because names may look like one
/// (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html#_Toc34317464>).
fn message(text: &str) -> String {
    in_line(text).replace("](", "] (")
}

/// A path as a URI reference; a relative path stays relative.
fn uri(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let encoded: String = path
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    if path.starts_with('/') { format!("file://{encoded}") } else { encoded }
}
