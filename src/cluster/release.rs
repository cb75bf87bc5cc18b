//! Upgrades existing nodes to another Kubernetes release: the contents of that release's node image are copied into
//! them, and kubeadm does the rest (<https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/>).
//! kind itself cannot upgrade.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::lab::{Lab, NodeImage};
use super::program::{CommandError, run};

/// The time limit to unpack an image or to copy it into a node: each is a few hundred megabytes.
const MOVED_WITHIN: Duration = Duration::from_secs(300);

/// The time limit for kubeadm: it waits for each component to come back, up to five minutes each.
const KUBEADM_WITHIN: Duration = Duration::from_secs(900);

const DONE_WITHIN: Duration = Duration::from_secs(60);

/// The folder on a node that holds the copied release until it is used.
const FOLDER: &str = "/kind/upgrade";

/// Extracts what an upgrade needs from a node image: kubeadm, the kubelet, and the images in its containerd, under the
/// names that kubeadm uses. The script has its own time limits, so it ends even if its caller is killed. If possible,
/// ctr writes the archive itself (`--local`): the transfer service, the default since containerd 2.0, sends the archive
/// as a stream, and ctr does not wait for its end, where the index is
/// (<https://github.com/containerd/containerd/blob/v2.3.7/core/transfer/archive/exporter.go>).
const UNPACK: &str = "set -e
containerd > /dev/null 2>&1 &
timeout 60 sh -c 'until ctr version > /dev/null 2>&1; do sleep 0.1; done'
local=$(ctr images export --help | grep -o -m 1 -e --local || true)
timeout 200 ctr --namespace k8s.io images export $local /out/images.tar $(ctr --namespace k8s.io images ls -q | grep -vE '^(sha256:|import-)')
cp -L /usr/bin/kubeadm /usr/bin/kubelet /out/";

/// The files of an unpacked release.
const PARTS: [&str; 3] = ["images.tar", "kubeadm", "kubelet"];

/// A release to upgrade nodes to.
#[derive(Debug)]
pub struct Release {
    docker: String,
    /// Its version, such as `v1.37.2`.
    pub version: String,
    /// Deleted when this value is dropped.
    folder: tempfile::TempDir,
}

impl Release {
    /// Unpacks a node image into a new folder below `beneath`, which is deleted when the value is dropped.
    ///
    /// # Errors
    /// When the engine fails, or when the folder cannot be created.
    pub async fn unpack(lab: &Lab, node: &NodeImage, beneath: &Path) -> Result<Self, CommandError> {
        let refuse = |source| CommandError::File { path: beneath.to_owned(), source };
        let folder = tempfile::Builder::new().prefix("release-").tempdir_in(beneath).map_err(refuse)?;
        let release = Self { docker: lab.docker.clone(), version: format!("v{}", node.kubernetes), folder };
        let out = format!("{}:/out", release.folder.path().display());
        let words = ["run", "--rm", "--privileged", "--network", "none", "--volume", &out, "--entrypoint", "sh"];
        run(Command::new(&lab.docker).args(words).args([&node.image, "-c", UNPACK]), MOVED_WITHIN).await?;
        Ok(release)
    }

    /// Copies the release into a node without using it yet.
    ///
    /// # Errors
    /// When the engine fails, or when the node rejects the images.
    pub async fn bring(&self, node: &str) -> Result<(), CommandError> {
        self.on(node, &["mkdir", "-p", FOLDER], DONE_WITHIN).await?;
        for part in PARTS {
            let from: PathBuf = self.folder.path().join(part);
            let mut copy = Command::new(&self.docker);
            copy.arg("cp").arg(from).arg(format!("{node}:{FOLDER}/{part}"));
            run(&mut copy, MOVED_WITHIN).await?;
        }
        let archive = format!("{FOLDER}/images.tar");
        self.on(node, &["ctr", "--namespace", "k8s.io", "images", "import", &archive], MOVED_WITHIN).await?;
        self.on(node, &["rm", &archive], DONE_WITHIN).await.map(drop)
    }

    /// Upgrades the control plane: on the first node for the whole cluster, on others only their own part. Returns
    /// kubeadm's output.
    ///
    /// # Errors
    /// When kubeadm fails. Its last lines are in the error.
    pub async fn upgrade_control_plane(&self, node: &str, first: bool) -> Result<String, CommandError> {
        if !first {
            return self.upgrade_configuration(node).await;
        }
        let words = ["upgrade", "apply", &self.version, "--yes", "--ignore-preflight-errors=all"];
        self.kubeadm(node, &words).await
    }

    /// Upgrades the configuration of a node's kubelet. Returns kubeadm's output.
    ///
    /// # Errors
    /// When kubeadm fails.
    pub async fn upgrade_configuration(&self, node: &str) -> Result<String, CommandError> {
        self.kubeadm(node, &["upgrade", "node", "--ignore-preflight-errors=all"]).await
    }

    async fn kubeadm(&self, node: &str, words: &[&str]) -> Result<String, CommandError> {
        let kubeadm = format!("{FOLDER}/kubeadm");
        self.on(node, &[&[kubeadm.as_str()], words].concat(), KUBEADM_WITHIN).await
    }

    /// Replaces the kubelet and its kubeadm, and starts the new kubelet. The old ones stay on the node until
    /// [`Release::settle_kubelet`] or [`super::Nodes::take_back_release`]. The engine continues a command whose caller
    /// was interrupted, so restoring the old ones waits for it on a lock.
    ///
    /// # Errors
    /// When a file cannot be moved, or when the service cannot be started.
    pub async fn replace_kubelet(&self, node: &str) -> Result<(), CommandError> {
        let script = "set -e; exec 9> \"$1/lock\"; flock 9; mkdir -p \"$1/copy\"; \
                      cp -p /usr/bin/kubelet /usr/bin/kubeadm /kind/version \"$1/copy/\"; mv \"$1/copy\" \"$1/old\"; \
                      mv -f \"$1/kubelet\" \"$1/kubeadm\" /usr/bin/; echo \"$2\" > /kind/version; \
                      systemctl restart kubelet 9>&-";
        self.on(node, &["sh", "-c", script, "sh", FOLDER, &self.version], DONE_WITHIN).await.map(drop)
    }

    /// Removes the old kubelet from a node.
    ///
    /// # Errors
    /// When no command can run on the node.
    pub async fn settle_kubelet(&self, node: &str) -> Result<(), CommandError> {
        self.on(node, &["rm", "-r", FOLDER], DONE_WITHIN).await.map(drop)
    }

    /// The last lines of a node's kubelet log.
    ///
    /// # Errors
    /// When no command can run on the node.
    pub async fn kubelet_log(&self, node: &str) -> Result<String, CommandError> {
        self.on(node, &["journalctl", "--no-pager", "--unit", "kubelet", "--lines", "200"], DONE_WITHIN).await
    }

    async fn on(&self, node: &str, words: &[&str], limit: Duration) -> Result<String, CommandError> {
        run(Command::new(&self.docker).args(["exec", node]).args(words), limit).await
    }
}

/// Removes a release from a node again. If the kubelet was replaced, the old one is restored and started. It may be
/// older than the API server (<https://kubernetes.io/releases/version-skew-policy/#kubelet>).
///
/// # Errors
/// When a file cannot be moved, or when the service cannot be started.
pub(super) async fn take_back(docker: &str, node: &str) -> Result<(), CommandError> {
    let script = "set -e; [ -d \"$1\" ] || exit 0; exec 9> \"$1/lock\"; flock 9; \
                  if [ -d \"$1/old\" ]; then systemctl stop kubelet; \
                  mv -f \"$1/old/kubelet\" \"$1/old/kubeadm\" /usr/bin/; mv -f \"$1/old/version\" /kind/; fi; \
                  rm -r \"$1\"; systemctl start kubelet 9>&-";
    let words = ["exec", node, "sh", "-c", script, "sh", FOLDER];
    run(Command::new(docker).args(words), DONE_WITHIN).await.map(drop)
}
