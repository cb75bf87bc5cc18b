//! Whether an additional replica becomes like the others.

use super::contents::{Transactions, same_tables};
use super::rows::same_rows;
use super::{follows, has_replicas, reached_barrier};
use crate::assessment::judged;
use crate::evidence::{Checkpoint, Question, Scenario};
use crate::ledger::Ledger;
use crate::minimum::Need;
use crate::words::during;
use crate::{CaseFile, Check, Finding};

pub(crate) const NEW_REPLICA_JOINS: Check = Check {
    id: "replication::new_replica_joins",
    statement: "When the set is scaled up by one pod, the new pod MUST reach a GTID barrier and have the transactions, \
                tables and rows of its source.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-howto-additionalslaves.html and \
             https://kubernetes.io/docs/tasks/run-application/scale-stateful-set/",
    explain: "\
A set that cannot grow cannot be repaired either: a pod that lost its volume comes back as empty as a new pod.
The set is scaled up by one pod. The new pod starts without data, and its source is configured as on the other replicas.
It must reach the barrier that is then requested, and have everything that existed before it came. The GTID sets are
compared both ways, then the checksum of each table and the rows. Then the set is scaled back.
Common causes: the source has purged its first binary logs (1236) and the new pod gets no copy of the data to start
with; rows were written before the binary log was on; or the new pod was initialised with transactions of its own.",
    scenarios: &[Scenario::Grow],
    minimum: &[Need::Acts],
    judge: new_replica_joins,
};

fn new_replica_joins(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_replicas(case)?;
        let (checkpoint, primary) = (Checkpoint::Joined, case.subject.primary());
        let pod = case.subject.nth(case.subject.replicas);
        if case.answers(&pod, Question::Barrier, &checkpoint).next().is_none()
            && case.outer_steps(Scenario::Grow).next().is_some()
            && let (from, to) = case.span(Scenario::Grow)
            && let Some(wait) = case.unmet_wait(from, to)
        {
            let reason = format!("{pod} did not join: {wait}");
            return Err(wait.blame(reason, [wait.mark.seq]));
        }
        let barrier = assessment.check(reached_barrier(case, &pod, &checkpoint));
        assessment.cite(barrier.map(|barrier| barrier.seq));
        if let Some(transactions) = assessment.check(Transactions::of(case, &checkpoint, &primary, &pod)) {
            let same = assessment.check(transactions.same(case, &primary, &pod));
            assessment.cite(same.into_iter().flatten());
            if transactions.at_rest() {
                let same = assessment.check(same_tables(case, &checkpoint, &primary, &pod));
                assessment.cite(same.into_iter().flatten());
            } else {
                let why = format!(
                    "{primary} was written to {}, so its tables cannot be compared with those of {pod}",
                    during(&checkpoint)
                );
                assessment.reject(Finding::inconclusive(why, []));
            }
        }
        let ledger = Ledger::of(case);
        let rows = assessment.check(same_rows(case, &ledger, &pod, &checkpoint)).unwrap_or_default();
        let count = rows.iter().map(|(count, _)| *count).max().unwrap_or(0);
        let follows = assessment.check(follows(case, &pod, &checkpoint));
        assessment.cite(follows.into_iter().flatten().chain(rows.iter().map(|(_, seq)| *seq)));
        Ok(format!("{pod} has the transactions of {primary}, its tables and all {count} rows of the ledger"))
    })
}
