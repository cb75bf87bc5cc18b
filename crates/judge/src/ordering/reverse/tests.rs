//! Pods that are scaled away: right and wrong.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Phase, Scenario, Subject};
use crate::history::{History, PODS, subject};
use crate::ordering::tests::started;

const REVERSE: &str = "ordering::scales_down_in_reverse";

/// A run whose set is being scaled to one pod.
fn scaling() -> History {
    let mut history = started(&PODS);
    history.step(Scenario::Scale, Phase::Begin);
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
    assert_snapshot!(History::good_of(1).expect(REVERSE, Skipped), @"the set has one pod: a scale-down to one shows no order");
    assert_snapshot!(History::good_of(2).expect(REVERSE, Skipped), @"the set has two pods: a scale-down to one shows no order");
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
    assert_snapshot!(history.expect(REVERSE, Fail), @"mysql-1 was deleted at #21 while mysql-2 still existed: it was DELETED only at #22");
}

#[test]
fn the_way_back_from_a_pod_that_was_added_is_no_scale_down() {
    let mut history = History::of(3);
    ["mysql-0", "mysql-1", "mysql-2", "mysql-3"].iter().for_each(|pod| history.starts(pod));
    history.step(Scenario::Grow, Phase::Begin);
    history.fault(Act::Scale { from: 4, to: 3 });
    history.goes("mysql-3");
    history.step(Scenario::Grow, Phase::End);
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
fn a_pod_that_was_to_stay_must_stay_until_the_next_act() {
    for stays in ["mysql-0", "mysql-1"] {
        let mut history = started(&PODS);
        history.starts("mysql-3");
        history.fault(Act::Scale { from: 4, to: 2 });
        history.goes("mysql-3");
        history.goes("mysql-2");
        history.expect(REVERSE, Pass);
        history.deleting(stays);
        assert!(history.expect(REVERSE, Fail).contains(&format!("{stays} was deleted at #")));
    }
    let mut history = scaling();
    history.goes("mysql-2");
    history.goes("mysql-1");
    history.goes("mysql-0");
    assert_snapshot!(history.expect(REVERSE, Fail), @"mysql-0 was deleted at #24, but had to stay (#19)");
    // After the next act a deletion belongs to that one.
    let mut later = scaling();
    later.goes("mysql-2");
    later.goes("mysql-1");
    later.fault(Act::Hold { pod: "mysql-0".into(), uid: "0.1".into() });
    later.goes("mysql-0");
    later.expect(REVERSE, Pass);
}

#[test]
fn every_surplus_pod_must_have_been_there() {
    let mut history = started(&PODS);
    history.goes("mysql-2");
    history.fault(Act::Scale { from: 3, to: 1 });
    history.goes("mysql-1");
    assert_snapshot!(history.expect(REVERSE, Inconclusive), @"mysql-2 did not exist when the set was scaled down (#20)");
    // A number of replicas that no set can have must not make the judge loop over all of them.
    let mut absurd = started(&PODS);
    absurd.fault(Act::Scale { from: u32::MAX, to: 1 });
    absurd.expect(REVERSE, Inconclusive);
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
    assert!(history.expect(REVERSE, Fail).contains("mysql-1 was not gone"));
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
fn each_pod_waits_for_the_one_that_went_last_and_not_only_for_the_first() {
    let mut history = started(&PODS);
    history.starts("mysql-3");
    history.fault(Act::Scale { from: 4, to: 1 });
    history.goes("mysql-3");
    history.deleting("mysql-2");
    history.deleting("mysql-1");
    history.deleted("mysql-2");
    history.deleted("mysql-1");
    let reason = history.expect(REVERSE, Fail);
    assert!(reason.contains("while mysql-2 still existed"), "{reason}");
}
