//! Replication: right and wrong.

mod acknowledged;
mod barriers;
mod costs;
mod replicas;
mod semi_sync;

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Checkpoint, Question, SqlAnswer, What, WriteOutcome};
use crate::history::{History, broken, error, refused, row};

const FOLLOW: &str = "replication::replicas_follow_by_stable_name";
const SAME: &str = "replication::replicas_hold_the_same_rows";
const REFUSE: &str = "replication::replicas_refuse_writes";
const RESUME: &str = "replication::primary_recreated_replicas_resume";

/// The checkpoint after the primary's deletion.
fn primary_gone(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::Deletion { pod: "mysql-0".into() }
}

#[test]
fn a_good_run_passes_and_one_pod_is_skipped() {
    assert_snapshot!(History::good().expect(FOLLOW, Pass), @"mysql-1, mysql-2 replicate from mysql-0 by its stable name");
    assert_snapshot!(History::good().expect(SAME, Pass), @"mysql-1, mysql-2 have the transactions of mysql-0, its tables and all 29 rows of the ledger");
    assert_snapshot!(History::good().expect(REFUSE, Pass), @"mysql-1, mysql-2 refused a write with error 1290");
    assert_snapshot!(History::good().expect(RESUME, Pass), @"row 14, written on the new mysql-0 (#232), reached mysql-1 after 0.3 s, mysql-2 after 0.3 s, counted from Ready at #218");
    for check in [FOLLOW, SAME, REFUSE, RESUME] {
        History::good_of(1).expect(check, Skipped);
    }
}

fn following(host: &str) -> History {
    History::good().telling("mysql-2", |_| true, "Source_Host", host)
}

#[test]
fn the_stable_name_may_be_short() {
    for host in [
        "mysql-0.mysql-h",
        "MYSQL-0.mysql-h.steadfast",
        "mysql-0.mysql-h.steadfast.svc",
        "mysql-0.mysql-h.steadfast.svc.cluster.local.",
    ] {
        following(host).expect(FOLLOW, Pass);
    }
}

#[test]
fn an_address_or_another_name_fails() {
    assert_snapshot!(following("10.0.0.1").expect(FOLLOW, Fail), @"mysql-2 replicates from `10.0.0.1`, not from `mysql-0.mysql-h.steadfast.svc.cluster.local` once replication was configured (#138); mysql-2 replicates from `10.0.0.1`, not from `mysql-0.mysql-h.steadfast.svc.cluster.local` after the deletion of mysql-2 (#173); mysql-2 replicates from `10.0.0.1`, not from `mysql-0.mysql-h.steadfast.svc.cluster.local` after the deletion of mysql-1 (#206); and 16 more like this");
    for host in
        ["", "mysql-0", "mysql-h", "mysql-1.mysql-h", "mysql-0.mysql-h.other", "mysql-0.mysql-h.steadfast.svc.other"]
    {
        following(host).expect(FOLLOW, Fail);
    }
}

#[test]
fn a_thread_that_does_not_run_fails() {
    let old = row([
        ("Slave_IO_Running", "Connecting"),
        ("Slave_SQL_Running", "Yes"),
        ("Master_Host", "mysql-0.mysql-h"),
        ("Last_IO_Error", "error connecting to master: Access denied"),
        ("Last_SQL_Error", ""),
    ]);
    let history = History::good().answering("mysql-1", Question::ReplicaStatus, SqlAnswer::Rows(vec![old]));
    assert_snapshot!(history.expect(FOLLOW, Fail), @"the IO thread of mysql-1 is `Connecting` once replication was configured (#136); Last_IO_Error: error connecting to master: Access denied");
    History::good().telling("mysql-1", |_| true, "Replica_SQL_Running", "No").expect(FOLLOW, Fail);
    let nothing = SqlAnswer::Rows(Vec::new());
    History::good().answering("mysql-1", Question::ReplicaStatus, nothing).expect(FOLLOW, Fail);
}

#[test]
fn a_status_that_was_not_read_leaves_it_open() {
    History::good().answering("mysql-1", Question::ReplicaStatus, broken()).expect(FOLLOW, Inconclusive);
    let unasked = |what: &What| matches!(what, What::Sql(sql) if sql.question == Question::ReplicaStatus);
    History::good().without(unasked).expect(FOLLOW, Inconclusive);
}

#[test]
fn missing_and_errant_transactions_fail() {
    let set = "3e11fa47-71ca-11e1-9e33-c80aa9429560:1-7, ffffffff-0000-4000-8000-00000000000a:1";
    let history = History::good().telling("mysql-1", |_| true, "gtid_executed", set);
    assert_snapshot!(history.expect(SAME, Fail), @"mysql-1 lacks 3e11fa47-71ca-11e1-9e33-c80aa9429560:8 of mysql-0 and has ffffffff-0000-4000-8000-00000000000a:1, which mysql-0 does not have (#130, #127); mysql-1 lacks 3e11fa47-71ca-11e1-9e33-c80aa9429560:8-17 of mysql-0 and has ffffffff-0000-4000-8000-00000000000a:1, which mysql-0 does not have (#309, #306); mysql-1 lacks 3e11fa47-71ca-11e1-9e33-c80aa9429560:8-18 of mysql-0 and has ffffffff-0000-4000-8000-00000000000a:1, which mysql-0 does not have (#412, #409); and 13 more like this");
}

#[test]
fn a_set_that_cannot_be_read_leaves_it_open() {
    let reason = History::good().telling("mysql-1", |_| true, "gtid_executed", "?").expect(SAME, Inconclusive);
    assert_snapshot!(reason, @"the GTID set of mysql-1 cannot be read: `?` at byte 0 is neither a server UUID nor domain-server-number (#130); the GTID set of mysql-1 cannot be read: `?` at byte 0 is neither a server UUID nor domain-server-number (#309); the GTID set of mysql-1 cannot be read: `?` at byte 0 is neither a server UUID nor domain-server-number (#412); and 13 more like this");
    History::good().telling("mysql-0", |_| true, "gtid_executed", "").expect(SAME, Inconclusive);
}

#[test]
fn a_barrier_that_is_not_reached_fails() {
    assert_snapshot!(History::good().telling("mysql-2", |_| true, "reached", "0").expect(SAME, Fail), @"mysql-2 did not reach the barrier `3e11fa47-71ca-11e1-9e33-c80aa9429560:1-8` once replication was configured (#126); mysql-2 did not reach the barrier `3e11fa47-71ca-11e1-9e33-c80aa9429560:1-17` after the scenario server-kill (#305); mysql-2 did not reach the barrier `3e11fa47-71ca-11e1-9e33-c80aa9429560:1-18` after the scenario delete-all (#408); and 18 more like this");
}

#[test]
fn tables_that_differ_fail() {
    let history = History::good().telling("mysql-1", |_| true, "checksum", "78");
    assert_snapshot!(history.expect(SAME, Fail), @"tables differ on mysql-1: steadfast.ledger has checksum 78, not 77 (#131, #128); tables differ on mysql-1: steadfast.ledger has checksum 78, not 77 (#310, #307); tables differ on mysql-1: steadfast.ledger has checksum 78, not 77 (#413, #410); and 13 more like this");
    let other = SqlAnswer::Rows(vec![row([("table", "steadfast.other"), ("checksum", "77")])]);
    assert_snapshot!(History::good().answering("mysql-1", Question::Digest, other).expect(SAME, Fail), @"tables differ on mysql-1: steadfast.ledger is missing, steadfast.other is not on mysql-0 (#131, #128); tables differ on mysql-1: steadfast.ledger is missing, steadfast.other is not on mysql-0 (#310, #307); tables differ on mysql-1: steadfast.ledger is missing, steadfast.other is not on mysql-0 (#413, #410); and 13 more like this");
}

#[test]
fn rows_that_are_lost_or_never_written_fail() {
    let ids = |ids: &[u64]| SqlAnswer::Rows(ids.iter().map(|id| row([("id", &id.to_string())])).collect());
    let history = History::good().answering("mysql-2", Question::Rows, ids(&[1, 2, 3, 4, 5, 6, 7, 99]));
    assert_snapshot!(history.expect(SAME, Fail), @"mysql-2 lacks the acknowledged rows 8 and has the rows 99, which were never written (#135); mysql-2 lacks the acknowledged rows 8, 9, 10, 11, 12 … (10 in all) and has the rows 99, which were never written (#314); mysql-2 lacks the acknowledged rows 8, 9, 10, 11, 12 … (11 in all) and has the rows 99, which were never written (#417); and 18 more like this");
}

/// A good run in which one write has another outcome.
fn with_outcome(id: u64, outcome: &WriteOutcome) -> History {
    History::good().edit(|what| match what {
        What::Write(write) if write.id == id => write.outcome = outcome.clone(),
        _ => {}
    })
}

#[test]
fn a_write_without_an_answer_may_be_there() {
    with_outcome(3, &WriteOutcome::Unknown("timed out".into())).expect(SAME, Pass);
    with_outcome(3, &WriteOutcome::Rejected("1062".into())).expect(SAME, Fail);
}

#[test]
fn a_run_without_an_acknowledged_write_leaves_it_open() {
    History::good().without(|what| matches!(what, What::Write(_))).expect(SAME, Inconclusive);
}

#[test]
fn a_replica_that_takes_a_write_fails() {
    let accepted = SqlAnswer::Rows(Vec::new());
    assert_snapshot!(History::good().answering("mysql-1", Question::TryWrite, accepted).expect(REFUSE, Fail), @"mysql-1 accepted a write once replication was configured (#137); mysql-1 accepted a write after the deletion of mysql-2 (#171); mysql-1 accepted a write after the deletion of mysql-1 (#204); and 16 more like this");
    History::good_of(2).answering("mysql-1", Question::TryWrite, SqlAnswer::Rows(Vec::new())).expect(REFUSE, Fail);
    for answer in [error(1146, "no such table"), refused()] {
        History::good().answering("mysql-1", Question::TryWrite, answer).expect(REFUSE, Fail);
    }
    History::good().answering("mysql-1", Question::TryWrite, broken()).expect(REFUSE, Inconclusive);
    let unasked = |what: &What| matches!(what, What::Sql(sql) if sql.question == Question::TryWrite);
    History::good().without(unasked).expect(REFUSE, Inconclusive);
}

#[test]
fn a_replica_that_does_not_go_on_fails() {
    let history = History::good().telling("mysql-1", primary_gone, "reached", "0");
    let history = history.edit(|what| {
        if let What::Sql(sql) = what
            && sql.question == Question::ReplicaStatus
            && let SqlAnswer::Rows(rows) = &mut sql.answer
        {
            rows[0].insert("Last_IO_Error".into(), Some("Can't connect to MySQL server on '10.0.0.1'".into()));
        }
    });
    assert_snapshot!(history.expect(RESUME, Fail), @"mysql-1 did not reach the barrier `3e11fa47-71ca-11e1-9e33-c80aa9429560:1-14` after the deletion of mysql-0 (#233); Last_IO_Error: Can't connect to MySQL server on '10.0.0.1'");
    let nothing = SqlAnswer::Rows(Vec::new());
    History::good().answering("mysql-2", Question::Rows, nothing).expect(RESUME, Fail);
    History::good().telling("mysql-2", primary_gone, "Source_Host", "10.0.0.2").expect(RESUME, Fail);
}

#[test]
fn a_replica_that_goes_on_too_late_fails() {
    let history = History::good().edit(|what| {
        if let What::Run(run) = what {
            run.budgets.resume_ms = 100;
        }
    });
    assert_snapshot!(history.expect(RESUME, Fail), @"mysql-1 had row 14 only 0.3 s after the new primary was Ready (#218), not within 0.1 s (#233); mysql-2 had row 14 only 0.3 s after the new primary was Ready (#218), not within 0.1 s (#237)");
}

#[test]
fn a_replica_that_followed_another_name_before_the_deletion_fails() {
    let before = |checkpoint: &Checkpoint| *checkpoint == Checkpoint::Deletion { pod: "mysql-1".into() };
    let history = History::good().telling("mysql-1", before, "Source_Host", "10.0.0.1");
    assert_snapshot!(history.expect(RESUME, Fail), @"mysql-1 replicated from `10.0.0.1` (#202) and now replicates from `mysql-0.mysql-h.steadfast.svc.cluster.local` (#234)");
}

#[test]
fn a_replica_that_was_told_proves_nothing() {
    let told = History::good().edit(|what| {
        if let What::Sql(sql) = what
            && primary_gone(&sql.checkpoint)
            && (sql.pod.as_str(), sql.question) == ("mysql-1", Question::ReplicaStatus)
        {
            sql.question = Question::Configure;
        }
    });
    assert!(told.expect(RESUME, Inconclusive).starts_with("mysql-1 got a statement"));
}

#[test]
fn a_new_primary_that_refuses_writes_fails() {
    let rejected = WriteOutcome::Rejected("1146: no such table".into());
    let refusing = |outcome: &WriteOutcome| {
        History::good().edit(|what| match what {
            What::Write(write) if primary_gone(&write.checkpoint) => write.outcome = outcome.clone(),
            _ => {}
        })
    };
    assert_snapshot!(refusing(&rejected).expect(RESUME, Fail), @"the new mysql-0 refused a write: 1146: no such table (#232)");
    refusing(&WriteOutcome::Unknown("timed out".into())).expect(RESUME, Inconclusive);
    History::good().without(|what| matches!(what, What::Fault(_))).expect(RESUME, Inconclusive);
}

/// A checkpoint after the first comparison.
fn scaled_up(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::ScaledUp
}

/// The checkpoint after the deletion of a replica.
fn replica_back(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::Deletion { pod: "mysql-2".into() }
}

/// A good run with other answers of a pod to a question at the chosen checkpoints.
fn answering_at(at: fn(&Checkpoint) -> bool, pod: &str, question: Question, answer: &SqlAnswer) -> History {
    History::good().edit(|what| {
        if let What::Sql(sql) = what
            && (sql.pod.as_str(), sql.question) == (pod, question)
            && at(&sql.checkpoint)
        {
            sql.answer = answer.clone();
        }
    })
}

#[test]
fn replicas_that_come_back_empty_from_scaling_fail() {
    let history = History::good().telling("mysql-1", scaled_up, "reached", "0");
    assert_snapshot!(history.expect(SAME, Fail), @"mysql-1 did not reach the barrier `3e11fa47-71ca-11e1-9e33-c80aa9429560:1-19` after the scale-up (#607)");
    History::good().telling("mysql-1", scaled_up, "gtid_executed", "").expect(SAME, Fail);
    History::good().telling("mysql-1", scaled_up, "checksum", "0").expect(SAME, Fail);
    let nothing = SqlAnswer::Rows(Vec::new());
    for question in [Question::Digest, Question::Rows] {
        answering_at(scaled_up, "mysql-1", question, &nothing).expect(SAME, Fail);
    }
    assert_snapshot!(answering_at(scaled_up, "mysql-1", Question::ReplicaStatus, &nothing).expect(FOLLOW, Fail), @"mysql-1 is not a replica: its replication status is empty (#618)");
    let missing = error(1146, "Table 'steadfast.ledger' doesn't exist");
    answering_at(scaled_up, "mysql-1", Question::TryWrite, &missing).expect(REFUSE, Fail);
    answering_at(scaled_up, "mysql-1", Question::Rows, &missing).expect(SAME, Fail);
}

#[test]
fn the_rows_after_the_scale_up_are_all_that_were_acknowledged_by_then() {
    let first = |last: u64| SqlAnswer::Rows((1..=last).map(|id| row([("id", &id.to_string())])).collect());
    answering_at(scaled_up, "mysql-2", Question::Rows, &first(19)).expect(SAME, Pass);
    assert_snapshot!(answering_at(scaled_up, "mysql-2", Question::Rows, &first(18)).expect(SAME, Fail), @"mysql-2 lacks the acknowledged rows 19 (#617)");
    answering_at(scaled_up, "mysql-0", Question::Rows, &first(14)).expect(SAME, Fail);
}

#[test]
fn what_was_not_asked_after_the_scale_up_is_missed_only_where_something_was() {
    History::good().without(|what| matches!(what, What::Sql(sql) if scaled_up(&sql.checkpoint))).expect(SAME, Pass);
    let barrier =
        |what: &What| matches!(what, What::Sql(sql) if scaled_up(&sql.checkpoint) && sql.question == Question::Barrier);
    History::good().without(barrier).expect(SAME, Inconclusive);
    answering_at(scaled_up, "mysql-1", Question::Digest, &broken()).expect(SAME, Inconclusive);
}

#[test]
fn a_replica_that_does_not_catch_up_after_a_deletion_fails() {
    for at in [replica_back, primary_gone] {
        History::good().telling("mysql-2", at, "reached", "0").expect(SAME, Fail);
    }
    let before = |checkpoint: &Checkpoint| matches!(checkpoint, Checkpoint::BeforeDeletion { .. });
    let history = History::good().edit(|what| {
        if let What::Sql(sql) = what
            && before(&sql.checkpoint)
        {
            sql.question = Question::Barrier;
            sql.answer = SqlAnswer::Rows(vec![row([("gtid_set", "a:1"), ("reached", "0")])]);
        }
    });
    history.expect(SAME, Fail);
}

#[test]
fn rows_are_compared_after_a_deletion_only_once_the_barrier_is_reached() {
    let nothing = SqlAnswer::Rows(Vec::new());
    let history = answering_at(replica_back, "mysql-1", Question::Rows, &nothing);
    assert_snapshot!(history.expect(SAME, Fail), @"mysql-1 lacks the acknowledged rows 1, 2, 3, 4, 5 … (10 in all) (#170)");
    // The returned pod's first answer is from before the barrier, so it may lack what has not arrived yet.
    let mut first = true;
    let history = History::good().edit(|what| {
        if let What::Sql(sql) = what
            && replica_back(&sql.checkpoint)
            && (sql.pod.as_str(), sql.question) == ("mysql-2", Question::Rows)
            && std::mem::take(&mut first)
        {
            sql.answer = nothing.clone();
        }
    });
    history.expect(SAME, Pass);
    // So may an answer whose question was sent before the barrier.
    let history = answering_at(replica_back, "mysql-2", Question::Rows, &nothing).edit(|what| match what {
        What::Sql(sql) if replica_back(&sql.checkpoint) && sql.question == Question::Rows => sql.took_us = 5_000_000,
        _ => {}
    });
    history.expect(SAME, Pass);
}

#[test]
fn a_replica_that_follows_another_or_nobody_after_a_deletion_fails() {
    History::good().telling("mysql-2", replica_back, "Source_Host", "10.0.0.1").expect(FOLLOW, Fail);
    History::good().telling("mysql-1", replica_back, "Replica_SQL_Running", "No").expect(FOLLOW, Fail);
    History::good().telling("mysql-1", scaled_up, "Source_Host", "mysql-h").expect(FOLLOW, Fail);
    answering_at(replica_back, "mysql-2", Question::ReplicaStatus, &broken()).expect(FOLLOW, Inconclusive);
    let unasked = |what: &What| matches!(what, What::Sql(sql) if sql.question == Question::ReplicaStatus && sql.checkpoint != Checkpoint::Replicating);
    History::good().without(unasked).expect(FOLLOW, Pass);
}

#[test]
fn a_replica_that_is_about_to_connect_again_leaves_it_open_unless_it_missed_the_barrier() {
    let connecting = || History::good().telling("mysql-1", primary_gone, "Replica_IO_Running", "Connecting");
    connecting().expect(FOLLOW, Inconclusive);
    assert_snapshot!(connecting().telling("mysql-1", primary_gone, "reached", "0").expect(FOLLOW, Fail), @"the IO thread of mysql-1 is `Connecting` after the deletion of mysql-0 (#234)");
}

#[test]
fn a_replica_that_takes_a_write_later_fails() {
    let accepted = SqlAnswer::Rows(Vec::new());
    assert_snapshot!(answering_at(replica_back, "mysql-2", Question::TryWrite, &accepted).expect(REFUSE, Fail), @"mysql-2 accepted a write after the deletion of mysql-2 (#175)");
    answering_at(primary_gone, "mysql-1", Question::TryWrite, &accepted).expect(REFUSE, Fail);
    answering_at(scaled_up, "mysql-1", Question::TryWrite, &accepted).expect(REFUSE, Fail);
    answering_at(scaled_up, "mysql-1", Question::TryWrite, &broken()).expect(REFUSE, Inconclusive);
    let unasked = |what: &What| matches!(what, What::Sql(sql) if sql.question == Question::TryWrite && sql.checkpoint != Checkpoint::Replicating);
    History::good().without(unasked).expect(REFUSE, Pass);
}

#[test]
fn mariadb_refuses_an_ordinary_account_and_counts_in_its_own_way() {
    let mariadb = || History::good().on_mariadb();
    assert_snapshot!(mariadb().expect(REFUSE, Pass), @"mysql-1, mysql-2 refused a write of an ordinary account with error 1290");
    mariadb().answering("mysql-1", Question::TryWrite, SqlAnswer::Rows(Vec::new())).expect(REFUSE, Fail);
    assert_snapshot!(mariadb().expect(SAME, Pass), @"mysql-1, mysql-2 have the transactions of mysql-0, its tables and all 29 rows of the ledger");
    let behind = mariadb().telling("mysql-1", |_| true, "gtid_executed", "0-100-7,0-101-1");
    assert_snapshot!(behind.expect(SAME, Fail), @"mysql-1 lacks 0-100-8..8 of mysql-0 and has 0-101-1, which mysql-0 does not have (#130, #127); mysql-1 lacks 0-100-8..17 of mysql-0 and has 0-101-1, which mysql-0 does not have (#309, #306); mysql-1 lacks 0-100-8..18 of mysql-0 and has 0-101-1, which mysql-0 does not have (#412, #409); and 13 more like this");
}
