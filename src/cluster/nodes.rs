//! The nodes of a kind cluster as what they are on this machine: containers of the engine, by the names of the nodes.

use std::time::Duration;

use tokio::process::Command;
use tokio::time::Instant;

use super::lab::Lab;
use super::program::{CommandError, run};
use super::release;

/// The engine pauses, unpauses and starts a container, or runs a short command in it, within moments.
const DONE_WITHIN: Duration = Duration::from_secs(30);

/// What the engine's runtime says where a node starts processes faster than the freezer of cgroup v1 stops them. It has let
/// all of them go on then.
const NOT_FROZEN: &str = "unable to freeze";

/// Between two tries to freeze a node: processes that came too fast are over by then.
const PAUSE_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long a node may take to shut down before the engine kills what is left: servers write everything back first.
const SHUT_DOWN_WITHIN: Duration = Duration::from_secs(60);

/// The programs that a MySQL or MariaDB server can be.
pub const SERVERS: [&str; 2] = ["mysqld", "mariadbd"];

const API_SERVER: &str = "kube-apiserver";

/// Kills the servers in a pod, and prints the numbers of their processes, on the node and in their containers. The pod's UID stands in the names of its cgroups,
/// with hyphens or, where systemd made them, with underscores: on cgroup v1 and on v2. A server is known by its program,
/// for some name their threads otherwise.
const KILL_SERVERS: &str = "\
for cgroup in $(grep -lsF -e \"$1\" -e \"$2\" /proc/[0-9]*/cgroup); do
  process=${cgroup%/cgroup}
  case $(readlink $process/exe) in */mysqld | */mariadbd) ;; *) continue ;; esac
  numbers=$(sed -n 's/^NSpid://p' $process/status)
  if kill -KILL ${process#/proc/}; then echo $numbers; fi
done 2> /dev/null";

/// A server's process that was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Killed {
    /// Its number on the node.
    pub process: String,
    /// Whether its container ends with it: the first process of a container is number 1 there
    /// (<https://man7.org/linux/man-pages/man7/pid_namespaces.7.html>).
    pub is_first: bool,
}

/// The containers that the nodes of a kind cluster of this machine are.
#[derive(Debug, Clone)]
pub struct Nodes {
    docker: String,
}

impl Nodes {
    /// The nodes of this lab's clusters.
    pub fn of(lab: &Lab) -> Self {
        Self { docker: lab.docker.clone() }
    }

    async fn engine(&self, words: &[&str], limit: Duration) -> Result<String, CommandError> {
        Ok(run(Command::new(&self.docker).args(words), limit).await?.trim().to_owned())
    }

    /// Takes out of a node what an upgrade that did not come to its end brought into it; its kubelet is the one from before
    /// then.
    ///
    /// # Errors
    /// When something on the node cannot be moved, or started.
    pub async fn take_back_release(&self, node: &str) -> Result<(), CommandError> {
        release::take_back(&self.docker, node).await
    }

    /// The engine's word for how a node's container is: `running`, `paused`, `exited`.
    ///
    /// # Errors
    /// When the engine knows no such container, or does not answer.
    pub async fn state(&self, node: &str) -> Result<String, CommandError> {
        self.engine(&["container", "inspect", "--format", "{{.State.Status}}", node], DONE_WITHIN).await
    }

    /// Stops all processes of a node where they are. On cgroup v1 that is a race with the processes that the node starts
    /// (<https://docs.kernel.org/admin-guide/cgroup-v1/freezer-subsystem.html>), and is tried until it is won.
    ///
    /// # Errors
    /// When the engine does not.
    pub async fn pause(&self, node: &str) -> Result<(), CommandError> {
        frozen(async || self.engine(&["pause", node], DONE_WITHIN).await, DONE_WITHIN).await
    }

    /// Lets the processes of a node go on, where it is paused.
    ///
    /// # Errors
    /// When the engine does not.
    pub async fn unpause(&self, node: &str) -> Result<(), CommandError> {
        if self.state(node).await? != "paused" {
            return Ok(());
        }
        self.engine(&["unpause", node], DONE_WITHIN).await.map(drop)
    }

    /// Shuts a node down.
    ///
    /// # Errors
    /// When the engine does not.
    pub async fn stop(&self, node: &str) -> Result<(), CommandError> {
        let seconds = SHUT_DOWN_WITHIN.as_secs().to_string();
        self.engine(&["stop", "-t", &seconds, node], SHUT_DOWN_WITHIN + DONE_WITHIN).await.map(drop)
    }

    /// Starts a node, unless it runs.
    ///
    /// # Errors
    /// When the engine does not.
    pub async fn start(&self, node: &str) -> Result<(), CommandError> {
        self.engine(&["start", node], DONE_WITHIN).await.map(drop)
    }

    /// Kills the servers in the pod with this UID by SIGKILL, and returns their processes. It is done from there: the first process of a container takes no SIGKILL from inside
    /// (<https://man7.org/linux/man-pages/man7/pid_namespaces.7.html>).
    ///
    /// # Errors
    /// When nothing can be run on the node.
    pub async fn kill_servers(&self, node: &str, pod_uid: &str) -> Result<Vec<Killed>, CommandError> {
        let by_systemd = pod_uid.replace('-', "_");
        let words = ["exec", node, "sh", "-c", KILL_SERVERS, "sh", pod_uid, &by_systemd];
        let killed = self.engine(&words, DONE_WITHIN).await?;
        Ok(killed.lines().filter_map(killed_process).collect())
    }

    /// The API server's process on a control-plane node: its number, and since when it is there.
    ///
    /// # Errors
    /// When there is none, or nothing can be run on the node.
    pub async fn api_server(&self, node: &str) -> Result<String, CommandError> {
        let words = ["exec", "--env", "LC_ALL=C", node, "ps", "-C", API_SERVER, "-o", "pid=,lstart="];
        let told = self.engine(&words, DONE_WITHIN).await?;
        let words: Vec<&str> = told.lines().next().unwrap_or_default().split_whitespace().collect();
        Ok(words.split_first().map_or(String::new(), |(number, since)| format!("{number} since {}", since.join(" "))))
    }

    /// Kills the API server of a control-plane node by SIGKILL.
    ///
    /// # Errors
    /// When there is none, or nothing can be run on the node.
    pub async fn kill_api_server(&self, node: &str) -> Result<(), CommandError> {
        self.engine(&["exec", node, "pkill", "-KILL", "-x", API_SERVER], DONE_WITHIN).await.map(drop)
    }
}

/// A process by its numbers, the node's first.
fn killed_process(numbers: &str) -> Option<Killed> {
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    Some(Killed {
        process: (*numbers.first()?).to_owned(),
        is_first: numbers.len() > 1 && numbers.last() == Some(&"1"),
    })
}

/// Has the engine freeze something until it has done so.
async fn frozen(freeze: impl AsyncFn() -> Result<String, CommandError>, limit: Duration) -> Result<(), CommandError> {
    let begun = Instant::now();
    loop {
        match freeze().await {
            Err(CommandError::Failed { output, .. }) if output.contains(NOT_FROZEN) && begun.elapsed() < limit => {
                // Nobody tells when the processes that came too fast are over.
                tokio::time::sleep(PAUSE_AGAIN_AFTER).await;
            }
            done => return done.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_servers_of_other_pods_live_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = folder.path().join(SERVERS[0]);
        std::fs::copy("/bin/sleep", &server).expect("a copy");
        let mut server = std::process::Command::new(server).arg("1000").spawn().expect("sleep");
        let uid = "00000000-0000-4000-8000-00000000beef";
        let killed =
            std::process::Command::new("sh").args(["-c", KILL_SERVERS, "sh", uid, &uid.replace('-', "_")]).output();
        let killed = killed.expect("sh");
        assert!(killed.status.success() && killed.stdout.is_empty(), "{killed:?}");
        assert!(server.try_wait().expect("its state").is_none(), "it was killed");
        server.kill().expect("it is there");
        server.wait().expect("it ends");
    }

    #[test]
    fn the_first_process_of_a_container_is_known_by_its_number_there() {
        let is_first = |numbers| killed_process(numbers).map(|killed| (killed.process, killed.is_first));
        assert_eq!(is_first("2211 1"), Some(("2211".to_owned(), true)));
        assert_eq!(is_first("2211 97"), Some(("2211".to_owned(), false)));
        assert_eq!(is_first("1"), Some(("1".to_owned(), false)), "a container that shares the node's numbers");
        assert_eq!(is_first(""), None);
    }

    /// How often an engine is asked that says this so many times before it does what it is asked, and what comes of it.
    async fn asked(says: &str, times: usize, limit: Duration) -> (usize, Result<(), CommandError>) {
        let asked = Cell::new(0);
        let freeze = async || {
            asked.set(asked.get() + 1);
            if asked.get() > times {
                return Ok("worker".to_owned());
            }
            Err(CommandError::Failed { command: "docker pause worker".to_owned(), output: says.to_owned() })
        };
        let done = frozen(freeze, limit).await;
        (asked.get(), done)
    }

    const RACE: &str = "Cannot pause container 9cb8f9: OCI runtime pause failed: unable to freeze: unknown";

    #[tokio::test]
    async fn a_race_against_processes_is_run_until_it_is_won() {
        assert!(matches!(asked(RACE, 2, DONE_WITHIN).await, (3, Ok(()))));
    }

    #[tokio::test]
    async fn a_race_that_is_not_won_ends() {
        let (times, refused) = asked(RACE, 1, Duration::ZERO).await;
        assert_eq!(refused.expect_err("it is not frozen").last_line(), RACE);
        assert_eq!(times, 1);
    }

    #[tokio::test]
    async fn what_is_no_race_is_an_error_at_once() {
        let (times, refused) = asked("No such container: worker", 1, DONE_WITHIN).await;
        assert_eq!(refused.expect_err("it is not there").last_line(), "No such container: worker");
        assert_eq!(times, 1);
    }
}
