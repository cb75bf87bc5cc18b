//! Acts that were not carried out or not proved: then survival is not shown either.

use serde_json::json;
use steadfast::evidence::{Act, DnsServer, EventType, Fault, NodeState, Scenario, SnapshotOf, What};

use super::change::{Change, Places, dropped, moved_before};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{container_statuses, dns, naming, set_ready, shown, snapshot};
use super::stored::{Acted, Part, Stored};

const BUDGET: Checks = &["replication::recovers_within_budget"];
const LOST: Checks = &["replication::no_acknowledged_write_is_lost"];
const LIKELY: Checks = &["replication::recovers_within_budget", "ordering::rolls_highest_ordinal_first"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "faults::an_act_was_not_carried_out",
        why: "What a scenario is to do and nobody did has not been survived.",
        part: Part::Answers,
        of: not_carried_out,
    },
    Class {
        name: "faults::an_act_is_not_proved",
        why: "That an act was asked for says nothing of its having happened.",
        part: Part::Answers,
        of: not_proved,
    },
    Class {
        name: "faults::a_proof_shows_something_else",
        why: "A proof is read: the records that it names must show the act.",
        part: Part::Answers,
        of: proof_elsewhere,
    },
    Class {
        name: "faults::a_proof_contradicts_its_act",
        why: "A node whose proof says `running` was not paused, and a server that was never started again was not killed.",
        part: Part::Answers,
        of: contradicted,
    },
    Class {
        name: "faults::a_scenario_does_nothing",
        why: "A scenario without acts counts as survived by nobody.",
        part: Part::Answers,
        of: |stored| idle(stored, Wanted::LeavesGreen(BUDGET)),
    },
    Class {
        name: "faults::a_scenario_endangers_nothing",
        why: "No write is shown to survive what did not happen.",
        part: Part::Answers,
        of: |stored| idle(stored, Wanted::LeavesGreen(LOST)),
    },
];

/// The acts on which a verdict depends. The entries show that the ledger began, and the list of leftovers shows that
/// the claims were deleted at the end. The record that the harness deleted a pod which cannot start may be missing: its
/// controller may replace it too.
fn acts(stored: &Stored) -> impl Iterator<Item = (String, Acted)> {
    let reverted = stored.acts().into_iter().find(|it| it.act == Act::RevertTemplate).map_or(u64::MAX, |it| it.asked);
    let stuck = |it: &Acted| {
        matches!(it.act, Act::DeletePod { .. })
            && stored.scenario(it.asked) == Some(Scenario::Roll)
            && it.asked > reverted
    };
    let acts = stored.acts().into_iter().filter(|it| !matches!(it.act, Act::StartLedger { .. } | Act::DeleteClaims));
    let acts: Vec<Acted> = acts.filter(|it| !stuck(it)).collect();
    let acts = acts.into_iter();
    acts.map(|acted| (format!("{}: {} (#{})", stored.scenario_name(acted.asked), acted.act, acted.asked), acted))
}

fn noticed() -> Wanted {
    Wanted::SomeLeavesGreen(LIKELY)
}

fn both(acted: &Acted) -> Places {
    [acted.asked].into_iter().chain(acted.proved).collect()
}

fn not_carried_out(stored: &Stored) -> Vec<History> {
    acts(stored).map(|(title, acted)| History::new(title, noticed(), dropped(both(&acted)))).collect()
}

fn not_proved(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (title, acted) in acts(stored) {
        let Some(proved) = acted.proved else { continue };
        histories.push(History::new(format!("{title}: asked for only"), noticed(), dropped(proved)));
        histories.push(History::new(format!("{title}: not asked for"), noticed(), dropped(acted.asked)));
        let early = moved_before(proved, acted.asked);
        histories.push(History::new(format!("{title}: proved before it was asked for"), noticed(), early));
    }
    histories
}

fn proof_elsewhere(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let all: Vec<(String, Acted)> = acts(stored).collect();
    for (index, (title, acted)) in all.iter().enumerate() {
        let Some(proved) = acted.proved else { continue };
        let mut add = |word: &str, records: Vec<u64>| {
            histories.push(History::new(format!("{title}: proved by {word}"), noticed(), naming(proved, records)));
        };
        add("nothing", Vec::new());
        add("the log's first record", vec![1]);
        // What the witness does with its ledger may be in no record.
        if acted.act != Act::StopLedger {
            add("its own request", vec![acted.asked]);
        }
        // The same record may prove an act of the same kind, so an act of another kind is used.
        let another = |other: &&(String, Acted)| {
            std::mem::discriminant(&other.1.act) != std::mem::discriminant(&acted.act) && other.1.proved.is_some()
        };
        let before = all[..index].iter().rev().find(another).or_else(|| all[index + 1..].iter().find(another));
        if let Some(proof) = before.and_then(|(_, other)| other.proved) {
            add("what proves another act", stored.named_by(proof));
        }
    }
    histories
}

fn states(places: impl Into<Places>, state: &'static str) -> Change {
    snapshot(places, move |value| {
        if let Ok(mut node) = serde_json::from_value::<NodeState>(value.clone()) {
            state.clone_into(&mut node.state);
            *value = json!(node);
        }
    })
}

fn contradicted(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (title, acted) in acts(stored) {
        let Some(proof) = acted.proved else { continue };
        let records: Places = stored.named_by(proof).into_iter().collect();
        let node = |word: &str| {
            records.iter().find(|seq| {
                matches!(&stored.at(*seq).what, What::Snapshot(it) if it.of == SnapshotOf::Node && it.value["state"] == word)
            })
        };
        let mut add =
            |word: String, change| histories.push(History::new(format!("{title}: {word}"), noticed(), change));
        for (right, wrong) in [
            ("paused", "running"),
            ("exited", "running"),
            ("running", "paused"),
            ("running", "exited"),
            ("Ready", "NotReady"),
            ("cordoned", "schedulable"),
            ("schedulable", "cordoned"),
        ] {
            if let Some(seq) = node(right) {
                add(format!("`{wrong}`, not `{right}`"), states(seq, wrong));
            }
        }
        match &acted.act {
            Act::KillServer { uid, .. } => {
                add("no container was started again".into(), never_restarted(stored, uid, acted.asked));
                add("the pod stayed Ready".into(), stayed_ready(stored, uid, acted.asked, proof));
            }
            Act::DeletePod { uid, .. } => {
                let gone = stored.events("Pod", |event| {
                    event.event == EventType::Deleted && event.object["metadata"]["uid"] == uid.as_str()
                });
                add("the pod was not seen to go".into(), dropped(gone));
            }
            Act::DeleteAllPods | Act::Drain { .. } => {
                for left in records.iter().filter(|seq| matches!(stored.at(*seq).what, What::Object(_))) {
                    add(format!("without #{left}"), dropped(left));
                }
            }
            Act::RestartDns => {
                dns_servers_stay(stored, &acted).into_iter().for_each(|(word, change)| add(word, change))
            }
            _ => {}
        }
    }
    api_server_stays(stored, &mut histories);
    histories
}

/// The restart count stays the same as before the kill, until the proof and after it.
fn never_restarted(stored: &Stored, uid: &str, asked: u64) -> Change {
    shown(stored.events_of("Pod", uid).since(asked), |object| {
        for status in container_statuses(object) {
            status["restartCount"] = 0.into();
            status["lastState"] = json!({});
        }
    })
}

fn stayed_ready(stored: &Stored, uid: &str, asked: u64, proved: u64) -> Change {
    let meanwhile = stored.events_of("Pod", uid).since(asked).before(proved);
    let restarted = never_restarted(stored, uid, asked);
    restarted.then(shown(meanwhile, |object| set_ready(object, true)))
}

/// The DNS servers after the act are the same as before, both in the list and in the DNS records.
fn dns_servers_stay(stored: &Stored, acted: &Acted) -> Vec<(String, Change)> {
    let servers = |after: bool| {
        let asked = stored.groups(|record| match &record.what {
            What::Dns(dns) if (record.seq > acted.asked) == after => Some((dns.server.clone(), dns.address.clone())),
            _ => None,
        });
        asked.into_iter().map(|(server, _)| server).collect::<Vec<_>>()
    };
    let (old, new) = (servers(false), servers(true));
    let lists = stored.snapshots(SnapshotOf::DnsServers);
    let after = lists.since(acted.asked);
    let listed: Vec<DnsServer> = old
        .iter()
        .filter_map(|(name, address)| {
            Some(DnsServer { name: name.clone(), uid: format!("uid of {name}"), address: address.parse().ok()? })
        })
        .collect();
    let list = snapshot(after.clone(), move |value| *value = json!(listed));
    let empty = snapshot(after, |value| *value = json!([]));
    let asked = stored.places(|what| matches!(what, What::Dns(_))).since(acted.asked);
    let asked = dns(asked, move |dns| {
        let place = new.iter().position(|(server, _)| *server == dns.server);
        if let Some((server, address)) = place.and_then(|place| old.get(place)) {
            dns.server.clone_from(server);
            dns.address.clone_from(address);
        }
    });
    vec![
        ("the old servers are listed".into(), list),
        ("no server is listed".into(), empty),
        ("the old servers are asked".into(), asked),
    ]
}

/// The API server's process after the act is the same as before, if both were read.
fn api_server_stays(stored: &Stored, histories: &mut Vec<History>) {
    let states: Vec<u64> = stored.snapshots(SnapshotOf::ApiServer).iter().collect();
    for pair in states.windows(2) {
        let What::Snapshot(before) = &stored.at(pair[0]).what else { continue };
        let same = before.value.clone();
        let change = snapshot(pair[1], move |value| value.clone_from(&same));
        histories.push(History::new(format!("the API server of #{} is still there", pair[0]), noticed(), change));
    }
}

/// Removes everything that a scenario did, one scenario at a time.
fn idle(stored: &Stored, wanted: Wanted) -> Vec<History> {
    let disruptive = |scenario: Scenario| {
        !matches!(
            scenario,
            Scenario::Deploy | Scenario::Replicate | Scenario::Claims | Scenario::Settle | Scenario::Teardown
        )
    };
    let mut histories = Vec::new();
    for (scenario, places) in stored.scenarios().into_iter().filter(|(scenario, _)| disruptive(*scenario)) {
        let faults: Places = places.iter().filter(|seq| matches!(stored.at(*seq).what, What::Fault(_))).collect();
        let proofs: Places = faults
            .iter()
            .filter(|seq| matches!(&stored.at(*seq).what, What::Fault(Fault { proof: Some(_), .. })))
            .collect();
        if !faults.is_empty() {
            histories.push(History::new(format!("{scenario}: no act"), wanted, dropped(faults)));
            histories.push(History::new(format!("{scenario}: no proof"), wanted, dropped(proofs)));
        }
    }
    histories
}
