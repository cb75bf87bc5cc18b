//! Replicas that come back, that are new, and that have other data.

use insta::assert_snapshot;

use super::answering_at;
use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Checkpoint, Question, Scenario, SqlAnswer, What};
use crate::history::{History, broken, row};

const BACK: &str = "replication::replica_recreated_catches_up";
const JOINS: &str = "replication::new_replica_joins";
const SAME: &str = "replication::replicas_hold_the_same_rows";
const REFUSE: &str = "replication::replicas_refuse_writes";

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa942956";

fn back(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::Deletion { pod: "mysql-1".into() }
}

fn joined(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::Joined
}

fn settled(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::Settled
}

fn recovered(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::Recovered { scenario: Scenario::ServerKill }
}

#[test]
fn servers_without_a_uuid_are_known_by_their_rows() {
    History::good().on_mariadb().expect(BACK, Pass);
    let rows = SqlAnswer::Rows(Vec::new());
    answering_at(back, "mysql-1", Question::Rows, &rows).on_mariadb().expect(BACK, Fail);
}

#[test]
fn a_good_run_passes_and_one_pod_is_skipped() {
    assert_snapshot!(History::good().expect(BACK, Pass), @"had the same rows as before and caught up on their own, counted from Ready: mysql-1 after 0.3 s, mysql-2 after 0.3 s");
    assert_snapshot!(History::good().expect(JOINS, Pass), @"mysql-3 has the transactions of mysql-0, its tables and all 19 rows of the ledger");
    for check in [BACK, JOINS] {
        History::good_of(1).expect(check, Skipped);
    }
}

#[test]
fn a_replica_that_does_not_go_on_by_itself_fails() {
    let off = History::good().telling("mysql-1", back, "Replica_IO_Running", "No");
    assert_snapshot!(off.clone().expect(BACK, Fail), @"the IO thread of the new mysql-1 is `No` (#202)");
    assert_snapshot!(off.telling("mysql-1", back, "reached", "0").expect(BACK, Fail), @"mysql-1 did not reach the barrier `3e11fa47-71ca-11e1-9e33-c80aa9429560:1-12` after the deletion of mysql-1 (#201)");
    History::good().telling("mysql-1", back, "Replica_SQL_Running", "No").expect(BACK, Fail);
    // A stopped thread is graver than a connecting one.
    let both = History::good().telling("mysql-1", back, "Replica_IO_Running", "Connecting");
    let reason = both.telling("mysql-1", back, "Replica_SQL_Running", "No").expect(BACK, Fail);
    assert!(reason.contains("the SQL thread of the new mysql-1 is `No`"), "{reason}");
    History::good().telling("mysql-1", back, "Replica_IO_Running", "Connecting").expect(BACK, Inconclusive);
    History::good().telling("mysql-1", back, "Source_Host", "10.0.0.1").expect(BACK, Fail);
}

#[test]
fn a_replica_that_begins_anew_fails() {
    let other = format!("{UUID}9");
    assert_snapshot!(History::good().telling("mysql-1", back, "server_uuid", &other).expect(BACK, Fail), @"mysql-1 had server_uuid 3e11fa47-71ca-11e1-9e33-c80aa9429561 (#180) and now has 3e11fa47-71ca-11e1-9e33-c80aa9429569 (#188): it started as a new server");
    let nothing = SqlAnswer::Rows(Vec::new());
    let mut first = true;
    let empty = History::good().edit(|what| {
        if let What::Sql(sql) = what
            && back(&sql.checkpoint)
            && (sql.pod.as_str(), sql.question) == ("mysql-1", Question::Rows)
            && std::mem::take(&mut first)
        {
            sql.answer = nothing.clone();
        }
    });
    assert_snapshot!(empty.expect(BACK, Fail), @"the new mysql-1 lacks the rows 1, 2, 3, 4, 5 … (11 in all), which the old one had (#179, #191)");
}

#[test]
fn a_replica_that_catches_up_too_late_fails() {
    let history = History::good().edit(|what| {
        if let What::Run(run) = what {
            run.budgets.resume_ms = 100;
        }
    });
    assert_snapshot!(history.expect(BACK, Fail), @"mysql-1 had caught up only 0.3 s after it was Ready (#186), not within 0.1 s (#201); mysql-2 had caught up only 0.3 s after it was Ready (#153), not within 0.1 s (#172)");
}

#[test]
fn a_replica_that_was_told_or_not_asked_leaves_it_open() {
    for (question, instead) in [
        (Question::TryWrite, Some(Question::Configure)),
        (Question::Barrier, None),
        (Question::Identity, None),
        (Question::ReplicaStatus, None),
    ] {
        let of_it = |what: &What| matches!(what, What::Sql(sql) if back(&sql.checkpoint) && sql.pod == "mysql-1" && sql.question == question);
        let history = match instead {
            None => History::good().without(of_it),
            Some(instead) => History::good().edit(|what| {
                if of_it(what)
                    && let What::Sql(sql) = what
                {
                    sql.question = instead;
                }
            }),
        };
        history.expect(BACK, Inconclusive);
    }
    let undeleted = |what: &What| matches!(what, What::Fault(fault) if matches!(&fault.act, Act::DeletePod { pod, .. } if pod == "mysql-1"));
    assert_snapshot!(History::good().without(undeleted).expect(BACK, Inconclusive), @"the replica mysql-1 was not deleted");
}

#[test]
fn a_new_replica_that_lacks_something_fails() {
    let purged = History::good().telling("mysql-3", joined, "reached", "0");
    assert_snapshot!(purged.expect(JOINS, Fail), @"mysql-3 did not reach the barrier `3e11fa47-71ca-11e1-9e33-c80aa9429560:1-19` after a new replica had joined (#637)");
    History::good().telling("mysql-3", joined, "gtid_executed", "").expect(JOINS, Fail);
    History::good().telling("mysql-3", joined, "checksum", "1").expect(JOINS, Fail);
    History::good().telling("mysql-3", joined, "Source_Host", "10.0.0.1").expect(JOINS, Fail);
    let nothing = SqlAnswer::Rows(Vec::new());
    answering_at(joined, "mysql-3", Question::Rows, &nothing).expect(JOINS, Fail);
    // It refuses writes like the others.
    answering_at(joined, "mysql-3", Question::TryWrite, &nothing).expect(REFUSE, Fail);
}

#[test]
fn a_new_replica_that_was_not_asked_leaves_it_open() {
    answering_at(joined, "mysql-3", Question::Digest, &broken()).expect(JOINS, Inconclusive);
    let unasked = |what: &What| matches!(what, What::Sql(sql) if joined(&sql.checkpoint));
    let silent = History::good().without(unasked);
    silent.clone().expect(JOINS, Inconclusive);
    let shrinks = |what: &What| matches!(what, What::Fault(fault) if fault.act == Act::Scale { from: 4, to: 3 });
    let waits = |last_seen: &'static str| {
        silent.clone().preceded(shrinks, |history| {
            history.expired("mysql-3 Ready", last_seen);
        })
    };
    assert_snapshot!(waits("Running, not Ready").expect(JOINS, Fail), @"mysql-3 did not join: `mysql-3 Ready` was not reached within 300.0 s; last seen: Running, not Ready (#675)");
    waits("0/3 nodes are available").expect(JOINS, Inconclusive);
}

#[test]
fn data_that_differ_although_the_transactions_agree_fail_whenever_they_are_compared() {
    for at in [recovered, settled] {
        History::good().telling("mysql-1", at, "checksum", "78").expect(SAME, Fail);
        History::good().telling("mysql-1", at, "reached", "0").expect(SAME, Fail);
        let errant = format!("{UUID}0:1-99,ffffffff-0000-4000-8000-00000000000a:1");
        History::good().telling("mysql-1", at, "gtid_executed", &errant).expect(SAME, Fail);
        answering_at(at, "mysql-1", Question::Rows, &SqlAnswer::Rows(vec![row([("id", "1")])])).expect(SAME, Fail);
    }
    History::good().without(|what| matches!(what, What::Sql(sql) if recovered(&sql.checkpoint))).expect(SAME, Pass);
}

/// A good run in which the primary continues to write while its replicas are compared with it: these wait for `awaited`
/// transactions and have two more at the end.
fn written_to_meanwhile(at: fn(&Checkpoint) -> bool, awaited: u64) -> History {
    let set = |last: u64| format!("{UUID}0:1-{last}");
    let primary = History::good().telling("mysql-0", at, "gtid_executed", &set(awaited + 1));
    ["mysql-1", "mysql-2"].into_iter().fold(primary, |history, pod| {
        let history = history.telling(pod, at, "gtid_executed", &set(awaited + 2));
        history.telling(pod, at, "checksum", "78").telling(pod, at, "gtid_set", &set(awaited))
    })
}

#[test]
fn what_is_written_meanwhile_is_neither_missing_nor_errant() {
    written_to_meanwhile(recovered, 16).expect(SAME, Pass);
    // A transaction that the primary never had is errant, and one that was waited for is missing.
    let has = |set: &str| written_to_meanwhile(recovered, 16).telling("mysql-1", recovered, "gtid_executed", set);
    let reason = has(&format!("{UUID}0:1-18,{UUID}1:1")).expect(SAME, Fail);
    assert!(reason.contains(&format!("mysql-1 has {UUID}1:1, which mysql-0 does not have")), "{reason}");
    let reason = has(&format!("{UUID}0:1-15")).expect(SAME, Fail);
    assert!(reason.contains(&format!("mysql-1 lacks {UUID}0:16 of mysql-0")), "{reason}");
    // At the end nobody should write.
    let reason = written_to_meanwhile(settled, 26).expect(SAME, Inconclusive);
    assert!(reason.contains("mysql-0 was written to"), "{reason}");
    let joining = History::good().telling("mysql-3", joined, "gtid_set", &format!("{UUID}0:1-19"));
    let joining = joining.telling("mysql-0", joined, "gtid_executed", &format!("{UUID}0:1-20"));
    let joining = joining.telling("mysql-3", joined, "gtid_executed", &format!("{UUID}0:1-20"));
    assert!(joining.expect(JOINS, Inconclusive).contains("mysql-0 was written to"));
}

#[test]
fn a_write_that_the_primary_accepts_is_none_of_a_replicas() {
    let rows = |what: &What| matches!(what, What::Sql(sql) if settled(&sql.checkpoint) && sql.pod == "mysql-0" && sql.question == Question::Rows);
    let tried = History::good().told_before(rows, |what| {
        if let What::Sql(sql) = what {
            (sql.question, sql.answer) = (Question::TryWrite, SqlAnswer::Rows(Vec::new()));
        }
    });
    tried.expect(REFUSE, Pass);
}
