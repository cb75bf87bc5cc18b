//! Manifests from a kustomization, a folder of YAML or a single file, as untyped objects: what a user wrote reaches the
//! API server field for field.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::process::Command;

/// The default manifests travel inside the program, so that it needs no checkout to run.
const BUILT_IN: [(&str, &str); 7] = [
    ("seed/kustomization.yaml", include_str!("../../manifests/seed/kustomization.yaml")),
    ("seed/service.yaml", include_str!("../../manifests/seed/service.yaml")),
    ("seed/statefulset.yaml", include_str!("../../manifests/seed/statefulset.yaml")),
    ("overlay/kustomization.yaml", include_str!("../../manifests/overlay/kustomization.yaml")),
    ("overlay/secret.yaml", include_str!("../../manifests/overlay/secret.yaml")),
    ("overlay/storage-class.yaml", include_str!("../../manifests/overlay/storage-class.yaml")),
    ("overlay/server.yaml", include_str!("../../manifests/overlay/server.yaml")),
];

const KUSTOMIZE_WITHIN: Duration = Duration::from_secs(60);

/// The names that make a file a kustomization.
pub(crate) const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// One object of the manifests.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Where it was read from, for messages.
    pub origin: String,
    /// The object.
    pub object: Value,
}

impl Manifest {
    /// The string at this JSON pointer, or the empty string.
    pub fn text(&self, pointer: &str) -> &str {
        self.object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The object's kind.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }
}

/// Manifests that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The path leads nowhere.
    #[error("cannot read the manifests {path}: {source}; give a kustomization, a folder of YAML files, or one file")]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// There is no YAML in the folder.
    #[error("{path} holds no .yaml or .yml file and no kustomization; give the folder that holds the manifests")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A file is not YAML.
    #[error("{origin} is not valid YAML:\n{reason}")]
    Syntax {
        /// The file.
        origin: String,
        /// Line, column and reason.
        reason: String,
    },
    /// A document is not a Kubernetes object.
    #[error("{origin}, document {number}: {field} is missing; every object needs apiVersion, kind and metadata.name")]
    NotAnObject {
        /// The file.
        origin: String,
        /// Which document, counted from 1.
        number: usize,
        /// What is missing.
        field: &'static str,
    },
    /// kustomize refused.
    #[error("`{program} kustomize {path}` failed: {reason}")]
    Kustomize {
        /// The kubectl that was called.
        program: String,
        /// The kustomization.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
}

/// Reads the manifests at `path`, or those built in: the seed with its overlay.
///
/// # Errors
/// When there is nothing to read, or what is there is not a list of Kubernetes objects.
pub async fn load(path: Option<&Path>, kubectl: &str) -> Result<Vec<Manifest>, ManifestError> {
    let Some(path) = path else {
        let folder = tempfile::tempdir().map_err(|source| unreadable(Path::new("built in"), source))?;
        for (name, text) in BUILT_IN {
            let file = folder.path().join(name);
            let parent = file.parent().unwrap_or(folder.path());
            std::fs::create_dir_all(parent)
                .and_then(|()| std::fs::write(&file, text))
                .map_err(|e| unreadable(&file, e))?;
        }
        let text = kustomize(kubectl, &folder.path().join("overlay")).await?;
        return parse("the built-in overlay", &text);
    };
    if path.is_dir() && KUSTOMIZATIONS.iter().any(|name| path.join(name).is_file()) {
        let text = kustomize(kubectl, path).await?;
        return parse(&format!("the kustomization {}", path.display()), &text);
    }
    let mut manifests = Vec::new();
    for file in files(path)? {
        manifests.extend(parse(&file.display().to_string(), &read(&file)?)?);
    }
    Ok(manifests)
}

fn unreadable(path: &Path, source: std::io::Error) -> ManifestError {
    ManifestError::Unreadable { path: path.to_owned(), source }
}

/// The text of one file.
pub(crate) fn read(file: &Path) -> Result<String, ManifestError> {
    std::fs::read_to_string(file).map_err(|source| unreadable(file, source))
}

/// The file itself, or the folder's YAML files by name.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, ManifestError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).map_err(|source| unreadable(path, source))?;
    let is_yaml = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).filter(is_yaml).collect();
    files.sort();
    if files.is_empty() { Err(ManifestError::Empty { path: path.to_owned() }) } else { Ok(files) }
}

/// What `kubectl kustomize` makes of a folder.
pub(crate) async fn kustomize(kubectl: &str, path: &Path) -> Result<String, ManifestError> {
    let refuse = |reason| ManifestError::Kustomize { program: kubectl.to_owned(), path: path.to_owned(), reason };
    let rendered = Command::new(kubectl).arg("kustomize").arg(path).kill_on_drop(true).output();
    // A base elsewhere is fetched, and a server there may not answer.
    let output = tokio::time::timeout(KUSTOMIZE_WITHIN, rendered).await;
    let output = output.map_err(|_| refuse(format!("nothing came within {KUSTOMIZE_WITHIN:?}")))?;
    let output = output.map_err(|error| refuse(format!("{error}; ci/setup provides kubectl")))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(refuse(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// Parses a stream of YAML documents as kubectl would: `on` is a string, `0755` is octal, a repeated key is an error.
///
/// # Errors
/// When the text is not YAML or a document is not a Kubernetes object.
pub fn parse(origin: &str, text: &str) -> Result<Vec<Manifest>, ManifestError> {
    let mut manifests = Vec::new();
    for (index, object) in documents::<Value>(origin, text)?.into_iter().enumerate() {
        must_be_object(origin, index + 1, &object)?;
        manifests.push(Manifest { origin: origin.to_owned(), object });
    }
    Ok(manifests)
}

/// The documents of a YAML stream that are not empty, as values of this type.
pub(crate) fn documents<T: DeserializeOwned>(origin: &str, text: &str) -> Result<Vec<T>, ManifestError> {
    let options = serde_saphyr::options! { strict_booleans: true, legacy_octal_numbers: true };
    serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| ManifestError::Syntax { origin: origin.to_owned(), reason: error.to_string() })
}

/// Refuses a document that lacks what every Kubernetes object has.
pub(crate) fn must_be_object(origin: &str, number: usize, document: &Value) -> Result<(), ManifestError> {
    let missing = [("apiVersion", "/apiVersion"), ("kind", "/kind"), ("metadata.name", "/metadata/name")]
        .into_iter()
        .find(|(_, pointer)| document.pointer(pointer).and_then(Value::as_str).is_none());
    match missing {
        Some((field, _)) => Err(ManifestError::NotAnObject { origin: origin.to_owned(), number, field }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_their_scalars() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: on}\nmode: 0755\n---\n# nothing\n";
        let manifests = parse("a.yaml", text).expect("valid");
        assert_eq!(manifests.len(), 1);
        assert_eq!(manifests[0].text("/data/x"), "on");
        assert_eq!(manifests[0].object["mode"], 493);
    }

    #[test]
    fn a_broken_document_is_shown_with_its_line() {
        let error = parse("a.yaml", "kind: [Pod\nmetadata: 1\n").expect_err("broken");
        assert!(error.to_string().starts_with("a.yaml is not valid YAML:"), "{error}");
    }

    #[test]
    fn an_object_without_a_name_is_refused() {
        let error = parse("a.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {}\n").expect_err("nameless");
        assert_eq!(
            error.to_string(),
            "a.yaml, document 1: metadata.name is missing; every object needs apiVersion, kind and metadata.name"
        );
    }
}
