//! Scaling and rolling updates in a wrong order.

use steadfast::evidence::{Act, EventType, PodLife, Scenario};

use super::change::{Change, Places, added_after, added_before, at_once, dropped, moved_before};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{event, set_label, set_ready, shown, tell_to_go};
use super::stored::{Acted, Part, Stored, replaced, updates};

const DOWN: Checks = &["ordering::scales_down_in_reverse"];
const HALTS: Checks = &["ordering::halts_while_predecessor_unready"];
const NO_DEADLOCK: Checks = &["ordering::no_deadlock_on_failed_predecessor"];
const ROLLS: Checks = &["ordering::rolls_highest_ordinal_first"];
const PARTITION: Checks = &["ordering::partition_is_respected"];
const STUCK: Checks = &["ordering::stuck_rollout_recovers"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "orders::one_is_told_to_go_too_early_while_scaling",
        why: "Going down, a pod is gone before the one before it is told to go, and who is to stay is not told at all.",
        part: Part::Watches,
        of: scaling_down,
    },
    Class {
        name: "orders::scaling_goes_on_while_one_is_held",
        why: "Nobody is created while a predecessor is un-Ready, which must have been watched for some time.",
        part: Part::Watches,
        of: scaling_up,
    },
    Class {
        name: "orders::one_waits_for_another_that_is_held",
        why: "A deleted pod must come back while a later one is un-Ready, and not after.",
        part: Part::Watches,
        of: deadlock,
    },
    Class {
        name: "orders::an_update_comes_from_below",
        why: "A pod is updated only after all above it were Ready with the update.",
        part: Part::Watches,
        of: rolling,
    },
    Class {
        name: "orders::an_update_goes_below_its_partition",
        why: "A pod below the partition is none of the update's business, and comes back as it was.",
        part: Part::Watches,
        of: below_the_partition,
    },
    Class {
        name: "orders::a_stuck_rollout_goes_on",
        why: "A rollout stops at the pod that cannot start, and ends where it began.",
        part: Part::Watches,
        of: stuck,
    },
];

/// The first act of a kind in a scenario, at or after a record.
pub(crate) fn act(stored: &Stored, scenario: Scenario, from: u64, wanted: impl Fn(&Act) -> bool) -> Option<Acted> {
    let mut acts = stored.acts().into_iter();
    acts.find(|it| it.asked >= from && stored.scenario(it.asked) == Some(scenario) && wanted(&it.act))
}

/// The request of the next act after a record.
fn next_act(stored: &Stored, seq: u64) -> u64 {
    stored.acts().iter().map(|it| it.asked).find(|asked| *asked > seq).unwrap_or(stored.records.len() as u64)
}

/// Adds an event that marks a pod as being deleted, before a record.
pub(crate) fn told_to_go(stored: &Stored, life: &PodLife, before: u64) -> Option<Change> {
    let last = stored.last_event("Pod", &life.uid, before)?;
    Some(added_before(before, [event(last, EventType::Modified, tell_to_go)]))
}

/// The pod with an index at a record, if there is one.
pub(crate) fn there(stored: &Stored, index: u32, seq: u64) -> Option<&PodLife> {
    stored.timeline.pod_at(&stored.subject.nth(index), seq)
}

fn scaling_down(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for acted in stored.acts() {
        let Act::Scale { from, to } = acted.act else { continue };
        let (asked, until) = (acted.asked, next_act(stored, acted.asked));
        let (scenario, name) = (stored.scenario(asked), stored.scenario_name(asked));
        let going: Vec<&PodLife> = (to..from).rev().filter_map(|index| there(stored, index, asked)).collect();
        let ends: Vec<u64> =
            going.iter().filter_map(|life| Some(life.deleted?.seq)).filter(|seq| *seq < until).collect();
        if to >= from || ends.is_empty() {
            continue;
        }
        let wanted =
            if scenario == Some(Scenario::Scale) { Wanted::Fails(DOWN) } else { Wanted::SomeLeavesGreen(DOWN) };
        // While each surplus pod still exists, and after the last one has gone.
        let checkpoints = ends.iter().copied().chain([asked + 1, until.min(acted.proved.unwrap_or(until))]);
        for at in checkpoints {
            for life in (0..to).filter_map(|index| there(stored, index, at)) {
                let title = format!("{name}: {} before #{at}, which is to stay", life.name);
                let change = told_to_go(stored, life, at);
                histories.extend(change.map(|change| History::new(title, wanted, change)));
            }
        }
        for (index, pair) in going.windows(2).enumerate() {
            for at in [asked + 1, ends[index]] {
                let title = format!("{name}: {} before #{at}, while {} is there", pair[1].name, pair[0].name);
                let change = told_to_go(stored, pair[1], at);
                histories.extend(change.map(|change| History::new(title, wanted, change)));
            }
        }
    }
    histories
}

/// The pod that a scenario holds: its life, the proof, the request to release it, and when it was Ready again.
fn held(stored: &Stored, scenario: Scenario) -> Option<(&PodLife, u64, u64, u64)> {
    let hold = act(stored, scenario, 0, |act| matches!(act, Act::Hold { .. }))?;
    let Act::Hold { uid, .. } = &hold.act else { return None };
    let life = stored.timeline.pod_by_uid(uid)?;
    let since = hold.proved?;
    let release = act(stored, scenario, since, |act| matches!(act, Act::Release { .. }))?;
    let ready = life.ready.iter().find(|change| change.value && change.since.seq > release.asked)?;
    Some((life, since, release.asked, ready.since.seq))
}

/// The held pod is Ready for a moment.
fn flapping(stored: &Stored, life: &PodLife, at: u64) -> Option<Change> {
    let last = stored.last_event("Pod", &life.uid, at)?;
    let turned = |ready| event(last, EventType::Modified, |object| set_ready(object, ready));
    Some(added_after(at, [turned(true), turned(false)]))
}

fn scaling_up(stored: &Stored) -> Vec<History> {
    let Some((life, since, released, ready)) = held(stored, Scenario::Scale) else { return Vec::new() };
    let Some(up) = act(stored, Scenario::Scale, since, |act| matches!(act, Act::Scale { from, to } if to > from))
    else {
        return Vec::new();
    };
    let (fails, noticed) = (Wanted::Fails(HALTS), Wanted::LeavesGreen(HALTS));
    let mut histories = Vec::new();
    for later in stored
        .lives()
        .filter(|later| later.added.seq > ready && stored.scenario(later.added.seq) == Some(Scenario::Scale))
    {
        for at in [up.asked + 1, released, released + 1, ready] {
            let title = format!("{} comes before #{at}", later.name);
            histories.push(History::new(title, fails, moved_before(later.added.seq, at)));
        }
    }
    let seen = stored.events("StatefulSet", |_| true);
    let seen: Places = seen.since(up.asked).before(released).iter().collect();
    if let Some(first) = seen.first() {
        histories.push(History::new("nobody watched for any time", noticed, at_once(first, ready)));
        histories.push(History::new("the controller has not seen the size", noticed, dropped(seen)));
    }
    for at in [since, up.asked] {
        let change = flapping(stored, life, at);
        histories
            .extend(change.map(|change| History::new(format!("{} is Ready after #{at}", life.name), noticed, change)));
    }
    histories
}

fn deadlock(stored: &Stored) -> Vec<History> {
    let Some((life, since, released, ready)) = held(stored, Scenario::Unready) else { return Vec::new() };
    let Some(deleted) = act(stored, Scenario::Unready, since, |act| matches!(act, Act::DeletePod { .. })) else {
        return Vec::new();
    };
    let noticed = Wanted::LeavesGreen(NO_DEADLOCK);
    let mut histories = Vec::new();
    for at in [since, deleted.asked, deleted.proved.unwrap_or(deleted.asked)] {
        let change = flapping(stored, life, at);
        histories
            .extend(change.map(|change| History::new(format!("{} is Ready after #{at}", life.name), noticed, change)));
    }
    let back = moved_before(released, deleted.asked + 1);
    histories.push(History::new("the held pod is released first", noticed, back));
    let came = stored.lives().find(|life| life.added.seq > deleted.asked && life.added.seq < ready);
    if let Some(came) = came {
        let late = shown(stored.events_of("Pod", &came.uid).before(ready), |object| set_ready(object, false));
        histories.push(History::new("the deleted pod is Ready only then", noticed, late));
        let never = dropped(stored.events_of("Pod", &came.uid));
        histories.push(History::new("the deleted pod does not come back", noticed, never));
    }
    histories
}

pub(crate) fn rolling(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (acted, until) in updates(stored).into_iter().filter(|(acted, _)| acted.act != Act::BreakTemplate) {
        let told = replaced(stored, acted.asked, until);
        for life in &told {
            let above = |other: &&PodLife| {
                let higher = stored.subject.ordinal_of(&other.name) > stored.subject.ordinal_of(&life.name);
                higher && other.added.seq > acted.asked && life.deleting.is_some_and(|told| other.added.seq < told.seq)
            };
            for other in stored.lives().filter(above) {
                let Some(ready) = other.first_ready() else { continue };
                let title = format!("{}: {} before {}", acted.act, life.name, other.name);
                for (word, at) in [("is Ready", ready.seq), ("is there", other.added.seq)] {
                    let change = told_to_go(stored, life, at);
                    let title = format!("{title} (#{}) {word}", other.added.seq);
                    histories.extend(change.map(|change| History::new(title, Wanted::Fails(ROLLS), change)));
                }
                let old = shown(stored.events_of("Pod", &other.uid), |object| {
                    set_label(object, "controller-revision-hash", Some("mysql-another"));
                });
                histories.push(History::new(format!("{title} has the update"), Wanted::LeavesGreen(ROLLS), old));
            }
        }
    }
    histories
}

fn below_the_partition(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (acted, until) in updates(stored) {
        let Act::Roll { partition } = acted.act else { continue };
        let until = until.min(next_roll(stored, acted.asked).unwrap_or(until));
        for index in 0..partition {
            for at in [acted.asked + 1, acted.proved.unwrap_or(acted.asked + 1) + 1] {
                let Some(life) = there(stored, index, at).filter(|life| !life.deleting_at(at)) else { continue };
                let title = format!("{} before #{at}", life.name);
                let change = told_to_go(stored, life, at);
                histories.extend(change.map(|change| History::new(title, Wanted::Fails(PARTITION), change)));
            }
        }
        let updated = there(stored, stored.subject.replicas - 1, until).and_then(PodLife::revision).map(str::to_owned);
        let below = |life: &&PodLife| stored.subject.index_of(&life.name).is_some_and(|index| index < partition);
        let came = stored.lives().filter(|life| (acted.asked..until).contains(&life.added.seq)).filter(below);
        for (life, revision) in came.zip(std::iter::repeat(updated)) {
            let change = shown(stored.events_of("Pod", &life.uid), move |object| {
                set_label(object, "controller-revision-hash", revision.as_deref());
            });
            let title = format!("{} comes back with the update", life.name);
            histories.push(History::new(title, Wanted::Fails(PARTITION), change));
        }
    }
    histories
}

fn next_roll(stored: &Stored, seq: u64) -> Option<u64> {
    updates(stored).into_iter().map(|(acted, _)| acted.asked).find(|asked| *asked > seq)
}

pub(crate) fn stuck(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let updates = updates(stored);
    let Some((broken, until)) = updates.iter().find(|(acted, _)| acted.act == Act::BreakTemplate) else {
        return histories;
    };
    let last = stored.subject.replicas - 1;
    let proved = broken.proved.unwrap_or(broken.asked);
    for index in 0..last {
        for at in [broken.asked + 1, proved, *until] {
            let Some(life) = there(stored, index, at) else { continue };
            let change = told_to_go(stored, life, at);
            let title = format!("{} is told to go before #{at}", life.name);
            histories.extend(change.map(|change| History::new(title, Wanted::Fails(STUCK), change)));
        }
    }
    if let Some(life) = there(stored, last, proved) {
        let ready = shown(stored.events_of("Pod", &life.uid), |object| set_ready(object, true));
        histories.push(History::new("the broken template starts", Wanted::LeavesGreen(STUCK), ready));
    }
    let Some((reverted, _)) = updates.iter().find(|(acted, _)| acted.act == Act::RevertTemplate) else {
        return histories;
    };
    let end = reverted.proved.unwrap_or(reverted.asked);
    for life in (0..=last).filter_map(|index| there(stored, index, end)) {
        let events = stored.events_of("Pod", &life.uid);
        let another =
            shown(events.clone(), |object| set_label(object, "controller-revision-hash", Some("mysql-another")));
        histories.push(History::new(
            format!("{} ends with another revision", life.name),
            Wanted::Fails(STUCK),
            another,
        ));
        let never = shown(events, |object| set_ready(object, false));
        histories.push(History::new(format!("{} does not end Ready", life.name), Wanted::LeavesGreen(STUCK), never));
    }
    let set = stored.events("StatefulSet", |_| true).since(reverted.asked).before(end);
    let another = shown(set, |object| object["status"]["updateRevision"] = "mysql-another".into());
    histories.push(History::new("the set does not end with its revision", Wanted::Fails(STUCK), another));
    histories
}
