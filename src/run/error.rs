//! Why a run could not begin or was cut short, and whether that is the user's mistake.

use std::path::PathBuf;
use std::time::Duration;

use super::phases::PhaseError;
use crate::cluster::kind::CommandError;
use crate::cluster::{AdmissionError, ConnectError, EngineError, LabError, UpgradeError, VersionError};
use crate::driver::ScenarioError;
use crate::evidence::ReadError;
use crate::record::{Log, WatchError};
use crate::report::ReportError;
use crate::workload::{ApplyError, Key, ManifestError, Shortage, SubjectError};

/// A run that could not begin, or was cut short.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The lab is not ready.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A manifest is invalid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifests hold no workload to test.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// kind or the engine failed.
    #[error(transparent)]
    Kind(#[from] CommandError),
    /// The cluster cannot be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A text is not a version.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// There is no upgrade from one release to the other.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// The cluster's nodes cannot be reached.
    #[error(
        "`steadfast upgrade` can only upgrade the nodes of a kind cluster on this machine; for a cluster of a \
         kubeconfig, run `steadfast before`, upgrade the cluster yourself, and run `steadfast after`"
    )]
    NotUpgradable,
    /// The run may not write to this cluster.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// The container engine cannot host a cluster.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An object was rejected.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The history cannot be recorded.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// A report could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The evidence cannot be read back.
    #[error(transparent)]
    Evidence(#[from] ReadError),
    /// A phase of an external upgrade was refused.
    #[error(transparent)]
    Phase(#[from] PhaseError),
    /// A scenario could not be completed.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// An image is not available.
    #[error("the image {image} was not prepared by ci/setup, is not in the engine, and cannot be pulled: {source}")]
    NoImage {
        /// The image.
        image: String,
        /// The engine's error.
        source: CommandError,
    },
    /// A StorageClass does not exist.
    #[error(
        "the StorageClass {class} is neither in the manifests nor in the cluster (it has: {there}); add it, or use one \
         of those"
    )]
    NoStorageClass {
        /// The class that a claim names.
        class: String,
        /// The classes there are.
        there: String,
    },
    /// The root password does not exist.
    #[error(
        "the root password must be in {key}, but the namespace does not have it; add it to the manifests, or set \
         --password-from secret/NAME/KEY"
    )]
    NoPassword {
        /// The key where it should be.
        key: Key,
    },
    /// An image pull Secret does not exist.
    #[error("the cluster has no Secret {place}; correct --pull-secret NAMESPACE/NAME")]
    NoPullSecret {
        /// Its namespace and name.
        place: String,
    },
    /// A quota is too small.
    #[error(
        "the ResourceQuota {} allows {} of {}: {}; raise the quota, or remove it from the manifests",
        .0.quota, .0.hard, .0.resource, .0.why
    )]
    Quota(Shortage),
    /// No two pods may share a node, and there are too few nodes.
    #[error(
        "the {pods} pods of StatefulSet {set} need one node each ({why}), but only {takers} of the cluster's nodes can \
         take them: {mend}"
    )]
    TooFewNodes {
        /// The StatefulSet.
        set: String,
        /// The number of its pods.
        pods: usize,
        /// What keeps them apart.
        why: String,
        /// The number of nodes that can take such a pod.
        takers: usize,
        /// What to do.
        mend: String,
    },
    /// There is no kind cluster of that name.
    #[error(
        "there is no kind cluster `{name}` (existing clusters: {known}); use one of these, or omit --cluster to create \
         one"
    )]
    NoCluster {
        /// The name asked for.
        name: String,
        /// The clusters there are.
        known: String,
    },
    /// Images cannot be loaded into the cluster, so the user must name a witness image that it can pull.
    #[error(
        "the cluster of context {context} is not a kind cluster on this machine, so the witness image cannot be loaded \
         into it; push {image} to a registry that the cluster can reach, and set --witness-image"
    )]
    NoWitnessImage {
        /// The context.
        context: String,
        /// The image to push.
        image: String,
    },
    /// A namespace that no run may use.
    #[error("the namespace `{name}` cannot be used: {why}; choose another one with --namespace or in the manifests")]
    BadNamespace {
        /// Its name.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// Something in the cluster did not become Ready.
    #[error("{what} did not become Ready within {limit:?}; last seen: {last_seen}")]
    NotReady {
        /// What.
        what: String,
        /// The time limit.
        limit: Duration,
        /// The last state seen.
        last_seen: String,
    },
    /// The witness could not be asked.
    #[error(transparent)]
    Witness(#[from] crate::probe::WitnessError),
    /// The clean-up did not finish.
    #[error(
        "the run's objects in the namespace {namespace} could not be deleted within {limit:?}; delete them by hand"
    )]
    NotTornDown {
        /// The namespace.
        namespace: String,
        /// Its time limit.
        limit: Duration,
    },
    /// Objects of the run are left.
    #[error(
        "objects of the run still exist after {limit:?} of deletion: {}; remove them with: {removal}", .left.join(", ")
    )]
    LeftBehind {
        /// The objects, each with what blocks its deletion.
        left: Vec<String>,
        /// The command that removes them.
        removal: String,
        /// The time limit for their deletion.
        limit: Duration,
    },
    /// The API server could not be asked.
    #[error("cannot {what}: {source}")]
    Api {
        /// What was tried.
        what: String,
        /// The API server's error.
        source: Box<kube::Error>,
    },
    /// A file of the run cannot be written.
    #[error("cannot write {path}: {source}; choose a writable folder with --artifacts")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The I/O error.
        source: std::io::Error,
    },
    /// A defect of this program.
    #[error("a bug in this program ended the run: {0}; report it with the evidence")]
    Panicked(String),
    /// Ctrl-C or another request to end.
    #[error("interrupted")]
    Interrupted,
}

impl RunError {
    pub(super) fn api(what: &str, source: kube::Error) -> Self {
        Self::Api { what: what.to_owned(), source: Box::new(source) }
    }

    /// The error for evidence that did not reach the disk.
    pub(super) fn unwritten(log: &Log) -> Self {
        let why = log.failure().unwrap_or_default();
        Self::File { path: log.path().to_owned(), source: std::io::Error::other(why) }
    }

    /// Whether the user asked for something impossible. All other errors come from the environment.
    pub fn is_bad_input(&self) -> bool {
        matches!(
            self,
            Self::Manifest(_)
                | Self::Subject(_)
                | Self::NoImage { .. }
                | Self::NoStorageClass { .. }
                | Self::TooFewNodes { .. }
                | Self::Quota(_)
                | Self::NoPullSecret { .. }
                | Self::NoCluster { .. }
                | Self::NoWitnessImage { .. }
                | Self::BadNamespace { .. }
                | Self::NoPassword { .. }
                | Self::Version(_)
                | Self::Upgrade(_)
                | Self::NotUpgradable
                | Self::Apply(
                    ApplyError::NamespaceExists(_)
                        | ApplyError::NoNamespace(_)
                        | ApplyError::NamespaceInUse { .. }
                        | ApplyError::Differs { .. }
                        | ApplyError::UnknownKind { .. }
                )
                | Self::Admission(_)
                | Self::Phase(_)
                | Self::Lab(LabError::NoNodeImage { .. })
        ) || matches!(self, Self::Connect(error) if !matches!(error, ConnectError::Unreachable { .. }))
            || matches!(self, Self::Engine(error) if !matches!(error, EngineError::Silent(_)))
    }
}
