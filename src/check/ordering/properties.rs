//! Random histories, judged a second time by brute force: no false pass and no false failure.

use proptest::prelude::*;

use crate::{
    check::{Verdict, history::History},
    evidence::Phase,
};

/// What can happen to one of three ordinals. A pod is picked among those of the ordinal that are there.
#[derive(Debug, Clone, Copy)]
enum Event {
    Added(u32),
    Ready(u32, usize),
    Unready(u32, usize),
    Deleting(u32, usize),
    Deleted(u32, usize),
    Gap,
}

fn event() -> impl Strategy<Value = Event> {
    let (ordinal, which) = (0..3_u32, 0..2_usize);
    prop_oneof![
        6 => ordinal.clone().prop_map(Event::Added),
        8 => (ordinal.clone(), which.clone()).prop_map(|(ordinal, which)| Event::Ready(ordinal, which)),
        1 => (ordinal.clone(), which.clone()).prop_map(|(ordinal, which)| Event::Unready(ordinal, which)),
        1 => (ordinal.clone(), which.clone()).prop_map(|(ordinal, which)| Event::Deleting(ordinal, which)),
        3 => (ordinal, which).prop_map(|(ordinal, which)| Event::Deleted(ordinal, which)),
        1 => Just(Event::Gap),
    ]
}

/// Histories that begin as a cluster would, so that passes are not too rare, and go on at random.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let orderly: Vec<Event> = (0..3).flat_map(|ordinal| [Event::Added(ordinal), Event::Ready(ordinal, 0)]).collect();
    (0..=orderly.len(), prop::collection::vec(event(), 0..14))
        .prop_map(move |(length, random)| orderly[..length].iter().copied().chain(random).collect())
}

/// A pod as the brute force knows it.
struct Pod {
    uid: String,
    ordinal: u32,
    ready: bool,
    was_ready: bool,
    deleting: bool,
}

/// The verdicts on the start order and on the bearers of names that follow from going through the events once, with
/// nothing but the pods that are there.
#[derive(Default)]
struct Expected {
    wrong_order: bool,
    race: bool,
    two_bearers: bool,
    gap: bool,
    gap_before_last_added: bool,
    seen: [bool; 3],
}

impl Expected {
    fn added(&mut self, there: &[Pod], ordinal: u32) {
        for before in 0..ordinal {
            let bearers = || there.iter().filter(|pod| pod.ordinal == before);
            if !bearers().any(|pod| pod.ready && !pod.deleting) {
                let race = bearers().any(|pod| pod.was_ready);
                self.race |= race;
                self.wrong_order |= !race && !self.gap;
            }
        }
        self.two_bearers |= !self.gap && there.iter().any(|pod| pod.ordinal == ordinal);
        self.gap_before_last_added = self.gap;
        self.seen[ordinal as usize] = true;
    }

    fn verdict(wrong: bool, open: bool) -> Verdict {
        match (wrong, open) {
            (true, _) => Verdict::Fail,
            (false, true) => Verdict::Inconclusive,
            (false, false) => Verdict::Pass,
        }
    }

    fn order(&self) -> Verdict {
        let nothing_added = self.seen == [false; 3];
        let gap = self.gap_before_last_added || (nothing_added && self.gap);
        Self::verdict(self.wrong_order, self.race || gap || self.seen.contains(&false))
    }

    fn bearers(&self) -> Verdict {
        Self::verdict(self.two_bearers, self.gap || self.seen.contains(&false))
    }
}

/// Tells the events as a history, and goes through them by brute force at the same time.
fn told(events: &[Event]) -> (History, Expected) {
    let (mut history, mut expected, mut there) = (History::of(3), Expected::default(), Vec::<Pod>::new());
    history.step("deploy", Phase::Begin);
    for event in events {
        match *event {
            Event::Added(ordinal) => {
                expected.added(&there, ordinal);
                let uid = history.added(&format!("mysql-{ordinal}"));
                there.push(Pod { uid, ordinal, ready: false, was_ready: false, deleting: false });
            }
            Event::Gap => {
                history.gap("Pod");
                expected.gap = true;
            }
            Event::Ready(ordinal, which) => change(&mut there, ordinal, which, |pod| {
                history.ready(&pod.uid);
                (pod.ready, pod.was_ready) = (true, true);
            }),
            Event::Unready(ordinal, which) => change(&mut there, ordinal, which, |pod| {
                history.unready(&pod.uid);
                pod.ready = false;
            }),
            Event::Deleting(ordinal, which) => change(&mut there, ordinal, which, |pod| {
                history.deleting(&pod.uid);
                pod.deleting = true;
            }),
            Event::Deleted(ordinal, which) => {
                let mut gone = None;
                change(&mut there, ordinal, which, |pod| gone = Some(pod.uid.clone()));
                if let Some(uid) = gone {
                    history.deleted(&uid);
                    there.retain(|pod| pod.uid != uid);
                }
            }
        }
    }
    (history, expected)
}

fn change(there: &mut [Pod], ordinal: u32, which: usize, change: impl FnOnce(&mut Pod)) {
    let mut bearers: Vec<_> = there.iter_mut().filter(|pod| pod.ordinal == ordinal).collect();
    let count = bearers.len().max(1);
    if let Some(pod) = bearers.get_mut(which % count) {
        change(pod);
    }
}

proptest! {
    #[test]
    fn judges_agree_with_brute_force(events in events()) {
        let (history, expected) = told(&events);
        let order = history.judge("ordering::starts_in_ordinal_order");
        prop_assert_eq!(order.verdict, expected.order(), "{}", order.reason);
        let bearers = history.judge("ordering::at_most_one_pod_per_ordinal");
        prop_assert_eq!(bearers.verdict, expected.bearers(), "{}", bearers.reason);
    }
}
