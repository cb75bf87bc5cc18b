//! Clocks that run alike, clocks that come apart, and durations despite both.

use proptest::prelude::*;

use super::*;
use crate::entries::Entries;

const MINUTES_US: u64 = 600_000_000;

fn record(seq: u64, at_us: u64, what: What) -> Record {
    Record { seq, at_us, wall: jiff::Timestamp::UNIX_EPOCH, what }
}

/// Batches that the witness hands over: the log's time and the witness's own.
fn handed_over(readings: &[(u64, u64)]) -> Vec<Record> {
    let told = (1..).zip(readings).map(|(seq, (at_us, now_us))| {
        let (writes, lags, doubtful, lapses) = Default::default();
        record(
            seq,
            *at_us,
            What::Entries(Entries { now_us: *now_us, writes, lags, doubtful, lapses, asked_us: None, last: None }),
        )
    });
    told.collect()
}

fn lapsed(from_us: u64, to_us: u64, cause: Cause) -> Clocks {
    Clocks::of(&[record(7, to_us, What::Lapse(Lapse { from_us, to_us, cause }))])
}

/// A witness whose clock is a second ahead and is read every second for a minute, with 20 ms delay each. After half of
/// the minute one of the clocks advances by this much more than the other.
fn parted(log_us: u64, witness_us: u64) -> Clocks {
    let readings: Vec<(u64, u64)> = (1..=60_u64)
        .map(|second| {
            let (at_us, now_us) = (second * 1_000_000 + 20_000, (second + 1) * 1_000_000);
            if second > 30 { (at_us + log_us, now_us + witness_us) } else { (at_us, now_us) }
        })
        .collect();
    Clocks::of(&handed_over(&readings))
}

#[test]
fn clocks_that_go_alike_are_moved_by_what_was_delayed_least() {
    let readings = [(2_500_000, 3_000_000), (3_020_000, 4_000_000), (4_900_000, 5_000_000)];
    let clocks = Clocks::of(&handed_over(&readings));
    assert_eq!(clocks.doubts(), []);
    assert_eq!(clocks.bounds(4_000_000), (3_020_000, 3_020_000));
    assert_eq!(clocks.bounds(500_000), (0, 0));
    assert_eq!(Clocks::default().bounds(7), (7, 7));
}

#[test]
fn a_clock_that_did_not_count_a_sleep_is_noticed_wherever_it_is() {
    for (log_us, witness_us) in [(MINUTES_US, 0), (0, MINUTES_US)] {
        let clocks = parted(log_us, witness_us);
        let [doubt] = clocks.doubts() else { panic!("{:?}", clocks.doubts()) };
        // The sleep shows with the first reading after it or with the next one.
        assert!((30_000_000..=30_020_000).contains(&doubt.from_us), "{doubt}");
        assert!(doubt.to_us <= 32_020_000 + log_us, "{doubt}");
        assert!(doubt.to_string().contains("came apart by 600.0 s"), "{doubt}");
        // Times before and after the step are converted by the difference of their own stretch.
        assert_eq!(clocks.bounds(20_000_000), (19_020_000, 19_020_000));
        let late = 50_000_000 + witness_us;
        assert_eq!(clocks.bounds(late), (49_020_000 + log_us, 49_020_000 + log_us));
        // Times within the step are unknown, but never before or after both readings.
        let (early, late) = clocks.bounds(31_500_000);
        assert!(doubt.from_us <= early && early <= late && late <= doubt.to_us, "{early} {late} {doubt}");
    }
    assert_eq!(parted(MINUTES_US, MINUTES_US).doubts(), [], "who counts the same is of one mind");
}

#[test]
fn what_spans_a_step_is_as_long_as_the_log_says() {
    let between = |clocks: &Clocks, witness_us| clocks.between(29_000_000, 40_000_000 + witness_us);
    assert_eq!(between(&parted(MINUTES_US, 0), 0), 611_000_000);
    assert_eq!(between(&parted(0, MINUTES_US), MINUTES_US), 11_000_000);
}

#[test]
fn a_sleep_makes_nothing_shorter_and_nobody_late() {
    for cause in [Cause::Slept, Cause::StoodStill] {
        let clocks = lapsed(100_000_000, 700_000_000, cause);
        let lasted = |from_us, to_us| {
            let lasted = clocks.lasted(from_us, to_us);
            (lasted.least_us, lasted.most_us)
        };
        assert_eq!(lasted(90_000_000, 99_000_000), (9_000_000, 9_000_000));
        // Nobody knows the time of what was observed soon after the lapse.
        assert_eq!(lasted(90_000_000, 701_000_000), (10_000_000, 611_000_000));
        assert_eq!(lasted(701_000_000, 703_000_000), (0, 603_000_000));
        assert_eq!(lasted(90_000_000, 800_000_000), (105_000_000, 710_000_000));
        assert_eq!(lasted(706_000_000, 800_000_000), (94_000_000, 94_000_000));
        assert_eq!(clocks.earliest(701_000_000), 100_000_000);
        assert_eq!(clocks.earliest(100_000_000), 100_000_000);
        assert_eq!(clocks.earliest(705_000_001), 705_000_001);
        assert_eq!(clocks.earliest_answer(701_000_000), 100_000_000);
        assert_eq!(clocks.earliest_answer(701_000_001), 701_000_001);
        let long = clocks.lasted(90_000_000, 701_000_000);
        assert_eq!([5, 120, 700].map(|s| long.is_within(s * 1_000_000)), [Some(false), None, Some(true)]);
        assert_eq!(long.doubt.map(|doubt| doubt.seqs.clone()), Some(vec![7]));
    }
}

#[test]
fn a_machine_that_was_halted_hides_what_its_clock_did_not_count() {
    let lasted = |clocks: &Clocks, from_us, to_us| {
        let lasted = clocks.lasted(from_us, to_us);
        (lasted.least_us, lasted.most_us)
    };
    let ahead = lapsed(100_000_000, 101_000_000, Cause::WallJumped { by_us: 600_000_000 });
    assert_eq!(lasted(&ahead, 90_000_000, 110_000_000), (20_000_000, 620_000_000));
    let back = lapsed(100_000_000, 101_000_000, Cause::WallJumped { by_us: -600_000_000 });
    assert_eq!(lasted(&back, 90_000_000, 110_000_000), (20_000_000, 20_000_000));
    assert!([ahead, back].iter().all(|clocks| clocks.wall_jump(90_000_000, 110_000_000).is_some()));
    assert_eq!(lasted(&parted(0, MINUTES_US), 25_000_000, 35_000_000), (10_000_000, 610_000_000));
    assert_eq!(lasted(&parted(MINUTES_US, 0), 25_000_000, 635_000_000), (610_000_000, 610_000_000));
}

#[test]
fn the_witness_tells_of_its_own_lapses_by_its_own_clock() {
    let mut records = handed_over(&[(1_020_000, 2_000_000), (30_020_000, 31_000_000)]);
    let What::Entries(entries) = &mut records[1].what else { panic!("entries") };
    entries.lapses.push(Lapse { from_us: 11_000_000, to_us: 21_000_000, cause: Cause::StoodStill });
    let clocks = Clocks::of(&records);
    let [doubt] = clocks.doubts() else { panic!("{:?}", clocks.doubts()) };
    assert_eq!((doubt.from_us, doubt.to_us), (10_020_000, 20_020_000));
    insta::assert_snapshot!(doubt, @"the witness stood still between 10.0 s and 20.0 s (#2)");
    // The harness itself saw everything that arrived meanwhile.
    assert_eq!(clocks.earliest(20_000_000), 20_000_000);
}

proptest! {
    #[test]
    fn whatever_the_witness_tells_nothing_breaks_and_no_time_is_shorter(
        readings in prop::collection::vec((0..=u64::MAX / 2, any::<u64>()), 0..8),
        times in prop::collection::vec(any::<u64>(), 2),
    ) {
        let mut readings = readings;
        readings.sort_unstable();
        let clocks = Clocks::of(&handed_over(&readings));
        for us in &times {
            let (early, late) = clocks.bounds(*us);
            prop_assert!(early <= late);
        }
        let (from, to) = (times[0].min(times[1]), times[0].max(times[1]));
        let lasted = clocks.lasted(from, to);
        prop_assert!(lasted.least_us <= to - from && lasted.most_us >= to - from);
    }
}
