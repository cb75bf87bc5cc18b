//! Random histories of pods and answers, judged a second time by brute force: no false pass and no false failure.

use proptest::prelude::*;

use crate::evidence::Transport;
use crate::history::NAMESPACE;
use story::{Story, all};

mod story;

const ASKERS: [(&str, &str, Transport); 4] = [
    (NAMESPACE, "coredns-a", Transport::Udp),
    (NAMESPACE, "coredns-a", Transport::Tcp),
    ("default", "coredns-a", Transport::Udp),
    ("default", "coredns-a", Transport::Tcp),
];

/// What is queried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Service,
    Pod(u32),
    Port,
}

const NAMES: [Name; 4] = [Name::Service, Name::Pod(0), Name::Pod(1), Name::Port];

/// What the answer is.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Right,
    /// What was right this many changes ago.
    Stale(usize),
    Stranger,
    Empty,
    Absent,
    Failed,
    Broken,
}

/// An event, of the newest pod of an ordinal or of DNS.
#[derive(Debug, Clone, Copy)]
enum Event {
    Added(u32),
    Ready(u32),
    Unready(u32),
    Deleting(u32),
    Deleted(u32),
    Hold,
    Gap,
    Pass(u64),
    /// Every asker queries; the one with this number gets another answer. `held` is the checkpoint.
    Asked {
        name: Name,
        held: bool,
        answer: Answer,
        odd: (usize, Answer),
        took_ms: u64,
    },
}

fn answer() -> impl Strategy<Value = Answer> {
    let wrong = vec![Answer::Stranger, Answer::Empty, Answer::Absent, Answer::Failed, Answer::Broken];
    prop_oneof![
        8 => Just(Answer::Right),
        4 => (1..3_usize).prop_map(Answer::Stale),
        2 => prop::sample::select(wrong),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let ordinal = 0..2_u32;
    let asked = (prop::sample::select(NAMES.to_vec()), any::<bool>(), answer(), (0..9_usize, answer()), 0..3_000_u64);
    prop_oneof![
        3 => ordinal.clone().prop_map(Event::Added),
        6 => ordinal.clone().prop_map(Event::Ready),
        4 => ordinal.clone().prop_map(Event::Unready),
        2 => ordinal.clone().prop_map(Event::Deleting),
        2 => ordinal.prop_map(Event::Deleted),
        4 => Just(Event::Hold),
        1 => Just(Event::Gap),
        24 => (0..4_000_u64).prop_map(Event::Pass),
        40 => asked.prop_map(|(name, held, answer, odd, took_ms)| Event::Asked { name, held, answer, odd, took_ms }),
    ]
}

/// Histories that are random and then mostly settle: otherwise nearly all would be inconclusive.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let right =
        |held| move |name| Event::Asked { name, held, answer: Answer::Right, odd: (8, Answer::Right), took_ms: 0 };
    let rest: Vec<Event> =
        NAMES.map(right(false)).into_iter().chain([Event::Hold]).chain(NAMES.map(right(true))).collect();
    (prop::collection::vec(event(), 0..16), 0..=rest.len())
        .prop_map(move |(random, length)| random.into_iter().chain(rest[..length].iter().copied()).collect())
}

proptest! {
    #[test]
    fn judges_agree_with_brute_force(publish_not_ready: bool, events in events()) {
        let story = Story::of(publish_not_ready, &events);
        let always = |name| story.always(name);
        for (check, expected) in [
            ("dns::service_resolves_to_ready_pods", always(Name::Service)),
            ("dns::each_pod_has_its_name", all(&[Name::Pod(0), Name::Pod(1)].map(always))),
            ("dns::srv_lists_every_pod", always(Name::Port)),
            ("dns::unready_pod_leaves_dns", story.held()),
        ] {
            let finding = story.history.judge(check);
            prop_assert_eq!(finding.verdict, expected, "{}: {}", check, finding.reason);
        }
    }
}
