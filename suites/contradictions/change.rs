//! Changes of a history: small functions over its records, put together.
//!
//! A change knows records by their place in the stored run, `#seq`, whatever changes were made before it. What is put in
//! has no such place. In the end [`Change::made`] numbers the records anew, and what proves a fault with them.

use steadfast::evidence::{Cause, Clocks, Lapse, Record, What};

/// Records of the stored run, by their numbers, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(Vec<u64>);

impl Places {
    /// Those that are at this one or come after it.
    pub fn since(&self, seq: u64) -> Self {
        self.iter().filter(|place| *place >= seq).collect()
    }

    /// Those that come before this one.
    pub fn before(&self, seq: u64) -> Self {
        self.iter().filter(|place| *place < seq).collect()
    }

    /// The first.
    pub fn first(&self) -> Option<u64> {
        self.0.first().copied()
    }

    /// The last.
    pub fn last(&self) -> Option<u64> {
        self.0.last().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a record is one of these.
    pub fn has(&self, seq: u64) -> bool {
        self.0.binary_search(&seq).is_ok()
    }

    /// All of them.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u64> + '_ {
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

/// A history that was made.
pub struct Made {
    /// Its records, numbered without a hole.
    pub records: Vec<Record>,
    /// The place of each in the run; 0 of one that was put in.
    pub origins: Vec<u64>,
    /// The places in the run of those that do not say what they said.
    pub said: Places,
    /// How many were changed.
    pub changed: usize,
}

/// A history in the making.
struct Draft {
    /// Its records.
    records: Vec<Record>,
    /// The places of those that do not say what they said.
    said: Vec<u64>,
}

/// Changes a draft, and tells how many records it changed.
type Make = dyn Fn(&mut Draft) -> usize + Send + Sync;

/// A change of a history.
pub struct Change(Box<Make>);

impl Change {
    /// Changes these records, which are a run's, and numbers them anew. Tells where each was in the run, 0 for one that was
    /// put in, which of them do not say what they said, and how many were changed.
    pub fn make(&self, records: Vec<Record>) -> Made {
        let mut draft = Draft { records, said: Vec::new() };
        let changed = self.0(&mut draft);
        let origins = draft.records.iter().map(|record| record.seq).collect();
        number(&mut draft.records);
        Made { records: draft.records, origins, said: draft.said.into_iter().collect(), changed }
    }

    fn new(make: impl Fn(&mut Vec<Record>) -> usize + Send + Sync + 'static) -> Self {
        Self(Box::new(move |draft| make(&mut draft.records)))
    }

    /// None at all.
    pub fn nothing() -> Self {
        Self::new(|_| 0)
    }

    /// This one, and then another.
    pub fn then(self, next: Self) -> Self {
        Self(Box::new(move |draft| self.0(draft) + next.0(draft)))
    }

    /// All of these, one after the other.
    pub fn all(changes: impl IntoIterator<Item = Self>) -> Self {
        changes.into_iter().fold(Self::nothing(), Self::then)
    }
}

/// Numbers records anew. A proof goes on naming the records that it named; those that are gone it names no more.
fn number(records: &mut [Record]) {
    let highest = records.iter().map(|record| record.seq).max().unwrap_or(0);
    let mut now = vec![0; usize::try_from(highest).unwrap_or(0) + 1];
    for (seq, record) in (1..).zip(records.iter_mut()) {
        // What stands there twice is known by its first place, and what was put in by none.
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

/// These records were never written.
pub fn dropped(places: impl Into<Places>) -> Change {
    let places = places.into();
    Change::new(move |records| {
        let before = records.len();
        records.retain(|record| !places.has(record.seq));
        before - records.len()
    })
}

/// These records say something else.
pub fn said(places: impl Into<Places>, otherwise: impl Fn(&mut What) + Send + Sync + 'static) -> Change {
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

/// Something more was seen, just before a record.
pub fn added_before(seq: u64, what: impl IntoIterator<Item = What>) -> Change {
    added(seq, 0, what)
}

/// Something more was seen, just after a record.
pub fn added_after(seq: u64, what: impl IntoIterator<Item = What>) -> Change {
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

/// These records were written so much later, behind all that was seen until then.
pub fn delayed(places: impl Into<Places>, by_us: u64) -> Change {
    let places = places.into();
    Change::new(move |records| {
        for record in records.iter_mut().filter(|record| places.has(record.seq)) {
            record.at_us += by_us;
        }
        // Of two that were written at one time the delayed one comes last; the sort leaves others where they are.
        records.sort_by_key(|record| (record.at_us, places.has(record.seq)));
        places.len()
    })
}

/// These records were written just before another one.
pub fn moved_before(places: impl Into<Places>, seq: u64) -> Change {
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

/// These records were written twice, one after the other.
pub fn repeated(places: impl Into<Places>) -> Change {
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

/// Every record from one on was written otherwise.
fn from(seq: u64, otherwise: impl Fn(&mut Record) + Send + Sync + 'static) -> Change {
    Change::new(move |records| {
        let place = records.iter().position(|record| record.seq == seq).unwrap_or(records.len());
        records[place..].iter_mut().for_each(&otherwise);
        records.len() - place
    })
}

/// Everything from a record on came so much later, by the witness's clock too.
pub fn paused(seq: u64, by_us: u64) -> Change {
    witness_alone_paused(seq, by_us).then(log_alone_paused(seq, by_us))
}

/// Everything from a record on came so much later by the log's clock, and by the witness's no time passed.
pub fn log_alone_paused(seq: u64, by_us: u64) -> Change {
    from(seq, move |record| record.at_us += by_us)
}

/// Everything from a record on came so much later by the witness's clock, and by the log's no time passed.
pub fn witness_alone_paused(seq: u64, by_us: u64) -> Change {
    witness_moved(seq, by_us, u64::saturating_add)
}

/// Everything from a record on came so much earlier: what had been waited for before it was waited for less long.
pub fn hurried(seq: u64, by_us: u64) -> Change {
    let log = from(seq, move |record| record.at_us = record.at_us.saturating_sub(by_us));
    witness_moved(seq, by_us, u64::saturating_sub).then(log)
}

/// The harness noticed just before a record what had happened since so much earlier.
pub fn lapsed(seq: u64, us: u64, cause: Cause) -> Change {
    Change::new(move |records| {
        let Some(place) = records.iter().position(|record| record.seq == seq) else { return 0 };
        let (at_us, wall) = (records[place].at_us, records[place].wall);
        let what = What::Lapse(Lapse { from_us: at_us.saturating_sub(us), to_us: at_us, cause });
        records.insert(place, Record { seq: 0, at_us, wall, what });
        1
    })
}

/// The witness's times from a record on are others.
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

/// From one record to another everything happened at once.
pub fn at_once(from: u64, to: u64) -> Change {
    Change::new(move |records| {
        let at_us = records.iter().find(|record| record.seq == to).map_or(0, |record| record.at_us);
        let within = records.iter_mut().filter(|record| (from..=to).contains(&record.seq));
        within.map(|record| record.at_us = at_us).count()
    })
}

/// Nothing was written from a record on.
pub fn ended_before(seq: u64) -> Change {
    Change::new(move |records| {
        let place = records.iter().position(|record| record.seq == seq).unwrap_or(records.len());
        records.drain(place..).count()
    })
}

/// Another clock went back by so many seconds from a record on: the one for people.
pub fn set_back(seq: u64, by_s: i64) -> Change {
    from(seq, move |record| record.wall -= jiff::SignedDuration::from_secs(by_s))
}
