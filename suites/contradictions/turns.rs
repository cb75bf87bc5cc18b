//! Pods whose turn comes before the earlier ones have been Ready for long enough, and pods that are away while an
//! update takes another.

use std::collections::BTreeMap;

use steadfast::evidence::{Act, EventType, PodLife, PodManagement, Scenario, What};

use super::change::{Change, Places, added_after, added_before, hurried, moved_before, paused};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{event, set_ready, shown};
use super::orders::told_to_go;
use super::settings::{MIN_READY_S, Turn, described, turns};
use super::stored::{Acted, Part, Stored, replaced, updates};

const WAITS: Checks = &["ordering::waits_for_min_ready_seconds"];
const RESPECTS: Checks = &["ordering::respects_max_unavailable"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "turns::one_comes_before_another_was_ready_for_long",
        why: "The next pod waits until those before it have been Ready for minReadySeconds, at every turn.",
        part: Part::MinReady,
        of: too_soon,
    },
    Class {
        name: "turns::one_was_ready_for_long_enough",
        why: "minReadySeconds is kept exactly, told in whole seconds, or need not be kept.",
        part: Part::MinReady,
        of: long_enough,
    },
    Class {
        name: "turns::two_are_away_at_a_time",
        why: "Where maxUnavailable is 1 an update takes nobody while another pod is away, whichever and why.",
        part: Part::Watches,
        of: |stored| away(stored, Wanted::Fails(RESPECTS)),
    },
    Class {
        name: "turns::two_may_be_away_at_a_time",
        why: "Where maxUnavailable is 2 and honoured, two may be away.",
        part: Part::MaxUnavailable,
        of: |stored| away(stored, Wanted::Passes(RESPECTS)),
    },
    Class {
        name: "turns::three_are_away_at_a_time",
        why: "Where maxUnavailable is 2 three may not be away, nor two where the cluster does not honour it.",
        part: Part::MaxUnavailable,
        of: three_away,
    },
    Class {
        name: "turns::one_is_away_and_nobody_takes_it_amiss",
        why: "What the harness took does not count, of what has just happened the controller need not know.",
        part: Part::Watches,
        of: excused,
    },
];

fn title(turn: &Turn<'_>) -> String {
    let what = if turn.goes { "told to go" } else { "created" };
    format!("{} (#{}), {what} after {}", turn.life.name, turn.at, turn.before.name)
}

/// The turns that come as soon as possible.
fn exact(stored: &Stored) -> impl Iterator<Item = Turn<'_>> {
    turns(stored).into_iter().filter(|turn| turn.waited_us == MIN_READY_S * 1_000_000)
}

/// An event that shows a pod as before a record, except for Ready.
fn turned(stored: &Stored, life: &PodLife, before: u64, ready: bool) -> What {
    let last = stored.last_event("Pod", &life.uid, before).expect("a pod that serves was shown");
    event(last, EventType::Modified, |object| set_ready(object, ready))
}

fn parallel(stored: &Stored) -> Change {
    described(stored, |run| run.subject.pod_management = PodManagement::Parallel)
}

/// Moves a turn to an earlier time, but not before the previous record.
fn sooner(stored: &Stored, at: u64, by_ms: u64) -> Change {
    hurried(at, (by_ms * 1_000).min(stored.at(at).at_us - stored.at(at - 1).at_us))
}

fn too_soon(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for turn in exact(stored) {
        let title = title(&turn);
        // If a pod was un-Ready for a while, as the held one, the controller may not have known.
        let first = turn.before.first_ready().is_some_and(|ready| ready.seq == turn.ready);
        let wanted = if first { Wanted::Fails(WAITS) } else { Wanted::LeavesGreen(WAITS) };
        for (left_ms, word) in [(0, "at once"), (3_000, "after 3 s"), (8_400, "after 8.4 s")] {
            let change = sooner(stored, turn.at, MIN_READY_S * 1_000 - left_ms);
            histories.push(History::new(format!("{title}: {word}"), wanted, change));
        }
        // Long before the turn the other pod became un-Ready, and it becomes Ready again only just before the turn.
        let (lost, again) = (turned(stored, turn.before, turn.at, false), turned(stored, turn.before, turn.at, true));
        let shown = stored.events_of("Pod", &turn.before.uid).before(turn.at).last().expect("it was shown");
        let flapped = added_after(shown, [lost]).then(paused(turn.at, 15_000_000)).then(added_before(turn.at, [again]));
        histories.push(History::new(format!("{title}: Ready again just then"), Wanted::Fails(WAITS), flapped));
        if turn.goes {
            let change = sooner(stored, turn.at, 7_000).then(parallel(stored));
            histories.push(History::new(format!("{title}: after 3 s, Parallel"), Wanted::Fails(WAITS), change));
        }
    }
    histories
}

/// By the timestamps in the objects, a pod had been Ready for this many seconds when another pod's turn came.
fn by_own_times(turn: &Turn<'_>, waited_s: i64) -> Change {
    let time = |by_s: i64| {
        let noon: jiff::Timestamp = "2026-11-24T12:00:00Z".parse().expect("a time");
        (noon + jiff::SignedDuration::from_secs(by_s)).to_string()
    };
    let (ready, asked, until) = (time(0), time(waited_s), time(waited_s + 30));
    let since = shown(turn.ready, move |object| {
        let conditions = object["status"]["conditions"].as_array_mut().into_iter().flatten();
        let ready_one = conditions.filter(|condition| condition["type"] == "Ready");
        ready_one.for_each(|condition| condition["lastTransitionTime"] = ready.clone().into());
    });
    let goes = turn.goes;
    since.then(shown(turn.at, move |object| {
        let (field, time) = if goes { ("deletionTimestamp", &until) } else { ("creationTimestamp", &asked) };
        object["metadata"][field] = time.clone().into();
    }))
}

fn long_enough(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for turn in exact(stored) {
        let title = title(&turn);
        let mut add = |word: &str, wanted: Wanted, change: Change| {
            histories.push(History::new(format!("{title}: {word}"), wanted, change));
        };
        let passes = Wanted::Passes(WAITS);
        add("after 8.6 s", passes, sooner(stored, turn.at, 1_400));
        add("after 70 s", passes, paused(turn.at, 60_000_000));
        let late = sooner(stored, turn.at, 5_000);
        add("the log was late", Wanted::LeavesGreen(WAITS), by_own_times(&turn, 10).then(late));
        let flaps = [false, true].map(|ready| turned(stored, turn.before, turn.at, ready));
        add("for a moment it was not", Wanted::LeavesOpen(WAITS), added_before(turn.at, flaps.clone()));
        add("just then it is lost", Wanted::NoneFails(WAITS), added_after(turn.at, flaps));
        let sooner = || sooner(stored, turn.at, 7_000);
        if !turn.goes {
            add("after 3 s, Parallel", passes, sooner().then(parallel(stored)));
        } else {
            let several = described(stored, |run| run.subject.max_unavailable = 2);
            add("after 3 s, where two may go", passes, sooner().then(several));
            let old = described(stored, |run| run.kubernetes = "v1.33.7".into()).then(parallel(stored));
            add("after 3 s, Parallel, on 1.33", Wanted::NoneFails(WAITS), sooner().then(old));
        }
        let off = described(stored, |run| run.gates.extend([("StatefulSetMinReadySeconds".into(), false)]));
        add("after 3 s, not honoured", Wanted::NoneFails(WAITS), sooner().then(off));
    }
    histories
}

/// The pods that an update deleted, each with the record at which the deletion began.
fn taken(stored: &Stored) -> Vec<(&PodLife, u64)> {
    let replaced = updates(stored).into_iter().flat_map(|(acted, until)| replaced(stored, acted.asked, until));
    let told = replaced.filter_map(|life| Some((life, life.deleting?.seq)));
    told.filter(|(life, at)| life.ready_at(*at)).collect()
}

/// The other pods of the StatefulSet that serve at a record.
fn others<'a>(stored: &'a Stored, life: &PodLife, at: u64) -> Vec<&'a PodLife> {
    stored.pods_at(at).filter(|other| other.name != life.name && other.serving_at(at)).collect()
}

/// A pod is un-Ready for half a minute before a record.
fn long_unready(stored: &Stored, life: &PodLife, at: u64) -> Change {
    added_before(at, [turned(stored, life, at, false)]).then(paused(at, 30_000_000))
}

/// Somebody deletes a pod just before a record: the deletion has begun, or the pod is gone.
fn going(stored: &Stored, life: &PodLife, at: u64) -> [(&'static str, Change); 2] {
    let told = || told_to_go(stored, life, at).expect("a pod that serves was shown");
    let last = stored.last_event("Pod", &life.uid, at).expect("a pod that serves was shown");
    let gone = added_before(at, [event(last, EventType::Deleted, |_| {})]);
    [("is told to go", told()), ("is gone", told().then(gone))]
}

fn away(stored: &Stored, wanted: Wanted) -> Vec<History> {
    let mut histories = Vec::new();
    for (life, at) in taken(stored) {
        for other in others(stored, life, at) {
            let title = format!("{} (#{at}) while {}", life.name, other.name);
            // A pod that the harness deletes later cannot have been deleted by somebody else.
            let own = |uid: &str| stored.is_deleted_by_harness(uid);
            for (word, change) in
                going(stored, other, at).into_iter().filter(|(word, _)| *word != "is gone" || !own(&other.uid))
            {
                histories.push(History::new(format!("{title} {word}"), wanted, change));
            }
            let unready = long_unready(stored, other, at);
            histories.push(History::new(format!("{title} has not been Ready for long"), wanted, unready));
            // The deletion begins as soon as the pod above is Ready.
            let ready = other.first_ready().map_or(other.added.seq, |ready| ready.seq);
            let above = stored.subject.ordinal_of(&other.name) > stored.subject.ordinal_of(&life.name);
            let mut earlier = stored.timeline.lives(&other.name).filter(|it| it.added.seq < other.added.seq);
            let taken = earlier.next_back().is_some_and(|it| !own(&it.uid));
            if above && taken && stored.scenario(ready) == Some(Scenario::Roll) && life.serving_at(ready) {
                let change = moved_before(at, ready);
                histories.push(History::new(format!("{title} is not Ready yet"), wanted, change));
            }
        }
    }
    histories
}

fn three_away(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let fails = Wanted::Fails(RESPECTS);
    for (life, at) in taken(stored) {
        let others = others(stored, life, at);
        let title = format!("{} (#{at})", life.name);
        if let [one, two] = others[..] {
            let both = going(stored, one, at).into_iter().zip(going(stored, two, at));
            for ((word, first), (_, second)) in both {
                histories.push(History::new(
                    format!("{title} while each of the others {word}"),
                    fails,
                    first.then(second),
                ));
            }
            let change = long_unready(stored, one, at).then(added_before(at, [turned(stored, two, at, false)]));
            let change = change.then(paused(at, 30_000_000));
            histories.push(History::new(format!("{title} while none of the others is Ready"), fails, change));
        }
        for other in others {
            let two = || going(stored, other, at).into_iter().next().expect("a change").1;
            let off = described(stored, |run| run.gates.extend([("MaxUnavailableStatefulSet".into(), false)]));
            histories.push(History::new(
                format!("{title} and {}, the gate is off", other.name),
                fails,
                two().then(off),
            ));
            let old = described(stored, |run| (run.gates, run.kubernetes) = (BTreeMap::new(), "v1.36.1".into()));
            histories.push(History::new(format!("{title} and {}, on 1.36", other.name), fails, two().then(old)));
            let all = described(stored, |run| run.subject.max_unavailable = 3);
            let none = Wanted::NoneFails(RESPECTS);
            histories.push(History::new(format!("{title} and {}, all may go", other.name), none, two().then(all)));
        }
    }
    histories
}

fn excused(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (life, at) in taken(stored) {
        for other in others(stored, life, at) {
            let title = format!("{} (#{at}) while {}", life.name, other.name);
            let unready = added_before(at, [turned(stored, other, at, false)]);
            let unready = unready.then(added_after(at, [turned(stored, other, at, true)]));
            let open = Wanted::LeavesOpen(RESPECTS);
            histories.push(History::new(format!("{title} has just ceased to be Ready"), open, unready));
            let after = added_after(at, [turned(stored, other, at, false), turned(stored, other, at, true)]);
            histories.push(History::new(
                format!("{title} is not Ready just after it"),
                Wanted::NoneFails(RESPECTS),
                after,
            ));
        }
    }
    // The harness deletes a pod below the partition before the controller takes the one above it.
    let own =
        |it: &&Acted| matches!(it.act, Act::DeletePod { .. }) && stored.scenario(it.asked) == Some(Scenario::Roll);
    let acts = stored.acts();
    if let (Some(deletion), Some((taken, at))) = (acts.iter().find(own), taken(stored).first().copied())
        && let Act::DeletePod { pod, uid, .. } = &deletion.act
    {
        let events = stored.events_of("Pod", uid).since(deletion.asked);
        let whole: Places = events.iter().chain([deletion.asked]).chain(deletion.proved).collect();
        let title = format!("{} while the harness deleted {pod}", taken.name);
        histories.push(History::new(title, Wanted::Passes(RESPECTS), moved_before(whole, at)));
    }
    let told_twice = |(life, at): (&PodLife, u64)| {
        let last = stored.last_event("Pod", &life.uid, at + 1)?;
        let again = added_after(at, [event(last, EventType::Modified, |_| {})]);
        Some(History::new(format!("{} is told to go twice", life.name), Wanted::Passes(RESPECTS), again))
    };
    histories.extend(taken(stored).into_iter().filter_map(told_twice));
    let renamed = described(stored, |run| run.kubernetes = "v1.35.9".into());
    histories.push(History::new("on a version that takes one at a time", Wanted::Passes(RESPECTS), renamed));
    histories
}
