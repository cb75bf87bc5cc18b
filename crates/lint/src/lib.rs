//! Judges manifests without a cluster: what they lack to run, to keep their rows and to replicate, and which line to
//! fix.
//!
//! Only [`lint`] does I/O: it reads. Everything else is a pure function of what was read.

mod accept;
mod for_people;
mod json;
mod kustomization;
pub mod manifest;
mod object_places;
mod origin;
mod read;
mod rules;
mod sarif;
mod set;
mod source;
#[cfg(test)]
mod tests;

use std::ops::Range;

use serde::Serialize;

use manifest::{ManifestError, Sources};
use object_places::Place;
use read::Input;
use set::{Hit, Set};
use source::{Position, Source};
use steadfast_model::{Choice, image, object, text};

pub use json::Output;
pub use rules::{Level, RULES, Rule};

/// The output format of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people: each finding with its line and a caret.
    Text,
    /// For programs: `{"schema":1,"findings":[…],"summary":{…}}`.
    Json,
    /// For code hosts: SARIF 2.1.0, as code scanning accepts it.
    Sarif,
}

impl Choice for Format {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Text, "text", "For people: each finding with its line and a caret"),
        (Self::Json, "json", r#"For programs: `{"schema":1,"findings":[…],"summary":{…}}`"#),
        (Self::Sarif, "sarif", "For code hosts: SARIF 2.1.0, as code scanning accepts it"),
    ];
}

/// A finding of a rule.
#[derive(Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// The severity.
    pub level: Level,
    /// Kind and name of the object.
    pub object: String,
    /// What is wrong.
    pub message: String,
    label: String,
    source: usize,
    range: Range<usize>,
}

/// The result for some manifests.
#[derive(Debug)]
pub struct Linted {
    /// The findings, by file and line.
    pub findings: Vec<Finding>,
    /// Findings that somebody accepted, each with the reason.
    pub accepted: Vec<(Finding, String)>,
    objects: usize,
    sources: Vec<Source>,
    passed_over: Vec<String>,
}

/// The number of findings of each level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Summary {
    /// Whether there is a finding of this level or a worse one.
    pub fn has(&self, level: Level) -> bool {
        let of = [(Level::Error, self.errors), (Level::Warning, self.warnings), (Level::Note, self.notes)];
        of.iter().any(|(one, count)| *one <= level && *count > 0)
    }
}

/// Why manifests cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// They cannot be read.
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    /// An acceptance names no rule.
    #[error("{place}there is no rule `{rule}`; there is {known}", known = known_rules())]
    UnknownRule {
        /// The name.
        rule: String,
        /// The place of the acceptance.
        place: String,
    },
    /// An acceptance gives no reason.
    #[error("{file}, line {line}: say why {rule} is accepted: `# steadfast: accept {rule}: REASON`")]
    NoReason {
        /// The file.
        file: String,
        /// The line.
        line: usize,
        /// The rule.
        rule: String,
    },
    /// There is no StatefulSet: reporting success would hide a wrong path.
    #[error("{path} has no StatefulSet ({objects}); give the manifests of one")]
    NoStatefulSet {
        /// The path.
        path: String,
        /// What it holds.
        objects: String,
    },
}

/// Judges kustomizations, folders, files, charts, or standard input. `kubectl` is called only for a kustomization that
/// does more than list resources. Findings of the rules in `accept`, and those that a comment accepts, are kept
/// separate.
///
/// # Errors
/// If the manifests cannot be read, or if they have no StatefulSet.
pub async fn lint(sources: &Sources, accept: &[String], kubectl: &str) -> Result<Linted, LintError> {
    accept::must_be_rules(accept)?;
    let input = read::read(sources, kubectl).await?;
    if Set::of(&input.objects).next().is_none() {
        let objects: Vec<String> =
            input.objects.iter().map(|object| format!("{} {}", object.kind(), object.name())).collect();
        let objects =
            if objects.is_empty() { "it is empty".to_owned() } else { format!("only {}", objects.join(", ")) };
        let paths: Vec<String> = sources.paths.iter().map(|path| path.display().to_string()).collect();
        return Err(LintError::NoStatefulSet { path: paths.join(", "), objects });
    }
    let agreements = accept::agreements(&input.sources)?;
    let mut linted = judge(input);
    for finding in std::mem::take(&mut linted.findings) {
        let named = accept.iter().any(|rule| rule == finding.rule.id).then_some("--accept");
        match finding.agreed(&linted.sources, &agreements).or(named).map(str::to_owned) {
            Some(reason) => linted.accepted.push((finding, reason)),
            None => linted.findings.push(finding),
        }
    }
    Ok(linted)
}

fn known_rules() -> String {
    RULES.iter().map(|rule| rule.id).collect::<Vec<_>>().join(", ")
}

impl Finding {
    fn says_the_same_as(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.rule.id, it.source, it.range.start);
        key(self) == key(other) && self.message == other.message
    }
}

/// Applies the rules.
fn judge(input: Input) -> Linted {
    let mut findings: Vec<Finding> = Vec::new();
    // Other applications next to a server are not judged. Without any known server, every set may be one.
    let (servers, others): (Vec<Set<'_>>, Vec<Set<'_>>) =
        Set::of(&input.objects).partition(|set| !set.servers().is_empty());
    for set in if servers.is_empty() { others } else { servers } {
        for rule in RULES {
            for hit in (rule.find)(&set) {
                let Some(place) = hit.object.place(&hit.pointer) else { continue };
                let (source, range) = (place.source, spoken_of(&input.sources[place.source].text, place, &hit));
                let object = format!("{} {}", hit.object.kind(), hit.object.name());
                let label = if place.exact { hit.label } else { format!("in this object, as patched: {}", hit.label) };
                let level = hit.level.unwrap_or(rule.level);
                let finding = Finding { rule, level, object, message: hit.message, label, source, range };
                // Sets that share a Service share its faults, which are reported once.
                if !findings.iter().any(|known| known.says_the_same_as(&finding)) {
                    findings.push(finding);
                }
            }
        }
    }
    findings.sort_by_key(|finding| (finding.source, finding.range.start, finding.level));
    Linted {
        findings,
        accepted: Vec::new(),
        objects: input.objects.len(),
        sources: input.sources,
        passed_over: input.passed_over,
    }
}

/// The bytes to point at: in a text of several lines, the words that the hit is about.
fn spoken_of(text: &str, place: &Place, hit: &Hit<'_>) -> Range<usize> {
    let whole = hit.object.value.pointer(&hit.pointer).and_then(serde_json::Value::as_str).unwrap_or_default();
    let found = hit.words.as_deref().filter(|words| place.exact && whole.contains(words)).and_then(|words| {
        let at = place.range.start + text.get(place.range.start..)?.find(words)?;
        let line = words.lines().next().unwrap_or_default();
        Some(at..at + line.len())
    });
    found.unwrap_or_else(|| place.range.clone())
}

impl Linted {
    /// The number of findings of each level.
    pub fn summary(&self) -> Summary {
        let count = |level| self.findings.iter().filter(|finding| finding.level == level).count();
        Summary { errors: count(Level::Error), warnings: count(Level::Warning), notes: count(Level::Note) }
    }

    /// Renders the findings as a text; for people in lines of at most `width` characters.
    pub fn render(&self, format: Format, width: usize) -> String {
        match format {
            Format::Text => for_people::render(self, width),
            Format::Json => json::render(self),
            Format::Sarif => sarif::render(self),
        }
    }

    fn source(&self, finding: &Finding) -> &Source {
        &self.sources[finding.source]
    }

    /// The place of a finding for programs. A rendered line is in no file: the first line of the kustomization stands
    /// for it.
    fn spot(&self, finding: &Finding) -> Spot<'_> {
        let source = self.source(finding);
        match &source.stands_for {
            Some(file) => Spot { file, start: Position::FIRST, end: Position::FIRST },
            None => {
                let Range { start, end } = finding.range;
                Spot { file: &source.name, start: source.position(start), end: source.position(end) }
            }
        }
    }
}

/// A part of a file.
struct Spot<'a> {
    file: &'a str,
    start: Position,
    end: Position,
}
