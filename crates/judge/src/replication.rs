//! Replication: replicas follow their source by its stable name, have the same data, and refuse all other writes.

mod account;
mod acknowledged;
mod budget;
mod contents;
mod joins;
mod lag;
mod power;
mod recreated;
mod resume;
mod rows;
mod semi_sync;

#[cfg(test)]
mod tests;

use super::assessment::{Judged, all_of, judged};
use super::case::{Case, Seen, unasked};
use super::minimum::Need;
use super::words::during;
use super::{CaseFile, Check, Finding};
use crate::evidence::{Checkpoint, Mark, Question, Scenario, Sql, SqlAnswer, Subject};
use crate::mysql::status::ReplicaStatus;

pub(super) use account::{Account, held, some};
pub(super) use acknowledged::NO_ACKNOWLEDGED_WRITE_IS_LOST;
pub(super) use budget::RECOVERS_WITHIN_BUDGET;
pub(super) use joins::NEW_REPLICA_JOINS;
pub(super) use lag::READ_LAG_IS_BOUNDED;
pub(super) use power::{PowerAccount, REPLICAS_AGREE_AFTER_POWER_LOSS};
pub(super) use recreated::REPLICA_RECREATED_CATCHES_UP;
pub(super) use resume::PRIMARY_RECREATED_REPLICAS_RESUME;
pub(super) use rows::REPLICAS_HOLD_THE_SAME_ROWS;
pub(super) use semi_sync::COMMITS_WAIT_FOR_A_REPLICA;

pub(super) const REPLICAS_FOLLOW_BY_STABLE_NAME: Check = Check {
    id: "replication::replicas_follow_by_stable_name",
    statement: "On each replica both replication threads MUST run, and the source's host MUST be the stable DNS name \
                of the first pod.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/show-replica-status.html and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id",
    explain: "\
A replica that follows an IP address works only until the source is recreated with another address.
The replication status of each replica is read once replication was configured, after each disruption, and at the end.
Both threads must say Yes. The host must be <pod>.<service>, alone or with the rest of the stable name. If a replica has
several channels, the threads of each channel must run, and one channel must follow the first pod.
Common causes: the source was configured by its IP address, or by the Service's name, which resolves to any pod; the
replication user is missing or its password is rejected (Last_IO_Error 1045); or a replica came back without its data.",
    scenarios: &[Scenario::Replicate],
    minimum: &[Need::Sql(Question::ReplicaStatus)],
    judge: replicas_follow_by_stable_name,
};

fn replicas_follow_by_stable_name(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_replicas(case)?;
        let mut replicas = Vec::new();
        for pod in case.subject.replica_pods() {
            for checkpoint in case.checkpoints(Checkpoint::Replicating, &pod, Question::ReplicaStatus) {
                let follows = assessment.check(follows(case, &pod, &checkpoint));
                assessment.cite(follows.into_iter().flatten());
            }
            replicas.push(pod);
        }
        Ok(format!("{} replicate from {} by its stable name", replicas.join(", "), case.subject.primary()))
    })
}

/// Checks every replication status of a replica at a checkpoint, and returns their records.
fn follows(case: &Case<'_>, pod: &str, checkpoint: &Checkpoint) -> Judged<Vec<u64>> {
    let answers = case.answers(pod, Question::ReplicaStatus, checkpoint);
    let follows = all_of(answers.map(|answer| follows_by(case, answer, checkpoint)))?;
    if follows.is_empty() { Err(unasked(pod, Question::ReplicaStatus, checkpoint)) } else { Ok(follows) }
}

fn follows_by(case: &Case<'_>, answer: Seen<'_, Sql>, checkpoint: &Checkpoint) -> Judged<u64> {
    let (channels, pod, seq) = (channels(answer)?, &answer.it.pod, answer.mark.seq);
    if let Some((thread, state)) = stopped(&channels) {
        let reason = format!("the {thread} of {pod} is `{state}` {} (#{seq}){}", during(checkpoint), errors(&channels));
        // A replica that lost the source with its pod reconnects within about a second; if it had not caught up, it did
        // not.
        let may_be_about_to =
            state == "Connecting" && *checkpoint != Checkpoint::Replicating && !missed(case, pod, checkpoint);
        let found = if may_be_about_to { Finding::inconclusive } else { Finding::fail };
        return Err(found(reason, vec![seq]));
    }
    if !channels.iter().any(|channel| is_stable_name(case.subject, channel.host)) {
        let (hosts, name) = (hosts(&channels), case.subject.fqdn(&case.subject.primary()));
        let reason = format!("{pod} replicates from {hosts}, not from `{name}` {} (#{seq})", during(checkpoint));
        return Err(Finding::fail(reason, [seq]));
    }
    Ok(seq)
}

/// The first thread that is not running, with its state. A thread that is connecting comes last.
fn stopped<'a>(channels: &[ReplicaStatus<'a>]) -> Option<(String, &'a str)> {
    let threads = channels.iter().flat_map(|channel| {
        let of = if channel.channel.is_empty() { String::new() } else { format!(" of channel `{}`", channel.channel) };
        [("IO", channel.io_running), ("SQL", channel.sql_running)]
            .map(|(name, state)| (format!("{name} thread{of}"), state))
    });
    let stopped: Vec<_> = threads.filter(|(_, state)| *state != "Yes").collect();
    let gravest = stopped.iter().position(|(_, state)| *state != "Connecting").unwrap_or(0);
    stopped.into_iter().nth(gravest)
}

fn errors(channels: &[ReplicaStatus<'_>]) -> String {
    channels.iter().map(ReplicaStatus::errors).collect()
}

/// The sources of all channels, for people.
fn hosts(channels: &[ReplicaStatus<'_>]) -> String {
    channels.iter().map(|channel| format!("`{}`", channel.host)).collect::<Vec<_>>().join(", ")
}

/// Whether the replica failed to reach a barrier of this checkpoint.
fn missed(case: &Case<'_>, pod: &str, checkpoint: &Checkpoint) -> bool {
    let mut barriers = case.answers(pod, Question::Barrier, checkpoint);
    barriers.any(|barrier| barrier.value("reached").is_ok_and(|reached| reached != "1"))
}

/// Whether a host is the primary's stable name, in full or in a form that a pod's search list completes.
fn is_stable_name(subject: &Subject, host: &str) -> bool {
    let (pod, service, namespace) = (subject.primary(), &subject.service, &subject.namespace);
    let host = host.trim_end_matches('.');
    [
        subject.fqdn(&pod),
        format!("{pod}.{service}.{namespace}.svc"),
        format!("{pod}.{service}.{namespace}"),
        format!("{pod}.{service}"),
    ]
    .iter()
    .any(|name| name.eq_ignore_ascii_case(host))
}

/// The replication channels of a server, which must have at least one.
fn channels<'a>(answer: Seen<'a, Sql>) -> Judged<Vec<ReplicaStatus<'a>>> {
    let channels: Vec<_> = answer.rows()?.iter().map(ReplicaStatus::of).collect();
    if channels.is_empty() {
        let seq = answer.mark.seq;
        return Err(Finding::fail(
            format!("{} is not a replica: its replication status is empty (#{seq})", answer.pod),
            [seq],
        ));
    }
    Ok(channels)
}

/// Checks that the replica reached every barrier of this checkpoint, and returns the last one.
fn reached_barrier(case: &Case<'_>, pod: &str, checkpoint: &Checkpoint) -> Judged<Mark> {
    let barriers = case.answers(pod, Question::Barrier, checkpoint);
    let last = || case.last_answer(pod, Question::ReplicaStatus, checkpoint);
    reached_all(case, barriers, last)?.ok_or_else(|| unasked(pod, Question::Barrier, checkpoint))
}

/// Checks that the replica reached each of these barriers, and returns the last one.
fn reached_all<'a>(
    case: &Case<'a>,
    barriers: impl Iterator<Item = Seen<'a, Sql>>,
    last: impl Fn() -> Judged<Seen<'a, Sql>>,
) -> Judged<Option<Mark>> {
    Ok(all_of(barriers.map(|barrier| reached(case, barrier, &last)))?.pop())
}

/// Whether a replica reached a barrier that proves something.
fn has_reached<'a>(case: &Case<'a>, barrier: &Seen<'a, Sql>) -> bool {
    barrier.value("reached").is_ok_and(|reached| reached == "1") && case.unproven(barrier).is_none()
}

/// Checks that a replica reached a barrier that proves something. If it did not, its status may give the reason.
fn reached<'a>(case: &Case<'a>, barrier: Seen<'a, Sql>, last: impl Fn() -> Judged<Seen<'a, Sql>>) -> Judged<Mark> {
    let seq = barrier.mark.seq;
    if barrier.value("reached")? == "1" {
        return case.unproven(&barrier).map_or(Ok(barrier.mark), Err);
    }
    let wanted = barrier.value("gtid_set").unwrap_or("the transactions of its source");
    let errors = last().and_then(channels).map_or(String::new(), |channels| errors(&channels));
    let (pod, when) = (&barrier.pod, during(&barrier.checkpoint));
    Err(Finding::fail(format!("{pod} did not reach the barrier `{wanted}` {when} (#{seq}){errors}"), [seq]))
}

fn has_replicas(case: &Case<'_>) -> Judged<()> {
    if case.subject.replicas > 1 {
        return Ok(());
    }
    Err(Finding::skipped("the set has one pod: there is no replica"))
}

pub(super) const REPLICAS_REFUSE_WRITES: Check = Check {
    id: "replication::replicas_refuse_writes",
    statement: "A replica MUST refuse a write with error 1290, even from an account with all privileges. MariaDB \
                cannot refuse such an account, so there a replica MUST refuse a write from an ordinary account.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/server-system-variables.html#sysvar_super_read_only and \
             https://mariadb.com/kb/en/server-system-variables/#read_only",
    explain: "\
One write on a replica is an errant transaction: the replica differs from its source for good and can never replace it.
The check tries a write instead of reading the setting: an insert in a transaction that is rolled back, with the account
of the harness. It does so once replication was configured, after each disruption, and on a replica that joins. A single
accepted write is a violation. MariaDB has only read_only, which does not stop accounts with READ_ONLY ADMIN; there the
insert uses an account that may only insert.
Common causes: read_only is on without super_read_only, so administrators can write; or it was set only at run time and
is lost after a restart.",
    scenarios: &[Scenario::Replicate],
    minimum: &[Need::Sql(Question::TryWrite)],
    judge: replicas_refuse_writes,
};

/// ER_OPTION_PREVENTS_STATEMENT: the server runs with --super-read-only, or MariaDB with --read-only.
const OPTION_PREVENTS_STATEMENT: u16 = 1290;

fn replicas_refuse_writes(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_replicas(case)?;
        let joined = case.subject.nth(case.subject.replicas);
        for pod in case.subject.replica_pods().chain([joined.clone()]) {
            if pod != joined {
                assessment.check(case.last_answer(&pod, Question::TryWrite, &Checkpoint::Replicating));
            }
            // All attempts at any checkpoint: a single accepted write is a failure.
            for attempt in case.heard().filter(|sql| sql.pod == pod && sql.question == Question::TryWrite) {
                let refused = assessment.check(refused(attempt));
                assessment.cite(refused);
            }
        }
        let replicas: Vec<_> = case.subject.replica_pods().collect();
        let whose = if case.refuse_ordinary_writes_only() { " of an ordinary account" } else { "" };
        Ok(format!("{} refused a write{whose} with error 1290", replicas.join(", ")))
    })
}

fn refused(attempt: Seen<'_, Sql>) -> Judged<u64> {
    let seq = attempt.mark.seq;
    if matches!(attempt.answer, SqlAnswer::Error { code: OPTION_PREVENTS_STATEMENT, .. }) {
        return Ok(seq);
    }
    attempt.rows()?;
    let (pod, when) = (&attempt.pod, during(&attempt.checkpoint));
    Err(Finding::fail(format!("{pod} accepted a write {when} (#{seq})"), [seq]))
}
