//! Whether replicas agree with their primary after a loss of power.

use super::contents::{Transactions, same_tables};
use super::rows::same_rows;
use super::{has_replicas, reached, reached_barrier};
use crate::assessment::{Assessment, Judged, judged};
use crate::case::{Case, PowerLoss, doubt, unasked};
use crate::evidence::{Checkpoint, Question, Scenario, WriteOutcome};
use crate::ledger::Ledger;
use crate::minimum::Need;
use crate::mysql::intervals::Intervals;
use crate::{CaseFile, Check, Finding};

#[cfg(test)]
mod tests;

pub(crate) const REPLICAS_AGREE_AFTER_POWER_LOSS: Check = Check {
    id: "replication::replicas_agree_after_power_loss",
    statement: "After a loss of power each replica MUST follow its primary again, with the same transactions and the \
                same data; a replica MUST NOT have a transaction that its primary lost.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-solutions-unexpected-replica-halt.html and \
             https://dev.mysql.com/doc/refman/8.4/en/replication-options-binary-log.html (sync_binlog)",
    explain: "\
A primary sends a transaction to its replicas before or after it is on its own disk. If it sends first and loses its
power, the replica is ahead: it has a transaction that the primary never had. The primary then gives the same number to
another transaction, and the replica skips that one for good.
After each power cut, every replica waits for the primary's GTID set. Then the GTID sets are compared both ways, and so
are the checksums of all tables, while nothing writes.
Common causes: sync_binlog is not 1 on the primary; or relay_log_recovery is off on a replica, which then continues in
the middle of an event.",
    scenarios: &[Scenario::Replicate, Scenario::PowerCut, Scenario::Settle],
    minimum: &[
        Need::Acts,
        Need::Sql(Question::Barrier),
        Need::Sql(Question::GtidExecuted),
        Need::Sql(Question::Digest),
    ],
    judge: replicas_agree_after_power_loss,
};

fn replicas_agree_after_power_loss(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_replicas(case)?;
        let losses = case.some_power_losses()?;
        let ledger = Ledger::of(case);
        for loss in &losses {
            assessment.check(loss.took_place());
            for pod in case.subject.replica_pods() {
                agrees(case, assessment, (&ledger, loss), &pod);
            }
        }
        let (replicas, cuts): (Vec<_>, _) = (case.subject.replica_pods().collect(), losses.len());
        let primary = case.subject.primary();
        Ok(format!("after {cuts} power cuts {} have the transactions and the tables of {primary}", replicas.join(", ")))
    })
}

/// Compares a replica with its primary after a cut.
fn agrees(case: &Case<'_>, assessment: &mut Assessment, (ledger, loss): (&Ledger, &PowerLoss<'_>), pod: &str) {
    let (checkpoint, primary) = (loss.checkpoint(), case.subject.primary());
    let transactions = assessment.check(Transactions::of(case, &checkpoint, &primary, pod));
    if let Some(ahead) = transactions.as_ref().and_then(|it| it.ahead(&primary, pod, loss.number)) {
        // This is why the replica does not follow, and why its data differs.
        assessment.reject(ahead);
        return;
    }
    let barrier = assessment.check(reached_barrier(case, pod, &checkpoint));
    assessment.cite(barrier.map(|barrier| barrier.seq));
    let same = transactions.map(|transactions| transactions.same(case, &primary, pod));
    for same in same.into_iter().chain([same_tables(case, &checkpoint, &primary, pod)]) {
        let same = assessment.check(same);
        assessment.cite(same.into_iter().flatten());
    }
    let rows = assessment.check(same_rows(case, ledger, pod, &checkpoint));
    assessment.cite(rows.into_iter().flatten().map(|(_, seq)| seq));
}

/// The acknowledged writes of the witness, each with the latest time on the log's clock at which it was acknowledged.
pub(crate) struct PowerAccount {
    /// In the order of that time.
    acknowledged: Vec<(u64, u64)>,
}

impl PowerAccount {
    pub(crate) fn of(case: &Case<'_>) -> Self {
        let entries = case.entries().flat_map(|entries| &entries.it.writes);
        let acknowledged = entries.filter(|entry| entry.outcome == WriteOutcome::Acknowledged);
        let mut acknowledged: Vec<_> =
            acknowledged.map(|entry| (case.clocks.bounds(entry.ended_us).1, entry.id)).collect();
        acknowledged.sort_unstable();
        Self { acknowledged }
    }

    /// Whether a write was acknowledged between two times of the log.
    pub(crate) fn acknowledged_between(&self, from_us: u64, to_us: u64) -> bool {
        let first = self.acknowledged.partition_point(|(at_us, _)| *at_us < from_us);
        self.acknowledged.get(first).is_some_and(|(at_us, _)| *at_us <= to_us)
    }

    /// The writes that were acknowledged before a time of the log.
    pub(crate) fn acknowledged_before(&self, at_us: u64) -> Intervals {
        let until = self.acknowledged.partition_point(|(acknowledged_us, _)| *acknowledged_us < at_us);
        let mut ids: Vec<u64> = self.acknowledged[..until].iter().map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids.into_iter().collect()
    }

    /// The record from which on a pod must have everything: of a replica, that of the barrier which it reached.
    pub(crate) fn caught_up(&self, case: &Case<'_>, pod: &str, checkpoint: &Checkpoint) -> Judged<u64> {
        if pod == case.subject.primary() {
            return Ok(0);
        }
        let barrier = case.answers(pod, Question::Barrier, checkpoint).next_back();
        let barrier = barrier.ok_or_else(|| unasked(pod, Question::Barrier, checkpoint))?;
        let status = || case.last_answer(pod, Question::ReplicaStatus, checkpoint);
        reached(case, barrier, status).map(|mark| mark.seq).map_err(doubt)
    }
}
