//! The API server's process before and after it is killed.

use serde_json::json;
use steadfast::evidence::{Act, NodeState, SnapshotOf, What};

use super::change::{Change, Places, added_after, dropped};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{api_server, naming, snapshot};
use super::stored::{Part, Stored};

const LIKELY: Checks = &["replication::recovers_within_budget"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "control::the_api_server_was_not_killed",
        why: "An API server whose process is the one from before, or whose new one nobody saw, was not killed.",
        part: Part::ApiServer,
        of: not_killed,
    },
    Class {
        name: "control::the_api_server_was_killed",
        why: "Another process is one, whatever its number, and how many there were meanwhile.",
        part: Part::ApiServer,
        of: was_killed,
    },
];

/// The records of the process before and after the kill, and the record of the proof.
struct Kill {
    old: u64,
    new: u64,
    proof: u64,
}

fn kills(stored: &Stored) -> Vec<Kill> {
    let told = stored.snapshots(SnapshotOf::ApiServer);
    let killed = stored.acts().into_iter().filter(|acted| acted.act == Act::RestartApiServer);
    let kill = killed.filter_map(|acted| {
        let told = told.since(acted.asked);
        Some(Kill { old: told.first()?, new: told.last()?, proof: acted.proved? })
    });
    kill.filter(|kill| kill.old < kill.new).collect()
}

fn process(stored: &Stored, seq: u64) -> NodeState {
    let What::Snapshot(snapshot) = &stored.at(seq).what else { unreachable!("a process") };
    serde_json::from_value(snapshot.value.clone()).expect("a process")
}

/// The record shows another process.
fn is(places: impl Into<Places>, process: NodeState) -> Change {
    snapshot(places, move |value| *value = json!(process))
}

fn not_killed(stored: &Stored) -> Vec<History> {
    let noticed = Wanted::SomeLeavesGreen(LIKELY);
    let mut histories = Vec::new();
    for Kill { old, new, proof } in kills(stored) {
        let (before, after) = (process(stored, old), process(stored, new));
        let elsewhere = NodeState { node: "another".into(), ..after.clone() };
        let unknown = NodeState { state: String::new(), ..after.clone() };
        let changes = [
            ("the old one answers afterwards", is(new, before.clone())),
            ("the new one was there before", is(old, after.clone())),
            ("nobody knows which it is afterwards", is(new, unknown)),
            ("the new one was not read", dropped(new)),
            ("the proof names the old one", naming(proof, vec![old])),
            ("the proof names both, which are the same", is(new, before.clone()).then(naming(proof, vec![old, new]))),
            ("the one of another node answers", is(new, elsewhere)),
            ("nothing was read", dropped([old, new].into_iter().collect::<Places>())),
            ("the old one came back", added_after(old, [api_server(after)]).then(is(new, before))),
        ];
        histories.extend(changes.map(|(word, change)| History::new(word, noticed, change)));
    }
    histories
}

fn was_killed(stored: &Stored) -> Vec<History> {
    let stays = Wanted::StaysAsItWas;
    let mut histories = Vec::new();
    for Kill { old, new, .. } in kills(stored) {
        let (before, after) = (process(stored, old), process(stored, new));
        let number = |process: &NodeState| process.state.split(' ').next().unwrap_or_default().to_owned();
        let same_number = after.state.replacen(&number(&after), &number(&before), 1);
        let same_time = before.state.replacen(&number(&before), &number(&after), 1);
        let meanwhile = NodeState { state: "650 since 07:59:59".into(), ..after.clone() };
        let changes = [
            ("under the same number", is(new, NodeState { state: same_number, ..after.clone() })),
            ("at the same time", is(new, NodeState { state: same_time, ..after.clone() })),
            ("once more meanwhile", added_after(old, [api_server(meanwhile)])),
            ("and nobody told which it was before", dropped(old)),
        ];
        histories.extend(changes.map(|(word, change)| History::new(word, stays, change)));
    }
    histories
}
