//! Pods that are held unready: right and wrong.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Phase, Scenario, What};
use crate::history::{History, PODS};

const HALTS: &str = "ordering::halts_while_predecessor_unready";
const DEADLOCK: &str = "ordering::no_deadlock_on_failed_predecessor";

/// A run in a scenario, with these pods.
fn acting(scenario: Scenario, pods: &[&str]) -> History {
    let mut history = History::of(3);
    pods.iter().for_each(|pod| history.starts(pod));
    history.step(scenario, Phase::Begin);
    history
}

/// A set whose only pod is held while the set is scaled up to three again.
fn growing() -> History {
    let mut history = acting(Scenario::Scale, &PODS[..1]);
    history.held("mysql-0");
    history.fault(Act::Scale { from: 1, to: 3 });
    history.scaled(3);
    history.pass_ms(1_000);
    history
}

/// The same set after its pod was released.
fn released() -> History {
    let mut history = growing();
    history.released("mysql-0");
    history
}

#[test]
fn a_set_that_waits_for_the_held_pod_passes() {
    let mut history = released();
    history.starts("mysql-1");
    assert_snapshot!(history.expect(HALTS, Pass), @"mysql-0 was unready for 2.1 s after the controller had seen 3 replicas (#12) and no pod was ADDED in that time; mysql-1 was created at #16, after Ready at #14");
    History::good().expect(HALTS, Pass);
    History::good_of(2).expect(HALTS, Pass);
}

#[test]
fn a_halt_that_was_watched_for_a_moment_shows_nothing() {
    let watched = |ms: u64| {
        let mut history = acting(Scenario::Scale, &PODS[..1]);
        history.held("mysql-0");
        history.fault(Act::Scale { from: 1, to: 3 });
        history.scaled(3);
        history.fault(Act::Release { pod: "mysql-0".into(), uid: "0.1".into() });
        history.pass_ms(ms);
        history.ready("mysql-0");
        history.starts("mysql-1");
        history
    };
    // The records of the release and of Ready take a millisecond each.
    watched(798).expect(HALTS, Pass);
    assert_snapshot!(watched(700).expect(HALTS, Inconclusive), @"mysql-0 was unready for 0.7 s after the controller had seen 3 replicas (#12): too short to prove that no pod is created");
}

#[test]
fn a_pod_that_comes_while_another_is_held_fails() {
    let mut history = growing();
    history.added("mysql-1");
    history.added("mysql-2");
    assert_snapshot!(history.expect(HALTS, Fail), @"mysql-1 was ADDED at #13 while mysql-0 was held unready (since #10); mysql-2 was ADDED at #16 while mysql-0 was held unready (since #10)");
    history.released("mysql-0");
    history.expect(HALTS, Fail);
    // Nor may the creation be the last record.
    let mut last = acting(Scenario::Scale, &PODS[..2]);
    last.goes("mysql-1");
    last.held("mysql-0");
    last.added("mysql-1");
    last.expect(HALTS, Fail);
}

#[test]
fn a_pod_that_comes_between_the_release_and_ready_fails() {
    let mut history = growing();
    history.fault(Act::Release { pod: "mysql-0".into(), uid: "0.1".into() });
    history.added("mysql-1");
    history.ready("mysql-0");
    history.expect(HALTS, Fail);
}

#[test]
fn a_pod_that_comes_before_the_set_is_to_grow_fails() {
    let mut history = acting(Scenario::Scale, &PODS[..1]);
    history.held("mysql-0");
    history.added("mysql-1");
    history.expect(HALTS, Fail);
}

#[test]
fn a_pod_that_was_not_held_leaves_it_open() {
    let mut history = acting(Scenario::Scale, &PODS[..1]);
    assert_snapshot!(history.expect(HALTS, Inconclusive), @"no pod was held unready in the scenario scale");
    history.fault(Act::Hold { pod: "mysql-0".into(), uid: "0.1".into() });
    history.expired("mysql-0 not Ready", "Running, Ready");
    assert_snapshot!(history.expect(HALTS, Inconclusive), @"mysql-0 was not seen to be unready (#8): `mysql-0 not Ready` was not reached within 300.0 s; last seen: Running, Ready (#9)");
    // A hold in another scenario does not count.
    let mut elsewhere = acting(Scenario::Unready, &PODS[..1]);
    elsewhere.held("mysql-0");
    elsewhere.step(Scenario::Unready, Phase::End);
    elsewhere.step(Scenario::Scale, Phase::Begin);
    elsewhere.expect(HALTS, Inconclusive);
    let ready = |what: &What| matches!(what, What::Object(event) if event.object["status"]["conditions"][0]["status"] == "False");
    assert_snapshot!(released().without(ready).expect(HALTS, Inconclusive), @"mysql-0 was not seen to be unready (#8)");
}

#[test]
fn a_held_pod_that_was_ready_in_between_leaves_it_open() {
    let mut history = growing();
    history.ready("mysql-0");
    history.added("mysql-1");
    history.unready("mysql-0");
    history.released("mysql-0");
    assert_snapshot!(history.expect(HALTS, Inconclusive), @"mysql-0 was held since #10, but was Ready at #13 before its release");
}

#[test]
fn a_held_pod_that_goes_leaves_it_open() {
    let mut history = growing();
    history.goes("mysql-0");
    history.starts("mysql-0");
    history.starts("mysql-1");
    history.fault(Act::Release { pod: "mysql-0".into(), uid: "0.1".into() });
    history.expired("mysql-0 Ready again", "the pod is gone");
    assert_snapshot!(history.expect(HALTS, Inconclusive), @"mysql-0, held since #10, was not Ready again (deleted): `mysql-0 Ready again` was not reached within 300.0 s; last seen: the pod is gone (#24)");
}

#[test]
fn a_controller_that_has_not_seen_the_size_leaves_it_open() {
    let mut not_seen = released().edit(|what| {
        if let What::Object(event) = what
            && event.object_kind == "StatefulSet"
        {
            event.object["status"]["observedGeneration"] = serde_json::json!(1);
        }
    });
    not_seen.starts("mysql-1");
    assert_snapshot!(not_seen.expect(HALTS, Inconclusive), @"no event shows that the controller saw 3 replicas while mysql-0 was held (#11–#13)");
    // An observation after the release comes too late.
    let mut late = acting(Scenario::Scale, &PODS[..1]);
    late.held("mysql-0");
    late.fault(Act::Scale { from: 1, to: 3 });
    late.released("mysql-0");
    late.scaled(3);
    late.starts("mysql-1");
    late.expect(HALTS, Inconclusive);
}

#[test]
fn a_set_that_was_not_to_grow_leaves_it_open() {
    let mut history = acting(Scenario::Scale, &PODS[..1]);
    history.held("mysql-0");
    assert_snapshot!(history.expect(HALTS, Inconclusive), @"mysql-0, held since #10, was not released");
    history.released("mysql-0");
    assert_snapshot!(history.expect(HALTS, Inconclusive), @"the set was not scaled up while mysql-0 was held (#10–#11)");
}

#[test]
fn a_lost_stretch_leaves_the_halt_open() {
    let mut history = growing();
    history.gap("Pod");
    history.added("mysql-1");
    history.released("mysql-0");
    history.expect(HALTS, Inconclusive);
    let mut history = growing();
    history.gap("StatefulSet");
    history.released("mysql-0");
    history.starts("mysql-1");
    history.expect(HALTS, Inconclusive);
    // What was seen before the gap stays a failure, and a gap after the end changes nothing.
    let mut history = growing();
    history.added("mysql-1");
    history.gap("Pod");
    history.expect(HALTS, Fail);
    let mut history = released();
    history.starts("mysql-1");
    history.gap("Pod");
    history.gap("StatefulSet");
    history.expect(HALTS, Pass);
}

#[test]
fn a_set_that_never_goes_on_fails_when_that_was_awaited() {
    released().expect(HALTS, Inconclusive);
    let awaited = |last_seen: &str| {
        let mut history = released();
        history.expired("mysql-1 Ready", last_seen);
        history
    };
    assert_snapshot!(awaited("there is no such pod").expect(HALTS, Fail), @"no pod was ADDED after mysql-0 was Ready again (#14): `mysql-1 Ready` was not reached within 300.0 s; last seen: there is no such pod (#16)");
    awaited("Pending, not Ready, 0/3 nodes are available").expect(HALTS, Inconclusive);
    // A pod that is created after another act is created because of that act.
    let mut later = released();
    later.fault(Act::Scale { from: 3, to: 2 });
    later.starts("mysql-1");
    later.expect(HALTS, Inconclusive);
    // The successor of the held pod does not count.
    let mut own = released();
    own.goes("mysql-0");
    own.starts("mysql-0");
    own.expect(HALTS, Inconclusive);
    let mut lost = released();
    lost.gap("Pod");
    lost.expired("mysql-1 Ready", "there is no such pod");
    lost.expect(HALTS, Inconclusive);
}

#[test]
fn a_held_pod_that_is_never_ready_again_leaves_it_open() {
    let mut history = growing();
    history.fault(Act::Release { pod: "mysql-0".into(), uid: "0.1".into() });
    history.expired("mysql-0 Ready again", "Running, not Ready, InvalidImageName");
    assert_snapshot!(history.expect(HALTS, Inconclusive), @"mysql-0, held since #10, was not Ready again (Running, not Ready): `mysql-0 Ready again` was not reached within 300.0 s; last seen: Running, not Ready, InvalidImageName (#14)");
}

#[test]
fn where_nobody_comes_after_there_is_nothing_to_hold_up() {
    assert_snapshot!(History::good_of(1).expect(HALTS, Skipped), @"the set has one pod: no pod comes after it");
    History::good_of(1).expect(DEADLOCK, Skipped);
}

/// A set whose second pod is held.
fn holding() -> History {
    let mut history = acting(Scenario::Unready, &PODS);
    history.held("mysql-1");
    history
}

/// A set whose first pod was deleted without grace while the second one is held.
fn killing() -> History {
    let mut history = holding();
    let act = Act::DeletePod { pod: "mysql-0".into(), uid: "0.1".into(), grace_s: Some(0) };
    history.fault(act.clone());
    let gone = history.deleted("mysql-0");
    history.proved(act, gone);
    history
}

#[test]
fn a_pod_that_comes_back_beside_a_held_one_passes() {
    let mut history = killing();
    history.starts("mysql-0");
    assert_snapshot!(history.expect(DEADLOCK, Pass), @"mysql-0, deleted at #21, came back at #24 and was Ready at #25, after 1.5 s, while mysql-1 was unready (since #20)");
    history.released("mysql-1");
    history.expect(DEADLOCK, Pass);
    History::good().expect(DEADLOCK, Pass);
    History::good_of(2).expect(DEADLOCK, Pass);
}

#[test]
fn a_pod_that_waits_for_the_held_one_fails() {
    killing().expect(DEADLOCK, Inconclusive);
    let mut history = killing();
    history.expired("mysql-0 Ready under a new UID", "there is no such pod");
    assert_snapshot!(history.expect(DEADLOCK, Fail), @"mysql-0 did not come back after its deletion (#21) while mysql-1 was held: `mysql-0 Ready under a new UID` was not reached within 300.0 s; last seen: there is no such pod (#24)");
    // Coming back after the release is no excuse.
    history.released("mysql-1");
    history.starts("mysql-0");
    history.expect(DEADLOCK, Fail);
    let mut unawaited = killing();
    unawaited.released("mysql-1");
    unawaited.starts("mysql-0");
    unawaited.expect(DEADLOCK, Inconclusive);
}

#[test]
fn whose_trouble_it_is_decides() {
    let mut own = killing();
    own.expired("mysql-0 Ready under a new UID", "Pending, not Ready, ErrImagePull");
    assert!(own.expect(DEADLOCK, Inconclusive).starts_with("infrastructure"));
    let mut of_another = killing();
    of_another.expired("mysql-1 Ready again", "Running, not Ready");
    assert_snapshot!(of_another.expect(DEADLOCK, Inconclusive), @"mysql-0 did not come back after its deletion (#21) while mysql-1 was held: `mysql-1 Ready again` was not reached within 300.0 s; last seen: Running, not Ready (#24)");
}

#[test]
fn a_held_pod_that_is_held_no_more_proves_nothing() {
    let mut flapped = killing();
    flapped.ready("mysql-1");
    flapped.unready("mysql-1");
    flapped.starts("mysql-0");
    assert_snapshot!(flapped.expect(DEADLOCK, Inconclusive), @"mysql-1 was held only until #24, before mysql-0 was Ready (#27)");
    let mut gone = killing();
    gone.goes("mysql-1");
    gone.starts("mysql-0");
    gone.expect(DEADLOCK, Inconclusive);
    let mut never = acting(Scenario::Unready, &PODS);
    never.killed("mysql-0");
    never.expect(DEADLOCK, Inconclusive);
}

#[test]
fn a_pod_that_did_not_go_has_nothing_to_come_back_from() {
    assert_snapshot!(holding().expect(DEADLOCK, Inconclusive), @"no pod before mysql-1 was deleted while it was held");
    for other in ["mysql-1", "mysql-2"] {
        let mut history = holding();
        history.killed(other);
        assert!(history.expect(DEADLOCK, Inconclusive).starts_with("no pod before mysql-1"));
    }
    let mut stays = holding();
    stays.fault(Act::DeletePod { pod: "mysql-0".into(), uid: "0.1".into(), grace_s: Some(0) });
    stays.expired("mysql-0 (uid 0.1) gone", "Running, Ready, being deleted");
    assert_snapshot!(stays.expect(DEADLOCK, Inconclusive), @"mysql-0 was not seen to be gone after its deletion (#21): `mysql-0 (uid 0.1) gone` was not reached within 300.0 s; last seen: Running, Ready, being deleted (#22)");
}

#[test]
fn a_lost_stretch_leaves_the_deadlock_open() {
    let mut history = killing();
    history.gap("Pod");
    history.starts("mysql-0");
    history.expect(DEADLOCK, Inconclusive);
    let mut history = killing();
    history.gap("Pod");
    history.expired("mysql-0 Ready under a new UID", "there is no such pod");
    history.expect(DEADLOCK, Inconclusive);
    let mut history = killing();
    history.starts("mysql-0");
    history.gap("Pod");
    history.expect(DEADLOCK, Pass);
}
