//! What proves a disruption, its recovery, and that there was no outage.

use super::*;
use crate::measure::writes::Writes;

proptest! {
    #[test]
    fn how_long_nobody_wanted_to_write_is_what_asking_of_each_moment_finds(
        sent in prop::collection::vec((0_u64..300, 1_u64..40), 1..12),
        from in 0_u64..300,
        length in 0_u64..200,
    ) {
        let sent: Vec<Sent> = sent.into_iter().map(|(at, took)| (at, at + took, true)).collect();
        let mut history = History::of(3);
        // The record is at 2 ms of the log.
        handed_over(&mut history, &sent, 2_000);
        let evidence = history.evidence();
        let writes = Writes::of(&Case::of(&evidence).expect("a run")).expect("writes");
        let wanted = |us: u64| sent.iter().any(|(begun, over, _)| (*begun..*over).contains(&us));
        let (mut longest, mut idle) = (0, 0);
        for us in from..from + length {
            idle = if wanted(us) { 0 } else { idle + 1 };
            longest = longest.max(idle);
        }
        prop_assert_eq!(writes.wanted.idle_us(from, from + length), longest);
    }
}

/// The reported pause of a run with one disruption of this length and a write every hundred milliseconds, except for a
/// pause in its middle.
fn unwritten_for(lasts_ms: u64, idle_ms: u64) -> Option<u64> {
    let base_us = disrupted().records.last().map_or(0, |last| last.at_us);
    let (middle, half) = (base_us + lasts_ms * 500, idle_ms * 500);
    let times = (0..lasts_ms + 2_000).step_by(100).map(|ms| base_us + ms * 1_000);
    let written = times.filter(|us| *us + 1_000 <= middle - half || *us >= middle + half);
    let mut sent: Vec<Sent> = written.map(|us| (us, us + 1_000, true)).collect();
    sent.extend([(middle - half - 1_000, middle - half, true), (middle + half, middle + half + 1_000, true)]);
    let mut history = disrupted();
    let started = Act::StartLedger { writers: 2, per_second: 5 };
    history.records.pop();
    history.fault(started);
    history.fault(Act::RestartDns);
    history.pass_ms(lasts_ms);
    ["mysql-1", "mysql-2"].into_iter().for_each(|pod| barrier(&mut history, pod, "1"));
    history.pass_ms(2_000);
    let now_us = history.records.last().map_or(0, |last| last.at_us) + 2_001_000;
    handed_over(&mut history, &sent, now_us);
    measures(&history).disruptions[0].impact.as_ref().expect("writes").unwritten_us
}

#[test]
fn nobody_may_want_to_write_for_half_of_a_disruption_and_a_second_to_five() {
    // The bound also has an interval of the ledger, which is a tenth of a second.
    for (lasts_ms, most_ms) in [(1_500, 1_100), (4_000, 2_100), (20_000, 5_100), (60_000, 5_100)] {
        assert_eq!(unwritten_for(lasts_ms, most_ms - 10), None, "{lasts_ms}");
        assert_eq!(unwritten_for(lasts_ms, most_ms + 10), Some((most_ms + 10) * 1_000), "{lasts_ms}");
    }
}

#[test]
fn the_ledger_may_rest_while_servers_are_compared() {
    let mut history = disrupted();
    history.pass_ms(20_000);
    let set = [("gtid_executed", "3e11fa47-71ca-11e1-9e33-c80aa9429560:1")];
    history.sql_row(&Checkpoint::Replicating, "mysql-0", Question::GtidExecuted, set);
    let compared_us = history.records.last().map_or(0, |last| last.at_us);
    history.pass_ms(30_000);
    ["mysql-1", "mysql-2"].into_iter().for_each(|pod| barrier(&mut history, pod, "1"));
    let now_us = history.records.last().map_or(0, |last| last.at_us) + 1_000;
    let written =
        |until_us: u64| -> Vec<Sent> { (0..until_us).step_by(50_000).map(|us| (us, us + 1_000, true)).collect() };
    let impact = |sent: &[Sent]| {
        let mut history = history.clone();
        let last = (now_us, now_us, true);
        handed_over(&mut history, &[sent, &[last]].concat(), now_us);
        measures(&history).disruptions[0].impact.clone().expect("writes")
    };
    assert_eq!(impact(&written(compared_us)).unwritten_us, None);
    // The pause must not begin before that.
    assert!(impact(&written(compared_us - 7_000_000)).unwritten_us.is_some_and(|us| us > 6_900_000));
}

#[test]
fn an_act_is_proved_by_records_that_show_it() {
    let mut history = disrupted();
    let proved = |history: &History| measures(history).disruptions[0].acts[0].proved;
    assert!(!proved(&history));
    let asked = history.records.last().map_or(0, |last| last.seq);
    let mut shown = history.clone();
    history.proved(Act::RestartDns, asked);
    assert!(!proved(&history), "that it was asked for is no proof");
    let servers = shown.new_dns_servers(["coredns-c", "coredns-d"]);
    shown.proved(Act::RestartDns, servers);
    assert!(proved(&shown));
}

#[test]
fn a_barrier_that_proves_nothing_recovers_from_nothing() {
    for set in ["", "3e11fa47-71ca-11e1-9e33-c80aa9429561:1"] {
        let mut history = disrupted();
        barrier(&mut history, "mysql-1", "1");
        let columns = [("gtid_set", set), ("reached", "1")];
        history.sql_row(&Checkpoint::Replicating, "mysql-2", Question::Barrier, columns);
        assert_eq!(measures(&history).disruptions[0].recovered, None, "`{set}`");
        barrier(&mut history, "mysql-2", "1");
        assert!(measures(&history).disruptions[0].recovered.is_some());
    }
}
