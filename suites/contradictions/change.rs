//! Changes of a history: small functions on its records that can be combined.
//!
//! A change identifies records by their place in the stored run, `#seq`, regardless of earlier changes. Added records
//! have no such place. At the end [`Change::make`] renumbers the records, and the proofs of faults with them.

use steadfast::evidence::{Cause, Clocks, Lapse, Record, What};

/// Sorted numbers of records of the stored run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places(Vec<u64>);

impl Places {
    /// The places from this one on.
    pub(crate) fn since(&self, seq: u64) -> Self {
        self.iter().filter(|place| *place >= seq).collect()
    }

    /// The places before this one.
    pub(crate) fn before(&self, seq: u64) -> Self {
        self.iter().filter(|place| *place < seq).collect()
    }

    /// The first place.
    pub(crate) fn first(&self) -> Option<u64> {
        self.0.first().copied()
    }

    /// The last place.
    pub(crate) fn last(&self) -> Option<u64> {
        self.0.last().copied()
    }

    /// The number of places.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no places.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a record is at one of these places.
    pub(crate) fn has(&self, seq: u64) -> bool {
        self.0.binary_search(&seq).is_ok()
    }

    /// All places.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
        self.0.iter().copied()
    }
}

impl FromIterator<u64> for Places {
    fn from_iter<I: IntoIterator<Item = u64>>(places: I) -> Self {
        let mut places: Vec<u64> = places.into_iter().collect();
        places.sort_unstable();
        places.dedup();
        Self(places)
    }
}

impl From<u64> for Places {
    fn from(seq: u64) -> Self {
        Self(vec![seq])
    }
}

/// A history that a change made.
pub(crate) struct Made {
    /// Its records, numbered without gaps.
    pub records: Vec<Record>,
    /// The place of each record in the run, or 0 for an added record.
    pub origins: Vec<u64>,
    /// The places in the run of the records whose content changed.
    pub said: Places,
    /// The number of changed records.
    pub changed: usize,
}

/// A history that is being made.
struct Draft {
    /// Its records.
    records: Vec<Record>,
    /// The places of the records whose content changed.
    said: Vec<u64>,
}

/// Changes a draft, and returns how many records it changed.
type Make = dyn Fn(&mut Draft) -> usize + Send + Sync;

/// A change of a history.
pub(crate) struct Change(Box<Make>);

impl Change {
    /// Changes the records of a run and renumbers them. Returns the place of each record in the run (0 for an added
    /// record), the records whose content changed, and the number of changed records.
    pub(crate) fn make(&self, records: Vec<Record>) -> Made {
        let mut draft = Draft { records, said: Vec::new() };
        let changed = self.0(&mut draft);
        let origins = draft.records.iter().map(|record| record.seq).collect();
        number(&mut draft.records);
        Made { records: draft.records, origins, said: draft.said.into_iter().collect(), changed }
    }

    fn new(make: impl Fn(&mut Vec<Record>) -> usize + Send + Sync + 'static) -> Self {
        Self(Box::new(move |draft| make(&mut draft.records)))
    }

    /// A change that does nothing.
    pub(crate) fn nothing() -> Self {
        Self::new(|_| 0)
    }

    /// This change, and then another.
    pub(crate) fn then(self, next: Self) -> Self {
        Self(Box::new(move |draft| self.0(draft) + next.0(draft)))
    }

    /// All of these changes, in order.
    pub(crate) fn all(changes: impl IntoIterator<Item = Self>) -> Self {
        changes.into_iter().fold(Self::nothing(), Self::then)
    }
}

/// Renumbers records. Proofs keep naming the same records. Records that are gone are removed from proofs.
fn number(records: &mut [Record]) {
    let highest = records.iter().map(|record| record.seq).max().unwrap_or(0);
    let mut now = vec![0; usize::try_from(highest).unwrap_or(0) + 1];
    for (seq, record) in (1..).zip(records.iter_mut()) {
        // A repeated record is known by its first place, and an added record by none.
        let known = &mut now[record.seq as usize];
        if record.seq > 0 && *known == 0 {
            *known = seq;
        }
        record.seq = seq;
    }
    for record in records {
        if let What::Fault(fault) = &mut record.what
            && let Some(proof) = &mut fault.proof
        {
            let moved = proof.iter().filter_map(|seq| now.get(*seq as usize).copied().filter(|seq| *seq > 0));
            *proof = moved.collect();
        }
    }
}

/// Removes these records.
pub(crate) fn dropped(places: impl Into<Places>) -> Change {
    let places = places.into();
    Change::new(move |records| {
        let before = records.len();
        records.retain(|record| !places.has(record.seq));
        before - records.len()
    })
}

/// Changes the content of these records.
pub(crate) fn said(places: impl Into<Places>, otherwise: impl Fn(&mut What) + Send + Sync + 'static) -> Change {
    let places = places.into();
    Change(Box::new(move |draft| {
        let before = draft.said.len();
        for record in draft.records.iter_mut().filter(|record| places.has(record.seq)) {
            let what = record.what.clone();
            otherwise(&mut record.what);
            if what != record.what {
                draft.said.push(record.seq);
            }
        }
        draft.said.len() - before
    }))
}

/// Adds records just before a record.
pub(crate) fn added_before(seq: u64, what: impl IntoIterator<Item = What>) -> Change {
    added(seq, 0, what)
}

/// Adds records just after a record.
pub(crate) fn added_after(seq: u64, what: impl IntoIterator<Item = What>) -> Change {
    added(seq, 1, what)
}

fn added(seq: u64, behind: usize, what: impl IntoIterator<Item = What>) -> Change {
    let all: Vec<What> = what.into_iter().collect();
    Change::new(move |records| {
        let Some(place) = records.iter().position(|record| record.seq == seq) else { return 0 };
        let (at_us, wall) = (records[place].at_us, records[place].wall);
        let new = all.iter().map(|what| Record { seq: 0, at_us, wall, what: what.clone() });
        let place = place + behind;
        records.splice(place..place, new);
        all.len()
    })
}

/// Delays these records by this time, behind everything that was recorded until then.
pub(crate) fn delayed(places: impl Into<Places>, by_us: u64) -> Change {
    let places = places.into();
    Change::new(move |records| {
        for record in records.iter_mut().filter(|record| places.has(record.seq)) {
            record.at_us += by_us;
        }
        // Of two records with the same time, the delayed one comes last. The sort is stable, so all others keep their
        // order.
        records.sort_by_key(|record| (record.at_us, places.has(record.seq)));
        places.len()
    })
}

/// Moves these records to just before another one.
pub(crate) fn moved_before(places: impl Into<Places>, seq: u64) -> Change {
    let places = places.into();
    Change::new(move |records| {
        let (mut moved, kept): (Vec<Record>, Vec<Record>) =
            std::mem::take(records).into_iter().partition(|record| places.has(record.seq));
        *records = kept;
        let Some(place) = records.iter().position(|record| record.seq == seq) else { return 0 };
        let (at_us, wall) = (records[place].at_us, records[place].wall);
        moved.iter_mut().for_each(|record| (record.at_us, record.wall) = (at_us, wall));
        let count = moved.len();
        records.splice(place..place, moved);
        count
    })
}

/// Repeats each of these records directly after itself.
pub(crate) fn repeated(places: impl Into<Places>) -> Change {
    let places = places.into();
    Change::new(move |records| {
        let twice = |record: Record| {
            let again = places.has(record.seq).then(|| Record { seq: 0, ..record.clone() });
            std::iter::once(record).chain(again)
        };
        *records = std::mem::take(records).into_iter().flat_map(twice).collect();
        places.len()
    })
}

/// Changes every record from this one on.
fn from(seq: u64, otherwise: impl Fn(&mut Record) + Send + Sync + 'static) -> Change {
    Change::new(move |records| {
        let place = records.iter().position(|record| record.seq == seq).unwrap_or(records.len());
        records[place..].iter_mut().for_each(&otherwise);
        records.len() - place
    })
}

/// Delays everything from a record on, also by the witness's clock.
pub(crate) fn paused(seq: u64, by_us: u64) -> Change {
    witness_alone_paused(seq, by_us).then(log_alone_paused(seq, by_us))
}

/// Delays everything from a record on by the log's clock. No time passes by the witness's clock.
pub(crate) fn log_alone_paused(seq: u64, by_us: u64) -> Change {
    from(seq, move |record| record.at_us += by_us)
}

/// Delays everything from a record on by the witness's clock. No time passes by the log's clock.
pub(crate) fn witness_alone_paused(seq: u64, by_us: u64) -> Change {
    witness_moved(seq, by_us, u64::saturating_add)
}

/// Moves everything from a record on to an earlier time, so that waits before it become shorter.
pub(crate) fn hurried(seq: u64, by_us: u64) -> Change {
    let log = from(seq, move |record| record.at_us = record.at_us.saturating_sub(by_us));
    witness_moved(seq, by_us, u64::saturating_sub).then(log)
}

/// Just before a record, the harness notices a lapse of this length.
pub(crate) fn lapsed(seq: u64, us: u64, cause: Cause) -> Change {
    Change::new(move |records| {
        let Some(place) = records.iter().position(|record| record.seq == seq) else { return 0 };
        let (at_us, wall) = (records[place].at_us, records[place].wall);
        let what = What::Lapse(Lapse { from_us: at_us.saturating_sub(us), to_us: at_us, cause });
        records.insert(place, Record { seq: 0, at_us, wall, what });
        1
    })
}

/// Changes the witness's times from a record on.
fn witness_moved(seq: u64, by_us: u64, otherwise: fn(u64, u64) -> u64) -> Change {
    Change(Box::new(move |draft| {
        let Some(place) = draft.records.iter().position(|record| record.seq == seq) else { return 0 };
        let (clocks, at_us, before) = (Clocks::of(&draft.records), draft.records[place].at_us, draft.said.len());
        let moved = |us: &mut u64| *us = otherwise(*us, by_us);
        for record in &mut draft.records[place..] {
            let What::Entries(entries) = &mut record.what else { continue };
            moved(&mut entries.now_us);
            for write in entries.writes.iter_mut().filter(|write| clocks.bounds(write.sent_us).0 >= at_us) {
                moved(&mut write.sent_us);
                moved(&mut write.ended_us);
            }
            let after = |us: u64| clocks.bounds(us).0 >= at_us;
            entries.lags.iter_mut().filter(|lag| after(lag.at_us)).for_each(|lag| moved(&mut lag.at_us));
            draft.said.push(record.seq);
        }
        draft.said.len() - before
    }))
}

/// Everything from one record to another happens at the same time.
pub(crate) fn at_once(from: u64, to: u64) -> Change {
    Change::new(move |records| {
        let at_us = records.iter().find(|record| record.seq == to).map_or(0, |record| record.at_us);
        let within = records.iter_mut().filter(|record| (from..=to).contains(&record.seq));
        within.map(|record| record.at_us = at_us).count()
    })
}

/// Removes everything from a record on.
pub(crate) fn ended_before(seq: u64) -> Change {
    Change::new(move |records| {
        let place = records.iter().position(|record| record.seq == seq).unwrap_or(records.len());
        records.drain(place..).count()
    })
}

/// Sets the wall clock back by this many seconds from a record on.
pub(crate) fn set_back(seq: u64, by_s: i64) -> Change {
    from(seq, move |record| record.wall -= jiff::SignedDuration::from_secs(by_s))
}
