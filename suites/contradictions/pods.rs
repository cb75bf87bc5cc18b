//! Pods that start too early, exist twice, have wrong labels, or belong to another owner.

use serde_json::{Value, json};
use steadfast::evidence::{EventType, ObjectEvent, PodLife, What};

use super::change::{Change, Places, added_after, added_before, moved_before, paused};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{event, set_label, set_ready, shown, tell_to_go};
use super::stored::{Part, Stored};

const ORDER: Checks = &["ordering::starts_in_ordinal_order"];
const ONE: Checks = &["ordering::at_most_one_pod_per_ordinal"];
const INDEX: Checks = &["identity::pod_index_label_matches"];
const NAMED: Checks = &["identity::hostname_is_pod_name"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "pods::one_comes_before_another_was_ready",
        why: "A pod is created only after all before it were Ready under their current UID, whenever it is created.",
        part: Part::Watches,
        of: too_early,
    },
    Class {
        name: "pods::one_comes_long_after_another_ceased_to_be_ready",
        why: "What a controller's cache may be behind by is no minute: Ready lost 60 s ago is not Ready.",
        part: Part::Watches,
        of: long_unready,
    },
    Class {
        name: "pods::two_bear_one_name",
        why: "A pod must be gone before another one of its name is there.",
        part: Part::Watches,
        of: two_of_a_name,
    },
    Class {
        name: "pods::a_label_is_wrong_for_a_while",
        why: "The container reads its labels when it starts: one that is set right later came too late.",
        part: Part::Watches,
        of: labels,
    },
    Class {
        name: "pods::one_of_somebody_else_has_a_number_for_a_name",
        why: "A pod that another controller made is none of the set's, whatever it is called.",
        part: Part::Right,
        of: of_somebody_else,
    },
];

fn title(life: &PodLife) -> String {
    format!("{} (#{})", life.name, life.added.seq)
}

/// The earlier pods that existed, and were not being deleted, when a pod was created.
fn before<'a>(stored: &'a Stored, life: &'a PodLife) -> impl Iterator<Item = &'a PodLife> {
    let (at, ordinal) = (life.added.seq, stored.subject.ordinal_of(&life.name));
    let before = stored.subject.ordinals().filter(move |before| Some(*before) < ordinal);
    before.filter_map(move |before| {
        let there = stored.timeline.pod_at(&stored.subject.pod(before), at);
        there.filter(|life| life.ready_at(at) && !life.deleting_at(at))
    })
}

fn too_early(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for life in stored.lives() {
        for other in before(stored, life) {
            let at = life.added.seq;
            let events = stored.events_of("Pod", &other.uid).before(at);
            let title = format!("{} while {}", title(life), other.name);
            let never = shown(events.clone(), |object| set_ready(object, false));
            histories.push(History::new(format!("{title} had never been Ready"), Wanted::Fails(ORDER), never));
            let seq = events.last().expect("an event");
            let going = shown(seq, tell_to_go);
            histories.push(History::new(format!("{title} was going"), Wanted::LeavesGreen(ORDER), going));
            let ready = other.first_ready().expect("it was Ready").seq;
            // This pod's creation cannot be moved to a time before its previous life had gone.
            if other.added.seq > last_gone(stored, life) {
                let change = moved_before(at, ready);
                histories.push(History::new(format!("{title} was not yet Ready"), Wanted::Fails(ORDER), change));
                let change = moved_before(at, other.added.seq);
                // The controller may not have known that a pod had just gone.
                histories.push(History::new(format!("{title} did not exist"), Wanted::LeavesGreen(ORDER), change));
            }
        }
    }
    histories
}

/// When the last pod of the same name was gone before this one, or 0 if there was none.
fn last_gone(stored: &Stored, life: &PodLife) -> u64 {
    let before = stored.timeline.lives(&life.name).filter(|other| other.added.seq < life.added.seq);
    before.filter_map(|other| other.deleted).map(|mark| mark.seq).max().unwrap_or(0)
}

/// An event that shows a pod as before a record, except for Ready.
fn turned(stored: &Stored, uid: &str, before: u64, ready: bool) -> Option<What> {
    let last = stored.last_event("Pod", uid, before)?;
    Some(event(last, EventType::Modified, |object| set_ready(object, ready)))
}

fn long_unready(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for life in stored.lives() {
        for other in before(stored, life) {
            let at = life.added.seq;
            let (Some(lost), Some(again)) =
                (turned(stored, &other.uid, at, false), turned(stored, &other.uid, at, true))
            else {
                continue;
            };
            // The new pod is created a minute after the other one lost Ready.
            let change = added_before(at, [lost]).then(paused(at, 60_000_000)).then(added_after(at, [again]));
            let title = format!("{}, a minute after {} lost Ready", title(life), other.name);
            histories.push(History::new(title, Wanted::Fails(ORDER), change));
        }
    }
    histories
}

fn two_of_a_name(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let fails = Wanted::Fails(ONE);
    for life in stored.lives() {
        let Some(ready) = life.first_ready() else { continue };
        let Some(shown) = stored.last_event("Pod", &life.uid, ready.seq + 1) else { continue };
        let twin = |of: EventType| {
            event(shown, of, |object| object["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000".into())
        };
        let twins = [twin(EventType::Added), twin(EventType::Deleted)];
        histories.push(History::new(format!("{} and a twin", title(life)), fails, added_after(ready.seq, twins)));
        let next = stored.timeline.lives(&life.name).find(|next| next.added.seq > life.added.seq);
        if let (Some(gone), Some(next)) = (life.deleted, next) {
            let change = moved_before(next.added.seq, gone.seq);
            histories.push(History::new(format!("{} is followed too early", title(life)), fails, change));
        }
    }
    histories
}

fn labels(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let labels: [(&str, Checks); 2] =
        [("apps.kubernetes.io/pod-index", INDEX), ("statefulset.kubernetes.io/pod-name", NAMED)];
    for life in stored.lives() {
        let events = stored.events("Pod", |event| {
            event.event != EventType::Deleted && event.object["metadata"]["uid"] == life.uid.as_str()
        });
        let Some(ready) = life.first_ready() else { continue };
        let stretches: [(&str, Places); 4] = [
            ("at first", events.first().into_iter().collect()),
            ("until it is Ready", events.before(ready.seq)),
            ("since it is Ready", events.since(ready.seq)),
            ("always", events.clone()),
        ];
        for (label, check) in labels {
            for (word, places) in stretches.iter().filter(|(_, places)| !places.is_empty()) {
                for value in [Some("7"), None] {
                    let change = shown(places.clone(), move |object| set_label(object, label, value));
                    let what = value.unwrap_or("missing");
                    let title = format!("{}: {label} is {what} {word}", title(life));
                    histories.push(History::new(title, Wanted::Fails(check), change));
                }
            }
        }
    }
    histories
}

/// The events of another owner's pod from its creation to its end.
fn stranger(of: &ObjectEvent, name: &str, owner: Option<&str>) -> [What; 3] {
    let made = |object: &mut Value| {
        object["metadata"]["name"] = name.into();
        object["metadata"]["uid"] = format!("uid of {name}").into();
        object["metadata"]["generateName"] = Value::Null;
        object["spec"]["hostname"] = Value::Null;
        object["status"]["podIP"] = "10.244.9.9".into();
        object["status"]["podIPs"] = json!([{ "ip": "10.244.9.9" }]);
        set_label(object, "apps.kubernetes.io/pod-index", None);
        set_label(object, "statefulset.kubernetes.io/pod-name", None);
        set_label(object, "app", Some("another"));
        match owner {
            Some(kind) => {
                object["metadata"]["ownerReferences"][0]["kind"] = kind.into();
                object["metadata"]["ownerReferences"][0]["name"] = "mysql".into();
                object["metadata"]["ownerReferences"][0]["uid"] = format!("uid of {kind}").into();
            }
            None => object["metadata"]["ownerReferences"] = Value::Null,
        }
    };
    let not_ready = event(of, EventType::Added, |object| {
        made(object);
        set_ready(object, false);
        object["status"]["podIP"] = Value::Null;
        object["status"]["podIPs"] = Value::Null;
    });
    [not_ready, event(of, EventType::Modified, made), event(of, EventType::Deleted, made)]
}

fn of_somebody_else(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let owners = [Some("ReplicaSet"), Some("Job"), None];
    // After a gap in the history, the following list would contain the stranger too.
    let gaps = stored.places(|what| matches!(what, What::Gap(_)));
    let whole = stored.scenarios().into_iter().filter(|(_, places)| !gaps.iter().any(|gap| places.has(gap)));
    for (index, (scenario, places)) in whole.enumerate() {
        let Some(life) = stored.lives().find(|life| life.first_ready().is_some()) else { continue };
        let ready = life.first_ready().expect("it was Ready").seq;
        let Some(shown) = stored.last_event("Pod", &life.uid, ready + 1) else { continue };
        let owner = owners[index % owners.len()];
        let name = format!("{}-{}", stored.subject.set, ["24679", "77", "123456789"][index % 3]);
        let at = places.first().expect("a record");
        let [comes, is_ready, goes] = stranger(shown, &name, owner);
        let change = added_after(at, [comes, is_ready]).then(match places.last() {
            Some(last) if last > at => added_before(last, [goes]),
            _ => Change::nothing(),
        });
        let whose = owner.unwrap_or("nobody");
        histories.push(History::new(format!("{scenario}: {name} of {whose}"), Wanted::StaysAsItWas, change));
    }
    histories
}
