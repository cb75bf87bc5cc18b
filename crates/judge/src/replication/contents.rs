//! What two servers hold, compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    evidence::{Checkpoint, Question, Sql},
    mysql::gtid::GtidSet,
};

use super::super::{
    Finding,
    assessment::Judged,
    case::{Case, Seen, is_after},
    words::some_of,
};

/// The transactions of both at a moment.
pub(super) struct Transactions {
    /// Those that the replica waited for.
    awaited: GtidSet,
    ours: GtidSet,
    theirs: GtidSet,
    /// The records that tell, of the primary and of the replica.
    told: [u64; 2],
}

impl Transactions {
    /// What both said last at a moment.
    pub fn of(case: &Case<'_>, checkpoint: &Checkpoint, primary: &str, pod: &str) -> Judged<Self> {
        let barrier = case.last_answer(pod, Question::Barrier, checkpoint)?;
        // Nobody is blamed for not having what a barrier asked for that stands for nothing of the primary's.
        let awaited = if case.hollow(&barrier).is_some() { GtidSet::default() } else { read(barrier, "gtid_set")? };
        let (ours, theirs) = (executed(case, checkpoint, primary)?, executed(case, checkpoint, pod)?);
        let told = [ours.mark.seq, theirs.mark.seq];
        let (ours, theirs) = (read(ours, "gtid_executed")?, read(theirs, "gtid_executed")?);
        Ok(Self { awaited, ours, theirs, told })
    }

    /// Whether nobody wrote on the primary after it was asked for what the replica then waited for: tables can be
    /// compared only then.
    pub fn at_rest(&self) -> bool {
        self.ours.beyond(&self.awaited).is_empty()
    }

    /// That the replica has the primary's transactions and no others. Where somebody wrote meanwhile, it must have those
    /// that it waited for, and the primary, when it was asked again, what the replica has beyond. On MariaDB a replica need
    /// not name a former primary whose numbers the present one's cover; what it has of its own covers nothing.
    pub fn same(&self, case: &Case<'_>, primary: &str, pod: &str) -> Judged<[u64; 2]> {
        let [first, second] = self.told;
        if self.ours.is_empty() {
            let reason =
                format!("{primary} has executed no transaction with a GTID, so there is nothing to compare (#{first})");
            return Err(Finding::inconclusive(reason, [first]));
        }
        let wanted = if self.at_rest() { &self.ours } else { &self.awaited };
        let fetched = self.theirs.of_origins(&self.ours.union(wanted));
        let (missing, mut errant) = (wanted.beyond(&fetched), self.theirs.subtract(&self.ours));
        if !self.at_rest() && !errant.is_empty() {
            errant = self.theirs.subtract(&later(case, primary, pod, second)?);
        }
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
}

fn executed<'a>(case: &Case<'a>, checkpoint: &Checkpoint, pod: &str) -> Judged<Seen<'a, Sql>> {
    case.last_answer(pod, Question::GtidExecuted, checkpoint)
}

fn read(answer: Seen<'_, Sql>, column: &str) -> Judged<GtidSet> {
    let (pod, seq) = (&answer.pod, answer.mark.seq);
    answer.value(column)?.parse().map_err(|error| {
        Finding::inconclusive(format!("the GTID set of {pod} cannot be read: {error} (#{seq})"), [seq])
    })
}

/// What the primary had executed when it was last asked, after a record.
fn later(case: &Case<'_>, primary: &str, pod: &str, seq: u64) -> Judged<GtidSet> {
    let asked = |sql: &Seen<'_, Sql>| sql.pod == primary && sql.question == Question::GtidExecuted;
    let answer = case.heard().rfind(asked).filter(|answer| is_after(seq)(&answer.mark)).ok_or_else(|| {
        let reason = format!("{primary} was written to while {pod} was compared with it, and not asked again (#{seq})");
        Finding::inconclusive(reason, [seq])
    })?;
    read(answer, "gtid_executed")
}

/// Each table with its checksum; a table that cannot be read has none.
type Digest<'a> = BTreeMap<&'a str, Option<&'a str>>;

fn digest<'a>(case: &Case<'a>, checkpoint: &Checkpoint, pod: &str) -> Judged<(Digest<'a>, u64)> {
    let answer = case.last_answer(pod, Question::Digest, checkpoint)?;
    let rows = answer.rows()?.iter();
    let column = |name: &str, row: &'a BTreeMap<String, Option<String>>| row.get(name).and_then(Option::as_deref);
    let tables = rows.filter_map(|row| Some((column("table", row)?, column("checksum", row)))).collect();
    Ok((tables, answer.mark.seq))
}

/// That the replica has the primary's tables and no others, each with the same checksum.
pub(super) fn same_tables(case: &Case<'_>, checkpoint: &Checkpoint, primary: &str, pod: &str) -> Judged<[u64; 2]> {
    let ((ours, first), (theirs, second)) = (digest(case, checkpoint, primary)?, digest(case, checkpoint, pod)?);
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
