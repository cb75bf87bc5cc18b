//! What a scenario did to a node and must be undone.

/// What a scenario is about to do to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disrupted {
    /// It is paused.
    Paused(String),
    /// It is stopped.
    Stopped(String),
    /// They have no power.
    Unpowered(Vec<String>),
    /// It is cordoned.
    Cordoned(String),
    /// It gets a newer release, whose kubelet replaces its own.
    Upgraded(String),
}
