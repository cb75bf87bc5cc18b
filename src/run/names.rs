//! Names derived from the run's name.

use super::RunError;
use crate::cluster::kind::PREFIX;

/// Rejects a name that no namespace of a run may have.
///
/// # Errors
/// When it cannot be used.
pub(super) fn usable(name: String) -> Result<String, RunError> {
    let refuse = |why| Err(RunError::BadNamespace { name: name.clone(), why });
    let letters = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    // The run derives another namespace's name from this one.
    if !letters || name.is_empty() || name.len() > 55 || name.starts_with('-') || name.ends_with('-') {
        return refuse("a name has 1 to 55 lowercase letters, digits and inner hyphens");
    }
    if name == "default" || name.starts_with("kube-") {
        return refuse("it belongs to the cluster, and a run never changes a namespace that it did not create");
    }
    Ok(name)
}

/// A namespace named after the run. It is short because MySQL before 8.0.17 accepts at most 60 characters for a
/// source's host name (<https://dev.mysql.com/doc/relnotes/mysql/8.0/en/news-8-0-17.html>).
pub(super) fn short_name(run_id: &str) -> String {
    format!("{}{}", PREFIX, word_of(run_id))
}

/// The random word at the end of a run's name.
pub(super) fn word_of(run_id: &str) -> &str {
    run_id.rsplit('-').next().unwrap_or(run_id)
}
