//! Where a run takes place.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cluster::FileSystem;
use crate::cluster::kind::IpFamily;

/// Where a run takes place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A new kind cluster.
    New {
        /// The number of nodes, including the control plane.
        nodes: usize,
        /// The Kubernetes version; `None` for the lab's default.
        kubernetes: Option<String>,
        /// The cluster's DNS zone; `None` for `cluster.local`.
        domain: Option<String>,
        /// The address families.
        ip_family: IpFamily,
        /// The file system of the nodes' disks.
        #[serde(default)]
        file_system: FileSystem,
    },
    /// An existing kind cluster.
    Kind(String),
    /// A context of a kubeconfig file. Its cluster pulls the manifests' images itself.
    Context {
        /// The kubeconfig file.
        kubeconfig: PathBuf,
        /// The context; `None` for the file's current one.
        context: Option<String>,
        /// The UID of its namespace kube-system, as the user gave it to confirm the cluster.
        uid: Option<String>,
        /// The witness's image, which the cluster must be able to pull.
        witness_image: Option<String>,
        /// Whether an unauthenticated API server may be used.
        #[serde(default)]
        allow_insecure: bool,
        /// The workload's namespace and a witness's, if they were prepared beforehand.
        #[serde(default)]
        namespaces: Option<[String; 2]>,
    },
}
