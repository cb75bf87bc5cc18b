//! kind clusters: creates them, loads images, deletes them without a trace, and finds those of killed runs.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::disks::Disks;
use super::lab::{Lab, cache_dir};
use super::lease::{self, Lease, Maker};
pub use super::load::{has_image, load_archives, load_images, provide_image};
pub use super::program::CommandError;
use super::program::{kill_leader, lives, run, run_known};
pub use super::shape::{IpFamily, Shape};
use crate::evidence::Leftover;

pub use super::lease::PREFIX;

/// The time limit for creating a cluster.
pub const CREATE_WITHIN: Duration = Duration::from_secs(420);

const DELETE_WITHIN: Duration = Duration::from_secs(120);
const ASK_WITHIN: Duration = Duration::from_secs(20);

/// How long clients of the engine may outlive the kind process that started them.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);

/// The polling interval for their end.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// The folder of the leases.
pub fn lease_folder() -> PathBuf {
    cache_dir().join("runs")
}

/// A kind cluster that this process creates and removes.
#[derive(Debug)]
pub struct KindCluster {
    lab: Lab,
    /// The cluster's name.
    pub name: String,
    /// The cluster's own kubeconfig; the user's is never read or written.
    pub kubeconfig: PathBuf,
    lease: Option<Lease>,
    volumes: Vec<String>,
    /// The process group that creates the cluster.
    maker: Option<u32>,
    /// Whether kind was started, so that there may be something to delete.
    begun: bool,
    /// Why the nodes have no disks of their own.
    pub without_disks: Option<String>,
}

impl KindCluster {
    /// Claims the name. [`KindCluster::create`] then creates the cluster. From here on, dropping the value removes it.
    ///
    /// # Errors
    /// When the lease cannot be taken.
    pub fn claim(lab: &Lab, name: &str, folder: &Path) -> Result<Self, CommandError> {
        let lease = Lease::take(&lease_folder(), name)
            .map_err(|source| CommandError::File { path: lease_folder().join(name), source })?;
        let kubeconfig = folder.join("kubeconfig");
        Ok(Self {
            lab: lab.clone(),
            name: name.to_owned(),
            kubeconfig,
            lease: Some(lease),
            volumes: Vec::new(),
            maker: None,
            begun: false,
            without_disks: None,
        })
    }

    /// Creates the cluster on its own network, which is deleted with it.
    ///
    /// # Errors
    /// When kind fails; its last lines are in the error.
    pub async fn create(&mut self, shape: Shape<'_>, limit: Duration) -> Result<(), CommandError> {
        let path = self.kubeconfig.with_file_name("kind.json");
        let text = super::shape::configuration(&self.lab, shape).to_string();
        std::fs::write(&path, text).map_err(|source| CommandError::File { path: path.clone(), source })?;
        let mut command = Command::new(&self.lab.kind);
        command.args(["create", "cluster", "--name", &self.name, "--image", shape.image, "--config"]).arg(&path);
        command.arg("--kubeconfig").arg(&self.kubeconfig).env("KIND_EXPERIMENTAL_DOCKER_NETWORK", &self.name);
        let engine = super::engine::id(&self.lab).await?;
        let (folder, name, maker, begun) = (lease_folder(), &self.name, &mut self.maker, &mut self.begun);
        let known = |group| {
            (*maker, *begun) = (Some(group), true);
            let noted = lease::note(&folder, name, &Maker { group, engine });
            noted.map_err(|source| CommandError::File { path: folder.join(name), source })
        };
        run_known(&mut command, limit, known).await?;
        // Creation is complete, and the kernel may reuse the process group's number.
        self.maker = None;
        self.volumes = volumes(&self.lab, &self.name).await?;
        self.without_disks = match Disks::of(&self.lab) {
            Some(disks) => {
                let nodes = ids(&self.lab, "container", &self.name).await?;
                disks.make(&nodes, shape.file_system).await.err().map(|error| error.last_line())
            }
            None => Some("ci/setup did not build the disk tools".to_owned()),
        };
        Ok(())
    }

    /// Deletes the cluster and its network, and returns what is left of them.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn delete(mut self) -> Result<Vec<Leftover>, CommandError> {
        if !self.begun {
            // kind never started, so there is nothing to delete.
            lease::forget(&lease_folder(), &self.name);
            self.lease = None;
            return Ok(Vec::new());
        }
        if self.volumes.is_empty() {
            // Creation was cut short, perhaps before there was a container to inspect.
            self.volumes = volumes(&self.lab, &self.name).await.unwrap_or_default();
        }
        remove_after(&self.lab, &self.name, self.maker).await?;
        let left = leftovers(&self.lab, &self.name, &self.volumes).await?;
        if left.is_empty()
            && let Some(lease) = self.lease.take()
        {
            lease.release().map_err(|source| CommandError::File { path: lease_folder(), source })?;
        }
        self.lease = None;
        for file in [self.kubeconfig.clone(), self.kubeconfig.with_file_name("kind.json")] {
            // The file is useless now. If the cluster was never created, it does not exist.
            let _ = std::fs::remove_file(file);
        }
        Ok(left)
    }

    /// Keeps the cluster after the run.
    ///
    /// # Errors
    /// When the lease cannot be changed.
    pub fn keep(mut self) -> Result<(), CommandError> {
        let Some(lease) = self.lease.take() else { return Ok(()) };
        lease.keep().map_err(|source| CommandError::File { path: lease_folder(), source })
    }
}

impl Drop for KindCluster {
    /// The last resort, after a panic. The normal ways are [`KindCluster::delete`] and [`KindCluster::keep`].
    fn drop(&mut self) {
        if self.lease.is_none() {
            return;
        }
        let (lab, name, maker) = (self.lab.clone(), self.name.clone(), self.maker);
        // `drop` cannot await, so use a thread with its own runtime.
        let remover = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(remove_after(&lab, &name, maker)).ok()
        });
        if let Ok(Some(())) = remover.join() {
            lease::forget(&lease_folder(), &self.name);
        }
    }
}

/// Writes an existing cluster's kubeconfig to a file of the run.
///
/// # Errors
/// When kind knows no such cluster.
pub async fn export_kubeconfig(lab: &Lab, cluster: &str, path: &Path) -> Result<(), CommandError> {
    let mut command = Command::new(&lab.kind);
    command.args(["export", "kubeconfig", "--name", cluster, "--kubeconfig"]).arg(path);
    run(&mut command, ASK_WITHIN).await.map(drop)
}

/// The kind clusters that exist.
///
/// # Errors
/// When kind cannot be asked.
pub async fn clusters(lab: &Lab) -> Result<Vec<String>, CommandError> {
    let listed = run(Command::new(&lab.kind).args(["get", "clusters", "--quiet"]), ASK_WITHIN).await?;
    Ok(listed.lines().map(str::to_owned).collect())
}

/// Deletes a cluster of this program, and its network, by name.
///
/// # Errors
/// When kind or the engine fails.
pub async fn remove(lab: &Lab, cluster: &str) -> Result<(), CommandError> {
    remove_after(lab, cluster, None).await
}

/// Deletes a cluster repeatedly until no process is left that creates parts of it.
async fn remove_after(lab: &Lab, cluster: &str, maker: Option<u32>) -> Result<(), CommandError> {
    let end = Instant::now() + SETTLE_WITHIN;
    loop {
        let in_the_making = maker.is_some_and(lives);
        let removed = remove_once(lab, cluster).await;
        if !in_the_making || Instant::now() >= end {
            return removed;
        }
        // Nothing reports the end of a process that is not our child.
        tokio::time::sleep(ASK_AGAIN_AFTER).await;
    }
}

async fn remove_once(lab: &Lab, cluster: &str) -> Result<(), CommandError> {
    // kind edits the kubeconfig that it finds. Give it a throw-away file, so that the user's stays unchanged.
    let nowhere =
        tempfile::NamedTempFile::new().map_err(|source| CommandError::File { path: "kubeconfig".into(), source })?;
    let mut command = Command::new(&lab.kind);
    command.args(["delete", "cluster", "--name", cluster, "--kubeconfig"]).arg(nowhere.path());
    run(command.env("KIND_EXPERIMENTAL_DOCKER_NETWORK", cluster), DELETE_WITHIN).await?;
    if !ids(lab, "network", cluster).await?.is_empty() {
        run(Command::new(&lab.docker).args(["network", "rm", cluster]), DELETE_WITHIN).await?;
    }
    Ok(())
}

/// Removes what killed runs left, and returns the names of their clusters.
///
/// # Errors
/// When kind or the engine fails.
pub async fn sweep(lab: &Lab) -> Result<Vec<String>, CommandError> {
    let folder = lease_folder();
    let (mut removed, mut trouble) = (Vec::new(), None);
    // Only the holder of the lease removes a cluster, so concurrent starts do not interfere.
    for (cluster, lease) in lease::taken_over(&folder) {
        match remove_noted(lab, &cluster, lease::noted(&folder, &cluster)).await {
            Ok(()) => {
                lease::forget(&folder, &cluster);
                removed.push(cluster);
            }
            // A cluster that cannot be removed must not block the others.
            Err(error) => trouble = Some(error),
        }
        drop(lease);
    }
    trouble.map_or(Ok(removed), Err)
}

/// Deletes a cluster whose maker may still be alive. The engine is compared because kind reports success for a cluster
/// that another engine has.
async fn remove_noted(lab: &Lab, cluster: &str, maker: Option<Maker>) -> Result<(), CommandError> {
    let Some(Maker { group, engine }) = maker else { return remove_after(lab, cluster, None).await };
    if super::engine::id(lab).await? != engine {
        return Err(CommandError::AnotherEngine { cluster: cluster.to_owned(), engine });
    }
    kill_leader(group, cluster);
    remove_after(lab, cluster, Some(group)).await
}

/// Deletes the file of a kept cluster that is gone.
pub fn forget(cluster: &str) {
    lease::forget(&lease_folder(), cluster);
}

async fn ids(lab: &Lab, what: &str, cluster: &str) -> Result<Vec<String>, CommandError> {
    let (filter, format) = match what {
        "container" => (format!("label=io.x-k8s.kind.cluster={cluster}"), "{{.Names}}"),
        _ => (format!("name=^{cluster}$"), "{{.Name}}"),
    };
    let mut command = Command::new(&lab.docker);
    command.args([what, "ls", "--format", format, "--filter", &filter]);
    if what == "container" {
        command.arg("--all");
    }
    Ok(run(&mut command, ASK_WITHIN).await?.lines().map(str::to_owned).collect())
}

/// The volumes that a cluster's nodes use.
async fn volumes(lab: &Lab, cluster: &str) -> Result<Vec<String>, CommandError> {
    let format = "{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}}\n{{end}}{{end}}";
    let mut command = Command::new(&lab.docker);
    command.args(["container", "inspect", "--format", format]).args(ids(lab, "container", cluster).await?);
    let listed = run(&mut command, ASK_WITHIN).await?;
    Ok(listed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

async fn leftovers(lab: &Lab, cluster: &str, volumes: &[String]) -> Result<Vec<Leftover>, CommandError> {
    let mut left = Vec::new();
    for kind in ["container", "network"] {
        let names = ids(lab, kind, cluster).await?;
        left.extend(names.into_iter().map(|name| Leftover { kind: kind.to_owned(), name, held_by: None }));
    }
    let there = run(Command::new(&lab.docker).args(["volume", "ls", "--quiet"]), ASK_WITHIN).await?;
    let volumes = volumes.iter().filter(|volume| there.lines().any(|line| line == volume.as_str()));
    left.extend(volumes.map(|name| Leftover { kind: "volume".to_owned(), name: name.clone(), held_by: None }));
    if let Some(disks) = Disks::of(lab) {
        let devices = disks.left_by(cluster).await?.into_iter();
        left.extend(devices.map(|name| Leftover { kind: "loop device".to_owned(), name, held_by: None }));
    }
    Ok(left)
}
