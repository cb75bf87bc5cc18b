//! Updates: right and wrong.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Phase, PodManagement, Scenario, Step, Subject, What};
use crate::history::{History, PODS, subject};

mod unfinished;

const ROLLS: &str = "ordering::rolls_highest_ordinal_first";
const WHOLE: Act = Act::Roll { partition: 0 };

/// Three pods for which an update is requested.
fn rolling() -> History {
    rolling_of(subject(3), |_| ())
}

/// The pods of this set, for which an update is requested after something happened to them.
fn rolling_of(subject: Subject, happening: impl FnOnce(&mut History)) -> History {
    let mut history = requested(subject, happening);
    history.template("rev-2");
    history
}

/// The same before anything shows the update.
fn requested(subject: Subject, happening: impl FnOnce(&mut History)) -> History {
    let mut history = History::with(subject);
    PODS.iter().for_each(|pod| history.starts(pod));
    happening(&mut history);
    history.set_seen();
    history.step(Scenario::Roll, Phase::Begin);
    history.fault(WHOLE);
    history
}

/// The update of this act replaces all pods from the highest ordinal down, and completes.
fn replaces_all(history: &mut History, act: Act) {
    PODS.iter().rev().for_each(|pod| history.replaced(pod));
    completes(history, act);
}

/// The update of this act completes.
fn completes(history: &mut History, act: Act) {
    let proof = history.rolled_out();
    history.proved(act, proof);
}

/// The update completes, and is reverted in good order.
fn reverted(mut history: History) -> History {
    completes(&mut history, WHOLE);
    history.fault(Act::RevertTemplate);
    history.template("rev-1");
    replaces_all(&mut history, Act::RevertTemplate);
    history
}

#[test]
fn an_update_from_the_highest_down_passes() {
    let mut history = rolling();
    PODS.iter().rev().for_each(|pod| history.replaced(pod));
    assert_snapshot!(reverted(history).expect(ROLLS, Pass), @"deleted, each after all pods above it were Ready with the update: for rev-2 mysql-2 at #21, mysql-1 at #26, mysql-0 at #31; for rev-1 mysql-2 at #40, mysql-1 at #45, mysql-0 at #50");
    assert_snapshot!(History::good().expect(ROLLS, Pass), @"deleted, each after all pods above it were Ready with the update: for rev-2 mysql-2 at #768; for rev-2 mysql-1 at #784, mysql-0 at #789; for rev-1 mysql-1 at #812, mysql-0 at #817");
    History::good_of(2).expect(ROLLS, Pass);
}

#[test]
fn what_is_not_of_the_update_does_not_count() {
    // An event from before may follow each request, and somebody may delete a pod once the update has completed.
    let mut history = requested(subject(3), |_| ());
    history.set_seen();
    history.template("rev-2");
    replaces_all(&mut history, WHOLE);
    history.replaced("mysql-0");
    history.fault(Act::RevertTemplate);
    history.set_seen();
    history.template("rev-1");
    replaces_all(&mut history, Act::RevertTemplate);
    history.expect(ROLLS, Pass);
}

#[test]
fn an_update_from_the_lowest_up_fails() {
    let mut history = rolling();
    PODS.iter().for_each(|pod| history.replaced(pod));
    assert_snapshot!(reverted(history).expect(ROLLS, Fail), @"mysql-0 was deleted at #21 while mysql-2 (uid 2.1) had rev-1 and not rev-2; mysql-0 was deleted at #21 while mysql-1 (uid 1.1) had rev-1 and not rev-2; mysql-1 was deleted at #26 while mysql-2 (uid 2.1) had rev-1 and not rev-2");
}

#[test]
fn a_step_within_the_scenario_ends_no_update_and_its_end_does() {
    let mut history = rolling();
    let step = Step { scenario: Some(Scenario::Roll), name: "wait for the update".into(), phase: Phase::Begin };
    history.push(What::Step(step));
    history.deleting("mysql-0");
    history.expect(ROLLS, Fail);
    let mut over = rolling();
    over.step(Scenario::Roll, Phase::End);
    over.deleting("mysql-0");
    over.expect(ROLLS, Inconclusive);
}

#[test]
fn two_pods_at_once_fail() {
    let mut history = rolling();
    history.deleting("mysql-2");
    history.deleting("mysql-1");
    assert_snapshot!(history.expect(ROLLS, Fail), @"mysql-1 was deleted at #22 while mysql-2 (uid 2.1) had rev-1 and not rev-2");
    let mut history = rolling();
    history.goes("mysql-2");
    history.deleting("mysql-1");
    assert_snapshot!(history.expect(ROLLS, Fail), @"mysql-1 was deleted at #23 while mysql-2 did not exist");
}

#[test]
fn a_pod_that_does_not_wait_for_ready_fails() {
    let mut history = rolling();
    history.goes("mysql-2");
    history.added("mysql-2");
    history.deleting("mysql-1");
    assert_snapshot!(history.expect(ROLLS, Fail), @"mysql-1 was deleted at #24 while mysql-2 (uid 2.2) had never been Ready (#23–#23)");
}

#[test]
fn a_pod_that_came_back_at_the_old_revision_is_not_updated() {
    let mut history = rolling();
    history.goes("mysql-2");
    history.making("rev-1", |history| history.starts("mysql-2"));
    history.deleting("mysql-1");
    assert_snapshot!(history.expect(ROLLS, Fail), @"mysql-1 was deleted at #26 while mysql-2 (uid 2.2) had rev-1 and not rev-2");
}

#[test]
fn a_pod_that_has_the_update_must_not_go_again() {
    let mut history = rolling();
    history.replaced("mysql-2");
    history.replaced("mysql-2");
    history.replaced("mysql-1");
    history.replaced("mysql-0");
    assert_snapshot!(reverted(history).expect(ROLLS, Fail), @"mysql-2 was deleted at #26 although it already had rev-2");
}

#[test]
fn a_pod_above_that_flapped_is_a_race() {
    let mut history = rolling();
    history.replaced("mysql-2");
    history.unready("mysql-2");
    history.deleting("mysql-1");
    assert_snapshot!(history.expect(ROLLS, Inconclusive), @"the template was not reverted; race: mysql-1 was deleted at #27 while mysql-2 (uid 2.2), Ready since #24, was no longer Ready; no Ready pod of rev-2 was seen to replace mysql-1");
    let mut going = rolling();
    going.replaced("mysql-2");
    let act = Act::DeletePod { pod: "mysql-2".into(), uid: "2.2".into(), grace_s: None };
    going.fault(act);
    going.deleting("mysql-2");
    going.deleting("mysql-1");
    assert!(going.expect(ROLLS, Inconclusive).contains("race"));
}

#[test]
fn a_pod_above_that_has_not_been_ready_for_long_is_no_race() {
    let mut history = rolling();
    history.replaced("mysql-2");
    history.unready("mysql-2");
    history.pass_ms(60_000);
    history.deleting("mysql-1");
    assert_snapshot!(history.expect(ROLLS, Fail), @"mysql-1 was deleted at #27 while mysql-2 (uid 2.2), Ready since #24, was no longer Ready (#26), for 60.0 s");
}

#[test]
fn with_parallel_a_pod_that_is_not_ready_may_be_replaced_at_once() {
    let parallel = |ready: bool| {
        let pod_management = PodManagement::Parallel;
        let mut history = rolling_of(Subject { pod_management, ..subject(3) }, |history| {
            if !ready {
                history.unready("mysql-0");
            }
        });
        history.deleting("mysql-0");
        history.replaced("mysql-2");
        history.replaced("mysql-1");
        history.deleted("mysql-0");
        history.starts("mysql-0");
        reverted(history)
    };
    parallel(false).expect(ROLLS, Pass);
    parallel(true).expect(ROLLS, Fail);
}

#[test]
fn an_update_that_its_controller_did_not_see_leaves_it_open() {
    let mut history = rolling();
    PODS.iter().rev().for_each(|pod| history.replaced(pod));
    let not_seen = reverted(history.clone()).edit(|what| {
        if let What::Object(event) = what
            && event.object_kind == "StatefulSet"
        {
            event.object["status"]["observedGeneration"] = serde_json::json!(1);
        }
    });
    assert_snapshot!(not_seen.expect(ROLLS, Inconclusive), @"no event shows that the controller of StatefulSet mysql saw the change of #19; no event shows that the controller of StatefulSet mysql saw the change of #38");
    history.template("rev-3");
    assert_snapshot!(reverted(history).expect(ROLLS, Inconclusive), @"the template of StatefulSet mysql was changed a second time: its update revision was rev-2 at #20 and rev-3 at #36");
}

#[test]
fn a_lost_stretch_leaves_the_order_open() {
    let mut history = rolling();
    history.replaced("mysql-2");
    history.gap("Pod");
    history.replaced("mysql-0");
    history.replaced("mysql-1");
    reverted(history).expect(ROLLS, Inconclusive);
    let mut history = rolling();
    history.deleting("mysql-0");
    history.gap("Pod");
    history.expect(ROLLS, Fail);
    let mut deployed =
        rolling().lost("Pod", |what| matches!(what, What::Step(step) if step.scenario == Some(Scenario::Roll)));
    PODS.iter().rev().for_each(|pod| deployed.replaced(pod));
    reverted(deployed).expect(ROLLS, Pass);
}

#[test]
fn pods_of_unknown_revision_leave_it_open() {
    let mut history = rolling();
    PODS.iter().rev().for_each(|pod| history.replaced(pod));
    let unlabelled = reverted(history).edit(|what| {
        if let What::Object(event) = what
            && event.object["metadata"]["uid"] == "2.2"
        {
            event.object["metadata"]["labels"] = serde_json::json!({});
        }
    });
    assert_snapshot!(unlabelled.expect(ROLLS, Inconclusive), @"mysql-2 has no revision label (#23); no Ready pod of rev-2 was seen to replace mysql-2");
}

#[test]
fn a_template_that_was_not_changed_shows_no_order() {
    let mut history = History::of(3);
    PODS.iter().for_each(|pod| history.starts(pod));
    assert_snapshot!(history.expect(ROLLS, Inconclusive), @"the template was not changed for all pods; the template was not reverted");
    // A change without an effect reaches no pod.
    for act in [WHOLE, Act::RevertTemplate] {
        history.fault(act.clone());
        let proof = history.template("rev-1");
        history.proved(act, proof);
    }
    assert_snapshot!(history.expect(ROLLS, Inconclusive), @"no pod was deleted for an update");
}

#[test]
fn a_partition_of_the_sets_own_keeps_pods_from_being_updated() {
    let mut history = History::with(crate::evidence::Subject { partition: 1, ..subject(3) });
    PODS.iter().for_each(|pod| history.starts(pod));
    history.step(Scenario::Roll, Phase::Begin);
    for (act, revision) in [(Act::Roll { partition: 1 }, "rev-2"), (Act::RevertTemplate, "rev-1")] {
        history.fault(act.clone());
        history.template(revision);
        history.replaced("mysql-2");
        history.replaced("mysql-1");
        let proof = history.set_seen();
        history.proved(act, proof);
    }
    assert_snapshot!(history.expect(ROLLS, Pass), @"deleted, each after all pods above it were Ready with the update: for rev-2 mysql-2 at #20, mysql-1 at #25; for rev-1 mysql-2 at #34, mysql-1 at #39");
}

#[test]
fn where_no_order_can_be_seen_it_is_skipped() {
    let of = |partition, on_delete| History::with(crate::evidence::Subject { partition, on_delete, ..subject(3) });
    assert_snapshot!(of(0, true).expect(ROLLS, Skipped), @"the update strategy is OnDelete: nobody but the user replaces pods");
    assert_snapshot!(of(2, false).expect(ROLLS, Skipped), @"an update replaces only one pod: it shows no order");
    assert_snapshot!(of(3, false).expect(ROLLS, Skipped), @"the set's own partition, 3, keeps every pod from being updated");
    History::good_of(1).expect(ROLLS, Skipped);
}

#[test]
fn an_update_that_may_take_several_at_once_has_no_order() {
    let several = |version: &str| {
        History::good().edit(|what| {
            if let What::Run(run) = what {
                run.subject.max_unavailable = 2;
                version.clone_into(&mut run.kubernetes);
            }
        })
    };
    assert_snapshot!(several("v1.35.0").expect(ROLLS, Skipped), @"maxUnavailable allows 2 pods to be replaced at once: 1.35 ≤ Kubernetes v1.35.0 < 1.35.4");
    several("v1.36.0").expect(ROLLS, Pass);
}
