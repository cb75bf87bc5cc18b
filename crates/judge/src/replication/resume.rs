//! Whether replicas resume after their source was created again.

use std::collections::BTreeSet;

use super::{channels, has_replicas, hosts, reached_all};
use crate::assessment::{Judged, judged};
use crate::case::{Case, Deletion, Seen, is_after, is_before, unasked};
use crate::evidence::{Mark, Question, Scenario, Sql, WriteOutcome};
use crate::minimum::Need;
use crate::mysql::status::ReplicaStatus;
use crate::words::seconds;
use crate::{CaseFile, Check, Finding};

pub(crate) const PRIMARY_RECREATED_REPLICAS_RESUME: Check = Check {
    id: "replication::primary_recreated_replicas_resume",
    statement: "After the primary is deleted and recreated under its name, each replica MUST resume replication on its \
                own, within the budget.",
    source: "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#stable-network-id and \
             https://dev.mysql.com/doc/refman/8.4/en/change-replication-source-to.html (SOURCE_CONNECT_RETRY)",
    explain: "\
Replicas follow a name for this reason: the primary comes back with another address, and nobody has to reconfigure them.
The primary is deleted. A row that the new primary acknowledges must reach each replica through the GTID barrier,
without a statement to any replica. It must be readable there within the budget, which counts from when the new primary
is Ready.
Common causes: replicas follow an IP address; SOURCE_CONNECT_RETRY is long (60 s by default) or its retries are used up;
DNS answers come from a cache; or the primary lost its data, so replicas have transactions that it never wrote (1236).",
    scenarios: &[Scenario::Restart],
    minimum: &[Need::Acts],
    judge: primary_recreated_replicas_resume,
};

fn primary_recreated_replicas_resume(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_replicas(case)?;
        let primary = case.subject.primary();
        let deletions = case.deletions();
        let Some(deletion) = deletions.iter().find(|deletion| deletion.pod == primary) else {
            return Err(Finding::inconclusive(format!("the primary {primary} was not deleted"), []));
        };
        let (life, ready) = case.successor(deletion)?;
        let (id, written) = first_write(case, deletion, &life.uid)?;
        assessment.cite([deletion.proved.seq, ready.seq, written]);
        let mut times = Vec::new();
        for pod in case.subject.replica_pods() {
            if let Some(resumed) = assessment.check(resumes(case, deletion, &pod, (id, written), ready)) {
                assessment.cite([resumed.seq]);
                times.push(format!("{pod} after {}", seconds(resumed.at_us.saturating_sub(ready.at_us))));
            }
        }
        let which = format!("row {id}, written on the new {primary} (#{written})");
        Ok(format!("{which}, reached {}, counted from Ready at #{}", times.join(", "), ready.seq))
    })
}

/// The first write that the new primary acknowledged, with its record.
fn first_write(case: &Case<'_>, deletion: &Deletion<'_>, uid: &str) -> Judged<(u64, u64)> {
    let after = deletion.after();
    let writes: Vec<_> = case.writes().filter(|write| write.uid == uid && write.checkpoint == after).collect();
    if let Some(write) = writes.iter().find(|write| write.outcome == WriteOutcome::Acknowledged) {
        return Ok((write.id, write.mark.seq));
    }
    let refusal = writes.iter().find_map(|write| match &write.it.outcome {
        WriteOutcome::Rejected(why) => Some((why, write.mark.seq)),
        _ => None,
    });
    Err(match refusal {
        Some((why, seq)) => Finding::fail(format!("the new {} refused a write: {why} (#{seq})", deletion.pod), [seq]),
        None => Finding::inconclusive(format!("no write was acknowledged by the new {}", deletion.pod), []),
    })
}

/// When a replica was seen to have the row: at the barrier that was asked for after the write, if it reached that.
fn resumes(
    case: &Case<'_>,
    deletion: &Deletion<'_>,
    pod: &str,
    (id, written): (u64, u64),
    ready: Mark,
) -> Judged<Mark> {
    untold(case, deletion, pod)?;
    let barriers = case.answers_after(deletion, pod, Question::Barrier);
    let barrier = reached_all(case, barriers, || case.answer_after(deletion, pod, Question::ReplicaStatus))?
        .ok_or_else(|| unasked(pod, Question::Barrier, &deletion.after()))?;
    same_host(case, deletion, pod)?;
    let read = case.answer_after(deletion, pod, Question::Rows)?;
    if !read.ids()?.contains(&id) {
        let seq = read.mark.seq;
        return Err(Finding::fail(format!("{pod} never got row {id}, written on the new primary (#{seq})"), [seq]));
    }
    let there = if is_after(written)(&barrier) { barrier } else { read.mark };
    let (took, budget) = (there.at_us.saturating_sub(ready.at_us), case.run.budgets.resume_ms.saturating_mul(1000));
    if case.is_within(&format!("how long {pod} took"), (ready, there), budget)? {
        return Ok(there);
    }
    let (took, budget, seq) = (seconds(took), seconds(budget), there.seq);
    let when = format!("{took} after the new primary was Ready (#{}), not within {budget}", ready.seq);
    Err(Finding::fail(format!("{pod} had row {id} only {when} (#{seq})"), [ready.seq, seq]))
}

/// Checks that nobody configured a replica after a deletion, so that it resumed by itself.
pub(super) fn untold(case: &Case<'_>, deletion: &Deletion<'_>, pod: &str) -> Judged<()> {
    let told = |sql: &Seen<'_, Sql>| matches!(sql.question, Question::Configure | Question::FaultInjection);
    if let Some(told) = case.sql().find(|sql| sql.pod == pod && told(sql) && deletion.spans(sql.mark)) {
        let seq = told.mark.seq;
        return Err(Finding::inconclusive(format!("{pod} got a statement after the deletion (#{seq})"), [seq]));
    }
    Ok(())
}

/// Checks that a replica's channels follow the same host names as before, wherever these resolve to now.
pub(super) fn same_host(case: &Case<'_>, deletion: &Deletion<'_>, pod: &str) -> Judged<()> {
    let after = case.answer_after(deletion, pod, Question::ReplicaStatus)?;
    let asked = |sql: &Seen<'_, Sql>| sql.pod == pod && sql.question == Question::ReplicaStatus;
    let before = case.heard().rfind(|sql| asked(sql) && is_before(deletion.asked.seq)(&sql.mark));
    let before = before
        .ok_or_else(|| Finding::inconclusive(format!("{pod} was not asked for its source before the deletion"), []))?;
    let (was, is) = (channels(before)?, channels(after)?);
    let followed = |channels: &[ReplicaStatus<'_>]| -> BTreeSet<String> {
        channels.iter().map(|channel| channel.host.to_ascii_lowercase()).collect()
    };
    if followed(&was) == followed(&is) {
        return Ok(());
    }
    let (then, now) = (before.mark.seq, after.mark.seq);
    let reason =
        format!("{pod} replicated from {} (#{then}) and now replicates from {} (#{now})", hosts(&was), hosts(&is));
    Err(Finding::fail(reason, [then, now]))
}
