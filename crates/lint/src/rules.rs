//! The rules, in the order of the documentation. Each looks at one StatefulSet and the objects beside it.
//!
//! A rule that cannot know stays silent: lint sees neither the cluster nor the content of images, nor Secrets and
//! ConfigMaps that are not among the manifests.

mod bad_days;
mod network;
mod options;
mod password;
mod pod;
mod probe;
mod schema;
mod server_id;
mod storage;
#[cfg(test)]
mod tests;

use serde::Serialize;
use steadfast_model::Choice;

use super::set::{Hit, Set};

/// The severity of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It does not run, loses data, or does not do what a StatefulSet is for.
    Error,
    /// It runs but fails on a bad day, or it depends on what lint cannot see.
    Warning,
    /// It may be intended.
    Note,
}

impl Choice for Level {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Error, "error", "It does not run, loses data, or does not do what a StatefulSet is for"),
        (Self::Warning, "warning", "It runs but fails on a bad day, or depends on something that lint cannot see"),
        (Self::Note, "note", "It may be intended"),
    ];
}

/// A rule about a mistake that manifests can have.
#[derive(Debug)]
pub struct Rule {
    /// The id in kebab-case; it never changes.
    pub id: &'static str,
    /// The severity.
    pub level: Level,
    /// What it looks for, in a few words.
    pub summary: &'static str,
    /// Why it matters, and why it has this level.
    pub why: &'static str,
    /// How to fix it.
    pub fix: &'static str,
    /// The source.
    pub source: &'static str,
    /// Finds the rule's hits in a set.
    pub(super) find: for<'a> fn(&Set<'a>) -> Vec<Hit<'a>>,
}

/// Every rule.
pub static RULES: &[Rule] = &[
    password::NO_ROOT_PASSWORD,
    password::OPEN_ROOT_PASSWORD,
    password::SECRET_VALUE,
    password::USER_IS_ROOT,
    server_id::SAME_SERVER_ID,
    probe::NO_READINESS_PROBE,
    probe::PROBE_NEVER_SUCCEEDS,
    probe::READINESS_PROBE_LIES,
    bad_days::LIVENESS_KILLS_RECOVERY,
    network::NO_GOVERNING_SERVICE,
    network::SERVICE_NOT_HEADLESS,
    network::SELECTOR_MISMATCH,
    network::UNNAMED_PORT,
    network::PORT_NOBODY_LISTENS,
    network::NOT_READY_PUBLISHED,
    options::NOT_REACHABLE,
    bad_days::EXPOSED,
    storage::DATA_OUTSIDE_CLAIM,
    storage::SHARED_CLAIM,
    storage::CLAIMS_DELETED,
    storage::STORAGE_CLASS_ABSENT,
    bad_days::VOLUME_NOT_WRITABLE,
    bad_days::LOST_FOUND,
    options::NOT_DURABLE,
    pod::IMAGE_TAG_MOVES,
    pod::NO_DISRUPTION_BUDGET,
    bad_days::BUDGET_BLOCKS_DRAINS,
    bad_days::PODS_SHARE_A_NODE,
    pod::GRACE_PERIOD_TOO_SHORT,
    pod::NO_RESOURCES,
    options::BUFFER_POOL_TOO_LARGE,
    options::MEMORY_UNIT,
    pod::PARALLEL_PODS,
    pod::SERVER_UNKNOWN,
    schema::API_VERSION,
    schema::WRONG_TYPE,
    schema::REPEATED_KEY,
    schema::OBJECT_TWICE,
    schema::VARIABLE_TWICE,
];
