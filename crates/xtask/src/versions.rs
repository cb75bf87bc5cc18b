//! The versions in the lab: `ci/versions`, which the shell of the lab sources, and the image of the seed.
//!
//! The file is a shell script, but only assignments of plain text are read: `NAME=value`, or rows of words in quotes.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The file with the versions.
const VERSIONS: &str = "ci/versions";

/// The manifest with the image of the seed's server.
const SEED: &str = "manifests/seed/statefulset.yaml";

/// Why the versions cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VersionsError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A line is not an assignment.
    #[error("{VERSIONS}, line {line}: expected NAME=value, NAME=\" or a comment, found `{text}`")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// The text of the line.
        text: String,
    },
    /// A name is assigned twice.
    #[error("{VERSIONS}, line {line}: {name} is assigned a second time")]
    Twice {
        /// The number of the line, from 1.
        line: usize,
        /// The name.
        name: String,
    },
    /// Rows have no end.
    #[error("{VERSIONS}, line {line}: the rows of {name} have no end: a line with only a `\"` is missing")]
    Open {
        /// The number of the line on which the rows begin, from 1.
        line: usize,
        /// The name.
        name: String,
    },
    /// A name is missing.
    #[error("{VERSIONS} does not assign {0}")]
    Missing(&'static str),
    /// A Kubernetes version does not have three numbers.
    #[error("{VERSIONS}: `{0}` in BUILDABLE_KUBERNETES is not a version such as 1.37.2")]
    Version(String),
    /// The default version cannot be built.
    #[error("{VERSIONS}: DEFAULT_KUBERNETES is {0}, which has no row in BUILDABLE_KUBERNETES")]
    Default(String),
    /// The seed names no image.
    #[error("{SEED} names no image")]
    Seed,
}

/// The versions that the stages need.
#[derive(Debug, Clone)]
pub(crate) struct Versions {
    /// The Kubernetes version of a run that names none.
    pub default_kubernetes: String,
    /// All Kubernetes versions, the newest first.
    pub kubernetes: Vec<String>,
    /// The images of all servers.
    pub servers: Vec<String>,
    /// The image of the seed's server.
    pub seed_server: String,
    /// The version of cargo-deny.
    pub cargo_deny: String,
    /// The version of cargo-fuzz.
    pub cargo_fuzz: String,
    /// The version of cargo-mutants.
    pub cargo_mutants: String,
}

impl Versions {
    /// Reads the versions from the repository.
    ///
    /// # Errors
    /// When a file cannot be read or has unknown syntax.
    pub(crate) fn read(root: &Path) -> Result<Self, VersionsError> {
        let text = |name: &str| {
            let path = root.join(name);
            std::fs::read_to_string(&path).map_err(|source| VersionsError::Unreadable { path, source })
        };
        Self::parse(&text(VERSIONS)?, &text(SEED)?)
    }

    /// Parses the texts of `ci/versions` and of the seed's manifest.
    fn parse(versions: &str, seed: &str) -> Result<Self, VersionsError> {
        let assigned = assignments(versions)?;
        let value = |name| assigned.get(name).cloned().ok_or(VersionsError::Missing(name));
        // Only the shell that builds the lab needs the rest of a row.
        let first_words = |name| {
            let rows = value(name)?;
            Ok(rows.lines().filter_map(|row| row.split_whitespace().next()).map(str::to_owned).collect::<Vec<_>>())
        };
        let mut kubernetes = Vec::new();
        for version in first_words("BUILDABLE_KUBERNETES")? {
            let numbers = numbers(&version).ok_or_else(|| VersionsError::Version(version.clone()))?;
            kubernetes.push((Reverse(numbers), version));
        }
        kubernetes.sort();
        let kubernetes: Vec<String> = kubernetes.into_iter().map(|(_, version)| version).collect();
        let default_kubernetes = value("DEFAULT_KUBERNETES")?;
        if !kubernetes.contains(&default_kubernetes) {
            return Err(VersionsError::Default(default_kubernetes));
        }
        let image = seed.lines().find_map(|line| line.trim_start().strip_prefix("image:"));
        Ok(Self {
            default_kubernetes,
            kubernetes,
            servers: first_words("SERVERS")?,
            seed_server: image.map(str::trim).filter(|image| !image.is_empty()).ok_or(VersionsError::Seed)?.to_owned(),
            cargo_deny: value("CARGO_DENY")?,
            cargo_fuzz: value("CARGO_FUZZ")?,
            cargo_mutants: value("CARGO_MUTANTS")?,
        })
    }
}

/// The value of each name. Rows become lines of text.
fn assignments(text: &str) -> Result<HashMap<&str, String>, VersionsError> {
    let mut assigned = HashMap::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((line, text)) = lines.next() {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let Some((name, value)) = text.split_once('=').filter(|(name, value)| is_name(name) && is_value(value)) else {
            return Err(VersionsError::Line { line, text: text.to_owned() });
        };
        let mut value = value.to_owned();
        if value == "\"" {
            value.clear();
            loop {
                match lines.next() {
                    Some((_, "\"")) => break,
                    Some((_, row)) if is_row(row) => value += &format!("{row}\n"),
                    Some((line, row)) => return Err(VersionsError::Line { line, text: row.to_owned() }),
                    None => return Err(VersionsError::Open { line, name: name.to_owned() }),
                }
            }
        }
        if assigned.insert(name, value).is_some() {
            return Err(VersionsError::Twice { line, name: name.to_owned() });
        }
    }
    Ok(assigned)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|char| char.is_ascii_uppercase() || char == '_')
}

/// Whether a text needs no quotes in the shell, or begins rows.
fn is_value(text: &str) -> bool {
    text == "\"" || (!text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || ".:-_".contains(char)))
}

fn is_row(text: &str) -> bool {
    text.chars().all(|char| char.is_ascii_alphanumeric() || " .:-_=,".contains(char))
}

/// The three numbers of a version.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let numbers: Option<Vec<u32>> = version.split('.').map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
pub(crate) mod tests;
