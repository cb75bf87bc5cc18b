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
    /// Run the checks: make a kind cluster, deploy, disrupt, judge, and remove everything again.
    Run {
        /// Run only checks whose id contains this, such as `dns` or `ordering::starts_in_ordinal_order`.
        filter: Option<String>,
        #[command(flatten)]
        options: RunOptions,
    },
    /// Upgrade a cluster in place under load: make a kind cluster, deploy, upgrade the control plane and each node by
    /// kubeadm, compare all that was there before and after each step, and run all checks once more on the new version.
    Upgrade {
        #[command(flatten)]
        options: UpgradeOptions,
    },
    /// Before you upgrade a cluster in your own way: deploy a workload there, or adopt one, start writing to it, and keep the
    /// state of everything in a file.
    Before {
        #[command(flatten)]
        options: BeforeOptions,
    },
    /// After you have upgraded it: compare everything with that file, read the writes back, and run all checks once more.
    After {
        #[command(flatten)]
        options: AfterOptions,
    },
    /// Make a kind cluster, deploy the workload with replication, and leave both there.
    Up {
        #[command(flatten)]
        options: RunOptions,
    },
    /// Remove clusters that were kept: one by name, or all of them. With --kubeconfig, remove what runs left or were to keep
    /// on a cluster that was there before them.
    Down {
        /// What to remove, and where.
        #[command(flatten)]
        options: DownOptions,
    },
    /// Judge a run again from its stored evidence, without any cluster.
    Judge {
        /// The run: its directory, its id, or `latest`.
        #[arg(default_value = "latest")]
        run: PathBuf,
        /// Where the directories of runs are.
        #[arg(long, value_name = "DIR", env = "ARTIFACTS", default_value = "target/steadfast")]
        artifacts: PathBuf,
    },
    /// List the checks.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Explain a check: what must hold, where that is written, how it is judged, what usually is wrong.
    Explain {
        /// The check's id.
        check: String,
    },
    /// Judge manifests without a cluster: each finding with its line, why it matters, and the fix.
    #[command(after_help = crate::command::lint::EXIT_CODES)]
    Lint {
        #[command(flatten)]
        options: LintOptions,
    },
    /// Tell from the results of many runs how often each check was red, and where figures are going.
    #[command(after_help = crate::command::trend::EXIT_CODES)]
    Trend(crate::command::trend::TrendArgs),
    /// See whether this machine has what a run needs.
    Doctor,
    /// Print the JSON schema of what other programs read, or list what there is.
    Schema(crate::command::schema::SchemaArgs),
    /// Print what a shell needs to complete commands and options.
    Completions(crate::command::completions::CompletionsArgs),
    /// Print the manual page, or write all of them into a folder.
    Man(crate::command::man::ManArgs),
}
