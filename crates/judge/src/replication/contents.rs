//! Compares the contents of two servers.

use std::collections::{BTreeMap, BTreeSet};

use crate::Finding;
use crate::assessment::Judged;
use crate::case::{Case, Seen, is_after};
use crate::evidence::{Checkpoint, Question, Sql};
use crate::mysql::gtid::GtidSet;
use crate::words::some_of;

/// The transactions of both servers at a checkpoint.
pub(super) struct Transactions {
    /// The set that the replica waited for.
    awaited: GtidSet,
    /// The same, also if reaching it proves nothing.
    told_to_wait_for: GtidSet,
    ours: GtidSet,
    theirs: GtidSet,
    /// The records of the primary's and the replica's answer.
    told: [u64; 2],
}

impl Transactions {
    /// The last answers of both at a checkpoint.
    pub(super) fn of(case: &Case<'_>, checkpoint: &Checkpoint, primary: &str, pod: &str) -> Judged<Self> {
        let barrier = case.last_answer(pod, Question::Barrier, checkpoint)?;
        // A barrier that proves nothing does not oblige the replica to anything.
        let told_to_wait_for = read(barrier, "gtid_set");
        let unproven = case.unproven(&barrier).is_some();
        let awaited = if unproven { GtidSet::default() } else { told_to_wait_for.clone()? };
        let told_to_wait_for = told_to_wait_for.unwrap_or_default();
        let (ours, theirs) = (executed(case, checkpoint, primary)?, executed(case, checkpoint, pod)?);
        let told = [ours.mark.seq, theirs.mark.seq];
        let (ours, theirs) = (read(ours, "gtid_executed")?, read(theirs, "gtid_executed")?);
        Ok(Self { awaited, told_to_wait_for, ours, theirs, told })
    }

    /// Whether nobody wrote on the primary after it was asked for the set that the replica waited for. Only then can
    /// tables be compared.
    pub(super) fn at_rest(&self) -> bool {
        self.ours.beyond(&self.awaited).is_empty()
    }

    /// The finding about a replica that has transactions of the primary which the primary itself lost.
    pub(super) fn ahead(&self, primary: &str, pod: &str, cut: u32) -> Option<Finding> {
        let ahead = self.theirs.subtract(&self.ours).of_origins(&self.ours);
        let [first, second] = self.told;
        // A primary that lost what it was known to have names a set that proves nothing, but nobody wrote since.
        let at_rest = self.ours.beyond(&self.told_to_wait_for).is_empty();
        (at_rest && !ahead.is_empty()).then(|| {
            let reason = format!(
                "{pod} is ahead of {primary}: it has {ahead}, which {primary} lost by power cut {cut} (#{second}, \
                 #{first})"
            );
            Finding::fail(reason, [second, first])
        })
    }

    /// Checks that the replica has the primary's transactions and no others. If somebody wrote meanwhile, the replica
    /// must have the set that it waited for, and the primary, when asked again, must have whatever the replica has
    /// beyond that. On MariaDB a replica need not name a former primary whose numbers are covered by the current one's;
    /// its own transactions cover nothing.
    pub(super) fn same(&self, case: &Case<'_>, primary: &str, pod: &str) -> Judged<[u64; 2]> {
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
            wrong.push(format!("lacks {missing} of {primary}"));
        }
        if !errant.is_empty() {
            wrong.push(format!("has {errant}, which {primary} does not have"));
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

/// The primary's executed transactions in its last answer, which must come after a record.
fn later(case: &Case<'_>, primary: &str, pod: &str, seq: u64) -> Judged<GtidSet> {
    let asked = |sql: &Seen<'_, Sql>| sql.pod == primary && sql.question == Question::GtidExecuted;
    let answer = case.heard().rfind(asked).filter(|answer| is_after(seq)(&answer.mark)).ok_or_else(|| {
        let reason =
            format!("{primary} was written to while {pod} was compared with it, and was not queried again (#{seq})");
        Finding::inconclusive(reason, [seq])
    })?;
    read(answer, "gtid_executed")
}

/// Each table with its checksum, `None` if the table cannot be read.
type Digest<'a> = BTreeMap<&'a str, Option<&'a str>>;

fn digest<'a>(case: &Case<'a>, checkpoint: &Checkpoint, pod: &str) -> Judged<(Digest<'a>, u64)> {
    let answer = case.last_answer(pod, Question::Digest, checkpoint)?;
    let rows = answer.rows()?.iter();
    let column = |name: &str, row: &'a BTreeMap<String, Option<String>>| row.get(name).and_then(Option::as_deref);
    let tables = rows.filter_map(|row| Some((column("table", row)?, column("checksum", row)))).collect();
    Ok((tables, answer.mark.seq))
}

/// Checks that the replica has the primary's tables and no others, each with the same checksum.
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
