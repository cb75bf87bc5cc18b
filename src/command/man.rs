//! `steadfast man`: the manual pages.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, ColorChoice, Command};
use clap_mangen::Man;
use steadfast::terminal::{print, tell};

use super::ending::usage;

/// What it takes.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder to write the pages to: one for the program and one for each command. Without it, the program's page
    /// is printed.
    dir: Option<PathBuf>,
}

/// Prints the program's page, or writes all pages.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn act(program: Command, args: &ManArgs) -> anyhow::Result<u8> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(program).render(&mut page)?;
        // The page has no colours to strip.
        print(&String::from_utf8_lossy(&page), ColorChoice::Always)?;
        return Ok(0);
    };
    match write_pages(program, dir) {
        Ok(count) => {
            tell(&format!("{count} pages written: man -l {}", dir.join("steadfast.1").display()));
            Ok(0)
        }
        Err(error) => {
            Ok(usage(&format!("cannot write the manual pages to {}: {error}; give a writable folder", dir.display())))
        }
    }
}

/// Writes `steadfast.1` and a page for each command, such as `steadfast-run.1`, and returns their number.
fn write_pages(program: Command, dir: &Path) -> io::Result<usize> {
    std::fs::create_dir_all(dir)?;
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let all: Vec<Command> = std::iter::once(program.clone()).chain(commands).collect();
    for command in &all {
        let page = Man::new(command.clone());
        let mut text = Vec::new();
        page.render(&mut text)?;
        std::fs::write(dir.join(page.get_filename()), text)?;
    }
    Ok(all.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> Command {
        let run = Command::new("run").arg(clap::Arg::new("scale").long("timeout-scale"));
        Command::new("steadfast").subcommands([run, Command::new("up"), Command::new("secret").hide(true)])
    }

    #[test]
    fn each_command_has_a_page_with_its_options() {
        let folder = tempfile::tempdir().expect("a folder");
        // The folder need not exist.
        let dir = folder.path().join("share/man1");
        assert_eq!(write_pages(program(), &dir).expect("written"), 3);
        assert_eq!(std::fs::read_dir(&dir).expect("the folder").count(), 3);
        let page = |name: &str| std::fs::read_to_string(dir.join(name)).expect(name);
        assert!(page("steadfast.1").contains("steadfast\\-up(1)"), "{}", page("steadfast.1"));
        assert!(page("steadfast-run.1").contains("\\-\\-timeout\\-scale"), "{}", page("steadfast-run.1"));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert!(write_pages(program(), &file.path().join("pages")).is_err());
    }
}
