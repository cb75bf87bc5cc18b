//! The nodes of a kind cluster as what they are on this machine: containers of the engine, by the names of the nodes.

use std::time::Duration;

use tokio::process::Command;

use super::lab::Lab;
use super::program::{KindError, run};

/// The engine pauses, unpauses and starts a container, or runs a short command in it, within moments.
const DONE_WITHIN: Duration = Duration::from_secs(30);

/// How long a node may take to shut down before the engine kills what is left: servers write everything back first.
const SHUT_DOWN_WITHIN: Duration = Duration::from_secs(60);

/// The programs that a MySQL or MariaDB server can be.
pub const SERVERS: [&str; 2] = ["mysqld", "mariadbd"];

const API_SERVER: &str = "kube-apiserver";

/// Kills the servers in a pod, and prints the numbers of their processes. The pod's UID stands in the names of its cgroups,
/// with hyphens or, where systemd made them, with underscores: on cgroup v1 and on v2. A server is known by its program,
/// for some name their threads otherwise.
const KILL_SERVERS: &str = "\
for cgroup in $(grep -lsF -e \"$1\" -e \"$2\" /proc/[0-9]*/cgroup); do
  process=${cgroup%/cgroup}
  case $(readlink $process/exe) in */mysqld | */mariadbd) ;; *) continue ;; esac
  if kill -KILL ${process#/proc/}; then echo ${process#/proc/}; fi
done 2> /dev/null";

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

    async fn engine(&self, words: &[&str], limit: Duration) -> Result<String, KindError> {
        Ok(run(Command::new(&self.docker).args(words), limit).await?.trim().to_owned())
    }

    /// The engine's word for how a node's container is: `running`, `paused`, `exited`.
    ///
    /// # Errors
    /// When the engine knows no such container, or does not answer.
    pub async fn state(&self, node: &str) -> Result<String, KindError> {
        self.engine(&["container", "inspect", "--format", "{{.State.Status}}", node], DONE_WITHIN).await
    }

    /// Stops all processes of a node where they are.
    ///
    /// # Errors
    /// When the engine does not.
    pub async fn pause(&self, node: &str) -> Result<(), KindError> {
        self.engine(&["pause", node], DONE_WITHIN).await.map(drop)
    }

    /// Lets the processes of a node go on, where it is paused.
    ///
    /// # Errors
    /// When the engine does not.
    pub async fn unpause(&self, node: &str) -> Result<(), KindError> {
        if self.state(node).await? != "paused" {
            return Ok(());
        }
        self.engine(&["unpause", node], DONE_WITHIN).await.map(drop)
    }

    /// Shuts a node down.
    ///
    /// # Errors
    /// When the engine does not.
    pub async fn stop(&self, node: &str) -> Result<(), KindError> {
        let seconds = SHUT_DOWN_WITHIN.as_secs().to_string();
        self.engine(&["stop", "-t", &seconds, node], SHUT_DOWN_WITHIN + DONE_WITHIN).await.map(drop)
    }

    /// Starts a node, unless it runs.
    ///
    /// # Errors
    /// When the engine does not.
    pub async fn start(&self, node: &str) -> Result<(), KindError> {
        self.engine(&["start", node], DONE_WITHIN).await.map(drop)
    }

    /// Kills the servers in the pod with this UID by SIGKILL, and returns the numbers of their processes on the node. It
    /// is done from there: the first process of a container takes no SIGKILL from inside
    /// (<https://man7.org/linux/man-pages/man7/pid_namespaces.7.html>).
    ///
    /// # Errors
    /// When nothing can be run on the node.
    pub async fn kill_servers(&self, node: &str, pod_uid: &str) -> Result<Vec<String>, KindError> {
        let by_systemd = pod_uid.replace('-', "_");
        let words = ["exec", node, "sh", "-c", KILL_SERVERS, "sh", pod_uid, &by_systemd];
        let killed = self.engine(&words, DONE_WITHIN).await?;
        Ok(killed.lines().map(str::to_owned).collect())
    }

    /// The API server's process on a control-plane node: its number, and since when it is there.
    ///
    /// # Errors
    /// When there is none, or nothing can be run on the node.
    pub async fn api_server(&self, node: &str) -> Result<String, KindError> {
        let words = ["exec", "--env", "LC_ALL=C", node, "ps", "-C", API_SERVER, "-o", "pid=,lstart="];
        let told = self.engine(&words, DONE_WITHIN).await?;
        let words: Vec<&str> = told.lines().next().unwrap_or_default().split_whitespace().collect();
        Ok(words.split_first().map_or(String::new(), |(number, since)| format!("{number} since {}", since.join(" "))))
    }

    /// Kills the API server of a control-plane node by SIGKILL.
    ///
    /// # Errors
    /// When there is none, or nothing can be run on the node.
    pub async fn kill_api_server(&self, node: &str) -> Result<(), KindError> {
        self.engine(&["exec", node, "pkill", "-KILL", "-x", API_SERVER], DONE_WITHIN).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
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
}
