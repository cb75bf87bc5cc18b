//! Pods that must be Ready for a while: right and wrong.

use insta::assert_snapshot;
use serde_json::json;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, EventType, Phase, PodManagement, Scenario, Subject, What};
use crate::history::{History, PODS, subject};

const WAITS: &str = "ordering::waits_for_min_ready_seconds";

/// A set with minReadySeconds 10.
fn wanting(subject: Subject) -> Subject {
    Subject { min_ready_seconds: 10, ..subject }
}

/// Three pods, each of which is created this long after the one before it became Ready.
fn started(subject: Subject, apart_ms: u64) -> History {
    let mut history = History::with(wanting(subject));
    history.step(Scenario::Deploy, Phase::Begin);
    for pod in PODS {
        history.starts(pod);
        history.pass_ms(apart_ms);
    }
    history.step(Scenario::Deploy, Phase::End);
    history
}

/// The pods are updated, each deleted this long after the one above it became Ready.
fn rolled(mut history: History, apart_ms: u64) -> History {
    history.step(Scenario::Roll, Phase::Begin);
    history.fault(Act::Roll { partition: 0 });
    history.template("rev-2");
    for pod in PODS.iter().rev() {
        history.replaced(pod);
        history.pass_ms(apart_ms);
    }
    history.step(Scenario::Roll, Phase::End);
    history
}

#[test]
fn who_waits_as_long_passes() {
    assert_snapshot!(rolled(started(subject(3), 10_000), 10_000).expect(WAITS, Pass), @"minReadySeconds is 10; of the pods, 4 were created, the soonest after 10.0 s; 2 were deleted, the soonest after 10.0 s");
    // The condition's time has whole seconds, and the watch is a little late.
    rolled(started(subject(3), 8_510), 8_510).expect(WAITS, Pass);
    History::good_and_patient(3, 3_000).expect(WAITS, Pass);
}

#[test]
fn who_comes_earlier_fails() {
    assert_snapshot!(rolled(started(subject(3), 8_400), 10_000).expect(WAITS, Fail), @"mysql-1 was ADDED at #8, when mysql-0, Ready since #6, had been Ready for 8.4 s of 10 s; mysql-2 was ADDED at #13, when mysql-1, Ready since #11, had been Ready for 8.4 s of 10 s");
    assert_snapshot!(rolled(started(subject(3), 10_000), 8_400).expect(WAITS, Fail), @"mysql-1 was deleted at #27, when mysql-2, Ready since #25, had been Ready for 8.4 s of 10 s; mysql-0 was deleted at #32, when mysql-1, Ready since #30, had been Ready for 8.4 s of 10 s");
    // The same if the set is scaled up, or a pod comes back.
    let mut back = rolled(started(subject(3), 10_000), 10_000);
    back.unready("mysql-1");
    back.pass_ms(60_000);
    back.ready("mysql-1");
    back.goes("mysql-2");
    back.added("mysql-2");
    assert_snapshot!(back.expect(WAITS, Fail), @"mysql-2 was ADDED at #42, when mysql-1, Ready since #39, had been Ready for 0.8 s of 10 s");
}

#[test]
fn a_pod_that_was_not_ready_for_a_moment_is_a_race() {
    let mut history = rolled(started(subject(3), 10_000), 10_000);
    history.goes("mysql-2");
    history.unready("mysql-1");
    history.ready("mysql-1");
    history.added("mysql-2");
    assert_snapshot!(history.expect(WAITS, Inconclusive), @"race: mysql-2 was ADDED at #42, when mysql-1, Ready since #41, had been Ready for 0.0 s of 10 s after a moment in which it was not");
}

/// The same history with timestamps in the objects: Ready at one second, creation or deletion at another.
fn telling(history: History, ready_s: u32, asked_s: u32) -> History {
    let time = |second: u32| json!(format!("2027-01-15T08:00:{second:02}Z"));
    history.edit(|what| {
        let What::Object(event) = what else { return };
        if event.object_kind != "Pod" {
            return;
        }
        if event.event == EventType::Added {
            event.object["metadata"]["creationTimestamp"] = time(asked_s);
        }
        if event.object["metadata"]["deletionTimestamp"].is_string() {
            event.object["metadata"]["deletionTimestamp"] = time(asked_s + 30);
            event.object["metadata"]["deletionGracePeriodSeconds"] = json!(30);
        }
        if event.object["status"]["conditions"].is_array() {
            event.object["status"]["conditions"][0]["lastTransitionTime"] = time(ready_s);
        }
    })
}

#[test]
fn a_log_that_was_late_leaves_it_open() {
    for history in [rolled(started(subject(3), 100), 10_000), rolled(started(subject(3), 10_000), 100)] {
        telling(history.clone(), 5, 14).expect(WAITS, Inconclusive);
        telling(history, 5, 13).expect(WAITS, Fail);
    }
    // If the log shows enough time, the timestamps do not matter.
    telling(rolled(started(subject(3), 10_000), 10_000), 5, 5).expect(WAITS, Pass);
}

#[test]
fn what_was_not_seen_leaves_it_open() {
    assert_snapshot!(started(subject(3), 10_000).expect(WAITS, Inconclusive), @"no pod was deleted after another pod had become Ready");
    assert_snapshot!(History::with(wanting(subject(3))).expect(WAITS, Inconclusive), @"no pod was created after another pod had become Ready; no pod was deleted after another pod had become Ready");
    let mut lost = rolled(started(subject(3), 10_000), 10_000);
    lost.gap("Pod");
    lost.expect(WAITS, Inconclusive);
}

#[test]
fn only_what_has_to_wait_is_judged() {
    let without_updates = Subject { on_delete: true, ..subject(3) };
    started(without_updates, 10_000).expect(WAITS, Pass);
    // With Parallel creations need not wait; updates must in versions that honour minReadySeconds for them.
    let parallel = || Subject { pod_management: PodManagement::Parallel, ..subject(3) };
    rolled(started(parallel(), 100), 10_000).expect(WAITS, Pass);
    rolled(started(parallel(), 10_000), 100).expect(WAITS, Fail);
    let before = |version: &str| {
        rolled(started(parallel(), 100), 100).edit(|what| {
            if let What::Run(run) = what {
                version.clone_into(&mut run.kubernetes);
            }
        })
    };
    assert_snapshot!(before("v1.33.0").expect(WAITS, Skipped), @"neither creations nor updates have to wait for it");
    assert_snapshot!(before("v1.22.0").expect(WAITS, Skipped), @"minReadySeconds is not honoured: Kubernetes v1.22.0 < 1.23");
    before("v1.34.0").expect(WAITS, Fail);
    // If several pods may be updated at once, none must wait.
    let several = Subject { max_unavailable: 2, ..subject(3) };
    rolled(started(several, 10_000), 100).expect(WAITS, Pass);
}

#[test]
fn where_nothing_is_to_be_waited_for_it_is_skipped() {
    assert_snapshot!(History::good().expect(WAITS, Skipped), @"minReadySeconds is 0: pods wait only for Ready");
    assert_snapshot!(History::with(wanting(subject(1))).expect(WAITS, Skipped), @"the set has one pod: no pod waits for it");
}

#[test]
fn one_pod_that_follows_an_update_waits_for_nobody() {
    let last_only = Subject { pod_management: PodManagement::Parallel, partition: 2, ..subject(3) };
    assert_snapshot!(started(last_only, 100).expect(WAITS, Skipped), @"neither creations nor updates have to wait for it");
}

#[test]
fn whom_the_harness_deletes_in_an_update_waits_for_nobody() {
    let mut history = started(subject(3), 10_000);
    history.step(Scenario::Roll, Phase::Begin);
    history.fault(Act::Roll { partition: 0 });
    history.template("rev-2");
    history.replaced("mysql-2");
    history.pass_ms(10_000);
    history.replaced("mysql-1");
    let uid = history.uid("mysql-0");
    history.fault(Act::DeletePod { pod: "mysql-0".into(), uid, grace_s: None });
    history.goes("mysql-0");
    history.added("mysql-0");
    history.expect(WAITS, Pass);
}
