//! Edge cases of the rules.

use super::{AFTER, AFTER_CONTROL_PLANE, AFTER_WORKER, EQUAL};
use crate::Verdict::{self, Fail, Inconclusive, Pass};
use crate::evidence::{LegacyEndpoints, Stage, State, Subject, What};
use crate::history::{History, subject};
use crate::upgrade::compare::{Class, compare};
use crate::upgrade::defects::defects;

fn upgraded(from: usize, change: impl Fn(&mut State)) -> History {
    History::upgraded().with_states(from, change)
}

fn around(change: impl Fn(&mut State)) -> History {
    History::around_an_upgrade().with_states(AFTER, change)
}

#[track_caller]
fn found(history: &History, verdict: Verdict) {
    history.expect(EQUAL, verdict);
}

#[test]
fn a_component_may_be_started_again_once() {
    let manager = |restarts: i64| move |state: &mut State| state.control_plane[2].restarts = restarts;
    found(&upgraded(AFTER_CONTROL_PLANE, manager(1)), Pass);
    found(&upgraded(AFTER_CONTROL_PLANE, manager(2)), Fail);
    // Earlier restarts count as long as the pod is the same one.
    found(&upgraded(AFTER_WORKER, manager(1)), Pass);
    found(&upgraded(AFTER_WORKER, manager(2)), Fail);
    let worn = |restarts: i64| upgraded(0, manager(5)).with_states(AFTER_WORKER, manager(restarts));
    // The new pod of the control plane's step begins with no restarts.
    found(&worn(6), Fail);
    let worn = |restarts| upgraded(AFTER_CONTROL_PLANE, manager(1)).with_states(AFTER_WORKER, manager(restarts));
    found(&worn(2), Pass);
    found(&worn(3), Fail);
}

#[test]
fn transactions_may_become_more_but_none_may_go() {
    let executed = |text: &'static str| move |state: &mut State| state.servers[1].gtid_executed = text.into();
    let before = "3e11fa47-71ca-11e1-9e33-c80aa9429560:1-20";
    let from = |text: &'static str| upgraded(0, executed(before)).with_states(AFTER_WORKER, executed(text));
    found(&from("3e11fa47-71ca-11e1-9e33-c80aa9429560:1-35"), Pass);
    found(&from("3e11fa47-71ca-11e1-9e33-c80aa9429560:1-19"), Fail);
    found(&from("3e11fa47-71ca-11e1-9e33-c80aa9429560:1-20,3e11fa47-71ca-11e1-9e33-c80aa9429561:1"), Fail);
    found(&from("no set"), Inconclusive);
    found(&from(""), Fail);
    let maria = |text: &'static str| upgraded(0, executed("0-100-20")).with_states(AFTER_WORKER, executed(text));
    found(&maria("0-100-21"), Pass);
    found(&maria("0-100-21,0-101-22"), Fail);
}

#[test]
fn a_server_that_does_not_answer_is_told_from_a_probe_that_broke() {
    let trouble = |text: &'static str| {
        move |state: &mut State| {
            let server = &mut state.servers[2];
            server.trouble = Some(text.into());
            (server.gtid_executed, server.tables) = (String::new(), [].into());
        }
    };
    found(&upgraded(AFTER_CONTROL_PLANE, trouble("answered error 1045: Access denied")), Fail);
    found(&upgraded(AFTER_CONTROL_PLANE, trouble("could not be reached: timed out")), Fail);
    found(&upgraded(AFTER_CONTROL_PLANE, trouble("gave no usable answer: port-forward closed")), Inconclusive);
    // Trouble that was there before says nothing about the upgrade.
    found(&upgraded(0, trouble("could not be reached: timed out")), Inconclusive);
    found(&upgraded(AFTER_CONTROL_PLANE, |state| drop(state.servers.pop())), Inconclusive);
}

#[test]
fn who_else_writes_is_not_known_where_nobody_watched() {
    let table = |name: &'static str, checksum: Option<&'static str>| {
        move |state: &mut State| {
            state.servers[0].tables.insert(name.into(), checksum.map(str::to_owned));
        }
    };
    found(&around(table("shop.orders", Some("1"))), Inconclusive);
    found(&around(table("shop.baskets", Some("1"))), Inconclusive);
    found(&around(table("shop.orders", None)), Fail);
    found(&around(table("steadfast.ledger", Some("1"))), Fail);
    found(&around(table("steadfast.more", Some("1"))), Fail);
    found(&around(table("steadfastly.more", Some("1"))), Inconclusive);
    found(&upgraded(AFTER_CONTROL_PLANE, table("shop.orders", Some("1"))), Fail);
}

#[test]
fn labels_of_the_clusters_own_may_come_with_a_new_pod() {
    let label = |key: &'static str, value: &'static str| {
        move |state: &mut State| drop(state.pods[0].labels.insert(key.into(), value.into()))
    };
    found(&upgraded(AFTER_WORKER, label("topology.kubernetes.io/zone", "a")), Pass);
    found(&upgraded(AFTER_WORKER, label("apps.kubernetes.io/new", "a")), Pass);
    found(&upgraded(AFTER_WORKER, label("apps.kubernetes.io/pod-index", "7")), Fail);
    found(&upgraded(AFTER_WORKER, label("example.org/new", "a")), Fail);
    found(&upgraded(AFTER_CONTROL_PLANE, label("topology.kubernetes.io/zone", "a")), Fail);
}

#[test]
fn a_corefile_may_be_migrated_with_the_control_plane_only() {
    let more = |state: &mut State| state.dns.corefile = state.dns.corefile.replace("errors", "errors\n    health");
    let less = |state: &mut State| state.dns.corefile = state.dns.corefile.replace("forward", "# forward");
    found(&upgraded(AFTER_CONTROL_PLANE, more), Pass);
    found(&upgraded(AFTER_WORKER, more), Fail);
    found(&upgraded(AFTER_CONTROL_PLANE, less), Fail);
    found(&around(more), Pass);
    found(&around(less), Fail);
    found(&around(|state| (state.dns.wanted, state.dns.ready) = (3, 3)), Pass);
    found(&around(|state| (state.dns.wanted, state.dns.ready) = (3, 2)), Fail);
}

#[test]
fn nodes_may_be_replaced_where_nobody_watched() {
    let replaced = |state: &mut State| {
        (state.nodes[1].name, state.nodes[1].uid) = ("worker3".into(), "node worker3".into());
    };
    found(&around(replaced), Pass);
    found(&upgraded(AFTER_WORKER, replaced), Fail);
    found(&around(|state| state.nodes[1].schedulable = false), Fail);
    found(&upgraded(AFTER_WORKER, |state| state.nodes[1].schedulable = false), Fail);
    let moved = |state: &mut State| state.control_plane.iter_mut().for_each(|it| it.node = "another".into());
    found(&around(moved), Pass);
    found(&upgraded(AFTER_CONTROL_PLANE, moved), Fail);
    found(&around(|state| drop(state.control_plane.pop())), Fail);
}

#[test]
fn a_pod_that_was_not_moved_must_be_untouched_where_nobody_watched() {
    let first = History::around_an_upgrade().states().remove(0);
    let unmoved = |change: fn(&mut State)| {
        let first = first.clone();
        around(move |state| {
            state.pods[1] = first.pods[1].clone();
            state.endpoints[1] = first.endpoints[1].clone();
            state.legacy_endpoints = first.legacy_endpoints.clone().map(|legacy| LegacyEndpoints {
                ready: state.pods.iter().filter_map(|pod| pod.address.clone()).collect(),
                ..legacy
            });
            change(state);
        })
    };
    found(&unmoved(|_| {}), Pass);
    found(&unmoved(|state| state.pods[1].containers[0].restarts = 1), Fail);
    found(&unmoved(|state| state.pods[1].ready_since = None), Fail);
    // A new pod that does not stay up is no better.
    found(&unmoved(|state| state.pods[0].containers[0].restarts = 1), Pass);
    found(&unmoved(|state| state.pods[0].containers[0].restarts = 2), Fail);
}

#[test]
fn what_was_wrong_before_is_not_held_against_the_upgrade() {
    let unready = |state: &mut State| {
        state.pods[1].ready = false;
        (state.endpoints[1].ready, state.endpoints[1].serving) = (false, false);
        state.legacy_endpoints = None;
        (state.set.ready, state.set.available) = (2, 2);
    };
    found(&upgraded(0, unready), Inconclusive);
    found(&upgraded(AFTER_CONTROL_PLANE, unready), Fail);
    let mended = History::upgraded().states();
    let comes_to_rest = upgraded(0, unready).with_states(AFTER_CONTROL_PLANE, move |state| {
        let place = mended.iter().position(|it| it.stage == state.stage).expect("a state");
        let legacy = state.legacy_endpoints.clone();
        *state = State { legacy_endpoints: legacy, ..mended[place].clone() };
    });
    found(&comes_to_rest, Inconclusive);
}

#[test]
fn pods_of_a_set_that_is_updated_by_hand_come_back_with_the_update() {
    let on_delete = Subject { on_delete: true, ..subject(3) };
    let pending = |state: &mut State| state.set.update_revision = "rev-2".into();
    let states = upgraded(0, pending).states();
    let (before, mut after) = (&states[AFTER_WORKER - 1], states[AFTER_WORKER].clone());
    let wrong = |after: &State, subject: &Subject| {
        compare(subject, before, after).iter().filter(|it| it.class == Class::Wrong).count()
    };
    assert_eq!(wrong(&after, &on_delete), 0);
    after.pods[0].revision = "rev-2".into();
    after.pods[0].labels.insert("controller-revision-hash".into(), "rev-2".into());
    after.pods[0].containers[0].image = "mysql:9.7".into();
    (after.servers[0].version, after.set.updated) = ("9.7.4".into(), 4);
    assert_eq!(wrong(&after, &on_delete), 0);
    // A pod of the old revision must have its image.
    after.pods[2].containers[0].image = "mysql:9.7".into();
    assert_eq!(wrong(&after, &on_delete), 1);
    after.pods[0].revision = "rev-3".into();
    assert!(wrong(&after, &on_delete) > 1);
}

#[test]
fn who_has_to_be_ready_for_a_while_need_not_be_available_yet() {
    let patient = Subject { min_ready_seconds: 30, ..subject(3) };
    let lagging = |subject: Subject| {
        upgraded(AFTER_WORKER, |state| state.set.available = 2).edit(|what| {
            if let What::Run(run) = what {
                run.subject = subject.clone();
            }
        })
    };
    found(&lagging(patient), Pass);
    found(&lagging(subject(3)), Fail);
}

#[test]
fn endpoints_must_agree_with_pods_and_with_one_another() {
    let told = |change: fn(&mut State)| {
        let mut state = History::upgraded().states().remove(0);
        change(&mut state);
        let found = defects(&subject(3), &state);
        found.iter().map(|defect| defect.what.clone()).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(told(|_| {}), "");
    let cases: [fn(&mut State); 9] = [
        |state| drop(state.endpoints.remove(1)),
        |state| state.endpoints[1].ready = false,
        |state| state.endpoints[1].serving = false,
        |state| state.endpoints[1].terminating = true,
        |state| state.endpoints[1].address = "10.0.7.7".into(),
        |state| state.endpoints[1].pod_uid = Some("1.0".into()),
        |state| state.pods[1].ready = false,
        |state| state.service.publish_not_ready = true,
        |state| {
            state.service.publish_not_ready = true;
            state.pods[1].ready = false;
            state.endpoints[1].serving = false;
        },
    ];
    let told: Vec<String> = cases.into_iter().map(told).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn endpoints_of_both_families_are_the_same_pod() {
    let both = |state: &mut State| {
        for place in 0..3 {
            let mut six = state.endpoints[place].clone();
            six.address = format!("fd00::{}", six.address.replace('.', ":"));
            state.endpoints.push(six);
        }
    };
    found(&upgraded(0, both), Pass);
    found(&upgraded(0, both).with_states(AFTER_CONTROL_PLANE, |state| state.endpoints[4].ready = false), Fail);
}

#[test]
fn what_a_worker_carries_decides_who_may_move() {
    let before = History::upgraded().states().remove(0);
    for (place, worker) in (0..3_usize).flat_map(|place| [(place, 0_usize), (place, 1)]) {
        let stage = Stage::Node { node: ["worker", "worker2"][worker].into() };
        let mut after = State { stage, ..before.clone() };
        let moved = &mut after.pods[place];
        moved.uid = "another".into();
        moved.containers[0].id = "another".into();
        moved.ready_since = Some("later".into());
        moved.address = Some("10.0.8.8".into());
        after.endpoints[place].address = "10.0.8.8".into();
        after.endpoints[place].pod_uid = Some("another".into());
        let found = compare(&subject(3), &before, &after);
        let wrong = |part: &str| found.iter().any(|it| it.class == Class::Wrong && it.difference.part == part);
        assert_eq!(wrong("pods"), place % 2 != worker, "pod {place} on {worker}");
        assert_eq!(wrong("endpoints"), place % 2 != worker, "pod {place} on {worker}");
    }
}
