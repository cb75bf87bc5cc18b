//! Pods that wait for each other unnecessarily, and pods that are late for other reasons.

use steadfast::evidence::{Act, Expect, PodLife, Scenario, Wait, WaitOutcome, What};

use super::change::{Change, Places, added_before, dropped, moved_before, paused};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{set_ready, shown};
use super::orders::{act, rolling, stuck};
use super::settings::{departures, described};
use super::stored::{Part, Stored};

const PARALLEL: Checks = &["ordering::parallel_pods_do_not_wait"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "parallel::pods_wait_for_one_another",
        why: "With Parallel pods come and go at once: one that waited may be chance, two are not.",
        part: Part::Parallel,
        of: waiting,
    },
    Class {
        name: "parallel::pods_wait_for_one_that_is_stuck",
        why: "A pod that cannot become Ready stops no other one from coming.",
        part: Part::Parallel,
        of: beside_a_stuck_one,
    },
    Class {
        name: "parallel::one_is_late_for_its_own_reasons",
        why: "What starts slowly, or is created slowly while nothing else happens, waits for nobody.",
        part: Part::Parallel,
        of: late,
    },
    Class {
        name: "parallel::an_update_comes_from_below",
        why: "Updates go in order whatever podManagementPolicy says.",
        part: Part::Parallel,
        of: rolling,
    },
    Class {
        name: "parallel::a_stuck_rollout_goes_on",
        why: "With Parallel too a rollout stops at the pod that cannot start.",
        part: Part::Parallel,
        of: stuck,
    },
];

/// A pod that starts or stops without waiting, and the change that makes it wait.
struct Chance {
    title: String,
    waits: Change,
}

/// When a pod became Ready after a record.
fn ready_after(stored: &Stored, index: u32, seq: u64) -> Option<u64> {
    let lives = stored.timeline.lives(&stored.subject.nth(index)).collect::<Vec<_>>();
    let ready = lives.into_iter().flat_map(|life| &life.ready).filter(|change| change.value && change.since.seq > seq);
    ready.map(|change| change.since.seq).min()
}

/// Moves all events of a pod up to a record behind that record.
fn only_after(stored: &Stored, life: &PodLife, from: u64, seq: u64) -> Change {
    let events = stored.events_of("Pod", &life.uid).since(from).before(seq + 1);
    moved_before(events, seq + 1)
}

/// Every occasion at which a pod could wait for another pod to become Ready or to stop.
fn chances(stored: &Stored) -> Vec<Chance> {
    let mut chances = Vec::new();
    for life in stored.lives() {
        let Some(before) = stored.subject.index_of(&life.name).and_then(|index| index.checked_sub(1)) else { continue };
        let at = life.added.seq;
        let serves = |other: &PodLife| other.serving_at(at);
        if stored.timeline.pod_at(&stored.subject.nth(before), at).is_some_and(serves) {
            continue;
        }
        let Some(ready) =
            ready_after(stored, before, at).filter(|ready| stored.scenario(*ready) == stored.scenario(at))
        else {
            continue;
        };
        let title = format!(
            "{}: {} (#{at}) comes once {} is Ready",
            stored.scenario_name(at),
            life.name,
            stored.subject.nth(before)
        );
        chances.push(Chance { title, waits: only_after(stored, life, at, ready) });
    }
    for (told, asked) in departures(stored) {
        let Some(life) = stored.timeline.pods.iter().find(|life| life.deleting.is_some_and(|mark| mark.seq == told))
        else {
            continue;
        };
        let above = stored.subject.index_of(&life.name).map_or(0, |index| index + 1);
        let other = stored.timeline.pod_at(&stored.subject.nth(above), asked).and_then(|other| other.deleted);
        let Some(gone) = other.filter(|gone| gone.seq > told) else { continue };
        let title = format!("{}: {} (#{told}) goes once #{} is gone", stored.scenario_name(told), life.name, gone.seq);
        chances.push(Chance { title, waits: only_after(stored, life, told, gone.seq) });
    }
    chances
}

fn waiting(stored: &Stored) -> Vec<History> {
    let (fails, open) = (Wanted::Fails(PARALLEL), Wanted::LeavesOpen(PARALLEL));
    let mut histories: Vec<History> =
        chances(stored).into_iter().map(|one| History::new(one.title, open, one.waits)).collect();
    let count = histories.len();
    for (first, apart) in (0..count).flat_map(|first| [(first, 1), (first, 2)]) {
        let mut both = chances(stored);
        let second = first + apart;
        if second < count {
            let (second, first) = (both.swap_remove(second), both.swap_remove(first));
            histories.push(History::new(
                format!("{}; {}", first.title, second.title),
                fails,
                first.waits.then(second.waits),
            ));
        }
    }
    let all = Change::all(chances(stored).into_iter().map(|one| one.waits));
    histories.push(History::new("all wait, everywhere", fails, all));
    histories
}

/// The pods that start while another one is held, the record that releases it, and the record at which it is Ready
/// again.
fn beside(stored: &Stored) -> Option<(Vec<&PodLife>, u64, u64)> {
    let up = act(stored, Scenario::Scale, 0, |act| matches!(act, Act::Scale { from, to } if to > from))?;
    let released = act(stored, Scenario::Scale, up.asked, |act| matches!(act, Act::Release { .. }))?.asked;
    let ready = ready_after(stored, 0, released)?;
    let came = stored.lives().filter(|life| (up.asked..released).contains(&life.added.seq)).collect();
    Some((came, released, ready))
}

fn beside_a_stuck_one(stored: &Stored) -> Vec<History> {
    let (fails, noticed) = (Wanted::Fails(PARALLEL), Wanted::LeavesGreen(PARALLEL));
    let Some((came, released, ready)) = beside(stored) else { return Vec::new() };
    let mut histories = Vec::new();
    let vain = |pod: &str| {
        What::Wait(Wait {
            what: format!("{pod} created"),
            outcome: WaitOutcome::Expired,
            took_us: 300_000_000,
            last_seen: "there is no such pod".to_owned(),
        })
    };
    for life in &came {
        let name = &life.name;
        let after = || only_after(stored, life, life.added.seq, ready);
        histories.push(History::new(format!("{name} comes after the held one is Ready"), noticed, after()));
        let awaited = added_before(released, [vain(name)]).then(after());
        histories.push(History::new(format!("{name} is awaited in vain until then"), fails, awaited));
        let never = dropped(stored.events_of("Pod", &life.uid));
        histories.push(History::new(format!("{name} does not come at all"), noticed, never));
    }
    let all = Change::all(came.iter().map(|life| only_after(stored, life, life.added.seq, ready)));
    histories.push(History::new("all come once the held one is Ready", noticed, all));
    // In the first scenario, the first pod never becomes Ready, and no other pod starts.
    let first: Vec<&PodLife> =
        stored.lives().filter(|life| stored.scenario(life.added.seq) == Some(Scenario::Deploy)).collect();
    if let [stuck, others @ ..] = &first[..] {
        let end = stored
            .scenarios()
            .into_iter()
            .find_map(|(scenario, places)| (scenario == Scenario::Deploy).then_some(places));
        let end = end.and_then(|places| places.last()).expect("the scenario ends");
        let gone: Places =
            others.iter().flat_map(|life| stored.events_of("Pod", &life.uid).iter().collect::<Vec<_>>()).collect();
        let unready = shown(stored.events_of("Pod", &stuck.uid), |object| set_ready(object, false));
        let change = unready.then(added_before(end, [vain(&others[0].name)])).then(dropped(gone));
        histories.push(History::new("at first nobody comes beside one that is stuck", fails, change));
    }
    histories
}

fn late(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let passes = Wanted::Passes(PARALLEL);
    for life in stored.lives() {
        let title = format!("{} (#{})", life.name, life.added.seq);
        if let Some(ready) = life.first_ready() {
            let change = paused(ready.seq, 20_000_000);
            histories.push(History::new(format!("{title} is Ready 20 s later"), passes, change));
        }
        let slow = paused(life.added.seq, 3_000_000);
        histories.push(History::new(format!("{title} is created 3 s later"), passes, slow));
    }
    if let Some((came, released, _)) = beside(stored) {
        for life in came {
            let change = only_after(stored, life, life.added.seq, released);
            histories.push(History::new(format!("{} comes as late as the release", life.name), passes, change));
        }
    }
    let demanded = described(stored, |run| run.expect = vec![Expect::OrderedReady]);
    histories.push(History::new("the run demands an order", Wanted::NoneFails(PARALLEL), demanded));
    histories
}
