//! Measures of hand-made runs, and of random runs compared with slower computations.

mod bounds;
mod proved;
mod rest;
mod slept;

use proptest::prelude::*;

use super::{Measures, Outage, Outcomes, longest_outage_ever, longest_outages};
use crate::CaseFile;
use crate::case::Case;
use crate::evidence::{Act, Checkpoint, Entries, Entry, Evidence, Lag, Phase, Question, Scenario, What, WriteOutcome};
use crate::history::History;

fn measures_of(evidence: &Evidence) -> Option<Measures> {
    CaseFile::of(evidence).map(|file| file.measures().clone())
}

fn measures(history: &History) -> Measures {
    measures_of(&history.evidence()).expect("a run that started")
}

fn titles(measures: &Measures) -> Vec<String> {
    measures.disruptions.iter().map(|it| it.title()).collect()
}

#[test]
fn acts_are_one_disruption_until_every_replica_has_caught_up() {
    insta::assert_snapshot!(titles(&measures(&History::good())).join("\n"), @"
    restart: delete mysql-2
    restart: delete mysql-1
    restart: delete mysql-0
    unready: hold mysql-1 un-Ready, delete mysql-0, release mysql-1
    server-kill: kill the server in mysql-0
    delete-all: delete every pod at once
    scale: scale from 3 to 1 … release mysql-0 (4 acts)
    grow: scale from 3 to 4
    grow: scale from 4 to 3
    roll: update the pods from index 2 on … delete mysql-2 (6 acts)
    drain: drain worker, uncordon worker
    node-pause: pause worker, unpause worker
    node-stop: stop worker, start worker
    power-cut: cut the power of worker, restore the power of worker
    power-cut: cut the power of worker, restore the power of worker
    dns-replace: replace the DNS servers
    apiserver-kill: kill the API server
    claims: scale from 3 to 2, scale from 2 to 3
    ");
}

#[test]
fn what_is_done_within_a_scenario_does_not_end_a_disruption() {
    let uncordon = |what: &What| matches!(what, What::Fault(fault) if matches!(fault.act, Act::Uncordon { .. }));
    let within = History::good().preceded(uncordon, |history| {
        history.step_within(Scenario::Drain, "wait for the pods", Phase::End);
    });
    assert_eq!(titles(&measures(&within)), titles(&measures(&History::good())));
}

#[test]
fn a_good_run_is_recovered_from_and_written_to() {
    let measures = measures(&History::good());
    let told: Vec<String> = measures
        .disruptions
        .iter()
        .map(|it| {
            let (impact, ms) = (it.impact.as_ref().expect("writes"), |us: Option<u64>| {
                us.map_or("-".into(), |us| (us / 1000).to_string())
            });
            let out = impact.longest_outage.map(|outage| outage.us());
            format!("{} {} {} {}", it.scenario.expect("a scenario"), ms(it.ready_us()), ms(it.recovery_us()), ms(out))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    restart 2305 2624 4
    restart 2305 2624 4
    restart 2305 2624 2504
    unready 1101 1105 2504
    server-kill 2702 2708 2504
    delete-all 6915 6919 2504
    scale 4107 4179 2504
    grow - 1511 4
    grow - 807 4
    roll 6915 6921 2504
    drain 2204 2208 2504
    node-pause - 705 4
    node-stop - 706 4
    power-cut 5010 5013 2004
    power-cut 5010 5013 2004
    dns-replace - 705 2004
    apiserver-kill - 705 4
    claims 1505 1512 4
    ");
    let overall = measures.ledger.expect("a ledger");
    insta::assert_snapshot!(format!("{:?} {:.2}", overall.writes, overall.per_second), @"Outcomes { acknowledged: 137, rejected: 0, unknown: 40 } 1.56");
    let lag: Vec<_> = overall.lag_at_rest.iter().map(|it| (it.pod.as_str(), it.lag.p50_us, it.lag.max_us)).collect();
    assert_eq!(lag, [("mysql-1", 2_000, 2_000), ("mysql-2", 2_001, 2_001)]);
}

#[test]
fn a_run_without_a_ledger_has_recoveries_alone() {
    let measures = measures(&History::good().without(|what| matches!(what, What::Entries(_))));
    assert_eq!(measures.ledger, None);
    assert!(measures.disruptions.iter().all(|it| it.impact.is_none()));
    assert!(measures.disruptions.iter().all(|it| it.recovered.is_some()));
}

#[test]
fn evidence_without_a_run_has_no_measures() {
    assert_eq!(measures_of(&Evidence::new(Vec::new())), None);
}

/// A run with a disruption.
fn disrupted() -> History {
    let mut history = History::of(3);
    history.step(Scenario::Restart, Phase::Begin);
    for pod in history.pod_names() {
        history.starts(&pod);
    }
    history.fault(Act::RestartDns);
    history
}

fn barrier(history: &mut History, pod: &str, reached: &str) {
    let columns = [("gtid_set", "3e11fa47-71ca-11e1-9e33-c80aa9429560:1"), ("reached", reached)];
    history.sql_row(&Checkpoint::Replicating, pod, Question::Barrier, columns);
}

#[test]
fn a_disruption_is_recovered_from_at_the_last_replicas_barrier() {
    let mut history = disrupted();
    let recovered = |history: &History| measures(history).disruptions[0].recovery_us();
    history.pass_ms(9);
    barrier(&mut history, "mysql-1", "1");
    barrier(&mut history, "mysql-2", "0");
    assert_eq!(recovered(&history), None);
    barrier(&mut history, "mysql-2", "1");
    assert_eq!(recovered(&history), Some(12_000));
    barrier(&mut history, "mysql-2", "1");
    assert_eq!(recovered(&history), Some(12_000));
    assert_eq!(measures(&history).disruptions.len(), 1);
}

#[test]
fn a_barrier_that_was_asked_for_before_the_last_act_says_nothing_of_it() {
    let mut history = disrupted();
    for pod in ["mysql-1", "mysql-2"] {
        barrier(&mut history, pod, "1");
    }
    let late = |took_us: u64| {
        let mut history = history.clone();
        let last = history.records.last_mut().expect("a barrier");
        let What::Sql(sql) = &mut last.what else { panic!("a barrier") };
        sql.took_us = took_us;
        measures(&history).disruptions[0].recovered.is_some()
    };
    assert_eq!([2_000, 2_001].map(late), [true, false]);
}

#[test]
fn what_heals_opens_no_disruption_and_what_is_no_disruption_joins_none() {
    let mut history = disrupted();
    history.fault(Act::StopLedger);
    history.fault(Act::Uncordon { node: "worker".into() });
    assert_eq!(titles(&measures(&history)), ["restart: replace the DNS servers, uncordon worker"]);
    for pod in ["mysql-1", "mysql-2"] {
        barrier(&mut history, pod, "1");
    }
    history.fault(Act::Uncordon { node: "worker".into() });
    assert_eq!(measures(&history).disruptions.len(), 1);
}

#[test]
fn a_disruption_is_over_with_its_scenario() {
    let mut history = disrupted();
    let end = history.step(Scenario::Restart, Phase::Failed("no time left".into()));
    history.step(Scenario::Roll, Phase::Begin);
    history.fault(Act::BreakTemplate);
    let found = measures(&history).disruptions;
    assert_eq!(
        found.iter().map(|it| (it.scenario.expect("a scenario"), it.until.seq)).collect::<Vec<_>>(),
        [(Scenario::Restart, end), (Scenario::Roll, end + 2)]
    );
}

#[test]
fn pods_are_ready_when_the_last_of_them_is_and_none_is_not() {
    let mut history = disrupted();
    let ready = |history: &History| measures(history).disruptions[0].ready_us();
    assert_eq!(ready(&history), None);
    history.unready("mysql-1");
    assert_eq!(ready(&history), None);
    history.pass_ms(5);
    history.ready("mysql-1");
    assert_eq!(ready(&history), Some(7_000));
}

/// A write: when it was sent and when it ended by the witness's clock, and whether it was acknowledged.
type Sent = (u64, u64, bool);

fn handed_over(history: &mut History, sent: &[Sent], now_us: u64) {
    let entry = |(id, (sent_us, ended_us, acknowledged)): (u64, &Sent)| {
        let unknown = WriteOutcome::Unknown("timed out".into());
        let outcome = if *acknowledged { WriteOutcome::Acknowledged } else { unknown };
        Entry { id, sent_us: *sent_us, ended_us: *ended_us, outcome, semi_sync: Some(*acknowledged) }
    };
    let writes = (1..).zip(sent).map(entry).collect();
    history.push(What::Entries(Entries { now_us, writes, ..Entries::default() }));
}

/// The longest outage of a run that has only these writes.
fn longest(sent: &[Sent]) -> Option<Outage> {
    let mut history = History::of(3);
    // The record is at 2 ms of the log.
    handed_over(&mut history, sent, 2_000);
    measures(&history).ledger.expect("a ledger").longest_outage
}

#[test]
fn an_outage_lasts_from_the_first_write_that_waits_to_the_next_acknowledgement() {
    let outage = |from_us, to_us| Some(Outage { from_us, to_us, least_us: to_us - from_us, most_us: to_us - from_us });
    assert_eq!(longest(&[(10, 12, true), (20, 25, false), (40, 44, true)]), outage(20, 44));
    // A pause, in which the ledger does not want to write, is no outage.
    assert_eq!(longest(&[(10, 12, true), (20, 25, true), (900, 903, true)]), outage(20, 25));
    // A write that was sent before the last acknowledgement waits only from that acknowledgement on.
    assert_eq!(longest(&[(10, 12, true), (5, 60, true)]), outage(12, 60));
    // The last outage ends with the last attempt.
    assert_eq!(longest(&[(10, 12, true), (20, 90, false)]), outage(20, 90));
    assert_eq!(longest(&[(10, 90, false)]), outage(10, 90));
}

#[test]
fn the_witness_is_read_by_the_clock_of_the_log_as_it_was_delayed_least() {
    let mut history = History::of(3);
    history.pass_ms(10);
    handed_over(&mut history, &[(1_000_500, 1_000_900, true)], 1_001_000);
    history.pass_ms(50);
    let lag = Lag { pod: "mysql-1".into(), at_us: 1_001_500, behind_us: Some(7) };
    history.push(What::Entries(Entries { now_us: 1_002_000, lags: vec![lag], ..Entries::default() }));
    let overall = measures(&history).ledger.expect("a ledger");
    // The first record arrived at 12 ms, when the witness's clock showed 1 001 ms.
    assert_eq!(overall.longest_outage, Some(Outage { from_us: 11_500, to_us: 11_900, least_us: 400, most_us: 400 }));
    assert_eq!((overall.semi_sync, overall.lag_at_rest[0].lag.max_us), (1, 7));
}

#[test]
fn looks_that_were_not_answered_are_counted_apart() {
    let mut history = History::of(3);
    let lags = (1..=100).map(|at_us| Lag { pod: "mysql-1".into(), at_us, behind_us: Some(at_us * 10) });
    let silent = Lag { pod: "mysql-1".into(), at_us: 101, behind_us: None };
    let lags = lags.rev().chain([silent]).collect();
    let writes = vec![Entry { id: 1, sent_us: 1, ended_us: 2, outcome: WriteOutcome::Acknowledged, semi_sync: None }];
    history.push(What::Entries(Entries { now_us: 2_000, writes, lags, ..Entries::default() }));
    let lag = measures(&history).ledger.expect("a ledger").lag_at_rest[0].lag;
    assert_eq!((lag.looks, lag.unanswered), (100, 1));
    assert_eq!((lag.p50_us, lag.p99_us, lag.max_us, lag.max_in), (500, 990, 1_000, 2));
}

/// A run with these writes and with disruptions of these waits and recovery times.
fn with_disruptions(windows: &[(u64, u64)], sent: &[Sent]) -> History {
    let mut history = disrupted();
    history.records.pop();
    for (wait_ms, recovery_ms) in windows {
        history.pass_ms(*wait_ms);
        history.fault(Act::RestartDns);
        history.pass_ms(*recovery_ms);
        for pod in ["mysql-1", "mysql-2"] {
            barrier(&mut history, pod, "1");
        }
    }
    let now_us = history.records.last().map_or(0, |last| last.at_us) + 1_000;
    handed_over(&mut history, sent, now_us);
    history
}

proptest! {
    #[test]
    fn tolls_are_what_going_through_all_writes_for_each_disruption_finds(
        windows in prop::collection::vec((1_u64..40, 1_u64..40), 0..6),
        sent in prop::collection::vec((0_u64..300_000, 0_u64..60_000, any::<bool>()), 1..60),
    ) {
        let base = disrupted().records.last().map_or(0, |last| last.at_us);
        let sent: Vec<Sent> = sent.into_iter().map(|(at, took, ok)| (base + at, base + at + took, ok)).collect();
        let measures = measures(&with_disruptions(&windows, &sent));
        prop_assert_eq!(measures.disruptions.len(), windows.len());
        let (first, last) = (sent.iter().map(|it| it.0).min(), sent.iter().map(|it| it.1).max());
        for disruption in &measures.disruptions {
            let (from, to) = disruption.window_us();
            let ended = |ok: bool| sent.iter().filter(|it| (from..=to).contains(&it.1) && it.2 == ok).count() as u64;
            match &disruption.impact {
                None => prop_assert!(first > Some(to) || last < Some(from)),
                Some(impact) => {
                    let (acknowledged, unknown) = (ended(true), ended(false));
                    prop_assert_eq!(impact.writes, Outcomes { acknowledged, rejected: 0, unknown });
                    prop_assert_eq!(impact.longest_outage.map(|it| it.us()), slowly(&sent, from, to));
                }
            }
        }
    }
}

/// The longest outage that overlaps a window, computed slowly: each acknowledgement, and the last attempt, with the
/// acknowledgement before it.
fn slowly(sent: &[Sent], from: u64, to: u64) -> Option<u64> {
    let mut sent = sent.to_vec();
    sent.sort_by_key(|it| it.1);
    let ends = (0..sent.len()).filter(|&place| sent[place].2 || place + 1 == sent.len());
    let stretch = |end: usize| {
        let before = (0..end).rev().find(|&place| sent[place].2);
        let wanted = sent[before.map_or(0, |before| before + 1)..=end].iter().map(|it| it.0).min().unwrap_or(0);
        (wanted.max(before.map_or(0, |before| sent[before].1)), sent[end].1)
    };
    ends.map(stretch).filter(|(begun, over)| *begun <= to && *over >= from).map(|(begun, over)| over - begun).max()
}

#[test]
fn an_outage_before_the_log_began_counts_for_the_whole_and_for_no_window() {
    let mut history = History::of(3);
    // The witness has been writing for a minute when the log is two milliseconds old.
    let (begin, last) = (1_000_000, 60_000_000);
    let mut sent = vec![(begin, begin + 10, true), (begin + 20, begin + 9_000, true)];
    sent.extend((2..60).map(|second| (second * 1_000_000, second * 1_000_000 + 5, true)));
    sent.push((last, last + 5, true));
    handed_over(&mut history, &sent, last + 5);
    let evidence = history.evidence();
    let case = Case::of(&evidence).expect("a run");
    assert_eq!(longest_outage_ever(&case), Some(8_980));
    assert_eq!(longest_outages(&case, &[(2_000, 3_000), (50_000, 60_000)]), [Some(5), None]);
    // Nothing is known of a minute if the ledger paused for half of it.
    for (rest, known) in [(28, true), (31, false)] {
        let mut history = History::of(3);
        let rested = sent.iter().copied().filter(|(begun, ..)| !(10..10 + rest).contains(&(begun / 1_000_000)));
        handed_over(&mut history, &rested.collect::<Vec<_>>(), last + 5);
        let evidence = history.evidence();
        let case = Case::of(&evidence).expect("a run");
        assert_eq!(longest_outage_ever(&case).is_some(), known, "{rest}");
    }
    let silent = History::of(3).evidence();
    let case = Case::of(&silent).expect("a run");
    assert_eq!((longest_outage_ever(&case), longest_outages(&case, &[(0, 1)])), (None, vec![None]));
}
