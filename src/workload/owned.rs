//! What a run made, how it is marked, and why something could not be made.

use kube::api::{Api, DynamicObject};

/// Marks an object with the run that made it.
pub const RUN_LABEL: &str = "steadfast/run";

/// An object that the run made, and may therefore delete.
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
    /// Whether it belongs to no namespace.
    pub fn is_cluster_wide(&self) -> bool {
        !self.api.resource_url().contains("/namespaces/")
    }
}

/// An object could not be applied or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server refused or could not be asked.
    #[error("cannot {verb} {kind} {name}: {source}")]
    Api {
        /// What was tried.
        verb: &'static str,
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// What happened.
        source: Box<kube::Error>,
    },
    /// The API server does not know a kind.
    #[error(
        "{origin}: the cluster knows no kind {kind} of {api_version}, which {name} is of; add its CustomResourceDefinition \
         to the manifests, or leave the object out"
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
    /// The namespace was there before the run.
    #[error(
        "the namespace {0} exists already, and a run never touches a namespace that it did not make; \
         choose another one by --namespace, or delete it"
    )]
    NamespaceExists(String),
    /// A namespace that was to be there is not.
    #[error(
        "there is no namespace {0}, which is to be there beforehand; make it (manifests/account/namespaces.yaml), or leave \
         --witness-namespace out, and the run makes its own"
    )]
    NoNamespace(String),
    /// A namespace that was to be unused is not.
    #[error(
        "the namespace {namespace} is in use: it has {object}, and a run never touches what it did not make; name an unused \
         one, or delete what is in it"
    )]
    NamespaceInUse {
        /// The namespace.
        namespace: String,
        /// Something that is there, by kind and name.
        object: String,
    },
    /// A cluster-wide object of that name is there and differs.
    #[error("{kind} {name} exists already and differs from the manifest at {pointer}; rename one of the two")]
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
