//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::plan::Caller;
use crate::stage;

/// Continuous integration of Steadfast.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Nightly(Nightly),
    /// Runs one stage, with its preparation of the lab and without a deadline.
    #[command(after_help = stage::list())]
    Stage {
        /// The stage.
        name: String,
        /// The arguments of the stage.
        #[arg(value_name = "ARGUMENT")]
        arguments: Vec<String>,
    },
    /// Prints the jobs of a workflow, as JSON from which `fromJSON` makes a matrix.
    Jobs {
        /// The caller that has the jobs.
        caller: Caller,
    },
    /// Fetches the results of earlier nights, for `cargo xtask stage trend`. Needs the GitHub command line (gh), and
    /// `GH_TOKEN` with permission to read actions.
    History {
        /// The directory for the results.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// The number of nights.
        #[arg(default_value_t = 14)]
        nights: u32,
    },
}

/// Runs all stages on one machine, each with a deadline. The other stages run even if one fails. At the end a table
/// shows all outcomes.
///
/// Exits with 0 if every stage passed, 1 if one did not, 130 if it was interrupted.
#[derive(Debug, Args)]
pub(crate) struct Nightly {
    /// Prints the stages without running them.
    #[arg(long)]
    pub list: bool,
    /// Runs only these stages: a line of --list or its first words, such as
    /// `--only conformance --only 'mutants 2/8'`.
    #[arg(long, value_name = "STAGE")]
    pub only: Vec<String>,
    /// Tests all changes of the judges, which takes hours, instead of a different part each day.
    #[arg(long)]
    pub all_judges: bool,
}
