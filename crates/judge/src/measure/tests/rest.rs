//! When the workload is at rest: hand-made runs, and random runs compared with a slower computation.

use super::*;
use crate::evidence::Scenario;
use crate::measure::Waited;

/// Makes the last barrier take this long.
fn asked_earlier(history: &mut History, took_us: u64) {
    let last = history.records.last_mut().expect("a barrier");
    let What::Sql(sql) = &mut last.what else { panic!("a barrier") };
    sql.took_us = took_us;
}

/// A run in which every replica reached a barrier after the disruption, and some time has passed since.
fn recovered() -> History {
    let mut history = disrupted();
    history.pass_ms(9);
    ["mysql-1", "mysql-2"].into_iter().for_each(|pod| barrier(&mut history, pod, "1"));
    history.pass_ms(20);
    history
}

/// The record from which the workload is at rest after each disruption.
fn rests(history: &History) -> Vec<u64> {
    measures(history).disruptions.iter().map(|it| it.rest.seq).collect()
}

fn last(history: &History) -> u64 {
    history.records.last().map_or(0, |last| last.seq)
}

#[test]
fn rest_begins_once_every_replica_has_reached_a_barrier_from_after_the_recovery() {
    let mut history = recovered();
    let recovery = measures(&history).disruptions[0].recovered;
    assert_eq!(recovery.map(|mark| mark.seq), Some(last(&history)));
    for (pod, reached, rested) in [("mysql-1", "1", false), ("mysql-2", "0", false), ("mysql-2", "1", true)] {
        barrier(&mut history, pod, reached);
        let told = last(&history);
        // The end of the log only counts as rest if the run ended too early.
        history.fault(Act::StopLedger);
        assert_eq!(rests(&history), [if rested { told } else { last(&history) }]);
    }
    let rest = rests(&history);
    ["mysql-1", "mysql-2"].into_iter().for_each(|pod| barrier(&mut history, pod, "1"));
    assert_eq!((rests(&history), measures(&history).disruptions[0].recovered), (rest, recovery));
}

#[test]
fn a_barrier_that_was_on_its_way_at_the_recovery_says_nothing_of_what_came_later() {
    let mut history = recovered();
    barrier(&mut history, "mysql-1", "1");
    barrier(&mut history, "mysql-2", "1");
    let told = last(&history);
    let rests_then = |took_us: u64| {
        let mut history = history.clone();
        asked_earlier(&mut history, took_us);
        history.fault(Act::StopLedger);
        rests(&history) == [told]
    };
    assert_eq!([22_000, 22_001].map(rests_then), [true, false]);
}

#[test]
fn the_scenarios_end_is_rest_and_so_is_what_nobody_recovered_from_by_then() {
    for mut history in [recovered(), disrupted()] {
        let end = history.step(Scenario::Restart, Phase::End);
        history.step(Scenario::Roll, Phase::Begin);
        ["mysql-1", "mysql-2"].into_iter().for_each(|pod| barrier(&mut history, pod, "1"));
        assert_eq!(rests(&history), [end]);
    }
}

#[test]
fn the_next_disruption_may_begin_before_rest_does() {
    let mut history = recovered();
    barrier(&mut history, "mysql-1", "1");
    let next = history.fault(Act::RestartDns);
    // The first two barriers are the recovery from the second disruption.
    let told = ["mysql-2", "mysql-1", "mysql-1", "mysql-2"].map(|pod| {
        barrier(&mut history, pod, "1");
        last(&history)
    });
    history.fault(Act::StopLedger);
    assert_eq!(rests(&history), [next, told[3]]);
    let recoveries = measures(&history).disruptions.into_iter().map(|it| it.recovered.map(|mark| mark.seq));
    assert_eq!(recoveries.collect::<Vec<_>>(), [Some(next - 2), Some(told[1])]);
}

/// The witness hands over a write and a lag sample for each of these times of the log.
fn looked_and_wrote(history: &mut History, at: &[u64]) {
    let entry = |(id, &at_us): (u64, &u64)| Entry {
        id,
        sent_us: at_us,
        ended_us: at_us,
        outcome: WriteOutcome::Acknowledged,
        semi_sync: Some(true),
    };
    let look = |&at_us: &u64| Lag { pod: "mysql-1".into(), at_us, behind_us: Some(0) };
    let (writes, lags) = ((1..).zip(at).map(entry).collect(), at.iter().map(look).collect());
    let now_us = history.records.last().map_or(0, |last| last.at_us) + 1_000;
    history.push(What::Entries(Entries { now_us, writes, lags, ..Entries::default() }));
}

/// How many writes and samples were at rest.
fn at_rest(history: &History) -> (Waited, usize) {
    let ledger = measures(history).ledger.expect("a ledger");
    (ledger.waited_at_rest, ledger.lag_at_rest.first().map_or(0, |it| it.lag.looks))
}

#[test]
fn looks_and_writes_between_the_recovery_and_rest_do_not_count() {
    let mut history = recovered();
    let recovered_us = history.records.last().map_or(0, |last| last.at_us);
    ["mysql-1", "mysql-2"].into_iter().for_each(|pod| barrier(&mut history, pod, "1"));
    let rest_us = history.records.last().map_or(0, |last| last.at_us);
    looked_and_wrote(&mut history, &[1, recovered_us + 1, rest_us - 1, rest_us, rest_us + 1, rest_us + 2]);
    assert_eq!(at_rest(&history), (Waited { acknowledged: 3, waited: 3 }, 3));
    let impact = measures(&history).disruptions.remove(0).impact.expect("writes");
    assert_eq!((impact.writes.acknowledged, impact.lag), (0, None));
}

/// An event of a random run.
#[derive(Debug, Clone)]
enum Happening {
    Disrupted,
    Barrier { pod: usize, reached: bool, took_us: u64 },
    Step(Phase),
}

fn happening() -> impl Strategy<Value = Happening> {
    let barrier = (0..2_usize, prop::bool::weighted(0.9), 0..20_000_u64)
        .prop_map(|(pod, reached, took_us)| Happening::Barrier { pod, reached, took_us });
    prop_oneof![
        2 => Just(Happening::Disrupted),
        9 => barrier,
        1 => prop_oneof![Just(Phase::Begin), Just(Phase::End)].prop_map(Happening::Step),
    ]
}

impl Happening {
    fn tell(&self, history: &mut History) -> u64 {
        match self {
            Self::Disrupted => drop(history.fault(Act::RestartDns)),
            Self::Step(phase) => drop(history.step(Scenario::Restart, phase.clone())),
            Self::Barrier { pod, reached, took_us } => {
                barrier(history, ["mysql-1", "mysql-2"][*pod], if *reached { "1" } else { "0" });
                asked_earlier(history, *took_us);
            }
        }
        history.records.last().map_or(0, |last| last.at_us)
    }
}

/// Where both replicas have reached barriers that were asked for after this event.
fn caught_up(told: &[(u64, Happening)], since: usize) -> Option<usize> {
    let since_us = told[since].0;
    let first = |replica: usize| {
        (since + 1..told.len()).find(|&place| {
            let (at_us, happening) = &told[place];
            matches!(happening, Happening::Barrier { pod, reached: true, took_us }
                if *pod == replica && at_us.saturating_sub(*took_us) >= since_us)
        })
    };
    Some(first(0)?.max(first(1)?))
}

/// Whether the workload is at rest at a time, by the last disruption before it and the events since then.
fn rests_at(told: &[(u64, Happening)], us: u64) -> bool {
    let before = told.iter().rposition(|(at_us, it)| *at_us <= us && matches!(it, Happening::Disrupted));
    let Some(disrupted) = before else { return true };
    let ended = (disrupted + 1..told.len()).find(|&place| matches!(told[place].1, Happening::Step(_)));
    let settled = caught_up(told, disrupted).and_then(|recovered| caught_up(told, recovered));
    ended.into_iter().chain(settled).min().is_some_and(|rest| told[rest].0 < us)
}

proptest! {
    #[test]
    fn what_is_at_rest_is_what_asking_of_each_time_by_itself_finds(
        happenings in prop::collection::vec((0_u64..15, happening()), 1..40),
    ) {
        let mut history = disrupted();
        history.records.pop();
        let mut told = Vec::new();
        for (wait_ms, happening) in happenings {
            history.pass_ms(wait_ms);
            told.push((happening.tell(&mut history), happening));
        }
        let (first, last) = (told[0].0, told[told.len() - 1].0);
        let times: Vec<u64> = (first - 1_000..=last + 1_000).step_by(500).collect();
        looked_and_wrote(&mut history, &times);
        let expected = times.iter().filter(|us| rests_at(&told, **us)).count();
        let waited = Waited { acknowledged: expected as u64, waited: expected as u64 };
        prop_assert_eq!(at_rest(&history), (waited, expected));
    }
}
