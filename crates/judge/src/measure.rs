//! What disruptions cost, in numbers: pure functions of the evidence, for judges and reports.
//!
//! - A *disruption* begins with an act that disturbs the workload. Later acts belong to it until every replica has
//!   caught up, such as the act that undoes the disturbance. It ends with its scenario at the latest.
//! - The *time to recover* counts from the disruption's last act until the last replica has reached a barrier that was
//!   asked for after that act.
//! - An *outage* is the time between two successive acknowledgements, as far as a writer wanted to write: it begins
//!   when the first write after the earlier acknowledgement was sent. There is none while the ledger is paused. The
//!   last outage may have no end; it lasts until the last attempt to write.
//! - The absence of an outage is only known for times in which a writer wanted to write. The ledger is paused on
//!   purpose while servers are compared, which is after the recovery or after a step of an upgrade. If it is paused
//!   earlier, the evidence says nothing about writes.
//! - *Lag* is the age of the oldest acknowledged write that a replica did not show, sample by sample.
//! - The workload is *at rest* before the first disruption, and after each disruption once every replica has reached a
//!   barrier that was asked for after the recovery, or once the scenario has ended. The first barrier is not enough: it
//!   covers what the primary had when it was asked for, and replicas that had lost their source may still be applying
//!   later writes.
//!
//! The witness has its own clock, which [`Clocks`](crate::evidence::Clocks) converts to the log's. If the two disagree
//! because a machine slept or was halted, the duration of an outage or a lag is that of the clock that counted more.

mod disruption;
mod lag;
#[cfg(test)]
mod tests;
mod writes;

use serde::Serialize;

use super::case::Case;
use crate::evidence::Checkpoint;

pub use disruption::{Disruption, Impact};
pub use lag::{Percentiles, Silence};
pub use writes::{Outage, Outcomes, Waited};

use lag::Looks;
use writes::Writes;

/// The costs of a run's disruptions.
#[derive(Debug, Clone, PartialEq)]
pub struct Measures {
    /// The disruptions, in order.
    pub disruptions: Vec<Disruption>,
    /// The ledger as a whole, if there was one.
    pub ledger: Option<Overall>,
}

/// The ledger's results over the whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overall {
    /// The outcomes of the writes.
    pub writes: Outcomes,
    /// The number of acknowledged writes that waited for a replica.
    pub semi_sync: u64,
    /// The share of writes that waited for a replica, among those that ended while the workload was at rest.
    pub waited_at_rest: Waited,
    /// Acknowledged writes per second, from the first write to the last.
    pub per_second: f64,
    /// The longest outage.
    pub longest_outage: Option<Outage>,
    /// The lag of each replica while the workload was at rest.
    pub lag_at_rest: Vec<AtRest>,
}

/// The lag of a replica while the workload was at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtRest {
    /// The replica.
    pub pod: String,
    /// The distribution of its lag.
    #[serde(flatten)]
    pub lag: Percentiles,
    /// Samples that were late or missing.
    #[serde(skip)]
    pub silence: Silence,
}

/// The longest time without an acknowledged write, in microseconds, in each window of the log's clock; `None` if the
/// ledger was not written to for too long. A state is read at the end of each window. The windows must be in order.
pub(super) fn longest_outages(case: &Case<'_>, windows: &[(u64, u64)]) -> Vec<Option<u64>> {
    let Some(writes) = Writes::of(case) else { return vec![None; windows.len()] };
    // The ledger is paused while the servers are asked for their part of the state.
    let of_state = case.heard().filter(|sql| matches!(sql.it.checkpoint, Checkpoint::Upgrading { .. }));
    let mut asked: Vec<u64> = of_state.map(|sql| sql.asked_us()).collect();
    asked.sort_unstable();
    let longest = |(from_us, to_us): &(u64, u64)| {
        let rests = asked.get(asked.partition_point(|us| us <= from_us)).copied().unwrap_or(*to_us);
        let rested = writes.rested_in_step(*from_us, rests.min(*to_us));
        if rested { None } else { writes.longest_within(*from_us, *to_us) }
    };
    windows.iter().map(longest).collect()
}

/// The longest time without an acknowledged write over everything that the witness ever wrote, in microseconds.
pub(super) fn longest_outage_ever(case: &Case<'_>) -> Option<u64> {
    writes::longest_ever(case)
}

impl Measures {
    /// The measures of a run that started.
    pub(super) fn of(case: &Case<'_>) -> Self {
        let mut disruptions = disruption::disruptions(case);
        let Some(writes) = Writes::of(case) else { return Self { disruptions, ledger: None } };
        let looks = Looks::of(case);
        for disruption in &mut disruptions {
            let (from, to) = disruption.window_us();
            let unwritten_us = writes.too_long_idle_us(from, disruption.wanted_until_us());
            disruption.impact = writes.within(from, to).map(|(outcomes, longest_outage)| Impact {
                longest_outage,
                unwritten_us,
                writes: outcomes,
                lag: looks.within(from, to),
            });
        }
        let ledger = writes.overall(looks.at_rest(case, &disruptions), &disruptions);
        Self { disruptions, ledger: Some(ledger) }
    }
}
