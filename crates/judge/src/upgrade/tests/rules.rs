//! What each rule says about one difference, right and wrong.

use super::{control_plane, node, unchanged};
use crate::evidence::{Stage, State};
use crate::history::subject;
use crate::upgrade::compare::Class::{self, Allowed, Open, Wrong};
use crate::upgrade::compare::compare;

/// The class of the difference at a place, such as `pods mysql-0 phase`; `None` without a difference there.
fn ruled(stage: Stage, place: &str, before: impl Fn(&mut State), after: impl Fn(&mut State)) -> Option<Class> {
    let (mut old, mut new) = unchanged(stage);
    before(&mut old);
    after(&mut new);
    let found = compare(&subject(3), &old, &new);
    let at = |parts: [&String; 3]| parts.into_iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>();
    let differs = found.iter().find(|it| {
        let it = &it.difference;
        at([&it.part, &it.object, &it.field]).join(" ") == place
    });
    differs.map(|it| it.class)
}

fn as_it_was(_: &mut State) {}

#[test]
fn families_that_nobody_wrote_down_before_are_no_difference() {
    let families = |family: &'static str| move |state: &mut State| state.service.ip_families = vec![family.into()];
    let place = "service ip_families";
    assert_eq!(ruled(node("worker"), place, as_it_was, families("IPv4")), Some(Allowed));
    assert_eq!(ruled(node("worker"), place, families("IPv4"), families("IPv6")), Some(Wrong));
    let selects_more = |state: &mut State| drop(state.service.selector.insert("tier".into(), "db".into()));
    assert_eq!(ruled(node("worker"), "service selector/tier", as_it_was, selects_more), Some(Wrong));
}

#[test]
fn the_endpoints_object_may_go_with_the_control_plane_only() {
    let gone = |state: &mut State| state.legacy_endpoints = None;
    assert_eq!(ruled(control_plane("control-plane"), "legacy_endpoints", as_it_was, gone), Some(Allowed));
    assert_eq!(ruled(node("worker"), "legacy_endpoints", as_it_was, gone), Some(Wrong));
}

#[test]
fn endpoints_of_pods_that_were_not_ready_say_nothing_of_the_step() {
    let lacking = |state: &mut State| {
        state.endpoints[1].ready = false;
        if let Some(legacy) = &mut state.legacy_endpoints {
            legacy.ready.pop_first();
        }
    };
    let unready = |state: &mut State| {
        state.pods[1].ready = false;
        lacking(state);
    };
    let stage = || control_plane("control-plane");
    assert_eq!(ruled(stage(), "endpoints mysql-1 ready", unready, as_it_was), Some(Open));
    assert_eq!(ruled(stage(), "legacy_endpoints ready", unready, as_it_was), Some(Open));
    assert_eq!(ruled(stage(), "endpoints mysql-1 ready", lacking, as_it_was), Some(Allowed));
    assert_eq!(ruled(stage(), "endpoints mysql-1 ready", as_it_was, lacking), Some(Wrong));
    assert_eq!(ruled(stage(), "legacy_endpoints ready", lacking, as_it_was), Some(Wrong));
    let going = |state: &mut State| state.endpoints[1].terminating = true;
    assert_eq!(ruled(stage(), "endpoints mysql-1 terminating", going, as_it_was), Some(Allowed));
    assert_eq!(ruled(stage(), "endpoints mysql-1 terminating", as_it_was, going), Some(Wrong));
}

#[test]
fn a_node_may_become_ready_and_take_pods_again_with_its_own_upgrade() {
    let unready = |state: &mut State| state.nodes[1].ready = false;
    assert_eq!(ruled(node("worker2"), "nodes worker ready", unready, as_it_was), Some(Allowed));
    assert_eq!(ruled(node("worker2"), "nodes worker ready", as_it_was, unready), Some(Wrong));
    let cordoned = |state: &mut State| state.nodes[1].schedulable = false;
    assert_eq!(ruled(node("worker"), "nodes worker schedulable", cordoned, as_it_was), Some(Allowed));
    assert_eq!(ruled(node("worker2"), "nodes worker schedulable", cordoned, as_it_was), Some(Wrong));
}

#[test]
fn a_component_may_have_another_image_with_the_control_plane_of_its_node_only() {
    let image = |state: &mut State| state.control_plane[0].image = "another".into();
    let place = "control_plane etcd/control-plane image";
    assert_eq!(ruled(control_plane("control-plane"), place, as_it_was, image), Some(Allowed));
    assert_eq!(ruled(control_plane("another"), place, as_it_was, image), Some(Wrong));
    assert_eq!(ruled(node("control-plane"), place, as_it_was, image), Some(Wrong));
    let unready = |state: &mut State| state.control_plane[0].ready = false;
    let place = "control_plane etcd/control-plane ready";
    assert_eq!(ruled(node("worker"), place, unready, as_it_was), Some(Allowed));
    assert_eq!(ruled(node("worker"), place, as_it_was, unready), Some(Wrong));
}

#[test]
fn a_component_may_be_started_once_more_with_another_image() {
    let restarted = |restarts: i64| {
        move |state: &mut State| {
            state.control_plane[0].image = "another".into();
            state.control_plane[0].restarts = restarts;
        }
    };
    let place = "control_plane etcd/control-plane restarts";
    assert_eq!(ruled(control_plane("control-plane"), place, as_it_was, restarted(2)), Some(Allowed));
    assert_eq!(ruled(control_plane("control-plane"), place, as_it_was, restarted(3)), Some(Wrong));
}

#[test]
fn the_controller_may_have_seen_the_set_since() {
    let not_seen = |state: &mut State| state.set.observed_generation -= 1;
    assert_eq!(ruled(node("worker"), "set observed_generation", not_seen, as_it_was), Some(Allowed));
    assert_eq!(ruled(node("worker"), "set observed_generation", as_it_was, not_seen), Some(Wrong));
}

#[test]
fn trouble_excuses_only_what_it_kept_from_being_read() {
    let other_version = |state: &mut State| {
        state.servers[1].trouble = Some("answered error 1227: Access denied".into());
        state.servers[1].version = "8.0.46".into();
    };
    assert_eq!(ruled(node("worker"), "servers mysql-1 version", other_version, as_it_was), Some(Wrong));
    let unread = |state: &mut State| {
        other_version(state);
        state.servers[1].version.clear();
    };
    assert_eq!(ruled(node("worker"), "servers mysql-1 version", unread, as_it_was), Some(Allowed));
}

#[test]
fn a_pod_that_was_moved_must_run_and_be_ready() {
    let moved = |state: &mut State| state.pods[0].uid = "0.9".into();
    let pending = |state: &mut State| state.pods[0].phase = "Pending".into();
    let unready = |state: &mut State| state.pods[0].ready = false;
    let after = |change: fn(&mut State)| {
        move |state: &mut State| {
            moved(state);
            change(state);
        }
    };
    assert_eq!(ruled(node("worker"), "pods mysql-0 phase", pending, moved), Some(Allowed));
    assert_eq!(ruled(node("worker"), "pods mysql-0 phase", as_it_was, after(pending)), Some(Wrong));
    assert_eq!(ruled(node("worker"), "pods mysql-0 ready", unready, moved), Some(Allowed));
    assert_eq!(ruled(node("worker"), "pods mysql-0 ready", as_it_was, after(unready)), Some(Wrong));
    // Its server must keep its version.
    let newer = after(|state| state.servers[0].version = "9.7.0".into());
    assert_eq!(ruled(node("worker"), "servers mysql-0 version", as_it_was, newer), Some(Wrong));
}

#[test]
fn a_pod_from_the_partition_on_is_made_from_the_update() {
    let updating = |partition: i64| {
        move |state: &mut State| {
            state.set.update_revision = "rev-2".into();
            state.set.partition = partition;
        }
    };
    let remade = |partition: i64| {
        move |state: &mut State| {
            updating(partition)(state);
            (state.pods[2].uid, state.pods[2].revision) = ("2.9".into(), "rev-2".into());
        }
    };
    let of = |partition| ruled(node("worker"), "pods mysql-2 revision", updating(partition), remade(partition));
    assert_eq!(of(2), Some(Allowed));
    assert_eq!(of(3), Some(Wrong));
}
