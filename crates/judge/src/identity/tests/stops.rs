//! Servers that are told to stop.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Act, EventType, Fault, Phase, Scenario, What};
use crate::history::{History, PODS};

const STOPS: &str = "identity::servers_stop_within_their_grace";

fn gone(what: &What, uid: &str) -> bool {
    matches!(what, What::Object(event) if event.event == EventType::Deleted && event.object["metadata"]["uid"] == uid)
}

/// A good run in which the event that shows a pod gone has another state of its server.
fn ending(uid: &str, state: &Value) -> History {
    History::good().edit(|what| {
        if gone(what, uid)
            && let What::Object(event) = what
        {
            event.object["status"]["containerStatuses"][0]["state"] = state.clone();
        }
    })
}

fn exit(code: i64, reason: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason}})
}

#[test]
fn servers_that_end_by_themselves_pass() {
    assert_snapshot!(History::good().expect(STOPS, Pass), @"each server that was told to stop exited with 0 within its grace period: mysql-0 (5 times, after 0.8 s at most), mysql-1 (7 times, after 0.8 s at most), mysql-2 (8 times, after 0.8 s at most), mysql-3 (once, after 0.8 s at most)");
    History::good_of(1).expect(STOPS, Pass);
    History::good_twice().expect(STOPS, Pass);
}

#[test]
fn a_server_that_has_to_be_killed_fails_whoever_deleted_its_pod() {
    for (uid, scenario) in [
        ("1.1", Scenario::Restart),
        ("1.2", Scenario::DeleteAll),
        ("2.3", Scenario::Scale),
        ("3.1", Scenario::Grow),
        ("2.4", Scenario::Roll),
        ("0.5", Scenario::Roll),
        ("2.7", Scenario::Drain),
        ("2.8", Scenario::Claims),
        ("0.6", Scenario::Teardown),
    ] {
        let reason = ending(uid, &exit(137, "Error")).expect(STOPS, Fail);
        assert!(reason.contains(&format!("in the scenario {scenario}")), "{uid}: {reason}");
    }
    assert_snapshot!(ending("1.1", &exit(137, "Error")).expect(STOPS, Fail), @"the server of mysql-1 (uid 1.1), told to stop in the scenario restart (#182) with a grace period of 30 s, ended with exit code 137 (Error) (#183)");
    for code in [1, 143] {
        ending("2.1", &exit(code, "Error")).expect(STOPS, Fail);
    }
}

#[test]
fn servers_that_were_not_asked_to_end_are_not_judged() {
    // Without grace period.
    ending("0.2", &exit(137, "Error")).expect(STOPS, Pass);
    // A pod that could not start.
    let state = json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}});
    ending("2.6", &state).expect(STOPS, Pass);
    // A server that has not been Ready since its restart.
    let unready = ending("1.2", &exit(137, "Error")).edit(|what| match what {
        What::Object(event) if event.object["metadata"]["uid"] == "1.2" => {
            let restarts = event.object.pointer("/status/containerStatuses/0/restartCount");
            if restarts.is_some_and(|restarts| *restarts == 1) {
                event.object["status"]["conditions"] = json!([]);
            }
        }
        _ => {}
    });
    unready.expect(STOPS, Pass);
    // A server that had ended before its pod terminated.
    let mut early = exit(1, "Error");
    early["terminated"]["finishedAt"] = json!("2027-01-15T07:00:00Z");
    ending("1.2", &early).expect(STOPS, Pass);
}

/// Two pods, of which the last one is killed at its end after something happened to it.
fn killed_after(happening: impl FnOnce(&mut History)) -> History {
    let mut history = History::of(2);
    PODS[..2].iter().for_each(|pod| history.starts(pod));
    history.goes("mysql-0");
    history.starts("mysql-0");
    happening(&mut history);
    history.deleting("mysql-1");
    history.server_ends("mysql-1", 137);
    history.deleted("mysql-1");
    history
}

#[test]
fn a_server_serves_until_it_is_started_again() {
    killed_after(|_| ()).expect(STOPS, Fail);
    // Its probe failed, and it kept running.
    killed_after(|history| {
        history.unready("mysql-1");
    })
    .expect(STOPS, Fail);
    killed_after(|history| {
        history.server_starts_again("mysql-1", 1);
        history.unready("mysql-1");
    })
    .expect(STOPS, Inconclusive);
}

#[test]
fn a_deletion_without_grace_asks_nobody_to_end() {
    let killed = killed_after(|_| ()).edit(|what| {
        if let What::Object(event) = what
            && event.object["metadata"]["uid"] == "1.1"
            && event.object["metadata"]["deletionTimestamp"].is_string()
        {
            event.object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            event.object["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
        }
    });
    killed.expect(STOPS, Inconclusive);
}

#[test]
fn a_grace_period_that_was_cut_short_is_none() {
    let cut = ending("2.3", &exit(137, "Error")).preceded(
        |what| gone(what, "2.3"),
        |history| {
            let metadata = json!({
                "name": "mysql-2", "uid": "2.3",
                "deletionTimestamp": "2027-01-15T08:00:00Z", "deletionGracePeriodSeconds": 0,
            });
            let server = json!({"name": "mysql", "restartCount": 0, "state": {"running": {}}});
            let object = json!({"metadata": metadata, "status": {"containerStatuses": [server]}});
            history.object(EventType::Modified, "Pod", object);
        },
    );
    cut.expect(STOPS, Pass);
}

#[test]
fn a_node_that_is_stopped_ends_nobody_well() {
    let drained = |what: &What| matches!(what, What::Fault(it) if matches!(it.act, Act::Drain { .. }));
    let stopping = |node: &str| {
        ending("2.7", &exit(137, "Error")).preceded(drained, |history| {
            history.fault(Act::StopNode { node: node.into() });
        })
    };
    stopping("worker").expect(STOPS, Pass);
    stopping("worker2").expect(STOPS, Fail);
}

#[test]
fn a_server_that_is_held_must_end_well_too() {
    let held = History::good().edit(|what| match what {
        What::Object(event) if event.object["metadata"]["uid"] == "1.2" => {
            if let Some(code) = event.object.pointer_mut("/status/containerStatuses/0/lastState/terminated/exitCode") {
                *code = json!(137);
            }
        }
        _ => {}
    });
    assert_snapshot!(held.expect(STOPS, Fail), @"the server of mysql-1, told to stop because its image was taken away, ended with exit code 137 (Completed) (#285)");
}

#[test]
fn an_end_that_comes_late_by_the_clock_leaves_it_open() {
    let mut late = exit(0, "Completed");
    late["terminated"]["finishedAt"] = json!("2027-01-15T09:00:00Z");
    let reason = ending("1.1", &late).expect(STOPS, Inconclusive);
    assert!(reason.contains("s after the grace period"), "{reason}");
}

/// A good run that ends this long after mysql-2 began to terminate.
fn still_there(after_ms: u64) -> History {
    let mut history = History::good();
    let place = history.records.iter().position(|record| gone(&record.what, "2.1")).expect("an end");
    history.records.truncate(place);
    let ended = history.records.last().map_or(0, |last| last.at_us);
    history.step(Scenario::Restart, Phase::Failed("mysql-2 did not go".into()));
    if let Some(last) = history.records.last_mut() {
        last.at_us = ended + after_ms * 1_000;
    }
    history
}

#[test]
fn a_server_that_does_not_end_fails() {
    assert_snapshot!(still_there(120_000).expect(STOPS, Fail), @"the server of mysql-2 (uid 2.1), told to stop in the scenario restart (#149) with a grace period of 30 s, was not seen to exit in 120.0 s");
    still_there(60_000).expect(STOPS, Inconclusive);
    let at_the_end = |what: &What| matches!(what, What::Step(step) if matches!(step.phase, Phase::Failed(_)));
    still_there(120_000).lost("Pod", at_the_end).expect(STOPS, Inconclusive);
}

#[test]
fn an_end_may_be_seen_a_minute_after_the_grace_period_and_no_later() {
    let told = |what: &What| {
        matches!(what, What::Object(event) if event.object["metadata"]["uid"] == "2.1"
            && event.object["metadata"]["deletionTimestamp"].is_string())
    };
    let ended_after = |us: u64| {
        let mut history = History::good();
        let asked = history.records.iter().find(|record| told(&record.what)).expect("a deletion").at_us;
        let place = history.records.iter().position(|record| gone(&record.what, "2.1")).expect("an end");
        let later = asked + us - history.records[place].at_us;
        history.records[place..].iter_mut().for_each(|record| record.at_us += later);
        history
    };
    ended_after(90_000_000).expect(STOPS, Pass);
    let reason = ended_after(90_000_001).expect(STOPS, Fail);
    assert!(reason.contains("was seen to end after 90.0 s"), "{reason}");
}

#[test]
fn three_seconds_beyond_the_deadline_are_a_matter_of_rounding() {
    let late = |seconds: i64| {
        History::good().edit(|what| {
            if gone(what, "1.1")
                && let What::Object(event) = what
            {
                let deadline = event.object["metadata"]["deletionTimestamp"].as_str().expect("a deadline");
                let deadline: jiff::Timestamp = deadline.parse().expect("a time");
                let finished = (deadline + jiff::SignedDuration::from_secs(seconds)).to_string();
                let state = json!({"exitCode": 0, "reason": "Completed", "finishedAt": finished});
                event.object["status"]["containerStatuses"][0]["state"] = json!({"terminated": state});
            }
        })
    };
    late(3).expect(STOPS, Pass);
    assert!(late(4).expect(STOPS, Inconclusive).contains("ended 4 s after the grace period"));
}

#[test]
fn ends_that_were_not_seen_leave_it_open_where_none_was() {
    let not_seen = |only: Option<&'static str>| {
        History::good().edit(move |what| match what {
            What::Object(event)
                if event.event == EventType::Deleted
                    && event.object["metadata"]["name"] == "mysql-1"
                    && only.is_none_or(|uid| event.object["metadata"]["uid"] == uid) =>
            {
                event.object["status"] = json!({});
            }
            _ => {}
        })
    };
    not_seen(Some("1.1")).expect(STOPS, Pass);
    assert_snapshot!(not_seen(None).expect(STOPS, Inconclusive), @"no exit of the server of mysql-1 after a stop request was seen");
    let untold = History::good().edit(|what| match what {
        What::Object(event) if event.object_kind == "Pod" => event.object["status"]["containerStatuses"] = json!(null),
        _ => {}
    });
    untold.expect(STOPS, Inconclusive);
    not_seen(None)
        .lost("Pod", |what| matches!(what, What::Fault(Fault { act: Act::Teardown, .. })))
        .expect(STOPS, Inconclusive);
}

#[test]
fn what_happens_to_a_node_later_explains_no_bad_end() {
    let uid = "2.1";
    let ends = |code: i64| {
        let killed = History::good().preceded(
            |what| gone(what, uid),
            |history| {
                let metadata = json!({
                    "name": "mysql-2", "uid": uid,
                    "deletionTimestamp": "2027-01-15T08:00:40Z", "deletionGracePeriodSeconds": 30,
                });
                let server = json!({"name": "mysql", "restartCount": 0, "state": exit(code, "Error")});
                let object = json!({"metadata": metadata, "status": {"containerStatuses": [server]}});
                history.object(EventType::Modified, "Pod", object);
            },
        );
        killed.without(move |what| gone(what, uid))
    };
    // The deletion is not proved if nobody saw the pod gone, so the catalogue revokes a pass.
    let stops = |history: &History| history.judge(STOPS).verdict;
    assert_eq!(stops(&ends(143)), Fail);
    assert_eq!(stops(&ends(0)), Pass);
    // A later cause does not explain that the server had not ended long before.
    let mut never = History::good();
    let place = never.records.iter().position(|record| gone(&record.what, uid)).expect("an end");
    never.records[place..].iter_mut().for_each(|record| record.at_us += 120_000_000);
    assert_eq!(stops(&never.without(move |what| gone(what, uid))), Fail);
}

#[test]
fn a_node_that_is_stopped_before_patience_is_over_explains_a_server_that_does_not_end() {
    let mut history = still_there(90_000);
    let last = history.records.last_mut().expect("a record");
    last.what = What::Fault(Fault { act: Act::StopNode { node: "worker".into() }, proof: None });
    history.step(Scenario::Restart, Phase::Failed("mysql-2 did not go".into()));
    history.expect(STOPS, Inconclusive);
}
