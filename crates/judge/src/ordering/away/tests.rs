//! Pods that are away in an update: right and wrong.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Phase, PodManagement, Scenario, Subject, What};
use crate::history::{History, PODS, subject};

const AWAY: &str = "ordering::respects_max_unavailable";

/// Four pods of this set on this version of Kubernetes, for which an update is requested after something happened to
/// them.
fn rolling(subject: Subject, kubernetes: &str, happening: impl FnOnce(&mut History)) -> History {
    let mut history = History::with(subject);
    if let What::Run(run) = &mut history.records[0].what {
        kubernetes.clone_into(&mut run.kubernetes);
    }
    PODS.iter().for_each(|pod| history.starts(pod));
    history.starts("mysql-3");
    history.step(Scenario::Roll, Phase::Begin);
    happening(&mut history);
    history.fault(Act::Roll { partition: 0 });
    history.template("rev-2");
    history
}

fn usual(happening: impl FnOnce(&mut History)) -> History {
    rolling(subject(4), "v1.37.2", happening)
}

/// The harness deletes a pod.
fn struck(history: &mut History, pod: &str) {
    let uid = history.uid(pod);
    history.fault(Act::DeletePod { pod: pod.to_owned(), uid, grace_s: None });
    history.deleting(pod);
}

#[test]
fn one_after_the_other_passes() {
    let mut history = usual(|_| ());
    ["mysql-3", "mysql-2"].iter().for_each(|pod| history.replaced(pod));
    assert_snapshot!(history.expect(AWAY, Pass), @"deleted: mysql-3 at #25, mysql-2 at #30; at most 1 was unavailable at a time, and 1 may be (maxUnavailable is 1)");
    History::good().expect(AWAY, Pass);
}

#[test]
fn two_at_once_fail() {
    let mut told = usual(|_| ());
    told.deleting("mysql-3");
    told.deleting("mysql-2");
    assert_snapshot!(told.expect(AWAY, Fail), @"mysql-2 was deleted at #26 while mysql-3 was being deleted: 2 unavailable, and 1 may be (maxUnavailable is 1)");
    let mut gone = usual(|_| ());
    gone.goes("mysql-3");
    gone.deleting("mysql-2");
    assert_snapshot!(gone.expect(AWAY, Fail), @"mysql-2 was deleted at #27 while mysql-3 was gone: 2 unavailable, and 1 may be (maxUnavailable is 1)");
    let mut not_ready = usual(|_| ());
    not_ready.goes("mysql-3");
    not_ready.added("mysql-3");
    not_ready.deleting("mysql-0");
    assert_snapshot!(not_ready.expect(AWAY, Fail), @"mysql-0 was deleted at #28 while mysql-3 was not Ready: 2 unavailable, and 1 may be (maxUnavailable is 1)");
}

#[test]
fn a_pod_that_lost_ready_by_itself_is_a_race_at_first() {
    let after = |ms: u64| {
        let mut history = usual(|history| {
            history.unready("mysql-0");
        });
        history.pass_ms(ms);
        history.deleting("mysql-3");
        history
    };
    assert_snapshot!(after(200).expect(AWAY, Inconclusive), @"race: mysql-3 was deleted at #26 while mysql-0 was not Ready: 2 unavailable, and 1 may be (maxUnavailable is 1)");
    assert_snapshot!(after(60_000).expect(AWAY, Fail), @"mysql-3 was deleted at #26 while mysql-0 was not Ready: 2 unavailable, and 1 may be (maxUnavailable is 1)");
}

#[test]
fn what_the_harness_takes_away_does_not_count() {
    for ms in [200, 60_000] {
        let mut history = usual(|history| struck(history, "mysql-0"));
        history.pass_ms(ms);
        history.replaced("mysql-3");
        history.deleted("mysql-0");
        history.added("mysql-0");
        history.replaced("mysql-2");
        history.expect(AWAY, Pass);
        // Once its name has served again it is like any other.
        history.ready("mysql-0");
        history.deleting("mysql-0");
        history.deleting("mysql-1");
        history.expect(AWAY, Fail);
        let mut held = usual(|history| drop(history.held("mysql-0")));
        held.pass_ms(ms);
        held.replaced("mysql-3");
        held.expect(AWAY, Pass);
    }
    // A hold excuses nothing once the pod was Ready again.
    let mut released = usual(|history| {
        history.held("mysql-0");
        history.released("mysql-0");
    });
    released.deleting("mysql-0");
    released.deleting("mysql-3");
    released.expect(AWAY, Fail);
    // A pod that the controller had deleted before counts as the controller's.
    let mut late = usual(|_| ());
    late.deleting("mysql-3");
    struck(&mut late, "mysql-3");
    late.deleting("mysql-2");
    late.expect(AWAY, Fail);
    // The controller is not to blame for what the harness deletes.
    let mut own = usual(|_| ());
    own.deleting("mysql-3");
    struck(&mut own, "mysql-2");
    own.expect(AWAY, Pass);
}

#[test]
fn the_stuck_pod_counts_until_the_harness_deletes_it() {
    let mut history = usual(|_| ());
    history.replaced("mysql-3");
    history.fault(Act::BreakTemplate);
    history.template("rev-3");
    history.goes("mysql-3");
    history.stuck("mysql-3");
    history.clone().expect(AWAY, Pass);
    let mut follows = history.clone();
    follows.deleting("mysql-2");
    follows.expect(AWAY, Fail);
    history.fault(Act::RevertTemplate);
    history.template("rev-1");
    struck(&mut history, "mysql-3");
    history.deleting("mysql-2");
    history.expect(AWAY, Pass);
}

#[test]
fn several_may_be_away_where_the_set_says_so_and_the_cluster_honours_it() {
    let two = |kubernetes: &str| {
        let mut history = rolling(Subject { max_unavailable: 2, ..subject(4) }, kubernetes, |_| ());
        history.deleting("mysql-3");
        history.deleting("mysql-2");
        history
    };
    assert_snapshot!(two("v1.37.2").expect(AWAY, Pass), @"deleted: mysql-3 at #25, mysql-2 at #26; at most 2 was unavailable at a time, and 2 may be (maxUnavailable is 2)");
    assert_snapshot!(two("v1.36.0").expect(AWAY, Fail), @"mysql-2 was deleted at #26 while mysql-3 was being deleted: 2 unavailable, and 1 may be (maxUnavailable is 2, which is not honoured: 1.35.4 ≤ Kubernetes v1.36.0 < 1.37)");
    let mut three = two("v1.37.2");
    three.deleting("mysql-1");
    assert_snapshot!(three.expect(AWAY, Fail), @"mysql-1 was deleted at #27 while mysql-2 was being deleted, mysql-3 was being deleted: 3 unavailable, and 2 may be (maxUnavailable is 2)");
}

#[test]
fn a_pod_that_is_not_ready_takes_nobody_away() {
    let mut history = usual(|history| {
        history.unready("mysql-3");
        history.unready("mysql-0");
    });
    history.pass_ms(60_000);
    history.deleting("mysql-3");
    history.deleting("mysql-0");
    assert_snapshot!(history.expect(AWAY, Inconclusive), @"no Ready pod was deleted for an update");
}

#[test]
fn with_parallel_old_controllers_do_not_look_below() {
    let below = |kubernetes: &str| {
        let parallel = Subject { pod_management: PodManagement::Parallel, ..subject(4) };
        let mut history = rolling(parallel, kubernetes, |history| {
            history.unready("mysql-0");
        });
        history.pass_ms(60_000);
        history.deleting("mysql-3");
        history
    };
    below("v1.36.0").expect(AWAY, Pass);
    below("v1.37.2").expect(AWAY, Fail);
    let mut above = below("v1.36.0");
    above.deleting("mysql-2");
    above.expect(AWAY, Fail);
}

#[test]
fn what_comes_after_the_last_change_does_not_count() {
    let mut history = usual(|_| ());
    history.replaced("mysql-3");
    history.fault(Act::Teardown);
    for pod in PODS {
        history.deleting(pod);
    }
    history.expect(AWAY, Pass);
    let mut before = History::of(3);
    PODS.iter().for_each(|pod| before.starts(pod));
    for pod in PODS {
        before.deleting(pod);
    }
    assert_snapshot!(before.expect(AWAY, Inconclusive), @"the template was not changed");
}

#[test]
fn a_lost_stretch_leaves_it_open() {
    let mut history = usual(|_| ());
    history.deleting("mysql-3");
    history.gap("Pod");
    history.deleting("mysql-2");
    history.expect(AWAY, Inconclusive);
    let mut after = usual(|_| ());
    after.deleting("mysql-3");
    after.deleting("mysql-2");
    after.gap("Pod");
    after.expect(AWAY, Fail);
}

#[test]
fn where_nothing_is_bounded_it_is_skipped() {
    assert_snapshot!(History::good_of(1).expect(AWAY, Skipped), @"the set has one pod: an update replaces all of them");
    let all = History::with(Subject { max_unavailable: 3, ..subject(3) });
    assert_snapshot!(all.expect(AWAY, Skipped), @"maxUnavailable allows all 3 pods to be replaced at once: Kubernetes v1.37.2 ≥ 1.37");
    History::with(Subject { on_delete: true, ..subject(3) }).expect(AWAY, Skipped);
}

#[test]
fn a_pod_above_the_set_is_none_of_the_update() {
    let mut history = usual(|history| history.starts("mysql-4"));
    history.deleting("mysql-3");
    history.deleting("mysql-4");
    history.expect(AWAY, Pass);
}

#[test]
fn a_pod_that_never_was_is_away() {
    let mut history =
        usual(|_| ()).without(|what| matches!(what, What::Object(it) if it.object["metadata"]["name"] == "mysql-0"));
    history.deleting("mysql-3");
    assert_snapshot!(history.expect(AWAY, Fail), @"mysql-3 was deleted at #25 while mysql-0 did not exist: 2 unavailable, and 1 may be (maxUnavailable is 1)");
}

#[test]
fn a_hold_excuses_no_other_pod() {
    let mut history = usual(|history| {
        history.held("mysql-0");
        history.unready("mysql-1");
    });
    history.pass_ms(60_000);
    history.deleting("mysql-3");
    let reason = history.expect(AWAY, Fail);
    assert!(reason.contains("while mysql-1 was not Ready: 2 unavailable"), "{reason}");
}
