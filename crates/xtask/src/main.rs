//! The `xtask` program: continuous integration of Steadfast.

mod call;
mod cli;
mod command;
mod console;
mod environment;
mod group;
mod history;
mod jobs;
mod nightly;
mod part;
mod plan;
mod signals;
mod stage;
mod stages;
mod versions;

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command as Process, ExitCode};
use std::time::{Instant, SystemTime};

use anyhow::Context as _;
use clap::Parser as _;

use call::{Call, CallError};
use cli::{Cli, Command};
use command::{CommandError, Machine};
use console::{complain, tell};
use nightly::{Host, Night, REAL_PACE};
use plan::Plan;
use stages::Stages;
use versions::Versions;

/// The exit code for wrong arguments.
const USAGE: u8 = 2;

/// The root directory of the repository.
fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).expect("the package is two directories below it")
}

fn main() -> ExitCode {
    let ended = std::env::set_current_dir(root()).context("cannot change to the directory of the repository");
    match ended.and_then(|()| dispatch(Cli::parse().command)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&format!("xtask: {error:#}"));
            ExitCode::from(code_of(&error))
        }
    }
}

/// The exit code for an error: that of the failed command, if there is one.
fn code_of(error: &anyhow::Error) -> u8 {
    let usage = error.downcast_ref::<CallError>().map(|_| USAGE);
    usage.or_else(|| error.downcast_ref::<CommandError>().map(CommandError::code)).unwrap_or(1)
}

fn dispatch(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Nightly(options) => return nightly(&options),
        Command::Stage { name, arguments } => stage(&name, &arguments)?,
        Command::Jobs { caller } => {
            let versions = Versions::read(root())?;
            tell(&jobs::matrix(&Plan { versions: &versions, day: today()? }.calls(caller))?);
        }
        Command::History { directory, nights } => history::fetch(&Machine::new(root())?, &directory, nights)?,
    }
    Ok(0)
}

fn stage(name: &str, arguments: &[String]) -> anyhow::Result<()> {
    let call = Call::parse(name, arguments)?;
    let machine = Machine::new(root())?;
    let versions = Versions::read(root())?;
    Stages { root: root(), runner: &machine, versions, variables: &variable }.run(&call.task)
}

/// A variable of the environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn nightly(options: &cli::Nightly) -> anyhow::Result<u8> {
    let begun = Instant::now();
    let versions = Versions::read(root())?;
    let calls = Plan { versions: &versions, day: today()? }.night(&options.only, options.all_judges)?;
    if options.list {
        calls.iter().for_each(|call| tell(&call.to_string()));
        return Ok(0);
    }
    let mut signals = signals::of_the_end().context("cannot catch signals")?;
    let mut pending = || signals.pending().count();
    let host = Host {
        command: &this_program,
        signals: &mut pending,
        variables: &variable,
        pace: REAL_PACE,
        out: &mut io::stdout(),
    };
    let rows = Night::new(calls, host).run()?;
    tell(&nightly::table(&rows, begun.elapsed()));
    Ok(nightly::code(&rows))
}

/// This program, to run a stage. Its path may lead to a newer build later, so it starts from `/proc/self/exe`.
fn this_program(call: &Call) -> Process {
    let mut program = Process::new("/proc/self/exe");
    program.arg0("xtask").arg("stage").args(call.words());
    environment::without_cargo_run(&mut program);
    program
}

/// Today's date, in days since 1970.
fn today() -> anyhow::Result<u64> {
    const DAY: u64 = 86_400;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(now.as_secs() / DAY)
}
