//! Replication lag.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::disruption::at_rest;
use super::writes::longest_us;
use super::{AtRest, Disruption};
use crate::case::Case;

/// The distribution of lag samples in microseconds. A percentile is the least value that this share of the samples does
/// not exceed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Answered samples.
    pub looks: usize,
    /// Unanswered samples.
    pub unanswered: usize,
    /// The median.
    pub p50_us: u64,
    /// The 99th percentile.
    pub p99_us: u64,
    /// The maximum.
    pub max_us: u64,
    /// The record that has the maximum.
    #[serde(skip)]
    pub max_in: u64,
}

/// Samples of a replica that were late or missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Silence {
    /// Answered samples in which it lagged more than the budget allows.
    pub late: usize,
    /// Unanswered samples although its pod was Ready.
    pub while_ready: usize,
    /// The first record with an unanswered sample.
    pub first_in: u64,
    /// Whether no sample was answered in the whole run: then the replica may not let the witness in at all.
    pub unheard: bool,
}

/// A lag sample of a replica.
struct Look<'a> {
    at_us: u64,
    pod: &'a str,
    behind_us: Option<u64>,
    /// The record that has it.
    seq: u64,
}

/// All lag samples, in order.
pub(super) struct Looks<'a> {
    all: Vec<Look<'a>>,
}

impl<'a> Looks<'a> {
    /// The lag samples of a run, on the log's clock. If the clocks disagree, the lag is that of the clock that counted
    /// more.
    pub(super) fn of(case: &Case<'a>) -> Self {
        let clocks = case.clocks;
        let looks = case.entries().flat_map(|entries| {
            let seq = entries.mark.seq;
            entries.it.lags.iter().map(move |lag| {
                let told = |us: u64| us.max(longest_us(clocks, lag.at_us.saturating_sub(us), lag.at_us));
                let behind_us = lag.behind_us.map(|us| if us == 0 { 0 } else { told(us) });
                Look { at_us: clocks.bounds(lag.at_us).1, pod: &lag.pod, behind_us, seq }
            })
        });
        let mut all: Vec<Look<'a>> = looks.collect();
        all.sort_by_key(|look| look.at_us);
        Self { all }
    }

    /// The distribution over all replicas in this window; `None` without samples.
    pub(super) fn within(&self, from_us: u64, to_us: u64) -> Option<Percentiles> {
        let place = |us: u64| self.all.partition_point(|look| look.at_us < us);
        let from = place(from_us);
        let looks = &self.all[from..place(to_us.saturating_add(1)).max(from)];
        (!looks.is_empty()).then(|| spread(looks))
    }

    /// The lag of each replica while the workload was at rest. The disruptions must be in order.
    pub(super) fn at_rest(&self, case: &Case<'_>, disruptions: &[Disruption]) -> Vec<AtRest> {
        let mut by_pod: BTreeMap<&str, Vec<&Look<'_>>> = BTreeMap::new();
        for look in at_rest(&self.all, |look| look.at_us, disruptions) {
            by_pod.entry(look.pod).or_default().push(look);
        }
        let answered: BTreeSet<&str> =
            self.all.iter().filter(|look| look.behind_us.is_some()).map(|look| look.pod).collect();
        let told = by_pod.into_iter().map(|(pod, looks)| {
            let silence = Silence { unheard: !answered.contains(pod), ..silence(case, pod, &looks) };
            AtRest { pod: pod.to_owned(), lag: spread(looks), silence }
        });
        told.collect()
    }
}

fn silence(case: &Case<'_>, pod: &str, looks: &[&Look<'_>]) -> Silence {
    let (budget_us, served) = (case.run.budgets.lag_ms.saturating_mul(1000), Served::by(case, pod));
    let mut silence = Silence::default();
    for look in looks {
        match look.behind_us {
            Some(us) => silence.late += usize::from(us > budget_us),
            None => {
                silence.while_ready += usize::from(served.at(look.at_us));
                if silence.first_in == 0 {
                    silence.first_in = look.seq;
                }
            }
        }
    }
    silence
}

/// The times at which the pod of a name became Ready, unready or began to terminate, in order.
struct Served(Vec<(u64, bool)>);

impl Served {
    fn by(case: &Case<'_>, pod: &str) -> Self {
        let changes = case.timeline.lives(pod).flat_map(|life| {
            let ends = life.deleting.into_iter().chain(life.deleted).map(|gone| (gone.at_us, false));
            life.ready.iter().map(|change| (change.since.at_us, change.value)).chain(ends)
        });
        let mut changes: Vec<(u64, bool)> = changes.collect();
        changes.sort_by_key(|(at_us, _)| *at_us);
        Self(changes)
    }

    fn at(&self, us: u64) -> bool {
        let passed = self.0.partition_point(|(at_us, _)| *at_us <= us);
        self.0[..passed].last().is_some_and(|(_, ready)| *ready)
    }
}

fn spread<'a>(looks: impl IntoIterator<Item = &'a Look<'a>>) -> Percentiles {
    let (mut behind, mut unanswered) = (Vec::new(), 0);
    for look in looks {
        match look.behind_us {
            Some(us) => behind.push((us, look.seq)),
            None => unanswered += 1,
        }
    }
    behind.sort_unstable();
    let Some((max_us, max_in)) = behind.last().copied() else {
        return Percentiles { unanswered, ..Percentiles::default() };
    };
    let percentile = |hundredths: usize| behind[(behind.len() * hundredths).div_ceil(100) - 1].0;
    let (p50_us, p99_us) = (percentile(50), percentile(99));
    Percentiles { looks: behind.len(), unanswered, p50_us, p99_us, max_us, max_in }
}
