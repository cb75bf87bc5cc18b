//! Whether all servers have the same data.

use super::contents::{Transactions, same_tables};
use super::{has_reached, has_replicas, reached_barrier};
use crate::assessment::{Assessment, Judged, all_of, judged};
use crate::case::{Case, Seen, unasked, with_others};
use crate::evidence::{Checkpoint, Mark, Question, Scenario, Sql};
use crate::ledger::Ledger;
use crate::minimum::Need;
use crate::words::{during, five_of, some_of};
use crate::{CaseFile, Check, Finding};

pub(crate) const REPLICAS_HOLD_THE_SAME_ROWS: Check = Check {
    id: "replication::replicas_hold_the_same_rows",
    statement: "At a GTID barrier each replica MUST have exactly the transactions of its source, and the same rows.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html and \
             https://dev.mysql.com/doc/refman/8.4/en/checksum-table.html",
    explain: "\
Running threads do not prove that the data is the same: a filter, or a write on the replica, goes unnoticed.
After writes on the source, each replica waits for the source's GTID set: once replication was configured, around each
deletion, after each disruption, and at the end. At all barriers the rows of the harness are compared with the
acknowledged inserts; an insert without an answer may be there or not. If nothing writes meanwhile, the GTID sets are
also compared both ways (missing and errant), and so is the checksum of each table, which finds different data under
equal GTID sets. A barrier that waits for nothing, or for less than the source is known to have had, does not count.
Common causes: a replication filter; a replica that was written to before super_read_only was on, for example by its own
initialisation; or a source that has purged binary logs that a replica still needs.",
    scenarios: &[Scenario::Replicate],
    minimum: &[
        Need::Sql(Question::Barrier),
        Need::Sql(Question::GtidExecuted),
        Need::Sql(Question::Digest),
        Need::Sql(Question::Rows),
    ],
    judge: replicas_hold_the_same_rows,
};

fn replicas_hold_the_same_rows(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_replicas(case)?;
        let (ledger, primary) = (Ledger::of(case), case.subject.primary());
        for pod in case.subject.replica_pods() {
            let whole = case.checkpoints(Checkpoint::Replicating, &pod, Question::Digest);
            for checkpoint in &whole {
                compare(case, assessment, checkpoint, &primary, &pod);
            }
            let checkpoints = case.checkpoints(Checkpoint::Replicating, &pod, Question::Barrier);
            for checkpoint in checkpoints.iter().filter(|checkpoint| !whole.contains(checkpoint)) {
                let barrier = assessment.check(reached_barrier(case, &pod, checkpoint));
                assessment.cite(barrier.map(|barrier| barrier.seq));
            }
        }
        let mut rows = 0;
        for pod in case.subject.pods() {
            let whole = case.checkpoints(Checkpoint::Replicating, &pod, Question::Digest);
            let others = case.checkpoints(Checkpoint::Replicating, &pod, Question::Rows);
            for checkpoint in with_others(Checkpoint::Replicating, whole.iter().chain(&others)) {
                for (count, seq) in assessment.check(same_rows(case, &ledger, &pod, &checkpoint)).into_iter().flatten()
                {
                    assessment.cite([seq]);
                    rows = rows.max(count);
                }
            }
        }
        let replicas: Vec<_> = case.subject.replica_pods().collect();
        let replicas = replicas.join(", ");
        Ok(format!("{replicas} have the transactions of {primary}, its tables and all {rows} rows of the ledger"))
    })
}

/// Compares all data of a replica at a checkpoint with its source's. Writes in between make the tables incomparable,
/// which is inconclusive at checkpoints at which nobody should write.
fn compare(case: &Case<'_>, assessment: &mut Assessment, checkpoint: &Checkpoint, primary: &str, pod: &str) {
    let barrier = assessment.check(reached_barrier(case, pod, checkpoint));
    assessment.cite(barrier.map(|barrier| barrier.seq));
    let transactions = assessment.check(Transactions::of(case, checkpoint, primary, pod));
    let at_rest = transactions.as_ref().is_none_or(Transactions::at_rest);
    let mut same =
        transactions.map(|transactions| transactions.same(case, primary, pod)).into_iter().collect::<Vec<_>>();
    if at_rest {
        same.push(same_tables(case, checkpoint, primary, pod));
    } else if matches!(checkpoint, Checkpoint::Replicating | Checkpoint::Settled) {
        let reason = format!(
            "{primary} was written to {}, so its tables cannot be compared with those of {pod}",
            during(checkpoint)
        );
        same.push(Err(Finding::inconclusive(reason, [])));
    }
    for same in same {
        let same = assessment.check(same);
        assessment.cite(same.into_iter().flatten());
    }
}

/// Checks that a pod had the rows in every answer of this checkpoint: the primary if nobody writes meanwhile, a replica
/// from a reached barrier to the next act. Other answers are only checked for rows that nobody wrote, also an answer to
/// a question that was sent before the barrier.
pub(super) fn same_rows(
    case: &Case<'_>,
    ledger: &Ledger,
    pod: &str,
    checkpoint: &Checkpoint,
) -> Judged<Vec<(usize, u64)>> {
    let whole =
        *checkpoint == Checkpoint::Replicating || case.answers(pod, Question::Digest, checkpoint).next().is_some();
    let reached = case.answers(pod, Question::Barrier, checkpoint).filter(|barrier| has_reached(case, barrier));
    let reached: Vec<(Mark, u64)> = reached.map(|barrier| (barrier.mark, case.next_fault(barrier.mark.seq))).collect();
    let is_primary = pod == case.subject.primary();
    let unwritten = whole || matches!(checkpoint, Checkpoint::BeforeDeletion { .. } | Checkpoint::BeforeKill { .. });
    let counts = |answer: &Seen<'_, Sql>| {
        let before = reached.partition_point(|(barrier, _)| barrier.at_us <= case.earliest_asked_us(answer));
        let caught_up = reached[..before].last().is_some_and(|(_, until)| answer.mark.seq < *until);
        if is_primary { unwritten } else { caught_up }
    };
    let (answers, others): (Vec<_>, Vec<_>) = case.answers(pod, Question::Rows, checkpoint).partition(counts);
    all_of(others.into_iter().map(|answer| no_phantoms(ledger, answer)))?;
    if answers.is_empty() && whole && (is_primary || !reached.is_empty()) {
        return Err(unasked(pod, Question::Rows, checkpoint));
    }
    all_of(answers.into_iter().map(|answer| rows_of_the_ledger(ledger, answer)))
}

/// Checks that a pod has no row that nobody ever wrote, whatever it lacks. A row may be there before its write is
/// recorded.
fn no_phantoms(ledger: &Ledger, answer: Seen<'_, Sql>) -> Judged<()> {
    let held = answer.ids().unwrap_or_default();
    if ledger.acknowledged.count(u64::MAX) == 0 {
        return Ok(());
    }
    let phantom: Vec<_> = held.iter().filter(|id| !ledger.possible.has(**id, u64::MAX)).collect();
    if phantom.is_empty() {
        return Ok(());
    }
    let (pod, seq) = (&answer.it.pod, answer.mark.seq);
    Err(Finding::fail(format!("{pod} has the rows {}, which were never written (#{seq})", some_of(&phantom)), [seq]))
}

/// How many rows of the ledger a pod has. It must have all that were acknowledged by then, and besides only unanswered
/// ones.
fn rows_of_the_ledger(ledger: &Ledger, answer: Seen<'_, Sql>) -> Judged<(usize, u64)> {
    let (pod, held, seq) = (&answer.it.pod, answer.ids()?, answer.mark.seq);
    let acknowledged = ledger.acknowledged.count(seq);
    if acknowledged == 0 {
        return Err(Finding::inconclusive("no write was acknowledged, so there was nothing to replicate", [seq]));
    }
    let kept = held.iter().filter(|id| ledger.acknowledged.has(**id, seq)).count();
    let phantom: Vec<_> = held.iter().filter(|id| !ledger.possible.has(**id, seq)).collect();
    let mut wrong = Vec::new();
    if kept < acknowledged {
        let lost = five_of(ledger.acknowledged.without(&held, seq), acknowledged - kept);
        wrong.push(format!("lacks the acknowledged rows {lost}"));
    }
    if !phantom.is_empty() {
        wrong.push(format!("has the rows {}, which were never written", some_of(&phantom)));
    }
    if wrong.is_empty() {
        return Ok((held.len(), seq));
    }
    Err(Finding::fail(format!("{pod} {} (#{seq})", wrong.join(" and ")), [seq]))
}
