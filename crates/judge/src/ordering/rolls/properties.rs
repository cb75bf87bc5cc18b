//! Random histories of an update, judged a second time by brute force: no false pass and no false failure.

use proptest::prelude::*;

use crate::Verdict;
use crate::evidence::{Act, Phase, Scenario, Subject};
use crate::history::{History, PODS, subject};

/// What can happen to one of three ordinals.
#[derive(Debug, Clone, Copy)]
enum Event {
    Told(u32),
    Deleted(u32),
    /// Created, with the update or without.
    Added(u32, bool),
    Ready(u32),
    Unready(u32),
    /// The harness deletes the pod.
    Struck(u32),
    Gap,
    /// More time passes than the controller's view can be old.
    Later,
}

/// How the update ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Proved,
    Expired,
    Unseen,
}

fn event() -> impl Strategy<Value = Event> {
    let ordinal = 0..3_u32;
    prop_oneof![
        3 => ordinal.clone().prop_map(Event::Told),
        3 => ordinal.clone().prop_map(Event::Deleted),
        3 => (ordinal.clone(), any::<bool>()).prop_map(|(ordinal, updated)| Event::Added(ordinal, updated)),
        4 => ordinal.clone().prop_map(Event::Ready),
        2 => ordinal.clone().prop_map(Event::Unready),
        1 => ordinal.prop_map(Event::Struck),
        1 => Just(Event::Gap),
        1 => Just(Event::Later),
    ]
}

/// Updates in good order up to some step, with some disturbing events inserted.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let replaced = |it| [Event::Told(it), Event::Deleted(it), Event::Added(it, true), Event::Ready(it)];
    let orderly: Vec<Event> = (0..3).rev().flat_map(replaced).collect();
    let odds = prop::collection::vec((event(), 0..14_usize), 0..5);
    let length = prop_oneof![Just(orderly.len()), 0..=orderly.len()];
    (length, odds).prop_map(move |(length, odds)| {
        let mut events = orderly[..length].to_vec();
        odds.into_iter().for_each(|(odd, place)| events.insert(place.min(events.len()), odd));
        events
    })
}

/// A pod as the brute-force judge knows it.
#[derive(Clone, Copy, Default)]
struct Pod {
    updated: bool,
    ready: bool,
    was_ready: bool,
    going: bool,
    /// Whether time has passed since it became unready, and since it began to terminate.
    long_ago: (bool, bool),
}

impl Pod {
    fn time_passes(&mut self) {
        self.long_ago.0 |= self.was_ready && !self.ready;
        self.long_ago.1 |= self.going;
    }
}

/// The existing pods, and the evidence against the update so far.
struct Expected {
    there: [Option<Pod>; 3],
    partition: u32,
    struck: [bool; 3],
    wrong: bool,
    race: bool,
    gap: bool,
}

impl Expected {
    fn of(partition: u32) -> Self {
        let pod = Some(Pod { ready: true, was_ready: true, ..Pod::default() });
        Self { there: [pod; 3], partition, struck: [false; 3], wrong: false, race: false, gap: false }
    }

    /// The controller deletes a pod.
    fn told(&mut self, ordinal: u32) {
        let pod = self.there[ordinal as usize].expect("a pod that is there");
        if ordinal < self.partition || pod.going {
            return;
        }
        let (mut wrong, mut race) = (pod.updated, false);
        for above in self.there.iter().skip(ordinal as usize + 1).filter(|_| !pod.updated) {
            match above {
                Some(above) if above.updated && above.was_ready => {
                    let (unready, going) = above.long_ago;
                    let long_ago = (unready && !above.ready) || (going && above.going);
                    race |= (!above.ready || above.going) && !long_ago;
                    wrong |= long_ago;
                }
                _ => wrong = true,
            }
        }
        self.wrong |= wrong && !self.gap;
        self.race |= race;
    }

    fn verdict(&self, end: End) -> Verdict {
        let done = |ordinal: &u32| self.there[*ordinal as usize].is_some_and(|pod| pod.updated && pod.was_ready);
        let missing = (self.partition..3).rev().find(|ordinal| !done(ordinal));
        let awaited = |ordinal: u32| end == End::Expired && !self.struck[ordinal as usize] && !self.gap;
        match (self.wrong || missing.is_some_and(awaited), self.race || self.gap || missing.is_some()) {
            (true, _) => Verdict::Fail,
            (false, true) => Verdict::Inconclusive,
            (false, false) => Verdict::Pass,
        }
    }
}

/// Writes one event, unless there is no pod for it, and judges it by brute force at the same time.
fn tell(history: &mut History, expected: &mut Expected, event: Event) {
    let (Event::Told(ordinal)
    | Event::Deleted(ordinal)
    | Event::Added(ordinal, _)
    | Event::Ready(ordinal)
    | Event::Unready(ordinal)
    | Event::Struck(ordinal)) = event
    else {
        if matches!(event, Event::Later) {
            history.pass_ms(11_000);
            expected.there.iter_mut().flatten().for_each(Pod::time_passes);
        } else {
            history.gap("Pod");
            expected.gap = true;
        }
        return;
    };
    let (name, place) = (PODS[ordinal as usize], ordinal as usize);
    if matches!(event, Event::Added(..)) == expected.there[place].is_some() {
        return;
    }
    let mut pod = expected.there[place].unwrap_or_default();
    match event {
        Event::Told(_) => {
            expected.told(ordinal);
            history.deleting(name);
            pod.going = true;
        }
        Event::Deleted(_) => {
            expected.told(ordinal);
            history.deleted(name);
        }
        Event::Added(_, updated) => {
            history.making(if updated { "rev-2" } else { "rev-1" }, |history| drop(history.added(name)));
            pod.updated = updated;
        }
        Event::Ready(_) => {
            history.ready(name);
            (pod.ready, pod.was_ready) = (true, true);
            pod.long_ago.0 = false;
        }
        Event::Unready(_) => {
            history.unready(name);
            pod.ready = false;
        }
        Event::Struck(_) | Event::Gap | Event::Later => {
            let uid = history.uid(name);
            history.fault(Act::DeletePod { pod: name.to_owned(), uid, grace_s: None });
            history.deleting(name);
            expected.struck[place] |= !pod.going;
            pod.going = true;
        }
    }
    expected.there[place] = Some(pod).filter(|_| !matches!(event, Event::Deleted(_)));
}

/// The update is reverted in good order, whatever its state.
fn reverted(history: &mut History, there: [Option<Pod>; 3], partition: u32) {
    history.fault(Act::RevertTemplate);
    history.template("rev-1");
    for ordinal in (partition..3).rev() {
        let name = PODS[ordinal as usize];
        match there[ordinal as usize] {
            Some(pod) if !pod.updated && !pod.going => drop(history.ready(name)),
            Some(_) => history.replaced(name),
            None => history.starts(name),
        }
    }
    let proof = history.set_seen();
    history.proved(Act::RevertTemplate, proof);
}

proptest! {
    #[test]
    fn the_judge_agrees_with_brute_force(
        partition in 0..2_u32,
        events in events(),
        end in prop::sample::select(vec![End::Proved, End::Expired, End::Unseen]),
    ) {
        let mut history = History::with(Subject { partition, ..subject(3) });
        PODS.iter().for_each(|pod| history.starts(pod));
        history.step(Scenario::Roll, Phase::Begin);
        let act = Act::Roll { partition };
        history.fault(act.clone());
        history.template("rev-2");
        let mut expected = Expected::of(partition);
        events.into_iter().for_each(|event| tell(&mut history, &mut expected, event));
        match end {
            End::Proved => drop(history.proved(act, 1)),
            End::Expired => drop(history.expired("a pod Ready under a new UID", "Running, not Ready")),
            End::Unseen => {}
        }
        reverted(&mut history, expected.there, partition);
        let finding = history.judge("ordering::rolls_highest_ordinal_first");
        prop_assert_eq!(finding.verdict, expected.verdict(end), "{}", finding.reason);
    }
}
