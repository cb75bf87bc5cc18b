//! Containers that restart.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Act, EventType, Phase, Scenario, What};
use crate::history::History;

const RESTARTS: &str = "identity::containers_restart_only_when_disrupted";

fn end_of(scenario: Scenario) -> impl Fn(&What) -> bool + Copy {
    move |what| matches!(what, What::Step(it) if it.whole() == Some(scenario) && it.phase == Phase::End)
}

/// A good run in which, just before a record, the status of the pod with this UID changes.
fn changed(at: impl Fn(&What) -> bool, uid: &str, change: impl Fn(&mut Value)) -> History {
    let history = History::good();
    let place = history.records.iter().position(|record| at(&record.what)).expect("such a record");
    let event = history.records[..place].iter().rev().find_map(|record| match &record.what {
        What::Object(event) if event.object["metadata"]["uid"] == uid => Some(event.object.clone()),
        _ => None,
    });
    let mut object = event.expect("a pod");
    change(&mut object["status"]);
    history.preceded(at, |history| {
        history.object(EventType::Modified, "Pod", object);
    })
}

fn started(restarts: i64, code: i64, reason: &str) -> Value {
    let ended = json!({"terminated": {"exitCode": code, "reason": reason}});
    json!({"name": "mysql", "restartCount": restarts, "state": {"running": {}}, "lastState": ended})
}

/// A good run in which the server of a pod restarts at the end of a scenario.
fn again(scenario: Scenario, uid: &str) -> History {
    changed(end_of(scenario), uid, |status| status["containerStatuses"] = json!([started(5, 0, "Completed")]))
}

#[test]
fn containers_that_only_the_harness_had_start_again_pass() {
    assert_snapshot!(History::good().expect(RESTARTS, Pass), @"in 23 pods no container restarted except mysql of mysql-1 (uid 1.2) by `hold mysql-1 un-Ready` (#285), mysql of mysql-0 (uid 0.3) by `kill the server in mysql-0` (#298), mysql of mysql-0 (uid 0.4) by `hold mysql-0 un-Ready` (#530), mysql of mysql-0 (uid 0.6) by `cut the power of worker` (#1201), mysql of mysql-1 (uid 1.7) by `cut the power of worker` (#1202) … (9 in all)");
    History::good_of(1).expect(RESTARTS, Pass);
    History::good_twice().expect(RESTARTS, Pass);
    History::parallel().expect(RESTARTS, Pass);
}

#[test]
fn a_container_that_starts_again_of_itself_fails() {
    let killed = |status: &mut Value| status["containerStatuses"] = json!([started(3, 137, "OOMKilled")]);
    assert_snapshot!(changed(end_of(Scenario::Deploy), "0.1", killed).expect(RESTARTS, Fail), @"the container mysql of mysql-0 (uid 0.1) restarted in the scenario deploy (#113, restartCount 0 to 3): before, it ended with exit code 137 (OOMKilled)");
    // While other pods are disrupted.
    for (scenario, uid) in [
        (Scenario::Restart, "2.2"),
        (Scenario::ServerKill, "1.2"),
        (Scenario::Drain, "0.6"),
        (Scenario::DnsReplace, "0.6"),
        (Scenario::ApiserverKill, "1.7"),
    ] {
        let reason = again(scenario, uid).expect(RESTARTS, Fail);
        assert!(reason.contains(&format!("in the scenario {scenario}")), "{reason}");
    }
    let signalled = changed(end_of(Scenario::DeleteAll), "1.3", |status| {
        let ended = json!({"terminated": {"exitCode": 0, "signal": 9}});
        status["containerStatuses"] = json!([{"name": "mysql", "restartCount": 1, "lastState": ended}]);
    });
    assert!(signalled.expect(RESTARTS, Fail).contains("exit code 0 by signal 9"));
}

#[test]
fn containers_beside_the_server_count_too() {
    for part in ["containerStatuses", "initContainerStatuses"] {
        let beside = changed(end_of(Scenario::Unready), "1.2", |status| {
            let mut all = status[part].as_array().cloned().unwrap_or_default();
            all.push(json!({"name": "exporter", "restartCount": 1}));
            status[part] = json!(all);
        });
        let reason = beside.expect(RESTARTS, Fail);
        assert!(reason.contains("container exporter of mysql-1") && reason.contains("exit was not seen"), "{reason}");
    }
}

#[test]
fn an_act_explains_one_start() {
    // The primary's server is killed once, and crashes while it recovers.
    let twice = History::good().edit(|what| match what {
        What::Object(event) if event.object["metadata"]["uid"] == "0.3" => {
            if let Some(count) = event.object.pointer_mut("/status/containerStatuses/0/restartCount")
                && *count == 1
            {
                *count = json!(2);
            }
        }
        _ => {}
    });
    twice.expect(RESTARTS, Fail);
    let unkilled =
        History::good().without(|what| matches!(what, What::Fault(it) if matches!(it.act, Act::KillServer { .. })));
    unkilled.expect(RESTARTS, Fail);
    // After the end of the scenario in which it was held.
    let held =
        changed(end_of(Scenario::DeleteAll), "1.2", |status| status["containerStatuses"] = json!([started(2, 0, "")]));
    held.expect(RESTARTS, Fail);
}

#[test]
fn a_kill_explains_no_other_container() {
    let again = |what: &What| match what {
        What::Object(event) => {
            let count = event.object.pointer("/status/containerStatuses/0/restartCount");
            event.object["metadata"]["uid"] == "0.3" && count == Some(&json!(1))
        }
        _ => false,
    };
    let another = changed(again, "1.2", |status| status["containerStatuses"] = json!([started(2, 0, "")]));
    let reason = another.expect(RESTARTS, Fail);
    assert!(reason.starts_with("the container mysql of mysql-1"), "{reason}");
    let beside = changed(again, "0.3", |status| {
        let exporter = json!({"name": "exporter", "restartCount": 1});
        status["containerStatuses"].as_array_mut().expect("containers").push(exporter);
    });
    let reason = beside.expect(RESTARTS, Fail);
    assert!(reason.starts_with("the container exporter of mysql-0") && !reason.contains("mysql of"), "{reason}");
}

#[test]
fn a_node_that_was_disturbed_explains_what_starts_again_on_it() {
    for scenario in [Scenario::NodePause, Scenario::NodeStop] {
        again(scenario, "0.6").expect(RESTARTS, Pass);
        let elsewhere = again(scenario, "0.6").edit(|what| match what {
            What::Object(event) if event.object["metadata"]["uid"] == "0.6" => {
                event.object["spec"]["nodeName"] = json!("worker2");
            }
            _ => {}
        });
        elsewhere.expect(RESTARTS, Fail);
    }
    again(Scenario::ApiserverKill, "0.6").expect(RESTARTS, Fail);
    // Its scenario failed: the disturbance is undone only when the run ends.
    again(Scenario::ApiserverKill, "0.6")
        .failing(Scenario::NodeStop, "?")
        .without(|what| {
            end_of(Scenario::ApiserverKill)(what)
                || matches!(what, What::Step(step) if step.whole() == Some(Scenario::ApiserverKill))
        })
        .expect(RESTARTS, Pass);
}

#[test]
fn a_lost_stretch_of_the_pods_leaves_it_open() {
    History::good().lost("Pod", end_of(Scenario::Deploy)).expect(RESTARTS, Inconclusive);
    again(Scenario::Restart, "2.2").lost("Pod", end_of(Scenario::Restart)).expect(RESTARTS, Fail);
    let not_seen = History::good().preceded(end_of(Scenario::Restart), |history| {
        history.gap("Pod");
        let object = json!({
            "metadata": {"name": "mysql-2", "uid": "2.2", "labels": {}},
            "status": {"containerStatuses": [started(1, 0, "Completed")]},
        });
        history.object(EventType::Listed, "Pod", object);
    });
    not_seen.expect(RESTARTS, Inconclusive);
}

#[test]
fn pods_that_were_there_before_the_watch_have_their_own_past() {
    let before = History::good().edit(|what| match what {
        What::Object(event) if event.object["metadata"]["uid"] == "2.1" => {
            if event.event == EventType::Added {
                event.event = EventType::Listed;
            }
            event.object["status"]["containerStatuses"] = json!([started(4, 1, "Error")]);
        }
        _ => {}
    });
    before.expect(RESTARTS, Pass);
}

#[test]
fn containers_that_nobody_told_of_leave_it_open() {
    let silent = History::good().edit(|what| match what {
        What::Object(event) if event.object["metadata"]["name"] == "mysql-1" => {
            event.object["status"]["containerStatuses"] = json!(null);
        }
        _ => {}
    });
    assert_snapshot!(silent.expect(RESTARTS, Inconclusive), @"no container state of mysql-1 was seen");
}

#[test]
fn what_a_watch_tells_again_is_no_restart() {
    // An older state of a server whose restart all later events show.
    let old = changed(end_of(Scenario::ServerKill), "0.3", |status| {
        status["containerStatuses"] = json!([started(0, 0, "Completed")]);
    });
    old.expect(RESTARTS, Pass);
    // One more restart after it counts.
    let next = changed(end_of(Scenario::ServerKill), "0.3", |status| {
        status["containerStatuses"] = json!([started(2, 137, "Error")]);
    });
    next.expect(RESTARTS, Fail);
}
