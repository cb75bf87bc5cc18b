//! Changes every field of a state once: none is forgotten.

use serde_json::{Value, json};

use super::{control_plane, node, unchanged};
use crate::evidence::{Stage, State};
use crate::history::{History, subject};
use crate::upgrade::compare::{Class, compare};
use crate::upgrade::defects::defects;
use crate::upgrade::difference::differences;

/// The paths to all values of a state that are neither objects nor lists of objects.
fn leaves(value: &Value, way: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| {
                leaves(value, &format!("{way}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            });
        }
        Value::Array(items) if items.first().is_some_and(Value::is_object) => {
            items.iter().enumerate().for_each(|(place, item)| leaves(item, &format!("{way}/{place}"), found));
        }
        _ => found.push(way.to_owned()),
    }
}

fn altered(way: &str, value: &Value) -> Value {
    match value {
        // Without a Corefile no server serves the zone; an extended one would be allowed.
        Value::String(_) if way == "/dns/corefile" => json!(""),
        Value::Null => json!("something"),
        Value::Bool(known) => json!(!known),
        Value::Number(number) => json!(number.as_i64().unwrap_or_default() + 3),
        Value::String(text) => json!(format!("another {text}")),
        Value::Array(items) if items.first().is_some_and(Value::is_string) => json!(["another"]),
        Value::Array(_) if way == "/legacy_endpoints/not_ready" => json!(["another"]),
        Value::Array(_) => json!([{"kind": "Pod", "name": "p", "uid": "u", "controller": false}]),
        Value::Object(_) => json!({"another": "one"}),
    }
}

/// What is reported after a value was changed, in words.
fn noticed_with(way: &str, stage: Stage) -> Vec<String> {
    let (before, after) = unchanged(stage);
    let mut value = serde_json::to_value(&after).expect("a value");
    let place = value.pointer_mut(way).expect("a value there");
    *place = altered(way, place);
    let after: State = serde_json::from_value(value).unwrap_or_else(|error| panic!("{way}: {error}"));
    let found = compare(&subject(3), &before, &after);
    let differ = found.iter().filter(|it| it.class != Class::Allowed).map(|it| it.words());
    differ.chain(defects(&subject(3), &after).into_iter().map(|defect| defect.what)).collect()
}

/// Whether a field may change with the control plane.
fn of_the_control_plane(way: &str) -> bool {
    let last = way.rsplit('/').next().unwrap_or_default();
    way == "/kubernetes"
        || way == "/nodes/0/kubelet"
        || way == "/dns/image"
        || (way.starts_with("/control_plane/") && ["uid", "image"].contains(&last))
}

#[test]
fn any_single_change_is_noticed() {
    let (before, _) = unchanged(Stage::Nothing);
    let value = serde_json::to_value(&before).expect("a value");
    let (mut ways, mut noticed) = (Vec::new(), Vec::new());
    leaves(&value, "", &mut ways);
    for way in ways.iter().filter(|way| !way.starts_with("/stage") && !way.starts_with("/answers")) {
        let wrong = noticed_with(way, control_plane("control-plane"));
        assert_eq!(wrong.is_empty(), of_the_control_plane(way), "{way}: {wrong:?}");
        noticed.extend(wrong);
        // The step of the second worker must not change the first one's pods, nor the cluster.
        let allowed = way == "/nodes/2/kubelet" || way.starts_with("/pods/1/");
        let wrong = noticed_with(way, node("worker2"));
        assert!(allowed || !wrong.is_empty(), "{way}");
    }
    noticed.sort();
    noticed.dedup();
    insta::assert_snapshot!(noticed.join("\n"));
}

#[test]
fn the_whole_of_each_list_is_noticed() {
    let (before, after) = unchanged(control_plane("control-plane"));
    let value = serde_json::to_value(&after).expect("a value");
    let lists = value.as_object().expect("a state").iter().filter(|(name, list)| list.is_array() && *name != "answers");
    for (name, list) in lists {
        let items = list.as_array().expect("a list");
        assert!(!items.is_empty(), "{name}");
        for place in 0..items.len() {
            let mut value = value.clone();
            value[name].as_array_mut().expect("a list").remove(place);
            let less: State = serde_json::from_value(value).expect("a state");
            let notices = |before: &State, after: &State| {
                let found = compare(&subject(3), before, after);
                found.iter().any(|it| it.class != Class::Allowed)
            };
            assert!(notices(&before, &less), "{name} without its item {place}");
            // A control plane may get a new component.
            assert!(name == "control_plane" || notices(&State { stage: Stage::Nothing, ..less }, &after), "{name}");
        }
    }
}

#[test]
fn a_state_is_the_same_as_itself() {
    for history in [History::upgraded(), History::around_an_upgrade()] {
        for state in history.states() {
            assert_eq!(differences(&state, &state), []);
            let mut turned = state.clone();
            turned.nodes.reverse();
            turned.revisions.reverse();
            turned.pods.reverse();
            turned.claims.reverse();
            turned.volumes.reverse();
            turned.endpoints.reverse();
            turned.control_plane.reverse();
            turned.servers.reverse();
            turned.answers.reverse();
            turned.service.ports.reverse();
            assert_eq!(differences(&state, &turned), []);
        }
    }
}
