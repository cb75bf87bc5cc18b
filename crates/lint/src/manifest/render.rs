//! Manifests rendered by other programs: kustomizations by kubectl, charts by helm.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::ManifestError;

/// How long a program may take: a remote base is fetched, and its server may not answer.
const RENDERED_WITHIN: Duration = Duration::from_secs(60);

/// Renders a folder with `kubectl kustomize`.
pub(crate) async fn kustomize(kubectl: &str, path: &Path) -> Result<String, ManifestError> {
    let words = [OsStr::new("kustomize"), path.as_os_str()];
    let printed = printed(kubectl, &words, |error| format!("{error}; ci/setup provides kubectl")).await;
    printed.map_err(|reason| ManifestError::Kustomize { program: kubectl.to_owned(), path: path.to_owned(), reason })
}

/// Renders a chart with `helm template` and these files of values.
pub(super) async fn chart(chart: &Path, values: &[PathBuf]) -> Result<String, ManifestError> {
    let mut words = vec!["template".to_owned(), "db".to_owned(), chart.display().to_string()];
    words.extend(values.iter().map(|file| format!("--values={}", file.display())));
    let printed = printed("helm", &words, |error| match error.kind() {
        io::ErrorKind::NotFound => "helm is not installed here".to_owned(),
        _ => error.to_string(),
    });
    let chart = chart.to_owned();
    printed.await.map_err(|reason| ManifestError::Chart { chart, command: words.join(" "), reason })
}

/// The output of a program, or why it has none.
async fn printed<W: AsRef<OsStr>>(
    program: &str,
    words: &[W],
    not_started: impl FnOnce(io::Error) -> String,
) -> Result<String, String> {
    let running = Command::new(program).args(words).kill_on_drop(true).output();
    let output = tokio::time::timeout(RENDERED_WITHIN, running).await;
    let output = output.map_err(|_| format!("nothing came within {RENDERED_WITHIN:?}"))?.map_err(not_started)?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}
