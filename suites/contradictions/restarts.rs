//! Containers that restart, on their own or because of an act of the harness.

use serde_json::{Value, json};
use steadfast::evidence::{Act, EventType, ObjectEvent, PodLife, What};

use super::change::{Change, Places, added_after, dropped, repeated, said};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{container_statuses, event, shown, status_of};
use super::stored::{Acted, Part, Stored};

const ONLY: Checks = &["identity::containers_restart_only_when_disrupted"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "restarts::a_container_starts_again_unasked",
        why: "Where nobody disrupts it no container starts again, of whichever kind it is and however it had ended.",
        part: Part::Watches,
        of: unasked,
    },
    Class {
        name: "restarts::it_shows_only_once",
        why: "A restart counts also where one event alone shows it: the first of a pod, its last, or the one after a gap.",
        part: Part::Watches,
        of: shown_once,
    },
    Class {
        name: "restarts::more_start_again_than_were_disrupted",
        why: "What the harness did explains one start of the server that it did it to, and what is on the node.",
        part: Part::Watches,
        of: beyond,
    },
    Class {
        name: "restarts::a_disruption_explains_it",
        why: "On a node that is paused or stopped any container may start again, as often as it likes.",
        part: Part::Watches,
        of: explained,
    },
    Class {
        name: "restarts::nothing_started_again",
        why: "What had started again before the run, what is told twice and what is no pod of the set's is no restart.",
        part: Part::Watches,
        of: none,
    },
];

/// The container that restarts.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Which {
    Server,
    /// A container beside the server.
    Sidecar,
    /// An init container.
    Init,
}

impl Which {
    fn words(self) -> &'static str {
        match self {
            Self::Server => "the server",
            Self::Sidecar => "a sidecar",
            Self::Init => "an init container",
        }
    }

    /// Changes an object so that it shows this number of restarts, and how the container ended before.
    fn show(self, object: &mut Value, server: &str, times: i64, ended: Option<&Value>) {
        let last = ended.map_or_else(|| json!({}), |ended| json!({ "terminated": ended }));
        let extra = |name: &str| {
            let state = json!({ "running": { "startedAt": "2026-11-24T20:06:08Z" } });
            json!({ "name": name, "ready": true, "restartCount": times, "lastState": last, "state": state })
        };
        match self {
            Self::Server => {
                for status in status_of(object, server) {
                    status["restartCount"] = (status["restartCount"].as_i64().unwrap_or(0) + times).into();
                    if times > 0 {
                        status["lastState"].clone_from(&last);
                    }
                }
            }
            Self::Sidecar => {
                if let Some(statuses) = object["status"]["containerStatuses"].as_array_mut() {
                    statuses.push(extra("exporter"));
                }
            }
            Self::Init if object["status"]["containerStatuses"].is_array() => {
                object["status"]["initContainerStatuses"] = json!([extra("prepare")]);
            }
            Self::Init => {}
        }
    }
}

/// How a container ended before, if an event shows it.
fn ended(code: i64, reason: &str) -> Option<Value> {
    Some(json!({ "exitCode": code, "reason": reason, "finishedAt": "2026-11-24T20:07:00Z" }))
}

/// The ways in which a container can restart, in turn.
fn ways() -> impl Iterator<Item = (Which, i64, Option<Value>, &'static str)> {
    let ways = [
        (Which::Server, 1, ended(137, "OOMKilled"), "OOMKilled"),
        (Which::Sidecar, 1, ended(1, "Error"), "after 1"),
        (Which::Server, 3, ended(143, "Error"), "after 143"),
        (Which::Init, 1, ended(137, "Error"), "after 137"),
        (Which::Server, 1, None, "nobody saw how it had ended"),
        (Which::Server, 1, ended(0, "Completed"), "after 0"),
        (Which::Init, 2, None, "nobody saw how it had ended"),
        (Which::Sidecar, 4, ended(137, "OOMKilled"), "OOMKilled"),
    ];
    ways.into_iter().cycle()
}

/// A pod's container restarts this many times just after a record, and all later events show it.
fn again(
    stored: &Stored,
    life: &PodLife,
    at: u64,
    (which, times, ended): (Which, i64, Option<Value>),
) -> Option<Change> {
    let server = stored.subject.container.clone();
    let events = stored.events_of("Pod", &life.uid);
    let last = stored.last_event("Pod", &life.uid, at + 1)?;
    if !last.object["status"]["containerStatuses"].is_array() {
        return None;
    }
    let show = move |times: i64| {
        let (server, ended) = (server.clone(), ended.clone());
        move |object: &mut Value| which.show(object, &server, times, ended.as_ref())
    };
    let new = event(last, EventType::Modified, show(times));
    Some(
        shown(events.before(at + 1), show(0))
            .then(shown(events.since(at + 1), show(times)))
            .then(added_after(at, [new])),
    )
}

/// At the beginning of a scenario nothing has been done yet, and earlier acts are over.
fn unasked(stored: &Stored) -> Vec<History> {
    let (mut histories, mut ways) = (Vec::new(), ways());
    for (scenario, places) in stored.scenarios() {
        let at = places.first().expect("a record");
        for life in stored.pods_at(at) {
            for (which, times, ended, how) in ways.by_ref().take(3) {
                let title = format!("{scenario}: {} of {} {times} times, {how}", which.words(), life.name);
                let change = again(stored, life, at, (which, times, ended));
                histories.extend(change.map(|change| History::new(title, Wanted::Fails(ONLY), change)));
            }
        }
    }
    histories
}

fn shown_once(stored: &Stored) -> Vec<History> {
    let (mut histories, mut ways) = (Vec::new(), ways());
    let server = &stored.subject.container;
    let listed = stored.events("Pod", |event| event.event == EventType::Listed);
    for life in stored.lives() {
        let events = stored.events("Pod", |event| {
            event.object["metadata"]["uid"] == life.uid.as_str()
                && event.object["status"]["containerStatuses"].is_array()
        });
        let alone = [("first", events.first()), ("last", events.last())];
        let (after_gap, from) = (events.iter().find(|seq| listed.has(*seq)), "after a gap");
        for (word, seq) in alone.into_iter().chain([(from, after_gap)]) {
            let Some(seq) = seq else { continue };
            let (which, times, ended, how) = ways.next().expect("there is always another way");
            // A restart that the first event shows is in all later events.
            let places = if word == "first" { events.clone() } else { Places::from(seq) };
            let server = server.clone();
            let change = shown(places, move |object| which.show(object, &server, times, ended.as_ref()));
            let title = format!("{} (#{}), {word}: {} {times} times, {how}", life.name, life.added.seq, which.words());
            histories.push(History::new(title, Wanted::Fails(ONLY), change));
        }
    }
    histories
}

/// The pod of an act.
fn whose<'a>(stored: &'a Stored, act: &Act) -> Option<&'a PodLife> {
    match act {
        Act::KillServer { uid, .. } | Act::Hold { uid, .. } => stored.timeline.pod_by_uid(uid),
        _ => None,
    }
}

/// The node of an act.
fn node(act: &Act) -> Option<&str> {
    match act {
        Act::PauseNode { node } | Act::StopNode { node } => Some(node),
        _ => None,
    }
}

/// The last record of the scenario of an act.
fn end_of(stored: &Stored, asked: u64) -> u64 {
    let scenarios = stored.scenarios().into_iter().find(|(_, places)| places.has(asked));
    scenarios.and_then(|(_, places)| places.last()).unwrap_or(asked)
}

fn beyond(stored: &Stored) -> Vec<History> {
    let (mut histories, mut ways) = (Vec::new(), ways());
    let once = |which: Which| (which, 1, ended(137, "Error"));
    for Acted { act, asked, proved } in stored.acts() {
        let (Some(at), end) = (proved, end_of(stored, asked)) else { continue };
        let fails = |word: String, change: Option<Change>| {
            change.map(|change| {
                History::new(format!("{}: {act}: {word}", stored.scenario_name(asked)), Wanted::Fails(ONLY), change)
            })
        };
        if let Some(own) = whose(stored, &act) {
            let end = end - 1;
            histories.extend(fails("its server twice".into(), again(stored, own, end, once(Which::Server))));
            histories.extend(fails("its sidecar too".into(), again(stored, own, at, once(Which::Sidecar))));
            histories.extend(fails("its init container too".into(), again(stored, own, at, once(Which::Init))));
            for other in stored.pods_at(at).filter(|other| other.uid != own.uid) {
                let (which, times, ended, _) = ways.next().expect("there is always another way");
                let change = again(stored, other, at, (which, times, ended));
                histories.extend(fails(format!("{} of {}", which.words(), other.name), change));
            }
        }
        let Some(node) = node(&act) else { continue };
        for life in stored.pods_at(at) {
            let on_node = life.node.as_deref() == Some(node);
            let (which, times, ended, _) = ways.next().expect("there is always another way");
            // After the scenario, the act on the node no longer explains restarts on it.
            let at = if on_node { end + 1 } else { at };
            let change = again(stored, life, at, (which, times, ended));
            histories.extend(fails(format!("{} of {} at #{at}", which.words(), life.name), change));
        }
    }
    histories
}

fn explained(stored: &Stored) -> Vec<History> {
    let (mut histories, mut ways) = (Vec::new(), ways());
    for Acted { act, asked, .. } in stored.acts() {
        let passes = |word: String, change: Change| {
            History::new(format!("{}: {act}: {word}", stored.scenario_name(asked)), Wanted::Passes(ONLY), change)
        };
        if let Some(own) = whose(stored, &act) {
            let events = stored.events_of("Pod", &own.uid).since(asked);
            let not_seen = shown(events, |object| {
                for status in container_statuses(object) {
                    status["lastState"] = json!({});
                }
            });
            histories.push(passes(format!("nobody saw how the server of {} had ended", own.name), not_seen));
        }
        let Some(node) = node(&act) else { continue };
        for life in stored.pods_at(asked).filter(|life| life.node.as_deref() == Some(node)) {
            for at in [asked, end_of(stored, asked) - 1] {
                let (which, times, ended, how) = ways.next().expect("there is always another way");
                let change = again(stored, life, at, (which, times, ended));
                let title = format!("{} of {} {times} times at #{at}, {how}", which.words(), life.name);
                histories.extend(change.map(|change| passes(title, change)));
            }
        }
    }
    histories
}

fn none(stored: &Stored) -> Vec<History> {
    let passes = |word: String, change: Change| History::new(word, Wanted::Passes(ONLY), change);
    let server = stored.subject.container.clone();
    let mut histories = Vec::new();
    for pod in stored.subject.pods() {
        let Some(life) = stored.lives().find(|life| life.name == pod) else { continue };
        let events = stored.events_of("Pod", &life.uid);
        let (before, ready) = (server.clone(), life.first_ready().map_or(life.added.seq, |ready| ready.seq));
        let had =
            shown(events.clone(), move |object| Which::Server.show(object, &before, 2, ended(137, "Error").as_ref()));
        let was_there = had.then(dropped(events.before(ready))).then(said(ready, |what| {
            if let What::Object(event) = what {
                event.event = EventType::Listed;
            }
        }));
        histories.push(passes(format!("{pod} was there before, and had started twice"), was_there));
        let prepared = shown(events.clone(), |object| Which::Init.show(object, "", 0, None));
        histories.push(passes(format!("{pod} has an init container"), prepared));
        if let Some(seq) = events.since(ready + 1).first() {
            let gone = shown(seq, |object| object["status"]["containerStatuses"] = Value::Null);
            histories.push(passes(format!("{pod} is once shown without containers"), gone));
        }
    }
    // A watch that is opened again may repeat events.
    for life in stored.timeline.pods.iter().filter(|life| life.restarts.len() > 1) {
        let risen: Vec<u64> = life.restarts.iter().skip(1).map(|change| change.since.seq).collect();
        for seq in risen {
            let events = stored.events_of("Pod", &life.uid);
            let Some((last, place)) = events.before(seq).last().zip(events.since(seq).first()) else { continue };
            let (What::Object(old), What::Object(new)) = (&stored.at(last).what, &stored.at(place).what) else {
                continue;
            };
            let told = |event: &ObjectEvent| What::Object(Box::new(event.clone()));
            let change = added_after(place, [told(old), told(new)]);
            histories.push(passes(format!("{}: #{last} and #{place} are told again", life.name), change));
        }
        histories.push(passes(format!("{} is told twice", life.name), repeated(stored.events_of("Pod", &life.uid))));
    }
    let witness = stored.events("Pod", |event| {
        event.object["metadata"]["name"].as_str().is_some_and(|name| stored.subject.ordinal_of(name).is_none())
    });
    if let Some(middle) = witness.iter().nth(witness.len() / 2) {
        let change = shown(witness.since(middle), |object| {
            for status in container_statuses(object) {
                status["restartCount"] = 3.into();
            }
        });
        histories.push(passes("the witness started again".into(), change));
    }
    histories
}
