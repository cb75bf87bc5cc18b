//! What the watch history shows of the upgrade of nodes.

use insta::assert_snapshot;
use serde_json::json;

use super::{AFTER_WORKER, AFTER_WORKER2, EQUAL, MOVES, UNTOUCHED};
use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Act, EventType, Phase, Scenario, SnapshotOf, Stage, State, WaitOutcome, What};
use crate::history::History;

/// An upgrade with additional events just before a node gets its new kubelet.
fn before_the_kubelet_of(node: &str, happens: impl FnOnce(&mut History)) -> History {
    let is_upgrade = |what: &What| matches!(what, What::Fault(it) if matches!(&it.act, Act::UpgradeNode { node: other, .. } if other == node));
    History::upgraded().preceded(is_upgrade, happens)
}

/// Makes the first deletion event of the first pod mysql-0 a modification, so that the pod still exists.
fn first_pod_stays(history: History) -> History {
    let mut stayed = false;
    let stays = history.edit(|what| {
        if let What::Object(event) = what
            && event.event == EventType::Deleted
            && event.object["metadata"]["uid"] == "0.1"
            && !std::mem::replace(&mut stayed, true)
        {
            event.event = EventType::Modified;
        }
    });
    assert!(stayed, "the pod did not go");
    stays
}

/// A pod's event, independent of the pods of the history.
fn told(history: &mut History, pod: &str, uid: &str, event: EventType, ready: bool, going: bool) -> u64 {
    let mut object = json!({
        "metadata": {"name": pod, "uid": uid},
        "status": {"conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}]},
    });
    if going {
        object["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
    }
    history.object(event, "Pod", object)
}

#[test]
fn pods_that_are_bound_to_the_node_go_one_after_the_other() {
    // Both pods of the first worker are away until it is back, which is allowed.
    History::upgraded().expect(MOVES, Pass);
    // The second pod begins to terminate while the first one still exists.
    let both = first_pod_stays(History::upgraded());
    assert_snapshot!(both.expect(MOVES, Fail), @"mysql-2 was deleted before mysql-0 was gone, during the upgrade of the node worker (#176)");
}

#[test]
fn pods_that_are_bound_to_no_node_must_not_be_away_together() {
    // The pods of the first worker moved to another node, so the drain could have waited for each.
    let elsewhere = History::upgraded().with_states(AFTER_WORKER, |state| {
        for pod in [0, 2] {
            state.pods[pod].node = Some("worker2".into());
        }
    });
    assert_snapshot!(elsewhere.expect(MOVES, Fail), @"mysql-0, mysql-2 were unavailable at the same time during the upgrade of the node worker (#176)");
}

#[test]
fn another_pod_on_the_node_does_not_bind_an_evicted_one_to_it() {
    let crossed = History::upgraded().with_states(AFTER_WORKER, |state| {
        for (pod, node) in [(0, "worker2"), (1, "worker"), (2, "worker2")] {
            state.pods[pod].node = Some(node.into());
        }
    });
    let reason = crossed.expect(MOVES, Fail);
    assert!(reason.contains("mysql-0, mysql-2 were unavailable at the same time"), "{reason}");
}

#[test]
fn a_pod_that_went_after_the_next_one_was_told_to_fails() {
    let late = before_the_kubelet_of("worker", |history| {
        told(history, "mysql-0", "0.1", EventType::Deleted, false, true);
    });
    let reason = first_pod_stays(late).expect(MOVES, Fail);
    assert!(reason.contains("mysql-2 was deleted before mysql-0 was gone"), "{reason}");
}

#[test]
fn a_pod_that_came_in_a_lost_stretch_is_left_to_the_states() {
    let of_life = |what: &What| matches!(what, What::Object(event) if event.object["metadata"]["uid"] == "1.2");
    let lost = before_the_kubelet_of("worker2", |history| {
        history.gap("Pod");
    });
    let lost = lost.without(of_life);
    lost.expect(MOVES, Pass);
}

#[test]
fn a_pod_on_another_node_must_not_be_away_meanwhile() {
    let flips = before_the_kubelet_of("worker2", |history| {
        told(history, "mysql-2", "2.2", EventType::Modified, false, false);
        told(history, "mysql-2", "2.2", EventType::Modified, true, false);
    });
    assert_snapshot!(flips.expect(MOVES, Fail), @"mysql-1, mysql-2 were unavailable at the same time during the upgrade of the node worker2 (#200)");
    // An event before the drain is not the drain's fault, and a pod that was away before does not count.
    let is_drain = |what: &What| matches!(what, What::Fault(it) if it.act == Act::Drain { node: "worker2".into() });
    let before = History::upgraded().preceded(is_drain, |history| {
        told(history, "mysql-2", "2.2", EventType::Modified, false, false);
    });
    before.expect(MOVES, Pass);
}

#[test]
fn a_lost_stretch_leaves_it_to_the_states() {
    let lost = before_the_kubelet_of("worker2", |history| {
        told(history, "mysql-2", "2.2", EventType::Modified, false, false);
        history.gap("Pod");
    });
    assert_snapshot!(lost.expect(MOVES, Pass), @"control-plane had no pod of the set; mysql-0, mysql-2 on worker were each replaced once, one at a time, in a step of 11.0 s; mysql-1 on worker2 was replaced, in a step of 8.7 s; #201: the watch has a gap during the upgrade of the node worker2, so the comparison of states decides there");
    let wrong = lost.with_states(AFTER_WORKER2, |state| state.pods[2].containers[0].restarts = 1);
    assert_snapshot!(wrong.expect(MOVES, Fail), @"mysql-2: containers/mysql/restarts was `0`, is `1`, during the upgrade of the node worker2 (#192, #212)");
}

#[test]
fn a_pod_that_came_without_having_been_seen_leaves_it_open() {
    let of_life = |what: &What| matches!(what, What::Object(event) if event.object["metadata"]["uid"] == "1.2");
    assert_snapshot!(History::upgraded().without(of_life).expect(MOVES, Inconclusive), @"no pod was seen to replace mysql-1 (#192, #210)");
}

#[test]
fn a_pod_that_was_not_seen_to_go_leaves_it_open() {
    let goes = |what: &What| match what {
        What::Object(event) => event.event == EventType::Deleted && event.object["metadata"]["uid"] == "2.1",
        _ => false,
    };
    let reason = History::upgraded().without(goes).expect(MOVES, Inconclusive);
    assert!(reason.contains("mysql-2 (uid 2.1) was not seen to be gone"), "{reason}");
}

#[test]
fn the_pod_that_came_is_the_one_of_the_state() {
    let other = History::upgraded().with_states(AFTER_WORKER2, |state| state.pods[1].uid = "1.3".into());
    assert_snapshot!(other.expect(MOVES, Inconclusive), @"mysql-1 (uid 1.2) was seen to be created, but the state has another pod (1.3, #210)");
    let ready = |what: &What| match what {
        What::Object(event) => event.event == EventType::Modified && event.object["metadata"]["uid"] == "1.2",
        _ => false,
    };
    assert_snapshot!(History::upgraded().without(ready).expect(MOVES, Inconclusive), @"mysql-1 (uid 1.2) was not seen to be Ready, but it is Ready in the state (#210)");
}

#[test]
fn a_pod_that_stayed_on_a_drained_node_leaves_it_open() {
    let stayed = |state: &mut State| {
        let before = History::upgraded().states().remove(0);
        state.pods[1] = before.pods[1].clone();
    };
    let history = History::upgraded().with_states(AFTER_WORKER2, stayed);
    let reason = history.expect(MOVES, Inconclusive);
    assert!(reason.contains("it stayed although its node was to be drained"), "{reason}");
    // A restart of its containers meanwhile still counts against the upgrade.
    history.with_states(AFTER_WORKER2, |state| state.pods[1].containers[0].restarts = 1).expect(MOVES, Fail);
}

/// An upgrade without a state after a drain, because this wait was not met.
fn stuck(outcome: WaitOutcome, last_seen: &str) -> History {
    let mut history = History::upgraded();
    let is_last = |what: &What| matches!(what, What::Snapshot(it) if it.of == SnapshotOf::State && it.value["stage"]["node"] == "worker2");
    let last = history.records.iter().position(|record| is_last(&record.what)).expect("a state");
    history.records.truncate(last);
    history.waited("mysql-1 Ready under a new UID", last_seen, outcome);
    history.step(Scenario::Upgrade, Phase::Failed("mysql-1 was not Ready".into()));
    history
}

#[test]
fn a_pod_that_does_not_come_back_keeps_the_state_from_being_read() {
    assert_snapshot!(stuck(WaitOutcome::Expired, "Pending, ContainerCreating").expect(MOVES, Fail), @"after `drain worker2` (#194) not all pods were seen to come back: `mysql-1 Ready under a new UID` was not reached within 300.0 s; last seen: Pending, ContainerCreating (#210)");
    let no_image = WaitOutcome::Impossible("ErrImagePull".into());
    stuck(no_image, "Pending").expect(MOVES, Inconclusive);
    let unawaited = stuck(WaitOutcome::Met, "Ready");
    assert_snapshot!(unawaited.expect(MOVES, Inconclusive), @"no state was read after `drain worker2` (#194); no state was read after the node worker2 (#192)");
}

#[test]
fn an_upgrade_without_a_node_leaves_it_open() {
    let of_node = |what: &What| match what {
        What::Snapshot(it) => it.of == SnapshotOf::State && it.value["stage"]["after"] == "node",
        What::Fault(it) => matches!(it.act, Act::Drain { .. } | Act::UpgradeNode { .. } | Act::Uncordon { .. }),
        _ => false,
    };
    let control_plane_alone = History::upgraded().without(of_node);
    assert_snapshot!(control_plane_alone.expect(MOVES, Inconclusive), @"no state was read after the node control-plane (#156); no state was read after the node worker (#156); no state was read after the node worker2 (#156)");
    control_plane_alone.expect(UNTOUCHED, Pass);
    control_plane_alone.expect(EQUAL, Inconclusive);
    let one_alone = History::upgraded().without(|what| matches!(what, What::Snapshot(it) if it.of == SnapshotOf::State && it.value["stage"]["node"] == "worker2"));
    assert_snapshot!(one_alone.expect(EQUAL, Inconclusive), @"no state was read after the node worker2 (#192)");
    let nodes_alone = History::upgraded().with_states(1, |state| {
        if state.stage == (Stage::ControlPlane { node: "control-plane".into() }) {
            state.stage = Stage::Node { node: "control-plane".into() };
        }
    });
    nodes_alone.expect(UNTOUCHED, Inconclusive);
    nodes_alone.expect(EQUAL, Inconclusive);
    // The API server's version must not change with a node.
    let late = History::upgraded().with_states(1, |state| {
        if matches!(state.stage, Stage::ControlPlane { .. }) {
            state.kubernetes = "v1.36.3".into();
        }
    });
    late.expect(EQUAL, Fail);
}
