//! The `steadfast` program.

mod cli;
mod command;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use cli::{Cli, Command};
use command::ending::{INCONCLUSIVE, usage};
use command::select::select;
use steadfast::terminal::complain;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(INCONCLUSIVE, &format!("cannot start: {error}")),
    };
    let code = runtime.block_on(dispatch(&cli));
    // A pending read of standard input cannot be cancelled and would delay the exit.
    runtime.shutdown_background();
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => refuse(INCONCLUSIVE, &with_causes(&error)),
    }
}

fn refuse(code: u8, message: &str) -> ExitCode {
    complain(&format!("error: {message}"));
    ExitCode::from(code)
}

/// An error with its causes, each once: most errors of this program already quote theirs.
fn with_causes(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .reduce(|text, cause| if text.contains(&cause) { text } else { format!("{text}: {cause}") })
        .unwrap_or_default()
}

async fn dispatch(cli: &Cli) -> anyhow::Result<u8> {
    match &cli.command {
        Command::Run { filter, options } => match select(filter.as_deref()) {
            Ok(checks) => command::run::act(&options.settings(checks), cli.color).await,
            Err(message) => Ok(usage(&message)),
        },
        Command::Upgrade { options } => match options.settings() {
            Ok(settings) => command::run::act(&settings, cli.color).await,
            Err(message) => Ok(usage(&message)),
        },
        Command::Before { options } => command::before::act(options).await,
        Command::After { options } => command::after::act(options, cli.color).await,
        Command::Up { options } => command::up::act(options).await,
        Command::Down { options } => command::down::act(options).await,
        Command::Judge { run, artifacts } => command::judge::act(run, artifacts, cli.color),
        Command::List { json } => command::list::act(*json),
        Command::Explain { check } => Ok(command::explain::act(check)),
        Command::Lint { options } => command::lint::act(options, cli.color).await,
        Command::Trend(args) => Ok(command::trend::run(args)),
        Command::Doctor => Ok(command::doctor::act().await),
        Command::Schema(args) => command::schema::act(args),
        Command::Completions(args) => command::completions::act(Cli::command(), args),
        Command::Man(args) => command::man::act(Cli::command(), args),
    }
}
