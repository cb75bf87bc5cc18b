//! How far a log's clock is ahead of the witness's, stretch by stretch.

use super::{Doubt, Kind, STEP_US};
use crate::record::{Record, What};

/// The stretches in which both clocks run alike. There is none if the witness handed over nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Parted {
    stretches: Vec<Stretch>,
    /// The steps between neighbouring stretches.
    steps: Vec<Step>,
}

/// Readings of the witness's clock that agree on how far the log's is ahead.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: usize,
    at_least: i128,
    /// The upper bound: the difference with the least delay, by which times are converted.
    ahead: i128,
}

/// The time in which the clocks came apart, bounded by two readings.
#[derive(Debug, Clone, Copy)]
struct Step {
    from: Reading,
    to: Reading,
}

/// What the witness's clock showed when it handed something over.
#[derive(Debug, Clone, Copy)]
struct Reading {
    seq: u64,
    /// A time before the reading: when the harness asked for the entries, or when it had recorded the batch before.
    after_us: u64,
    at_us: u64,
    now_us: u64,
}

impl Reading {
    fn at_least(&self) -> i128 {
        i128::from(self.after_us) - i128::from(self.now_us)
    }

    fn at_most(&self) -> i128 {
        i128::from(self.at_us) - i128::from(self.now_us)
    }

    fn agrees(&self, with: &Stretch) -> bool {
        self.at_least() <= with.ahead && with.at_least <= self.at_most()
    }
}

impl Parted {
    pub(super) fn of(records: &[Record]) -> Self {
        let mut readings: Vec<Reading> = Vec::new();
        for record in records {
            if let What::Entries(entries) = &record.what {
                let before_us = readings.last().map_or(0, |last| last.at_us);
                let after_us = entries.asked_us.unwrap_or(0).max(before_us).min(record.at_us);
                readings.push(Reading { seq: record.seq, after_us, at_us: record.at_us, now_us: entries.now_us });
            }
        }
        let mut stretches: Vec<Stretch> = Vec::new();
        for (place, reading) in readings.iter().enumerate() {
            let (at_least, ahead) = (reading.at_least(), reading.at_most());
            match stretches.last_mut() {
                Some(last) if reading.agrees(last) => {
                    (last.at_least, last.ahead) = (last.at_least.max(at_least), last.ahead.min(ahead));
                }
                _ => stretches.push(Stretch { first: place, at_least, ahead }),
            }
        }
        let steps = stretches.windows(2).map(|pair| Step::between(&readings, &pair[0], &pair[1])).collect();
        Self { stretches, steps }
    }

    /// The steps that are larger than the drift of two clocks.
    pub(super) fn doubts(&self) -> Vec<Doubt> {
        let pairs = self.stretches.windows(2).zip(&self.steps);
        let doubts = pairs.filter_map(|(pair, Step { from, to })| {
            let by_us = i64::try_from(pair[1].ahead - pair[0].ahead).unwrap_or(i64::MAX);
            let kind = (by_us.unsigned_abs() > STEP_US).then_some(Kind::Parted(by_us))?;
            Some(Doubt { from_us: from.at_us, to_us: to.at_us, seqs: vec![from.seq, to.seq], kind })
        });
        doubts.collect()
    }

    /// The earliest and the latest time on the log's clock that a time of the witness can be.
    pub(super) fn bounds(&self, witness_us: u64) -> (u64, u64) {
        let (early, late) = self.moved(witness_us);
        (clamped(early), clamped(late))
    }

    /// The longest time on the log's clock between two times of the witness, in microseconds.
    pub(super) fn between(&self, from_us: u64, to_us: u64) -> i64 {
        let told = self.moved(to_us).1 - self.moved(from_us).0;
        i64::try_from(told).unwrap_or(if told < 0 { i64::MIN } else { i64::MAX })
    }

    fn moved(&self, witness_us: u64) -> (i128, i128) {
        let us = i128::from(witness_us);
        let passed = self.steps.partition_point(|step| step.to.now_us <= witness_us);
        let Some(before) = self.stretches.get(passed) else { return (us, us) };
        let by_it = us + before.ahead;
        match self.steps.get(passed).filter(|step| step.from.now_us < witness_us) {
            None => (by_it, by_it),
            // The time is before or after the step, but neither before the one reading nor after the other.
            Some(Step { from, to }) => {
                let after = self.stretches[passed + 1].ahead;
                let one = by_it.min(i128::from(to.now_us) + after);
                let other = (us + after).max(i128::from(from.now_us) + before.ahead);
                (one.min(other), one.max(other))
            }
        }
    }
}

impl Step {
    /// The step lies between the last reading that does not fit the stretch after it and the first one that does.
    fn between(readings: &[Reading], before: &Stretch, after: &Stretch) -> Self {
        let to = readings[after.first];
        let knows_nothing = readings[before.first..after.first].iter().rfind(|reading| !reading.agrees(after));
        Self { from: knows_nothing.copied().unwrap_or(readings[before.first]), to }
    }
}

fn clamped(us: i128) -> u64 {
    u64::try_from(us.max(0)).unwrap_or(u64::MAX)
}
