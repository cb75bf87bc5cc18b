//! kind clusters: made, loaded with images, deleted without a trace, and found again when their run was killed.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::process::Command;

use super::engine;
use super::lab::{Lab, cache_dir};
use super::lease::{self, Lease};
pub use super::program::KindError;
use super::program::{kill_leader, lives, run, run_known};
use crate::evidence::Leftover;

/// The names of the clusters that this program makes begin so.
pub const PREFIX: &str = "steadfast-";

/// How long making a cluster may take.
pub const CREATE_WITHIN: Duration = Duration::from_secs(420);

const DELETE_WITHIN: Duration = Duration::from_secs(120);
const LOAD_WITHIN: Duration = Duration::from_secs(300);
const ASK_WITHIN: Duration = Duration::from_secs(20);

/// How long clients of the engine may outlive the kind that started them.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);

/// Between two looks at whether they are gone.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Where leases are.
pub fn lease_folder() -> PathBuf {
    cache_dir().join("runs")
}

/// The addresses that a new cluster gives pods and Services
/// (<https://kubernetes.io/docs/concepts/services-networking/dual-stack/>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum IpFamily {
    /// IPv4 alone.
    #[default]
    Ipv4,
    /// IPv6 alone.
    Ipv6,
    /// Both, IPv4 first.
    Dual,
}

/// What a new cluster is made of.
#[derive(Debug, Clone, Copy)]
pub struct Shape<'a> {
    /// The node image.
    pub image: &'a str,
    /// Nodes beside the control plane.
    pub workers: usize,
    /// The DNS zone, kubeadm's default unless given.
    pub domain: Option<&'a str>,
    /// The families of its addresses.
    pub ip_family: IpFamily,
}

/// kind's configuration of a new cluster.
fn configuration(lab: &Lab, shape: Shape<'_>) -> Value {
    let mut nodes = vec![json!({"role": "control-plane"})];
    nodes.extend(std::iter::repeat_n(json!({"role": "worker"}), shape.workers));
    let mut configuration = json!({"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": nodes});
    if shape.ip_family != IpFamily::Ipv4 {
        // The engine of this machine need not publish ports on IPv6.
        configuration["networking"] = json!({"ipFamily": shape.ip_family, "apiServerAddress": "127.0.0.1"});
    }
    let mut patches = Vec::new();
    if !lab.kubelet.is_empty() {
        let mut kubelet = json!({"kind": "KubeletConfiguration"});
        for (key, value) in &lab.kubelet {
            kubelet[key] = value.clone();
        }
        patches.push(kubelet.to_string());
    }
    if let Some(domain) = shape.domain {
        let cluster = json!({"kind": "ClusterConfiguration", "networking": {"dnsDomain": domain}});
        patches.push(cluster.to_string());
    }
    if !patches.is_empty() {
        configuration["kubeadmConfigPatches"] = json!(patches);
    }
    configuration
}

/// A kind cluster that this process made and removes.
#[derive(Debug)]
pub struct KindCluster {
    lab: Lab,
    /// The cluster's name.
    pub name: String,
    /// The cluster's own kubeconfig; the user's is never read or written.
    pub kubeconfig: PathBuf,
    lease: Option<Lease>,
    volumes: Vec<String>,
    /// The process group that makes the cluster.
    maker: Option<u32>,
    /// Whether kind was started, so that there may be something to delete.
    begun: bool,
}

impl KindCluster {
    /// Claims the name. The cluster comes with [`KindCluster::create`]; from here on, dropping the value removes it.
    ///
    /// # Errors
    /// When the lease cannot be taken.
    pub fn claim(lab: &Lab, name: &str, folder: &Path) -> Result<Self, KindError> {
        let lease = Lease::take(&lease_folder(), name)
            .map_err(|source| KindError::File { path: lease_folder().join(name), source })?;
        let kubeconfig = folder.join("kubeconfig");
        Ok(Self {
            lab: lab.clone(),
            name: name.to_owned(),
            kubeconfig,
            lease: Some(lease),
            volumes: Vec::new(),
            maker: None,
            begun: false,
        })
    }

    /// Makes the cluster on a network of its own, which goes with it.
    ///
    /// # Errors
    /// When kind fails; its last lines are in the error.
    pub async fn create(&mut self, shape: Shape<'_>, limit: Duration) -> Result<(), KindError> {
        let path = self.kubeconfig.with_file_name("kind.json");
        let text = configuration(&self.lab, shape).to_string();
        std::fs::write(&path, text).map_err(|source| KindError::File { path: path.clone(), source })?;
        let mut command = Command::new(&self.lab.kind);
        command.args(["create", "cluster", "--name", &self.name, "--image", shape.image, "--config"]).arg(&path);
        command.arg("--kubeconfig").arg(&self.kubeconfig).env("KIND_EXPERIMENTAL_DOCKER_NETWORK", &self.name);
        let (folder, name, maker, begun) = (lease_folder(), &self.name, &mut self.maker, &mut self.begun);
        let known = |group| {
            (*maker, *begun) = (Some(group), true);
            lease::note(&folder, name, group).map_err(|source| KindError::File { path: folder.join(name), source })
        };
        run_known(&mut command, limit, known).await?;
        // Nobody makes anything of it any more, and the number may soon be another group's.
        self.maker = None;
        self.volumes = volumes(&self.lab, &self.name).await?;
        Ok(())
    }

    /// Deletes the cluster and its network, and returns what is still there of it.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub async fn delete(mut self) -> Result<Vec<Leftover>, KindError> {
        if !self.begun {
            // kind did not even start: what could not make anything cannot delete it either.
            lease::forget(&lease_folder(), &self.name);
            self.lease = None;
            return Ok(Vec::new());
        }
        if self.volumes.is_empty() {
            // The making of the cluster was cut short, perhaps before there was a container to ask.
            self.volumes = volumes(&self.lab, &self.name).await.unwrap_or_default();
        }
        remove_after(&self.lab, &self.name, self.maker).await?;
        let left = leftovers(&self.lab, &self.name, &self.volumes).await?;
        if left.is_empty()
            && let Some(lease) = self.lease.take()
        {
            lease.release().map_err(|source| KindError::File { path: lease_folder(), source })?;
        }
        self.lease = None;
        for file in [self.kubeconfig.clone(), self.kubeconfig.with_file_name("kind.json")] {
            // It leads nowhere any more; where the cluster was never made, it is not there.
            let _ = std::fs::remove_file(file);
        }
        Ok(left)
    }

    /// Lets the cluster live on after the run.
    ///
    /// # Errors
    /// When the lease cannot be changed.
    pub fn keep(mut self) -> Result<(), KindError> {
        let Some(lease) = self.lease.take() else { return Ok(()) };
        lease.keep().map_err(|source| KindError::File { path: lease_folder(), source })
    }
}

impl Drop for KindCluster {
    /// The last resort, after a panic: the ordinary ways are [`KindCluster::delete`] and [`KindCluster::keep`].
    fn drop(&mut self) {
        if self.lease.is_none() {
            return;
        }
        let (lab, name, maker) = (self.lab.clone(), self.name.clone(), self.maker);
        // A value can be dropped where nothing can be awaited: a thread with a runtime of its own can.
        let remover = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(remove_after(&lab, &name, maker)).ok()
        });
        if let Ok(Some(())) = remover.join() {
            lease::forget(&lease_folder(), &self.name);
        }
    }
}

/// Loads image archives into every node of a cluster, all at once.
///
/// # Errors
/// When kind fails.
pub async fn load_archives(lab: &Lab, cluster: &str, archives: &[&Path]) -> Result<(), KindError> {
    let loads = archives.iter().map(|archive| async move {
        let mut command = Command::new(&lab.kind);
        command.args(["load", "image-archive", "--name", cluster]).arg(archive);
        run(&mut command, LOAD_WITHIN).await
    });
    try_join_all(loads).await.map(drop)
}

/// Loads images of the engine into every node of a cluster, all at once. Each is saved first: of an engine that keeps
/// images in containerd, kind would ask for platforms that are not there (<https://github.com/kubernetes-sigs/kind/issues/3795>).
///
/// # Errors
/// When kind or the engine fails.
pub async fn load_images(lab: &Lab, cluster: &str, images: &[&str]) -> Result<(), KindError> {
    if images.is_empty() {
        return Ok(());
    }
    let folder = tempfile::tempdir().map_err(|source| KindError::File { path: std::env::temp_dir(), source })?;
    let platform = engine::platform(lab).await;
    let saves = images.iter().enumerate().map(|(number, image)| {
        let (path, platform) = (folder.path().join(format!("{number}.tar")), platform.as_deref());
        async move {
            let mut command = Command::new(&lab.docker);
            command.args(["image", "save", "--output"]).arg(&path);
            command.args(platform.iter().flat_map(|platform| ["--platform", platform])).arg(image);
            run(&mut command, LOAD_WITHIN).await.map(|_| path)
        }
    });
    let archives = try_join_all(saves).await?;
    load_archives(lab, cluster, &archives.iter().map(PathBuf::as_path).collect::<Vec<_>>()).await
}

/// Whether the engine has an image.
pub async fn has_image(lab: &Lab, image: &str) -> bool {
    let inspect = ["image", "inspect", "--format", "{{.Id}}", image];
    run(Command::new(&lab.docker).args(inspect), ASK_WITHIN).await.is_ok()
}

/// Has the engine hold an image: the one it has, or one that it pulls.
///
/// # Errors
/// When it has it not and cannot pull it; the error holds the engine's words.
pub async fn provide_image(lab: &Lab, image: &str) -> Result<(), KindError> {
    if has_image(lab, image).await {
        return Ok(());
    }
    run(Command::new(&lab.docker).args(["pull", "--quiet", image]), LOAD_WITHIN).await.map(drop)
}

/// Writes an existing cluster's kubeconfig to a file of the run's.
///
/// # Errors
/// When kind knows no such cluster.
pub async fn export_kubeconfig(lab: &Lab, cluster: &str, path: &Path) -> Result<(), KindError> {
    let mut command = Command::new(&lab.kind);
    command.args(["export", "kubeconfig", "--name", cluster, "--kubeconfig"]).arg(path);
    run(&mut command, ASK_WITHIN).await.map(drop)
}

/// The kind clusters that exist.
///
/// # Errors
/// When kind cannot be asked.
pub async fn clusters(lab: &Lab) -> Result<Vec<String>, KindError> {
    let listed = run(Command::new(&lab.kind).args(["get", "clusters", "--quiet"]), ASK_WITHIN).await?;
    Ok(listed.lines().map(str::to_owned).collect())
}

/// Deletes a cluster of this program by name, with its network.
///
/// # Errors
/// When kind or the engine fails.
pub async fn remove(lab: &Lab, cluster: &str) -> Result<(), KindError> {
    remove_after(lab, cluster, None).await
}

/// Deletes a cluster, again and again until nobody is left who makes something of it.
async fn remove_after(lab: &Lab, cluster: &str, maker: Option<u32>) -> Result<(), KindError> {
    let end = Instant::now() + SETTLE_WITHIN;
    loop {
        let in_the_making = maker.is_some_and(lives);
        let removed = remove_once(lab, cluster).await;
        if !in_the_making || Instant::now() >= end {
            return removed;
        }
        // Nobody tells when a process ends that is no child of this one.
        tokio::time::sleep(ASK_AGAIN_AFTER).await;
    }
}

async fn remove_once(lab: &Lab, cluster: &str) -> Result<(), KindError> {
    // kind edits the kubeconfig that it finds: it gets one that nobody needs, so that the user's stays as it is.
    let nowhere =
        tempfile::NamedTempFile::new().map_err(|source| KindError::File { path: "kubeconfig".into(), source })?;
    let mut command = Command::new(&lab.kind);
    command.args(["delete", "cluster", "--name", cluster, "--kubeconfig"]).arg(nowhere.path());
    run(command.env("KIND_EXPERIMENTAL_DOCKER_NETWORK", cluster), DELETE_WITHIN).await?;
    if !ids(lab, "network", cluster).await?.is_empty() {
        run(Command::new(&lab.docker).args(["network", "rm", cluster]), DELETE_WITHIN).await?;
    }
    Ok(())
}

/// Removes what killed runs left behind, and returns the names of the clusters.
///
/// # Errors
/// When kind or the engine fails.
pub async fn sweep(lab: &Lab) -> Result<Vec<String>, KindError> {
    let folder = lease_folder();
    let (mut removed, mut trouble) = (Vec::new(), None);
    for cluster in lease::abandoned(&folder) {
        // Whoever holds the lease removes the cluster: another start at the same time leaves it alone.
        let Some(lease) = Lease::take_over(&folder, &cluster) else { continue };
        let maker = lease::noted(&folder, &cluster);
        if let Some(group) = maker {
            kill_leader(group, &cluster);
        }
        match remove_after(lab, &cluster, maker).await {
            Ok(()) => {
                lease::forget(&folder, &cluster);
                removed.push(cluster);
            }
            // One that cannot be removed is no reason to leave the others.
            Err(error) => trouble = Some(error),
        }
        drop(lease);
    }
    trouble.map_or(Ok(removed), Err)
}

/// Forgets a kept cluster that is gone.
pub fn forget(cluster: &str) {
    lease::forget(&lease_folder(), cluster);
}

async fn ids(lab: &Lab, what: &str, cluster: &str) -> Result<Vec<String>, KindError> {
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

/// The volumes that a cluster's nodes are on.
async fn volumes(lab: &Lab, cluster: &str) -> Result<Vec<String>, KindError> {
    let format = "{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}}\n{{end}}{{end}}";
    let mut command = Command::new(&lab.docker);
    command.args(["container", "inspect", "--format", format]).args(ids(lab, "container", cluster).await?);
    let listed = run(&mut command, ASK_WITHIN).await?;
    Ok(listed.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

async fn leftovers(lab: &Lab, cluster: &str, volumes: &[String]) -> Result<Vec<Leftover>, KindError> {
    let mut left = Vec::new();
    for kind in ["container", "network"] {
        let names = ids(lab, kind, cluster).await?;
        left.extend(names.into_iter().map(|name| Leftover { kind: kind.to_owned(), name, held_by: None }));
    }
    let there = run(Command::new(&lab.docker).args(["volume", "ls", "--quiet"]), ASK_WITHIN).await?;
    let volumes = volumes.iter().filter(|volume| there.lines().any(|line| line == volume.as_str()));
    left.extend(volumes.map(|name| Leftover { kind: "volume".to_owned(), name: name.clone(), held_by: None }));
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lab(kubelet: Value) -> Lab {
        serde_json::from_value(json!({
            "schema": 1, "kind": "kind", "kubectl": "kubectl", "docker": "docker", "default_kubernetes": "1.37.2",
            "nodes": [], "images": [], "witness": {"image": "w", "archive": "/w.tar"}, "kubelet": kubelet,
        }))
        .expect("a lab")
    }

    fn shape(workers: usize, ip_family: IpFamily) -> Shape<'static> {
        Shape { image: "node", workers, domain: None, ip_family }
    }

    #[test]
    fn families_of_addresses_are_the_clusters_own() {
        let networking =
            |ip_family| configuration(&lab(json!({})), shape(0, ip_family))["networking"]["ipFamily"].clone();
        assert_eq!(
            [IpFamily::Ipv4, IpFamily::Ipv6, IpFamily::Dual].map(networking),
            [json!(null), json!("ipv6"), json!("dual")]
        );
    }

    #[test]
    fn a_cluster_has_a_control_plane_and_its_workers() {
        let configuration = configuration(&lab(json!({})), shape(2, IpFamily::Ipv4));
        let roles: Vec<_> = configuration["nodes"].as_array().expect("nodes").iter().map(|n| &n["role"]).collect();
        assert_eq!(roles, ["control-plane", "worker", "worker"]);
        assert!(configuration.get("kubeadmConfigPatches").is_none());
    }

    #[test]
    fn kubelet_settings_become_a_patch() {
        let configuration = configuration(&lab(json!({"failCgroupV1": false})), shape(0, IpFamily::Ipv4));
        let patch = configuration["kubeadmConfigPatches"][0].as_str().expect("a patch");
        let patch: Value = serde_json::from_str(patch).expect("JSON");
        assert_eq!(patch, json!({"kind": "KubeletConfiguration", "failCgroupV1": false}));
    }
}
