//! Whole scenarios and whole logs: cut short, left out, partly lost, repeated, late, or run twice.

use steadfast::check::CATALOGUE;
use steadfast::evidence::{Act, EventType, Gap, Phase, Scenario, SnapshotOf, Step, What};

use super::change::{
    Change, Places, added_after, added_before, at_once, delayed, dropped, ended_before, repeated, said, set_back,
};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{event, snapshot};
use super::orders::{act, there, told_to_go};
use super::stored::{Acted, Part, Stored};

const REAPPLY: Checks = &["ordering::reapply_changes_nothing"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "whole::a_scenario_was_not_carried_out",
        why: "A check passes only where every scenario that it needs was carried out to its end.",
        part: Part::Watches,
        of: not_carried_out,
    },
    Class {
        name: "whole::a_step_failed_in_a_scenario_that_ended",
        why: "What a scenario was to do and could not do was not done, however the scenario ended.",
        part: Part::Watches,
        of: failed_inside,
    },
    Class {
        name: "whole::applying_again_changes_something",
        why: "The same manifests twice change no object and move no pod, which must have been watched for some time.",
        part: Part::Watches,
        of: reapplied,
    },
    Class {
        name: "whole::a_run_was_killed",
        why: "A log that ends anywhere shows less, and nothing wrong.",
        part: Part::Right,
        of: killed,
    },
    Class {
        name: "whole::a_stretch_of_a_watch_is_lost",
        why: "What nobody saw leaves doubt, and is nobody's fault.",
        part: Part::Right,
        of: lost_stretches,
    },
    Class {
        name: "whole::events_are_told_twice",
        why: "A watch that is opened again tells again what it told before.",
        part: Part::Right,
        of: twice,
    },
    Class {
        name: "whole::events_are_told_late",
        why: "A watch may be behind; what was seen late was not late.",
        part: Part::Right,
        of: late,
    },
    Class {
        name: "whole::the_clock_for_people_is_set",
        why: "Nothing is judged by the wall clock.",
        part: Part::Right,
        of: wall_clock,
    },
];

/// The first and the last step of a scenario. They have its name.
fn outer(stored: &Stored, scenario: Scenario) -> Places {
    stored.places(|what| matches!(what, What::Step(step) if step.whole() == Some(scenario)))
}

fn failed(places: impl Into<Places>) -> Change {
    said(places, |what| {
        if let What::Step(Step { phase, .. }) = what {
            *phase = Phase::Failed("it could not be done".to_owned());
        }
    })
}

fn not_carried_out(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (scenario, places) in stored.scenarios() {
        let Some(end) = outer(stored, scenario).last() else { continue };
        for check in CATALOGUE.iter().filter(|check| check.scenarios.contains(&scenario)) {
            let wanted = Wanted::LeavesGreen(std::slice::from_ref(&check.id));
            let changes =
                [("failed", failed(end)), ("did not end", dropped(end)), ("left no record", dropped(places.clone()))];
            histories.extend(changes.map(|(word, change)| History::new(format!("{scenario} {word}"), wanted, change)));
        }
    }
    histories
}

fn failed_inside(stored: &Stored) -> Vec<History> {
    let inner = |what: &What| matches!(what, What::Step(step) if step.whole().is_none() && step.scenario.is_some() && step.phase == Phase::End);
    let history = |seq: u64| {
        let What::Step(step) = &stored.at(seq).what else { unreachable!("a step") };
        History::new(step.words(), Wanted::SomeLeavesGreen(&[]), failed(seq))
    };
    stored.places(inner).iter().map(history).collect()
}

fn killed(stored: &Stored) -> Vec<History> {
    let count = stored.records.len() as u64;
    let cuts = (1..60).map(|part| part * count / 60).filter(|seq| *seq > 0);
    cuts.map(|seq| History::new(format!("before #{seq}"), Wanted::NothingTurnsRed, ended_before(seq))).collect()
}

fn lost_stretches(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (scenario, places) in stored.scenarios() {
        for kind in ["Pod", "StatefulSet", "PersistentVolumeClaim", "PersistentVolume", "EndpointSlice"] {
            let gap = Gap { object_kind: kind.into(), after_version: "1".into(), reason: "too old".into() };
            let at = places.iter().nth(places.len() / 2).expect("a record");
            let change = added_after(at, [What::Gap(gap)]);
            histories.push(History::new(format!("{scenario}: {kind}"), Wanted::NothingTurnsRed, change));
        }
    }
    histories
}

fn twice(stored: &Stored) -> Vec<History> {
    let stays = Wanted::StaysAsItWas;
    let mut histories = Vec::new();
    for kind in ["Pod", "StatefulSet", "PersistentVolumeClaim", "PersistentVolume", "Service", "EndpointSlice"] {
        histories.push(History::new(format!("all of {kind}"), stays, repeated(stored.events(kind, |_| true))));
    }
    for (scenario, places) in stored.scenarios() {
        let pods: Places = stored.events("Pod", |_| true).iter().filter(|seq| places.has(*seq)).collect();
        if !pods.is_empty() {
            histories.push(History::new(format!("{scenario}: pods"), stays, repeated(pods)));
        }
    }
    histories
}

fn late(stored: &Stored) -> Vec<History> {
    let kinds = [
        ("Pod", 10_000),
        ("StatefulSet", 10_000),
        ("PersistentVolumeClaim", 500_000),
        ("PersistentVolume", 500_000),
        ("Service", 5_000_000),
        ("EndpointSlice", 5_000_000),
    ];
    let history = |(kind, by_us): (&str, u64)| {
        let change = delayed(stored.events(kind, |_| true), by_us);
        History::new(format!("{kind} by {} ms", by_us / 1000), Wanted::NothingTurnsRed, change)
    };
    kinds.into_iter().map(history).collect()
}

fn wall_clock(stored: &Stored) -> Vec<History> {
    let starts = stored.scenarios().into_iter().filter_map(|(scenario, places)| Some((scenario, places.first()?)));
    let clocks = starts.zip([3600, -3600, 86_400, 1].into_iter().cycle());
    clocks
        .map(|((scenario, at), by_s)| {
            History::new(format!("{scenario}: back by {by_s} s"), Wanted::StaysAsItWas, set_back(at, by_s))
        })
        .collect()
}

fn reapplied(stored: &Stored) -> Vec<History> {
    let Some(Acted { asked, proved: Some(proved), .. }) = act(stored, Scenario::Deploy, 0, |act| *act == Act::Reapply)
    else {
        return Vec::new();
    };
    let (fails, noticed) = (Wanted::Fails(REAPPLY), Wanted::LeavesGreen(REAPPLY));
    let mut histories = vec![History::new("nobody watched for any time", noticed, at_once(asked, proved))];
    let second = stored.snapshots(SnapshotOf::Applied).since(asked);
    let Some(seq) = second.first() else { return histories };
    let What::Snapshot(applied) = &stored.at(seq).what else { return histories };
    for (index, object) in applied.value.as_array().into_iter().flatten().enumerate() {
        let title = format!("{} {}", object["kind"], object["name"]);
        let edit = |edit: fn(&mut serde_json::Value, usize)| snapshot(seq, move |value| edit(value, index));
        let uid = edit(|all, at| all[at]["uid"] = "another".into());
        histories.push(History::new(format!("{title} has another UID"), fails, uid));
        let generation =
            edit(|all, at| all[at]["generation"] = (all[at]["generation"].as_i64().unwrap_or(0) + 1).into());
        histories.push(History::new(format!("{title} has another generation"), fails, generation));
        let missing = edit(|all, at| drop(all.as_array_mut().map(|all| all.remove(at))));
        histories.push(History::new(format!("{title} is not applied"), noticed, missing));
    }
    for life in (0..stored.subject.replicas).filter_map(|index| there(stored, index, asked)) {
        let change = told_to_go(stored, life, proved);
        let title = format!("{} is told to go", life.name);
        histories.extend(change.map(|change| History::new(title, fails, change)));
        if let Some(last) = stored.last_event("Pod", &life.uid, proved) {
            let twin = event(last, EventType::Added, |object| object["metadata"]["uid"] = "another".into());
            histories.push(History::new(format!("{} is made anew", life.name), fails, added_before(proved, [twin])));
        }
    }
    if let Some(set) = stored.events("StatefulSet", |_| true).before(proved).last()
        && let What::Object(last) = &stored.at(set).what
    {
        let changed = event(last, EventType::Modified, |object| {
            object["metadata"]["generation"] = (object["metadata"]["generation"].as_i64().unwrap_or(0) + 1).into();
        });
        histories.push(History::new("the set has another generation", fails, added_before(proved, [changed])));
    }
    histories
}
