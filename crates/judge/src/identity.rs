//! Identity: the names of a pod, and what stays the same when it is created again.

use super::case::Seen;
use crate::evidence::Sql;

mod distinct;
mod hostname;
mod pod_index;
mod restarts;
mod stops;
mod survives;
#[cfg(test)]
mod tests;
mod told;

pub(super) use distinct::SERVER_IDS_ARE_DISTINCT;
pub(super) use hostname::HOSTNAME_IS_POD_NAME;
pub(super) use pod_index::POD_INDEX_LABEL_MATCHES;
pub(super) use restarts::CONTAINERS_RESTART_ONLY_WHEN_DISRUPTED;
pub(super) use stops::SERVERS_STOP_WITHIN_THEIR_GRACE;
pub(super) use survives::IDENTITY_SURVIVES_RESTART;

/// Whether the server's flavour does not have this column.
fn lacks(answer: &Seen<'_, Sql>, column: &str) -> bool {
    column == "server_uuid" && answer.flavour().is_some_and(|flavour| !flavour.has_server_uuid())
}
