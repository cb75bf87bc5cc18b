//! Why a phase is refused.

use std::path::PathBuf;

use super::saved::SavedError;

/// Why a phase is refused.
#[derive(Debug, thiserror::Error)]
pub enum PhaseError {
    /// The state file cannot be used.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// No cluster is named. None is created, because whoever creates it must upgrade it.
    #[error(
        "`steadfast before` needs the cluster that you are about to upgrade; choose a kind cluster on this machine \
         with --cluster, or any other cluster with --kubeconfig and --cluster-uid"
    )]
    NoCluster,
    /// The state file is about another cluster.
    #[error(
        "the state file {path} is about another cluster: {known}; this one is {found}. Choose the right cluster with \
         --cluster, or with --kubeconfig and --context, or another file with --state"
    )]
    AnotherCluster {
        /// The state file.
        path: PathBuf,
        /// The file's cluster and its identity.
        known: String,
        /// The cluster that answers and its identity.
        found: String,
    },
    /// The state file is about another workload.
    #[error(
        "the state file {path} is about {known}, not about {asked}; choose another file with --state, or remove the \
         workload of this file with `steadfast after --abandon`"
    )]
    AnotherWorkload {
        /// The state file.
        path: PathBuf,
        /// The file's workload.
        known: String,
        /// The requested workload.
        asked: String,
    },
    /// `before` did not finish.
    #[error(
        "`steadfast before` did not finish: it {got_to}, and the state of the cluster is not in {path}. Run it again \
         before you upgrade, or remove what it created with `steadfast after --abandon`"
    )]
    HalfFinished {
        /// The state file.
        path: PathBuf,
        /// How far it got, as part of a sentence.
        got_to: &'static str,
    },
    /// Something that `before` created or found does not exist.
    #[error(
        "{what}, so there is nothing to compare with the state in {path}. If the upgrade caused this, it destroyed the \
         workload; remove what is left with `steadfast after --abandon`"
    )]
    Gone {
        /// What is missing.
        what: String,
        /// The state file.
        path: PathBuf,
    },
    /// The workload to adopt does not exist.
    #[error(
        "there is no {kind} {name} in the namespace {namespace}; choose an existing one with --adopt and --namespace"
    )]
    NothingToAdopt {
        /// The kind.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The namespace.
        namespace: String,
    },
}
