//! `steadfast trend`: what many runs show together.

use std::path::PathBuf;

use super::ending::usage;
use clap::Args;
use steadfast::terminal::tell;
use steadfast::trend::{Form, Trend, gather};

/// The exit codes.
pub(crate) const EXIT_CODES: &str = "Exit codes: 0 all results were read, whatever they say; 2 some results could not be \
                              read.";

/// What it takes.
#[derive(Debug, Args)]
pub(crate) struct TrendArgs {
    /// Run directories, or folders that contain run directories at any depth, such as target/steadfast.
    #[arg(value_name = "DIR", required = true)]
    directories: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print Markdown, for a build summary.
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
        "results that could not be read and are not counted: {}; the trend lists them; give run directories with a \
         results.json that this version of steadfast wrote",
        trend.apart.unread.len()
    ))
}
