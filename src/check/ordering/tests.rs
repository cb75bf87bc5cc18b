//! Stories of order, told both ways.

use insta::assert_snapshot;
use serde_json::json;

use crate::{
    check::{
        Verdict::{Fail, Inconclusive, Pass, Skipped},
        history::{History, PODS, broken, error, refused, subject},
    },
    evidence::{Act, EventType, Phase, Question, SqlAnswer, Subject, WaitOutcome, What},
};

mod never_ready;

const STARTS: &str = "ordering::starts_in_ordinal_order";
const SERVING: &str = "ordering::ready_means_serving";
const REVERSE: &str = "ordering::scales_down_in_reverse";
const ONE: &str = "ordering::at_most_one_pod_per_ordinal";

/// A run that deploys, with the pods that have started so far.
fn started(pods: &[&str]) -> History {
    let mut history = History::of(3);
    history.step("deploy", Phase::Begin);
    pods.iter().for_each(|pod| history.starts(pod));
    history
}

#[test]
fn one_after_the_other_passes() {
    assert_snapshot!(started(&PODS).expect(STARTS, Pass), @"ADDED, each after all before it were Ready: mysql-0 at #3, mysql-1 at #8, mysql-2 at #13");
    History::good().expect(STARTS, Pass);
}

#[test]
fn a_pod_that_does_not_wait_fails() {
    assert_snapshot!(History::parallel().expect(STARTS, Fail), @"mysql-1 was ADDED at #9 while mysql-0 (uid 0.1) had never been Ready (#6–#8); mysql-2 was ADDED at #12 while mysql-0 (uid 0.1) had never been Ready (#6–#11); mysql-2 was ADDED at #12 while mysql-1 (uid 1.1) had never been Ready (#9–#11)");
}

#[test]
fn a_pod_without_its_predecessor_fails() {
    let mut history = started(&["mysql-0"]);
    history.starts("mysql-2");
    history.starts("mysql-1");
    assert_snapshot!(history.expect(STARTS, Fail), @"mysql-2 was ADDED at #8 while mysql-1 did not exist");
}

#[test]
fn a_predecessor_that_flapped_is_a_race() {
    let mut history = started(&["mysql-0", "mysql-1"]);
    history.unready("mysql-0");
    history.added("mysql-2");
    assert_snapshot!(history.expect(STARTS, Inconclusive), @"race: mysql-2 was ADDED at #14 while mysql-0 (uid 0.1), Ready since #6, was not Ready any more");
}

#[test]
fn a_predecessor_that_is_told_to_go_is_a_race() {
    let mut history = started(&["mysql-0", "mysql-1"]);
    history.deleting("mysql-1");
    history.added("mysql-2");
    assert!(history.expect(STARTS, Inconclusive).contains("race"));
}

#[test]
fn ready_under_an_earlier_uid_does_not_count() {
    let mut history = started(&["mysql-0", "mysql-1"]);
    history.goes("mysql-0");
    history.added("mysql-0");
    history.added("mysql-2");
    assert!(history.expect(STARTS, Fail).contains("mysql-0 (uid 0.2) had never been Ready"));
}

#[test]
fn a_pod_that_never_came_fails_when_it_was_awaited() {
    let mut history = started(&["mysql-0"]);
    history.added("mysql-1");
    history.waited("mysql-0 Ready", "Running, Ready", WaitOutcome::Met);
    history.expect(STARTS, Inconclusive);
    history.expired("every pod Ready", "mysql-1 Running, not Ready");
    assert_snapshot!(history.expect(STARTS, Fail), @"mysql-2 was never created: `every pod Ready` was awaited for 300.0 s; last seen: mysql-1 Running, not Ready (#12)");
}

#[test]
fn what_the_cluster_lacks_is_not_the_workloads_fault() {
    let waiting = |last_seen: &str, outcome: WaitOutcome| {
        let mut history = started(&["mysql-0"]);
        history.added("mysql-1");
        history.waited("mysql-1 Ready", last_seen, outcome);
        history
    };
    for trouble in ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "Unschedulable"] {
        let seen = format!("Pending, not Ready, {trouble}");
        waiting(&seen, WaitOutcome::Expired).expect(STARTS, Inconclusive);
        waiting("", WaitOutcome::Impossible(format!("mysql-1 is in {trouble}"))).expect(STARTS, Inconclusive);
    }
    let full = "Pending, not Ready, 0/3 nodes are available: 3 Insufficient memory";
    assert_snapshot!(waiting(full, WaitOutcome::Expired).expect(STARTS, Inconclusive), @"infrastructure: mysql-2 was never created: `mysql-1 Ready` was awaited for 300.0 s; last seen: Pending, not Ready, 0/3 nodes are available: 3 Insufficient memory (#11)");
    let crashed = "Running, not Ready, CrashLoopBackOff";
    waiting(crashed, WaitOutcome::Expired).expect(STARTS, Fail);
    waiting("", WaitOutcome::Impossible(crashed.into())).expect(STARTS, Fail);
}

#[test]
fn a_lost_stretch_leaves_the_order_open() {
    let mut history = started(&["mysql-0", "mysql-1"]);
    history.gap("Pod");
    history.starts("mysql-2");
    assert_snapshot!(history.expect(STARTS, Inconclusive), @"the Pod watch lost a stretch of history at #13: 410 Gone: too old resource version");
    let mut later = started(&PODS);
    later.gap("Pod");
    later.expect(STARTS, Pass);
    let mut other = started(&["mysql-0"]);
    other.gap("PersistentVolumeClaim");
    ["mysql-1", "mysql-2"].iter().for_each(|pod| other.starts(pod));
    other.expect(STARTS, Pass);
}

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
fn a_pod_that_is_going_need_not_answer() {
    let mut history = started(&PODS);
    history.goes("mysql-2");
    history.added("mysql-2");
    history.ready("mysql-2");
    history.deleting("mysql-2");
    history.pinged("mysql-2", refused());
    history.expect(SERVING, Pass);
}

#[test]
fn a_server_that_is_not_ready_any_more_when_it_is_asked_leaves_it_open() {
    let mut history = started(&PODS);
    history.goes("mysql-2");
    history.added("mysql-2");
    history.ready("mysql-2");
    history.unready("mysql-2");
    history.pinged("mysql-2", refused());
    history.expect(SERVING, Inconclusive);
}

/// The server answered; what, is of no account here.
fn pong() -> SqlAnswer {
    SqlAnswer::Rows(Vec::new())
}

#[test]
fn an_answer_to_a_late_question_says_little() {
    let asked_after = |ms: u64, answer: SqlAnswer| {
        let mut history = started(&PODS[..2]);
        history.added("mysql-2");
        history.ready("mysql-2");
        history.pass_ms(ms);
        history.pinged("mysql-2", answer);
        history
    };
    asked_after(900, pong()).expect(SERVING, Pass);
    assert_snapshot!(asked_after(1_100, pong()).expect(SERVING, Inconclusive), @"mysql-2 (uid 2.1) was asked only 1.1 s after Ready (#16), and answered (#17)");
    // What counts is when the question was sent.
    let slow = asked_after(4_000, pong()).edit(|what| match what {
        What::Sql(sql) if sql.pod == "mysql-2" => sql.took_us = 3_900_000,
        _ => {}
    });
    slow.expect(SERVING, Pass);
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
    // Who refuses at Ready is wrong all the same, and an answer has to have come.
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

/// A run whose set is being scaled to one pod.
fn scaling() -> History {
    let mut history = started(&PODS);
    history.step("scale", Phase::Begin);
    history.fault(Act::Scale { from: 3, to: 1 });
    history
}

#[test]
fn going_in_reverse_passes() {
    let mut history = scaling();
    history.goes("mysql-2");
    history.goes("mysql-1");
    assert_snapshot!(history.expect(REVERSE, Pass), @"DELETED one after the other: mysql-2 at #21, mysql-1 at #23");
    History::good().expect(REVERSE, Pass);
}

#[test]
fn where_one_pod_goes_there_is_no_order_to_see() {
    assert_snapshot!(History::good_of(1).expect(REVERSE, Skipped), @"the set has one pod: going down to one shows no order");
    assert_snapshot!(History::good_of(2).expect(REVERSE, Skipped), @"the set has two pods: going down to one shows no order");
    History::of(2).expect(REVERSE, Skipped);
    History::good_of(3).expect(REVERSE, Pass);
}

#[test]
fn two_pods_that_both_go_have_an_order() {
    let mut history = History::of(2);
    ["mysql-0", "mysql-1"].iter().for_each(|pod| history.starts(pod));
    history.fault(Act::Scale { from: 2, to: 0 });
    let mut orderly = history.clone();
    orderly.goes("mysql-1");
    orderly.goes("mysql-0");
    orderly.expect(REVERSE, Pass);
    history.deleting("mysql-0");
    history.deleting("mysql-1");
    history.deleted("mysql-1");
    history.deleted("mysql-0");
    history.expect(REVERSE, Fail);
}

#[test]
fn a_stranger_below_the_first_ordinal_may_go_whenever_it_likes() {
    let mut history = History::with(Subject { first_ordinal: 1, ..subject(2) });
    ["mysql-0", "mysql-1", "mysql-2"].iter().for_each(|pod| history.starts(pod));
    history.fault(Act::Scale { from: 2, to: 0 });
    history.goes("mysql-2");
    history.deleting("mysql-0");
    history.goes("mysql-1");
    history.expect(REVERSE, Pass);
}

#[test]
fn going_all_at_once_fails() {
    let mut history = scaling();
    history.deleting("mysql-2");
    history.deleting("mysql-1");
    history.deleted("mysql-2");
    history.deleted("mysql-1");
    assert_snapshot!(history.expect(REVERSE, Fail), @"mysql-1 was told to go at #21 while mysql-2 was there: it was DELETED only at #22");
}

#[test]
fn the_way_back_from_a_pod_that_was_added_is_no_scale_down() {
    let mut history = History::of(3);
    ["mysql-0", "mysql-1", "mysql-2", "mysql-3"].iter().for_each(|pod| history.starts(pod));
    history.step("grow", Phase::Begin);
    history.fault(Act::Scale { from: 4, to: 3 });
    history.goes("mysql-3");
    history.step("grow", Phase::End);
    assert_snapshot!(history.expect(REVERSE, Inconclusive), @"the set was not scaled down");
}

#[test]
fn a_pod_that_was_to_stay_must_stay() {
    let mut history = scaling();
    history.goes("mysql-2");
    history.deleting("mysql-0");
    history.goes("mysql-1");
    history.expect(REVERSE, Fail);
}

#[test]
fn what_goes_with_the_teardown_does_not_count() {
    let mut history = scaling();
    history.goes("mysql-2");
    history.fault(Act::Teardown);
    history.goes("mysql-0");
    history.goes("mysql-1");
    history.expect(REVERSE, Inconclusive);
}

#[test]
fn a_pod_that_does_not_go_fails_when_it_was_awaited() {
    let mut history = scaling();
    history.goes("mysql-2");
    history.expired("mysql-1 gone", "Running, Ready");
    assert!(history.expect(REVERSE, Fail).contains("mysql-1 did not go"));
}

#[test]
fn a_lost_stretch_leaves_the_scale_down_open() {
    let mut history = scaling();
    history.goes("mysql-2");
    history.gap("Pod");
    history.goes("mysql-1");
    history.expect(REVERSE, Inconclusive);
    started(&PODS).expect(REVERSE, Inconclusive);
}

#[test]
fn one_bearer_at_a_time_passes() {
    assert_snapshot!(History::good().expect(ONE, Pass), @"pods that bore a name, one after the other: mysql-0 6, mysql-1 7, mysql-2 9");
}

#[test]
fn two_bearers_of_one_name_fail() {
    let mut history = started(&PODS);
    history.deleting("mysql-1");
    history.added("mysql-1");
    history.deleted("1.1");
    assert_snapshot!(history.expect(ONE, Fail), @"mysql-1 was borne by uid 1.2 from #19 while uid 1.1 went at #20");
}

#[test]
fn a_lost_stretch_may_hide_a_bearer() {
    let mut history = started(&PODS);
    history.gap("Pod");
    history.expect(ONE, Inconclusive);
    history.added("mysql-1");
    history.expect(ONE, Inconclusive);
    started(&PODS[..2]).expect(ONE, Inconclusive);
}

#[test]
fn a_pod_that_was_never_seen_to_come_leaves_the_order_open() {
    let unannounced = History::good().without(|what| {
        matches!(what, What::Object(event) if event.event == EventType::Added && event.object["metadata"]["uid"] == "1.1")
    });
    let reason = unannounced.expect(STARTS, Inconclusive);
    assert!(reason.contains("mysql-1 is Modified and was never seen to come to be"), "{reason}");
}
