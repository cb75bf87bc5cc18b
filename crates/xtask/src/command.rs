//! Commands that stages run.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::console::tell;
use crate::environment;

/// Where tools are installed if the machine lacks them.
pub(crate) const TOOLS: &str = "target/tools";

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// The command could not be started.
    #[error("cannot run `{command}`: {source}")]
    Start {
        /// The command.
        command: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The command failed.
    #[error("`{command}` failed with exit code {code}")]
    Failed {
        /// The command.
        command: String,
        /// Its exit code.
        code: u8,
    },
    /// This program was interrupted while the command ran.
    #[error("interrupted")]
    Interrupted,
}

/// The exit code of a program that was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

impl CommandError {
    /// The exit code of a stage that ends with this error.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Start { .. } => 1,
            Self::Failed { code, .. } => *code,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

/// The exit code of a process: 128 plus the signal's number if a signal ended it.
pub(crate) fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// A command.
#[derive(Debug, Clone)]
pub(crate) struct Cmd {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(&'static str, String)>,
    directory: Option<PathBuf>,
    title: Option<&'static str>,
}

impl Cmd {
    /// A command without arguments.
    pub(crate) fn new(program: &str) -> Self {
        Self { program: program.to_owned(), arguments: Vec::new(), variables: Vec::new(), directory: None, title: None }
    }

    /// A Cargo command from a string of words.
    pub(crate) fn cargo(words: &str) -> Self {
        Self::new("cargo").words(words)
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments.
    pub(crate) fn args<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Splits a string at spaces and adds the words as arguments.
    pub(crate) fn words(self, words: &str) -> Self {
        self.args(words.split_whitespace())
    }

    /// Sets a variable of the environment.
    pub(crate) fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Sets the directory in which the command runs.
    pub(crate) fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the text that is printed instead of the command.
    pub(crate) fn title(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(self.variables.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        // No stage reads input.
        command.stdin(Stdio::null());
        command
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}={} ", quoted(value)));
        let words = std::iter::once(&self.program).chain(&self.arguments).map(|word| quoted(word));
        write!(f, "{}{}", variables.collect::<String>(), words.collect::<Vec<_>>().join(" "))
    }
}

/// Quotes a word that a shell would split or drop.
fn quoted(word: &str) -> String {
    let is_plain = !word.is_empty() && !word.contains(char::is_whitespace);
    if is_plain { word.to_owned() } else { format!("'{word}'") }
}

/// Runs the commands of stages: on this machine, or in a test.
pub(crate) trait Runner {
    /// Runs a command with the standard output of this program.
    ///
    /// # Errors
    /// When the command cannot be started or fails.
    fn run(&self, command: &Cmd) -> Result<(), CommandError>;

    /// Runs a command and returns its output.
    ///
    /// # Errors
    /// When the command cannot be started or fails.
    fn output(&self, command: &Cmd) -> Result<String, CommandError>;

    /// Whether the program is installed.
    fn has(&self, program: &str) -> bool;

    /// Prints a line.
    fn tell(&self, text: &str);
}

/// Runs commands on this machine.
#[derive(Debug)]
pub(crate) struct Machine {
    path: OsString,
    interrupted: Arc<AtomicBool>,
}

impl Machine {
    /// Catches SIGINT, so that it ends the running command and not this program. The command cleans up first, then
    /// this program.
    ///
    /// # Errors
    /// When the signal cannot be caught.
    pub(crate) fn new(root: &Path) -> std::io::Result<Self> {
        let interrupted = Arc::default();
        signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted))?;
        let mut path = root.join(TOOLS).join("bin").into_os_string();
        if let Some(rest) = std::env::var_os("PATH") {
            path.push(":");
            path.push(rest);
        }
        Ok(Self { path, interrupted })
    }

    fn prepared(&self, command: &Cmd) -> Command {
        let mut prepared = command.command();
        prepared.env("PATH", &self.path);
        environment::without_cargo_run(&mut prepared);
        prepared
    }

    fn ended(&self, command: &Cmd, status: ExitStatus) -> Result<(), CommandError> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(CommandError::Interrupted);
        }
        let failed = || CommandError::Failed { command: command.to_string(), code: code_of(status) };
        status.success().then_some(()).ok_or_else(failed)
    }
}

impl Runner for Machine {
    fn run(&self, command: &Cmd) -> Result<(), CommandError> {
        tell(&format!("==> {}", command.title.map_or_else(|| command.to_string(), str::to_owned)));
        let status = self.prepared(command).status().map_err(|source| start(command, source))?;
        self.ended(command, status)
    }

    fn output(&self, command: &Cmd) -> Result<String, CommandError> {
        let output =
            self.prepared(command).stderr(Stdio::inherit()).output().map_err(|source| start(command, source))?;
        self.ended(command, output.status)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn has(&self, program: &str) -> bool {
        is_on(&self.path, program)
    }

    fn tell(&self, text: &str) {
        tell(text);
    }
}

fn start(command: &Cmd, source: std::io::Error) -> CommandError {
    CommandError::Start { command: command.to_string(), source }
}

/// Whether a search path contains a program.
fn is_on(path: &OsStr, program: &str) -> bool {
    std::env::split_paths(path).any(|directory| directory.join(program).is_file())
}

#[cfg(test)]
pub(crate) mod tests;
