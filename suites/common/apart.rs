//! Runs the program isolated from other runs on this machine: its leases and artifacts are in a separate folder. It
//! uses this machine's lab.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use steadfast::cluster::{LAB_VARIABLE, cache_dir};

pub fn program(folder: &Path) -> Command {
    let lab = std::env::var_os(LAB_VARIABLE).map_or_else(|| cache_dir().join("lab.json"), PathBuf::from);
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.env(LAB_VARIABLE, lab).env("XDG_CACHE_HOME", folder.join("cache"));
    command.env("ARTIFACTS", folder.join("artifacts")).stdin(Stdio::null());
    command
}
