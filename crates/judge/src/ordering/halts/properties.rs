//! Random histories of a set that scales up while its first pod is held, judged a second time by brute force: no false
//! pass and no false failure.

use proptest::prelude::*;

use crate::Verdict;
use crate::evidence::{Act, Phase, Scenario};
use crate::history::History;

/// What can happen once mysql-0 is held.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    Asked,
    Seen,
    Released,
    Ready,
    Unready,
    Gone,
    Added(u32),
    Expired,
    PodGap,
    SetGap,
    /// A second passes.
    Later,
}

/// Histories in good order with some disturbing events inserted.
fn events() -> impl Strategy<Value = Vec<Event>> {
    use Event::{Added, Asked, Expired, Gone, Later, PodGap, Ready, Released, Seen, SetGap, Unready};
    let orderly = [Asked, Seen, Later, Released, Ready, Added(1), Added(2)];
    let odd = prop::sample::select(vec![
        Asked,
        Seen,
        Released,
        Ready,
        Unready,
        Gone,
        Added(1),
        Added(2),
        Expired,
        PodGap,
        SetGap,
        Later,
    ]);
    let odds = prop::collection::vec((odd, 0..9_usize), 0..4);
    let length = prop_oneof![Just(orderly.len()), 0..=orderly.len()];
    (length, odds).prop_map(move |(length, odds)| {
        let mut events = orderly[..length].to_vec();
        odds.into_iter().for_each(|(odd, place)| events.insert(place.min(events.len()), odd));
        events
    })
}

/// Writes these events as a history. An act is requested only once, and a pod that is gone does not change.
fn told(events: &[Event]) -> (History, Vec<Event>) {
    let (mut history, mut happened) = (History::of(3), Vec::new());
    history.starts("mysql-0");
    history.step(Scenario::Scale, Phase::Begin);
    history.held("mysql-0");
    for &event in events {
        let once = matches!(event, Event::Asked | Event::Released);
        let of_held = matches!(event, Event::Ready | Event::Unready | Event::Gone);
        if (once && happened.contains(&event)) || (of_held && happened.contains(&Event::Gone)) {
            continue;
        }
        happened.push(event);
        match event {
            Event::Asked => drop(history.fault(Act::Scale { from: 1, to: 3 })),
            Event::Seen => drop(history.scaled(3)),
            Event::Released => drop(history.fault(Act::Release { pod: "mysql-0".into(), uid: "0.1".into() })),
            Event::Ready => drop(history.ready("0.1")),
            Event::Unready => drop(history.unready("0.1")),
            Event::Gone => drop(history.deleted("0.1")),
            Event::Added(ordinal) => drop(history.added(&format!("mysql-{ordinal}"))),
            Event::Expired => drop(history.expired("mysql-1 Ready", "there is no such pod")),
            Event::PodGap => drop(history.gap("Pod")),
            Event::SetGap => drop(history.gap("StatefulSet")),
            Event::Later => history.pass_ms(1_000),
        }
    }
    (history, happened)
}

/// The verdict, computed from the positions of the events alone.
fn expected(events: &[Event]) -> Verdict {
    let place = |wanted: Event| events.iter().position(|event| *event == wanted);
    let added = |event: &Event| matches!(event, Event::Added(_));
    let (ready, gone) = (place(Event::Ready), place(Event::Gone));
    let ends = ready.into_iter().chain(gone).min().unwrap_or(events.len());
    let held = &events[..ends];
    let known = held.iter().position(|event| *event == Event::PodGap).unwrap_or(ends);
    if held[..known].iter().any(added) {
        return Verdict::Fail;
    }
    let (Some(asked), Some(released), Some(ready)) = (place(Event::Asked), place(Event::Released), ready) else {
        return Verdict::Inconclusive;
    };
    if ready != ends || known != ends || !(asked < released && released < ready) {
        return Verdict::Inconclusive;
    }
    let between = &events[asked..released];
    let seen = between.iter().position(|event| *event == Event::Seen);
    let Some(seen) = seen.filter(|_| !between.contains(&Event::SetGap)) else { return Verdict::Inconclusive };
    let watched = events[asked + seen..ready].contains(&Event::Later);
    let after = &events[ready..];
    match (after.iter().any(added), after.contains(&Event::PodGap), after.contains(&Event::Expired)) {
        (true, ..) if watched => Verdict::Pass,
        (false, false, true) => Verdict::Fail,
        _ => Verdict::Inconclusive,
    }
}

proptest! {
    #[test]
    fn the_judge_agrees_with_brute_force(events in events()) {
        let (history, happened) = told(&events);
        let finding = history.judge("ordering::halts_while_predecessor_unready");
        prop_assert_eq!(finding.verdict, expected(&happened), "{}", finding.reason);
    }
}
