//! Barriers that prove something, and barriers that prove nothing.

use insta::assert_snapshot;

use super::answering_at;
use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Checkpoint, Question, Scenario, SqlAnswer, What};
use crate::history::{History, broken, row};

const SAME: &str = "replication::replicas_hold_the_same_rows";
const RESUME: &str = "replication::primary_recreated_replicas_resume";
const BACK: &str = "replication::replica_recreated_catches_up";
const JOINS: &str = "replication::new_replica_joins";
const RECOVERS: &str = "replication::recovers_within_budget";
const LOST: &str = "replication::no_acknowledged_write_is_lost";
const REFUSE: &str = "replication::replicas_refuse_writes";
const FOLLOW: &str = "replication::replicas_follow_by_stable_name";

const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa942956";

fn drained(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::Recovered { scenario: Scenario::Drain }
}

fn settled(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::Settled
}

fn gone(pod: &'static str) -> impl Fn(&Checkpoint) -> bool {
    move |checkpoint| *checkpoint == Checkpoint::Deletion { pod: pod.into() }
}

#[test]
fn a_barrier_that_waits_for_nothing_or_for_too_little_is_not_reached() {
    for set in ["", "?", &format!("{UUID}0:1-2"), &format!("{UUID}1:1-99")] {
        let waiting = |pod: &str, at: &dyn Fn(&Checkpoint) -> bool| History::good().telling(pod, at, "gtid_set", set);
        for (check, pod, at) in [
            (SAME, "mysql-1", &drained as &dyn Fn(&Checkpoint) -> bool),
            (SAME, "mysql-1", &gone("mysql-2")),
            (SAME, "mysql-2", &settled),
            (RECOVERS, "mysql-1", &drained),
            (RESUME, "mysql-1", &gone("mysql-0")),
            (BACK, "mysql-1", &gone("mysql-1")),
            (JOINS, "mysql-3", &|checkpoint| *checkpoint == Checkpoint::Joined),
            (LOST, "mysql-1", &settled),
        ] {
            let reason = waiting(pod, at).expect(check, Inconclusive);
            assert!(reason.contains(&format!("the barrier of {pod} proves nothing")), "{check} `{set}`: {reason}");
        }
    }
}

#[test]
fn a_replica_that_waited_for_nothing_is_blamed_only_for_what_it_has_of_its_own() {
    let has = |set: &str| {
        let waiting = History::good().telling("mysql-1", drained, "gtid_set", "");
        waiting.telling("mysql-1", drained, "gtid_executed", set)
    };
    has("").expect(SAME, Inconclusive);
    has(&format!("{UUID}1:1")).expect(SAME, Fail);
}

#[test]
fn rows_after_a_barrier_that_proves_nothing_are_not_missed() {
    let without_rows = answering_at(drained, "mysql-1", Question::Rows, &SqlAnswer::Rows(Vec::new()));
    without_rows.expect(SAME, Fail);
    without_rows.telling("mysql-1", drained, "gtid_set", "").expect(SAME, Inconclusive);
}

#[test]
fn a_barrier_that_belongs_to_no_disruption_is_not_held_against_one() {
    let of_drain =
        |what: &What| matches!(what, What::Sql(sql) if drained(&sql.checkpoint) && sql.question == Question::Barrier);
    let unasked = History::good().without(of_drain).telling("mysql-1", settled, "reached", "0");
    unasked.expect(RECOVERS, Inconclusive);
}

#[test]
fn what_a_disruption_was_not_recovered_from_by_is_told() {
    assert_snapshot!(History::good().telling("mysql-1", drained, "gtid_set", "").expect(RECOVERS, Inconclusive), @"drain: drain worker, uncordon worker: not all replicas were seen to catch up (#915): the barrier of mysql-1 proves nothing: it waited for no transaction (#922)");
}

/// A good run in which a question was asked twice at a checkpoint, with another first answer.
fn at_first(at: fn(&Checkpoint) -> bool, pod: &str, question: Question, answer: &SqlAnswer) -> History {
    let is = |what: &What| matches!(what, What::Sql(sql) if at(&sql.checkpoint) && sql.pod == pod && sql.question == question);
    History::good().told_before(is, |what| {
        if let What::Sql(sql) = what {
            sql.answer = answer.clone();
        }
    })
}

#[test]
fn every_answer_at_a_moment_counts() {
    let unreached = row([("gtid_set", &format!("{UUID}0:1-26")), ("reached", "0")]);
    let unreached = SqlAnswer::Rows(vec![unreached]);
    at_first(settled, "mysql-1", Question::Barrier, &unreached).expect(SAME, Fail);
    at_first(drained, "mysql-1", Question::Barrier, &unreached).expect(SAME, Fail);
    let at_gone: fn(&Checkpoint) -> bool = |checkpoint| *checkpoint == Checkpoint::Deletion { pod: "mysql-0".into() };
    at_first(at_gone, "mysql-1", Question::Barrier, &unreached).expect(RESUME, Fail);
    at_first(at_gone, "mysql-1", Question::Barrier, &unreached).expect(SAME, Fail);
    let at_back: fn(&Checkpoint) -> bool = |checkpoint| *checkpoint == Checkpoint::Deletion { pod: "mysql-1".into() };
    at_first(at_back, "mysql-1", Question::Barrier, &unreached).expect(BACK, Fail);
    at_first(drained, "mysql-1", Question::Barrier, &broken()).expect(SAME, Inconclusive);
    let nothing = SqlAnswer::Rows(Vec::new());
    at_first(drained, "mysql-1", Question::TryWrite, &nothing).expect(REFUSE, Fail);
    at_first(drained, "mysql-1", Question::ReplicaStatus, &nothing).expect(FOLLOW, Fail);
    for pod in ["mysql-0", "mysql-1"] {
        at_first(drained, pod, Question::Rows, &nothing).expect(SAME, Fail);
    }
    at_first(settled, "mysql-0", Question::Entries, &nothing).expect(LOST, Inconclusive);
    let lacking = SqlAnswer::Rows(vec![row([("ids", ""), ("duplicates", "")])]);
    at_first(settled, "mysql-1", Question::Entries, &lacking).expect(LOST, Fail);
}

/// A good run in which a pod's answers to a question have another UID, of an earlier pod or of none.
fn answered_by(uid: &str, pod: &str, question: Question, at: fn(&Checkpoint) -> bool) -> History {
    History::good().edit(|what| match what {
        What::Sql(sql) if at(&sql.checkpoint) && sql.pod == pod && sql.question == question => sql.uid = uid.into(),
        _ => {}
    })
}

#[test]
fn an_answer_of_another_pod_is_none() {
    for uid in ["1.1", "0.1", "", "another"] {
        for (check, question, at) in [
            (LOST, Question::Entries, settled as fn(&Checkpoint) -> bool),
            (LOST, Question::Barrier, settled),
            (SAME, Question::Rows, settled),
            (SAME, Question::Digest, settled),
            (SAME, Question::GtidExecuted, settled),
            (RECOVERS, Question::Barrier, drained),
            (BACK, Question::Barrier, |checkpoint| *checkpoint == Checkpoint::Deletion { pod: "mysql-1".into() }),
        ] {
            let reason = answered_by(uid, "mysql-1", question, at).expect(check, Inconclusive);
            assert!(reason.contains("mysql-1 was not asked") || check == RECOVERS, "{check} {uid}: {reason}");
        }
    }
    // Not even an answer in favour of the pod.
    let accepted = |history: History| history.answering("mysql-1", Question::TryWrite, SqlAnswer::Rows(Vec::new()));
    accepted(History::good()).expect(REFUSE, Fail);
    accepted(answered_by("another", "mysql-1", Question::TryWrite, |_| true)).expect(REFUSE, Inconclusive);
}

/// A good run in which a replica has a second channel with this value.
fn with_channel(column: &str, value: &str) -> History {
    History::good().edit(|what| {
        if let What::Sql(sql) = what
            && (sql.pod.as_str(), sql.question) == ("mysql-1", Question::ReplicaStatus)
            && let SqlAnswer::Rows(rows) = &mut sql.answer
        {
            let mut other = rows[0].clone();
            other.insert("Channel_Name".into(), Some("other".into()));
            other.insert("Source_Host".into(), Some("elsewhere".into()));
            other.insert(column.into(), Some(value.into()));
            rows.insert(0, other);
        }
    })
}

#[test]
fn every_channel_runs_and_one_follows_the_first_pod() {
    for check in [FOLLOW, BACK, RESUME] {
        with_channel("Replica_IO_Running", "Yes").expect(check, Pass);
    }
    let down = with_channel("Replica_SQL_Running", "No");
    let reason = down.expect(FOLLOW, Fail);
    assert!(reason.starts_with("the SQL thread of channel `other` of mysql-1 is `No`"), "{reason}");
    with_channel("Replica_IO_Running", "No").expect(BACK, Fail);
    let elsewhere = with_channel("Replica_IO_Running", "Yes").telling("mysql-1", |_| true, "Source_Host", "nowhere");
    let reason = elsewhere.expect(FOLLOW, Fail);
    assert!(reason.starts_with("mysql-1 replicates from `nowhere`, `nowhere`, not from `mysql-0."), "{reason}");
}

/// Edits what MariaDB servers have and waited for, given as the last number.
fn on_mariadb(change: impl Fn(&str, &str, u64) -> Option<String>) -> History {
    History::good().on_mariadb().edit(|what| {
        let What::Sql(sql) = what else { return };
        let SqlAnswer::Rows(rows) = &mut sql.answer else { return };
        for (column, cell) in rows.iter_mut().flatten().filter(|(column, _)| column.starts_with("gtid_")) {
            let last = cell.as_deref().and_then(|set| set.rsplit_once('-')?.1.parse().ok()).unwrap_or(0);
            if let Some(changed) = change(&sql.pod, column, last) {
                *cell = Some(changed);
            }
        }
    })
}

#[test]
fn a_former_primary_in_the_binary_log_is_covered_by_the_present_one() {
    let state = |last: u64| format!("0-100-{last},0-7-3");
    let everywhere = on_mariadb(|_, column, last| (column == "gtid_executed").then(|| state(last)));
    for check in [SAME, JOINS] {
        everywhere.expect(check, Pass);
        // A server that was made from a copy of the data has none of its transactions in its own binary log.
        on_mariadb(|pod, column, last| (pod == "mysql-0" && column == "gtid_executed").then(|| state(last)))
            .expect(check, Pass);
    }
}

#[test]
fn what_a_replica_has_of_its_own_is_errant_in_whatever_domain() {
    for errant in ["0-7-800", "0-101-2", "5-101-1"] {
        let history = on_mariadb(|pod, column, last| {
            let former = if pod == "mysql-0" { "0-7-3" } else { errant };
            (column == "gtid_executed").then(|| format!("0-100-{last},{former}"))
        });
        let reason = history.expect(SAME, Fail);
        assert!(
            reason.contains(&format!("mysql-1 has {}", if errant == "0-7-800" { "0-7-4..800" } else { errant })),
            "{reason}"
        );
        history.expect(JOINS, Fail);
    }
    // And it does not stand for what is missing.
    let behind = on_mariadb(|pod, column, last| {
        (pod == "mysql-1" && column == "gtid_executed").then(|| format!("0-100-{},0-101-99", last - 1))
    });
    let reason = behind.expect(SAME, Fail);
    assert!(reason.contains("mysql-1 lacks 0-100-8..8 of mysql-0 and has 0-101-99"), "{reason}");
}

#[test]
fn only_the_primary_tells_what_it_wrote_while_a_replica_was_compared() {
    let has = |history: History, pod: &str, last: u32| {
        history.telling(pod, settled, "gtid_executed", &format!("{UUID}0:1-{last}"))
    };
    let written = has(has(has(History::good(), "mysql-0", 1000), "mysql-1", 1001), "mysql-2", 1001);
    let reason = written.expect(SAME, Inconclusive);
    assert!(reason.contains("mysql-0 was written to while mysql-1 was compared with it"), "{reason}");
}
