//! Runs programs of the lab to their end or kills them, and deals with processes that outlive them.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

/// How many of the last lines of a failed program's output to show: the cause is there.
const SHOWN_LINES: usize = 12;

/// A program of the lab failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot run {program}: {source}; run ci/setup, or `steadfast doctor` to see what is missing")]
    Start {
        /// The program.
        program: String,
        /// The I/O error.
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
        "`{command}` did not finish within {limit:?}; `steadfast doctor` shows whether this machine lacks resources"
    )]
    Slow {
        /// The command.
        command: String,
        /// Its time limit.
        limit: Duration,
    },
    /// The cluster to remove is not on this engine.
    #[error(
        "the cluster {cluster}, which a killed run left, is on another container engine (its ID is {engine}); run \
         `steadfast down` with DOCKER_HOST or the docker context set to that engine"
    )]
    AnotherEngine {
        /// The cluster.
        cluster: String,
        /// The engine's ID.
        engine: String,
    },
    /// A file of the run could not be written.
    #[error("cannot write {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
}

impl CommandError {
    /// The last line of the program's output, where most programs name the cause.
    pub fn last_line(&self) -> String {
        match self {
            Self::Failed { output, .. } => output.lines().last().unwrap_or("it said nothing").to_owned(),
            other => other.to_string(),
        }
    }
}

/// Runs a command to its end and returns its standard output.
pub(super) async fn run(command: &mut Command, limit: Duration) -> Result<String, CommandError> {
    run_known(command, limit, |_| Ok(())).await
}

/// Runs a command to its end and returns its standard output; `begun` receives its process group. The child has its own
/// group because this program handles Ctrl-C: a child that died of it would leave half a cluster.
pub(super) async fn run_known(
    command: &mut Command,
    limit: Duration,
    begun: impl FnOnce(u32) -> Result<(), CommandError>,
) -> Result<String, CommandError> {
    let shown = {
        let standard = command.as_std();
        let words = std::iter::once(standard.get_program()).chain(standard.get_args());
        words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    let start =
        |source| CommandError::Start { program: shown.split(' ').next().unwrap_or_default().to_owned(), source };
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = piped.process_group(0).kill_on_drop(true).spawn().map_err(start)?;
    if let Some(group) = child.id() {
        begun(group)?;
    }
    let output = match tokio::time::timeout(limit, child.wait_with_output()).await {
        Ok(output) => output.map_err(start)?,
        Err(_) => return Err(CommandError::Slow { command: shown, limit }),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let output = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    Err(CommandError::Failed { command: shown, output })
}

/// Kills the leader of a process group that a killed run left running. It is recognised by the cluster's name among its
/// arguments, because process IDs are reused.
pub(super) fn kill_leader(group: u32, cluster: &str) {
    let arguments = std::fs::read(format!("/proc/{group}/cmdline")).unwrap_or_default();
    if arguments.split(|byte| *byte == 0).any(|argument| argument == cluster.as_bytes())
        && let Some(leader) = i32::try_from(group).ok().and_then(Pid::from_raw)
    {
        // It is fine if the process has ended in between.
        let _ = kill_process(leader, Signal::KILL);
    }
}

/// Whether a process of this group is running. A killed kind leaves clients of the engine behind, and the engine
/// completes their requests.
pub(super) fn lives(group: u32) -> bool {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok()).any(|stat| {
        // The name, in parentheses, can hold anything. After it come state, parent and group.
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let mut words = behind.split_whitespace();
        words.next().is_some_and(|state| state != "Z") && words.nth(1) == Some(&group.to_string())
    })
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
    async fn a_group_lives_as_long_as_what_its_leader_started() {
        let mut leader = Command::new("sh");
        leader.args(["-c", "read line & read line"]).stdin(Stdio::piped()).process_group(0).kill_on_drop(true);
        let mut leader = leader.spawn().expect("sh");
        let group = leader.id().expect("it runs");
        assert!(lives(group));
        leader.kill().await.expect("it dies");
        // The remaining process reads until the pipe is closed, or ends at once if the shell gives it no input.
        drop(leader);
        let gone = async {
            while lives(group) {
                // Nothing reports the end of a process that is not our child.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(SOON, gone).await.expect("nothing is left of the group");
    }

    #[test]
    fn only_a_process_that_names_the_cluster_is_killed() {
        let mut sleeper = std::process::Command::new("sleep").args(["1000"]).spawn().expect("sleep");
        kill_leader(sleeper.id(), "steadfast-x");
        assert!(sleeper.try_wait().expect("its state").is_none(), "another one was killed");
        let begun = std::time::Instant::now();
        // A new process shows its arguments only after a short time.
        while sleeper.try_wait().expect("its state").is_none() && begun.elapsed() < SOON {
            kill_leader(sleeper.id(), "1000");
        }
        sleeper.kill().expect("it is there or has ended");
        sleeper.wait().expect("it ends");
        assert!(begun.elapsed() < SOON, "it was not killed");
    }
}
