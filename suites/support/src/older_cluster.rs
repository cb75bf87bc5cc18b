//! A kind cluster of a user with the release before the default one. It is deleted after the trial.

use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libtest_mimic::Failed;
use steadfast::cluster::kind::{CREATE_WITHIN, IpFamily, KindCluster, PREFIX, Shape};
use steadfast::cluster::{FileSystem, Lab, NodeImage, Version};
use steadfast::run;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::environment::timeout_scale;
use crate::trials;

/// How long a new API server, or the pods of a node, may take to become ready.
pub const READY_WITHIN: Duration = Duration::from_secs(180);

const INTERRUPTED: &str = "interrupted";

/// The pause between two requests to an API server that may be down. Nothing announces its return.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// A cluster with the older release.
pub struct OlderCluster {
    /// The lab of this machine.
    pub lab: Lab,
    /// The cluster itself.
    pub cluster: KindCluster,
    /// For the suite's own files. It is deleted with the value.
    pub folder: TempDir,
    /// The release to upgrade to.
    pub newer: NodeImage,
    /// Cancelled when the suite is interrupted.
    pub cancel: CancellationToken,
}

impl OlderCluster {
    /// Runs a trial in a cluster of this many nodes. The cluster is deleted afterwards in any case.
    pub fn with(suite: &str, nodes: usize, trial: fn(&Self) -> Result<(), Failed>) -> Result<(), Failed> {
        let runtime = tokio::runtime::Runtime::new()?;
        let cancel = runtime.block_on(async { run::cancelled_by_signals() });
        let result = runtime.block_on(Self::create(suite, nodes, cancel.clone())).and_then(|older_cluster| {
            let result = trial(&older_cluster);
            let left = runtime.block_on(older_cluster.cluster.delete())?;
            result.and(if left.is_empty() { Ok(()) } else { Err(format!("left of the cluster: {left:?}").into()) })
        });
        trials::INTERRUPTED.fetch_or(cancel.is_cancelled(), Ordering::Relaxed);
        result
    }

    async fn create(suite: &str, nodes: usize, cancel: CancellationToken) -> Result<Self, Failed> {
        let lab = Lab::read()?;
        let newer = lab.node_image(None)?.clone();
        let ready: Vec<Version> = lab.nodes.iter().filter_map(|node| node.kubernetes.parse().ok()).collect();
        let older = Version::before(newer.kubernetes.parse()?, &ready)?.to_string();
        let image = lab.node_image(Some(&older))?.image.clone();
        let (folder, name) = (tempfile::tempdir()?, format!("{PREFIX}{suite}-{}", run::run_id()));
        let mut cluster = KindCluster::claim(&lab, &name, folder.path())?;
        let shape = Shape {
            image: &image,
            workers: nodes - 1,
            domain: None,
            ip_family: IpFamily::Ipv4,
            file_system: FileSystem::default(),
        };
        let created = tokio::select! {
            created = cluster.create(shape, CREATE_WITHIN.mul_f64(timeout_scale())) => created.map_err(Failed::from),
            () = cancel.cancelled() => Err(INTERRUPTED.into()),
        };
        if let Err(failed) = created {
            cluster.delete().await?;
            return Err(failed);
        }
        Ok(Self { lab, cluster, folder, newer, cancel })
    }

    /// Returns an error if the suite was interrupted.
    pub fn goes_on(&self) -> Result<(), Failed> {
        if self.cancel.is_cancelled() { Err(INTERRUPTED.into()) } else { Ok(()) }
    }

    /// What kubectl prints when it uses the cluster's kubeconfig.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String, Failed> {
        self.goes_on()?;
        let output = Command::new(&self.lab.kubectl)
            .arg("--cache-dir")
            .arg(self.folder.path().join("kubectl"))
            .arg("--kubeconfig")
            .arg(&self.cluster.kubeconfig)
            .args(arguments)
            .output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(format!("kubectl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// Repeats a kubectl command until its output is right. An API server that has just restarted refuses requests for
    /// a while.
    pub fn until(&self, arguments: &[&str], wanted: impl Fn(&str) -> bool) -> Result<(), Failed> {
        let begun = std::time::Instant::now();
        loop {
            self.goes_on()?;
            let said = self.kubectl(arguments);
            match said {
                Ok(said) if wanted(&said) => return Ok(()),
                Ok(said) if begun.elapsed() > READY_WITHIN => return Err(format!("{arguments:?}: {said}").into()),
                Err(failed) if begun.elapsed() > READY_WITHIN => return Err(failed),
                _ => std::thread::sleep(LOOK_AGAIN_AFTER),
            }
        }
    }
}
