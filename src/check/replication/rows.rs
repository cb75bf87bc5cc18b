//! Whether all servers hold the same.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    evidence::{Evidence, Moment, Question, WriteOutcome},
    mysql::gtid::GtidSet,
};

use super::{
    super::{
        Check, Finding,
        case::Case,
        opinion::{Judged, judged},
        words::some_of,
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
After writes on the source each replica waits for the source's GTID set. Then the sets are compared both ways (missing
and errant), every table's checksum, and the ledger's ids with the inserts that were acknowledged; an insert without an
answer may be there or not.
Usually wrong: a replication filter; a replica that was written to before super_read_only was on, for which its own
set-up is enough; or a source that has purged what a replica still needs.",
    scenarios: &["replicate"],
    judge: replicas_hold_the_same_rows,
};

fn replicas_hold_the_same_rows(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        has_replicas(case)?;
        let primary = case.subject.primary();
        for pod in case.subject.replica_pods() {
            let barrier = opinion.weigh(reached_barrier(case, &pod, &Moment::Replicating));
            opinion.prove(barrier.map(|barrier| barrier.seq));
            for compare in [same_transactions, same_tables] {
                let same = opinion.weigh(compare(case, &primary, &pod));
                opinion.prove(same.into_iter().flatten());
            }
        }
        let mut rows = 0;
        for pod in case.subject.pods() {
            if let Some((count, seq)) = opinion.weigh(rows_of_the_ledger(case, &pod)) {
                opinion.prove([seq]);
                rows = rows.max(count);
            }
        }
        let replicas: Vec<_> = case.subject.replica_pods().collect();
        Ok(format!(
            "{} have the transactions of {primary}, its tables and all {rows} rows of the ledger",
            replicas.join(", ")
        ))
    })
}

fn executed(case: &Case<'_>, pod: &str) -> Judged<(GtidSet, u64)> {
    let answer = case.last_answer(pod, Question::GtidExecuted, &Moment::Replicating)?;
    let seq = answer.mark.seq;
    let set = answer.value("gtid_executed")?.parse().map_err(|error| {
        Finding::inconclusive(format!("the GTID set of {pod} cannot be read: {error} (#{seq})"), [seq])
    })?;
    Ok((set, seq))
}

fn same_transactions(case: &Case<'_>, primary: &str, pod: &str) -> Judged<[u64; 2]> {
    let ((ours, first), (theirs, second)) = (executed(case, primary)?, executed(case, pod)?);
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

fn digest<'a>(case: &Case<'a>, pod: &str) -> Judged<(Digest<'a>, u64)> {
    let answer = case.last_answer(pod, Question::Digest, &Moment::Replicating)?;
    let rows = answer.rows()?.iter();
    let column = |name: &str, row: &'a BTreeMap<String, Option<String>>| row.get(name).and_then(Option::as_deref);
    let tables = rows.filter_map(|row| Some((column("table", row)?, column("checksum", row)))).collect();
    Ok((tables, answer.mark.seq))
}

fn same_tables(case: &Case<'_>, primary: &str, pod: &str) -> Judged<[u64; 2]> {
    let ((ours, first), (theirs, second)) = (digest(case, primary)?, digest(case, pod)?);
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

/// How many rows of the ledger a pod holds: all that were acknowledged, and else only such as were never answered.
fn rows_of_the_ledger(case: &Case<'_>, pod: &str) -> Judged<(usize, u64)> {
    let answer = case.last_answer(pod, Question::Rows, &Moment::Replicating)?;
    let (held, seq) = (answer.ids()?, answer.mark.seq);
    let with = |wanted: fn(&WriteOutcome) -> bool| -> BTreeSet<u64> {
        let earlier = case.writes().filter(|write| write.mark.seq < seq && wanted(&write.outcome));
        earlier.map(|write| write.id).collect()
    };
    let acknowledged = with(|outcome| *outcome == WriteOutcome::Acknowledged);
    let possible = &acknowledged | &with(|outcome| matches!(outcome, WriteOutcome::Unknown(_)));
    if acknowledged.is_empty() {
        return Err(Finding::inconclusive("no write was acknowledged, so there was nothing to replicate", [seq]));
    }
    let (lost, phantom) = (&acknowledged - &held, &held - &possible);
    let mut wrong = Vec::new();
    if !lost.is_empty() {
        wrong.push(format!("lacks the acknowledged rows {}", some_of(&lost)));
    }
    if !phantom.is_empty() {
        wrong.push(format!("has the rows {}, which were never written", some_of(&phantom)));
    }
    if wrong.is_empty() {
        return Ok((held.len(), seq));
    }
    Err(Finding::fail(format!("{pod} {} (#{seq})", wrong.join(" and ")), [seq]))
}
