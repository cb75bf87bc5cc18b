//! Order: right and wrong.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{EventType, Expect, Phase, PodManagement, Scenario, Subject, WaitOutcome, What};
use crate::history::{History, PODS, subject};

const STARTS: &str = "ordering::starts_in_ordinal_order";
const REVERSE: &str = "ordering::scales_down_in_reverse";
const ONE: &str = "ordering::at_most_one_pod_per_ordinal";

/// A run that deploys, with the pods that have started so far.
pub(super) fn started(pods: &[&str]) -> History {
    let mut history = History::of(3);
    history.step(Scenario::Deploy, Phase::Begin);
    pods.iter().for_each(|pod| history.starts(pod));
    history
}

#[test]
fn one_after_the_other_passes() {
    assert_snapshot!(started(&PODS).expect(STARTS, Pass), @"ADDED, each after all pods before it were Ready: mysql-0 at #3, mysql-1 at #8, mysql-2 at #13");
    History::good().expect(STARTS, Pass);
}

#[test]
fn a_pod_that_does_not_wait_fails() {
    assert_snapshot!(History::parallel().expect(STARTS, Fail), @"mysql-1 was ADDED at #9 while mysql-0 (uid 0.1) had never been Ready (#6–#8); mysql-2 was ADDED at #12 while mysql-0 (uid 0.1) had never been Ready (#6–#11)");
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
    assert_snapshot!(history.expect(STARTS, Inconclusive), @"race: mysql-2 was ADDED at #14 while mysql-0 (uid 0.1), Ready since #6, was no longer Ready");
}

#[test]
fn a_controller_knows_what_happened_a_while_ago() {
    let after = |ms: u64| {
        let mut history = started(&["mysql-0", "mysql-1"]);
        history.unready("mysql-0");
        history.pass_ms(ms);
        history.added("mysql-2");
        history
    };
    after(9_990).expect(STARTS, Inconclusive);
    assert_snapshot!(after(10_000).expect(STARTS, Fail), @"mysql-2 was ADDED at #14 while mysql-0 (uid 0.1), Ready since #6, was no longer Ready (#13), for 10.0 s");
    let mut going = started(&["mysql-0", "mysql-1"]);
    going.deleting("mysql-1");
    going.pass_ms(60_000);
    going.added("mysql-2");
    assert!(going.expect(STARTS, Fail).contains("was being deleted"));
}

#[test]
fn a_predecessor_that_has_just_gone_is_a_race() {
    let after = |ms: u64| {
        let mut history = started(&["mysql-0", "mysql-1"]);
        history.deleted("mysql-1");
        history.pass_ms(ms);
        history.added("mysql-2");
        history
    };
    assert_snapshot!(after(5).expect(STARTS, Inconclusive), @"race: mysql-2 was ADDED at #14 while mysql-1 (uid 1.1), Ready since #11, was gone");
    assert_snapshot!(after(20_000).expect(STARTS, Fail), @"mysql-2 was ADDED at #14 while mysql-1 did not exist");
}

#[test]
fn each_pod_is_created_in_the_scenario_that_creates_them() {
    let mut history = started(&["mysql-0", "mysql-1"]);
    history.step(Scenario::Deploy, Phase::End);
    history.starts("mysql-2");
    assert_snapshot!(history.expect(STARTS, Inconclusive), @"mysql-2 was created only after the scenario deploy (#14)");
}

/// A run in which a thousand pods are created at once, or one after the other.
fn a_thousand(at_once: bool) -> History {
    let mut history = History::with(Subject { claims: Vec::new(), ..subject(1_000) });
    history.step(Scenario::Deploy, Phase::Begin);
    for pod in history.pod_names() {
        history.added(&pod);
        if !at_once {
            history.ready(&pod);
        }
    }
    history
}

#[test]
fn many_pods_are_judged_in_one_go() {
    a_thousand(false).expect(STARTS, Pass);
    let reason = a_thousand(true).expect(STARTS, Fail);
    assert!(reason.ends_with("and 996 more like this"), "{reason}");
}

/// The same run with podManagementPolicy Parallel; `demanded` makes the run expect ordered pods all the same.
fn in_parallel(history: &History, demanded: bool) -> History {
    history.clone().edit(|what| {
        if let What::Run(run) = what {
            run.subject.pod_management = PodManagement::Parallel;
            run.expect = if demanded { vec![Expect::OrderedReady] } else { Vec::new() };
        }
    })
}

#[test]
fn there_is_no_order_where_the_set_asks_for_none() {
    let history = History::parallel();
    let skipped = [STARTS, REVERSE, "ordering::halts_while_predecessor_unready"];
    let reasons = skipped.map(|id| in_parallel(&history, false).expect(id, Skipped));
    assert!(reasons.iter().all(|reason| *reason == reasons[0]));
    assert_snapshot!(reasons[0], @"podManagementPolicy is Parallel: no pod has to wait for another (`--expect ordered-ready` demands that they do)");
    in_parallel(&history, true).expect(STARTS, Fail);
    in_parallel(&History::good(), true).expect(REVERSE, Pass);
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
    assert_snapshot!(history.expect(STARTS, Fail), @"mysql-2 was never created: `every pod Ready` was not reached within 300.0 s; last seen: mysql-1 Running, not Ready (#12)");
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
    assert_snapshot!(waiting(full, WaitOutcome::Expired).expect(STARTS, Inconclusive), @"infrastructure: mysql-2 was never created: `mysql-1 Ready` was not reached within 300.0 s; last seen: Pending, not Ready, 0/3 nodes are available: 3 Insufficient memory (#11)");
    let crashed = "Running, not Ready, CrashLoopBackOff";
    waiting(crashed, WaitOutcome::Expired).expect(STARTS, Fail);
    waiting("", WaitOutcome::Impossible(crashed.into())).expect(STARTS, Fail);
}

#[test]
fn a_lost_stretch_leaves_the_order_open() {
    let mut history = started(&["mysql-0", "mysql-1"]);
    history.gap("Pod");
    history.starts("mysql-2");
    assert_snapshot!(history.expect(STARTS, Inconclusive), @"the Pod watch has a gap at #13: 410 Gone: too old resource version");
    let mut later = started(&PODS);
    later.gap("Pod");
    later.expect(STARTS, Pass);
    let mut other = started(&["mysql-0"]);
    other.gap("PersistentVolumeClaim");
    ["mysql-1", "mysql-2"].iter().for_each(|pod| other.starts(pod));
    other.expect(STARTS, Pass);
}

#[test]
fn one_bearer_at_a_time_passes() {
    assert_snapshot!(History::good().expect(ONE, Pass), @"pods of each name, one after the other: mysql-0 6, mysql-1 7, mysql-2 9");
}

#[test]
fn a_name_that_had_one_bearer_shows_nothing() {
    let mut history = started(&PODS);
    PODS[1..].iter().for_each(|pod| history.replaced(pod));
    assert_snapshot!(history.expect(ONE, Inconclusive), @"mysql-0 was never replaced (#3), so no other pod could have had its name");
}

#[test]
fn two_bearers_of_one_name_fail() {
    let mut history = started(&PODS);
    history.deleting("mysql-1");
    history.added("mysql-1");
    history.deleted("1.1");
    assert_snapshot!(history.expect(ONE, Fail), @"uid 1.2 had the name mysql-1 from #19 while uid 1.1 was gone only at #20");
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

#[test]
fn a_pod_that_was_there_before_the_deployment_was_not_created_in_it() {
    let mut history = History::of(3);
    history.starts("mysql-0");
    history.step(Scenario::Deploy, Phase::Begin);
    PODS[1..].iter().for_each(|pod| history.starts(pod));
    history.step(Scenario::Deploy, Phase::End);
    assert_eq!(history.expect(STARTS, Inconclusive), "mysql-0 was not seen to be created");
}
