//! `steadfast completions`: prints a shell's completion script.

use clap::{Args, ColorChoice, Command};
use clap_complete::Shell;
use steadfast::terminal::print;

/// What it takes.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the completion script.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn act(program: Command, args: &CompletionsArgs) -> anyhow::Result<u8> {
    // The script has no colours to strip.
    print(&script(program, args.shell), ColorChoice::Always)?;
    Ok(0)
}

fn script(mut program: Command, shell: Shell) -> String {
    let (name, mut script) = (program.get_name().to_owned(), Vec::new());
    clap_complete::generate(shell, &mut program, name, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    fn program() -> Command {
        let run = Command::new("run").arg(clap::Arg::new("scale").long("timeout-scale"));
        Command::new("steadfast").subcommands([run, Command::new("upgrade")])
    }

    #[test]
    fn every_shell_learns_the_commands_and_their_options() {
        for shell in Shell::value_variants() {
            let script = script(program(), *shell);
            for word in ["run", "timeout-scale", "upgrade"] {
                assert!(script.contains(word), "{shell} does not learn {word}");
            }
        }
    }
}
