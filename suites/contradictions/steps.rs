//! The steps of an upgrade: wrong versions, missing states, and changes that a step explains.

use serde_json::Value;
use steadfast::evidence::{Stage, State};

use super::change::{Change, dropped};
use super::class::{Checks, Class, History, Wanted};
use super::edits::snapshot;
use super::states::{EQUAL, MATRIX, MOVES, UNTOUCHED, WRITES, since, state, states};
use super::stored::{Part, Stored};

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "steps::a_version_is_not_what_it_is_to_be",
        why: "Where the API server, a component or a kubelet is the old one, the upgrade is not what was survived.",
        part: Part::Upgrade,
        of: versions,
    },
    Class {
        name: "steps::the_state_after_one_was_not_read",
        why: "A step whose state nobody read, or can read, is judged by nobody, and none is blamed for two.",
        part: Part::Upgrade,
        of: not_read,
    },
    Class {
        name: "steps::a_step_explains_it",
        why: "What the step is to change may change, and lists have no order.",
        part: Part::Upgrade,
        of: explained,
    },
];

/// A history for each of these checks, which read the same records.
fn each(title: &str, wanted: fn(Checks) -> Wanted, checks: Checks, change: impl Fn() -> Change) -> Vec<History> {
    let history = |check| {
        let checks: Checks = std::slice::from_ref(check);
        History::new(format!("{title} ({})", checks[0]), wanted(checks), change())
    };
    checks.iter().map(history).collect()
}

fn is_watched(states: &[(u64, State)]) -> bool {
    states.iter().all(|(_, state)| state.stage != Stage::Unseen)
}

fn versions(stored: &Stored) -> Vec<History> {
    let states = states(stored);
    let (from, to) = (states[0].1.kubernetes.clone(), states[states.len() - 1].1.kubernetes.clone());
    let all: Checks = &[EQUAL, UNTOUCHED, MATRIX, WRITES];
    let mut histories = each("the API server stays the old one", Wanted::LeavesGreen, all, || {
        let old = from.clone();
        state(since(&states, 0), move |state| state.kubernetes.clone_from(&old))
    });
    for component in ["kube-apiserver", "kube-controller-manager", "kube-scheduler"] {
        let title = format!("{component} stays the old one");
        histories.extend(each(&title, Wanted::LeavesGreen, &[EQUAL, UNTOUCHED, MATRIX, WRITES], || {
            let old =
                states[0].1.control_plane.iter().find(|it| it.component == component).expect("it is there").clone();
            state(since(&states, 1), move |state| {
                let own = state.control_plane.iter_mut().filter(|it| it.component == old.component);
                own.for_each(|it| it.clone_from(&old));
            })
        }));
    }
    if !is_watched(&states) {
        return histories;
    }
    histories.extend(each("the API server was the new one before", Wanted::LeavesGreen, all, || {
        let new = to.clone();
        state(since(&states, 0), move |state| state.kubernetes.clone_from(&new))
    }));
    let late = from.clone();
    let late = state(states[1].0, move |state| state.kubernetes.clone_from(&late));
    histories.push(History::new("the API server is another one after a node", Wanted::LeavesGreen(&[EQUAL]), late));
    let last = states[states.len() - 1].1.nodes.len();
    for node in 0..last {
        for version in [from.as_str(), "v1.38.0"] {
            let title = format!("the kubelet of node {node} is {version} to the end");
            histories.extend(each(&title, Wanted::LeavesGreen, &[EQUAL, MOVES, MATRIX, WRITES], || {
                let version = version.to_owned();
                state(since(&states, 1), move |state| state.nodes[node].kubelet.clone_from(&version))
            }));
        }
        let early = to.clone();
        let of_another = (1..states.len()).find(|at| states[*at].1.nodes[node].kubelet == from && *at > 1);
        if let Some(at) = of_another {
            let change = state(states[at].0, move |state| state.nodes[node].kubelet.clone_from(&early));
            let title = format!("the kubelet of node {node} changes with another node");
            histories.push(History::new(title, Wanted::LeavesGreen(&[EQUAL]), change));
        }
    }
    histories
}

fn not_read(stored: &Stored) -> Vec<History> {
    let (states, mut histories) = (states(stored), Vec::new());
    for (at, (seq, state)) in states.iter().enumerate() {
        let next = states.get(at + 1).map(|(_, state)| &state.stage);
        let (plane, node) = (
            |stage: &Stage| matches!(stage, Stage::ControlPlane { .. }),
            |stage: &Stage| matches!(stage, Stage::Node { .. }),
        );
        let mut add = |word: &str, change: fn(u64) -> Change| {
            let title = format!("`{}` was {word}", state.stage);
            histories.extend(each(&title, Wanted::LeavesOpen, &[EQUAL, MATRIX, WRITES], || change(*seq)));
            let rests = |of: &dyn Fn(&Stage) -> bool| of(&state.stage) || next.is_some_and(of);
            let wanted = |rests: bool| if rests { Wanted::LeavesOpen } else { Wanted::NoneFails };
            histories.extend(each(&title, wanted(rests(&plane)), &[UNTOUCHED], || change(*seq)));
            histories.extend(each(&title, wanted(rests(&node)), &[MOVES], || change(*seq)));
        };
        add("not read", dropped);
        add("read by nobody who understands it", |seq| snapshot(seq, |value| *value = Value::Null));
    }
    histories
}

/// A change that a step may cause.
type Right = fn(&mut State);

#[rustfmt::skip]
static RIGHT: &[(&str, Right)] = &[
    ("lists in another order", |state| {
        state.pods.reverse();
        state.nodes.reverse();
        state.claims.reverse();
        state.volumes.reverse();
        state.endpoints.reverse();
        state.servers.reverse();
        state.control_plane.reverse();
        state.answers.reverse();
    }),
    ("components that were started again once", |state| {
        state.control_plane.iter_mut().for_each(|it| it.restarts += 1);
    }),
    ("a component more", |state| {
        let mut more = state.control_plane[0].clone();
        more.component = "cloud-controller-manager".into();
        state.control_plane.push(more);
    }),
    ("a Corefile with one plugin more", |state| {
        state.dns.corefile = state.dns.corefile.replacen("errors\n", "errors\n    loop\n    reload\n", 1);
    }),
    ("no Endpoints object any more", |state| state.legacy_endpoints = None),
    ("a Service that tells its families", |state| state.service.ip_families = vec!["IPv4".into()]),
];

fn explained(stored: &Stored) -> Vec<History> {
    let states = states(stored);
    let all: Checks = &[EQUAL, UNTOUCHED, MOVES, MATRIX, WRITES];
    let mut histories = Vec::new();
    for (word, right) in RIGHT {
        let right = *right;
        histories.push(History::new(*word, Wanted::Passes(all), state(since(&states, 1), right)));
    }
    for (at, (_, after)) in states.iter().enumerate().skip(1) {
        let moved: Vec<usize> =
            (0..after.pods.len()).filter(|pod| states[at - 1].1.pods[*pod].uid != after.pods[*pod].uid).collect();
        for pod in moved {
            let change = state(since(&states, at), move |state| {
                state.pods[pod].containers[0].restarts = 1;
                state.pods[pod].labels.insert("topology.kubernetes.io/zone".into(), "b".into());
            });
            let title = format!(
                "pod {pod}, made anew in `{}`, was started again once and has a label more",
                after.stage.step()
            );
            histories.push(History::new(title, Wanted::Passes(&[EQUAL]), change));
        }
        if after.stage == Stage::Unseen {
            let old = states[0].1.nodes.clone();
            let change = state(since(&states, at), move |state| state.nodes.clone_from(&old));
            histories.push(History::new("the nodes were left alone", Wanted::Passes(all), change));
            let others = state(since(&states, at), |state| {
                state.nodes.iter_mut().for_each(|node| node.uid = format!("another {}", node.name));
            });
            histories.push(History::new("the nodes were replaced", Wanted::Passes(all), others));
        }
    }
    histories
}
