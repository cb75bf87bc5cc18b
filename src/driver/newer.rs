//! What a cluster is upgraded to.

use crate::cluster::{Lab, NodeImage};

/// What the nodes are upgraded to.
#[derive(Debug, Clone)]
pub struct Newer {
    /// What this machine has.
    pub lab: Lab,
    /// The node image with the newer release.
    pub node: NodeImage,
}
