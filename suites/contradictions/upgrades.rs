//! Events during an upgrade of the cluster: how pods move, what proves the steps, and the outcomes of writes.

use std::collections::HashSet;

use steadfast::evidence::{
    Act, Checkpoint, Entries, Entry, EventType, Gap, PodLife, Question, Scenario, Sql, Stage, What, WriteOutcome,
};

use super::change::{Change, Places, added_after, added_before, dropped, moved_before, said};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{answered, event, naming, set_ready, unreachable, valued};
use super::records;
use super::replicas::asked;
use super::states::{EQUAL, MOVES, UNTOUCHED, WRITES, since, state, states};
use super::stored::{Acted, Part, Stored};

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "upgrades::a_step_was_not_carried_out",
        why: "What a step is to do and nobody did, or proved, was not survived.",
        part: Part::Upgrade,
        of: not_carried_out,
    },
    Class {
        name: "upgrades::pods_do_not_move_one_at_a_time",
        why: "A node's pods are replaced once each, one after the other, and nobody else is touched meanwhile.",
        part: Part::Upgrade,
        of: moved_together,
    },
    Class {
        name: "upgrades::pods_do_not_come_back",
        why: "After the upgrade of a node its pods are back, Ready, with their claims and revision.",
        part: Part::Upgrade,
        of: not_back,
    },
    Class {
        name: "upgrades::writes_are_lost_or_nobody_wrote",
        why: "Every write is accounted for and on every pod, and in every step somebody wrote.",
        part: Part::Upgrade,
        of: writes,
    },
    Class {
        name: "upgrades::what_was_recorded_is_dropped",
        why: "What an upgrade's run records counts in some verdict.",
        part: Part::Upgrade,
        of: |stored| recorded(stored, |places| dropped(places.clone())),
    },
    Class {
        name: "upgrades::what_was_recorded_is_corrupted",
        why: "What an upgrade's run records is read, not only looked for.",
        part: Part::Upgrade,
        of: |stored| recorded(stored, |places| records::corrupted(stored, places)),
    },
];

/// The checks that judge the act of a step.
fn check_of(act: &Act) -> Option<Checks> {
    match act {
        Act::UpgradeControlPlane { .. } => Some(&[UNTOUCHED]),
        Act::Drain { .. } | Act::UpgradeNode { .. } | Act::Uncordon { .. } => Some(&[MOVES]),
        _ => None,
    }
}

fn not_carried_out(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for Acted { act, asked, proved } in stored.acts() {
        let (Some(checks), Some(proved)) = (check_of(&act), proved) else { continue };
        let named = stored.named_by(proved);
        let mut changes = vec![
            ("it was not asked for", dropped(asked)),
            ("it was not proved", dropped(proved)),
            ("it was not done", dropped([asked, proved].into_iter().collect::<Places>())),
            ("it was proved before", moved_before(proved, asked)),
            ("nothing proves it", naming(proved, Vec::new())),
            ("the log's first record proves it", naming(proved, vec![1])),
        ];
        if !matches!(act, Act::UpgradeControlPlane { .. } | Act::UpgradeNode { .. }) {
            changes.push(("what it is proved by is gone", dropped(named.into_iter().collect::<Places>())));
        }
        for (word, change) in changes {
            histories.push(History::new(format!("{act}: {word}"), Wanted::LeavesGreen(checks), change));
        }
    }
    histories
}

/// A node's step: the record that requests its drain, and the record of the state after it.
fn node_steps(stored: &Stored) -> Vec<(String, u64, u64)> {
    let drains = stored.acts().into_iter().filter_map(|acted| match acted.act {
        Act::Drain { node } => Some((node, acted.asked)),
        _ => None,
    });
    let states = states(stored);
    let step = |(node, asked): (String, u64)| {
        let stage = Stage::Node { node: node.clone() };
        let (after, _) = states.iter().find(|(seq, state)| *seq > asked && state.stage == stage)?;
        Some((node, asked, *after))
    };
    drains.filter_map(step).collect()
}

/// The pods that were replaced between two records.
fn replaced(stored: &Stored, from: u64, to: u64) -> Vec<&PodLife> {
    let within = |life: &&PodLife| life.deleted.is_some_and(|gone| (from..to).contains(&gone.seq));
    stored.timeline.pods.iter().filter(within).collect()
}

fn moved_together(stored: &Stored) -> Vec<History> {
    let fails = Wanted::Fails(&[MOVES]);
    let mut histories = Vec::new();
    for (node, asked, after) in node_steps(stored) {
        let replaced = replaced(stored, asked, after);
        let of_node: HashSet<&str> = replaced.iter().map(|life| life.name.as_str()).collect();
        for life in &replaced {
            let gone = life.deleted.expect("it was replaced").seq;
            for other in stored.pods_at(gone).filter(|other| !of_node.contains(other.name.as_str())) {
                let Some(last) = stored.last_event("Pod", &other.uid, gone) else { continue };
                let turned = |ready| event(last, EventType::Modified, |object| set_ready(object, ready));
                let away = added_after(gone, [turned(false)]).then(added_before(after, [turned(true)]));
                let title = format!("{node}: {} is not Ready while {} is away", other.name, life.name);
                histories.push(History::new(title, fails, away));
            }
        }
        for pair in replaced.windows(2) {
            let (Some(gone), Some(told)) = (pair[0].deleted, pair[1].deleting) else { continue };
            let change = moved_before(told.seq, gone.seq);
            let title = format!("{node}: {} is told to go before {} is gone", pair[1].name, pair[0].name);
            histories.push(History::new(title, fails, change));
        }
        let came = stored.lives().filter(|life| (asked..after).contains(&life.added.seq));
        for life in came {
            let Some(first) = stored.last_event("Pod", &life.uid, life.added.seq + 1) else { continue };
            let another = event(first, EventType::Added, |object| object["metadata"]["uid"] = "another".into());
            let its_end = event(first, EventType::Deleted, |object| object["metadata"]["uid"] = "another".into());
            let twice = added_before(life.added.seq, [another, its_end]);
            histories.push(History::new(format!("{node}: {} is replaced twice", life.name), fails, twice));
            let not_seen = dropped(stored.events_of("Pod", &life.uid).before(after));
            let title = format!("{node}: {} was not seen to come", life.name);
            histories.push(History::new(title, Wanted::LeavesGreen(&[MOVES]), not_seen));
        }
        // If the history is lost, only the states decide.
        let gap = What::Gap(Gap { object_kind: "Pod".into(), after_version: "1".into(), reason: "too old".into() });
        let lost = added_after(asked, [gap]);
        histories.push(History::new(format!("{node}: the history is lost"), Wanted::NoneFails(&[MOVES, EQUAL]), lost));
    }
    histories
}

fn not_back(stored: &Stored) -> Vec<History> {
    let states = states(stored);
    let mut histories = Vec::new();
    for (at, (_, after)) in states.iter().enumerate().skip(1) {
        let before = &states[at - 1].1;
        for pod in 0..after.pods.len() {
            let (name, moved) = (&after.pods[pod].name, after.pods[pod].uid != before.pods[pod].uid);
            let title = |word: &str| format!("{name} {word} from `{}` on", after.stage.step());
            let mut add = |word: &str, wanted: Wanted, otherwise: fn(&mut steadfast::evidence::State, usize)| {
                let change = state(since(&states, at), move |state| otherwise(state, pod));
                histories.push(History::new(title(word), wanted, change));
            };
            let wrong = Wanted::Fails(if matches!(after.stage, Stage::Node { .. }) { &[MOVES] } else { &[EQUAL] });
            add("is not Ready", wrong, |state, pod| state.pods[pod].ready = false);
            add("is Failed", wrong, |state, pod| {
                (state.pods[pod].phase, state.pods[pod].ready) = ("Failed".into(), false)
            });
            add("is not there", wrong, |state, pod| drop(state.pods.remove(pod)));
            add("is of another revision", wrong, |state, pod| state.pods[pod].revision = "rev-9".into());
            add("has another claim", wrong, |state, pod| state.pods[pod].claims = vec!["another".into()]);
            add("has a claim that is another one", wrong, |state, pod| state.claims[pod].uid = "another".into());
            add("is on another volume", wrong, |state, pod| state.volumes[pod].uid = "another".into());
            if !moved {
                add("is another one", wrong, |state, pod| state.pods[pod].uid = "another".into());
                add("was started again", wrong, |state, pod| state.pods[pod].containers[0].restarts = 1);
            } else if matches!(after.stage, Stage::Node { .. }) {
                let old = before.pods[pod].clone();
                let stays = state(since(&states, at), move |state| state.pods[pod].uid.clone_from(&old.uid));
                let open = Wanted::LeavesGreen(&[MOVES]);
                histories.push(History::new(format!("{name} stayed in `{}`", after.stage.step()), open, stays));
            }
        }
    }
    histories
}

/// Changes the outcomes of writes in the entries.
fn told(stored: &Stored, otherwise: impl Fn(&mut Entry) + Send + Sync + 'static) -> Change {
    said(stored.places(|what| matches!(what, What::Entries(_))), move |what| {
        if let What::Entries(Entries { writes, .. }) = what {
            writes.iter_mut().for_each(&otherwise);
        }
    })
}

fn batches_of(stored: &Stored) -> Places {
    stored.places(|what| matches!(what, What::Entries(it) if !it.writes.is_empty()))
}

fn writes(stored: &Stored) -> Vec<History> {
    let (fails, noticed) = (Wanted::Fails(&[WRITES]), Wanted::LeavesGreen(&[WRITES]));
    let mut histories = Vec::new();
    let settled = asked(stored, Question::Entries).into_iter().filter(|asked| asked.checkpoint == Checkpoint::Settled);
    for asked in settled {
        let mut add = |word: &str, wanted, change| {
            histories.push(History::new(format!("{}: {word}", asked.title), wanted, change));
        };
        let places = || asked.places.clone();
        add("all but one are lost", fails, valued(places(), "ids", "2"));
        add("all are lost", fails, valued(places(), "ids", ""));
        // The witness did not record which id it used last.
        add("some are there that nobody told of", noticed, valued(places(), "ids", "1-99999"));
        add("one is there twice", fails, valued(places(), "duplicates", "5"));
        add("not there", noticed, answered(places(), unreachable()));
        add("not asked", noticed, dropped(places()));
    }
    for barrier in stored
        .places(|what| {
            matches!(what, What::Sql(Sql { question: Question::Barrier, checkpoint: Checkpoint::Settled, .. }))
        })
        .iter()
    {
        histories.push(History::new(format!("the barrier #{barrier} is missing"), noticed, dropped(barrier)));
    }
    let batches = batches_of(stored);
    for batch in batches.iter() {
        histories.push(History::new(format!("what became of the writes of #{batch}"), noticed, dropped(batch)));
    }
    histories.push(History::new("no write was told of", noticed, dropped(batches)));
    let refuse = |entry: &mut Entry| entry.outcome = WriteOutcome::Rejected("read only".into());
    histories.push(History::new("all were refused, and are there", noticed, told(stored, refuse)));
    let acknowledged = |seq: u64| match &stored.at(seq).what {
        What::Entries(it) => it.writes.iter().find(|entry| entry.outcome == WriteOutcome::Acknowledged).map(|it| it.id),
        _ => None,
    };
    for id in batches_of(stored).iter().filter_map(acknowledged) {
        let one = told(stored, move |entry| {
            if entry.id == id {
                refuse(entry)
            }
        });
        histories.push(History::new(format!("{id} was refused, and is there"), fails, one));
    }
    let unknown = told(stored, |entry| entry.outcome = WriteOutcome::Unknown("timed out".into()));
    histories.push(History::new("none was answered", noticed, unknown));
    let end = stored.acts().into_iter().find(|acted| acted.act == Act::StopLedger);
    for seq in end.into_iter().flat_map(|acted| [Some(acted.asked), acted.proved]).flatten() {
        histories.push(History::new(format!("the ledger does not end (#{seq})"), noticed, dropped(seq)));
    }
    // Nothing was written during one of the steps: all its writes come before it.
    let states = states(stored);
    let ahead_us = |seq: u64| match &stored.at(seq).what {
        What::Entries(entries) => entries.now_us.saturating_sub(stored.at(seq).at_us),
        _ => 0,
    };
    let ahead_us = batches_of(stored).iter().map(ahead_us).max().unwrap_or(0);
    for pair in states.windows(2).filter(|pair| pair[1].1.stage != Stage::Unseen) {
        let (from, to) = (stored.at(pair[0].0).at_us + ahead_us, stored.at(pair[1].0).at_us + ahead_us);
        let rests = told(stored, move |entry| {
            if (from..=to).contains(&entry.ended_us) || (from..=to).contains(&entry.sent_us) {
                (entry.sent_us, entry.ended_us) = (from - 1_000, from - 1_000);
            }
        });
        let title = format!("nobody wrote during {}", pair[1].1.stage.step());
        histories.push(History::new(title, noticed, rests));
    }
    histories
}

/// Records of an upgrade's run that may be missing or wrong while every check passes.
fn counts_for_nothing(what: &What) -> bool {
    match what {
        // The state shows the result of the waits before it was read, and shows claims, volumes and kubelets.
        What::Sql(sql) => {
            matches!(sql.checkpoint, Checkpoint::Upgrading { .. })
                || (sql.question == Question::TryWrite && sql.checkpoint == Checkpoint::Settled)
                // A pod that is asked once is compared only with other pods.
                || (sql.question == Question::Identity && sql.checkpoint == Checkpoint::Deployed)
        }
        What::Object(event) => event.object_kind.starts_with("Persistent"),
        What::Snapshot(it) => it.value["state"].as_str().is_some_and(|state| state.starts_with("kubelet")),
        _ => false,
    }
}

fn recorded(stored: &Stored, change: impl Fn(&Places) -> Change) -> Vec<History> {
    let mut histories = records::each(stored, counts_for_nothing, change);
    // Without watches, the pods existed before the log began, and little is known about the scenario `deploy`.
    if states(stored).iter().any(|(_, state)| state.stage == Stage::Unseen) {
        histories.retain(|history| !history.name.starts_with(Scenario::Deploy.name()));
    }
    histories
}
