//! The stage `judges`: cargo-mutants changes the judges, and the tests must detect each change.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::{Context as _, ensure};

use super::Stages;
use crate::command::Cmd;
use crate::part::Part;

/// The number of random histories for each property. A change that only more histories detect needs its own test.
const HISTORIES: &str = "64";

impl Stages<'_> {
    pub(super) fn judges(&self, part: Part) -> anyhow::Result<()> {
        let output = format!("target/mutants/{}-of-{}", part.number, part.of);
        self.tool("mutants", &self.versions.cargo_mutants)?;
        let build = Scratch::new(self.root.join(&output).join("built"))?;
        let directory = build.0.display().to_string();
        // cargo-mutants builds a copy of this tree. The dependencies that are already built here need no second
        // build.
        let copy = Cmd::new("cp").words("-a --parents").args(built(&self.root.join("target"))?).arg(&directory);
        self.runner.run(&copy.directory("target").title("the built dependencies"))?;
        // Without a package, cargo-mutants changes only the root package, which has no judges.
        let mutants = Cmd::cargo("mutants --package steadfast-judge");
        let listed = self.runner.output(&mutants.clone().arg("--list"))?;
        ensure!(!listed.trim().is_empty(), "cargo mutants finds nothing to change: see .cargo/mutants.toml");
        // cargo-mutants counts from 0.
        let shard = format!("{}/{}", part.number - 1, part.of);
        let mutants = mutants.arg("--output").arg(output).arg("--shard").arg(shard);
        Ok(self.runner.run(&mutants.env("CARGO_TARGET_DIR", directory).env("PROPTEST_CASES", HISTORIES))?)
    }
}

/// The directories below `target` with build results, as paths relative to it.
fn built(target: &Path) -> io::Result<Vec<String>> {
    let mut profiles = vec!["debug".to_owned()];
    for entry in fs::read_dir(target)? {
        profiles.push(format!("{}/debug", entry?.file_name().to_string_lossy()));
    }
    profiles.retain(|profile| target.join(profile).join("deps").is_dir());
    profiles.sort();
    let parts = |profile: &String| [".fingerprint", "build", "deps"].map(|part| format!("{profile}/{part}"));
    Ok(profiles.iter().flat_map(parts).collect())
}

/// A directory that is empty at first and is removed afterwards.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new(path: PathBuf) -> anyhow::Result<Self> {
        // A killed run may have left the directory.
        let scratch = Self(path);
        scratch.remove();
        fs::create_dir_all(&scratch.0).with_context(|| format!("cannot make {}", scratch.0.display()))?;
        Ok(scratch)
    }

    fn remove(&self) {
        // A directory that cannot be removed only takes space, and the next run removes it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_found_for_each_target() {
        let target = tempfile::tempdir().expect("a directory");
        for path in ["debug/deps", "x86_64/debug/deps", "x86_64/release/deps", "tools/bin"] {
            fs::create_dir_all(target.path().join(path)).expect("a directory");
        }
        insta::assert_snapshot!(built(target.path()).expect("directories").join("\n"), @r"
        debug/.fingerprint
        debug/build
        debug/deps
        x86_64/debug/.fingerprint
        x86_64/debug/build
        x86_64/debug/deps
        ");
    }

    #[test]
    fn scratch_is_empty_and_goes() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("built");
        fs::create_dir_all(path.join("old")).expect("a directory");
        let scratch = Scratch::new(path.clone()).expect("a directory");
        assert_eq!(fs::read_dir(&path).expect("it is there").count(), 0);
        drop(scratch);
        assert!(!path.exists());
    }
}
