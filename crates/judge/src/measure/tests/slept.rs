//! Machines that slept: no outage and no lag becomes shorter, whichever clock counted the sleep.

use super::*;
use crate::evidence::{Cause, Clocks, Lapse, Record};

/// Which clock counted the sleep.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Counted {
    Log,
    Witness,
    /// Both clocks, and the harness reported it.
    Both,
}

/// A run in which a machine slept just before a record.
fn slept(records: &[Record], place: usize, us: u64, counted: Counted) -> Vec<Record> {
    let (clocks, at_us) = (Clocks::of(records), records[place].at_us);
    let mut records = records.to_vec();
    let (by_log, by_witness) = (counted != Counted::Witness, counted != Counted::Log);
    for record in &mut records[place..] {
        record.at_us += if by_log { us } else { 0 };
        let What::Entries(entries) = &mut record.what else { continue };
        if by_log {
            entries.asked_us = entries.asked_us.map(|asked_us| asked_us + us);
        }
        if by_witness {
            let after = |us: u64| clocks.bounds(us).0 >= at_us;
            entries.now_us += us;
            for write in entries.writes.iter_mut().filter(|write| after(write.sent_us)) {
                (write.sent_us, write.ended_us) = (write.sent_us + us, write.ended_us + us);
            }
            entries.lags.iter_mut().filter(|lag| after(lag.at_us)).for_each(|lag| lag.at_us += us);
        }
    }
    if counted == Counted::Both {
        let (to_us, last) = (records[place].at_us, records[records.len() - 1].clone());
        let lapse = Lapse { from_us: to_us - us, to_us, cause: Cause::Slept };
        // Proofs refer to records by number, so the lapse goes to the end.
        records.push(Record { seq: last.seq + 1, what: What::Lapse(lapse), ..last });
    }
    records
}

/// The records of a disruption's requests, its longest outage, and whether the ledger's writes make that known.
type Outages = (Vec<u64>, u64, bool);

/// The outages of each disruption.
fn outages(evidence: &Evidence) -> Vec<Outages> {
    let measures = super::measures_of(evidence).expect("a run that started");
    let told = |it: &crate::measure::Disruption| {
        let longest_us = it.impact.as_ref().and_then(|impact| impact.longest_outage).map_or(0, |outage| outage.us());
        let known = it.impact.as_ref().is_some_and(|impact| impact.unwritten_us.is_none());
        (it.acts.iter().map(|part| part.asked.seq).collect(), longest_us, known)
    };
    measures.disruptions.iter().map(told).collect()
}

/// Asserts that no outage is shorter than without the sleep, as far as outages are known, and returns the outages with
/// it. If a sleep makes a recovery uncertain, a disruption also has the acts of the next one.
fn none_is_shorter(was: &[Outages], records: &[Record], place: usize, (us, counted): (u64, Counted)) -> Vec<Outages> {
    let is = outages(&Evidence::new(slept(records, place, us, counted)));
    for (acts, was_us, known) in was.iter().filter(|(.., known)| *known) {
        let (_, is_us, known_still) = is.iter().find(|(all, ..)| all.contains(&acts[0])).expect("the same acts");
        assert!(
            is_us >= was_us || !known_still,
            "{counted:?} for {us} at {place}: {is_us} instead of {was_us} {known}"
        );
    }
    is
}

fn stored() -> Vec<Record> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/replay/seed-1.37.2.jsonl");
    Evidence::read(std::path::Path::new(path)).expect("a stored run").records
}

/// How far from a sleep it has no effect: the witness is read every second, and watches lag for some seconds.
const FAR_US: u64 = 10_000_000;

#[test]
fn ten_minutes_of_sleep_anywhere_in_a_stored_run_shorten_no_outage() {
    let records = stored();
    let evidence = Evidence::new(records.clone());
    let (was, measures) = (outages(&evidence), super::measures_of(&evidence).expect("a run that started"));
    for counted in [Counted::Log, Counted::Witness, Counted::Both] {
        for place in (2..records.len()).step_by(records.len() / 30) {
            let is = none_is_shorter(&was, &records, place, (600_000_000, counted));
            for (was, disruption) in was.iter().zip(&measures.disruptions) {
                let (from_us, to_us) = disruption.window_us();
                let slept_us = records[place].at_us;
                if to_us + FAR_US < slept_us || slept_us + FAR_US < from_us {
                    assert!(is.contains(was), "{counted:?} at {place}: {was:?} in {is:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_sleep_of_any_length_shortens_no_outage(place in 0.0..1.0_f64, power in 5..12_u32, by in 0..3_usize) {
        let records = History::good().records;
        let place = 2 + (place * (records.len() - 3) as f64) as usize;
        let was = outages(&Evidence::new(records.clone()));
        let counted = [Counted::Log, Counted::Witness, Counted::Both][by];
        none_is_shorter(&was, &records, place, (10_u64.pow(power), counted));
    }
}

#[test]
fn replicas_are_as_far_behind_as_the_clock_says_that_counted_more() {
    let mut history = History::of(3);
    for second in 1..=20_u64 {
        history.pass_ms(if second == 11 { 601_000 - 1 } else { 1_000 - 1 });
        let look = (second == 12).then_some(12_900_000).map(|at_us| Lag {
            pod: "mysql-1".into(),
            at_us,
            behind_us: Some(3_000_000),
        });
        let writes = vec![Entry {
            id: second,
            sent_us: second * 1_000_000 - 500,
            ended_us: second * 1_000_000 - 400,
            outcome: WriteOutcome::Acknowledged,
            semi_sync: None,
        }];
        let (now_us, lags) = (second * 1_000_000, look.into_iter().collect());
        history.push(What::Entries(Entries { now_us, writes, lags, ..Entries::default() }));
    }
    let lag = measures(&history).ledger.expect("a ledger").lag_at_rest[0].lag;
    assert!((600_000_000..=605_000_000).contains(&lag.max_us), "{}", lag.max_us);
}
