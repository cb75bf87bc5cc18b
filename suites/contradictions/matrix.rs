//! The DNS answers before an upgrade and after each step.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use serde_json::json;
use steadfast::evidence::{DnsServer, NameAnswer, Snapshot, SnapshotOf, State, Transport, What};

use super::change::{Change, Places, added_before};
use super::class::{Checks, Class, History, Wanted};
use super::states::{MATRIX, since, state, states};
use super::stored::{Part, Stored};

const MATRICES: Checks = &[MATRIX];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "matrix::a_name_is_answered_otherwise",
        why: "Every name has after each step the answer that it had before, by all servers, however they are asked.",
        part: Part::Upgrade,
        of: answered_otherwise,
    },
    Class {
        name: "matrix::a_name_was_wrong_before",
        why: "A pod that is Ready and has no name is no fault of the upgrade's, and not right either.",
        part: Part::Upgrade,
        of: wrong_before,
    },
    Class {
        name: "matrix::somebody_was_not_asked",
        why: "Every name is asked of every server, over both transports and from two namespaces, in every state.",
        part: Part::Upgrade,
        of: not_asked,
    },
    Class {
        name: "matrix::a_name_is_spelled_otherwise",
        why: "DNS knows no case and no order, may end a name with a dot, and is free in priority and weight.",
        part: Part::Upgrade,
        of: spelled_otherwise,
    },
];

/// Selects answers of a state.
type Which = Box<dyn Fn(&NameAnswer) -> bool + Send + Sync>;

/// The same as a plain function.
type Of = fn(&NameAnswer) -> bool;

/// Changes an answer.
type Lie = fn(&mut NameAnswer);

const LIES: [(&str, Lie); 5] = [
    ("is not there", |answer| (answer.rcode, answer.data) = (Some("NXDOMAIN".into()), BTreeSet::new())),
    ("has no record", |answer| answer.data = BTreeSet::new()),
    ("leads elsewhere", |answer| answer.data = elsewhere(answer)),
    ("leads elsewhere too", |answer| answer.data.extend(elsewhere(answer))),
    ("is refused", |answer| (answer.rcode, answer.data) = (Some("SERVFAIL".into()), BTreeSet::new())),
];

fn elsewhere(answer: &NameAnswer) -> BTreeSet<String> {
    let data = match answer.record_type.as_str() {
        "SRV" => "0 33 3306 stranger.mysql-h.steadfast.svc.cluster.local",
        "PTR" => "stranger.mysql-h.steadfast.svc.cluster.local",
        _ => "10.99.99.99",
    };
    [data.to_owned()].into()
}

/// The questions of a state: each type and name. Questions for the name of an address are identified by their place,
/// since a pod's address changes with the pod.
fn questions(state: &State) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for answer in &state.answers {
        let question = (answer.record_type.clone(), answer.name.clone());
        if !all.contains(&question) {
            all.push(question);
        }
    }
    all
}

/// The answers of these states to the question at this place.
fn answers(
    places: Places,
    place: usize,
    which: Which,
    otherwise: impl Fn(&mut NameAnswer) + Send + Sync + 'static,
) -> Change {
    state(places, move |state| {
        let Some((record_type, name)) = questions(state).into_iter().nth(place) else { return };
        let own = state.answers.iter_mut().filter(|it| it.record_type == record_type && it.name == name);
        own.filter(|it| which(it)).for_each(&otherwise);
    })
}

fn all() -> Which {
    Box::new(|_| true)
}

fn answered_otherwise(stored: &Stored) -> Vec<History> {
    let states = states(stored);
    let mut histories = Vec::new();
    let fails = Wanted::Fails(MATRICES);
    let questions = questions(&states[0].1);
    let mut lies = LIES.into_iter().cycle();
    for (place, (record_type, name)) in questions.iter().enumerate() {
        for (at, (_, after)) in states.iter().enumerate().skip(1) {
            let title = format!("{record_type} of {name} from `{}` on", after.stage.step());
            for (word, lie) in lies.by_ref().take(2) {
                let change = answers(since(&states, at), place, all(), lie);
                histories.push(History::new(format!("{title} {word}"), fails, change));
            }
            let (word, lie) = lies.next().expect("there is always another lie");
            let once = answers(states[at].0.into(), place, all(), lie);
            histories.push(History::new(format!("{title}, once: {word}"), fails, once));
            let silent = answers(states[at].0.into(), place, all(), |answer| {
                (answer.rcode, answer.data) = (None, BTreeSet::new())
            });
            histories.push(History::new(format!("{title}: no answer"), Wanted::LeavesOpen(MATRICES), silent));
        }
        // One asker, or one way of asking.
        let some: [(&str, Of); 4] = [
            ("by one server", |it| it.server.ends_with('a')),
            ("over TCP", |it| it.transport == Transport::Tcp),
            ("from one namespace", |it| it.from == "default"),
            ("by one server over UDP", |it| it.server.ends_with('b') && it.transport == Transport::Udp),
        ];
        for (word, which) in some {
            let (lied, lie) = lies.next().expect("there is always another lie");
            let change = answers(since(&states, states.len() - 1), place, Box::new(which), lie);
            histories.push(History::new(format!("{record_type} of {name} {lied} {word}"), fails, change));
        }
    }
    histories
}

fn wrong_before(stored: &Stored) -> Vec<History> {
    let states = states(stored);
    let mut histories = Vec::new();
    let open = Wanted::LeavesOpen(MATRICES);
    for (place, (record_type, name)) in questions(&states[0].1).iter().enumerate() {
        for (word, lie) in LIES.into_iter().take(2) {
            let title = format!("{record_type} of {name} {word}");
            let always = answers(since(&states, 0), place, all(), lie);
            histories.push(History::new(format!("{title}, always"), open, always));
            let before = answers(states[0].0.into(), place, all(), lie);
            histories.push(History::new(format!("{title}, before the upgrade only"), open, before));
            let of_one = || -> Which { Box::new(|it| it.server.ends_with('a')) };
            let always = answers(since(&states, 0), place, of_one(), lie);
            histories.push(History::new(format!("{title} by one server, always"), open, always));
            let before = answers(states[0].0.into(), place, of_one(), lie);
            histories.push(History::new(format!("{title} by one server, before the upgrade only"), open, before));
        }
    }
    histories
}

/// The cluster's list of DNS servers: those that a state was asked from, and one more.
fn listed(state: &State, more: &str) -> What {
    let names: BTreeSet<&str> = state.answers.iter().map(|answer| answer.server.as_str()).chain([more]).collect();
    let server = |(place, name): (usize, &&str)| DnsServer {
        name: (*name).to_owned(),
        uid: format!("uid of {name}"),
        address: IpAddr::from([10, 244, 0, 2 + u8::try_from(place).unwrap_or(0)]),
    };
    let servers: Vec<DnsServer> = names.iter().enumerate().filter(|(_, name)| !name.is_empty()).map(server).collect();
    What::Snapshot(Snapshot { of: SnapshotOf::DnsServers, value: json!(servers) })
}

fn not_asked(stored: &Stored) -> Vec<History> {
    let states = states(stored);
    let mut histories = Vec::new();
    let open = Wanted::LeavesOpen(MATRICES);
    for (at, (seq, read)) in states.iter().enumerate() {
        let seq = *seq;
        let step = read.stage.step();
        let mut without = |word: &str, which: Of| {
            for (how, places) in [("once", Places::from(seq)), ("from then on", since(&states, at))] {
                let change = state(places, move |state| state.answers.retain(|it| !which(it)));
                histories.push(History::new(format!("{word} after {step}, {how}"), open, change));
            }
        };
        without("one server was not asked", |it| it.server.ends_with('a'));
        without("nobody asked over TCP", |it| it.transport == Transport::Tcp);
        without("nobody asked from the other namespace", |it| it.from == "default");
        without("nobody was asked", |_| true);
        without("one was not asked for SRV", |it| it.record_type == "SRV" && it.server.ends_with('b'));
        let more = added_before(seq, [listed(read, "coredns-c")]);
        histories.push(History::new(format!("one more was there and not asked after {step}"), open, more));
        for (place, (record_type, name)) in questions(read).into_iter().enumerate() {
            let title = format!("{record_type} of {name} was not asked for after {step}");
            let change = state(seq, move |state| {
                let Some((record_type, name)) = questions(state).into_iter().nth(place) else { return };
                state.answers.retain(|it| it.record_type != record_type || it.name != name);
            });
            histories.push(History::new(title, open, change));
        }
    }
    histories
}

fn spelled_otherwise(stored: &Stored) -> Vec<History> {
    let states = states(stored);
    let passes = Wanted::Passes(MATRICES);
    let mut histories = Vec::new();
    let every = |otherwise: fn(&mut NameAnswer)| {
        state(since(&states, 1), move |state| state.answers.iter_mut().for_each(otherwise))
    };
    let changes = [
        ("names in capitals, with a dot", every(|it| it.name = format!("{}.", it.name.to_uppercase()))),
        (
            "SRV with another priority and weight",
            every(|it| {
                if it.record_type == "SRV" {
                    it.data = it.data.iter().map(|data| data.replacen("0 33", "10 5", 1)).collect();
                }
            }),
        ),
        (
            "PTR in capitals, with a dot",
            every(|it| {
                if it.record_type == "PTR" {
                    it.data = it.data.iter().map(|data| format!("{}.", data.to_uppercase())).collect();
                }
            }),
        ),
    ];
    histories.extend(changes.map(|(word, change)| History::new(word, passes, change)));
    // The servers are replaced after each step, and the list shows it.
    let servers: HashMap<&str, &str> = [("coredns-a", "coredns-d"), ("coredns-b", "coredns-e")].into();
    let renamed = state(since(&states, 1), move |state| {
        for answer in &mut state.answers {
            if let Some(name) = servers.get(answer.server.as_str()) {
                (*name).clone_into(&mut answer.server);
            }
        }
    });
    histories.push(History::new("by other servers", passes, renamed));
    let told = Change::all(states.iter().map(|(seq, state)| added_before(*seq, [listed(state, "")])));
    histories.push(History::new("by the servers that are listed", passes, told));
    histories
}
