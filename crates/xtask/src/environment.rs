//! Removes what `cargo run` adds to the environment of the program that it starts.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

/// The variable with the search path for shared libraries.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// Removes from a command the variables that `cargo run` added. Otherwise a build script that watches such a variable
/// would run again, and its dependents would be built again.
pub(crate) fn without_cargo_run(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_added(name)) {
        command.env_remove(name);
    }
    let (Some(cargo), Ok(program), Some(libraries)) =
        (std::env::var_os("CARGO"), std::env::current_exe(), std::env::var_os(LIBRARIES))
    else {
        return;
    };
    let toolchain = Path::new(&cargo).parent().and_then(Path::parent);
    let added: Vec<&Path> = program.parent().into_iter().chain(toolchain).collect();
    match libraries_without(&libraries, &added) {
        Some(libraries) => command.env(LIBRARIES, libraries),
        None => command.env_remove(LIBRARIES),
    };
}

/// Whether Cargo sets a variable only for a program that it starts. Other variables that begin with `CARGO_` are
/// settings.
fn is_added(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || matches!(&*name, "CARGO" | "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH")
}

/// A search path without the entries below these directories. `None` if no entry remains.
fn libraries_without(path: &OsStr, directories: &[&Path]) -> Option<OsString> {
    let is_below = |path: &Path| directories.iter().any(|directory| path.starts_with(directory));
    let left: Vec<_> = std::env::split_paths(path).filter(|path| !is_below(path)).collect();
    std::env::join_paths(left).ok().filter(|path| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_stay() {
        for name in ["CARGO", "CARGO_PKG_VERSION", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
            assert!(is_added(OsStr::new(name)), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "RUSTFLAGS", "PATH"] {
            assert!(!is_added(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn libraries_of_others_stay() {
        let added = [Path::new("/target/debug"), Path::new("/toolchain")];
        let left = |path: &str| libraries_without(OsStr::new(path), &added);
        assert_eq!(left("/target/debug:/target/debug/deps:/toolchain/lib:/opt/lib"), Some("/opt/lib".into()));
        assert_eq!(left("/target/debug:/toolchain/lib"), None);
    }

    #[test]
    fn a_command_has_nothing_of_cargo() {
        // `cargo test` adds the same variables as `cargo run`.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let mut command = Command::new("env");
        without_cargo_run(&mut command);
        let output = String::from_utf8(command.output().expect("env").stdout).expect("a text");
        assert!(output.contains("PATH=") && !output.contains("CARGO_PKG_") && !output.contains("CARGO_MANIFEST_DIR"));
    }
}
