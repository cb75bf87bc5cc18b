//! The work of each stage, including its preparation of the lab.

mod advisories;
mod dependencies;
mod fuzz;
mod judges;
mod style;

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::command::{Cmd, CommandError, Runner, TOOLS};
use crate::part::Part;
use crate::stage::{Cell, Task};
use crate::versions::Versions;

/// The suites with their own stage, and `tidy`, which reads only the repository and is part of the stage `offline`.
const OTHER_SUITES: [&str; 7] = ["conformance", "mutants", "variants", "upgrade", "phases", "botched", "tidy"];

/// The environment of the stages.
pub(crate) struct Stages<'a> {
    /// The root directory of the repository, which contains this program.
    pub root: &'a Path,
    /// The runner of their commands.
    pub runner: &'a dyn Runner,
    /// The versions in the lab.
    pub versions: Versions,
    /// The variables of the environment.
    pub variables: &'a dyn Fn(&str) -> Option<String>,
}

impl Stages<'_> {
    /// Runs a task.
    ///
    /// # Errors
    /// When the task fails: a [`CommandError`] if a command was the cause.
    pub(crate) fn run(&self, task: &Task) -> anyhow::Result<()> {
        match task {
            Task::Setup => self.setup_with_all_versions(&[]),
            Task::Style => self.style(),
            Task::Dependencies => self.dependencies(),
            Task::Upgrade => self.upgrades("upgrade"),
            Task::Offline => self.offline(),
            Task::Judges(part) => self.judges(*part),
            Task::Phases => self.upgrades("phases"),
            Task::Fuzz => self.fuzz(),
            Task::Clusters => self.clusters(),
            Task::Botched => self.upgrades("botched"),
            Task::Seed => self.seed(),
            Task::Conformance(cell) => self.conformance(cell),
            Task::Mutants(part) => self.mutants(*part),
            Task::Variants(part) => self.variants(*part),
            Task::Trend(folders) => self.trend(folders),
        }
    }

    fn offline(&self) -> anyhow::Result<()> {
        self.setup(&["--server", &self.versions.seed_server, "--without-witness"])?;
        self.cargo_test(Cmd::cargo("test --locked --no-fail-fast").env("STEADFAST_CLUSTER", "none"))
    }

    fn seed(&self) -> anyhow::Result<()> {
        self.setup(&[])?;
        self.cargo_test(Cmd::cargo("test --locked --no-fail-fast --test conformance"))
    }

    /// Asks Cargo for all suites, so that none is forgotten.
    fn clusters(&self) -> anyhow::Result<()> {
        self.setup(&[])?;
        let metadata = self.runner.output(&Cmd::cargo("metadata --locked --no-deps --format-version 1"))?;
        let suites = suites(&metadata).context("cannot parse the output of cargo metadata")?;
        let tests = suites.iter().filter(|suite| !OTHER_SUITES.contains(&suite.as_str()));
        self.cargo_test(Cmd::cargo("test --locked --no-fail-fast").args(tests.map(|suite| format!("--test={suite}"))))
    }

    fn upgrades(&self, suite: &str) -> anyhow::Result<()> {
        self.setup_with_all_versions(&["--server", &self.versions.seed_server])?;
        let test = Cmd::cargo("test --locked --no-fail-fast --test").arg(suite);
        self.cargo_test(test.env("STEADFAST_PART", Part::ALL.to_string()))
    }

    fn conformance(&self, cell: &Cell) -> anyhow::Result<()> {
        let Cell { kubernetes, server } = cell;
        let mut run = Cmd::cargo("run --locked --quiet --bin steadfast -- run --kubernetes").arg(kubernetes);
        if *server != self.versions.seed_server {
            let folder = format!("manifests/servers/{}", server.replace(':', "-"));
            ensure!(self.root.join(&folder).is_dir(), "there is no {folder} with a workload for {server}");
            run = run.arg("--manifests").arg(folder);
        }
        self.setup(&["--kubernetes", kubernetes, "--server", server])?;
        Ok(self.runner.run(&run.arg("--timeout-scale").arg(self.timeout_scale()))?)
    }

    fn mutants(&self, part: Part) -> anyhow::Result<()> {
        self.setup(&[])?;
        let test = Cmd::cargo("test --locked --no-fail-fast --test mutants");
        self.cargo_test(test.env("STEADFAST_PART", part.to_string()))
    }

    fn variants(&self, part: Part) -> anyhow::Result<()> {
        self.setup(&[])?;
        let mut test = Cmd::cargo("test --locked --no-fail-fast --test variants --");
        if part == Part::ALL {
            // A run of all parts also runs all of `conformance`, which tests the other servers in their own clusters.
            test = test.words("--skip mysql-8 --skip mysql-9 --skip mariadb");
        }
        self.cargo_test(test.env("STEADFAST_PART", part.to_string()))
    }

    fn trend(&self, folders: &[String]) -> anyhow::Result<()> {
        let default = || vec![self.variable("ARTIFACTS").unwrap_or_else(|| "target/steadfast".to_owned())];
        let folders = if folders.is_empty() { default() } else { folders.to_vec() };
        let trend = Cmd::cargo("run --locked --quiet --bin steadfast -- trend");
        let ended = self.runner.run(&trend.clone().args(&folders));
        if let Some(summary) = self.variable("GITHUB_STEP_SUMMARY") {
            // The first call has already printed which runs cannot be read.
            let page = self.runner.output(&trend.arg("--markdown").args(&folders)).unwrap_or_default();
            let file = OpenOptions::new().append(true).create(true).open(&summary);
            file.and_then(|mut file| file.write_all(page.as_bytes()))
                .with_context(|| format!("cannot write {summary}"))?;
        }
        Ok(ended?)
    }

    fn setup(&self, arguments: &[&str]) -> anyhow::Result<()> {
        Ok(self.runner.run(&Cmd::new("ci/setup").args(arguments.iter().copied()))?)
    }

    fn setup_with_all_versions(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let versions = self.versions.kubernetes.iter().flat_map(|version| ["--kubernetes", version]);
        self.setup(&arguments.iter().copied().chain(versions).collect::<Vec<_>>())
    }

    fn cargo_test(&self, test: Cmd) -> anyhow::Result<()> {
        Ok(self.runner.run(&test)?)
    }

    /// Installs a Cargo subcommand below `target` if it is missing. A debug build, because an optimized build would
    /// take longer than the tool runs.
    fn tool(&self, name: &str, version: &str) -> anyhow::Result<()> {
        if self.runner.has(&format!("cargo-{name}")) {
            return Ok(());
        }
        let install =
            Cmd::cargo("install --locked --quiet --debug --root").arg(TOOLS).arg(format!("cargo-{name}@{version}"));
        match self.runner.run(&install) {
            Err(CommandError::Interrupted) => Err(CommandError::Interrupted.into()),
            installed => installed.with_context(|| {
                format!("cargo-{name} is missing and could not be installed: cargo install --locked cargo-{name}")
            }),
        }
    }

    /// A variable of the environment. `None` if it is empty.
    fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name).filter(|value| !value.is_empty())
    }

    fn timeout_scale(&self) -> String {
        self.variable("STEADFAST_TIMEOUT_SCALE").unwrap_or_else(|| "1".to_owned())
    }
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// The names of all suites, from what `cargo metadata` prints.
fn suites(metadata: &str) -> serde_json::Result<Vec<String>> {
    let metadata: Metadata = serde_json::from_str(metadata)?;
    let targets = metadata.packages.into_iter().flat_map(|package| package.targets);
    Ok(targets.filter(|target| target.kind.iter().any(|kind| kind == "test")).map(|target| target.name).collect())
}

#[cfg(test)]
mod tests;
