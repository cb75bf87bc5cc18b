//! Makes many histories from one run, and keeps what they have in common.

use steadfast::evidence::{Clocks, Evidence, Index, Record, Timeline, What};

use super::change::{Change, Made};

/// A copy of a run from which histories are made one after the other. Unchanged records go from one history to the
/// next, because copying them each time would take longer than judging.
pub(crate) struct Rewriter<'a> {
    run: &'a [Record],
    copy: Vec<Record>,
    /// For each lent record its place in the run, if it has one and is unchanged.
    origins: Vec<Option<u64>>,
    /// The timeline and the index of the run, unless they are lent.
    found: Option<(Timeline, Index)>,
    /// Whether they are lent.
    lent: bool,
}

impl<'a> Rewriter<'a> {
    /// A copy of this run.
    pub(crate) fn new(run: &'a [Record]) -> Self {
        Self { run, copy: Vec::new(), origins: Vec::new(), found: None, lent: false }
    }

    /// The changed history, numbered without gaps, and the number of changed records.
    pub(crate) fn made(&mut self, change: &Change) -> (Vec<Record>, usize) {
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

    /// Whether a history has the same timeline and index as its run: only answers and recorded states differ.
    fn is_found_alike(&self, made: &Made) -> bool {
        let in_place =
            made.origins.len() == self.run.len() && made.origins.iter().copied().eq(1..=self.run.len() as u64);
        in_place
            && made.records.iter().zip(self.run).all(|(record, stored)| {
                record.at_us == stored.at_us
                    && (!made.said.has(stored.seq) || is_same_question(&record.what, &stored.what))
            })
    }

    /// The evidence of the last history.
    pub(crate) fn evidence(&mut self, records: Vec<Record>) -> Evidence {
        if !self.lent {
            return Evidence::new(records);
        }
        let found = self.found.take().unwrap_or_else(|| (Timeline::of(self.run), Index::of(self.run)));
        // The clocks come from the entries, which are answers and may have changed.
        let clocks = Clocks::of(&records);
        Evidence { records, timeline: found.0, index: found.1, clocks }
    }

    /// Takes back the evidence of the last history.
    pub(crate) fn take_back(&mut self, evidence: Evidence) {
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

/// Whether two records are the same for the timeline and the index. Neither of them looks at answers.
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
