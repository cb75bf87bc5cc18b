//! Findings that somebody accepted, with the reason in a comment beside the line.

use super::source::Source;
use super::{Finding, LintError, RULES};

/// How an acceptance begins in a comment.
const MARK: &str = "steadfast: accept ";

/// An acceptance in a manifest: `# steadfast: accept RULE: reason`, on the line of a finding or on the line before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreement {
    source: usize,
    /// The line, counted from 1.
    line: usize,
    rule: String,
    reason: String,
}

/// Collects the acceptances in these texts.
///
/// # Errors
/// If one names no rule or gives no reason.
pub(super) fn agreements(sources: &[Source]) -> Result<Vec<Agreement>, LintError> {
    let mut found = Vec::new();
    for (source, text) in sources.iter().enumerate() {
        for (number, line) in text.text.lines().enumerate() {
            let Some((_, said)) = line.split_once('#').and_then(|(_, comment)| comment.split_once(MARK)) else {
                continue;
            };
            let (rule, reason) = said.split_once(':').unwrap_or((said, ""));
            let (rule, reason, line) = (rule.trim().to_owned(), reason.trim().to_owned(), number + 1);
            if is_no_rule(&rule) {
                return Err(LintError::UnknownRule { rule, place: format!("{}, line {line}: ", text.name) });
            }
            if reason.is_empty() {
                return Err(LintError::NoReason { file: text.name.clone(), line, rule });
            }
            found.push(Agreement { source, line, rule, reason });
        }
    }
    Ok(found)
}

fn is_no_rule(id: &str) -> bool {
    RULES.iter().all(|rule| rule.id != id)
}

/// Refuses ids that are not ids of rules.
///
/// # Errors
/// If there is such an id.
pub(super) fn must_be_rules(ids: &[String]) -> Result<(), LintError> {
    match ids.iter().find(|id| is_no_rule(id)) {
        Some(rule) => Err(LintError::UnknownRule { rule: rule.clone(), place: "--accept: ".to_owned() }),
        None => Ok(()),
    }
}

impl Finding {
    /// The reason of an acceptance that covers this finding, if there is one.
    pub(super) fn agreed<'a>(&self, sources: &[Source], agreements: &'a [Agreement]) -> Option<&'a str> {
        let line = sources[self.source].position(self.range.start).line;
        let covers = |it: &&Agreement| {
            (it.source, it.rule.as_str()) == (self.source, self.rule.id) && (it.line == line || it.line + 1 == line)
        };
        agreements.iter().find(covers).map(|it| it.reason.as_str())
    }
}
