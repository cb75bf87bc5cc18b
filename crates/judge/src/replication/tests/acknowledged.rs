//! Acknowledged writes: kept and lost.

use insta::assert_snapshot;
use proptest::prelude::*;

use crate::CaseFile;
use crate::Verdict::{self, Fail, Inconclusive, Pass, Skipped};
use crate::assessment::judged;
use crate::evidence::{Act, Checkpoint, Ids, LeftOut, Question, Scenario, SqlAnswer, What, WriteOutcome};
use crate::history::{History, broken, error, refused, row};
use crate::mysql::intervals::Intervals;
use crate::replication::Account;

const LOST: &str = "replication::no_acknowledged_write_is_lost";

/// A good run in which a pod reports this table.
fn holding(pod: &str, ids: &str, duplicates: &str) -> History {
    let rows = SqlAnswer::Rows(vec![row([("ids", ids), ("duplicates", duplicates)])]);
    History::good().answering(pod, Question::Entries, rows)
}

/// The ids in the table of a good run.
fn held() -> String {
    History::good().entry_ids()
}

/// A good run in which one write has another outcome.
fn with_outcome(id: u64, outcome: &WriteOutcome) -> History {
    History::good().edit(|what| {
        if let What::Entries(entries) = what {
            let wanted = entries.writes.iter_mut().filter(|entry| entry.id == id);
            wanted.for_each(|entry| entry.outcome = outcome.clone());
        }
    })
}

#[test]
fn a_run_in_which_all_is_there_passes_and_names_what_was_done_to_it() {
    assert_snapshot!(History::good().expect(LOST, Pass), @"all 137 acknowledged writes are on mysql-0, mysql-1, mysql-2, each once, and no others (0 were refused, 40 had no answer), over restart: delete mysql-2; restart: delete mysql-1; restart: delete mysql-0; unready: hold mysql-1 un-Ready, delete mysql-0, release mysql-1; server-kill: kill the server in mysql-0; delete-all: delete every pod at once; scale: scale from 3 to 1 … release mysql-0 (4 acts); grow: scale from 3 to 4; grow: scale from 4 to 3; roll: update the pods from index 2 on … delete mysql-2 (6 acts); drain: drain worker, uncordon worker; node-pause: pause worker, unpause worker; node-stop: stop worker, start worker; power-cut: cut the power of worker, restore the power of worker; power-cut: cut the power of worker, restore the power of worker; dns-replace: replace the DNS servers; apiserver-kill: kill the API server; the longest time without an acknowledged write was 2.5 s");
    // A single pod has no replica, but it has clients all the same.
    History::good_of(1).expect(LOST, Pass);
}

#[test]
fn what_was_left_out_is_named() {
    let history = History::good().edit(|what| {
        if let What::Run(run) = what {
            let left_out = |scenario: Scenario| LeftOut { scenario, why: "nodes are left alone".into() };
            run.left_out = [Scenario::Drain, Scenario::Claims].map(left_out).to_vec();
        }
    });
    let reason = history.expect(LOST, Pass);
    assert!(reason.contains("; not over drain (nodes are left alone);"), "{reason}");
}

#[test]
fn an_acknowledged_write_that_is_not_there_is_lost() {
    let without_first = held().replacen('1', "2", 1);
    assert_snapshot!(holding("mysql-0", &without_first, "").expect(LOST, Fail), @"mysql-0 lacks the acknowledged writes 1 (#1710)");
    assert_snapshot!(holding("mysql-2", &without_first, "").expect(LOST, Fail), @"mysql-2 lacks the acknowledged writes 1 (#1712)");
    holding("mysql-0", "", "").expect(LOST, Fail);
    let missing = error(1146, "Table 'steadfast.entries' doesn't exist");
    History::good().answering("mysql-0", Question::Entries, missing).expect(LOST, Fail);
}

#[test]
fn a_write_that_was_refused_or_never_sent_is_a_phantom() {
    assert_snapshot!(holding("mysql-0", &format!("{},999999", held()), "").expect(LOST, Fail), @"mysql-0 has the writes 999999, which were refused or never sent (#1710)");
    with_outcome(3, &WriteOutcome::Rejected("1290: read only".into())).expect(LOST, Fail);
    // An unanswered write may or may not be there.
    with_outcome(3, &WriteOutcome::Unknown("timed out".into())).expect(LOST, Pass);
}

#[test]
fn a_write_that_is_there_twice_fails() {
    assert_snapshot!(holding("mysql-0", &held(), "1-7").expect(LOST, Fail), @"mysql-0 has the writes 1, 2, 3, 4, 5 … (7 in all) more than once (#1710)");
}

#[test]
fn what_has_not_arrived_at_a_replica_is_not_lost() {
    let settled = |checkpoint: &Checkpoint| *checkpoint == Checkpoint::Settled;
    let short = SqlAnswer::Rows(vec![row([("ids", "1-3"), ("duplicates", "")])]);
    let history = History::good().answering("mysql-1", Question::Entries, short);
    history.clone().expect(LOST, Fail);
    let reason = history.telling("mysql-1", settled, "reached", "0").expect(LOST, Inconclusive);
    assert!(reason.starts_with("mysql-1 did not reach the barrier"), "{reason}");
}

#[test]
fn a_server_that_does_not_answer_leaves_it_open() {
    for answer in [broken(), refused(), error(1045, "Access denied")] {
        History::good().answering("mysql-0", Question::Entries, answer).expect(LOST, Inconclusive);
    }
    let unasked = |what: &What| matches!(what, What::Sql(sql) if sql.question == Question::Entries);
    History::good().without(unasked).expect(LOST, Inconclusive);
    holding("mysql-0", "1-x", "").expect(LOST, Inconclusive);
}

#[test]
fn an_account_that_is_not_complete_leaves_it_open_and_still_tells_of_losses() {
    let forgets = |ids: &'static [u64]| {
        History::good().edit(move |what| {
            if let What::Entries(entries) = what {
                entries.writes.retain(|entry| !ids.contains(&entry.id));
            }
        })
    };
    assert_snapshot!(forgets(&[2, 3, 7]).expect(LOST, Inconclusive), @"the witness never reported the outcome of the writes 2, 3, 7");
    let nothing = SqlAnswer::Rows(vec![row([("ids", "2"), ("duplicates", "")])]);
    forgets(&[2]).answering("mysql-0", Question::Entries, nothing).expect(LOST, Fail);
    // A refused write that is there is a failure even if the account is not complete.
    let history = forgets(&[2]).edit(|what| {
        if let What::Entries(entries) = what {
            let third = entries.writes.iter_mut().filter(|entry| entry.id == 3);
            third.for_each(|entry| entry.outcome = WriteOutcome::Rejected("1290".into()));
        }
    });
    history.expect(LOST, Fail);
    let mut told = None;
    let twice = History::good().edit(|what| {
        if let What::Entries(entries) = what {
            entries.writes.extend(told.clone());
            told = told.take().or_else(|| entries.writes.first().cloned());
        }
    });
    assert!(twice.expect(LOST, Inconclusive).contains("reported write 1 twice"));
}

/// A good run in which the witness lost its node after the third write and then skipped the ids from 4 to 9.
fn witness_lost() -> History {
    let moved = |id: u64| if id < 4 { id } else { id + 6 };
    let history = History::good().edit(move |what| {
        if let What::Entries(entries) = what {
            if entries.writes.iter().any(|entry| entry.id == 4) {
                entries.doubtful.push(Ids { first: 4, last: 9 });
            }
            entries.writes.iter_mut().for_each(|entry| entry.id = moved(entry.id));
        }
    });
    let there: Intervals = held().parse::<Intervals>().expect("ids").iter().map(moved).collect();
    all_holding(history, &there)
}

fn all_holding(history: History, there: &Intervals) -> History {
    ["mysql-0", "mysql-1", "mysql-2"].into_iter().fold(history, |history, pod| {
        let rows = SqlAnswer::Rows(vec![row([("ids", &there.to_string()), ("duplicates", "")])]);
        history.answering(pod, Question::Entries, rows)
    })
}

#[test]
fn what_a_witness_cannot_know_of_decides_nothing_and_is_told() {
    let reason = witness_lost().expect(LOST, Pass);
    assert!(reason.contains("it is unknown whether 4-9 were sent, because the witness's node died)"), "{reason}");
    let there: Intervals = held().parse().expect("ids");
    let moved: Intervals = there.iter().map(|id| if id < 4 { id } else { id + 6 }).collect();
    // Some of them were sent.
    let mut some = moved.clone();
    some.insert(5, 6);
    all_holding(witness_lost(), &some).expect(LOST, Pass);
    // The known ids decide as before: the first one after the doubtful ids was acknowledged, the last one never sent.
    let mut lacking = Intervals::default();
    lacking.insert(10, 10);
    assert_snapshot!(all_holding(witness_lost(), &moved.subtract(&lacking)).expect(LOST, Fail), @"mysql-0 lacks the acknowledged writes 10 (#1710); mysql-1 lacks the acknowledged writes 10 (#1711); mysql-2 lacks the acknowledged writes 10 (#1712)");
    let mut beyond = moved.clone();
    beyond.insert(999_999, 999_999);
    all_holding(witness_lost(), &beyond).expect(LOST, Fail);
    // The witness itself must report that the ids in between were not used.
    let silent = witness_lost().edit(|what| {
        if let What::Entries(entries) = what {
            entries.doubtful.clear();
        }
    });
    silent.expect(LOST, Inconclusive);
}

/// A good run in which the witness never handed over its last batch.
fn without_the_last_batch() -> History {
    let is_entries = |what: &What| matches!(what, What::Entries(_));
    let batches = History::good().records.iter().filter(|record| is_entries(&record.what)).count();
    let mut told = 0;
    History::good().without(|what| {
        told += usize::from(is_entries(what));
        is_entries(what) && told == batches
    })
}

#[test]
fn what_the_witness_never_came_to_tell_of_blames_nobody() {
    let reason = without_the_last_batch().expect(LOST, Inconclusive);
    assert!(reason.contains(", which the witness never reported"), "{reason}");
    let beyond = format!("{},999999", held());
    let rows = SqlAnswer::Rows(vec![row([("ids", &beyond), ("duplicates", "")])]);
    let reason = without_the_last_batch().answering("mysql-0", Question::Entries, rows).expect(LOST, Fail);
    assert!(reason.contains("mysql-0 has the writes 999999, which were refused or never sent"), "{reason}");
}

#[test]
fn the_last_id_that_the_witness_tells_decides() {
    let last = held().parse::<Intervals>().expect("ids").last().expect("a write");
    let told = |history: History, id: u64| {
        history.edit(move |what| {
            if let What::Entries(entries) = what {
                entries.last = Some(id);
            }
        })
    };
    told(History::good(), last).expect(LOST, Pass);
    let reason = told(History::good(), last + 1).expect(LOST, Inconclusive);
    assert_eq!(reason, format!("the witness never reported the outcome of the writes {}", last + 1));
    // Without the last id, the next one may have been used.
    let next = format!("{},{}", held(), last + 1);
    holding("mysql-0", &next, "").expect(LOST, Inconclusive);
    told(holding("mysql-0", &next, ""), last).expect(LOST, Fail);
    let reason = told(without_the_last_batch(), last).expect(LOST, Inconclusive);
    assert!(reason.contains("the witness never reported the outcome of the writes"), "{reason}");
}

#[test]
fn a_table_that_was_read_before_the_ledger_ended_says_nothing() {
    let is_table = |what: &What| matches!(what, What::Sql(sql) if sql.question == Question::Entries);
    let early = History::good().edit(|what| match what {
        What::Sql(sql) if sql.question == Question::Entries && sql.pod == "mysql-1" => sql.took_us = 5_000_000,
        _ => {}
    });
    assert_snapshot!(early.expect(LOST, Inconclusive), @"mysql-1 was asked for its writes before the ledger had ended (#1711)");
    // A pod that is asked again after the end is judged by that answer alone.
    let nothing = row([("ids", "1"), ("duplicates", "")]);
    let again = History::good().told_before(is_table, |what| {
        if let What::Sql(sql) = what {
            (sql.took_us, sql.answer) = (5_000_000, SqlAnswer::Rows(vec![nothing]));
        }
    });
    again.expect(LOST, Pass);
    let barrier = History::good().edit(|what| match what {
        What::Sql(sql) if sql.question == Question::Barrier && sql.checkpoint == Checkpoint::Settled => {
            sql.took_us = 5_000_000
        }
        _ => {}
    });
    barrier.expect(LOST, Inconclusive);
}

#[test]
fn a_ledger_that_was_not_seen_to_end_leaves_it_open() {
    let stop = |what: &What| matches!(what, What::Fault(fault) if fault.act == Act::StopLedger);
    assert_snapshot!(History::good().without(stop).expect(LOST, Inconclusive), @"the witness's ledger was never ended");
    let proof = |what: &What| stop(what) && matches!(what, What::Fault(fault) if fault.proof.is_some());
    History::good().without(proof).expect(LOST, Inconclusive);
}

#[test]
fn nothing_written_or_nothing_done_proves_nothing() {
    History::good().without(|what| matches!(what, What::Entries(_))).expect(LOST, Inconclusive);
    let disrupted = |what: &What| matches!(what, What::Fault(fault) if fault.act != Act::StopLedger);
    assert_snapshot!(History::good().without(disrupted).expect(LOST, Inconclusive), @"nothing was disrupted, so no write was at risk");
}

/// A run on a cluster whose pods must not be disturbed.
fn undisturbed() -> History {
    let disrupted = |what: &What| matches!(what, What::Fault(fault) if fault.act != Act::StopLedger);
    History::good().without(disrupted).edit(|what| {
        if let What::Run(run) = what {
            let peaceful = |scenario: &Scenario| {
                [Scenario::Deploy, Scenario::Replicate, Scenario::Settle, Scenario::Teardown].contains(scenario)
            };
            let (acted, others): (Vec<_>, Vec<_>) = run.scenarios.drain(..).partition(peaceful);
            let left_out = |scenario| LeftOut { scenario, why: "pods are left alone".into() };
            (run.scenarios, run.left_out) = (acted, others.into_iter().map(left_out).collect());
        }
    })
}

#[test]
fn where_nothing_may_be_disrupted_nothing_is_held_against_the_workload() {
    for check in [LOST, "replication::recovers_within_budget"] {
        assert_eq!(undisturbed().expect(check, Skipped), "nothing was disrupted: pods are left alone");
    }
    // A write that is lost without a disruption is lost all the same.
    let missing = error(1146, "Table 'steadfast.entries' doesn't exist");
    undisturbed().answering("mysql-0", Question::Entries, missing).expect(LOST, Fail);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// The verdict agrees with counting id by id.
    #[test]
    fn the_verdict_is_that_of_counting(
        outcomes in prop::collection::vec(0_u8..4, 1..12),
        told in any::<bool>(),
        tells_last in any::<bool>(),
        there in prop::collection::vec(any::<bool>(), 14),
    ) {
        let ids: Vec<u64> = (1..).zip(&there).filter(|(_, there)| **there).map(|(id, _)| id).collect();
        let text = ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        let doubtful: Vec<u64> = (1..).zip(&outcomes).filter(|(_, kind)| **kind == 3).map(|(id, _)| id).collect();
        let (kinds, mut doubts, given) = (outcomes.clone(), doubtful.clone(), outcomes.len() as u64);
        let mut history = History::good_of(1).edit(move |what| {
            if let What::Entries(entries) = what {
                let kind = |id: u64| kinds.get(id as usize - 1).copied();
                entries.writes.retain(|entry| kind(entry.id).is_some_and(|kind| kind < 3));
                for entry in &mut entries.writes {
                    entry.outcome = match kind(entry.id) {
                        Some(0) => WriteOutcome::Acknowledged,
                        Some(1) => WriteOutcome::Rejected("1290".into()),
                        _ => WriteOutcome::Unknown("timed out".into()),
                    };
                }
                entries.last = tells_last.then_some(given);
                if told {
                    entries.doubtful.extend(doubts.drain(..).map(|id| Ids { first: id, last: id }));
                }
            }
        });
        let rows = SqlAnswer::Rows(vec![row([("ids", &text), ("duplicates", "")])]);
        history = history.answering("mysql-0", Question::Entries, rows);
        let outcome = |id: u64| outcomes.get(id as usize - 1).copied();
        // A missing id only leaves the account open below the last reported one.
        let last = (1..).zip(&outcomes).filter(|(_, kind)| **kind < 3).map(|(id, _)| id).last().unwrap_or(0);
        let (last, known) = if tells_last { (given, given) } else { (last, if told { given } else { last }) };
        let open = !told && doubtful.iter().any(|id| *id <= last);
        let lost = (1..=outcomes.len() as u64).any(|id| outcome(id) == Some(0) && !ids.contains(&id));
        // The ids right after the last reported one may have been used, unless the last id is reported.
        let untold = |id: u64| !tells_last && id > known && (known + 1..=id).all(|id| ids.contains(&id));
        let phantom = ids.iter().any(|id| match outcome(*id) {
            Some(1) => true,
            None => !open && !untold(*id),
            Some(3) => !told && !open && !untold(*id),
            _ => false,
        });
        let expected = match () {
            () if !outcomes.contains(&0) => Verdict::Inconclusive,
            () if lost || phantom => Verdict::Fail,
            () if open || ids.iter().any(|id| untold(*id)) => Verdict::Inconclusive,
            () => Verdict::Pass,
        };
        // Only the account: whether the ledger wrote all the time is another matter.
        let evidence = history.evidence();
        let file = CaseFile::of(&evidence).expect("a run");
        let found = judged(&file, |case, assessment| Ok(Account::weighed(case, assessment)?.words(case)));
        prop_assert_eq!(found.verdict, expected, "{}", found.reason);
    }
}
