//! Programs of the lab: run to their end, or ended with everything that they started.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

/// The lines of a failed program's output that are shown: the last ones say what was wrong.
const SHOWN_LINES: usize = 12;

/// A program of the lab failed.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    /// It could not be started.
    #[error("cannot run {program}: {source}; run ci/setup, or `steadfast doctor` to see what is missing")]
    Start {
        /// The program.
        program: String,
        /// What happened.
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("`{command}` failed:\n{output}\n`steadfast doctor` shows whether this machine has what it needs")]
    Failed {
        /// The command.
        command: String,
        /// Its last lines.
        output: String,
    },
    /// It did not end.
    #[error(
        "`{command}` did not end within {limit:?}; `steadfast doctor` shows whether this machine is short of something"
    )]
    Slow {
        /// The command.
        command: String,
        /// How long it was given.
        limit: Duration,
    },
    /// A file of the run could not be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
}

/// Runs a command to its end and returns its standard output.
pub(super) async fn run(command: &mut Command, limit: Duration) -> Result<String, KindError> {
    run_known(command, limit, |_| Ok(())).await
}

/// Runs a command to its end and returns its standard output; `begun` is told its process group. The child has a group
/// of its own: a Ctrl-C is this program's to handle, and a child that dies of it would leave half a cluster.
pub(super) async fn run_known(
    command: &mut Command,
    limit: Duration,
    begun: impl FnOnce(u32) -> Result<(), KindError>,
) -> Result<String, KindError> {
    let shown = {
        let standard = command.as_std();
        let words = std::iter::once(standard.get_program()).chain(standard.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    let start = |source| KindError::Start { program: shown.split(' ').next().unwrap_or_default().to_owned(), source };
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = piped.process_group(0).spawn().map_err(start)?;
    let mut group = Group(child.id());
    if let Some(id) = group.0 {
        begun(id)?;
    }
    let output = match tokio::time::timeout(limit, child.wait_with_output()).await {
        Ok(output) => output.map_err(start)?,
        Err(_) => return Err(KindError::Slow { command: shown, limit }),
    };
    group.0 = None;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let output = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    Err(KindError::Failed { command: shown, output })
}

/// A child's process group, which dies with this value: kind that is killed alone leaves engine clients behind that go
/// on making containers.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            kill_group(id);
        }
    }
}

fn kill_group(id: u32) {
    if let Some(group) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // A group that is gone is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Kills the process group that a killed run left at work, known by its number and by the cluster's name among its
/// leader's arguments: numbers are given again.
pub(super) fn kill_left_behind(id: u32, cluster: &str) {
    let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    if arguments.split(|byte| *byte == 0).any(|argument| argument == cluster.as_bytes()) {
        kill_group(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_failure_shows_the_command_and_its_last_lines() {
        let mut command = Command::new("sh");
        command.args(["-c", "seq 20; echo no room >&2; exit 1"]);
        let error = run(&mut command, SOON).await.expect_err("it fails").to_string();
        assert!(error.starts_with("`sh -c seq 20; echo no room >&2; exit 1` failed:\n10\n11\n"), "{error}");
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("/nowhere/kind"), SOON).await.expect_err("it is not there").to_string();
        assert!(error.starts_with("cannot run /nowhere/kind: No such file"), "{error}");
    }

    #[tokio::test]
    async fn what_a_slow_program_started_ends_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("child");
        let script = format!("sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", path.display());
        let mut command = Command::new("sh");
        command.args(["-c", &script]);
        let begun = async {
            while !path.exists() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::select! {
            ended = run(&mut command, SOON) => panic!("it ended: {ended:?}"),
            () = begun => {}
        }
        let child = std::fs::read_to_string(&path).expect("the child's number");
        let status = format!("/proc/{}/status", child.trim());
        // Whoever adopts the child may take its time to reap it.
        let lives = || std::fs::read_to_string(&status).is_ok_and(|text| !text.contains("State:\tZ"));
        let gone = async {
            while lives() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(SOON, gone).await.expect("the child dies with its group");
    }

    #[test]
    fn only_a_process_that_names_the_cluster_is_killed() {
        let mut other = std::process::Command::new("sleep").arg("1000").spawn().expect("sleep");
        kill_left_behind(other.id(), "steadfast-x");
        assert!(other.try_wait().expect("its state").is_none(), "it was killed");
        other.kill().and_then(|()| other.wait()).expect("it ends");
    }
}
