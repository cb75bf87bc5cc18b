//! Whether all servers hold the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    evidence::{Evidence, Moment, Question, Sql},
    mysql::gtid::GtidSet,
};

use super::{
    super::{
        Check, Finding,
        case::{Case, Seen},
        ledger::Ledger,
        opinion::{Judged, Opinion, judged},
        words::{five_of, some_of},
    },
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
deletion, and after the scale-up. At the first and the last of these barriers the sets are compared both ways (missing
and errant) and every table's checksum; at all of them the ledger's ids with the inserts that were acknowledged. An
insert without an answer may be there or not.
Usually wrong: a replication filter; a replica that was written to before super_read_only was on, for which its own
set-up is enough; or a source that has purged what a replica still needs.",
    scenarios: &["replicate"],
    judge: replicas_hold_the_same_rows,
};

fn replicas_hold_the_same_rows(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        has_replicas(case)?;
        let ledger = Ledger::of(case);
        let mut rows = compare(case, &ledger, opinion, &Moment::Replicating);
        for pod in case.subject.replica_pods() {
            let moments = case.moments(Moment::Replicating, &pod, Question::Barrier);
            for moment in moments.iter().filter(|moment| !WHOLE.contains(moment)) {
                let same = opinion.weigh(rows_after_barrier(case, &ledger, &pod, moment));
                opinion.prove(same.into_iter().flatten());
            }
        }
        if was_compared(case, &Moment::ScaledUp) {
            rows = compare(case, &ledger, opinion, &Moment::ScaledUp);
        }
        let (replicas, primary): (Vec<_>, _) = (case.subject.replica_pods().collect(), case.subject.primary());
        Ok(format!(
            "{} have the transactions of {primary}, its tables and all {rows} rows of the ledger",
            replicas.join(", ")
        ))
    })
}

/// The moments at which nobody writes and all that the servers hold is asked for.
const WHOLE: [Moment; 2] = [Moment::Replicating, Moment::ScaledUp];

fn was_compared(case: &Case<'_>, moment: &Moment) -> bool {
    let of_it = [Question::Barrier, Question::GtidExecuted, Question::Digest, Question::Rows];
    case.sql().any(|sql| sql.moment == *moment && of_it.contains(&sql.question))
}

/// Compares all that the servers hold at a moment, and tells how many rows of the ledger that is.
fn compare(case: &Case<'_>, ledger: &Ledger, opinion: &mut Opinion, moment: &Moment) -> usize {
    let primary = case.subject.primary();
    for pod in case.subject.replica_pods() {
        let barrier = opinion.weigh(reached_barrier(case, &pod, moment));
        opinion.prove(barrier.map(|barrier| barrier.seq));
        for compare in [same_transactions, same_tables] {
            let same = opinion.weigh(compare(case, moment, &primary, &pod));
            opinion.prove(same.into_iter().flatten());
        }
    }
    let mut rows = 0;
    for pod in case.subject.pods() {
        let answer = case.last_answer(&pod, Question::Rows, moment);
        if let Some((count, seq)) = opinion.weigh(answer.and_then(|answer| rows_of_the_ledger(ledger, answer))) {
            opinion.prove([seq]);
            rows = rows.max(count);
        }
    }
    rows
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

fn executed(case: &Case<'_>, moment: &Moment, pod: &str) -> Judged<(GtidSet, u64)> {
    let answer = case.last_answer(pod, Question::GtidExecuted, moment)?;
    let seq = answer.mark.seq;
    let set = answer.value("gtid_executed")?.parse().map_err(|error| {
        Finding::inconclusive(format!("the GTID set of {pod} cannot be read: {error} (#{seq})"), [seq])
    })?;
    Ok((set, seq))
}

fn same_transactions(case: &Case<'_>, moment: &Moment, primary: &str, pod: &str) -> Judged<[u64; 2]> {
    let ((ours, first), (theirs, second)) = (executed(case, moment, primary)?, executed(case, moment, pod)?);
    if ours.is_empty() {
        let reason =
            format!("{primary} has executed no transaction with a GTID, so there is nothing to compare (#{first})");
        return Err(Finding::inconclusive(reason, [first]));
    }
    let (missing, errant) = (ours.subtract(&theirs), theirs.subtract(&ours));
    let mut wrong = Vec::new();
    if !missing.is_empty() {
        wrong.push(format!("misses {missing} of {primary}"));
    }
    if !errant.is_empty() {
        wrong.push(format!("has {errant}, which {primary} has not"));
    }
    if wrong.is_empty() {
        return Ok([first, second]);
    }
    Err(Finding::fail(format!("{pod} {} (#{second}, #{first})", wrong.join(" and ")), [second, first]))
}

/// Each table with its checksum; a table that cannot be read has none.
type Digest<'a> = BTreeMap<&'a str, Option<&'a str>>;

fn digest<'a>(case: &Case<'a>, moment: &Moment, pod: &str) -> Judged<(Digest<'a>, u64)> {
    let answer = case.last_answer(pod, Question::Digest, moment)?;
    let rows = answer.rows()?.iter();
    let column = |name: &str, row: &'a BTreeMap<String, Option<String>>| row.get(name).and_then(Option::as_deref);
    let tables = rows.filter_map(|row| Some((column("table", row)?, column("checksum", row)))).collect();
    Ok((tables, answer.mark.seq))
}

fn same_tables(case: &Case<'_>, moment: &Moment, primary: &str, pod: &str) -> Judged<[u64; 2]> {
    let ((ours, first), (theirs, second)) = (digest(case, moment, primary)?, digest(case, moment, pod)?);
    if ours.is_empty() {
        return Err(Finding::inconclusive(format!("{primary} has no table to compare (#{first})"), [first]));
    }
    let named: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let differ: Vec<String> = named
        .into_iter()
        .filter_map(|table| match (ours.get(table), theirs.get(table)) {
            (Some(_), None) => Some(format!("{table} is missing")),
            (None, Some(_)) => Some(format!("{table} is not on {primary}")),
            (Some(Some(ours)), Some(Some(theirs))) if ours == theirs => None,
            (Some(ours), Some(theirs)) => Some(format!("{table} has checksum {}, not {}", text(*theirs), text(*ours))),
            (None, None) => None,
        })
        .collect();
    if differ.is_empty() {
        return Ok([first, second]);
    }
    let reason = format!("tables differ on {pod}: {} (#{second}, #{first})", some_of(differ));
    Err(Finding::fail(reason, [second, first]))
}

fn text(checksum: Option<&str>) -> &str {
    checksum.unwrap_or("NULL")
}

/// How many rows of the ledger a pod holds: all that were acknowledged by then, and else only such as were never
/// answered.
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
