//! Judges manifests without a cluster: what they lack to run, to keep their rows and to replicate, and the line to mend.
//!
//! Reading is apart from judging: [`lint`] reads, and all else is a function of what was read.

mod json;
mod kustomization;
mod origin;
mod read;
mod rules;
mod sarif;
mod set;
mod source;
#[cfg(test)]
mod tests;
mod text;

use std::io::{self, Write as _};
use std::ops::Range;
use std::path::Path;

use serde::Serialize;

use crate::terminal;
use crate::workload::ManifestError;
use read::Input;
use set::Set;
use source::{Position, Source};

pub use rules::{Level, RULES, Rule};

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: each with its line and a caret.
    Text,
    /// For programs: `{"schema":1,"findings":[…],"summary":{…}}`.
    Json,
    /// For code hosts: SARIF 2.1.0, as code scanning takes it.
    Sarif,
}

/// What a rule found.
#[derive(Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// Kind and name of the object.
    pub object: String,
    /// What is wrong.
    pub message: String,
    label: String,
    source: usize,
    range: Range<usize>,
}

/// What came of the manifests.
#[derive(Debug)]
pub struct Linted {
    /// What was found, by file and line.
    pub findings: Vec<Finding>,
    objects: usize,
    sources: Vec<Source>,
}

/// How many findings there are of each level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

/// Manifests that cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// They cannot be read.
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    /// There is nothing to judge: to say that all is well would hide a wrong path.
    #[error("{path} holds no StatefulSet ({objects}); give the manifests of one")]
    NoStatefulSet {
        /// The path.
        path: String,
        /// What it holds.
        objects: String,
    },
}

/// Judges a kustomization, a folder of YAML files, one file, or `-` for standard input. `kubectl` is called only for a
/// kustomization that does more than list resources.
///
/// # Errors
/// When the manifests cannot be read, or hold no StatefulSet.
pub async fn lint(path: &Path, kubectl: &str) -> Result<Linted, LintError> {
    let input = read::read(path, kubectl).await?;
    if Set::of(&input.objects).next().is_none() {
        let objects: Vec<String> =
            input.objects.iter().map(|object| format!("{} {}", object.kind(), object.name())).collect();
        let objects =
            if objects.is_empty() { "it is empty".to_owned() } else { format!("only {}", objects.join(", ")) };
        return Err(LintError::NoStatefulSet { path: path.display().to_string(), objects });
    }
    Ok(judge(input))
}

impl Finding {
    fn says_the_same_as(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.rule.id, it.source, it.range.start);
        key(self) == key(other) && self.message == other.message
    }
}

/// What the rules find.
fn judge(input: Input) -> Linted {
    let mut findings: Vec<Finding> = Vec::new();
    for set in Set::of(&input.objects) {
        for rule in RULES {
            for hit in (rule.find)(&set) {
                let Some(place) = hit.object.place(&hit.pointer) else { continue };
                let (source, range) = (place.source, place.range.clone());
                let object = format!("{} {}", hit.object.kind(), hit.object.name());
                let label = if place.exact { hit.label } else { format!("in this object, as patched: {}", hit.label) };
                let finding = Finding { rule, object, message: hit.message, label, source, range };
                // Sets that share a Service have its faults in common.
                if !findings.iter().any(|known| known.says_the_same_as(&finding)) {
                    findings.push(finding);
                }
            }
        }
    }
    findings.sort_by_key(|finding| (finding.source, finding.range.start, finding.rule.level));
    Linted { findings, objects: input.objects.len(), sources: input.sources }
}

impl Linted {
    /// How many findings there are of each level.
    pub fn summary(&self) -> Summary {
        let count = |level| self.findings.iter().filter(|finding| finding.rule.level == level).count();
        Summary { errors: count(Level::Error), warnings: count(Level::Warning), notes: count(Level::Note) }
    }

    /// Prints the findings on standard output.
    ///
    /// # Errors
    /// When it cannot be written to. A reader that has seen enough, such as `head`, is no failure.
    pub fn print(&self, format: Format, color: clap::ColorChoice) -> io::Result<()> {
        let text = match format {
            Format::Text => text::render(self, terminal::width()),
            Format::Json => json::render(self),
            Format::Sarif => sarif::render(self),
        };
        let mut out = terminal::stdout(color);
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    fn source(&self, finding: &Finding) -> &Source {
        &self.sources[finding.source]
    }

    /// Where programs are pointed to. Rendered lines are in no file: the kustomization's first one stands for them.
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
