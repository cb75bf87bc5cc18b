//! The stage `style`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::Stages;
use crate::command::Cmd;

/// The tests of the scripts.
const SCRIPT_TESTS: &str = "ci/tests";

impl Stages<'_> {
    pub(super) fn style(&self) -> anyhow::Result<()> {
        for component in ["fmt", "clippy"] {
            self.runner.output(&Cmd::cargo(component).arg("--version")).with_context(|| {
                format!(
                    "cargo {component} is missing: install Rust with rustup (rustup.rs), then: \
                     rustup component add rustfmt clippy"
                )
            })?;
        }
        self.runner.run(&Cmd::new("ci/lint-tools"))?;
        self.runner.run(&Cmd::cargo("fmt --check").title("format"))?;
        self.runner.run(&Cmd::cargo("fmt --check --manifest-path fuzz/Cargo.toml").title("format of fuzz/"))?;
        let clippy = Cmd::cargo("clippy --locked --all-targets --quiet -- -D warnings");
        self.runner.run(&clippy.title("lints"))?;
        self.runner.run(&Cmd::new("shellcheck").args(self.scripts()?).title("shell"))?;
        for test in executables(&self.root.join(SCRIPT_TESTS))? {
            self.runner.run(&Cmd::new(&format!("{SCRIPT_TESTS}/{test}")))?;
        }
        self.runner.run(&Cmd::new("actionlint").title("workflows"))?;
        let doc = Cmd::cargo("doc --locked --no-deps --quiet").env("RUSTDOCFLAGS", "-D warnings");
        Ok(self.runner.run(&doc.title("documentation"))?)
    }

    /// The shell scripts of the repository.
    fn scripts(&self) -> anyhow::Result<Vec<String>> {
        let tracked = self.runner.output(&Cmd::new("git").words("ls-files ci .ci"))?;
        let is_script = |path: &&str| fs::read_to_string(self.root.join(path)).is_ok_and(|text| is_shell(&text));
        Ok(tracked.lines().filter(is_script).map(str::to_owned).collect())
    }
}

/// Whether a text is a shell script, by its first line or its shellcheck directive.
fn is_shell(text: &str) -> bool {
    let starts = ["#!/bin/bash", "#!/bin/sh", "# shellcheck shell="];
    text.lines().any(|line| starts.iter().any(|start| line.starts_with(start)))
}

/// The names of the programs in a directory, sorted.
fn executables(directory: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.metadata()?.permissions().mode() & 0o111 != 0 {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_is_told_by_a_line() {
        assert!(
            is_shell("#!/bin/bash\necho\n") && is_shell("#!/bin/sh\n") && is_shell("# A.\n# shellcheck shell=bash\n")
        );
        assert!(!is_shell("#!/usr/bin/env python3\n") && !is_shell("echo '# shellcheck shell=bash'\n"));
    }

    #[test]
    fn only_programs_are_tests_of_scripts() {
        let tests = executables(&crate::root().join(SCRIPT_TESTS)).expect("a directory");
        assert!(tests.contains(&"digests".to_owned()) && !tests.contains(&"common.sh".to_owned()));
    }
}
