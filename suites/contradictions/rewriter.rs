//! Makes one history after the other of a run, and keeps what they have in common.

use steadfast::evidence::{Clocks, Evidence, Index, Record, Timeline, What};

use super::change::{Change, Made};

/// A copy of a run that histories are made of, one after the other. What a change leaves alone goes from one to the next:
/// to copy it each time would take longer than to judge.
pub struct Rewriter<'a> {
    run: &'a [Record],
    copy: Vec<Record>,
    /// Of each record that was handed out, its place in the run, where it has one and says what it says there.
    origins: Vec<Option<u64>>,
    /// What is found in the run, unless it was handed out.
    found: Option<(Timeline, Index)>,
    /// Whether it was.
    lent: bool,
}

impl<'a> Rewriter<'a> {
    /// A copy of this run.
    pub fn new(run: &'a [Record]) -> Self {
        Self { run, copy: Vec::new(), origins: Vec::new(), found: None, lent: false }
    }

    /// The changed history, numbered without a hole, and how many records were changed.
    pub fn made(&mut self, change: &Change) -> (Vec<Record>, usize) {
        let records = if self.copy.is_empty() { self.run.to_vec() } else { std::mem::take(&mut self.copy) };
        let made = change.make(records);
        let kept = |(origin, record): (&u64, &Record)| {
            let same = *origin > 0 && !made.said.has(*origin) && !matches!(record.what, What::Fault(_));
            same.then_some(*origin)
        };
        self.origins = made.origins.iter().zip(&made.records).map(kept).collect();
        self.lent = self.is_found_alike(&made);
        (made.records, made.changed)
    }

    /// Whether the same is found in a history as in its run: only answers are others, and states that were read.
    fn is_found_alike(&self, made: &Made) -> bool {
        let in_place =
            made.origins.len() == self.run.len() && made.origins.iter().copied().eq(1..=self.run.len() as u64);
        in_place
            && made.records.iter().zip(self.run).all(|(record, stored)| {
                record.at_us == stored.at_us
                    && (!made.said.has(stored.seq) || is_same_question(&record.what, &stored.what))
            })
    }

    /// The evidence of the records that it made last.
    pub fn evidence(&mut self, records: Vec<Record>) -> Evidence {
        if !self.lent {
            return Evidence::new(records);
        }
        let found = self.found.take().unwrap_or_else(|| (Timeline::of(self.run), Index::of(self.run)));
        // What the clocks say is in the entries, which are answers too.
        let clocks = Clocks::of(&records);
        Evidence { records, timeline: found.0, index: found.1, clocks }
    }

    /// Takes back what it made last.
    pub fn take_back(&mut self, evidence: Evidence) {
        let Evidence { records, timeline, index, .. } = evidence;
        if self.lent {
            self.found = Some((timeline, index));
        }
        let mut slots: Vec<Option<What>> = self.run.iter().map(|_| None).collect();
        for (origin, record) in self.origins.iter().zip(records) {
            if let Some(seq) = origin {
                slots[*seq as usize - 1] = Some(record.what);
            }
        }
        let whole = self.run.iter().zip(slots).map(|(stored, slot)| {
            let what = slot.unwrap_or_else(|| stored.what.clone());
            Record { seq: stored.seq, at_us: stored.at_us, wall: stored.wall, what }
        });
        self.copy = whole.collect();
    }
}

/// Whether two records differ in nothing by which they are found: neither a timeline nor an index looks at answers.
fn is_same_question(one: &What, other: &What) -> bool {
    match (one, other) {
        (What::Dns(one), What::Dns(other)) => (&one.name, &one.checkpoint) == (&other.name, &other.checkpoint),
        (What::Sql(one), What::Sql(other)) => {
            (&one.pod, one.question, &one.checkpoint) == (&other.pod, other.question, &other.checkpoint)
        }
        (What::Exec(one), What::Exec(other)) => one.pod == other.pod,
        (What::Entries(_), What::Entries(_)) | (What::Write(_), What::Write(_)) => true,
        (What::Snapshot(one), What::Snapshot(other)) => one.of == other.of,
        _ => false,
    }
}
