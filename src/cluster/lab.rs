//! The lab that `ci/setup` prepared, read from the file that it writes: programs, node images, stand-in images.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// The environment variable that names the lab's file.
pub const LAB_VARIABLE: &str = "STEADFAST_LAB";

/// What is ready on this machine.
#[derive(Debug, Clone, Deserialize)]
pub struct Lab {
    /// The file's format; this program reads 1.
    pub schema: u32,
    /// The `kind` program.
    pub kind: String,
    /// The `kubectl` program.
    pub kubectl: String,
    /// The container engine's program.
    pub docker: String,
    /// The default Kubernetes version of a new cluster.
    pub default_kubernetes: String,
    /// Node images, one per Kubernetes version.
    pub nodes: Vec<NodeImage>,
    /// Images for the workload.
    pub images: Vec<Image>,
    /// The witness's image.
    pub witness: WitnessImage,
    /// The tools for disks of nodes; `None` if they could not be built.
    #[serde(default)]
    pub disk: Option<DiskTools>,
    /// Kubelet settings that this machine needs.
    #[serde(default)]
    pub kubelet: Map<String, Value>,
}

/// A kind node image.
#[derive(Debug, Clone, Deserialize)]
pub struct NodeImage {
    /// The Kubernetes version, such as `1.37.2`.
    pub kubernetes: String,
    /// The image.
    pub image: String,
    /// Whether it was built locally instead of pulled.
    pub built: bool,
}

/// An image for the workload.
#[derive(Debug, Clone, Deserialize)]
pub struct Image {
    /// The name that manifests use.
    pub wanted: String,
    /// The image that runs.
    pub image: String,
    /// A saved copy, which loads quickly into nodes.
    pub archive: PathBuf,
    /// Whether it was built locally instead of pulled.
    pub built: bool,
    /// Why it was built.
    #[serde(default)]
    pub why: String,
}

/// The witness's image.
#[derive(Debug, Clone, Deserialize)]
pub struct WitnessImage {
    /// The image.
    pub image: String,
    /// A saved copy, which loads quickly into nodes.
    pub archive: PathBuf,
}

/// The image with the tools for disks of nodes.
#[derive(Debug, Clone, Deserialize)]
pub struct DiskTools {
    /// The image, which only the engine needs.
    pub image: String,
}

/// The lab is not ready.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; run ci/setup, which prepares the lab and writes this file")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// The file has another format.
    #[error("{path} is not a lab file of format 1: {reason}; run ci/setup again")]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// No node image of the requested version.
    #[error("no node image of Kubernetes {wanted} is prepared (prepared: {ready}); run ci/setup --kubernetes {wanted}")]
    NoNodeImage {
        /// The requested version.
        wanted: String,
        /// The available versions.
        ready: String,
    },
}

impl Lab {
    /// Reads the file that [`LAB_VARIABLE`] names, or the one in the cache directory.
    ///
    /// # Errors
    /// When it does not exist or has another format.
    pub fn read() -> Result<Self, LabError> {
        let path = std::env::var_os(LAB_VARIABLE).map_or_else(|| cache_dir().join("lab.json"), PathBuf::from);
        let text =
            std::fs::read_to_string(&path).map_err(|source| LabError::Unreadable { path: path.clone(), source })?;
        let refuse = |reason: String| LabError::Format { path: path.clone(), reason };
        let lab: Self = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        if lab.schema == 1 { Ok(lab) } else { Err(refuse(format!("its format is {}", lab.schema))) }
    }

    /// The node image of a Kubernetes version, or of the default one.
    ///
    /// # Errors
    /// When no image of that version is ready.
    pub fn node_image(&self, kubernetes: Option<&str>) -> Result<&NodeImage, LabError> {
        let wanted = kubernetes.unwrap_or(&self.default_kubernetes).trim_start_matches('v');
        self.nodes.iter().find(|node| node.kubernetes == wanted).ok_or_else(|| {
            let ready: Vec<&str> = self.nodes.iter().map(|node| node.kubernetes.as_str()).collect();
            LabError::NoNodeImage { wanted: wanted.to_owned(), ready: ready.join(", ") }
        })
    }

    /// The image used for a name in the manifests.
    pub fn image(&self, wanted: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.wanted == wanted)
    }
}

/// The folder of what outlives a run: `$XDG_CACHE_HOME/steadfast`, or `~/.cache/steadfast`.
pub fn cache_dir() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    base.unwrap_or_else(|| Path::new("/var/cache").to_owned()).join("steadfast")
}
