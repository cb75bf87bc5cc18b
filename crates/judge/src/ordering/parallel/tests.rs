//! Pods that need not wait for one another: right and wrong.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Expect, Phase, PodManagement, Scenario, Subject, What};
use crate::history::{History, PODS, subject};

const PARALLEL: &str = "ordering::parallel_pods_do_not_wait";

/// A set of three pods that is scaled to one, which is held, and then to three again.
fn growing(mut history: History) -> History {
    history.scaled_down_in_parallel(100);
    history.held("mysql-0");
    history.fault(Act::Scale { from: 1, to: 3 });
    history.scaled(3);
    history
}

/// The other pods are created beside the held one, and all become Ready.
fn grown(history: History) -> History {
    let mut history = growing(history);
    PODS[1..].iter().for_each(|pod| drop(history.added(pod)));
    history.released("mysql-0");
    history
}

/// Pods that are created one after the other, each this long after the one before it became Ready.
fn one_by_one(pods: &[&str], apart_ms: u64) -> History {
    let mut history = History::begun_in_parallel();
    for pod in pods {
        history.starts(pod);
        history.pass_ms(apart_ms);
    }
    history.step(Scenario::Deploy, Phase::End);
    history
}

#[test]
fn pods_that_come_and_go_at_once_pass() {
    assert_snapshot!(History::good_in_parallel().expect(PARALLEL, Pass), @"5 pods were created, and surplus pods deleted, without waiting");
    grown(History::deployed_in_parallel()).expect(PARALLEL, Pass);
}

#[test]
fn pods_that_come_one_after_the_other_fail() {
    assert_snapshot!(one_by_one(&PODS, 0).expect(PARALLEL, Fail), @"mysql-1 could be created from #4 on, another pod became Ready, and mysql-1 was created at #9, 0.0 s later (#7); mysql-2 could be created from #9 on, another pod became Ready, and mysql-2 was created at #14, 0.0 s later (#12)");
}

#[test]
fn a_controller_that_is_slow_is_no_violation() {
    let mut history = History::begun_in_parallel();
    history.added("mysql-0");
    history.added("mysql-1");
    history.pass_ms(1_500);
    history.ready("mysql-0");
    history.added("mysql-2");
    history.ready("mysql-1");
    history.step(Scenario::Deploy, Phase::End);
    // Once may be chance.
    assert_snapshot!(grown(history).expect(PARALLEL, Inconclusive), @"mysql-2 could be created from #7 on, another pod became Ready, and mysql-2 was created at #11, 0.0 s later (#10)");
    // A pod that follows much later has another reason.
    let late = grown(one_by_one(&PODS, 5_000)).expect(PARALLEL, Inconclusive);
    assert!(late.contains("5.0 s later"), "{late}");
    // Many pods take their time, while others are Ready already.
    let mut many = History::with(Subject { pod_management: PodManagement::Parallel, ..subject(40) });
    many.step(Scenario::Deploy, Phase::Begin);
    for pod in 0..40 {
        many.added(&format!("mysql-{pod}"));
        many.pass_ms(100);
        if pod >= 20 {
            many.ready(&format!("mysql-{}", pod - 20));
        }
    }
    many.step(Scenario::Deploy, Phase::End);
    let reason = many.expect(PARALLEL, Inconclusive);
    assert!(!reason.contains("became Ready"), "{reason}");
}

#[test]
fn a_stuck_first_pod_stops_nobody() {
    let stuck = |pods: &[&str]| {
        let mut history = History::begun_in_parallel();
        history.stuck("mysql-0");
        pods.iter().for_each(|pod| drop(history.added(pod)));
        history.pass_ms(1_500);
        for pod in pods {
            history.ready(pod);
        }
        history.expired("mysql-0 Ready", "Running, not Ready, CrashLoopBackOff");
        history.step(Scenario::Deploy, Phase::Failed("mysql-0 was not Ready".into()));
        history
    };
    assert_snapshot!(stuck(&[]).expect(PARALLEL, Fail), @"mysql-1 was not created: `mysql-0 Ready` was not reached within 300.0 s; last seen: Running, not Ready, CrashLoopBackOff (#8); mysql-2 was not created: `mysql-0 Ready` was not reached within 300.0 s; last seen: Running, not Ready, CrashLoopBackOff (#8)");
    let beside = stuck(&PODS[1..]).expect(PARALLEL, Inconclusive);
    assert!(!beside.contains("created"), "{beside}");
}

#[test]
fn pods_come_beside_a_held_one() {
    let mut waited = growing(History::deployed_in_parallel());
    waited.expired("mysql-1 created", "there is no such pod");
    waited.released("mysql-0");
    PODS[1..].iter().for_each(|pod| drop(waited.added(pod)));
    assert_snapshot!(waited.expect(PARALLEL, Fail), @"mysql-1 was not created while mysql-0 was held unready (#122–#127): `mysql-1 created` was not reached within 300.0 s; last seen: there is no such pod (#125); mysql-2 was not created while mysql-0 was held unready (#122–#127): `mysql-1 created` was not reached within 300.0 s; last seen: there is no such pod (#125)");
    // Without a wait for them it may be chance.
    let mut not_seen = growing(History::deployed_in_parallel());
    not_seen.released("mysql-0");
    PODS[1..].iter().for_each(|pod| drop(not_seen.added(pod)));
    not_seen.expect(PARALLEL, Inconclusive);
    let mut not_held = History::deployed_in_parallel();
    not_held.scaled_down_in_parallel(100);
    assert!(not_held.expect(PARALLEL, Inconclusive).contains("no pod was held"));
}

/// A set of four pods that is scaled to one.
fn four_of_which_one_stays() -> History {
    let mut four = History::with(Subject { pod_management: PodManagement::Parallel, ..subject(4) });
    four.step(Scenario::Deploy, Phase::Begin);
    let pods = four.pod_names();
    pods.iter().for_each(|pod| drop(four.added(pod)));
    four.all_ready(&pods);
    four.step(Scenario::Deploy, Phase::End);
    four.fault(Act::Scale { from: 4, to: 1 });
    four
}

#[test]
fn surplus_pods_go_together() {
    let mut one_by_one = History::deployed_in_parallel();
    one_by_one.step(Scenario::Scale, Phase::Begin);
    one_by_one.fault(Act::Scale { from: 3, to: 1 });
    one_by_one.scaled(1);
    one_by_one.goes("mysql-2");
    one_by_one.goes("mysql-1");
    let reason = one_by_one.expect(PARALLEL, Inconclusive);
    assert!(reason.contains("each surplus pod was deleted when the next higher pod was gone"), "{reason}");
    let mut four = four_of_which_one_stays();
    let mut kept = four.clone();
    for pod in ["mysql-3", "mysql-2", "mysql-1"] {
        four.goes(pod);
    }
    let reason = four.expect(PARALLEL, Fail);
    assert!(reason.contains("another pod was gone"), "{reason}");
    kept.goes("mysql-3");
    kept.expired("mysql-2 gone", "Running, Ready");
    assert!(kept.expect(PARALLEL, Fail).contains("mysql-2 was not deleted"));
}

#[test]
fn who_is_deleted_comes_back() {
    let deleted = |wait: bool| {
        let mut history = grown(History::deployed_in_parallel());
        history.step(Scenario::Scale, Phase::End);
        let uid = history.uid("mysql-2");
        let act = Act::DeletePod { pod: "mysql-2".into(), uid, grace_s: None };
        history.fault(act.clone());
        let gone = history.goes("mysql-2");
        history.proved(act, gone);
        if wait {
            history.expired("mysql-2 Ready under a new UID", "there is no such pod");
        }
        history
    };
    assert_snapshot!(deleted(true).expect(PARALLEL, Fail), @"mysql-2, deleted at #131, did not come back: `mysql-2 Ready under a new UID` was not reached within 300.0 s; last seen: there is no such pod (#135)");
    let mut back = deleted(false);
    back.added("mysql-2");
    back.expect(PARALLEL, Pass);
}

#[test]
fn a_pod_waits_for_its_own_name() {
    // All are deleted at once, and each comes back when its name is free.
    let mut history = grown(History::deployed_in_parallel());
    history.step(Scenario::Scale, Phase::End);
    history.fault(Act::DeleteAllPods);
    for pod in PODS {
        history.deleting(pod);
    }
    for pod in PODS {
        history.pass_ms(4_000);
        history.deleted(pod);
        history.added(pod);
        history.pass_ms(1_000);
        history.ready(pod);
    }
    history.expect(PARALLEL, Pass);
}

#[test]
fn a_lost_stretch_leaves_it_open() {
    let mut history = grown(History::deployed_in_parallel());
    history.gap("Pod");
    history.expect(PARALLEL, Inconclusive);
}

#[test]
fn a_set_whose_pods_have_to_wait_is_not_judged() {
    assert_snapshot!(History::good().expect(PARALLEL, Skipped), @"podManagementPolicy is OrderedReady: pods have to wait for one another");
    let demanded = History::good_in_parallel().edit(|what| {
        if let What::Run(run) = what {
            run.expect = vec![Expect::OrderedReady];
        }
    });
    assert_snapshot!(demanded.expect(PARALLEL, Skipped), @"the run demands that pods come in order (`--expect ordered-ready`)");
    let alone = History::with(Subject { pod_management: PodManagement::Parallel, ..subject(1) });
    assert_snapshot!(alone.expect(PARALLEL, Skipped), @"the set has one pod: there is no other pod to wait for");
}

#[test]
fn a_start_in_which_nobody_stood_in_the_way_shows_nothing() {
    let mut history = History::begun_in_parallel();
    for pod in PODS {
        history.added(pod);
        history.ready(pod);
    }
    history.step(Scenario::Deploy, Phase::End);
    let reason = grown(history).expect(PARALLEL, Inconclusive);
    assert_eq!(reason, "in the scenario deploy each pod was created while all others were Ready, which proves nothing");
}

#[test]
fn a_pod_that_was_there_before_the_deployment_was_not_created_in_it() {
    let mut history = History::with(Subject { pod_management: PodManagement::Parallel, ..subject(3) });
    history.added("mysql-1");
    history.step(Scenario::Deploy, Phase::Begin);
    ["mysql-0", "mysql-2"].iter().for_each(|pod| drop(history.added(pod)));
    history.all_ready(&PODS.map(str::to_owned));
    history.step(Scenario::Deploy, Phase::End);
    assert_eq!(grown(history).expect(PARALLEL, Inconclusive), "mysql-1 was not seen to be created");
}

#[test]
fn a_pod_is_wanted_from_when_it_was_asked_for() {
    let ready_again = |history: &mut History, pod: &str| {
        history.unready(pod);
        history.pass_ms(2_000);
        history.ready(pod);
    };
    // Others became Ready just before the set was scaled up.
    let mut up = grown(History::deployed_in_parallel());
    up.all_ready(&PODS[1..].iter().map(|&pod| pod.to_owned()).collect::<Vec<_>>());
    up.fault(Act::Scale { from: 3, to: 4 });
    up.added("mysql-3");
    up.expect(PARALLEL, Pass);
    let mut back = History::deployed_in_parallel();
    back.scaled_down_in_parallel(100);
    ready_again(&mut back, "mysql-0");
    back.fault(Act::Scale { from: 1, to: 3 });
    PODS[1..].iter().for_each(|pod| drop(back.added(pod)));
    let reason = back.expect(PARALLEL, Inconclusive);
    assert!(!reason.contains("became Ready"), "{reason}");
}

#[test]
fn one_surplus_pod_has_nobody_to_wait_for() {
    let mut history = History::deployed_in_parallel();
    history.step(Scenario::Scale, Phase::Begin);
    history.fault(Act::Scale { from: 3, to: 2 });
    history.goes("mysql-2");
    let reason = history.expect(PARALLEL, Inconclusive);
    assert!(!reason.contains("each surplus pod"), "{reason}");
}

#[test]
fn a_pod_that_is_gone_before_it_was_told_to_go_holds_up_nobody() {
    let mut history = four_of_which_one_stays();
    history.deleted("mysql-3");
    history.pass_ms(600);
    history.deleting("mysql-2");
    history.deleting("mysql-1");
    history.deleted("mysql-2");
    history.deleted("mysql-1");
    assert_eq!(history.expect(PARALLEL, Inconclusive), "no pod was held unready in the scenario scale");
}

#[test]
fn a_pod_above_the_set_is_not_wanted_before_it_is_asked_for() {
    let mut history = History::deployed_in_parallel();
    history.fault(Act::Scale { from: 3, to: 4 });
    history.added("mysql-3");
    let reason = history.expect(PARALLEL, Inconclusive);
    assert!(!reason.contains("became Ready"), "{reason}");
}
