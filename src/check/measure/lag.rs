//! How far behind replicas were.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{super::case::Case, AtRest, Disruption, disruption::at_rest, writes::moved};

/// How far behind looks found a replica, in microseconds. A percentile is the least value that so many of a hundred
/// looks do not exceed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Looks that were answered.
    pub looks: usize,
    /// Looks that were not.
    pub unanswered: usize,
    /// The median.
    pub p50_us: u64,
    /// What 99 of 100 looks do not exceed.
    pub p99_us: u64,
    /// The most.
    pub max_us: u64,
    /// The record that the most is in.
    #[serde(skip)]
    pub max_in: u64,
}

/// A look at a replica.
struct Look<'a> {
    at_us: u64,
    pod: &'a str,
    behind_us: Option<u64>,
    /// The record that it is in.
    seq: u64,
}

/// All looks at replicas, in order.
pub(super) struct Looks<'a> {
    all: Vec<Look<'a>>,
}

impl<'a> Looks<'a> {
    /// The looks of a run, on the log's clock.
    pub fn of(case: &Case<'a>, offset_us: i64) -> Self {
        let looks = case.entries().flat_map(|entries| {
            let seq = entries.mark.seq;
            entries.it.lags.iter().map(move |lag| Look {
                at_us: moved(lag.at_us, offset_us),
                pod: &lag.pod,
                behind_us: lag.behind_us,
                seq,
            })
        });
        let mut all: Vec<Look<'a>> = looks.collect();
        all.sort_by_key(|look| look.at_us);
        Self { all }
    }

    /// What the looks at all replicas in this window found; nothing where there was none.
    pub fn within(&self, from_us: u64, to_us: u64) -> Option<Spread> {
        let place = |us: u64| self.all.partition_point(|look| look.at_us < us);
        let looks = &self.all[place(from_us)..place(to_us.saturating_add(1))];
        (!looks.is_empty()).then(|| spread(looks))
    }

    /// What the looks at each replica found while the workload was at rest. The disruptions are in order.
    pub fn at_rest(&self, disruptions: &[Disruption]) -> Vec<AtRest> {
        let mut by_pod: BTreeMap<&str, Vec<&Look<'_>>> = BTreeMap::new();
        for look in at_rest(&self.all, |look| look.at_us, disruptions) {
            by_pod.entry(look.pod).or_default().push(look);
        }
        by_pod.into_iter().map(|(pod, looks)| AtRest { pod: pod.to_owned(), lag: spread(looks) }).collect()
    }
}

fn spread<'a>(looks: impl IntoIterator<Item = &'a Look<'a>>) -> Spread {
    let (mut behind, mut unanswered) = (Vec::new(), 0);
    for look in looks {
        match look.behind_us {
            Some(us) => behind.push((us, look.seq)),
            None => unanswered += 1,
        }
    }
    behind.sort_unstable();
    let Some((max_us, max_in)) = behind.last().copied() else { return Spread { unanswered, ..Spread::default() } };
    let percentile = |hundredths: usize| behind[(behind.len() * hundredths).div_ceil(100) - 1].0;
    let (p50_us, p99_us) = (percentile(50), percentile(99));
    Spread { looks: behind.len(), unanswered, p50_us, p99_us, max_us, max_in }
}
