//! The wording of findings.

use std::fmt;

use crate::evidence::{Checkpoint, Question};

/// A duration in seconds, for people; cut and not rounded, so that a finding never tells of more time than passed.
pub(super) fn seconds(us: u64) -> String {
    format!("{}.{} s", us / 1_000_000, us / 100_000 % 10)
}

/// A short duration, for people.
pub(super) fn milliseconds(us: u64) -> String {
    if us < 1_000_000 { format!("{}.{} ms", us / 1_000, us / 100 % 10) } else { seconds(us) }
}

/// The first five items, with the total if there are more.
pub(super) fn some_of<T: fmt::Display>(all: impl IntoIterator<Item = T>) -> String {
    let all: Vec<T> = all.into_iter().collect();
    five_of(&all, all.len())
}

/// The first five items of `count`, with that total if there are more.
pub(super) fn five_of<T: fmt::Display>(all: impl IntoIterator<Item = T>, count: usize) -> String {
    let first: Vec<String> = all.into_iter().take(5).map(|one| one.to_string()).collect();
    let first = first.join(", ");
    if count > 5 { format!("{first} … ({count} in all)") } else { first }
}

/// A number of times, for people.
pub(super) fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// A UID, shortened for people.
pub(super) fn short(uid: &str) -> String {
    match uid.char_indices().nth(8) {
        Some((end, _)) => format!("{}…", &uid[..end]),
        None => uid.to_owned(),
    }
}

/// A checkpoint, for people.
pub(super) fn during(checkpoint: &Checkpoint) -> String {
    match checkpoint {
        Checkpoint::Starting { pod, .. } => format!("while {pod} started"),
        Checkpoint::Ready { pod, .. } => format!("when {pod} became Ready"),
        Checkpoint::Deployed => "after all pods were Ready".to_owned(),
        Checkpoint::Replicating => "once replication was configured".to_owned(),
        Checkpoint::BeforeDeletion { pod } => format!("before the deletion of {pod}"),
        Checkpoint::Deletion { pod } => format!("after the deletion of {pod}"),
        Checkpoint::BeforeKill { pod } => format!("before {pod} was killed"),
        Checkpoint::Kill { pod } => format!("after {pod} was killed"),
        Checkpoint::Held { pod } => format!("while {pod} was held unready"),
        Checkpoint::Released { pod } => format!("once {pod} was Ready again"),
        Checkpoint::ScaledDown => "after the scale-down".to_owned(),
        Checkpoint::ScaledUp => "after the scale-up".to_owned(),
        Checkpoint::Recovered { scenario } => format!("after the scenario {scenario}"),
        Checkpoint::PowerCut { cut } => format!("after power cut {cut}"),
        Checkpoint::Joined => "after a new replica had joined".to_owned(),
        Checkpoint::Upgrading { steps: 0 } => "before the upgrade".to_owned(),
        Checkpoint::Upgrading { steps } => format!("after step {steps} of the upgrade"),
        Checkpoint::Settled => "at the end".to_owned(),
    }
}

/// The subject of a question, for people, to follow "asked for".
pub(super) fn topic(question: Question) -> &'static str {
    match question {
        Question::Ping => "an authenticated query",
        Question::Identity => "its identity",
        Question::Configure => "the configuration of replication",
        Question::ReplicaStatus => "its replication status",
        Question::GtidExecuted => "its executed transactions",
        Question::Barrier => "the GTID barrier",
        Question::Rows => "the ledger's rows",
        Question::Digest => "its tables' checksums",
        Question::TryWrite => "a write",
        Question::Settings => "its durability settings",
        Question::Entries => "the rows of the witness's ledger",
        Question::SemiSync => "its semi-synchronous replication status",
        Question::Uptime => "its uptime",
        Question::FaultInjection => "an injected fault",
    }
}
