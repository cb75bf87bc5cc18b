//! The disks below the volumes of a kind cluster's nodes. Each is a file system in a file of its node. It can be shut down
//! without a flush: what was not synced is then lost, as in a power cut.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::time::Instant;

use super::lab::Lab;
use super::program::{CommandError, run};
use crate::evidence::{PowerCut, PowerRestored};

/// Where the local path provisioner of kind creates volumes on a node, and where the disk is mounted.
const MOUNT: &str = "/var/local-path-provisioner";

/// The unit that mounts a node's disk before its kubelet starts.
const UNIT: &str = "steadfast-disk.service";

/// The size of a disk. Its file is sparse.
const SIZE: &str = "16G";

/// A tool starts in a container of its own and ends well within this time.
const DONE_WITHIN: Duration = Duration::from_secs(60);

/// How long the kernel may take to release the disk of a node that was killed.
const RELEASED_WITHIN: Duration = Duration::from_secs(30);

/// The polling interval for that: the kernel does not report it.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The file system of the disks of a new cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum FileSystem {
    /// ext4.
    #[default]
    Ext4,
    /// XFS.
    Xfs,
}

impl FileSystem {
    /// Its name, as `mount` knows it.
    fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }
}

/// The tools for the disks of nodes. They run in a privileged container on the engine of the nodes.
#[derive(Debug, Clone)]
pub struct Disks {
    docker: String,
    image: String,
}

impl Disks {
    /// The tools of this lab, if it has them.
    pub fn of(lab: &Lab) -> Option<Self> {
        let image = lab.disk.as_ref()?.image.clone();
        Some(Self { docker: lab.docker.clone(), image })
    }

    async fn engine(&self, words: &[&str]) -> Result<String, CommandError> {
        run(Command::new(&self.docker).args(words), DONE_WITHIN).await
    }

    /// Runs a tool on these nodes. Returns the lines that it prints for each node, as pairs of key and value.
    async fn tool(&self, words: &[&str], nodes: &[String]) -> Result<Told, CommandError> {
        let format = "{{slice .Name 1}}={{.State.Pid}}";
        let mut inspect = vec!["container", "inspect", "--format", format];
        inspect.extend(nodes.iter().map(String::as_str));
        let inits = self.engine(&inspect).await?;
        let names: Vec<&str> = words.iter().copied().chain(inits.split_whitespace()).collect();
        self.run_tool(&names).await
    }

    async fn run_tool(&self, words: &[&str]) -> Result<Told, CommandError> {
        let container = ["run", "--rm", "--privileged", "--pid", "host", "--network", "none", &self.image];
        self.engine(&[&container, words].concat()).await.map(|printed| told(&printed))
    }

    /// Gives each of these nodes a disk, on which volumes are created from then on.
    ///
    /// # Errors
    /// When a disk cannot be made or mounted. The nodes then work without.
    pub(super) async fn make(&self, nodes: &[String], file_system: FileSystem) -> Result<(), CommandError> {
        let made = async {
            self.tool(&["make", file_system.name(), SIZE], nodes).await?;
            try_join_all(nodes.iter().map(|node| self.unit(node, "enable"))).await
        };
        let made = made.await.map(drop);
        if made.is_err() {
            // A kubelet whose disk cannot be mounted would not start again.
            join_all(nodes.iter().map(|node| self.unit(node, "disable"))).await;
        }
        made
    }

    async fn unit(&self, node: &str, verb: &str) -> Result<String, CommandError> {
        self.engine(&["exec", node, "systemctl", verb, "--now", UNIT]).await
    }

    /// Whether each of these nodes has a disk.
    pub async fn are_on(&self, nodes: &[String]) -> bool {
        let found = nodes.iter().map(|node| async move {
            let mounted = self.engine(&["exec", node, "findmnt", "--noheadings", "--output", "SOURCE", MOUNT]).await;
            mounted.is_ok_and(|source| source.starts_with("/dev/loop"))
        });
        join_all(found).await.into_iter().all(|found| found)
    }

    /// Writes everything to the disks of these nodes.
    ///
    /// # Errors
    /// When a node does not run.
    pub async fn sync(&self, nodes: &[String]) -> Result<(), CommandError> {
        self.tool(&["sync"], nodes).await.map(drop)
    }

    /// Shuts the file systems of these nodes down without a flush, all at once. Every access fails from then on.
    ///
    /// # Errors
    /// When a node neither runs nor is paused.
    pub async fn cut(&self, nodes: &[String]) -> Result<Vec<PowerCut>, CommandError> {
        let told = self.tool(&["cut"], nodes).await?;
        Ok(nodes.iter().map(|node| power_cut(node, told.get(node).map_or(&[], Vec::as_slice))).collect())
    }

    /// What is left of the marks on the disks of these nodes.
    ///
    /// # Errors
    /// When a node does not run.
    pub async fn read(&self, nodes: &[String]) -> Result<Vec<PowerRestored>, CommandError> {
        let told = self.tool(&["read"], nodes).await?;
        let of = |node: &String| {
            let told = told.get(node).map_or(&[][..], Vec::as_slice);
            PowerRestored {
                node: node.clone(),
                synced_bytes: bytes(told, "synced"),
                unsynced_bytes: bytes(told, "unsynced"),
            }
        };
        Ok(nodes.iter().map(of).collect())
    }

    /// Waits until the kernel has released the disks of these nodes, which do not run. A disk that is mounted twice is
    /// lost.
    ///
    /// # Errors
    /// When it does not release them in time.
    pub async fn released(&self, nodes: &[String]) -> Result<(), CommandError> {
        let files: Vec<String> = nodes.iter().map(|node| format!("{node}.img")).collect();
        let held = self.still_held(&files).await?;
        if held.is_empty() {
            return Ok(());
        }
        let command = format!("the release of the disks by the kernel, which still holds {}", held.join(", "));
        Err(CommandError::Slow { command, limit: RELEASED_WITHIN })
    }

    /// The loop devices that hold disks of a cluster after a while, when its nodes are gone.
    ///
    /// # Errors
    /// When the engine fails.
    pub(super) async fn left_by(&self, cluster: &str) -> Result<Vec<String>, CommandError> {
        self.still_held(&[format!("{cluster}-")]).await
    }

    /// The loop devices of the disks whose files begin with these names, once there are none or time is up.
    async fn still_held(&self, names: &[String]) -> Result<Vec<String>, CommandError> {
        let words: Vec<&str> = std::iter::once("loops").chain(names.iter().map(String::as_str)).collect();
        let begun = Instant::now();
        loop {
            let told = self.run_tool(&words).await?;
            let held: Vec<String> = told.into_values().flatten().map(|(_, device)| device).collect();
            if held.is_empty() || begun.elapsed() >= RELEASED_WITHIN {
                return Ok(held);
            }
            tokio::time::sleep(ASK_AGAIN_AFTER).await;
        }
    }
}

/// What a tool told of each node: pairs of key and value.
type Told = BTreeMap<String, Vec<(String, String)>>;

fn told(printed: &str) -> Told {
    let mut told = Told::new();
    for line in printed.lines() {
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        if let (Some(node), Some(key), Some(value)) = (words.next(), words.next(), words.next()) {
            told.entry(node).or_default().push((key, value));
        }
    }
    told
}

fn values<'a>(told: &'a [(String, String)], key: &'a str) -> impl Iterator<Item = &'a str> {
    told.iter().filter(move |(it, _)| it == key).map(|(_, value)| value.as_str())
}

fn bytes(told: &[(String, String)], key: &str) -> u64 {
    values(told, key).next().and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}

fn power_cut(node: &str, told: &[(String, String)]) -> PowerCut {
    let text = |key| values(told, key).next().unwrap_or_default().to_owned();
    PowerCut {
        node: node.to_owned(),
        file_system: text("file-system"),
        kernel: text("kernel"),
        volumes: values(told, "volume").map(str::to_owned).collect(),
        synced_bytes: bytes(told, "synced"),
        unsynced_bytes: bytes(told, "unsynced"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tools_print_is_read() {
        let printed = "\
worker file-system ext4
worker kernel EXT4-fs (loop0): shut down requested (2)
worker synced 65536
worker unsynced 65536
worker volume pvc-1_mysql_data-mysql-0
worker volume pvc-2_mysql_data-mysql-2
worker2 file-system ext4
";
        let told = told(printed);
        let cut = power_cut("worker", &told["worker"]);
        assert_eq!(
            cut,
            PowerCut {
                node: "worker".into(),
                file_system: "ext4".into(),
                kernel: "EXT4-fs (loop0): shut down requested (2)".into(),
                volumes: vec!["pvc-1_mysql_data-mysql-0".into(), "pvc-2_mysql_data-mysql-2".into()],
                synced_bytes: 65_536,
                unsynced_bytes: 65_536,
            }
        );
        let nothing = power_cut("worker2", &told["worker2"]);
        assert_eq!((nothing.kernel.as_str(), nothing.unsynced_bytes), ("", 0));
    }
}
