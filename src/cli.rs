//! The command line: its commands and their options.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::command::after::AfterOptions;
use crate::command::before::BeforeOptions;
use crate::command::down::DownOptions;
use crate::command::lint::LintOptions;
use crate::command::options::RunOptions;
use crate::command::upgrade::UpgradeOptions;

/// End-to-end conformance harness for StatefulSets that run MySQL.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value = "auto")]
    pub color: clap::ColorChoice,
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 all checks passed; 1 a check failed; 2 usage or manifests; 3 inconclusive; \
                          4 nothing ran; 130 interrupted.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the checks: create a kind cluster, deploy the workload, disrupt it, judge the evidence, and remove
    /// everything.
    Run {
        /// Run only checks whose id contains this, such as `dns` or `ordering::starts_in_ordinal_order`.
        filter: Option<String>,
        #[command(flatten)]
        options: RunOptions,
    },
    /// Upgrade a cluster in place under load: create a kind cluster, deploy the workload, upgrade the control plane and
    /// each node with kubeadm, compare the state before and after each step, and run all checks again on the new
    /// version.
    Upgrade {
        #[command(flatten)]
        options: UpgradeOptions,
    },
    /// Prepare for a cluster upgrade that you do yourself: deploy or adopt a workload, start writing to it, and save
    /// the state of everything to a file.
    Before {
        #[command(flatten)]
        options: BeforeOptions,
    },
    /// Check a cluster after you have upgraded it: compare everything with the saved state, read the writes back, and
    /// run all checks again.
    After {
        #[command(flatten)]
        options: AfterOptions,
    },
    /// Create a kind cluster, deploy the workload with replication, and keep both.
    Up {
        #[command(flatten)]
        options: RunOptions,
    },
    /// Remove kept clusters: one by name, or all of them. With --kubeconfig, remove the objects that runs left or kept
    /// on an existing cluster.
    Down {
        /// What to remove, and where.
        #[command(flatten)]
        options: DownOptions,
    },
    /// Judge a run again from its stored evidence, without a cluster.
    Judge {
        /// The run: its directory, its id, or `latest`.
        #[arg(default_value = "latest")]
        run: PathBuf,
        /// The folder that contains the run directories.
        #[arg(long, value_name = "DIR", env = "ARTIFACTS", default_value = "target/steadfast")]
        artifacts: PathBuf,
    },
    /// List the checks.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Explain a check: what it requires, where that is documented, how it is judged, and what usually causes a
    /// failure.
    Explain {
        /// The check's id.
        check: String,
    },
    /// Lint manifests without a cluster: report each finding with its line, why it matters, and the fix.
    #[command(after_help = crate::command::lint::EXIT_CODES)]
    Lint {
        #[command(flatten)]
        options: LintOptions,
    },
    /// Summarize the results of many runs: how often each check failed, and how the figures change.
    #[command(after_help = crate::command::trend::EXIT_CODES)]
    Trend(crate::command::trend::TrendArgs),
    /// Check whether this machine has what a run needs.
    Doctor,
    /// Print the JSON schema of a file or an output that other programs read, or list the schemas.
    Schema(crate::command::schema::SchemaArgs),
    /// Print a shell's completion script for the commands and options.
    Completions(crate::command::completions::CompletionsArgs),
    /// Print the manual page, or write all manual pages to a folder.
    Man(crate::command::man::ManArgs),
}
