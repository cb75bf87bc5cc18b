//! The ledger: which rows were written, and which record shows it.

use std::collections::BTreeSet;

use super::case::{Case, Seen};
use crate::evidence::{Write, WriteOutcome};

/// The rows that the run wrote. It is computed once for any number of comparisons.
pub(super) struct Ledger {
    /// Rows whose insert was acknowledged.
    pub acknowledged: Rows,
    /// Rows that may exist: their insert was acknowledged or never answered.
    pub possible: Rows,
}

/// Rows, each with the first record that reports it.
pub(super) struct Rows {
    /// Pairs of id and record, by id.
    since: Vec<(u64, u64)>,
    /// The records alone, ascending.
    records: Vec<u64>,
}

impl Ledger {
    /// Collects the ledger of a run.
    pub(crate) fn of(case: &Case<'_>) -> Self {
        let told = |write: Seen<'_, Write>| (write.id, write.mark.seq);
        let acknowledged = case.writes().filter(|write| write.outcome == WriteOutcome::Acknowledged);
        let possible = case.writes().filter(|write| !matches!(write.outcome, WriteOutcome::Rejected(_)));
        Self {
            acknowledged: Rows::of(acknowledged.filter(|write| case.was_taken(write)).map(told)),
            possible: Rows::of(possible.map(told)),
        }
    }
}

impl Rows {
    fn of(told: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut since: Vec<(u64, u64)> = told.collect();
        since.sort_unstable();
        since.dedup_by_key(|(id, _)| *id);
        let mut records: Vec<u64> = since.iter().map(|(_, seq)| *seq).collect();
        records.sort_unstable();
        Self { since, records }
    }

    /// Whether a row was reported before a record.
    pub(crate) fn has(&self, id: u64, before: u64) -> bool {
        let place = self.since.binary_search_by_key(&id, |(id, _)| *id);
        place.is_ok_and(|place| self.since[place].1 < before)
    }

    /// How many rows were reported before a record.
    pub(crate) fn count(&self, before: u64) -> usize {
        self.records.partition_point(|seq| *seq < before)
    }

    /// The rows that were reported before a record and are not in `held`, by id.
    pub(crate) fn without<'a>(&'a self, held: &'a BTreeSet<u64>, before: u64) -> impl Iterator<Item = u64> + 'a {
        self.since.iter().filter(move |(id, seq)| *seq < before && !held.contains(id)).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_known_only_after_the_record_that_tells_of_it() {
        let (rows, none) = (Rows::of([(1, 5)].into_iter()), BTreeSet::new());
        for (before, known) in [(4, false), (5, false), (6, true)] {
            assert_eq!(rows.has(1, before), known, "{before}");
            assert_eq!(rows.count(before), usize::from(known), "{before}");
            assert_eq!(rows.without(&none, before).count(), usize::from(known), "{before}");
        }
    }
}
