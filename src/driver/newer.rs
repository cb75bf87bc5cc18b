//! The target of a cluster upgrade.

use crate::cluster::{Lab, NodeImage};

/// The release to upgrade nodes to.
#[derive(Debug, Clone)]
pub struct Newer {
    /// The lab of this machine.
    pub lab: Lab,
    /// The node image with the newer release.
    pub node: NodeImage,
}
