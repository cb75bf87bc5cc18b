//! Times and samples that are exactly at a bound.

use super::*;

#[test]
fn looks_in_a_disruption_are_those_from_its_first_act_to_its_recovery() {
    let mut history = disrupted();
    history.pass_ms(9);
    ["mysql-1", "mysql-2"].into_iter().for_each(|pod| barrier(&mut history, pod, "1"));
    let (from_us, to_us) = measures(&history).disruptions[0].window_us();
    let look = |at_us: u64| Lag { pod: "mysql-1".into(), at_us, behind_us: Some(7) };
    let lags = [from_us - 1, from_us, to_us, to_us + 1].map(look).into();
    let (sent_us, outcome) = (from_us, WriteOutcome::Acknowledged);
    let writes = vec![Entry { id: 1, sent_us, ended_us: sent_us + 1, outcome, semi_sync: None }];
    let now_us = to_us + 1_000;
    history.push(What::Entries(Entries { now_us, writes, lags, ..Entries::default() }));
    let lag = measures(&history).disruptions[0].impact.as_ref().and_then(|impact| impact.lag);
    assert_eq!(lag.map(|lag| (lag.looks, lag.max_us)), Some((2, 7)));
}

#[test]
fn a_look_is_late_beyond_the_budget_alone() {
    let mut history = History::of(3);
    let look = |behind_us: u64| Lag { pod: "mysql-1".into(), at_us: 1, behind_us: Some(behind_us) };
    let lags = [999_999, 1_000_000, 1_000_001].map(look).into();
    let writes = vec![Entry { id: 1, sent_us: 1, ended_us: 2, outcome: WriteOutcome::Acknowledged, semi_sync: None }];
    history.push(What::Entries(Entries { now_us: 2_000, writes, lags, ..Entries::default() }));
    assert_eq!(measures(&history).ledger.expect("a ledger").lag_at_rest[0].silence.late, 1);
}

#[test]
fn a_ledger_that_rested_beyond_ten_seconds_and_half_of_the_time_tells_nothing() {
    let longest = |sent: &[Sent]| {
        let mut history = History::of(3);
        handed_over(&mut history, sent, 2_000);
        let evidence = history.evidence();
        longest_outage_ever(&Case::of(&evidence).expect("a run"))
    };
    // A pause of more than half: for ten seconds, and for more.
    assert_eq!(longest(&[(0, 1_000, true), (10_001_000, 10_002_000, true)]), Some(1_000));
    assert_eq!(longest(&[(0, 1_000, true), (10_001_001, 10_002_001, true)]), None);
    // A pause of more than ten seconds: for half, and for more.
    assert_eq!(longest(&[(0, 1_000, true), (12_001_000, 24_000_000, true)]), Some(11_999_000));
    assert_eq!(longest(&[(0, 1_000, true), (12_001_001, 24_000_000, true)]), None);
}
