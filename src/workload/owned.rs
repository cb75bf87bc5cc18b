//! The objects that a run created, their label, and errors from creating them.

use kube::api::{Api, DynamicObject};

/// The label with the run that created an object.
pub const RUN_LABEL: &str = "steadfast/run";

/// An object that the run created and may therefore delete.
#[derive(Debug, Clone)]
pub struct Owned {
    /// The API that the object's kind belongs to, such as `apps/v1`.
    pub api_version: String,
    /// The object's kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Where it is.
    pub api: Api<DynamicObject>,
}

impl Owned {
    /// Whether it is cluster-wide.
    pub fn is_cluster_wide(&self) -> bool {
        !self.api.resource_url().contains("/namespaces/")
    }
}

/// An object could not be applied or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server rejected the request or could not be asked.
    #[error("cannot {verb} {kind} {name}: {source}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// The API server's error.
        source: Box<kube::Error>,
    },
    /// The API server does not serve a kind.
    #[error(
        "{origin}: the cluster does not know the kind {kind} of {api_version}, which {name} has; add its \
         CustomResourceDefinition to the manifests, or remove the object"
    )]
    UnknownKind {
        /// The kind.
        kind: String,
        /// Its API.
        api_version: String,
        /// The object's name.
        name: String,
        /// Where the object stands.
        origin: String,
    },
    /// The namespace existed before the run.
    #[error(
        "the namespace {0} already exists, and a run never changes a namespace that it did not create; choose another \
         one with --namespace, or delete it"
    )]
    NamespaceExists(String),
    /// A namespace that should exist does not.
    #[error(
        "there is no namespace {0}, which must exist before the run; create it (manifests/account/namespaces.yaml), or \
         omit --witness-namespace so that the run creates its own"
    )]
    NoNamespace(String),
    /// A namespace that should be unused is in use.
    #[error(
        "the namespace {namespace} is in use: it has {object}, and a run never changes what it did not create; choose \
         an unused one, or delete its objects"
    )]
    NamespaceInUse {
        /// The namespace.
        namespace: String,
        /// An object in it, by kind and name.
        object: String,
    },
    /// A cluster-wide object of that name exists and differs.
    #[error("{kind} {name} already exists and differs from the manifest at {pointer}; rename one of the two")]
    Differs {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// The first field that differs.
        pointer: String,
    },
}

pub(super) fn failed(verb: &'static str, kind: &str, name: &str) -> impl FnOnce(kube::Error) -> ApplyError {
    move |source| ApplyError::Api { verb, kind: kind.to_owned(), name: name.to_owned(), source: Box::new(source) }
}
