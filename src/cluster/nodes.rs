//! The nodes of a kind cluster on this machine: containers of the engine with the names of the nodes.

use std::net::IpAddr;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::Instant;

use super::lab::Lab;
use super::program::{CommandError, run};
use super::release;

/// The engine pauses, unpauses or starts a container, or runs a short command in it, well within this time.
const DONE_WITHIN: Duration = Duration::from_secs(30);

/// The runtime's message when a node starts processes faster than the cgroup v1 freezer stops them. It has let all of
/// them continue by then.
const NOT_FROZEN: &str = "unable to freeze";

/// The pause between two attempts to freeze a node, in which short-lived processes end.
const PAUSE_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// How long a node may take to shut down before the engine kills the rest: servers flush everything first.
const SHUT_DOWN_WITHIN: Duration = Duration::from_secs(60);

/// The program names of MySQL and MariaDB servers.
pub const SERVERS: [&str; 2] = ["mysqld", "mariadbd"];

const API_SERVER: &str = "kube-apiserver";

/// Kills the servers in a pod, and prints their process IDs on the node and in their containers. The names of the pod's
/// cgroups contain its UID, with hyphens or, if systemd created them, with underscores, on cgroup v1 and v2. A server
/// is recognised by its executable, because some servers rename their threads.
const KILL_SERVERS: &str = "\
for cgroup in $(grep -lsF -e \"$1\" -e \"$2\" /proc/[0-9]*/cgroup); do
  process=${cgroup%/cgroup}
  case $(readlink $process/exe) in */mysqld | */mariadbd) ;; *) continue ;; esac
  numbers=$(sed -n 's/^NSpid://p' $process/status)
  if kill -KILL ${process#/proc/}; then echo $numbers; fi
done 2> /dev/null";

/// A server process that was killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Killed {
    /// Its process ID on the node.
    pub process: String,
    /// Whether its container ends with it: the first process of a container has process ID 1 there
    /// (<https://man7.org/linux/man-pages/man7/pid_namespaces.7.html>).
    pub is_first: bool,
}

/// The containers of this machine that are nodes of kind clusters.
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

    /// Removes what an unfinished upgrade brought into a node. Its kubelet is then the old one.
    ///
    /// # Errors
    /// When something on the node cannot be moved, or started.
    pub async fn take_back_release(&self, node: &str) -> Result<(), CommandError> {
        release::take_back(&self.docker, node).await
    }

    /// The engine's state of a node's container: `running`, `paused`, `exited`.
    ///
    /// # Errors
    /// When the engine knows no such container, or does not answer.
    pub async fn state(&self, node: &str) -> Result<String, CommandError> {
        self.engine(&["container", "inspect", "--format", "{{.State.Status}}", node], DONE_WITHIN).await
    }

    /// These nodes in the order of their addresses. The engine gives a node that it starts the lowest free address, so
    /// nodes that are started in this order get their addresses back.
    ///
    /// # Errors
    /// When the engine knows no such container, or does not answer.
    pub async fn by_address(&self, nodes: Vec<String>) -> Result<Vec<String>, CommandError> {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.GlobalIPv6Address}}{{end}}";
        let mut addressed = Vec::new();
        for node in nodes {
            let told = self.engine(&["container", "inspect", "--format", format, &node], DONE_WITHIN).await?;
            let address: Option<IpAddr> = told.split_whitespace().find_map(|word| word.parse().ok());
            addressed.push((address, node));
        }
        addressed.sort_unstable();
        Ok(addressed.into_iter().map(|(_, node)| node).collect())
    }

    /// Freezes all processes of a node. On cgroup v1 this races with processes that the node starts
    /// (<https://docs.kernel.org/admin-guide/cgroup-v1/freezer-subsystem.html>), so it is retried until it succeeds.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn pause(&self, node: &str) -> Result<(), CommandError> {
        frozen(async || self.engine(&["pause", node], DONE_WITHIN).await, DONE_WITHIN).await
    }

    /// Resumes the processes of a node if it is paused.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn unpause(&self, node: &str) -> Result<(), CommandError> {
        if self.state(node).await? != "paused" {
            return Ok(());
        }
        self.engine(&["unpause", node], DONE_WITHIN).await.map(drop)
    }

    /// Shuts a node down.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn stop(&self, node: &str) -> Result<(), CommandError> {
        let seconds = SHUT_DOWN_WITHIN.as_secs().to_string();
        self.engine(&["stop", "-t", &seconds, node], SHUT_DOWN_WITHIN + DONE_WITHIN).await.map(drop)
    }

    /// Kills all processes of a node at once, also if they are frozen, and waits for their end.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn kill(&self, node: &str) -> Result<(), CommandError> {
        if self.state(node).await? != "exited" {
            self.engine(&["kill", node], DONE_WITHIN).await?;
            self.engine(&["wait", node], DONE_WITHIN).await?;
        }
        Ok(())
    }

    /// Starts a node unless it is running.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn start(&self, node: &str) -> Result<(), CommandError> {
        self.engine(&["start", node], DONE_WITHIN).await.map(drop)
    }

    /// Kills the servers in the pod with this UID by SIGKILL from the node, and returns their processes. The first
    /// process of a container ignores a SIGKILL from inside
    /// (<https://man7.org/linux/man-pages/man7/pid_namespaces.7.html>).
    ///
    /// # Errors
    /// When no command can run on the node.
    pub async fn kill_servers(&self, node: &str, pod_uid: &str) -> Result<Vec<Killed>, CommandError> {
        let by_systemd = pod_uid.replace('-', "_");
        let words = ["exec", node, "sh", "-c", KILL_SERVERS, "sh", pod_uid, &by_systemd];
        let killed = self.engine(&words, DONE_WITHIN).await?;
        Ok(killed.lines().filter_map(killed_process).collect())
    }

    /// The API server's process on a control plane node: its ID and start time.
    ///
    /// # Errors
    /// When there is none, or when no command can run on the node.
    pub async fn api_server(&self, node: &str) -> Result<String, CommandError> {
        let words = ["exec", "--env", "LC_ALL=C", node, "ps", "-C", API_SERVER, "-o", "pid=,lstart="];
        let told = self.engine(&words, DONE_WITHIN).await?;
        let words: Vec<&str> = told.lines().next().unwrap_or_default().split_whitespace().collect();
        Ok(words.split_first().map_or(String::new(), |(number, since)| format!("{number} since {}", since.join(" "))))
    }

    /// Kills the API server on a control plane node by SIGKILL.
    ///
    /// # Errors
    /// When there is none, or when no command can run on the node.
    pub async fn kill_api_server(&self, node: &str) -> Result<(), CommandError> {
        self.engine(&["exec", node, "pkill", "-KILL", "-x", API_SERVER], DONE_WITHIN).await.map(drop)
    }
}

/// Parses a process from its IDs, the node's first.
fn killed_process(numbers: &str) -> Option<Killed> {
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    Some(Killed {
        process: (*numbers.first()?).to_owned(),
        is_first: numbers.len() > 1 && numbers.last() == Some(&"1"),
    })
}

/// Retries freezing until the engine succeeds.
async fn frozen(freeze: impl AsyncFn() -> Result<String, CommandError>, limit: Duration) -> Result<(), CommandError> {
    let begun = Instant::now();
    loop {
        match freeze().await {
            Err(CommandError::Failed { output, .. }) if output.contains(NOT_FROZEN) && begun.elapsed() < limit => {
                // Nothing reports when the short-lived processes have ended.
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

    /// How often an engine is asked that fails so often before it succeeds, and the result.
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
