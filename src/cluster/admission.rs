//! Whether a cluster that the run did not make is the one that is meant, and new enough: asked before anything is written
//! to it.

use super::{Cluster, Version};

/// The oldest release that a run understands. Retention policies of claims, which teardown and scaling are judged by, and
/// start ordinals, which the names of pods follow from, are there by default from then on
/// (<https://kubernetes.io/blog/2023/05/04/kubernetes-1-27-statefulset-pvc-auto-deletion-beta/>,
/// <https://kubernetes.io/blog/2023/04/28/statefulset-start-ordinal/>).
pub const OLDEST: Version = Version(1, 27, 0);

/// A cluster that nothing is written to.
#[derive(Debug, thiserror::Error)]
pub enum AdmissionError {
    /// Nobody said that it is the one.
    #[error(
        "nothing says yet that the cluster of context `{context}` is the one that is meant: its API server is {server}, \
         it runs Kubernetes {version}, and the UID of its namespace kube-system is {uid}; if that is the one, \
         say so by --cluster-uid {uid}"
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
    /// It is not the one.
    #[error(
        "the cluster of context `{context}` is not the one that is meant: --cluster-uid says {meant}, and the namespace \
         kube-system behind {server} has the UID {uid}; name the context of the other one by --context, its file by \
         --kubeconfig, or, if this one is meant after all, say so by --cluster-uid {uid}"
    )]
    AnotherCluster {
        /// The context.
        context: String,
        /// The API server's address.
        server: String,
        /// The identity that was typed in.
        meant: String,
        /// The cluster's identity.
        uid: String,
    },
    /// It lacks what a run relies on.
    #[error(
        "the API server {server} runs Kubernetes {version}, and a run needs {OLDEST} or later: retention policies of \
         claims and start ordinals of sets are on only from there on; upgrade the cluster, or name another one"
    )]
    TooOld {
        /// The API server's address.
        server: String,
        /// The API server's version.
        version: Version,
    },
    /// Nobody knows what it lacks.
    #[error(
        "the API server {server} says that it runs Kubernetes `{version}`, which is no release, so nobody knows whether \
         it has what a run needs ({OLDEST} or later); name a cluster whose `kubectl version` tells its release"
    )]
    UnknownVersion {
        /// The API server's address.
        server: String,
        /// What it says.
        version: String,
    },
    /// The account lacks rights.
    #[error(
        "the account of context `{context}` may not do on {server} what a run needs: {missing}; have these rights given \
         to it (manifests/account/cluster-role.yaml; for two namespaces that are there, and --witness-namespace, \
         manifests/account/namespaces.yaml), or name the context of another account by --context"
    )]
    NotAllowed {
        /// The context.
        context: String,
        /// The API server's address.
        server: String,
        /// The rights.
        missing: String,
    },
    /// What the account may do is not known.
    #[error(
        "the API server {server} does not tell what the account of context `{context}` may do: {reason}; \
         `kubectl auth can-i --list` has to work for it, so name the context of another account by --context"
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

/// Refuses a cluster that has another identity than the one that was typed in, or whose identity nobody typed in: a
/// context is a word of a file, and the address behind it may be anybody's by now.
///
/// # Errors
/// When it is not known to be the one that is meant.
pub fn is_meant(cluster: &Cluster, uid: &str, meant: Option<&str>) -> Result<(), AdmissionError> {
    let (context, server, uid) = (cluster.context.clone(), cluster.server.clone(), uid.to_owned());
    match meant {
        Some(meant) if meant == uid => Ok(()),
        Some(meant) => Err(AdmissionError::AnotherCluster { context, server, meant: meant.to_owned(), uid }),
        None => Err(AdmissionError::Unconfirmed { context, server, version: cluster.version.clone(), uid }),
    }
}

/// Refuses a cluster that is too old, or that does not tell how old it is.
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
