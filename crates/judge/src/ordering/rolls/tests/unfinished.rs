//! Updates that do not complete.

use insta::assert_snapshot;

use super::{ROLLS, WHOLE, completes, replaces_all, rolling};
use crate::Verdict::{Fail, Inconclusive};
use crate::evidence::{Act, Phase, Scenario};
use crate::history::{History, PODS};

/// The update does not complete: this wait expires.
fn given_up(mut history: History, what: &str, last_seen: &str) -> History {
    history.expired(what, last_seen);
    history.step(Scenario::Roll, Phase::Failed("it was not to be seen".into()));
    history
}

#[test]
fn an_update_that_never_reaches_a_pod_fails_when_it_was_awaited() {
    let mut history = rolling();
    history.replaced("mysql-2");
    assert_snapshot!(history.expect(ROLLS, Inconclusive), @"the template was not reverted; no Ready pod of rev-2 was seen to replace mysql-1");
    let partition_forgotten = given_up(history, "mysql-1 (uid 1.1) told to go", "Running, Ready");
    assert_snapshot!(partition_forgotten.expect(ROLLS, Fail), @"mysql-1 was never replaced by a pod of rev-2 (requested at #19): `mysql-1 (uid 1.1) told to go` was not reached within 300.0 s; last seen: Running, Ready (#26)");
    let on_delete = given_up(rolling(), "mysql-2 (uid 2.1) told to go", "Running, Ready");
    assert_snapshot!(on_delete.expect(ROLLS, Fail), @"mysql-2 was never replaced by a pod of rev-2 (requested at #19): `mysql-2 (uid 2.1) told to go` was not reached within 300.0 s; last seen: Running, Ready (#21)");
}

#[test]
fn a_pod_that_does_not_come_back_fails_unless_the_cluster_is_to_blame() {
    let gone = |last_seen: &str| {
        let mut history = rolling();
        history.goes("mysql-2");
        given_up(history, "mysql-2 Ready under a new UID", last_seen)
    };
    assert_snapshot!(gone("there is no such pod").expect(ROLLS, Fail), @"mysql-2 did not come back as a pod of rev-2 (requested at #19): `mysql-2 Ready under a new UID` was not reached within 300.0 s; last seen: there is no such pod (#23)");
    assert!(gone("Pending, not Ready, ImagePullBackOff").expect(ROLLS, Inconclusive).contains("infrastructure"));
}

#[test]
fn an_updated_pod_that_is_gone_again_leaves_it_open() {
    let mut history = rolling();
    PODS.iter().rev().for_each(|pod| history.replaced(pod));
    history.fault(Act::DeletePod { pod: "mysql-0".into(), uid: "0.2".into(), grace_s: None });
    history.goes("mysql-0");
    completes(&mut history, WHOLE);
    assert!(history.expect(ROLLS, Inconclusive).contains("was seen to replace mysql-0"));
}

#[test]
fn what_the_harness_restores_after_giving_up_does_not_count() {
    let mut history = rolling();
    history.replaced("mysql-2");
    let mut history = given_up(history, "mysql-1 (uid 1.1) told to go", "Pending, not Ready, ErrImagePull");
    history.template("rev-1");
    history.goes("mysql-0");
    history.expect(ROLLS, Inconclusive);
}

#[test]
fn the_stuck_pod_is_the_harness_own() {
    let mut history = rolling();
    replaces_all(&mut history, WHOLE);
    history.fault(Act::BreakTemplate);
    history.template("rev-3");
    history.goes("mysql-2");
    let proof = history.stuck("mysql-2");
    history.proved(Act::BreakTemplate, proof);
    history.fault(Act::RevertTemplate);
    history.template("rev-1");
    let act = Act::DeletePod { pod: "mysql-2".into(), uid: "2.3".into(), grace_s: None };
    history.fault(act);
    history.goes("mysql-2");
    let lost = given_up(history.clone(), "mysql-2 Ready under a new UID", "there is no such pod");
    assert_snapshot!(lost.expect(ROLLS, Inconclusive), @"mysql-2, which the harness deleted, did not come back, so no pod below it could be updated: `mysql-2 Ready under a new UID` was not reached within 300.0 s; last seen: there is no such pod (#50)");
    // The pods below must still wait for its successor.
    history.deleting("mysql-1");
    assert_snapshot!(history.expect(ROLLS, Fail), @"mysql-1 was deleted at #50 while mysql-2 did not exist");
}
