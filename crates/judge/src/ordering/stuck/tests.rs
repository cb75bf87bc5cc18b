//! An update that cannot start: right and wrong.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Phase, Scenario, Subject, WaitOutcome, What};
use crate::history::{History, PODS, subject};

const STUCK: &str = "ordering::stuck_rollout_recovers";

/// Three pods whose template is broken.
fn breaking() -> History {
    let mut history = History::of(3);
    PODS.iter().for_each(|pod| history.starts(pod));
    history.step(Scenario::Roll, Phase::Begin);
    history.fault(Act::BreakTemplate);
    history.template("rev-2");
    history.goes("mysql-2");
    history
}

/// Three pods, of which the last is stuck.
fn stuck() -> History {
    let mut history = breaking();
    let proof = history.stuck("mysql-2");
    history.proved(Act::BreakTemplate, proof);
    history.pass_ms(1_000);
    history
}

/// The template is reverted, and the stuck pod deleted.
fn reverting() -> History {
    let mut history = stuck();
    history.fault(Act::RevertTemplate);
    history.template("rev-1");
    let act = Act::DeletePod { pod: "mysql-2".into(), uid: "2.2".into(), grace_s: None };
    history.fault(act.clone());
    let gone = history.goes("mysql-2");
    history.proved(act, gone);
    history
}

/// The revert is proved.
fn ends(mut history: History) -> History {
    let proof = history.rolled_out();
    history.proved(Act::RevertTemplate, proof);
    history
}

/// The harness waits for a pod until the deadline.
fn given_up(mut history: History, pod: &str, last_seen: &str) -> History {
    history.expired(&format!("{pod} Ready under a new UID"), last_seen);
    history.step(Scenario::Roll, Phase::Failed(format!("{pod} was not Ready")));
    history
}

#[test]
fn a_set_that_recovers_passes() {
    let mut history = reverting();
    history.starts("mysql-2");
    assert_snapshot!(ends(history).expect(STUCK, Pass), @"mysql-2 was stuck from #22 and no other pod was deleted; it was deleted once the template was reverted (#28), and all pods ended Ready at rev-1, as before");
    History::good().expect(STUCK, Pass);
    History::good_of(2).expect(STUCK, Pass);
    History::good_of(1).expect(STUCK, Pass);
}

#[test]
fn a_controller_that_recovers_alone_passes() {
    let mut history = stuck();
    history.fault(Act::RevertTemplate);
    history.template("rev-1");
    history.replaced("mysql-2");
    assert_snapshot!(ends(history).expect(STUCK, Pass), @"mysql-2 was stuck from #22 and no other pod was deleted; it was deleted by the controller (#27), which recovered on its own, and all pods ended Ready at rev-1, as before");
}

#[test]
fn a_rollout_that_goes_on_past_the_stuck_pod_fails() {
    let mut history = stuck();
    history.deleting("mysql-1");
    assert_snapshot!(history.expect(STUCK, Fail), @"mysql-1 was deleted at #25 while mysql-2 could not start (#18)");
    // Once the template is reverted, others may be replaced.
    let mut later = reverting();
    later.starts("mysql-2");
    later.replaced("mysql-1");
    ends(later).expect(STUCK, Pass);
}

#[test]
fn a_pod_that_does_not_come_back_fails() {
    reverting().expect(STUCK, Inconclusive);
    let mut just_back = reverting();
    just_back.added("mysql-2");
    assert_snapshot!(just_back.expect(STUCK, Inconclusive), @"mysql-2 (#31) was not Ready with rev-1 after the template was reverted (#25)");
    let mut going = reverting();
    going.starts("mysql-2");
    going.deleting("mysql-1");
    assert!(ends(going).expect(STUCK, Inconclusive).starts_with("mysql-1 did not exist"));
    let gone = given_up(reverting(), "mysql-2", "there is no such pod");
    assert_snapshot!(gone.expect(STUCK, Fail), @"mysql-2 did not exist after the template was reverted (#25): `mysql-2 Ready under a new UID` was not reached within 300.0 s; last seen: there is no such pod (#31)");
    let kept = given_up(stuck_and_reverted(), "mysql-2", "Pending, not Ready, InvalidImageName, being deleted");
    assert_snapshot!(kept.expect(STUCK, Fail), @"mysql-2 (#22) has rev-2 after the template was reverted (#25), and not rev-1: `mysql-2 Ready under a new UID` was not reached within 300.0 s; last seen: Pending, not Ready, InvalidImageName, being deleted (#27)");
}

/// The template is reverted, and nobody deletes the stuck pod.
fn stuck_and_reverted() -> History {
    let mut history = stuck();
    history.fault(Act::RevertTemplate);
    history.template("rev-1");
    history
}

#[test]
fn the_harness_own_image_excuses_nobody() {
    let mut history = reverting();
    history.template("rev-2");
    history.stuck("mysql-2");
    let why = "mysql-2 is in InvalidImageName (Pending, not Ready, InvalidImageName)";
    let last_seen = "Pending, not Ready";
    history.waited("mysql-2 Ready under a new UID", last_seen, WaitOutcome::Impossible(why.into()));
    assert_snapshot!(history.expect(STUCK, Fail), @"mysql-2 (#32) has rev-2 after the template was reverted (#25), and not rev-1: `mysql-2 Ready under a new UID` was not reached within 300.0 s and can no longer be reached (mysql-2 is in InvalidImageName (Pending, not Ready, InvalidImageName)); last seen: Pending, not Ready (#34)");
    // A missing node is infrastructure.
    let unscheduled = given_up(reverting(), "mysql-2", "Pending, not Ready, 0/3 nodes are available");
    assert!(unscheduled.expect(STUCK, Inconclusive).starts_with("infrastructure"));
}

#[test]
fn pods_that_end_as_something_else_fail() {
    let mut history = reverting();
    history.making("rev-3", |history| history.starts("mysql-2"));
    assert_snapshot!(ends(history).expect(STUCK, Fail), @"mysql-2 (#31) has rev-3 after the template was reverted (#25), and not rev-1");
    let mut history = reverting();
    history.starts("mysql-2");
    history.goes("mysql-1");
    history.making("rev-2", |history| history.starts("mysql-1"));
    assert!(ends(history.clone()).expect(STUCK, Fail).contains("mysql-1 (#"));
    given_up(history, "mysql-0", "Running, not Ready").expect(STUCK, Fail);
}

#[test]
fn a_set_that_ends_as_something_else_fails() {
    let mut history = reverting();
    history.starts("mysql-2");
    history.template("rev-3");
    assert_snapshot!(ends(history).expect(STUCK, Fail), @"StatefulSet mysql, reverted at #25, has the update revision rev-3 (#35), and not rev-1");
    let mut unfinished = reverting();
    unfinished.starts("mysql-2");
    unfinished.expired("StatefulSet mysql with 3 Ready pods", "2 of 3 pods Ready, generation 2 of 3");
    assert_snapshot!(unfinished.expect(STUCK, Fail), @"StatefulSet mysql, reverted at #25, has the update revision rev-1 (#26), but the rollout did not end: `StatefulSet mysql with 3 Ready pods` was not reached within 300.0 s; last seen: 2 of 3 pods Ready, generation 2 of 3 (#34)");
}

#[test]
fn a_pod_that_flapped_at_the_end_leaves_it_open() {
    let mut history = reverting();
    history.starts("mysql-2");
    history.unready("mysql-0");
    assert_snapshot!(ends(history).expect(STUCK, Inconclusive), @"mysql-0 (#2) was not Ready with rev-1 after the template was reverted (#25)");
}

#[test]
fn a_template_that_did_not_break_leaves_it_open() {
    let mut ready = breaking();
    ready.starts("mysql-2");
    let proof = ready.set_seen();
    ready.proved(Act::BreakTemplate, proof);
    assert_snapshot!(ready.expect(STUCK, Inconclusive), @"mysql-2 became Ready at #23: the broken template could start");
    let mut old = breaking();
    let proof = old.set_seen();
    old.making("rev-1", |history| history.starts("mysql-2"));
    old.proved(Act::BreakTemplate, proof);
    assert_snapshot!(old.expect(STUCK, Inconclusive), @"mysql-2 came back at rev-1 (#23) though the template was broken");
    let mut unproved = reverting();
    unproved.starts("mysql-2");
    let proof = |what: &What| matches!(what, What::Fault(it) if it.act == Act::BreakTemplate && it.proof.is_some());
    ends(unproved).without(proof).expect(STUCK, Inconclusive);
    let mut not_seen = breaking();
    not_seen.expired("mysql-2 stuck with its image", "there is no such pod");
    assert_snapshot!(not_seen.expect(STUCK, Inconclusive), @"mysql-2 was not seen to be stuck with the template that was broken at #18: `mysql-2 stuck with its image` was not reached within 300.0 s; last seen: there is no such pod (#22)");
}

#[test]
fn what_was_not_tried_leaves_it_open() {
    let mut history = History::of(3);
    PODS.iter().for_each(|pod| history.starts(pod));
    assert_snapshot!(history.expect(STUCK, Inconclusive), @"the template was not broken");
    assert_snapshot!(stuck().expect(STUCK, Inconclusive), @"the template was not reverted");
    let mut nobody = History::of(3);
    nobody.fault(Act::BreakTemplate);
    assert_snapshot!(nobody.expect(STUCK, Inconclusive), @"mysql-2 did not exist before the first change (#2)");
    let set = |what: &What| matches!(what, What::Object(event) if event.object_kind == "StatefulSet");
    let mut history = reverting();
    history.starts("mysql-2");
    assert_snapshot!(ends(history).without(set).expect(STUCK, Inconclusive), @"mysql-2 was not seen to be stuck with the template that was broken at #18");
}

#[test]
fn a_lost_stretch_leaves_the_recovery_open() {
    let mut history = stuck();
    history.gap("Pod");
    history.deleting("mysql-1");
    history.expect(STUCK, Inconclusive);
    let mut history = stuck();
    history.deleting("mysql-1");
    history.gap("Pod");
    history.expect(STUCK, Fail);
    let mut history = reverting();
    history.gap("Pod");
    history.starts("mysql-2");
    ends(history).expect(STUCK, Inconclusive);
    let mut history = reverting();
    history.gap("StatefulSet");
    history.starts("mysql-2");
    ends(history).expect(STUCK, Inconclusive);
}

#[test]
fn where_nobody_is_updated_it_is_skipped() {
    let of = |partition, on_delete| History::with(Subject { partition, on_delete, ..subject(3) });
    assert_snapshot!(of(0, true).expect(STUCK, Skipped), @"the update strategy is OnDelete: nobody but the user replaces pods");
    assert_snapshot!(of(3, false).expect(STUCK, Skipped), @"the set's own partition, 3, keeps every pod from being updated");
}
