//! Whether Ready pods serve: right and wrong.

use insta::assert_snapshot;
use serde_json::json;

use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Question, SqlAnswer, What};
use crate::history::{History, PODS, broken, error, refused, row};
use crate::ordering::tests::started;

mod never_ready;

const SERVING: &str = "ordering::ready_means_serving";

#[test]
fn a_server_that_answers_when_its_pod_is_ready_passes() {
    assert_snapshot!(started(&PODS).expect(SERVING, Pass), @"3 servers answered when their pods became Ready: mysql-0, mysql-1, mysql-2");
    History::good().expect(SERVING, Pass);
}

#[test]
fn a_server_that_does_not_answer_yet_fails() {
    assert_snapshot!(started(&PODS).answering("mysql-1", Question::Ping, refused()).expect(SERVING, Fail), @"mysql-1 (uid 1.1) became Ready at #11, but mysql-1, asked for an authenticated query, could not be reached: connection refused (#12)");
    let denied = error(1045, "Access denied for user 'root'");
    assert!(started(&PODS).answering("mysql-0", Question::Ping, denied).expect(SERVING, Fail).contains("1045"));
}

#[test]
fn a_probe_that_broke_or_never_asked_leaves_it_open() {
    started(&PODS).answering("mysql-2", Question::Ping, broken()).expect(SERVING, Inconclusive);
    started(&PODS).without(|what| matches!(what, What::Sql(sql) if sql.pod == "mysql-2")).expect(SERVING, Inconclusive);
    started(&PODS[..2]).expect(SERVING, Inconclusive);
}

#[test]
fn a_probe_that_broke_once_does_not_outweigh_an_answer() {
    let asked = |what: &What| matches!(what, What::Sql(sql) if sql.pod == "mysql-1" && sql.question == Question::Ping);
    let twice = started(&PODS).told_before(asked, |what| {
        if let What::Sql(sql) = what {
            sql.answer = broken();
        }
    });
    twice.expect(SERVING, Pass);
}

/// A run whose last pod was replaced and is Ready again, but was not asked.
fn last_pod_back() -> History {
    let mut history = started(&PODS);
    history.goes("mysql-2");
    history.added("mysql-2");
    history.ready("mysql-2");
    history
}

#[test]
fn a_pod_that_is_told_to_go_after_it_was_asked_must_have_answered() {
    let mut history = last_pod_back();
    history.pinged("mysql-2", refused());
    history.deleting("mysql-2");
    history.expect(SERVING, Fail);
}

#[test]
fn a_pod_that_is_going_need_not_answer() {
    let mut history = last_pod_back();
    history.deleting("mysql-2");
    history.pinged("mysql-2", refused());
    history.expect(SERVING, Pass);
}

#[test]
fn a_server_that_is_not_ready_any_more_when_it_is_asked_leaves_it_open() {
    let mut history = last_pod_back();
    history.unready("mysql-2");
    history.pinged("mysql-2", refused());
    history.expect(SERVING, Inconclusive);
}

/// The right answer.
fn pong() -> SqlAnswer {
    SqlAnswer::Rows(vec![row([("ping", "1")])])
}

#[test]
fn only_the_answer_that_was_asked_for_counts() {
    let answering = |answer: SqlAnswer| started(&PODS).answering("mysql-1", Question::Ping, answer);
    assert_snapshot!(answering(SqlAnswer::Rows(Vec::new())).expect(SERVING, Inconclusive), @"mysql-1 (uid 1.1) became Ready at #11, but mysql-1 did not return its ping (#12)");
    assert_snapshot!(answering(SqlAnswer::Rows(vec![row([("ping", "2")])])).expect(SERVING, Inconclusive), @"mysql-1 (uid 1.1) became Ready at #11, but mysql-1 answered `2` to SELECT 1 (#12)");
    let of_another = started(&PODS).edit(|what| match what {
        What::Sql(sql) if sql.pod == "mysql-1" => sql.uid = "1.7".into(),
        _ => {}
    });
    assert_snapshot!(of_another.expect(SERVING, Inconclusive), @"mysql-1 (uid 1.1) became Ready at #11 and was not queried");
    // A server that refuses once is not serving, whatever it answers later.
    let mut twice = started(&PODS);
    twice.pinged("mysql-2", refused());
    twice.expect(SERVING, Fail);
}

#[test]
fn each_name_has_a_pod_that_was_asked_while_it_was_to_stay() {
    let mut going = started(&PODS[..2]);
    going.added("mysql-2");
    going.ready("mysql-2");
    going.deleting("mysql-2");
    going.pinged("mysql-2", refused());
    assert_snapshot!(going.expect(SERVING, Inconclusive), @"mysql-2 was already being deleted whenever it was queried (#16)");
    let mut fourth = started(&PODS);
    fourth.added("mysql-3");
    fourth.ready("mysql-3");
    assert_snapshot!(fourth.expect(SERVING, Inconclusive), @"mysql-3 (uid 3.1) became Ready at #21 and was not queried");
    fourth.pinged("mysql-3", refused());
    fourth.expect(SERVING, Fail);
}

/// A run whose last pod was asked this long after Ready, plus a millisecond.
fn asked_after(ms: u64, answer: SqlAnswer) -> History {
    let mut history = started(&PODS[..2]);
    history.added("mysql-2");
    history.ready("mysql-2");
    history.pass_ms(ms);
    history.pinged("mysql-2", answer);
    history
}

/// The same with a right answer that took this long.
fn answered_after(ms: u64, took_us: u64) -> History {
    asked_after(ms, pong()).edit(|what| match what {
        What::Sql(sql) if sql.pod == "mysql-2" => sql.took_us = took_us,
        _ => {}
    })
}

#[test]
fn an_answer_to_a_late_question_says_little() {
    asked_after(900, pong()).expect(SERVING, Pass);
    assert_snapshot!(asked_after(1_100, pong()).expect(SERVING, Inconclusive), @"mysql-2 (uid 2.1) was queried only 1.1 s after Ready (#16), which is too late to prove anything (#17)");
    // An answer may take a while, but a server that needs nine seconds for it was not serving at Ready.
    let slow = |ms: u64| answered_after(ms, ms * 1_000 - 100_000);
    slow(1_900).expect(SERVING, Pass);
    assert_snapshot!(slow(9_000).expect(SERVING, Inconclusive), @"mysql-2 (uid 2.1) answered only 9.0 s after Ready (#16), which is too late to prove anything (#17)");
    asked_after(1_100, refused()).expect(SERVING, Fail);
}

#[test]
fn an_answer_from_before_ready_decides_where_the_question_came_late() {
    let starting = |answer: SqlAnswer, slept_ms: u64| {
        let mut history = started(&PODS[..2]);
        history.added("mysql-2");
        history.answered_starting("mysql-2", answer);
        history.pass_ms(slept_ms);
        history.ready("mysql-2");
        history.pass_ms(1_100);
        history
    };
    let asked = |mut history: History, answer: SqlAnswer| {
        history.pinged("mysql-2", answer);
        history
    };
    asked(starting(pong(), 0), pong()).expect(SERVING, Pass);
    asked(starting(pong(), 9_000), broken()).expect(SERVING, Pass);
    starting(pong(), 0).expect(SERVING, Pass);
    // A refusal at Ready is a failure all the same, and an answer must have arrived.
    asked(starting(pong(), 0), refused()).expect(SERVING, Fail);
    asked(starting(refused(), 0), pong()).expect(SERVING, Inconclusive);
}

#[test]
fn an_answer_from_before_a_restart_or_long_after_ready_decides_nothing() {
    let starting = |restarts: u32| {
        let mut history = started(&PODS[..2]);
        history.added("mysql-2");
        history.answered_starting("mysql-2", pong());
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let containers = json!([{"name": "mysql", "restartCount": restarts}]);
        history.modified("mysql-2", "status", json!({"conditions": ready, "containerStatuses": containers}));
        history.pass_ms(1_100);
        history.pinged("mysql-2", pong());
        history
    };
    starting(0).expect(SERVING, Pass);
    starting(1).expect(SERVING, Inconclusive);

    let mut late = started(&PODS[..2]);
    late.added("mysql-2");
    late.ready("mysql-2");
    late.pass_ms(1_100);
    late.answered_starting("mysql-2", pong());
    late.pinged("mysql-2", pong());
    late.expect(SERVING, Inconclusive);
}

#[test]
fn a_question_counts_until_a_second_after_ready_and_its_answer_until_two() {
    answered_after(1_000, 1_000).expect(SERVING, Pass);
    answered_after(1_000, 999).expect(SERVING, Inconclusive);
    answered_after(1_999, 1_500_000).expect(SERVING, Pass);
    answered_after(2_000, 1_500_000).expect(SERVING, Inconclusive);
}
