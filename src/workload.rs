//! What is under test: manifests are parsed, understood, applied by server-side apply and deleted by recorded UID.

mod apply;
mod hidden;
mod hints;
mod kinds;
mod namespaces;
mod options;
mod own_names;
mod owned;
mod password;
mod placement;
mod pod_security;
mod quota;
mod subject;
mod unsupported;

pub use crate::lint::manifest::{Loaded, Manifest, ManifestError, Sources, load, parse};
pub(crate) use apply::by_uid;
pub use apply::{apply, await_gone, delete, delete_after_dependents, random_password, random_word, with_random_values};
pub use hidden::hide;
pub use hints::Hints;
pub use kinds::{defines_kind_of, kind_of, known_to_new_cluster};
pub use namespaces::{
    create_namespace, labelled, name_is_free, namespace_is_free, namespace_is_there, namespace_is_unused,
    namespaces_of, with_labelled_claims,
};
pub use own_names::with_own_names;
pub use owned::{ApplyError, Owned, RUN_LABEL};
pub use password::{Credentials, Holder, Key};
pub use placement::{Apart, taints_of, taints_of_new};
pub use quota::{Shortage, counts_resources, shortage, witness_takes};
pub use subject::{SubjectError, choose, images, leave_default_namespace, namespace, pull_secrets, subject};
pub use unsupported::{can_be_judged, is_no_group};
