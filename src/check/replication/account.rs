//! The account of the writes that the witness's ledger made: what became of each, and whether the servers hold it.

use std::collections::BTreeMap;

use crate::{
    evidence::{Act, Moment, Question, Sql, SqlAnswer, WriteOutcome},
    mysql::intervals::Intervals,
};

use super::{
    super::{
        Finding,
        case::{Case, Seen, doubt},
        opinion::{Judged, Opinion},
        words::five_of,
    },
    reached_barrier,
};

/// ER_BAD_DB_ERROR and ER_NO_SUCH_TABLE: the schema, or the table, is not there.
const NOT_THERE: [u16; 2] = [1049, 1146];

/// What became of the ledger's writes, by their ids.
pub(in super::super) struct Account {
    acknowledged: Intervals,
    /// Acknowledged, or never answered.
    possible: Intervals,
    refused: Intervals,
    unknown: u64,
    /// Why it is not complete.
    open: Option<Finding>,
}

impl Account {
    /// The account of all writes, once every pod's table was held against it; objections go to the opinion.
    pub fn weighed(case: &Case<'_>, opinion: &mut Opinion) -> Judged<Self> {
        let account = Self::of(case);
        if account.acknowledged.is_empty() {
            let reason = "the witness had no write acknowledged, so there was nothing to lose";
            return Err(account.open.unwrap_or_else(|| Finding::inconclusive(reason, [])));
        }
        for pod in case.subject.pods() {
            let proof = opinion.weigh(holds(case, &account, &pod));
            opinion.prove(proof);
        }
        if let Some(open) = &account.open {
            opinion.object(open.clone());
        }
        Ok(account)
    }

    /// What it comes to where nothing is wrong, as the beginning of a reason.
    pub fn words(&self, case: &Case<'_>) -> String {
        let pods: Vec<_> = case.subject.pods().collect();
        let Self { acknowledged, refused, unknown, .. } = self;
        format!(
            "all {} acknowledged writes are on {}, each once, and nothing else ({} were refused, {unknown} never \
             answered)",
            acknowledged.len(),
            pods.join(", "),
            refused.len(),
        )
    }

    fn of(case: &Case<'_>) -> Self {
        let (mut ids, mut seen): (BTreeMap<u64, &WriteOutcome>, _) = (BTreeMap::new(), Vec::new());
        let mut twice = None;
        for entries in case.entries() {
            for entry in &entries.it.writes {
                if ids.insert(entry.id, &entry.outcome).is_some() {
                    twice.get_or_insert((entry.id, entries.mark.seq));
                }
            }
            seen.push(entries.mark.seq);
        }
        let with = |wanted: fn(&WriteOutcome) -> bool| -> Intervals {
            ids.iter().filter(|(_, outcome)| wanted(outcome)).map(|(id, _)| *id).collect()
        };
        let acknowledged = with(|outcome| *outcome == WriteOutcome::Acknowledged);
        let refused = with(|outcome| matches!(outcome, WriteOutcome::Rejected(_)));
        let possible = with(|outcome| !matches!(outcome, WriteOutcome::Rejected(_)));
        let unknown = possible.len() - acknowledged.len();
        let open =
            open(case, ids.keys().next_back().copied().unwrap_or(0), &ids.keys().copied().collect(), twice, &seen);
        Self { acknowledged, possible, refused, unknown, open }
    }
}

/// Why the account of writes is not complete, if it is not: all of them up to the last, once each, and no more to come.
fn open(case: &Case<'_>, last: u64, known: &Intervals, twice: Option<(u64, u64)>, seen: &[u64]) -> Option<Finding> {
    if let Some((id, seq)) = twice {
        return Some(Finding::inconclusive(format!("the witness told of write {id} twice (#{seq})"), [seq]));
    }
    let mut all = Intervals::default();
    all.insert(1, last);
    let missing = all.subtract(known);
    if !missing.is_empty() {
        let missing = five_of(missing.iter().take(5), missing.len() as usize);
        let reason = format!("the witness never told what became of the writes {missing}");
        return Some(Finding::inconclusive(reason, seen.last().copied()));
    }
    let ends = case.acts(|act| matches!(act, Act::StopLedger));
    match ends.last() {
        Some(end) if end.proved.is_some_and(|(mark, _)| seen.last().is_none_or(|last| *last < mark.seq)) => None,
        Some(end) => {
            let seq = end.asked.seq;
            Some(Finding::inconclusive(format!("the witness's ledger was not seen to end (#{seq})"), [seq]))
        }
        None => Some(Finding::inconclusive("the witness's ledger was never ended", seen.last().copied())),
    }
}

/// That a pod holds all that was acknowledged, once, and else only what was never answered.
fn holds(case: &Case<'_>, account: &Account, pod: &str) -> Judged<u64> {
    let moment = Moment::Settled;
    let answer = case.last_answer(pod, Question::Entries, &moment)?;
    let seq = answer.mark.seq;
    if pod != case.subject.primary() {
        // What has not arrived is not lost.
        reached_barrier(case, pod, &moment).map_err(doubt)?;
    }
    match &answer.answer {
        SqlAnswer::Error { code, .. } if NOT_THERE.contains(code) => {}
        _ => drop(answer.rows().map_err(doubt)?),
    }
    answer.rows()?;
    let (held, doubled) = (numbers(answer, "ids")?, numbers(answer, "duplicates")?);
    let lost = account.acknowledged.subtract(&held);
    // Of what an account does not have that is not complete, nobody knows whether it was sent.
    let phantom = if account.open.is_none() {
        held.subtract(&account.possible)
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
    .map(|(what, how, which)| format!("{what} {}{how}", five_of(which.iter().take(5), which.len() as usize)))
    .collect();
    if wrong.is_empty() {
        return Ok(seq);
    }
    Err(Finding::fail(format!("{pod} {} (#{seq})", wrong.join(" and ")), [seq]))
}

fn numbers(answer: Seen<'_, Sql>, column: &str) -> Judged<Intervals> {
    let (pod, seq) = (&answer.pod, answer.mark.seq);
    answer.value(column)?.parse().map_err(|error| {
        Finding::inconclusive(format!("the {column} of {pod} cannot be read: {error} (#{seq})"), [seq])
    })
}
