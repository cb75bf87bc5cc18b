//! What shows that the power of a node was cut: two files on its disk, one synced and one never synced.
//!
//! A file system that is shut down without a flush of its log keeps what was synced and loses the rest, as a disk does
//! when its power fails (<https://man7.org/linux/man-pages/man8/xfs_io.8.html>, `shutdown`).

use serde::{Deserialize, Serialize};

/// The disk of a node whose power was cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PowerCut {
    /// The node.
    pub node: String,
    /// The file system, such as `ext4`.
    pub file_system: String,
    /// The kernel's message about the shutdown; empty if there was none.
    pub kernel: String,
    /// The directories of the volumes on the disk.
    pub volumes: Vec<String>,
    /// The size of the file that was synced, in bytes.
    pub synced_bytes: u64,
    /// The size of the file that was never synced, in bytes.
    pub unsynced_bytes: u64,
}

/// The same disk when the power was back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PowerRestored {
    /// The node.
    pub node: String,
    /// How much of the synced file is there, in bytes.
    pub synced_bytes: u64,
    /// How much of the file is there that was never synced, in bytes.
    pub unsynced_bytes: u64,
}
