//! Whether a replica resumes after it was created again.

use super::resume::{same_host, untold};
use super::{channels, errors, has_replicas, reached_all, stopped};
use crate::assessment::{Judged, all_of, judged};
use crate::case::{Case, Deletion, Seen, unasked};
use crate::evidence::{Mark, Question, Scenario, Sql};
use crate::minimum::Need;
use crate::words::{seconds, some_of};
use crate::{CaseFile, Check, Finding};

pub(crate) const REPLICA_RECREATED_CATCHES_UP: Check = Check {
    id: "replication::replica_recreated_catches_up",
    statement: "A replica that is deleted and recreated MUST resume from its own volume, on its own, within the \
                budget.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replica-logs-status.html and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-storage",
    explain: "\
A replica stores its source and its position on its volume. If it does not, somebody has to configure it again by hand.
Each replica is deleted. No statement is sent to it. When first queried, it must have the rows that it had just before,
under the same server_uuid (MariaDB has none). Both its threads must run and follow the same host. It must reach the
barrier that is then requested within the budget, which counts from when it is Ready.
Common causes: the server is started with skip_replica_start (skip_slave_start); the replication settings are in files
outside of the volume; the relay log is damaged and relay_log_recovery is off; or the volume is not its own.",
    scenarios: &[Scenario::Restart],
    minimum: &[Need::Acts],
    judge: replica_recreated_catches_up,
};

fn replica_recreated_catches_up(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_replicas(case)?;
        let deletions = case.deletions();
        let mut times = Vec::new();
        for pod in case.subject.replica_pods() {
            let Some(deletion) = deletions.iter().find(|deletion| deletion.pod == pod && !deletion.killed) else {
                assessment.reject(Finding::inconclusive(format!("the replica {pod} was not deleted"), []));
                continue;
            };
            let (ready, caught_up) = (case.successor(deletion), catches_up(case, deletion));
            if let (Some((_, ready)), Some(caught_up)) = (assessment.check(ready), assessment.check(caught_up)) {
                assessment.check(in_time(case, deletion, ready, caught_up));
                assessment.cite([deletion.proved.seq, ready.seq, caught_up.seq]);
                times.push(format!("{pod} after {}", seconds(caught_up.at_us.saturating_sub(ready.at_us))));
            }
        }
        Ok(format!("had the same rows as before and caught up on their own, counted from Ready: {}", times.join(", ")))
    })
}

/// When the replica had caught up, as the same server and with the data that it had before.
fn catches_up(case: &Case<'_>, deletion: &Deletion<'_>) -> Judged<Mark> {
    let pod = deletion.pod;
    untold(case, deletion, pod)?;
    same_server(case, deletion)?;
    keeps_rows(case, deletion)?;
    let last = || case.answer_after(deletion, pod, Question::ReplicaStatus);
    let barriers = case.answers_after(deletion, pod, Question::Barrier);
    let barrier =
        reached_all(case, barriers, last)?.ok_or_else(|| unasked(pod, Question::Barrier, &deletion.after()))?;
    all_of(case.answers_after(deletion, pod, Question::ReplicaStatus).map(runs))?;
    same_host(case, deletion, pod)?;
    Ok(barrier)
}

/// Checks that the threads of a new replica are running.
fn runs(answer: Seen<'_, Sql>) -> Judged<()> {
    let (channels, seq) = (channels(answer)?, answer.mark.seq);
    let Some((thread, state)) = stopped(&channels) else { return Ok(()) };
    let reason = format!("the {thread} of the new {} is `{state}` (#{seq}){}", answer.pod, errors(&channels));
    // The replica reached the barrier, so it was connected and may be reconnecting.
    let found = if state == "Connecting" { Finding::inconclusive } else { Finding::fail };
    Err(found(reason, vec![seq]))
}

/// Checks that the new pod's server is the old one's: another volume would be another server. MariaDB has no
/// `server_uuid`; there the rows must show it.
fn same_server(case: &Case<'_>, deletion: &Deletion<'_>) -> Judged<()> {
    if !case.have_server_uuids() {
        return Ok(());
    }
    let before = case.answer_before(deletion, Question::Identity)?;
    let after = case.answer_after(deletion, deletion.pod, Question::Identity)?;
    let (was, is) = (before.value("server_uuid")?, after.value("server_uuid")?);
    if was.eq_ignore_ascii_case(is) {
        return Ok(());
    }
    let (pod, then, now) = (deletion.pod, before.mark.seq, after.mark.seq);
    let reason = format!("{pod} had server_uuid {was} (#{then}) and now has {is} (#{now}): it started as a new server");
    Err(Finding::fail(reason, [then, now]))
}

/// Checks that the new pod's first answer has the rows of the old pod's last answer.
fn keeps_rows(case: &Case<'_>, deletion: &Deletion<'_>) -> Judged<()> {
    let pod = deletion.pod;
    let before = case.answer_before(deletion, Question::Rows)?;
    let first = case.answers_after(deletion, pod, Question::Rows).next();
    let after = first.map_or_else(|| case.answer_after(deletion, pod, Question::Rows), Ok)?;
    let (had, has) = (before.ids()?, after.ids()?);
    let gone: Vec<_> = had.difference(&has).collect();
    if gone.is_empty() {
        return Ok(());
    }
    let (then, now) = (before.mark.seq, after.mark.seq);
    let reason = format!("the new {pod} lacks the rows {}, which the old one had (#{then}, #{now})", some_of(gone));
    Err(Finding::fail(reason, [then, now]))
}

fn in_time(case: &Case<'_>, deletion: &Deletion<'_>, ready: Mark, caught_up: Mark) -> Judged<()> {
    let (took, budget) = (caught_up.at_us.saturating_sub(ready.at_us), case.run.budgets.resume_ms.saturating_mul(1000));
    if case.is_within(&format!("how long {} took", deletion.pod), (ready, caught_up), budget)? {
        return Ok(());
    }
    let (pod, took, budget, seq) = (deletion.pod, seconds(took), seconds(budget), caught_up.seq);
    let when = format!("{took} after it was Ready (#{}), not within {budget}", ready.seq);
    Err(Finding::fail(format!("{pod} had caught up only {when} (#{seq})"), [ready.seq, seq]))
}
