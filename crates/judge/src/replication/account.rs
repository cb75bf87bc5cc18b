//! The account of the writes of the witness's ledger: the outcome of each, and whether the servers have it.

use std::collections::BTreeMap;

use super::reached;
use crate::Finding;
use crate::assessment::{Assessment, Judged, all_of};
use crate::case::{Acted, Case, Seen, doubt, unasked};
use crate::evidence::{Act, Checkpoint, Mark, Question, Sql, SqlAnswer, WriteOutcome};
use crate::mysql::intervals::Intervals;
use crate::words::five_of;

/// ER_BAD_DB_ERROR and ER_NO_SUCH_TABLE: the schema or the table does not exist.
const NOT_THERE: [u16; 2] = [1049, 1146];

/// The outcomes of the ledger's writes, by id.
pub(crate) struct Account {
    acknowledged: Intervals,
    /// Acknowledged, never answered, or doubtful.
    possible: Intervals,
    refused: Intervals,
    unknown: u64,
    /// It is unknown whether these were sent.
    doubtful: Intervals,
    /// Why the account is not complete, if it is not.
    open: Option<Finding>,
    /// The highest id that is known to have been used.
    last: u64,
    /// Whether no higher id was used.
    is_last: bool,
    /// When the end of the ledger was proved.
    ended: Option<Mark>,
}

impl Account {
    /// The account of all writes, compared with every pod's table. Findings against it go to the assessment.
    pub(crate) fn weighed(case: &Case<'_>, assessment: &mut Assessment) -> Judged<Self> {
        let account = Self::of(case);
        if account.acknowledged.is_empty() {
            let reason = "no write of the witness was acknowledged, so nothing could be lost";
            return Err(account.open.unwrap_or_else(|| Finding::inconclusive(reason, [])));
        }
        for pod in case.subject.pods() {
            let proof = assessment.check(holds(case, &account, &pod));
            assessment.cite(proof.into_iter().flatten());
        }
        if let Some(open) = &account.open {
            assessment.reject(open.clone());
        }
        Ok(account)
    }

    /// The account in words if nothing is wrong, as the beginning of a reason.
    pub(crate) fn words(&self, case: &Case<'_>) -> String {
        let pods: Vec<_> = case.subject.pods().collect();
        let Self { acknowledged, refused, unknown, doubtful, .. } = self;
        let doubts = match doubtful.is_empty() {
            true => String::new(),
            false => format!(", and it is unknown whether {doubtful} were sent, because the witness's node died"),
        };
        format!(
            "all {} acknowledged writes are on {}, each once, and no others ({} were refused, {unknown} had no \
             answer{doubts})",
            acknowledged.len(),
            pods.join(", "),
            refused.len(),
        )
    }

    fn of(case: &Case<'_>) -> Self {
        let (mut ids, mut seen): (BTreeMap<u64, &WriteOutcome>, _) = (BTreeMap::new(), Vec::new());
        let (mut twice, mut doubtful, mut told_last) = (None, Intervals::default(), None);
        for entries in case.entries() {
            entries.it.doubtful.iter().for_each(|ids| doubtful.insert(ids.first, ids.last));
            for entry in &entries.it.writes {
                if ids.insert(entry.id, &entry.outcome).is_some() {
                    twice.get_or_insert((entry.id, entries.mark.seq));
                }
            }
            told_last = told_last.max(entries.it.last);
            seen.push(entries.mark.seq);
        }
        let with = |wanted: fn(&WriteOutcome) -> bool| -> Intervals {
            ids.iter().filter(|(_, outcome)| wanted(outcome)).map(|(id, _)| *id).collect()
        };
        let acknowledged = with(|outcome| *outcome == WriteOutcome::Acknowledged);
        let refused = with(|outcome| matches!(outcome, WriteOutcome::Rejected(_)));
        let unknown = with(|outcome| matches!(outcome, WriteOutcome::Unknown(_)));
        let known = ids.keys().copied().collect::<Intervals>().union(&doubtful);
        let told = ids.keys().next_back().copied().max(told_last).unwrap_or(0);
        let open = open(case, told, &known, twice, &seen);
        let ended = ends(case).last().and_then(|end| end.proved).map(|(mark, _)| mark);
        let last = told.max(doubtful.last().unwrap_or(0));
        let (possible, unknown) = (acknowledged.union(&unknown).union(&doubtful), unknown.len());
        Self { acknowledged, possible, refused, unknown, doubtful, open, last, is_last: told_last.is_some(), ended }
    }

    /// The writes in a table that the witness never reported: it may have used the ids right after the last one that it
    /// reported.
    fn untold(&self, held: &Intervals) -> Intervals {
        let mut untold = Intervals::default();
        if let Some(next) = self.last.checked_add(1).filter(|_| !self.is_last)
            && let Some(after) = held.ranges().find(|range| range.contains(&next))
        {
            untold.insert(next, *after.end());
        }
        untold
    }
}

/// The requests to stop the ledger.
fn ends<'a>(case: &Case<'a>) -> Vec<Acted<'a>> {
    case.acts(|act| matches!(act, Act::StopLedger))
}

/// Why the account is not complete, if so. It needs every id up to the last, each once, and the end of the ledger.
fn open(case: &Case<'_>, last: u64, known: &Intervals, twice: Option<(u64, u64)>, seen: &[u64]) -> Option<Finding> {
    if let Some((id, seq)) = twice {
        return Some(Finding::inconclusive(format!("the witness reported write {id} twice (#{seq})"), [seq]));
    }
    let mut all = Intervals::default();
    all.insert(1, last);
    let missing = all.subtract(known);
    if !missing.is_empty() {
        let reason = format!("the witness never reported the outcome of the writes {}", some(&missing));
        return Some(Finding::inconclusive(reason, seen.last().copied()));
    }
    match ends(case).last() {
        Some(end) if end.proved.is_some_and(|(mark, _)| seen.last().is_none_or(|last| *last < mark.seq)) => None,
        Some(end) => {
            let seq = end.asked.seq;
            Some(Finding::inconclusive(format!("the end of the witness's ledger was not recorded (#{seq})"), [seq]))
        }
        None => Some(Finding::inconclusive("the witness's ledger was never ended", seen.last().copied())),
    }
}

/// Checks that a pod has all acknowledged writes once, and besides only unanswered ones, in every answer from after the
/// ledger's end.
fn holds(case: &Case<'_>, account: &Account, pod: &str) -> Judged<Vec<u64>> {
    let checkpoint = Checkpoint::Settled;
    let last = case.last_answer(pod, Question::Entries, &checkpoint)?;
    let in_the_end = |sql: &Seen<'_, Sql>| account.ended.is_none_or(|ended| case.earliest_asked_us(sql) >= ended.at_us);
    let tables: Vec<_> = case.answers(pod, Question::Entries, &checkpoint).filter(in_the_end).collect();
    if tables.is_empty() {
        let seq = last.mark.seq;
        let reason = format!("{pod} was asked for its writes before the ledger had ended (#{seq})");
        return Err(Finding::inconclusive(reason, [seq]));
    }
    if pod != case.subject.primary() {
        // A replica must have caught up: what has not arrived yet is not lost.
        let barrier = case.answers(pod, Question::Barrier, &checkpoint).rfind(in_the_end);
        let barrier = barrier.ok_or_else(|| unasked(pod, Question::Barrier, &checkpoint))?;
        reached(case, barrier, || case.last_answer(pod, Question::ReplicaStatus, &checkpoint)).map_err(doubt)?;
    }
    all_of(tables.into_iter().map(|table| agrees(account, table)))
}

/// Checks that one reading of a table agrees with the account.
fn agrees(account: &Account, answer: Seen<'_, Sql>) -> Judged<u64> {
    let (pod, seq) = (&answer.it.pod, answer.mark.seq);
    let (held, doubled) = (held(answer)?, numbers(answer, "duplicates")?);
    let (lost, untold) = (account.acknowledged.subtract(&held), account.untold(&held));
    // If the account is not complete, a write that it lacks may have been sent.
    let phantom = if account.open.is_none() {
        held.subtract(&account.possible).subtract(&untold)
    } else {
        held.subtract(&held.subtract(&account.refused))
    };
    let wrong: Vec<String> = [
        ("lacks the acknowledged writes", "", &lost),
        ("has the writes", ", which were refused or never sent", &phantom),
        ("has the writes", " more than once", &doubled),
    ]
    .into_iter()
    .filter(|(_, _, which)| !which.is_empty())
    .map(|(what, how, which)| format!("{what} {}{how}", some(which)))
    .collect();
    if !wrong.is_empty() {
        return Err(Finding::fail(format!("{pod} {} (#{seq})", wrong.join(" and ")), [seq]));
    }
    if !untold.is_empty() {
        let reason = format!("{pod} has the writes {}, which the witness never reported (#{seq})", some(&untold));
        return Err(Finding::inconclusive(reason, [seq]));
    }
    Ok(seq)
}

pub(crate) fn some(ids: &Intervals) -> String {
    five_of(ids.iter().take(5), usize::try_from(ids.len()).unwrap_or(usize::MAX))
}

/// The writes in a table. A table that does not exist is a failure; a server that does not answer is not.
pub(crate) fn held(answer: Seen<'_, Sql>) -> Judged<Intervals> {
    match &answer.answer {
        SqlAnswer::Error { code, .. } if NOT_THERE.contains(code) => {}
        _ => {
            answer.rows().map_err(doubt)?;
        }
    }
    numbers(answer, "ids")
}

fn numbers(answer: Seen<'_, Sql>, column: &str) -> Judged<Intervals> {
    let (pod, seq) = (&answer.pod, answer.mark.seq);
    answer.value(column)?.parse().map_err(|error| {
        Finding::inconclusive(format!("the {column} of {pod} cannot be read: {error} (#{seq})"), [seq])
    })
}
