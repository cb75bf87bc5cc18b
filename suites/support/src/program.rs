//! Runs the program isolated from other runs on this machine. Its leases and artifacts are in a separate directory,
//! but it uses this machine's lab.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use steadfast::cluster::{LAB_VARIABLE, cache_dir};

/// A command for this program, with its leases and artifacts below `folder` and with this machine's lab. Only the
/// suite knows the path of the program: `env!("CARGO_BIN_EXE_steadfast")`.
pub fn isolated(program: &str, folder: &Path) -> Command {
    let lab = std::env::var_os(LAB_VARIABLE).map_or_else(|| cache_dir().join("lab.json"), PathBuf::from);
    let mut command = Command::new(program);
    command.env(LAB_VARIABLE, lab).env("XDG_CACHE_HOME", folder.join("cache"));
    command.env("ARTIFACTS", folder.join("artifacts")).stdin(Stdio::null());
    command
}
