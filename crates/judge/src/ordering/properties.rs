//! Random histories, judged a second time by brute force: no false pass and no false failure.

use crate::evidence::Scenario;
use proptest::prelude::*;

use crate::Verdict;
use crate::evidence::Phase;
use crate::history::History;

/// What can happen to one of three ordinals. The number picks a pod among the existing ones of the ordinal.
#[derive(Debug, Clone, Copy)]
enum Event {
    Added(u32),
    Ready(u32, usize),
    Unready(u32, usize),
    Deleting(u32, usize),
    Deleted(u32, usize),
    Gap,
    /// More time passes than the controller's view can be old.
    Later,
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
        1 => Just(Event::Later),
    ]
}

/// Histories that begin in good order, so that passes are not too rare, and continue at random.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let starts = |ordinal| [Event::Added(ordinal), Event::Ready(ordinal, 0)];
    let again = |ordinal| [Event::Deleted(ordinal, 0), Event::Added(ordinal), Event::Ready(ordinal, 0)];
    let orderly: Vec<Event> = (0..3).flat_map(starts).chain((0..3).rev().flat_map(again)).collect();
    (0..=orderly.len(), prop::collection::vec(event(), 0..14))
        .prop_map(move |(length, random)| orderly[..length].iter().copied().chain(random).collect())
}

/// A pod as the brute-force judge knows it.
struct Pod {
    uid: String,
    ordinal: u32,
    ready: bool,
    was_ready: bool,
    deleting: bool,
    gone: bool,
    /// Whether time has passed since it became unready, and since it began to terminate.
    long_ago: (bool, bool),
}

impl Pod {
    fn serves(&self) -> bool {
        self.ready && !self.goes()
    }

    fn goes(&self) -> bool {
        self.deleting || self.gone
    }

    fn lately(&self) -> bool {
        let (unready, going) = self.long_ago;
        self.was_ready && (self.ready || !unready) && !(going && self.goes())
    }

    fn time_passes(&mut self) {
        self.long_ago.0 |= self.was_ready && !self.ready;
        self.long_ago.1 |= self.goes();
    }
}

/// The verdicts on the start order and on unique names, computed in one pass over the events from the existing pods
/// alone.
#[derive(Default)]
struct Expected {
    wrong_order: bool,
    race: bool,
    two_bearers: bool,
    gap: bool,
    gap_before_last_added: bool,
    seen: [usize; 3],
}

impl Expected {
    fn added(&mut self, there: &[Pod], ordinal: u32) {
        for before in 0..ordinal {
            let of_name = || there.iter().filter(|pod| pod.ordinal == before);
            let bearers = || of_name().filter(|pod| !pod.gone);
            if !bearers().any(Pod::serves) {
                let last_went = || bearers().next().is_none() && of_name().next_back().is_some_and(Pod::lately);
                let race = bearers().any(Pod::lately) || last_went();
                self.race |= race;
                self.wrong_order |= !race && !self.gap;
            }
        }
        self.two_bearers |= !self.gap && there.iter().any(|pod| pod.ordinal == ordinal && !pod.gone);
        self.gap_before_last_added = self.gap;
        self.seen[ordinal as usize] += 1;
    }

    fn verdict(wrong: bool, open: bool) -> Verdict {
        match (wrong, open) {
            (true, _) => Verdict::Fail,
            (false, true) => Verdict::Inconclusive,
            (false, false) => Verdict::Pass,
        }
    }

    fn order(&self) -> Verdict {
        let nothing_added = self.seen == [0; 3];
        let gap = self.gap_before_last_added || (nothing_added && self.gap);
        Self::verdict(self.wrong_order, self.race || gap || self.seen.contains(&0))
    }

    fn bearers(&self) -> Verdict {
        Self::verdict(self.two_bearers, self.gap || self.seen.iter().any(|lives| *lives < 2))
    }
}

/// Writes the events as a history, and judges them by brute force at the same time.
fn told(events: &[Event]) -> (History, Expected) {
    let (mut history, mut expected, mut there) = (History::of(3), Expected::default(), Vec::<Pod>::new());
    history.step(Scenario::Deploy, Phase::Begin);
    for event in events {
        match *event {
            Event::Added(ordinal) => {
                expected.added(&there, ordinal);
                let uid = history.added(&format!("mysql-{ordinal}"));
                let (ready, was_ready, deleting, gone) = (false, false, false, false);
                there.push(Pod { uid, ordinal, ready, was_ready, deleting, gone, long_ago: (false, false) });
            }
            Event::Gap => {
                history.gap("Pod");
                expected.gap = true;
            }
            Event::Later => {
                history.pass_ms(11_000);
                there.iter_mut().for_each(Pod::time_passes);
            }
            Event::Ready(ordinal, which) => change(&mut there, ordinal, which, |pod| {
                history.ready(&pod.uid);
                (pod.ready, pod.was_ready) = (true, true);
                pod.long_ago.0 = false;
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
                    there.iter_mut().filter(|pod| pod.uid == uid).for_each(|pod| pod.gone = true);
                }
            }
        }
    }
    (history, expected)
}

fn change(there: &mut [Pod], ordinal: u32, which: usize, change: impl FnOnce(&mut Pod)) {
    let mut bearers: Vec<_> = there.iter_mut().filter(|pod| pod.ordinal == ordinal && !pod.gone).collect();
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
