//! Servers that were asked to stop and had to be killed or took too long, and servers that nobody asked to stop.

use serde_json::{Value, json};
use steadfast::evidence::{Act, EventType, PodLife};

use super::change::{Change, Places, added_after, added_before, dropped, paused};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{event, shown, status_of};
use super::orders::told_to_go;
use super::stored::{Part, Stored};

const STOPS: Checks = &["identity::servers_stop_within_their_grace"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "stops::a_server_does_not_end_by_itself",
        why: "Whoever has its pod deleted, a server that is told to stop ends with 0, not with its killer's code.",
        part: Part::Watches,
        of: killed,
    },
    Class {
        name: "stops::a_server_takes_longer_than_its_grace",
        why: "What ends after its grace period was over was not killed in time, or is still there.",
        part: Part::Watches,
        of: slow,
    },
    Class {
        name: "stops::one_that_is_held_does_not_end_by_itself",
        why: "A server whose image is taken away is told to stop as any other.",
        part: Part::Watches,
        of: held,
    },
    Class {
        name: "stops::nobody_saw_one_end",
        why: "Of each pod one end at least must have been seen.",
        part: Part::Watches,
        of: not_seen,
    },
    Class {
        name: "stops::one_was_not_told_or_had_no_time",
        why: "Without grace, on a node that is stopped, or where it had ended before, a server owes nobody a good end.",
        part: Part::Watches,
        of: owes_nothing,
    },
    Class {
        name: "stops::a_grace_is_used_to_the_end",
        why: "The whole grace period is the server's, and what others beside it do is not.",
        part: Part::Watches,
        of: in_time,
    },
];

/// A server that was asked to stop with its pod, and whose end was recorded.
struct Stop<'a> {
    life: &'a PodLife,
    title: String,
    /// The record at which it was asked.
    told: u64,
    /// The records that show its end, in order.
    ends: Places,
    /// The end of its grace period according to the API server.
    deadline: String,
}

fn stops(stored: &Stored) -> Vec<Stop<'_>> {
    let terminated = |object: &Value| {
        let mut statuses = object["status"]["containerStatuses"].as_array().into_iter().flatten();
        statuses.any(|it| it["name"] == stored.subject.container.as_str() && it["state"]["terminated"].is_object())
    };
    let found = stored.timeline.pods.iter().filter_map(|life| {
        let told = life.deleting?.seq;
        let object = &stored.last_event("Pod", &life.uid, told + 1)?.object;
        let has_time = object["metadata"]["deletionGracePeriodSeconds"].as_i64() > Some(0);
        let serves = life.ready_at(told) && has_time;
        let ends = stored
            .events("Pod", |event| event.object["metadata"]["uid"] == life.uid.as_str() && terminated(&event.object));
        let ends = ends.since(told);
        let deadline = object["metadata"]["deletionTimestamp"].as_str()?.to_owned();
        let title = format!("{}: {} (#{told})", stored.scenario_name(told), life.name);
        (serves && !ends.is_empty()).then_some(Stop { life, title, told, ends, deadline })
    });
    found.collect()
}

/// Changes how the server ended in these records.
fn ending(stored: &Stored, places: Places, otherwise: impl Fn(&mut Value) + Send + Sync + 'static) -> Change {
    let server = stored.subject.container.clone();
    shown(places, move |object| {
        for status in status_of(object, &server) {
            for state in ["state", "lastState"] {
                if status[state]["terminated"].is_object() {
                    otherwise(&mut status[state]["terminated"]);
                }
            }
        }
    })
}

fn coded(code: i64, reason: &'static str) -> impl Fn(&mut Value) + Send + Sync + 'static {
    move |terminated| (terminated["exitCode"], terminated["reason"]) = (code.into(), reason.into())
}

/// The exit codes of servers that were killed, in turn.
fn codes() -> impl Iterator<Item = (i64, &'static str)> {
    [(137, "Error"), (143, "Error"), (137, "OOMKilled"), (1, "Error"), (2, "Error"), (255, "Error")].into_iter().cycle()
}

fn killed(stored: &Stored) -> Vec<History> {
    let (mut histories, mut codes) = (Vec::new(), codes());
    let stops = stops(stored);
    for stop in &stops {
        for (code, reason) in codes.by_ref().take(4) {
            let change = ending(stored, stop.ends.clone(), coded(code, reason));
            histories.push(History::new(format!("{}: {code} ({reason})", stop.title), Wanted::Fails(STOPS), change));
        }
        // Only the event of the pod's deletion shows the end.
        let last = stop.ends.last().expect("an event");
        let alone = ending(stored, last.into(), coded(137, "Error")).then(dropped(stop.ends.before(last)));
        histories.push(History::new(
            format!("{}: the last event alone tells of 137", stop.title),
            Wanted::Fails(STOPS),
            alone,
        ));
        if let Some(gone) = stop.life.deleted {
            let lost = ending(stored, stop.ends.clone(), coded(143, "Error")).then(dropped(gone.seq));
            let title = format!("{}: 143, and nobody saw the pod gone", stop.title);
            histories.push(History::new(title, Wanted::Fails(STOPS), lost));
        }
    }
    for (scenario, _) in stored.scenarios() {
        let all = stops.iter().filter(|stop| stored.scenario(stop.told) == Some(scenario));
        let all: Places = all.flat_map(|stop| stop.ends.iter()).collect();
        if !all.is_empty() {
            let change = ending(stored, all, coded(137, "Error"));
            histories.push(History::new(format!("{scenario}: all are killed"), Wanted::Fails(STOPS), change));
        }
    }
    histories
}

/// The deadline plus this many seconds.
fn after(deadline: &str, by_s: i64) -> String {
    let deadline: jiff::Timestamp = deadline.parse().expect("a deadline");
    (deadline + jiff::SignedDuration::from_secs(by_s)).to_string()
}

fn slow(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for stop in stops(stored) {
        let first = stop.ends.first().expect("an event");
        let late = |by_s: i64| {
            let finished = after(&stop.deadline, by_s);
            ending(stored, stop.ends.clone(), move |terminated| terminated["finishedAt"] = finished.clone().into())
        };
        let title = |word: &str| format!("{}: {word}", stop.title);
        let change = paused(first, 95_000_000).then(late(62));
        histories.push(History::new(title("a minute after its grace"), Wanted::Fails(STOPS), change));
        let change = paused(first, 45_000_000).then(late(15));
        histories.push(History::new(title("15 s after its grace"), Wanted::LeavesGreen(STOPS), change));
        let never =
            paused(first, 120_000_000).then(dropped(stored.events_of("Pod", &stop.life.uid).since(stop.told + 1)));
        histories.push(History::new(title("it does not end"), Wanted::Fails(STOPS), never));
    }
    histories
}

fn held(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for acted in stored.acts() {
        let Act::Hold { pod, uid } = &acted.act else { continue };
        let events = stored.events_of("Pod", uid).since(acted.asked);
        for (code, reason) in codes().take(4) {
            let change = ending(stored, events.clone(), coded(code, reason));
            let title = format!("{}: {pod}: {code} ({reason})", stored.scenario_name(acted.asked));
            histories.push(History::new(title, Wanted::Fails(STOPS), change));
        }
    }
    histories
}

/// No event shows how the server ended.
fn not_told(stored: &Stored, places: Places) -> Change {
    let server = stored.subject.container.clone();
    shown(places, move |object| status_of(object, &server).for_each(|status| status["state"] = json!({})))
}

fn not_seen(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let stops = stops(stored);
    for pod in stored.subject.pods() {
        let own = || stops.iter().filter(|stop| stop.life.name == pod);
        let ends: Places = own().flat_map(|stop| stop.ends.iter()).collect();
        let unknown = coded(137, "ContainerStatusUnknown");
        for (word, change) in [
            ("in no status", not_told(stored, ends.clone())),
            ("only supposed", ending(stored, ends.clone(), unknown)),
            ("lost", dropped(ends.clone())),
        ] {
            histories.push(History::new(format!("{pod}: every end is {word}"), Wanted::LeavesGreen(STOPS), change));
        }
        for stop in own() {
            let change = not_told(stored, stop.ends.clone());
            histories.push(History::new(format!("{}: not seen", stop.title), Wanted::Passes(STOPS), change));
        }
    }
    histories
}

fn owes_nothing(stored: &Stored) -> Vec<History> {
    let passes = |title: String, change: Change| History::new(title, Wanted::Passes(STOPS), change);
    let mut histories = Vec::new();
    for acted in stored.acts() {
        let scenario = stored.scenario_name(acted.asked);
        match &acted.act {
            Act::DeletePod { pod, uid, grace_s: Some(0) } => {
                let events = stored.events_of("Pod", uid).since(acted.asked);
                for (code, reason) in codes().take(3) {
                    let change = shown(events.clone(), move |object| {
                        let ended = json!({ "terminated": { "exitCode": code, "reason": reason } });
                        object["status"]["containerStatuses"][0]["state"] = ended;
                    });
                    histories.push(passes(format!("{scenario}: {pod}, without grace: {code} ({reason})"), change));
                }
            }
            Act::StopNode { node } => {
                for life in stored.pods_at(acted.asked).filter(|life| life.node.as_deref() == Some(node)) {
                    let change = told_to_go(stored, life, acted.asked + 1);
                    let title = format!("{scenario}: {} is told to go on a node that is stopped", life.name);
                    histories.extend(change.map(|change| passes(title, change)));
                }
            }
            _ => {}
        }
    }
    for stop in stops(stored).into_iter().step_by(2) {
        let early = after(&stop.deadline, -40);
        let before = ending(stored, stop.ends.clone(), move |terminated| {
            coded(1, "Error")(terminated);
            terminated["finishedAt"] = early.clone().into();
        });
        histories.push(passes(format!("{}: it had ended before", stop.title), before));
        let (Some(last), first) =
            (stored.last_event("Pod", &stop.life.uid, stop.told + 1), stop.ends.first().expect("an event"))
        else {
            continue;
        };
        let cut =
            event(last, EventType::Modified, |object| object["metadata"]["deletionGracePeriodSeconds"] = 0.into());
        let change = ending(stored, stop.ends.clone(), coded(137, "Error")).then(added_before(first, [cut]));
        histories.push(passes(format!("{}: its grace period is cut short", stop.title), change));
    }
    histories
}

fn in_time(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for stop in stops(stored).into_iter().step_by(2) {
        let passes =
            |word: &str, change: Change| History::new(format!("{}: {word}", stop.title), Wanted::Passes(STOPS), change);
        let first = stop.ends.first().expect("an event");
        let grace_us = 30_000_000;
        let finished = stop.deadline.clone();
        let exact =
            ending(stored, stop.ends.clone(), move |terminated| terminated["finishedAt"] = finished.clone().into());
        histories.push(passes("it uses its grace to the end", paused(first, grace_us).then(exact)));
        let sidecar = shown(stop.ends.clone(), |object| {
            let killed =
                json!({ "name": "exporter", "restartCount": 0, "state": { "terminated": { "exitCode": 137 } } });
            object["status"]["containerStatuses"].as_array_mut().into_iter().for_each(|all| all.push(killed.clone()));
        });
        histories.push(passes("a sidecar is killed", sidecar));
        let Some(last) = stored.last_event("Pod", &stop.life.uid, stop.told + 1) else { continue };
        let again = event(last, EventType::Modified, |_| {});
        histories.push(passes("it is told twice", added_after(stop.told, [again])));
    }
    histories
}
