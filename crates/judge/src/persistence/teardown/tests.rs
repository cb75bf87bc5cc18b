//! What a run leaves behind: right and wrong.

use insta::assert_snapshot;
use serde_json::json;

use super::LATE_US;
use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Act, EventType, Phase, SnapshotOf, What};
use crate::history::History;

const TEARDOWN: &str = "persistence::teardown_leaves_nothing";

/// The history with this list of what remains.
fn listing(history: History, of: SnapshotOf, left: &serde_json::Value) -> History {
    history.edit(|what| match what {
        What::Snapshot(snapshot) if snapshot.of == of => snapshot.value = left.clone(),
        _ => {}
    })
}

/// A good run after which something remains.
fn leaving(of: SnapshotOf, left: &serde_json::Value) -> History {
    listing(History::good(), of, left)
}

/// The history with one object in the list of what remains.
fn listing_object(history: History, kind: &str, name: &str) -> History {
    listing(history, SnapshotOf::LeftoverObjects, &json!([{"kind": kind, "name": name, "held_by": null}]))
}

#[test]
fn nothing_left_passes() {
    assert_snapshot!(History::good().expect(TEARDOWN, Pass), @"no object and no engine resource remains");
}

fn of_the_engine(what: &What) -> bool {
    matches!(what, What::Snapshot(it) if it.of == SnapshotOf::LeftoverResources)
}

fn of_the_objects(what: &What) -> bool {
    matches!(what, What::Snapshot(it) if it.of == SnapshotOf::LeftoverObjects)
}

fn run_step(what: &What, name: &str) -> bool {
    matches!(what, What::Step(step) if step.scenario.is_none() && step.name == name)
}

/// Whether this ends the deletion of the cluster, successfully or not.
fn cluster_deletion_ended(what: &What) -> bool {
    run_step(what, "delete the cluster") && !matches!(what, What::Step(step) if step.phase == Phase::Begin)
}

#[test]
fn a_cluster_of_somebody_else_need_not_go() {
    let steps = ["create the cluster", "delete the cluster"];
    let of_own = |what: &What| of_the_engine(what) || steps.iter().any(|name| run_step(what, name));
    let shared = History::good().without(of_own);
    assert_snapshot!(shared.expect(TEARDOWN, Pass), @"no object remains");
    let named = shared.edit(|what| {
        if let What::Run(run) = what {
            (run.run_id, run.cluster) = ("steadfast-1".into(), "kind cluster steadfast-1 (3 nodes)".into());
        }
    });
    assert_snapshot!(named.expect(TEARDOWN, Inconclusive), @"the cluster that the run created was not deleted");
    let another = named.edit(|what| {
        if let What::Run(run) = what {
            run.run_id = "steadfast-1-abcdef".into();
        }
    });
    another.expect(TEARDOWN, Pass);
}

#[test]
fn whose_the_cluster_was_hangs_on_no_one_record() {
    for name in ["create the cluster", "delete the cluster"] {
        let unlisted = History::good().without(|what| of_the_engine(what) || run_step(what, name));
        unlisted.expect(TEARDOWN, Inconclusive);
        History::good().without(|what| run_step(what, "create the cluster")).expect(TEARDOWN, Pass);
    }
}

/// A good run whose last list of this kind was taken before another record.
fn listed_before(of: SnapshotOf, at: impl Fn(&What) -> bool) -> History {
    let without = History::good().without(|what| matches!(what, What::Snapshot(it) if it.of == of));
    without.preceded(at, |history| {
        history.snapshot(of, json!([]));
    })
}

#[test]
fn a_list_that_was_taken_too_early_leaves_it_open() {
    let asked = |act: Act| move |what: &What| matches!(what, What::Fault(it) if it.act == act);
    for act in [Act::Teardown, Act::DeleteClaims] {
        let early = listed_before(SnapshotOf::LeftoverObjects, asked(act));
        let reason = early.expect(TEARDOWN, Inconclusive);
        assert!(reason.contains("before everything was deleted"), "{reason}");
    }
    listed_before(SnapshotOf::LeftoverObjects, |what| run_step(what, "delete the cluster")).expect(TEARDOWN, Pass);
    listed_before(SnapshotOf::LeftoverResources, cluster_deletion_ended).expect(TEARDOWN, Inconclusive);
    let unended = History::good().without(cluster_deletion_ended);
    assert_snapshot!(unended.expect(TEARDOWN, Inconclusive), @"the deletion of the cluster that the run created did not end (#1739)");
    for act in [Act::Teardown, Act::DeleteClaims] {
        History::good().without(asked(act)).expect(TEARDOWN, Inconclusive);
    }
}

/// Whether this shows an object of this kind and UID gone.
fn goes(what: &What, kind: &str, uid: &str) -> bool {
    matches!(what, What::Object(event) if event.event == EventType::Deleted
        && event.object_kind == kind && event.object["metadata"]["uid"] == uid)
}

/// The last pod, claim, volume and the set of a good run.
const LAST: [(&str, &str, &str); 4] = [
    ("Pod", "mysql-0", "0.6"),
    ("PersistentVolumeClaim", "data-mysql-0", "claim 0.1"),
    ("PersistentVolume", "pv-data-mysql-0", "pv-data-mysql-0"),
    ("StatefulSet", "mysql", "set"),
];

#[test]
fn what_the_watches_did_not_see_go_is_in_doubt_unless_it_is_listed() {
    for (kind, name, uid) in LAST {
        let not_seen = History::good().without(|what| goes(what, kind, uid));
        let reason = not_seen.expect(TEARDOWN, Inconclusive);
        assert!(reason.starts_with(&format!("{kind} {name} was not seen to be gone")), "{reason}");
        not_seen
            .clone()
            .lost(kind, |what| matches!(what, What::Fault(it) if it.act == Act::Teardown))
            .expect(TEARDOWN, Pass);
        let listed = listing_object(not_seen, kind, name);
        assert!(listed.expect(TEARDOWN, Fail).starts_with("left after the teardown"));
    }
}

#[test]
fn a_service_that_was_not_seen_to_go_is_in_doubt() {
    let object = || json!({"metadata": {"name": "mysql-h", "uid": "service"}});
    let claims = |what: &What| matches!(what, What::Fault(it) if it.act == Act::DeleteClaims);
    let seen = |events: &[EventType]| {
        History::good().preceded(claims, |history| {
            for event in events {
                history.object(*event, "Service", object());
            }
        })
    };
    let stays = seen(&[EventType::Added]);
    let reason = stays.expect(TEARDOWN, Inconclusive);
    assert!(reason.starts_with("Service mysql-h was not seen to be gone"), "{reason}");
    seen(&[EventType::Added, EventType::Deleted]).expect(TEARDOWN, Pass);
}

#[test]
fn what_the_watches_see_long_after_the_list_fails() {
    for (kind, name, uid) in LAST {
        let mut history = History::good().without(|what| goes(what, kind, uid));
        let shown = |history: &mut History| {
            let object = json!({"metadata": {"name": name, "uid": uid}});
            history.object(EventType::Modified, kind, object);
        };
        shown(&mut history);
        history.expect(TEARDOWN, Inconclusive);
        history.pass_ms(20_000);
        shown(&mut history);
        let reason = history.expect(TEARDOWN, Fail);
        assert!(reason.starts_with(&format!("{kind} {name} still existed")), "{reason}");
    }
}

#[test]
fn a_cluster_of_the_runs_own_must_be_seen_to_go() {
    let unlisted = History::good().without(of_the_engine);
    assert_snapshot!(unlisted.expect(TEARDOWN, Inconclusive), @"the remains of the cluster that the run created were not listed (#1740)");
    let failed = unlisted.clone().failing("delete the cluster", "the engine does not answer");
    assert_snapshot!(failed.expect(TEARDOWN, Inconclusive), @"the remains of the cluster that the run created were not listed: its deletion failed: the engine does not answer (#1740)");
    let unended = unlisted.clone().without(cluster_deletion_ended);
    let reason = unended.expect(TEARDOWN, Inconclusive);
    assert!(reason.starts_with("the remains of the cluster that the run created were not listed"), "{reason}");
    let midway = unlisted.without(|what| run_step(what, "delete the cluster"));
    assert_snapshot!(midway.expect(TEARDOWN, Inconclusive), @"the cluster that the run created was not deleted");
    let cluster = json!([{"kind": "cluster", "name": "steadfast-1", "held_by": "the engine does not answer"}]);
    assert_snapshot!(leaving(SnapshotOf::LeftoverResources, &cluster).expect(TEARDOWN, Fail), @"left after the teardown (#1741): cluster steadfast-1 (held by the engine does not answer)");
}

#[test]
fn what_is_left_in_the_engine_fails_also_without_the_objects_list() {
    let network = json!([{"kind": "network", "name": "kind", "held_by": null}]);
    let history = leaving(SnapshotOf::LeftoverResources, &network);
    history.without(of_the_objects).expect(TEARDOWN, Fail);
    History::good().without(of_the_objects).expect(TEARDOWN, Inconclusive);
}

#[test]
fn something_left_fails_and_is_named() {
    let claim = json!([{"kind": "PersistentVolumeClaim", "name": "data-mysql-0", "held_by": "example.org/keep"}]);
    assert_snapshot!(leaving(SnapshotOf::LeftoverObjects, &claim).expect(TEARDOWN, Fail), @"left after the teardown (#1736): PersistentVolumeClaim data-mysql-0 (held by example.org/keep)");
    let network = json!([{"kind": "network", "name": "kind", "held_by": null}]);
    leaving(SnapshotOf::LeftoverResources, &network).expect(TEARDOWN, Fail);
}

#[test]
fn a_list_that_is_not_there_leaves_it_open() {
    History::good().without(|what| matches!(what, What::Snapshot(_))).expect(TEARDOWN, Inconclusive);
    leaving(SnapshotOf::LeftoverObjects, &json!("?")).expect(TEARDOWN, Inconclusive);
}

/// A good run in which the last pod's claim was not seen to be gone, and an object is seen this long after the list.
fn seen_after(us: u64, kind: &str, name: &str, uid: &str) -> History {
    let mut history = History::good().without(|what| goes(what, "PersistentVolumeClaim", "claim 0.1"));
    let listed_us = history.records.iter().rfind(|record| of_the_objects(&record.what)).expect("a list").at_us;
    history.object(EventType::Modified, kind, json!({"metadata": {"name": name, "uid": uid}}));
    history.records.last_mut().expect("an event").at_us = listed_us + us;
    history
}

#[test]
fn an_event_counts_against_the_list_only_from_so_late_on() {
    let claim = |us: u64| seen_after(us, "PersistentVolumeClaim", "data-mysql-0", "claim 0.1");
    claim(LATE_US).expect(TEARDOWN, Inconclusive);
    claim(LATE_US + 1).expect(TEARDOWN, Fail);
    // Another claim says nothing about this one.
    seen_after(LATE_US + 1, "PersistentVolumeClaim", "cache", "another").expect(TEARDOWN, Inconclusive);
}

#[test]
fn what_is_listed_is_told_once() {
    let late = seen_after(LATE_US + 1, "PersistentVolumeClaim", "data-mysql-0", "claim 0.1");
    let listed = listing_object(late, "PersistentVolumeClaim", "data-mysql-0");
    let reason = listed.expect(TEARDOWN, Fail);
    assert!(reason.ends_with("): PersistentVolumeClaim data-mysql-0"), "{reason}");
}

#[test]
fn a_volume_that_no_claim_of_the_set_was_bound_to_may_stay() {
    let asked = |what: &What| matches!(what, What::Fault(it) if it.act == Act::Teardown);
    let others = History::good().preceded(asked, |history| {
        history.object(EventType::Added, "PersistentVolume", json!({"metadata": {"name": "cache", "uid": "cache"}}));
    });
    others.expect(TEARDOWN, Pass);
}

#[test]
fn only_an_object_that_is_listed_by_kind_and_name_is_told_once() {
    let late = seen_after(LATE_US + 1, "PersistentVolumeClaim", "data-mysql-0", "claim 0.1");
    for (kind, name) in [("PersistentVolumeClaim", "another"), ("Secret", "data-mysql-0")] {
        let listed = listing_object(late.clone(), kind, name);
        let reason = listed.expect(TEARDOWN, Fail);
        assert!(reason.contains("PersistentVolumeClaim data-mysql-0 still existed"), "{reason}");
    }
}
