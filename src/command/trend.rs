//! `steadfast trend`: what many runs show together.

use std::path::PathBuf;

use super::ending::usage;
use clap::Args;
use steadfast::terminal::tell;
use steadfast::trend::{Form, Trend, gather};

/// The exit codes.
pub(crate) const EXIT_CODES: &str =
    "Exit codes: 0 everything was read, however red it is; 2 something could not be read.";

/// What it takes.
#[derive(Debug, Args)]
pub(crate) struct TrendArgs {
    /// Directories of runs, or folders that have such at any depth, as target/steadfast.
    #[arg(value_name = "DIR", required = true)]
    directories: Vec<PathBuf>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// In Markdown, for the summary of a build.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// Reads results and prints their trend.
pub(crate) fn run(args: &TrendArgs) -> u8 {
    let trend = Trend::of(gather(&args.directories));
    let form = match (args.json, args.markdown) {
        (true, _) => Form::Json,
        (_, true) => Form::Markdown,
        _ => Form::Text,
    };
    tell(trend.render(form).trim_end());
    if trend.is_whole() {
        return 0;
    }
    usage(&format!(
        "{} of what was found could not be read and is missing from the trend, which names it; give directories of runs, \
         with the results.json that this version of steadfast writes",
        trend.apart.unread.len()
    ))
}
