//! `steadfast lint`: judges manifests without a cluster.

use std::path::PathBuf;

use super::ending::{FAILED, usage};
use clap::Args;
use steadfast::choice::choice;
use steadfast::cluster::Lab;
use steadfast::lint::{Format, Level};
use steadfast::terminal;
use steadfast::workload::Sources;

/// The exit codes.
pub(crate) const EXIT_CODES: &str =
    "Exit codes: 0 no finding reaches the level of --fail-on; 1 at least one does; 2 the manifests cannot be read.";

/// What lint can be told.
#[derive(Debug, Args)]
pub(crate) struct LintOptions {
    /// Kustomizations, folders of YAML or JSON, files, a Helm chart, or `-` for standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Render a chart with this values file. Can be repeated.
    #[arg(long, value_name = "FILE")]
    values: Vec<PathBuf>,
    /// The output format.
    #[arg(long, value_parser = choice::<Format>(), default_value = "text")]
    format: Format,
    /// Accept all findings of this rule. Can be repeated. To accept a single finding, write `# steadfast: accept RULE:
    /// REASON` on its line or the line before.
    #[arg(long, value_name = "RULE")]
    accept: Vec<String>,
    /// The lowest level of a finding that makes the exit code 1.
    #[arg(long, value_parser = choice::<Level>(), value_name = "LEVEL", default_value = "error")]
    fail_on: Level,
}

impl LintOptions {
    /// The manifests to judge.
    fn sources(&self) -> Sources {
        Sources { paths: self.paths.clone(), values: self.values.clone() }
    }
}

/// Runs the command.
pub(crate) async fn act(options: &LintOptions, color: clap::ColorChoice) -> anyhow::Result<u8> {
    // Most manifests need no kubectl, so a missing lab is no error.
    let kubectl = Lab::read().map_or_else(|_| "kubectl".to_owned(), |lab| lab.kubectl);
    let linted = match steadfast::lint::lint(&options.sources(), &options.accept, &kubectl).await {
        Ok(linted) => linted,
        Err(error) => return Ok(usage(&error.to_string())),
    };
    terminal::print(&linted.render(options.format, terminal::width()), color)?;
    Ok(if linted.summary().has(options.fail_on) { FAILED } else { 0 })
}
