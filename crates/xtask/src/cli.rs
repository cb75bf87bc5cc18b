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
    /// Runs one stage, with what it needs of the lab, and without a deadline.
    #[command(after_help = stage::list())]
    Stage {
        /// The stage.
        name: String,
        /// What it takes.
        #[arg(value_name = "ARGUMENT")]
        arguments: Vec<String>,
    },
    /// Prints the jobs of a workflow, as the JSON of which `fromJSON` makes a matrix.
    Jobs {
        /// Whose jobs.
        caller: Caller,
    },
    /// Fetches the results of earlier nights, for `cargo xtask stage trend`. Needs the GitHub command line (gh), and
    /// `GH_TOKEN` with the right to read actions.
    History {
        /// Where they go.
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// How many nights.
        #[arg(default_value_t = 14)]
        nights: u32,
    },
}

/// Runs everything on one machine, each stage within its deadline. A stage that fails does not keep the others from their
/// turn; at the end a table shows what came of each.
///
/// Ends with 0 when every stage passed, 1 when one did not, 130 when it was interrupted.
#[derive(Debug, Args)]
pub(crate) struct Nightly {
    /// Prints the stages and runs none.
    #[arg(long)]
    pub list: bool,
    /// Runs only these stages: a line of --list, or its first words, as in `--only conformance --only 'mutants 2/8'`.
    #[arg(long, value_name = "STAGE")]
    pub only: Vec<String>,
    /// Tries all changes of the judges, which takes hours, in place of another part each day.
    #[arg(long)]
    pub all_judges: bool,
}
