//! Clocks: a machine sleeps for ten minutes at any place of a run. No duration gets shorter, and no check blames the
//! workload.

use steadfast::evidence::{Cause, Scenario, What};

use super::change::{Change, lapsed, log_alone_paused, paused, witness_alone_paused};
use super::class::{Checks, Class, History, Wanted};
use super::stored::{Part, Stored};

const BUDGET: Checks = &["replication::recovers_within_budget"];

/// How long the machine sleeps.
const SLEPT_US: u64 = 600_000_000;

/// The number of places in a run at which it sleeps, evenly spread.
const PLACES: usize = 40;

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "clocks::a_sleep_blames_nobody",
        why: "What a machine slept through nobody was late for.",
        part: Part::Answers,
        of: |stored| anywhere(stored, &[("noticed", noticed), ("witness alone counts it", witness_alone_paused)]),
    },
    Class {
        name: "clocks::a_sleep_in_a_disruption_is_a_gap",
        why: "Of a disruption in which a machine slept nobody knows how long it was.",
        part: Part::Answers,
        of: disrupted,
    },
    Class {
        name: "clocks::ten_minutes_are_ten_minutes",
        why: "Where both clocks count them and nobody noticed a sleep, they passed for all.",
        part: Part::Answers,
        of: |stored| {
            let change = |at| History::new(format!("#{at}"), Wanted::Fails(BUDGET), paused(at, SLEPT_US));
            within(stored).into_iter().map(change).collect()
        },
    },
    Class {
        name: "clocks::a_jump_of_the_wall_blames_nobody",
        why: "Whoever set a clock on a wall did nothing to the workload.",
        part: Part::Answers,
        of: |stored| anywhere(stored, &[("ahead", ahead), ("back", back)]),
    },
];

/// The machine sleeps before a record. Both its clock and the heartbeat of the harness show it.
fn noticed(at: u64, us: u64) -> Change {
    paused(at, us).then(lapsed(at, us, Cause::Slept))
}

/// The harness's wall clock jumps ahead, but no time passes.
fn ahead(at: u64, by_us: u64) -> Change {
    lapsed(at, 0, Cause::WallJumped { by_us: by_us.cast_signed() })
}

fn back(at: u64, by_us: u64) -> Change {
    lapsed(at, 0, Cause::WallJumped { by_us: -by_us.cast_signed() })
}

/// Records of a run, evenly spread over the time in which the witness writes.
fn places(stored: &Stored) -> Vec<u64> {
    let last = stored.places(|what| matches!(what, What::Entries(_))).last().unwrap_or(0);
    (1..=PLACES as u64).map(|place| (place * last / (PLACES as u64 + 1)).max(2)).collect()
}

/// Makes a machine sleep before a record for this time.
type Sleep = fn(u64, u64) -> Change;

fn anywhere(stored: &Stored, ways: &[(&'static str, Sleep)]) -> Vec<History> {
    let of = |at: u64| {
        let one = move |(name, change): &(&'static str, Sleep)| {
            History::new(format!("#{at}: {name}"), Wanted::NothingTurnsRed, change(at, SLEPT_US))
        };
        ways.iter().map(one).collect::<Vec<_>>()
    };
    places(stored).into_iter().flat_map(of).collect()
}

/// Records just before the proof of a disruption's last act, when the workload has not yet recovered.
fn within(stored: &Stored) -> Vec<u64> {
    let acts = stored.acts();
    let acts = acts.iter().filter(|acted| {
        matches!(
            stored.scenario(acted.asked),
            Some(
                Scenario::Restart
                    | Scenario::ServerKill
                    | Scenario::DeleteAll
                    | Scenario::DnsReplace
                    | Scenario::ApiserverKill
            )
        )
    });
    acts.filter_map(|acted| acted.proved).collect()
}

fn disrupted(stored: &Stored) -> Vec<History> {
    let (open, noticed_all) = (Wanted::LeavesOpen(BUDGET), Wanted::LeavesGreen(BUDGET));
    let ways: [(&str, Wanted, Sleep); 3] = [
        ("noticed", open, noticed),
        ("the witness alone counts it", noticed_all, witness_alone_paused),
        ("the log alone counts it", noticed_all, log_alone_paused),
    ];
    let of = |at: u64| {
        let one = move |(name, wanted, change): (&str, Wanted, Sleep)| {
            History::new(format!("#{at}: {name}"), wanted, change(at, SLEPT_US))
        };
        ways.map(one)
    };
    within(stored).into_iter().flat_map(of).collect()
}
