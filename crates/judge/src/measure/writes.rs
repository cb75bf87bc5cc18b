//! The ledger's writes on the log's clock.

use serde::Serialize;

use super::disruption::at_rest;
use super::{AtRest, Disruption, Overall};
use crate::case::Case;
use crate::evidence::{Act, BUSY_US, Clocks, Entry, WriteOutcome};

/// The outcomes of writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcomes {
    /// Acknowledged.
    pub acknowledged: u64,
    /// Refused.
    pub rejected: u64,
    /// Never answered.
    pub unknown: u64,
}

/// A time without an acknowledged write, in microseconds of the log's clock. If that and the witness's clock disagree,
/// its duration is that of the clock that counted more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outage {
    /// When the first write was sent that had to wait.
    pub from_us: u64,
    /// When a write was acknowledged again, or when the last attempt ended.
    pub to_us: u64,
    /// The least duration: without the time that a machine slept, and by the clock that counted less.
    #[serde(skip)]
    pub least_us: u64,
    /// The duration by the clock that counted more.
    #[serde(skip)]
    pub most_us: u64,
}

impl Outage {
    /// Converts an outage from the witness's clock.
    fn of(clocks: &Clocks, (from_us, to_us): (u64, u64)) -> Self {
        let (most_us, by_witness_us) = (longest_us(clocks, from_us, to_us), to_us.saturating_sub(from_us));
        let (from_us, to_us) = (clocks.bounds(from_us).0, clocks.bounds(to_us).1);
        let least_us = clocks.lasted(from_us, to_us).least_us.min(by_witness_us);
        Self { from_us, to_us, least_us, most_us }
    }

    /// The duration in microseconds.
    pub fn us(&self) -> u64 {
        self.most_us
    }
}

/// The ledger's writes.
pub(super) struct Writes {
    /// When each write ended, and its outcome, in order.
    ended: Vec<(u64, Kind)>,
    /// The times between acknowledgements, by their end, including short ones.
    outages: Vec<Outage>,
    /// For each outage, the earliest beginning among it and all later ones.
    begin_us: Vec<u64>,
    first_sent_us: u64,
    /// When the ledger wanted to write.
    pub wanted: Wanted,
    /// The interval of the ledger's writes in microseconds, if each ends at once.
    beat_us: u64,
}

/// When the ledger wanted to write: disjoint spans in order.
pub(super) struct Wanted(Vec<Span>);

/// A time in which the ledger wanted to write: from sending a write to the end of the last write that overlaps.
#[derive(Clone, Copy)]
pub(super) struct Span {
    from_us: u64,
    to_us: u64,
    /// How much longer the pause before it was by the witness's clock, in microseconds.
    beyond_us: u64,
}

impl Wanted {
    /// Computes the spans. Where the clocks disagree, a span covers only the time in which a write certainly was under
    /// way.
    fn of(entries: &[&Entry], clocks: &Clocks) -> Self {
        let mut sent: Vec<(u64, u64)> = entries.iter().map(|it| (it.sent_us, it.ended_us.max(it.sent_us))).collect();
        sent.sort_unstable();
        sent.dedup_by(|(sent_us, ended_us), (_, until_us)| {
            let overlaps = sent_us <= until_us;
            if overlaps {
                *until_us = (*until_us).max(*ended_us);
            }
            overlaps
        });
        let mut wanted: Vec<Span> = Vec::new();
        let mut before = None;
        for (sent_us, until_us) in sent {
            let (from_us, to_us) = (clocks.bounds(sent_us).1, clocks.bounds(until_us).0);
            let idle_us = before.map_or(0, |before_us| sent_us.saturating_sub(before_us));
            let since_us = wanted.last().map_or(from_us, |last| last.to_us);
            let beyond_us = idle_us.saturating_sub(from_us.saturating_sub(since_us));
            wanted.push(Span { from_us: from_us.max(since_us), to_us: to_us.max(from_us), beyond_us });
            before = Some(until_us);
        }
        Self(wanted)
    }

    /// The longest pause of the ledger in a window, in microseconds.
    pub(super) fn idle_us(&self, from_us: u64, to_us: u64) -> u64 {
        let first = self.0.partition_point(|span| span.to_us <= from_us);
        let (mut idle_us, mut since_us) = (0, from_us);
        for span in &self.0[first..] {
            if span.from_us >= to_us {
                let rest_us = to_us.saturating_sub(since_us);
                return idle_us.max(if rest_us == 0 { 0 } else { rest_us + span.beyond_us });
            }
            idle_us = idle_us.max(span.from_us.saturating_sub(since_us) + span.beyond_us);
            since_us = span.to_us;
        }
        idle_us.max(to_us.saturating_sub(since_us))
    }
}

/// The interval of writes if the log does not say how fast the ledger writes, in microseconds.
const USUAL_BEAT_US: u64 = 1_000_000;

/// The longest tolerated pause of the ledger in a disruption, in microseconds. A busy machine or a restarting API
/// server also delays the witness; beyond this the witness stood still.
const MOST_IDLE_US: u64 = BUSY_US;

/// The longest tolerated pause in a short disruption, in microseconds. Otherwise it is half of the disruption.
const LEAST_IDLE_US: u64 = 1_000_000;

/// The longest tolerated pause in a step of an upgrade, which may restart the witness too, in microseconds.
const MOST_IDLE_IN_STEP_US: u64 = 10_000_000;

/// How many acknowledged writes waited for a replica.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waited {
    /// The number of acknowledged writes.
    pub acknowledged: u64,
    /// The number of those that waited.
    pub waited: u64,
}

impl Waited {
    fn add(&mut self, kind: Kind) {
        if let Kind::Acknowledged(waited) = kind {
            self.acknowledged += 1;
            self.waited += u64::from(waited);
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Whether it waited for a replica too.
    Acknowledged(bool),
    Rejected,
    Unknown,
}

impl Kind {
    fn of(entry: &Entry) -> Self {
        match entry.outcome {
            WriteOutcome::Acknowledged => Self::Acknowledged(entry.semi_sync == Some(true)),
            WriteOutcome::Rejected(_) => Self::Rejected,
            WriteOutcome::Unknown(_) => Self::Unknown,
        }
    }
}

impl Outcomes {
    fn add(&mut self, kind: Kind) {
        *match kind {
            Kind::Acknowledged(_) => &mut self.acknowledged,
            Kind::Rejected => &mut self.rejected,
            Kind::Unknown => &mut self.unknown,
        } += 1;
    }
}

/// The time between two times of the witness in microseconds, by the clock that counted more.
pub(super) fn longest_us(clocks: &Clocks, from_us: u64, to_us: u64) -> u64 {
    let by_log = u64::try_from(clocks.between(from_us, to_us)).unwrap_or(0);
    by_log.max(to_us.saturating_sub(from_us))
}

impl Writes {
    /// The writes of a run; `None` if the ledger handed over none.
    pub(super) fn of(case: &Case<'_>) -> Option<Self> {
        let clocks = case.clocks;
        let mut entries: Vec<&Entry> = case.entries().flat_map(|entries| &entries.it.writes).collect();
        entries.sort_by_key(|entry| entry.ended_us);
        let first_sent_us = clocks.bounds(entries.iter().map(|entry| entry.sent_us).min()?).0;
        let ended = |entry: &&Entry| (clocks.bounds(entry.ended_us).1, Kind::of(entry));
        let mut ended: Vec<(u64, Kind)> = entries.iter().map(ended).collect();
        ended.sort_by_key(|(us, _)| *us);
        let mut outages: Vec<Outage> = between(&entries).map(|span| Outage::of(clocks, span)).collect();
        outages.sort_by_key(|outage| outage.to_us);
        let mut begin_us: Vec<u64> = outages.iter().map(|outage| outage.from_us).collect();
        (1..begin_us.len()).rev().for_each(|place| begin_us[place - 1] = begin_us[place - 1].min(begin_us[place]));
        let wanted = Wanted::of(&entries, clocks);
        Some(Self { ended, outages, begin_us, first_sent_us, wanted, beat_us: beat_us(case) })
    }

    /// The longest pause of the ledger in a window, in microseconds, if it is too long to know the outage.
    pub(super) fn too_long_idle_us(&self, from_us: u64, to_us: u64) -> Option<u64> {
        let most = (to_us.saturating_sub(from_us) / 2).clamp(LEAST_IDLE_US, MOST_IDLE_US);
        Some(self.wanted.idle_us(from_us, to_us)).filter(|idle_us| *idle_us > most.saturating_add(self.beat_us))
    }

    /// Whether the ledger paused for too long in this step of an upgrade, or for all of it.
    pub(super) fn rested_in_step(&self, from_us: u64, to_us: u64) -> bool {
        let (idle_us, all_us) = (self.wanted.idle_us(from_us, to_us), to_us.saturating_sub(from_us));
        idle_us > self.beat_us.saturating_add(MOST_IDLE_IN_STEP_US) || (idle_us == all_us && all_us > self.beat_us)
    }

    /// The outcomes of the writes that ended in this window, and the longest outage that overlaps it; `None` if the
    /// ledger was not written to then.
    pub(super) fn within(&self, from_us: u64, to_us: u64) -> Option<(Outcomes, Option<Outage>)> {
        let last_us = self.ended.last().map_or(0, |(ended, _)| *ended);
        if self.first_sent_us > to_us || last_us < from_us {
            return None;
        }
        let place = |us: u64| self.ended.partition_point(|(ended, _)| *ended < us);
        let (mut outcomes, from) = (Outcomes::default(), place(from_us));
        let within = &self.ended[from..place(to_us.saturating_add(1)).max(from)];
        within.iter().for_each(|(_, kind)| outcomes.add(*kind));
        let first = self.outages.partition_point(|outage| outage.to_us < from_us);
        let later = self.outages.iter().zip(&self.begin_us).skip(first).take_while(|(_, begin_us)| **begin_us <= to_us);
        let touching = later.map(|(outage, _)| *outage).filter(|outage| outage.from_us <= to_us);
        Some((outcomes, touching.max_by_key(Outage::us)))
    }

    /// The longest time without an acknowledged write that overlaps a window of the log, in microseconds; `None` if the
    /// ledger was not written to then.
    pub(super) fn longest_within(&self, from_us: u64, to_us: u64) -> Option<u64> {
        self.within(from_us, to_us).map(|(_, outage)| outage.map_or(0, |outage| outage.us()))
    }

    /// How many writes waited for a replica among those that ended at rest. The disruptions must be in order.
    fn waited_at_rest(&self, disruptions: &[Disruption]) -> Waited {
        let mut waited = Waited::default();
        for (_, kind) in at_rest(&self.ended, |(ended_us, _)| *ended_us, disruptions) {
            waited.add(*kind);
        }
        waited
    }

    /// Sums up the ledger of a run with these disruptions.
    pub(super) fn overall(&self, lag_at_rest: Vec<AtRest>, disruptions: &[Disruption]) -> Overall {
        let (mut writes, mut waited) = (Outcomes::default(), Waited::default());
        for (_, kind) in &self.ended {
            writes.add(*kind);
            waited.add(*kind);
        }
        let took_us = self.ended.last().map_or(0, |(ended, _)| ended.saturating_sub(self.first_sent_us));
        let per_second = if took_us == 0 { 0.0 } else { writes.acknowledged as f64 * 1e6 / took_us as f64 };
        let longest_outage = self.outages.iter().copied().max_by_key(Outage::us);
        let (semi_sync, waited_at_rest) = (waited.waited, self.waited_at_rest(disruptions));
        Overall { writes, semi_sync, waited_at_rest, per_second, longest_outage, lag_at_rest }
    }
}

/// The interval of the ledger's writes as configured, in microseconds.
fn beat_us(case: &Case<'_>) -> u64 {
    let started = case.faults().find_map(|fault| match fault.it.act {
        Act::StartLedger { writers, per_second } => Some(u64::from(writers) * u64::from(per_second)),
        _ => None,
    });
    started.and_then(|a_second| USUAL_BEAT_US.checked_div(a_second)).unwrap_or(USUAL_BEAT_US)
}

/// The longest time without an acknowledged write, in microseconds, including times before the log began, because the
/// witness may have written long before. `None` if the ledger handed over nothing or paused for most of the time: a
/// witness that moves with its node pauses for a while.
pub(super) fn longest_ever(case: &Case<'_>) -> Option<u64> {
    let mut entries: Vec<&Entry> = case.entries().flat_map(|entries| &entries.it.writes).collect();
    entries.sort_by_key(|entry| entry.ended_us);
    let (first, last) = (entries.iter().map(|entry| entry.sent_us).min()?, entries.last()?.ended_us);
    let idle_us = Wanted::of(&entries, &Clocks::default()).idle_us(first, last);
    if idle_us > MOST_IDLE_IN_STEP_US && idle_us > last.saturating_sub(first) / 2 {
        return None;
    }
    between(&entries).map(|(from_us, to_us)| longest_us(case.clocks, from_us, to_us)).max()
}

/// The times between acknowledgements on the witness's clock. The entries must be in the order of their ends.
fn between(entries: &[&Entry]) -> impl Iterator<Item = (u64, u64)> {
    let (mut outages, mut acknowledged_us, mut wanted_us) = (Vec::new(), 0, None);
    for entry in entries {
        let wanted = wanted_us.map_or(entry.sent_us, |us: u64| us.min(entry.sent_us));
        wanted_us = Some(wanted);
        if entry.outcome == WriteOutcome::Acknowledged {
            outages.push((wanted.max(acknowledged_us), entry.ended_us));
            (acknowledged_us, wanted_us) = (entry.ended_us, None);
        }
    }
    if let (Some(wanted), Some(last)) = (wanted_us, entries.last()) {
        outages.push((wanted.max(acknowledged_us), last.ended_us));
    }
    outages.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT_US: u64 = 100_000;
    const WINDOW_US: u64 = 600_000_000;

    /// A ledger that wanted to write in these spans.
    fn wanted(spans: &[(u64, u64)]) -> Writes {
        let (first_sent_us, last_us) = (spans[0].0, spans[spans.len() - 1].1);
        let span = |(from_us, to_us): &(u64, u64)| Span { from_us: *from_us, to_us: *to_us, beyond_us: 0 };
        let (ended, wanted) = (vec![(last_us, Kind::Acknowledged(false))], Wanted(spans.iter().map(span).collect()));
        Writes { ended, outages: Vec::new(), begin_us: Vec::new(), first_sent_us, wanted, beat_us: BEAT_US }
    }

    #[test]
    fn a_rest_is_too_long_from_a_beat_beyond_what_is_allowed() {
        let rests = |us: u64| wanted(&[(0, 0), (us, WINDOW_US)]);
        let most = MOST_IDLE_US + BEAT_US;
        assert_eq!(rests(most).too_long_idle_us(0, WINDOW_US), None);
        assert_eq!(rests(most + 1).too_long_idle_us(0, WINDOW_US), Some(most + 1));
        let most = MOST_IDLE_IN_STEP_US + BEAT_US;
        assert!(!rests(most).rested_in_step(0, WINDOW_US));
        assert!(rests(most + 1).rested_in_step(0, WINDOW_US));
    }

    #[test]
    fn a_step_that_is_no_longer_than_a_beat_need_not_be_written_in() {
        let before = wanted(&[(0, 0)]);
        assert!(!before.rested_in_step(1, BEAT_US + 1));
        assert!(before.rested_in_step(1, BEAT_US + 2));
    }

    #[test]
    fn a_window_is_known_from_the_first_write_on() {
        let from_ten = wanted(&[(10, 20)]);
        assert!(from_ten.within(0, 10).is_some() && from_ten.within(20, 30).is_some());
        assert!(from_ten.within(0, 9).is_none() && from_ten.within(21, 30).is_none());
    }
}
