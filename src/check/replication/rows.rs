//! Whether all servers hold the same.

use crate::evidence::{Evidence, Moment, Question, Sql};

use super::{
    super::{
        Check, Finding,
        case::{Case, Seen},
        ledger::Ledger,
        minimum::Need,
        opinion::{Judged, Opinion, judged},
        words::{during, five_of, some_of},
    },
    contents::{Transactions, same_tables},
    has_replicas, reached_barrier,
};

pub(in super::super) const REPLICAS_HOLD_THE_SAME_ROWS: Check = Check {
    id: "replication::replicas_hold_the_same_rows",
    statement: "At a GTID barrier every replica MUST hold the transactions of its source and no others, and the same \
                rows.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-gtids-concepts.html and \
             https://dev.mysql.com/doc/refman/8.4/en/checksum-table.html",
    explain: "\
Threads that run say nothing about what they brought over: a filter, or a write of the replica's own, goes unnoticed.
After writes on the source each replica waits for the source's GTID set: once replication was configured, around each
deletion, after each disruption, and in the end. Where nobody writes meanwhile, the sets are compared both ways (missing
and errant) and every table's checksum, which tells data that differ although the sets agree; at all barriers the rows
of the harness with the inserts that were acknowledged. An insert without an answer may be there or not.
Usually wrong: a replication filter; a replica that was written to before super_read_only was on, for which its own
set-up is enough; or a source that has purged what a replica still needs.",
    scenarios: &["replicate"],
    minimum: &[
        Need::Sql(Question::Barrier),
        Need::Sql(Question::GtidExecuted),
        Need::Sql(Question::Digest),
        Need::Sql(Question::Rows),
    ],
    judge: replicas_hold_the_same_rows,
};

fn replicas_hold_the_same_rows(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        has_replicas(case)?;
        let (ledger, primary) = (Ledger::of(case), case.subject.primary());
        for pod in case.subject.replica_pods() {
            let whole = case.moments(Moment::Replicating, &pod, Question::Digest);
            for moment in &whole {
                compare(case, opinion, moment, &primary, &pod);
            }
            let moments = case.moments(Moment::Replicating, &pod, Question::Barrier);
            for moment in moments.iter().filter(|moment| !whole.contains(moment)) {
                let same = opinion.weigh(rows_after_barrier(case, &ledger, &pod, moment));
                opinion.prove(same.into_iter().flatten());
            }
        }
        let mut rows = 0;
        for pod in case.subject.pods() {
            for moment in case.moments(Moment::Replicating, &pod, Question::Digest) {
                let answer = case.last_answer(&pod, Question::Rows, &moment);
                if let Some((count, seq)) = opinion.weigh(answer.and_then(|it| rows_of_the_ledger(&ledger, it))) {
                    opinion.prove([seq]);
                    rows = rows.max(count);
                }
            }
        }
        let replicas: Vec<_> = case.subject.replica_pods().collect();
        let replicas = replicas.join(", ");
        Ok(format!("{replicas} have the transactions of {primary}, its tables and all {rows} rows of the ledger"))
    })
}

/// Compares all that a replica holds at a moment with what its source holds. Writes that went on meanwhile keep the
/// tables from being compared, which is a doubt where nobody was to write.
fn compare(case: &Case<'_>, opinion: &mut Opinion, moment: &Moment, primary: &str, pod: &str) {
    let barrier = opinion.weigh(reached_barrier(case, pod, moment));
    opinion.prove(barrier.map(|barrier| barrier.seq));
    let transactions = opinion.weigh(Transactions::of(case, moment, primary, pod));
    let at_rest = transactions.as_ref().is_none_or(Transactions::at_rest);
    let mut same =
        transactions.map(|transactions| transactions.same(case, primary, pod)).into_iter().collect::<Vec<_>>();
    if at_rest {
        same.push(same_tables(case, moment, primary, pod));
    } else if matches!(moment, Moment::Replicating | Moment::Settled) {
        let reason =
            format!("{primary} was written to {}, so its tables say nothing of those of {pod}", during(moment));
        same.push(Err(Finding::inconclusive(reason, [])));
    }
    for same in same {
        let same = opinion.weigh(same);
        opinion.prove(same.into_iter().flatten());
    }
}

/// That a replica reached a barrier while others were written to, and then had the rows. An answer to a question that
/// was sent before is not one of these.
fn rows_after_barrier(case: &Case<'_>, ledger: &Ledger, pod: &str, moment: &Moment) -> Judged<Vec<u64>> {
    let barrier = reached_barrier(case, pod, moment)?;
    let sent_us = |sql: &Seen<'_, Sql>| sql.mark.at_us.saturating_sub(sql.took_us);
    let after = case.answers(pod, Question::Rows, moment).rfind(|sql| sent_us(sql) >= barrier.at_us);
    let rows = after.map(|answer| rows_of_the_ledger(ledger, answer)).transpose()?;
    Ok([barrier.seq].into_iter().chain(rows.map(|(_, seq)| seq)).collect())
}

/// How many rows of the ledger a pod holds: all that were acknowledged by then, and else only such as were never
/// answered.
pub(super) fn rows_of_the_ledger(ledger: &Ledger, answer: Seen<'_, Sql>) -> Judged<(usize, u64)> {
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
