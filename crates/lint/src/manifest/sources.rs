//! Reads what people name as manifests: files, folders, standard input, charts.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{KUSTOMIZATIONS, ManifestError, render, unreadable};

/// What people name as manifests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Spelled")]
pub struct Sources {
    /// Files, folders, kustomizations, charts, or `-` for standard input; empty for the seed with its overlay.
    pub paths: Vec<PathBuf>,
    /// Files of values for rendering charts.
    pub values: Vec<PathBuf>,
}

impl Sources {
    /// This path, or the seed.
    pub fn of(path: Option<PathBuf>) -> Self {
        Self { paths: path.into_iter().collect(), values: Vec::new() }
    }

    /// The same with absolute paths.
    #[must_use]
    pub fn absolute(&self) -> Self {
        let all = |paths: &[PathBuf]| {
            let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
            paths.iter().map(absolute).collect()
        };
        Self { paths: all(&self.paths), values: all(&self.values) }
    }

    /// Refuses sources that can be read only once.
    ///
    /// # Errors
    /// If standard input is among them.
    pub fn can_be_read_again(&self) -> Result<(), ManifestError> {
        if self.paths.iter().any(|path| path == Path::new("-")) { Err(ManifestError::Piped) } else { Ok(()) }
    }
}

/// The stored form. Earlier versions had a single path.
#[derive(Deserialize)]
#[serde(untagged)]
enum Spelled {
    One(Option<PathBuf>),
    Several { paths: Vec<PathBuf>, values: Vec<PathBuf> },
}

impl From<Spelled> for Sources {
    fn from(spelled: Spelled) -> Self {
        match spelled {
            Spelled::One(path) => Self::of(path),
            Spelled::Several { paths, values } => Self { paths, values },
        }
    }
}

/// A text that may have objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its name, for people.
    pub name: String,
    /// Its content, without a byte order mark.
    pub text: String,
    /// Whether it is a file of a folder, which may also have files of other kinds.
    pub of_folder: bool,
}

impl Text {
    /// A text that was named directly.
    pub fn alone(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), of_folder: false }
    }
}

/// The kustomization file of a folder, if it has one.
pub(crate) fn kustomization_file(folder: &Path) -> Option<PathBuf> {
    KUSTOMIZATIONS.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

/// The folder of the kustomization at this path, which may also be the kustomization file.
pub(crate) fn kustomization(path: &Path) -> Option<&Path> {
    if kustomization_file(path).is_some() {
        return Some(path);
    }
    let named = path.is_file() && KUSTOMIZATIONS.iter().any(|name| path.file_name() == Some(name.as_ref()));
    let folder = path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    folder.filter(|_| named)
}

/// The chart at or around this path: the chart's folder, its `Chart.yaml`, or its templates.
fn chart(path: &Path) -> Option<&Path> {
    let is_chart = |folder: &Path| folder.join("Chart.yaml").is_file();
    let of_file = path.file_name().is_some_and(|name| name == "Chart.yaml");
    let above = || path.ancestors().skip(1).take(2).find(|folder| is_chart(folder));
    match path.is_dir() {
        true if is_chart(path) => Some(path),
        true if path.file_name().is_some_and(|name| name == "templates") => above(),
        false if of_file => path.parent(),
        false => above().filter(|folder| path.starts_with(folder.join("templates"))),
        true => None,
    }
}

/// The texts of a path that is not a kustomization, and the files that were skipped because they are neither YAML nor
/// JSON or belong to something that must be rendered.
///
/// # Errors
/// If there is nothing to read, or if it cannot be read as it is.
pub(crate) async fn texts(path: &Path, values: &[PathBuf]) -> Result<(Vec<Text>, Vec<PathBuf>), ManifestError> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|source| unreadable(path, source))?;
        let text = decoded("<stdin>", bytes)?;
        return Ok((vec![Text::alone("<stdin>", text)], Vec::new()));
    }
    if let Some(url) = path.to_str().filter(|path| path.starts_with("http://") || path.starts_with("https://")) {
        return Err(ManifestError::Url { url: url.to_owned() });
    }
    if let Some(chart) = chart(path) {
        let chart = if chart.as_os_str().is_empty() { Path::new(".") } else { chart };
        let text = render::chart(chart, values).await?;
        let name = format!("{} (rendered by helm)", chart.display());
        return Ok((vec![Text::alone(name, text)], Vec::new()));
    }
    if !path.is_dir() {
        return Ok((vec![Text::alone(path.display().to_string(), read(path)?)], Vec::new()));
    }
    let (mut files, mut others) = (Vec::new(), Vec::new());
    gather(path, &mut files, &mut others)?;
    if files.is_empty() {
        return Err(ManifestError::Empty { path: path.to_owned() });
    }
    let texts: Result<Vec<Text>, ManifestError> = files
        .iter()
        .map(|file| Ok(Text { name: file.display().to_string(), text: read(file)?, of_folder: true }))
        .collect();
    Ok((texts?, others))
}

/// Collects the YAML and JSON files of a folder by name, subfolders last. A kustomization or a chart in it is skipped.
fn gather(folder: &Path, files: &mut Vec<PathBuf>, others: &mut Vec<PathBuf>) -> Result<(), ManifestError> {
    let entries = std::fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
    let mut paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    paths.sort();
    let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    let (folders, plain): (Vec<PathBuf>, Vec<PathBuf>) =
        paths.into_iter().filter(|path| !is_hidden(path)).partition(|path| path.is_dir());
    let holds_objects = |path: &PathBuf| {
        path.extension()
            .and_then(|extension| extension.to_str())
            .is_some_and(|it| ["yaml", "yml", "json"].contains(&it))
    };
    files.extend(plain.into_iter().filter(holds_objects));
    for folder in folders {
        if kustomization(&folder).is_some() || folder.join("Chart.yaml").is_file() {
            others.push(folder);
        } else {
            gather(&folder, files, others)?;
        }
    }
    Ok(())
}

/// Reads a file as text.
///
/// # Errors
/// If it cannot be read, is compressed, or is not UTF-8.
pub(crate) fn read(file: &Path) -> Result<String, ManifestError> {
    let bytes = std::fs::read(file).map_err(|source| unreadable(file, source))?;
    decoded(&file.display().to_string(), bytes)
}

fn decoded(name: &str, bytes: Vec<u8>) -> Result<String, ManifestError> {
    let refuse = |what, command: &str| {
        let mend = command.replace("FILE", if name == "<stdin>" { "FILE" } else { name });
        Err(ManifestError::Encoded { origin: name.to_owned(), what, mend })
    };
    match bytes.as_slice() {
        [0x1f, 0x8b, ..] => refuse("compressed by gzip", "gunzip -c FILE | steadfast lint -"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => refuse("compressed by zstd", "zstd -dc FILE | steadfast lint -"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => refuse("UTF-16", "iconv -f UTF-16 -t UTF-8 FILE | steadfast lint -"),
        _ => match String::from_utf8(bytes) {
            // Editors count no column for a byte order mark.
            Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
            Err(_) => refuse("not UTF-8", "iconv -t UTF-8 FILE | steadfast lint -"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::load;

    const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, content).expect("written");
        }
        folder
    }

    /// The names of the objects that are read from files, and of the skipped files; or why they are refused.
    async fn loaded(files: &[(&str, &[u8])], path: &str) -> Result<(Vec<String>, Vec<String>), String> {
        let folder = folder(files);
        let here = folder.path().display().to_string();
        let short = |text: &str| text.replace(&format!("{here}/"), "").replace(&here, "HERE");
        let loaded = load(&Sources::of(Some(folder.path().join(path))), "/nowhere/kubectl").await;
        let loaded = loaded.map_err(|error| short(&error.to_string()))?;
        let names = loaded.manifests.iter().map(|it| it.name().to_owned()).collect();
        Ok((names, loaded.passed_over.iter().map(|path| short(path)).collect()))
    }

    #[tokio::test]
    async fn a_folder_is_read_with_all_below_it() {
        let files: [(&str, &[u8]); 8] = [
            ("b.yaml", POD.as_bytes()),
            ("a.json", b"{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"j\"}}"),
            ("values.yaml", b"tag: 1\n"),
            ("docker-compose.yml", b"services: {db: {image: mysql}}\n"),
            ("below/c.yml", b"apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod, metadata: {name: c}}]\n"),
            ("overlay/kustomization.yaml", b"resources: [x.yaml]\n"),
            ("chart/Chart.yaml", b"name: x\n"),
            (".git/x.yaml", b"- nothing\n"),
        ];
        let (names, passed_over) = loaded(&files, "").await.expect("readable");
        assert_eq!(names, ["j", "a", "c"]);
        assert_eq!(passed_over, ["chart", "overlay", "docker-compose.yml", "values.yaml"]);
    }

    #[tokio::test]
    async fn what_is_no_text_or_no_manifest_is_refused_by_name() {
        let refused = async |files: &[(&str, &[u8])], path: &str| loaded(files, path).await.expect_err("refused");
        insta::assert_snapshot!(refused(&[("a.gz", &[0x1f, 0x8b, 8])], "a.gz").await, @"a.gz is compressed by gzip; give it as text: gunzip -c a.gz | steadfast lint -");
        insta::assert_snapshot!(refused(&[("a.yaml", &[0xff, 0xfe, b'a', 0])], "a.yaml").await, @"a.yaml is UTF-16; give it as text: iconv -f UTF-16 -t UTF-8 a.yaml | steadfast lint -");
        insta::assert_snapshot!(refused(&[("a.yaml", &[b'a', 0xff])], "a.yaml").await, @"a.yaml is not UTF-8; give it as text: iconv -t UTF-8 a.yaml | steadfast lint -");
        let chart: [(&str, &[u8]); 2] =
            [("Chart.yaml", b"name: x\n"), ("templates/a.yaml", b"kind: {{ .Values.kind }}\n")];
        for path in ["", "Chart.yaml", "templates", "templates/a.yaml"] {
            let words = refused(&chart, path).await;
            assert!(words.contains("helm template") && words.contains("| steadfast lint -"), "{path}: {words}");
        }
        let template = b"apiVersion: v1\nkind: Pod\nmetadata: {name: \"{{ .Release.Name }}-db\"}\n";
        insta::assert_snapshot!(refused(&[("a.yaml", template)], "a.yaml").await, @"a.yaml is a template of a Helm chart and holds `{{ .Release.Name }}`; render it: helm template CHART | steadfast lint -");
        let openshift = b"apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {name: a}\n";
        insta::assert_snapshot!(refused(&[("a.yaml", openshift)], "a.yaml").await, @"a.yaml holds a Template of OpenShift; fill it in: oc process --local -f a.yaml -o yaml | steadfast lint -");
        insta::assert_snapshot!(refused(&[("a.yaml", format!("{POD}{POD}").as_bytes())], "a.yaml").await, @"a.yaml, line 4: `apiVersion` stands a second time in one object; begin the next object with a line `---`");
        insta::assert_snapshot!(refused(&[("below/README", b"")], "").await, @" holds no .yaml, .yml or .json file and no kustomization; give the folder that holds the manifests");
    }

    #[tokio::test]
    async fn an_address_is_refused_with_the_command_that_reads_it() {
        let url = Sources::of(Some("https://example.org/db.yaml".into()));
        insta::assert_snapshot!(load(&url, "").await.expect_err("refused"), @"https://example.org/db.yaml is an address, and manifests are read from files: curl -fsSL https://example.org/db.yaml | steadfast lint -");
    }

    #[test]
    fn a_state_file_of_earlier_versions_names_one_path() {
        let read = |text: &str| serde_json::from_str::<Sources>(text).expect("sources");
        assert_eq!(read("null"), Sources::default());
        assert_eq!(read("\"/a\""), Sources::of(Some("/a".into())));
        let several = Sources { paths: vec!["/a".into(), "/b".into()], values: vec!["/v".into()] };
        assert_eq!(read(&serde_json::to_string(&several).expect("JSON")), several);
    }
}
