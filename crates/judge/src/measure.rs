//! What disruptions cost, in numbers: pure functions of the evidence, for judges and reports alike.
//!
//! - A *disruption* begins with an act that disturbs the workload. Acts that follow before every replica has caught up
//!   belong to it, such as the one that ends it; it is over with its scenario at the latest.
//! - The *time to recover* counts from the disruption's last act until the last replica has reached a barrier that was
//!   asked for after that act.
//! - An *outage* is the time between two acknowledgements that follow one another, as far as somebody wanted to write:
//!   it begins when the first write after the earlier one was sent. While the ledger rests there is none. The last one
//!   may have no end; it lasts as long as somebody still tried.
//! - That there was no outage is known only of times in which somebody wanted to write. The ledger rests on purpose while
//!   servers are compared, which is after the recovery, or after an upgrade's step; where it rests before, the evidence
//!   says nothing of writes.
//! - *Lag* is for how long a replica had not shown what was acknowledged, look by look.
//! - The workload is *at rest* before the first disruption, and after each one once every replica has reached a barrier
//!   that was asked for after the recovery, or the scenario has ended: the barrier before stands for what the primary had
//!   when it was asked for, and replicas that had lost their source may still be busy with what came meanwhile.
//!
//! The witness has a clock of its own, which the log's [`Clocks`](crate::evidence::Clocks) tell the other's time of. Where
//! these two do not agree, for a machine slept or was halted, an outage and a lag are as long as the one says that counted
//! more.

mod disruption;
mod lag;
#[cfg(test)]
mod tests;
mod writes;

use serde::Serialize;

use crate::evidence::Checkpoint;

use super::case::Case;

pub use disruption::{Disruption, Impact};
pub use lag::{Percentiles, Silence};
pub use writes::{Outage, Outcomes, Waited};

use lag::Looks;
use writes::Writes;

/// What a run's disruptions cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Measures {
    /// The disruptions, in order.
    pub disruptions: Vec<Disruption>,
    /// The ledger as a whole, where there was one.
    pub ledger: Option<Overall>,
}

/// What the ledger came to, over the whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overall {
    /// What became of the writes.
    pub writes: Outcomes,
    /// Acknowledged writes that waited for a replica.
    pub semi_sync: u64,
    /// The same of those that ended while the workload was at rest.
    pub waited_at_rest: Waited,
    /// Acknowledged writes a second, from the first write to the last.
    pub per_second: f64,
    /// The longest outage.
    pub longest_outage: Option<Outage>,
    /// How far behind each replica was while the workload was at rest.
    pub lag_at_rest: Vec<AtRest>,
}

/// How far behind a replica was while the workload was at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AtRest {
    /// The replica.
    pub pod: String,
    /// How far.
    #[serde(flatten)]
    pub lag: Percentiles,
    /// What it did not show in time.
    #[serde(skip)]
    pub silence: Silence,
}

/// The longest time without an acknowledged write, in microseconds, in each of these windows of the log's clock, at the end
/// of each of which a state is read; nothing where nobody wrote for a while. The windows are in order.
pub(super) fn longest_outages(case: &Case<'_>, windows: &[(u64, u64)]) -> Vec<Option<u64>> {
    let Some(writes) = Writes::of(case) else { return vec![None; windows.len()] };
    // The servers are asked for their part of the state while the ledger rests.
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

/// The same of everything that the witness ever wrote.
pub(super) fn longest_outage_ever(case: &Case<'_>) -> Option<u64> {
    writes::longest_ever(case)
}

impl Measures {
    /// Takes the measures of a run that started.
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
