use std::cell::RefCell;

use super::*;

/// A runner that runs nothing and records each command and each printed line.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// The recorded commands and printed lines.
    pub noted: RefCell<Vec<String>>,
    /// Commands that contain one of these fail.
    pub fails: Vec<&'static str>,
    /// The output of commands: a command that begins with the first text prints the second.
    pub prints: Vec<(&'static str, &'static str)>,
    /// The programs that are missing.
    pub lacks: Vec<&'static str>,
}

impl Recorder {
    /// The recorded lines.
    pub(crate) fn commands(&self) -> String {
        self.noted.borrow().join("\n")
    }
}

impl Runner for Recorder {
    fn run(&self, command: &Cmd) -> Result<(), CommandError> {
        self.output(command).map(drop)
    }

    fn output(&self, command: &Cmd) -> Result<String, CommandError> {
        let text = command.to_string();
        let fails = self.fails.iter().any(|part| text.contains(part));
        let printed = self.prints.iter().find(|(start, _)| text.starts_with(start)).map(|(_, printed)| *printed);
        self.noted.borrow_mut().push(text.clone());
        if fails {
            Err(CommandError::Failed { command: text, code: 3 })
        } else {
            Ok(printed.unwrap_or_default().into())
        }
    }

    fn has(&self, program: &str) -> bool {
        !self.lacks.contains(&program)
    }

    fn tell(&self, text: &str) {
        self.noted.borrow_mut().push(text.to_owned());
    }
}

fn machine() -> Machine {
    Machine { path: std::env::var_os("PATH").expect("a search path"), interrupted: Arc::default() }
}

fn shell(script: &str) -> Cmd {
    Cmd::new("sh").arg("-c").arg(script)
}

#[test]
fn a_command_shows_what_a_shell_would_take() {
    let command =
        Cmd::cargo("test --locked").arg("--skip").arg("a b").env("RUSTDOCFLAGS", "-D warnings").env("PART", "1/1");
    assert_eq!(command.to_string(), "RUSTDOCFLAGS='-D warnings' PART=1/1 cargo test --locked --skip 'a b'");
}

#[test]
fn a_failure_tells_the_command_and_its_exit_code() {
    let error = machine().output(&shell("exit 7")).expect_err("it fails");
    assert_eq!((error.to_string().as_str(), error.code()), ("`sh -c 'exit 7'` failed with exit code 7", 7));
    assert_eq!(machine().output(&shell("kill -TERM $$")).expect_err("it is ended").code(), 143);
    let error = machine().output(&Cmd::new("/nowhere/go")).expect_err("it is not there");
    assert!(error.to_string().starts_with("cannot run `/nowhere/go`: No such file"), "{error}");
    assert_eq!(error.code(), 1);
}

#[test]
fn what_a_command_prints_is_returned() {
    let command = shell("echo $A; pwd; read line || echo no input").env("A", "b").directory("/");
    assert_eq!(machine().output(&command).expect("it passes"), "b\n/\nno input\n");
}

#[test]
fn a_command_that_passes_while_the_program_is_interrupted_is_not_followed_by_another() {
    let machine = machine();
    machine.interrupted.store(true, Ordering::Relaxed);
    let error = machine.output(&shell("true")).expect_err("it was interrupted");
    assert_eq!((error.to_string().as_str(), error.code()), ("interrupted", 130));
}

#[test]
fn programs_are_looked_for_on_the_search_path() {
    assert!(machine().has("sh") && !machine().has("no-such-program"));
}
