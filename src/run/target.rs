//! Where a run takes place.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::cluster::kind::IpFamily;

/// Where a run takes place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A kind cluster of its own.
    New {
        /// Nodes, the control plane among them.
        nodes: usize,
        /// The Kubernetes version, the lab's default unless given.
        kubernetes: Option<String>,
        /// The cluster's DNS zone, `cluster.local` unless given.
        domain: Option<String>,
        /// The families of its addresses.
        ip_family: IpFamily,
    },
    /// A kind cluster that is there.
    Kind(String),
    /// A context of a kubeconfig file. Its cluster pulls the images that the manifests name.
    Context {
        /// The file.
        kubeconfig: PathBuf,
        /// The context; the file's current one unless given.
        context: Option<String>,
        /// The UID of its namespace kube-system, as whoever means this cluster typed it in.
        uid: Option<String>,
        /// The witness's image, where the cluster can pull it.
        witness_image: Option<String>,
        /// Whether an API server may be used that does not prove who it is.
        #[serde(default)]
        allow_insecure: bool,
        /// The workload's namespace and a witness's, where somebody made them beforehand.
        #[serde(default)]
        namespaces: Option<[String; 2]>,
    },
}
