//! What is under test: manifests are parsed, understood, applied by server-side apply and deleted by recorded UID.

mod apply;
mod manifests;
mod subject;

pub(crate) use apply::by_uid;
pub use apply::{
    ApplyError, Owned, apply, await_gone, create_namespace, delete, kind_of, namespace_is_free, namespaces_of,
    random_word, with_random_values,
};
pub(crate) use manifests::{KUSTOMIZATIONS, documents, files, kustomize, must_be_object, read};
pub use manifests::{Manifest, ManifestError, load, parse};
pub use subject::{Credentials, SubjectError, images, namespace, subject};
