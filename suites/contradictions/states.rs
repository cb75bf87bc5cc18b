//! The states between the steps of an upgrade: all their fields are compared, and every wrong value is noticed.

use serde_json::{Value, json};
use steadfast::evidence::{SnapshotOf, Stage, State, What};

use super::change::{Change, Places};
use super::class::{Class, History, Wanted};
use super::edits::snapshot;
use super::stored::{Part, Stored};

pub(crate) const UNTOUCHED: &str = "upgrade::control_plane_upgrade_touches_no_pod";
pub(crate) const MOVES: &str = "upgrade::node_upgrade_moves_one_at_a_time";
pub(crate) const EQUAL: &str = "upgrade::state_is_equal_before_and_after";
pub(crate) const MATRIX: &str = "upgrade::dns_matrix_is_equal";
pub(crate) const WRITES: &str = "upgrade::writes_survive_the_upgrade";

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "states::a_field_changes",
        why: "A state is compared field by field with the one before; what no step explains may not change.",
        part: Part::Upgrade,
        of: changed_fields,
    },
    Class {
        name: "states::an_item_is_missing_or_more",
        why: "No pod, claim, volume, node, revision, endpoint or component goes with a step, and none is made up.",
        part: Part::Upgrade,
        of: other_items,
    },
    Class {
        name: "states::the_control_plane_touches_the_workload",
        why: "The upgrade of the control plane replaces, restarts and changes no pod, and nothing that pods are made of.",
        part: Part::Upgrade,
        of: touched,
    },
];

/// The recorded states, each with its record.
pub(crate) fn states(stored: &Stored) -> Vec<(u64, State)> {
    let read = |seq: u64| match &stored.at(seq).what {
        What::Snapshot(snapshot) => serde_json::from_value(snapshot.value.clone()).expect("a state"),
        _ => unreachable!("a state"),
    };
    stored.snapshots(SnapshotOf::State).iter().map(|seq| (seq, read(seq))).collect()
}

/// The records of the states from this index on.
pub(crate) fn since(states: &[(u64, State)], from: usize) -> Places {
    states.iter().skip(from).map(|(seq, _)| *seq).collect()
}

/// Changes these states.
pub(crate) fn state(places: impl Into<Places>, otherwise: impl Fn(&mut State) + Send + Sync + 'static) -> Change {
    snapshot(places, move |value| {
        if let Ok(mut state) = serde_json::from_value::<State>(value.clone()) {
            otherwise(&mut state);
            *value = json!(state);
        }
    })
}

/// The paths of the values in a state, except those with a comparison of their own.
fn leaves(value: &Value, way: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let others = |name: &str| !way.is_empty() || !["stage", "answers"].contains(&name);
            for (name, value) in fields.iter().filter(|(name, _)| others(name)) {
                leaves(value, format!("{way}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(place, value)| leaves(value, format!("{way}/{place}"), found));
        }
        Value::Object(_) | Value::Array(_) => {}
        _ => found.push(way),
    }
}

/// Replaces a value by another one of the same type.
fn other(value: &mut Value) {
    *value = match value {
        Value::Bool(word) => json!(!*word),
        Value::Number(number) => json!(number.as_i64().unwrap_or(0) + 1),
        Value::String(text) => json!(format!("{text}-other")),
        _ => json!("other"),
    };
}

/// Whether a value in a state may change in the step that led to the state.
fn may_change(before: &State, after: &State, way: &str) -> bool {
    let parts: Vec<&str> = way.trim_start_matches('/').split('/').collect();
    let (watched, planes) = (after.stage != Stage::Unseen, matches!(after.stage, Stage::ControlPlane { .. }));
    let place = parts.get(1).and_then(|place| place.parse::<usize>().ok());
    let moved = place.and_then(|place| Some((before.pods.get(place)?, after.pods.get(place)?)));
    let moved = moved.is_some_and(|(before, after)| before.uid != after.uid);
    match parts[..] {
        // A pod that replaced another one has another UID. Another class compares it with the watch.
        ["pods", _, "uid"] if moved => !watched,
        ["pods", _, "node" | "ready_since"] | ["pods", _, "containers", _, "id" | "restarts"] => moved,
        // A component may restart once, and a new one has a new image. Another class tests what happens to the
        // Corefile.
        ["control_plane", _, "restarts"] => true,
        ["control_plane", _, "uid" | "image"] | ["dns", "image" | "corefile"] => planes || !watched,
        // A pod that is created now may be the first one of an update.
        ["set", "updated"] => !planes,
        // A cluster provider may replace nodes, and change the number of DNS servers.
        ["nodes", _, "uid" | "name" | "kubelet"] | ["control_plane", _, "node"] => !watched,
        _ => false,
    }
}

fn changed_fields(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let states = states(stored);
    for at in [1, 3].into_iter().filter(|at| *at < states.len()) {
        let (before, after) = (&states[at - 1].1, &states[at].1);
        let mut ways = Vec::new();
        leaves(&json!(after), String::new(), &mut ways);
        for way in ways.into_iter().filter(|way| !may_change(before, after, way)) {
            let title = format!("{} from `{}` on", way, after.stage.step());
            let change = snapshot(since(&states, at), move |value| value.pointer_mut(&way).into_iter().for_each(other));
            histories.push(History::new(title, Wanted::LeavesGreen(&[EQUAL, MOVES]), change));
        }
        let title = format!("the Corefile has no kubernetes plugin from `{}` on", after.stage.step());
        let lost = state(since(&states, at), |state| {
            state.dns.corefile = ".:53 {\n    forward . /etc/resolv.conf\n}\n".into()
        });
        histories.push(History::new(title, Wanted::Fails(&[EQUAL]), lost));
    }
    histories
}

/// The lists of a state.
const LISTS: [&str; 8] = ["nodes", "revisions", "pods", "claims", "volumes", "endpoints", "control_plane", "servers"];

fn other_items(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let states = states(stored);
    for (at, (_, after)) in states.iter().enumerate().skip(1) {
        let value = json!(after);
        for list in LISTS {
            let count = value[list].as_array().map_or(0, Vec::len);
            for place in 0..count {
                let title = format!("{list} {place} is missing from `{}` on", after.stage.step());
                let gone = snapshot(since(&states, at), move |value| {
                    value[list].as_array_mut().into_iter().for_each(|items| drop(items.remove(place)));
                });
                // A cluster provider may remove a node.
                if list != "nodes" || after.stage != Stage::Unseen {
                    histories.push(History::new(title, Wanted::LeavesGreen(&[EQUAL]), gone));
                }
            }
            // The expected number of nodes, and the nodes of its components, are not known either.
            if ["nodes", "control_plane"].contains(&list) && after.stage == Stage::Unseen {
                continue;
            }
            let twin = snapshot(since(&states, at), move |value| {
                let items = value[list].as_array_mut().expect("a list");
                items.extend(items.first().cloned());
            });
            let title = format!("{list} has one twice from `{}` on", after.stage.step());
            histories.push(History::new(title, Wanted::LeavesGreen(&[EQUAL]), twin));
        }
    }
    histories
}

/// Forbidden changes that a control plane could make to pods and their objects.
type Touch = fn(&mut State, usize);

#[rustfmt::skip]
static TOUCHES: &[(&str, Touch)] = &[
    ("another pod", |state, at| state.pods[at].uid = "another".into()),
    ("a pod that started again", |state, at| state.pods[at].containers[0].restarts += 1),
    ("another container", |state, at| state.pods[at].containers[0].id = "containerd://another".into()),
    ("another revision of a pod", |state, at| state.pods[at].revision = "rev-2".into()),
    ("a pod on another node", |state, at| state.pods[at].node = Some("worker3".into())),
    ("another address", |state, at| state.pods[at].address = Some("10.0.9.9".into())),
    ("another label", |state, at| drop(state.pods[at].labels.insert("another".into(), "label".into()))),
    ("a label less", |state, at| drop(state.pods[at].labels.pop_first())),
    ("Ready since another time", |state, at| state.pods[at].ready_since = Some("another time".into())),
    ("a pod that is not Ready", |state, at| state.pods[at].ready = false),
    ("a pod that is gone", |state, at| drop(state.pods.remove(at))),
    ("another claim", |state, at| state.claims[at].uid = "another".into()),
    ("a claim that is lost", |state, at| state.claims[at].phase = "Lost".into()),
    ("a claim with an owner", |state, at| {
        let owner = json!({"kind": "StatefulSet", "name": "mysql", "uid": "set", "controller": true});
        state.claims[at].owners.push(serde_json::from_value(owner).expect("an owner"));
    }),
    ("another volume", |state, at| state.volumes[at].uid = "another".into()),
    ("a volume with another policy", |state, at| state.volumes[at].reclaim_policy = "Retain".into()),
    ("another generation", |state, _| (state.set.generation, state.set.observed_generation) = (2, 2)),
    ("another update revision", |state, _| state.set.update_revision = "rev-2".into()),
    ("another current revision", |state, _| state.set.current_revision = "rev-2".into()),
    ("one revision more", |state, _| {
        let mut more = state.revisions[0].clone();
        (more.name, more.uid, more.revision) = ("rev-2".into(), "uid of rev-2".into(), 2);
        state.revisions.push(more);
    }),
    ("another template in the revision", |state, _| state.revisions[0].data = json!({"spec": {}})),
    ("a collision", |state, _| state.set.collision_count += 1),
];

fn touched(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let states = states(stored);
    let Some(step) = states.iter().position(|(_, state)| matches!(state.stage, Stage::ControlPlane { .. })) else {
        return histories;
    };
    for pod in 0..states[step].1.pods.len() {
        for (word, touch) in TOUCHES {
            let touch = *touch;
            let change = state(since(&states, step), move |state| touch(state, pod));
            histories.push(History::new(format!("{word} (pod {pod})"), Wanted::Fails(&[UNTOUCHED]), change));
        }
    }
    histories
}
