//! Manifests from a kustomization, a folder of YAML files or a single file, as untyped objects: every field that a user
//! wrote reaches the API server.

mod affinity;
mod mount;
mod render;
pub mod server;
mod shell;
mod sources;
mod yaml;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::object;
pub use affinity::{is_kept_apart, why_apart};
pub use mount::{is_below, secret_text};
pub(crate) use render::kustomize;
pub use server::{MYSQL_PORT, is_root_password, option, port, servers, target};
pub use shell::{Command, Then, base_name, commands, script};
pub use sources::Sources;
pub(crate) use sources::{Text, kustomization, kustomization_file, read, texts};
pub(crate) use yaml::{Dialect, Placed, objects, step};

/// The default manifests are part of the program, so that it runs without a checkout.
const BUILT_IN: [(&str, &str); 7] = [
    ("seed/kustomization.yaml", include_str!("../../../manifests/seed/kustomization.yaml")),
    ("seed/service.yaml", include_str!("../../../manifests/seed/service.yaml")),
    ("seed/statefulset.yaml", include_str!("../../../manifests/seed/statefulset.yaml")),
    ("overlay/kustomization.yaml", include_str!("../../../manifests/overlay/kustomization.yaml")),
    ("overlay/secret.yaml", include_str!("../../../manifests/overlay/secret.yaml")),
    ("overlay/storage-class.yaml", include_str!("../../../manifests/overlay/storage-class.yaml")),
    ("overlay/server.yaml", include_str!("../../../manifests/overlay/server.yaml")),
];

/// The names of kustomization files.
pub const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// One object of the manifests.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its source, for messages.
    pub origin: String,
    /// The object.
    pub object: Value,
}

impl Manifest {
    fn of(origin: &str, object: Placed) -> Self {
        Self { origin: origin.to_owned(), object: object.value }
    }

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

    /// Whether it is a Namespace, which a run creates itself.
    pub fn is_namespace(&self) -> bool {
        self.kind() == "Namespace" && self.text("/apiVersion") == "v1"
    }
}

/// Why manifests cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The path cannot be read.
    #[error("cannot read the manifests {path}: {source}; give a kustomization, a folder of YAML files, or one file")]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The folder has no YAML files.
    #[error("{path} holds no .yaml, .yml or .json file and no kustomization; give the folder that holds the manifests")]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// Standard input, although the manifests are needed twice.
    #[error(
        "manifests from standard input can be read only once, and an upgrade reads them again afterwards; keep them in a file"
    )]
    Piped,
    /// A URL.
    #[error("{url} is an address, and manifests are read from files: curl -fsSL {url} | steadfast lint -")]
    Url {
        /// The URL.
        url: String,
    },
    /// The text is not UTF-8.
    #[error("{origin} is {what}; give it as text: {mend}")]
    Encoded {
        /// The file.
        origin: String,
        /// The encoding found.
        what: &'static str,
        /// The command that converts it to text.
        mend: String,
    },
    /// A chart that could not be rendered.
    #[error(
        "{chart} is a Helm chart, and `helm {command}` could not render it: {reason}; where helm is: \
         helm {command} | steadfast lint -"
    )]
    Chart {
        /// The chart's folder.
        chart: PathBuf,
        /// The arguments that render it.
        command: String,
        /// The reason.
        reason: String,
    },
    /// An unrendered template of a chart.
    #[error(
        "{origin} is a template of a Helm chart and holds `{found}`; render it: helm template CHART | steadfast lint -"
    )]
    Unrendered {
        /// The file.
        origin: String,
        /// The placeholder.
        found: String,
    },
    /// An OpenShift template.
    #[error(
        "{origin} holds a Template of OpenShift; fill it in: oc process --local -f {origin} -o yaml | steadfast lint -"
    )]
    OpenShiftTemplate {
        /// The file.
        origin: String,
    },
    /// A file is not YAML.
    #[error("{origin} is not valid YAML:\n{reason}")]
    Syntax {
        /// The file.
        origin: String,
        /// Line, column and reason.
        reason: String,
    },
    /// Two objects in one document.
    #[error(
        "{origin}, line {line}: `{key}` stands a second time in one object; begin the next object with a line `---`"
    )]
    Joined {
        /// The file.
        origin: String,
        /// The line of the repeated key.
        line: usize,
        /// The key.
        key: &'static str,
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
    /// kustomize failed.
    #[error("`{program} kustomize {path}` failed: {reason}")]
    Kustomize {
        /// The kubectl that was called.
        program: String,
        /// The kustomization.
        path: PathBuf,
        /// Its error message.
        reason: String,
    },
}

/// Manifests, and the files among them that have none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loaded {
    /// The objects.
    pub manifests: Vec<Manifest>,
    /// Files without objects, such as a chart's values.
    pub passed_over: Vec<String>,
}

/// Reads manifests. Without a path it reads the built-in ones: the seed with its overlay.
///
/// # Errors
/// If there is nothing to read, or if it is not a list of Kubernetes objects.
pub async fn load(sources: &Sources, kubectl: &str) -> Result<Loaded, ManifestError> {
    let mut loaded = Loaded::default();
    if sources.paths.is_empty() {
        loaded.manifests = built_in(kubectl).await?;
    }
    for path in &sources.paths {
        if let Some(folder) = kustomization(path) {
            let text = kustomize(kubectl, folder).await?;
            loaded.manifests.extend(parse(&format!("the kustomization {}", folder.display()), &text)?);
            continue;
        }
        let (texts, others) = texts(path, &sources.values).await?;
        loaded.passed_over.extend(others.iter().map(|path| path.display().to_string()));
        for text in texts {
            match manifests_of(&text)? {
                Some(manifests) => loaded.manifests.extend(manifests),
                None => loaded.passed_over.push(text.name),
            }
        }
    }
    Ok(loaded)
}

async fn built_in(kubectl: &str) -> Result<Vec<Manifest>, ManifestError> {
    let folder = tempfile::tempdir().map_err(|source| unreadable(Path::new("built in"), source))?;
    for (name, text) in BUILT_IN {
        let file = folder.path().join(name);
        let parent = file.parent().unwrap_or(folder.path());
        let written = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&file, text));
        written.map_err(|source| unreadable(&file, source))?;
    }
    let text = kustomize(kubectl, &folder.path().join("overlay")).await?;
    parse("the built-in overlay", &text)
}

fn unreadable(path: &Path, source: std::io::Error) -> ManifestError {
    ManifestError::Unreadable { path: path.to_owned(), source }
}

/// Parses a stream of YAML documents or JSON values as kubectl does: `on` is true, `0755` is octal, the last of
/// repeated keys counts, and a List stands for its items.
///
/// # Errors
/// If the text is not YAML or a document is not a Kubernetes object.
pub fn parse(origin: &str, text: &str) -> Result<Vec<Manifest>, ManifestError> {
    Ok(manifests_of(&Text::alone(origin, text))?.unwrap_or_default())
}

/// The objects of a text, all of which must have a name to be applied.
fn manifests_of(text: &Text) -> Result<Option<Vec<Manifest>>, ManifestError> {
    let Some(objects) = objects_of(text, Dialect::Kubectl)? else { return Ok(None) };
    let nameless = |it: &&Placed| object::text(&it.value, "/metadata/name").is_none();
    if let Some(object) = objects.iter().find(nameless) {
        let (origin, number) = (text.name.clone(), object.document);
        return Err(ManifestError::NotAnObject { origin, number, field: "metadata.name" });
    }
    Ok(Some(objects.into_iter().map(|object| Manifest::of(&text.name, object)).collect()))
}

/// The objects of a text; `None` if it is a file of a folder and has something else.
pub fn objects_of(text: &Text, dialect: Dialect) -> Result<Option<Vec<Placed>>, ManifestError> {
    let origin = &text.name;
    let unrendered = |found: &str| ManifestError::Unrendered { origin: origin.clone(), found: found.to_owned() };
    let objects = match objects(origin, &text.text, dialect) {
        Err(_) if text.of_folder && !speaks_of_objects(&text.text) => return Ok(None),
        Err(error) => return Err(placeholder(&text.text).map_or(error, unrendered)),
        Ok(objects) => objects,
    };
    let has = |object: &Placed, field: &str| object.value.get(field).is_some_and(Value::is_string);
    if text.of_folder && !objects.iter().any(|object| has(object, "apiVersion") || has(object, "kind")) {
        return Ok(None);
    }
    for object in &objects {
        for key in ["apiVersion", "kind"] {
            if let Some((_, place)) = object.repeated.iter().find(|(pointer, _)| pointer[1..] == *key) {
                let line = text.text[..place.start].matches('\n').count() + 1;
                return Err(ManifestError::Joined { origin: origin.clone(), line, key });
            }
        }
        must_be_object(origin, object)?;
        let fields =
            ["/metadata/name", "/metadata/namespace", "/spec/serviceName", "/spec/template/spec/containers/0/image"];
        if let Some(found) = fields.into_iter().find_map(|field| placeholder(object::text(&object.value, field)?)) {
            return Err(unrendered(found));
        }
        let api = object::text(&object.value, "/apiVersion").unwrap_or_default();
        if object::text(&object.value, "/kind") == Some("Template") && api.starts_with("template.openshift.io/") {
            return Err(ManifestError::OpenShiftTemplate { origin: origin.clone() });
        }
    }
    Ok(Some(objects))
}

/// Whether a text that is not valid YAML was meant to have objects.
fn speaks_of_objects(text: &str) -> bool {
    text.contains("apiVersion")
}

/// The first placeholder in a chart's template.
fn placeholder(text: &str) -> Option<&str> {
    let begin = text.find("{{")?;
    let end = begin + text[begin..].find("}}")? + 2;
    Some(&text[begin..end]).filter(|found| !found.contains('\n'))
}

/// Refuses a document that lacks a mandatory field of Kubernetes objects.
fn must_be_object(origin: &str, object: &Placed) -> Result<(), ManifestError> {
    let is_there = |pointer| object::text(&object.value, pointer).is_some();
    let missing = [("apiVersion", "/apiVersion"), ("kind", "/kind"), ("metadata.name", "/metadata/name")]
        .into_iter()
        .find(|(field, pointer)| {
            let generated = *field == "metadata.name" && is_there("/metadata/generateName");
            !is_there(pointer) && !generated
        });
    match missing {
        Some((field, _)) => {
            Err(ManifestError::NotAnObject { origin: origin.to_owned(), number: object.document, field })
        }
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
        assert_eq!(manifests[0].object["data"]["x"], true);
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
