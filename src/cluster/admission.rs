//! Checks, before anything is written to an existing cluster, that it is the intended one and new enough.

use super::{Cluster, Version};

/// The oldest supported release. Since then, PVC retention policies, which teardown and scaling are judged by, and
/// start ordinals, which determine pod names, are on by default
/// (<https://kubernetes.io/blog/2023/05/04/kubernetes-1-27-statefulset-pvc-auto-deletion-beta/>,
/// <https://kubernetes.io/blog/2023/04/28/statefulset-start-ordinal/>).
pub const OLDEST: Version = Version(1, 27, 0);

/// The run must not write to this cluster.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// The user has not confirmed that this is the intended cluster.
    #[error(
        "the cluster of context `{context}` is not confirmed as the intended one: its API server is {server}, it runs \
         Kubernetes {version}, and the UID of its namespace kube-system is {uid}; if this is the intended cluster, add \
         --cluster-uid {uid}"
    )]
    Unconfirmed {
        /// The context.
        context: String,
        /// The API server's address.
        server: String,
        /// The API server's version.
        version: String,
        /// The cluster's identity.
        uid: String,
    },
    /// It is not the intended cluster.
    #[error(
        "the cluster of context `{context}` is not the intended one: --cluster-uid is {meant}, but the namespace \
         kube-system at {server} has the UID {uid}; choose the context of the intended cluster with --context, or its \
         file with --kubeconfig; if this cluster is the intended one, use --cluster-uid {uid}"
    )]
    AnotherCluster {
        /// The context.
        context: String,
        /// The API server's address.
        server: String,
        /// The identity that the user gave.
        meant: String,
        /// The cluster's identity.
        uid: String,
    },
    /// Its release is too old.
    #[error(
        "the API server {server} runs Kubernetes {version}, but a run needs {OLDEST} or later: earlier versions do not \
         enable retention policies of claims and start ordinals of StatefulSets by default; upgrade the cluster, or \
         choose another one"
    )]
    TooOld {
        /// The API server's address.
        server: String,
        /// The API server's version.
        version: Version,
    },
    /// Its release cannot be determined.
    #[error(
        "the API server {server} reports the version `{version}`, which is not a release, so it is unknown whether it \
         has what a run needs ({OLDEST} or later); choose a cluster whose `kubectl version` reports a release"
    )]
    UnknownVersion {
        /// The API server's address.
        server: String,
        /// The version that it reports.
        version: String,
    },
    /// The account lacks rights.
    #[error(
        "the account of context `{context}` lacks rights on {server} that a run needs: {missing}; grant them \
         (manifests/account/cluster-role.yaml; for two existing namespaces with --witness-namespace, \
         manifests/account/namespaces.yaml), or choose the context of another account with --context"
    )]
    NotAllowed {
        /// The context.
        context: String,
        /// The API server's address.
        server: String,
        /// The rights.
        missing: String,
    },
    /// The account's rights cannot be determined.
    #[error(
        "the API server {server} does not report what the account of context `{context}` may do: {reason}; `kubectl \
         auth can-i --list` must work for the account, so choose the context of another account with --context"
    )]
    NotTold {
        /// The context.
        context: String,
        /// The API server's address.
        server: String,
        /// Why.
        reason: String,
    },
}

/// Rejects a cluster whose identity the user did not give or gave differently: a context is only a name in a file, and
/// its address may lead to another cluster by now.
///
/// # Errors
/// When it is not known to be the intended cluster.
pub fn is_meant(cluster: &Cluster, uid: &str, meant: Option<&str>) -> Result<(), AdmissionError> {
    let (context, server, uid) = (cluster.context.clone(), cluster.server.clone(), uid.to_owned());
    match meant {
        Some(meant) if meant == uid => Ok(()),
        Some(meant) => Err(AdmissionError::AnotherCluster { context, server, meant: meant.to_owned(), uid }),
        None => Err(AdmissionError::Unconfirmed { context, server, version: cluster.version.clone(), uid }),
    }
}

/// Rejects a cluster that is too old or that does not report its release.
///
/// # Errors
/// When its release is not known to be new enough.
pub fn is_new_enough(cluster: &Cluster) -> Result<(), AdmissionError> {
    let server = cluster.server.clone();
    match cluster.version.parse::<Version>() {
        Ok(version) if version >= OLDEST => Ok(()),
        Ok(version) => Err(AdmissionError::TooOld { server, version }),
        Err(_) => Err(AdmissionError::UnknownVersion { server, version: cluster.version.clone() }),
    }
}
