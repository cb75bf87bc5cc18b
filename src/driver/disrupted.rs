//! What a scenario did to a node that has to be made good.

/// What a scenario is about to do to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disrupted {
    /// It is paused.
    Paused(String),
    /// It is stopped.
    Stopped(String),
    /// It is cordoned.
    Cordoned(String),
    /// A newer release is brought into it, whose kubelet takes the place of its own.
    Upgraded(String),
}
