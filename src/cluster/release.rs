//! Another release of Kubernetes, for nodes that are there: what a node image of it holds is brought into them, and
//! kubeadm does the rest inside (<https://kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade/>). kind
//! itself has no upgrade.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use super::lab::{Lab, NodeImage};
use super::program::{CommandError, run};

/// Unpacking an image, or bringing it into a node: some hundred megabytes each.
const MOVED_WITHIN: Duration = Duration::from_secs(300);

/// How long kubeadm may take: it waits for each component to come back, up to five minutes for one.
const KUBEADM_WITHIN: Duration = Duration::from_secs(900);

const DONE_WITHIN: Duration = Duration::from_secs(60);

/// Where a node keeps what was brought into it until it is put to use.
const FOLDER: &str = "/kind/upgrade";

/// Takes out of a node image what an upgrade needs: kubeadm, the kubelet, and the images that its containerd holds, under
/// the names that kubeadm asks for. It ends by itself, whatever becomes of who started it. The archive is written by ctr
/// itself, where it can be told so: the transfer service, which is the default since containerd 2.0, sends it as a stream
/// whose end ctr does not wait for, and what comes last in the archive is its index
/// (<https://github.com/containerd/containerd/blob/v2.3.7/core/transfer/archive/exporter.go>).
const UNPACK: &str = "set -e
containerd > /dev/null 2>&1 &
timeout 60 sh -c 'until ctr version > /dev/null 2>&1; do sleep 0.1; done'
local=$(ctr images export --help | grep -o -m 1 -e --local || true)
timeout 200 ctr --namespace k8s.io images export $local /out/images.tar $(ctr --namespace k8s.io images ls -q | grep -vE '^(sha256:|import-)')
cp -L /usr/bin/kubeadm /usr/bin/kubelet /out/";

/// What an unpacked release consists of.
const PARTS: [&str; 3] = ["images.tar", "kubeadm", "kubelet"];

/// A release that nodes can be upgraded to.
#[derive(Debug)]
pub struct Release {
    docker: String,
    /// Its version, such as `v1.37.2`.
    pub version: String,
    /// Goes with this value.
    folder: tempfile::TempDir,
}

impl Release {
    /// Unpacks a node image into a folder beneath this one, which goes with the value.
    ///
    /// # Errors
    /// When the engine cannot, or the folder cannot be made.
    pub async fn unpack(lab: &Lab, node: &NodeImage, beneath: &Path) -> Result<Self, CommandError> {
        let refuse = |source| CommandError::File { path: beneath.to_owned(), source };
        let folder = tempfile::Builder::new().prefix("release-").tempdir_in(beneath).map_err(refuse)?;
        let release = Self { docker: lab.docker.clone(), version: format!("v{}", node.kubernetes), folder };
        let out = format!("{}:/out", release.folder.path().display());
        let words = ["run", "--rm", "--privileged", "--network", "none", "--volume", &out, "--entrypoint", "sh"];
        run(Command::new(&lab.docker).args(words).args([&node.image, "-c", UNPACK]), MOVED_WITHIN).await?;
        Ok(release)
    }

    /// Brings the release into a node, where it waits.
    ///
    /// # Errors
    /// When the engine cannot, or the node does not take the images.
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

    /// Upgrades the control plane: on its first node for the whole cluster, on others for themselves. Returns what
    /// kubeadm said.
    ///
    /// # Errors
    /// When kubeadm does not come to its end; its last lines are in the error.
    pub async fn upgrade_control_plane(&self, node: &str, first: bool) -> Result<String, CommandError> {
        if !first {
            return self.upgrade_configuration(node).await;
        }
        let words = ["upgrade", "apply", &self.version, "--yes", "--ignore-preflight-errors=all"];
        self.kubeadm(node, &words).await
    }

    /// Upgrades what a node's kubelet is told. Returns what kubeadm said.
    ///
    /// # Errors
    /// When kubeadm does not come to its end.
    pub async fn upgrade_configuration(&self, node: &str) -> Result<String, CommandError> {
        self.kubeadm(node, &["upgrade", "node", "--ignore-preflight-errors=all"]).await
    }

    async fn kubeadm(&self, node: &str, words: &[&str]) -> Result<String, CommandError> {
        let kubeadm = format!("{FOLDER}/kubeadm");
        self.on(node, &[&[kubeadm.as_str()], words].concat(), KUBEADM_WITHIN).await
    }

    /// Puts the new kubelet in the old one's place, with its kubeadm, and starts it. The old ones stay on the node until
    /// [`Release::settle_kubelet`] or [`super::Nodes::take_back_release`]. The engine lets a command go on whose caller was
    /// interrupted: whoever puts the old ones back waits for it, by the lock.
    ///
    /// # Errors
    /// When something cannot be moved, or the service cannot be started.
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
    /// When nothing can be run on the node.
    pub async fn settle_kubelet(&self, node: &str) -> Result<(), CommandError> {
        self.on(node, &["rm", "-r", FOLDER], DONE_WITHIN).await.map(drop)
    }

    /// The last lines that a node's kubelet wrote down.
    ///
    /// # Errors
    /// When nothing can be run on the node.
    pub async fn kubelet_log(&self, node: &str) -> Result<String, CommandError> {
        self.on(node, &["journalctl", "--no-pager", "--unit", "kubelet", "--lines", "200"], DONE_WITHIN).await
    }

    async fn on(&self, node: &str, words: &[&str], limit: Duration) -> Result<String, CommandError> {
        run(Command::new(&self.docker).args(["exec", node]).args(words), limit).await
    }
}

/// Takes a release out of a node again. Where the kubelet had been replaced, the old one is put back, which may be older than
/// the API server (<https://kubernetes.io/releases/version-skew-policy/#kubelet>), and started.
///
/// # Errors
/// When something cannot be moved, or the service cannot be started.
pub(super) async fn take_back(docker: &str, node: &str) -> Result<(), CommandError> {
    let script = "set -e; [ -d \"$1\" ] || exit 0; exec 9> \"$1/lock\"; flock 9; \
                  if [ -d \"$1/old\" ]; then systemctl stop kubelet; \
                  mv -f \"$1/old/kubelet\" \"$1/old/kubeadm\" /usr/bin/; mv -f \"$1/old/version\" /kind/; fi; \
                  rm -r \"$1\"; systemctl start kubelet 9>&-";
    let words = ["exec", node, "sh", "-c", script, "sh", FOLDER];
    run(Command::new(docker).args(words), DONE_WITHIN).await.map(drop)
}
