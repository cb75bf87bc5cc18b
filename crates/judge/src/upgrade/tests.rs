//! Upgrades: right and wrong.

mod corners;
mod fields;
mod history;
mod names;
mod regressions;
mod rules;
mod vacuous;

use insta::assert_snapshot;

use crate::UPGRADE_CHECKS;
use crate::Verdict::{self, Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Question, SnapshotOf, SqlAnswer, Stage, State, What};
use crate::history::History;

const UNTOUCHED: &str = "upgrade::control_plane_upgrade_touches_no_pod";
const MOVES: &str = "upgrade::node_upgrade_moves_one_at_a_time";
const EQUAL: &str = "upgrade::state_is_equal_before_and_after";
const MATRIX: &str = "upgrade::dns_matrix_is_equal";
const WRITES: &str = "upgrade::writes_survive_the_upgrade";
const CONFORMS: &str = "upgrade::new_version_still_conforms";

/// The states of [`History::upgraded`], counted from 0: after the control plane, after its node, and after each worker.
const AFTER_CONTROL_PLANE: usize = 1;
const AFTER_WORKER: usize = 3;
const AFTER_WORKER2: usize = 4;
/// The state of [`History::around_an_upgrade`] that was read afterwards.
const AFTER: usize = 1;

/// The states before and after a step in which nothing changed.
fn unchanged(stage: Stage) -> (State, State) {
    let before = History::upgraded().states().remove(0);
    let after = State { stage, ..before.clone() };
    (before, after)
}

fn node(node: &str) -> Stage {
    Stage::Node { node: node.into() }
}

fn control_plane(node: &str) -> Stage {
    Stage::ControlPlane { node: node.into() }
}

#[test]
fn an_upgrade_that_changes_what_it_may_passes() {
    let reason = |id: &str| History::upgraded().expect(id, Pass);
    assert_snapshot!(reason(UNTOUCHED), @"3 pods, their claims and volumes, the set and its revisions are unchanged since before the upgrade of the control plane on control-plane; #149: the watch has a gap during the upgrade of the control plane on control-plane, so the comparison of states decides there");
    assert_snapshot!(reason(MOVES), @"control-plane had no pod of the set; mysql-0, mysql-2 on worker were each replaced once, one at a time, in a step of 11.0 s; mysql-1 on worker2 was replaced once, in a step of 8.7 s");
    assert_snapshot!(reason(EQUAL), @"5 states are equal except for what the steps explain (after the control plane on control-plane: etcd on control-plane, kube-apiserver on control-plane, kube-controller-manager on control-plane, kube-scheduler on control-plane, the cluster's DNS … (6 in all); after the node control-plane: the node control-plane; after the node worker: the endpoint mysql-0, the endpoint mysql-2, the node worker, mysql-0, mysql-2; after the node worker2: the endpoint mysql-1, the node worker2, mysql-1); #149: the watch has a gap during the upgrade of the control plane on control-plane, so the comparison of states decides there");
    assert_snapshot!(reason(MATRIX), @"8 queries have the same answers in all 5 states; #149: the watch has a gap during the upgrade of the control plane on control-plane, so the comparison of states decides there");
    assert_snapshot!(reason(WRITES), @"all 106 acknowledged writes are on mysql-0, mysql-1, mysql-2, each once, and no others (0 were refused, 18 had no answer); the longest time without an acknowledged write was 0.0 s during the upgrade of the control plane on control-plane, 0.0 s during the upgrade of the node control-plane, 9.0 s during the upgrade of the node worker, 0.0 s during the upgrade of the node worker2; #149: the watch has a gap during the upgrade of the control plane on control-plane, so the comparison of states decides there");
    assert_snapshot!(reason(CONFORMS), @"46 checks passed on the upgraded cluster and 0 did not apply (#236)");
}

#[test]
fn an_upgrade_that_nobody_watched_is_judged_by_its_states() {
    let reason = |id: &str, verdict: Verdict| History::around_an_upgrade().expect(id, verdict);
    assert_snapshot!(reason(UNTOUCHED, Skipped), @"no watch ran during the upgrade, so it is unknown during which step mysql-0, mysql-1, mysql-2 changed (#146, #150)");
    assert_snapshot!(reason(MOVES, Skipped), @"no watch ran during the upgrade, so the order of the moves is unknown (#146, #150)");
    assert_snapshot!(reason(EQUAL, Pass), @"2 states are equal except for what the steps explain (after the upgrade: etcd on control-plane, kube-apiserver on control-plane, kube-controller-manager on control-plane, kube-scheduler on control-plane, the cluster's DNS … (15 in all)); no watch ran during the upgrade, so only the comparison of states decides");
    assert_snapshot!(reason(MATRIX, Pass), @"8 queries have the same answers in all 2 states; no watch ran during the upgrade, so only the comparison of states decides");
    assert_snapshot!(reason(WRITES, Pass), @"all 1241 acknowledged writes are on mysql-0, mysql-1, mysql-2, each once, and no others (0 were refused, 5 had no answer); the longest time without an acknowledged write was 2.5 s during the upgrade; no watch ran during the upgrade, so only the comparison of states decides");
    assert_snapshot!(reason(CONFORMS, Pass), @"46 checks passed on the upgraded cluster and 0 did not apply (#176)");
}

#[test]
fn where_nothing_changed_nothing_is_said() {
    let history = History::around_an_upgrade();
    let before = history.states().remove(0);
    let unchanged = history.with_states(AFTER, |state| {
        let (stage, kubernetes) = (state.stage.clone(), state.kubernetes.clone());
        *state = State { stage, kubernetes, control_plane: state.control_plane.clone(), ..before.clone() };
    });
    for check in UPGRADE_CHECKS {
        let finding = check.judge(&unchanged.evidence());
        assert!(matches!(finding.verdict, Pass | Skipped), "{}: {}", check.id, finding.reason);
    }
    assert_snapshot!(unchanged.expect(UNTOUCHED, Pass), @"3 pods, their claims and volumes, the set and its revisions are unchanged since before the upgrade of the control plane; no watch ran during the upgrade, so only the comparison of states decides");
}

#[test]
fn without_states_nothing_is_known() {
    let unread = History::upgraded().without(|what| matches!(what, What::Snapshot(it) if it.of == SnapshotOf::State));
    for id in [UNTOUCHED, MOVES, EQUAL, MATRIX, WRITES] {
        unread.expect(id, Inconclusive);
    }
    let broken = History::upgraded().edit(|what| {
        if let What::Snapshot(snapshot) = what
            && snapshot.of == SnapshotOf::State
        {
            snapshot.value = serde_json::json!("no state");
        }
    });
    for id in [UNTOUCHED, MOVES, EQUAL, MATRIX, WRITES] {
        broken.expect(id, Inconclusive);
    }
    let only = |wanted: usize| {
        let mut count = 0;
        History::upgraded().without(move |what| {
            let is_state = matches!(what, What::Snapshot(it) if it.of == SnapshotOf::State);
            count += usize::from(is_state);
            is_state && count != wanted + 1
        })
    };
    assert_snapshot!(only(0).expect(EQUAL, Inconclusive), @"no state was read after the one before the upgrade (#146)");
    assert_snapshot!(only(2).expect(EQUAL, Inconclusive), @"no state was read before the upgrade: the first is #169");
}

#[test]
fn an_act_that_is_not_proved_leaves_it_open() {
    let unproved = |wanted: fn(&Act) -> bool| {
        History::upgraded()
            .without(move |what| matches!(what, What::Fault(fault) if fault.proof.is_some() && wanted(&fault.act)))
    };
    let never = |wanted: fn(&Act) -> bool| {
        History::upgraded().without(move |what| matches!(what, What::Fault(fault) if wanted(&fault.act)))
    };
    let control_plane = |act: &Act| matches!(act, Act::UpgradeControlPlane { .. });
    assert_snapshot!(unproved(control_plane).expect(UNTOUCHED, Inconclusive), @"the act `upgrade the control plane on control-plane to v1.37.2` is not proved (#148)");
    assert_snapshot!(never(control_plane).expect(UNTOUCHED, Inconclusive), @"the upgrade of the control plane on control-plane was not requested between #146 and #156");
    for wanted in [
        |act: &Act| matches!(act, Act::Drain { node } if node == "worker"),
        |act: &Act| matches!(act, Act::UpgradeNode { node, .. } if node == "worker"),
        |act: &Act| matches!(act, Act::Uncordon { node } if node == "worker"),
    ] {
        unproved(wanted).expect(MOVES, Inconclusive);
        never(wanted).expect(MOVES, Inconclusive);
    }
}

#[test]
fn a_cluster_of_another_version_than_was_asked_for_leaves_it_open() {
    let history = History::upgraded().edit(|what| {
        if let What::Run(run) = what {
            run.upgrade.as_mut().expect("an upgrade").to = "v1.38.0".into();
        }
    });
    assert_snapshot!(history.expect(EQUAL, Inconclusive), @"the API server's version is v1.37.2 at the end, not v1.38.0 (#210); the kubelet of control-plane is v1.37.2 after its upgrade, not v1.38.0 (#169); the kubelet of worker is v1.37.2 after its upgrade, not v1.38.0 (#192); and 1 more like this");
}

#[test]
fn writes_that_are_lost_or_not_accounted_for() {
    let held = |ids: &str| {
        let row = [("ids", ids), ("duplicates", "")].map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
        SqlAnswer::Rows(vec![row.into()])
    };
    let lost = History::upgraded().answering("mysql-0", Question::Entries, held("2-9"));
    assert_snapshot!(lost.expect(WRITES, Fail), @"mysql-0 lacks the acknowledged writes 1, 10, 11, 12, 13 … (98 in all) (#232)");
    let open = History::upgraded().without(|what| matches!(what, What::Fault(it) if it.act == Act::StopLedger));
    open.expect(WRITES, Inconclusive);
    let silent = History::upgraded().without(|what| matches!(what, What::Entries(_)));
    silent.expect(WRITES, Inconclusive);
}

#[test]
fn a_step_in_which_nobody_wrote_leaves_it_open() {
    let mut handed_over = 0;
    let first_only = History::upgraded().edit(|what| {
        if let What::Entries(entries) = what {
            handed_over += 1;
            if handed_over > 1 {
                entries.writes.clear();
            }
        }
    });
    let held = first_only.records.iter().find_map(|record| match &record.what {
        What::Entries(entries) => entries.writes.last().map(|entry| entry.id),
        _ => None,
    });
    let ids = format!("1-{}", held.expect("a write"));
    let row =
        [("ids", ids.as_str()), ("duplicates", "")].map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
    let history = ["mysql-0", "mysql-1", "mysql-2"].into_iter().fold(first_only, |history, pod| {
        history.answering(pod, Question::Entries, SqlAnswer::Rows(vec![row.clone().into()]))
    });
    assert_snapshot!(history.expect(WRITES, Inconclusive), @"the witness did not write during the upgrade of the control plane on control-plane (#146, #156); the witness did not write during the upgrade of the node control-plane (#156, #169); the witness did not write during the upgrade of the node worker (#169, #192); and 1 more like this");
}

#[test]
fn a_step_in_which_nobody_wanted_to_write_between_others_leaves_it_open() {
    let is_state = |what: &What| matches!(what, What::Snapshot(it) if it.of == SnapshotOf::State);
    let states: Vec<u64> =
        History::upgraded().records.iter().filter(|record| is_state(&record.what)).map(|record| record.at_us).collect();
    for step in states.windows(2) {
        // The witness's clock is five seconds ahead.
        let step = step[0] + 5_000_000..=step[1] + 5_000_000;
        let silent = History::upgraded().edit(|what| {
            if let What::Entries(entries) = what {
                entries.writes.retain(|write| !step.contains(&write.sent_us) && !step.contains(&write.ended_us));
            }
        });
        let reason = silent.expect(WRITES, Inconclusive);
        assert!(reason.contains("the witness did not write during the upgrade of"), "{reason}");
    }
}

#[test]
fn what_a_check_concludes_on_the_new_version_counts() {
    let concluding = |verdict: &str| {
        History::upgraded().with_verdict("ordering::partition_is_respected", verdict, "mysql-0 came back new (#7)")
    };
    assert_snapshot!(concluding("fail").expect(CONFORMS, Fail), @"ordering::partition_is_respected: mysql-0 came back new (#7) (#236)");
    assert_snapshot!(concluding("inconclusive").expect(CONFORMS, Inconclusive), @"ordering::partition_is_respected: mysql-0 came back new (#7) (#236)");
    concluding("no such verdict").expect(CONFORMS, Inconclusive);
    assert_snapshot!(concluding("skipped").expect(CONFORMS, Pass), @"45 checks passed on the upgraded cluster and 1 did not apply (#236)");
    let both = concluding("fail").with_verdict("dns::ptr_points_back", "inconclusive", "nobody answered");
    both.expect(CONFORMS, Fail);
    let conformance = |what: &What| matches!(what, What::Snapshot(it) if it.of == SnapshotOf::Conformance);
    assert_snapshot!(History::upgraded().without(conformance).expect(CONFORMS, Inconclusive), @"the checks were not run on the upgraded cluster");
    for value in [serde_json::json!([]), serde_json::json!({"id": 1})] {
        let history = History::upgraded().edit(|what| {
            if let What::Snapshot(snapshot) = what
                && snapshot.of == SnapshotOf::Conformance
            {
                snapshot.value = value.clone();
            }
        });
        history.expect(CONFORMS, Inconclusive);
    }
}
