//! Whether what clients were told of is there in the end.

use std::collections::BTreeMap;

use crate::{
    evidence::{Act, Evidence, Moment, Question, Sql, SqlAnswer, WriteOutcome},
    mysql::intervals::Intervals,
};

use super::{
    super::{
        Check, Finding,
        case::{Case, Seen, doubt},
        measure::Measures,
        opinion::{Judged, judged},
        words::{five_of, seconds},
    },
    budget::{DISRUPTIVE, of_interest, titled, undisrupted},
    reached_barrier,
};

pub(in super::super) const NO_ACKNOWLEDGED_WRITE_IS_LOST: Check = Check {
    id: "replication::no_acknowledged_write_is_lost",
    statement: "Over all disruptions every write that was acknowledged MUST be there in the end, once, and no write \
                that was refused or never sent.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html (innodb_flush_log_at_trx_commit) and \
             https://dev.mysql.com/doc/refman/8.4/en/mysql-acid.html",
    explain: "\
This is what a database is for. The witness writes all the while, whatever is done to the workload: inserts of one row
each with an id of its own, which end acknowledged, refused, or without an answer. When all disruptions are over the
table is read on every pod. Lost is what was acknowledged and is not there; phantom is what is there and was refused or
never sent; a write without an answer may be there or not, and so may the last ones before the witness's own node died,
of which it kept no trace. The primary decides; a replica has to hold the same once it has reached a barrier. Each write
must be accounted for, or the question stays open.
Usually wrong: a volume that is not the pod's own; innodb_flush_log_at_trx_commit or sync_binlog relaxed; or a primary
that was replaced by a replica which did not have everything.",
    scenarios: &DISRUPTIVE,
    judge: no_acknowledged_write_is_lost,
};

/// ER_BAD_DB_ERROR and ER_NO_SUCH_TABLE: the schema, or the table, is not there.
const NOT_THERE: [u16; 2] = [1049, 1146];

/// What became of the ledger's writes, by their ids.
struct Account {
    acknowledged: Intervals,
    /// Acknowledged, never answered, or doubtful.
    possible: Intervals,
    refused: Intervals,
    unknown: u64,
    /// Nobody knows whether these were sent.
    doubtful: Intervals,
    /// Why it is not complete.
    open: Option<Finding>,
}

fn no_acknowledged_write_is_lost(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        let account = Account::of(case);
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
        let measures = Measures::taken(case);
        let longest = measures.ledger.and_then(|ledger| ledger.longest_outage).map_or(0, |outage| outage.us());
        let disruptions = of_interest(measures.disruptions);
        if disruptions.is_empty() {
            return Err(undisrupted(case, "nothing was in danger"));
        }
        opinion.prove(disruptions.iter().map(|disruption| disruption.began().seq));
        let names: Vec<String> = disruptions.iter().map(titled).collect();
        let pods: Vec<_> = case.subject.pods().collect();
        let Account { acknowledged, refused, unknown, .. } = &account;
        Ok(format!(
            "all {} acknowledged writes are on {}, each once, and nothing else ({} were refused, {unknown} never \
             answered{}), over {}{}; the longest time without an acknowledged write was {}",
            acknowledged.len(),
            pods.join(", "),
            refused.len(),
            doubts(&account.doubtful),
            names.join("; "),
            left_out(case),
            seconds(longest)
        ))
    })
}

/// What was not done to the workload, and why, as part of a sentence.
fn left_out(case: &Case<'_>) -> String {
    let of_interest = case.run.left_out.iter().filter(|it| DISRUPTIVE.contains(&it.scenario.as_str()));
    let told: Vec<String> = of_interest.map(|it| format!("{} ({})", it.scenario, it.why)).collect();
    if told.is_empty() { String::new() } else { format!("; not over {}", told.join(", ")) }
}

/// Which writes nobody knows of, as part of a sentence.
fn doubts(doubtful: &Intervals) -> String {
    if doubtful.is_empty() {
        return String::new();
    }
    format!(", and whether {doubtful} were sent died with a node of the witness")
}

impl Account {
    fn of(case: &Case<'_>) -> Self {
        let (mut ids, mut seen): (BTreeMap<u64, &WriteOutcome>, _) = (BTreeMap::new(), Vec::new());
        let (mut twice, mut doubtful) = (None, Intervals::default());
        for entries in case.entries() {
            entries.it.doubtful.iter().for_each(|ids| doubtful.insert(ids.first, ids.last));
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
        let unknown = with(|outcome| matches!(outcome, WriteOutcome::Unknown(_)));
        let last = ids.keys().next_back().copied().unwrap_or(0);
        let known = ids.keys().copied().collect::<Intervals>().union(&doubtful);
        let open = open(case, last, &known, twice, &seen);
        let (possible, unknown) = (acknowledged.union(&unknown).union(&doubtful), unknown.len());
        Self { acknowledged, possible, refused, unknown, doubtful, open }
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
