//! One call of the program in its own folder, and checks of the result.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::apiserver::ApiServer;

/// A call that takes longer hangs and is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(600);

/// A folder for the input, the cache and the artifacts of a call.
pub(crate) struct Place {
    folder: TempDir,
    /// Text that differs from call to call, and what replaces it in the output.
    varying: Vec<(String, &'static str)>,
}

/// The output of a call, with all text replaced that differs from call to call.
pub(crate) struct Answer {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error before the error, including times.
    pub progress: String,
    /// Standard error from the error on.
    pub error: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let varying = vec![(folder.path().display().to_string(), "[HERE]")];
        Self { folder, varying }
    }

    /// A folder with a kubeconfig for this server. Nonexistent programs in the lab prove that no engine is needed.
    pub(crate) fn of(server: &ApiServer) -> Self {
        let place = Self::new();
        place.write("lab.json", &lab("/nowhere/kind", "/nowhere/docker").to_string());
        place.write("config", &server.kubeconfig());
        place
    }

    /// Replaces a text in the output that differs from call to call.
    pub(crate) fn replace(&mut self, text: &str, by: &'static str) {
        self.varying.push((text.to_owned(), by));
    }

    fn redacted(&self, text: &str) -> String {
        self.varying.iter().fold(text.to_owned(), |text, (varying, by)| text.replace(varying, by))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes an input file and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("written");
        path
    }

    /// Creates a pipe that nobody writes to.
    pub(crate) fn pipe(&self, name: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success(), "{}", path.display());
    }

    /// The command that calls the program in this folder. In the arguments, `@` stands for the folder.
    pub(crate) fn program(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let here = self.folder.path().display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.current_dir(self.folder.path()).env("XDG_CACHE_HOME", self.path("cache")).stdin(Stdio::null());
        command.env_remove("COLUMNS").env("ARTIFACTS", self.path("artifacts")).env("NO_COLOR", "1");
        command.args(arguments.iter().map(|argument| argument.replace('@', &here)));
        command.envs(environment.iter().map(|(name, value)| (*name, value.replace('@', &here))));
        command
    }

    /// Calls the program in this folder.
    pub(crate) fn call(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Answer {
        let program = self.program(arguments, environment);
        let output = assert_cmd::Command::from_std(program).timeout(ENDS_WITHIN).output().expect("it runs");
        let redacted = |bytes: &[u8]| without_run_ids(&self.redacted(&String::from_utf8_lossy(bytes)));
        let stderr = redacted(&output.stderr);
        let (progress, error) = stderr.split_at(stderr.find("error:").unwrap_or(stderr.len()));
        let (progress, error) = (progress.to_owned(), error.to_owned());
        let (code, stdout) = (output.status.code().unwrap_or(-1), redacted(&output.stdout));
        assert!(!stderr.contains("panicked"), "{stderr}");
        Answer { code, stdout, progress, error }
    }

    /// The run's `results.json`, which exists even if the run could not start.
    pub(crate) fn results(&self) -> Result<Value, Failed> {
        let path = self.path("artifacts/latest/results.json");
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Checks that a run started and was refused: every check is inconclusive for this reason, and no lease is left.
    pub(crate) fn is_refused(&self, answer: &Answer) -> Result<(), Failed> {
        let results = self.results()?;
        let checks = results["checks"].as_array().cloned().unwrap_or_default();
        let first = answer.error.lines().next().unwrap_or_default().trim_start_matches("error: ").trim_end_matches(':');
        for check in &checks {
            let reason = check["reason"].as_str().unwrap_or_default();
            if check["verdict"] != "inconclusive" || !self.redacted(reason).contains(first) {
                return Err(format!("results.json does not say why the run was refused ({first}): {check}").into());
            }
        }
        let leases = std::fs::read_dir(self.path("cache/steadfast/runs")).map_or(0, Iterator::count);
        if checks.is_empty() || leases > 0 {
            return Err(format!("{} checks, {leases} leases", checks.len()).into());
        }
        Ok(())
    }
}

impl Answer {
    /// Checks the exit code, and compares the output with a snapshot.
    pub(crate) fn is(&self, name: &str, code: i32) -> Result<(), Failed> {
        if self.code != code {
            return Err(format!("exit code {}, not {code}\n{}{}", self.code, self.stdout, self.error).into());
        }
        let text = format!("{}{}", self.stdout, self.error);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/refusals/snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name.replace("::", "__"), text));
        Ok(())
    }
}

/// Replaces every run id, such as `20260105-030000-7f3a5c`.
fn without_run_ids(text: &str) -> String {
    const SHAPE: &str = "dddddddd-dddddd-xxxxxx";
    let fits = |part: &str| {
        part.chars().zip(SHAPE.chars()).all(|(found, wanted)| match wanted {
            'd' => found.is_ascii_digit(),
            'x' => found.is_ascii_hexdigit(),
            _ => found == wanted,
        })
    };
    let mut text = text.to_owned();
    while let Some(at) = (0..text.len()).find(|&at| text.get(at..at + SHAPE.len()).is_some_and(fits)) {
        text.replace_range(at..at + SHAPE.len(), "[RUN]");
    }
    text
}

/// A lab with these programs.
pub(crate) fn lab(kind: &str, docker: &str) -> Value {
    json!({
        "schema": 1, "kind": kind, "kubectl": "/nowhere/kubectl", "docker": docker, "default_kubernetes": "1.37.2",
        "nodes": [{"kubernetes": "1.37.2", "image": "nowhere/node", "built": true}],
        "images": [{"wanted": "mysql:5.7", "image": "nowhere/mysql", "archive": "/nowhere/mysql.tar", "built": true}],
        "witness": {"image": "nowhere/witness", "archive": "/nowhere/witness.tar"},
    })
}
