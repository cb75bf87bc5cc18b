//! How far behind replicas are while nothing happens to them.

use crate::evidence::Evidence;

use super::{
    super::{
        Check, Finding,
        measure::{Measures, Spread},
        opinion::{Judged, judged},
        words::milliseconds,
    },
    has_replicas,
};

pub(in super::super) const READ_LAG_IS_BOUNDED: Check = Check {
    id: "replication::read_lag_is_bounded",
    statement: "While nothing is disrupted, a replica MUST show what was acknowledged within the budget, in 99 of 100 \
                looks.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-solutions-scaleout.html",
    explain: "\
Whoever reads from a replica reads the past; how far back is part of what the workload promises.
While it writes, the witness looks at every replica, again and again: how long had the oldest write been acknowledged
that it did not show yet? Looks between a disruption and rest do not count: until every replica has caught up, after the
recovery, with what was written up to it, or the scenario has ended. Of the others the 99th percentile of every replica
must be within the budget; less than 20 of them decide nothing.
This measures what clients see. Seconds_Behind_Source does not: it is 0 on a replica that has lost its source.
Usually wrong: SOURCE_DELAY is set; a replica applies with one thread what its source commits with many; or its disk is
slower than that of the source.",
    scenarios: &["replicate", "settle"],
    minimum: &[],
    judge: read_lag_is_bounded,
};

/// So many looks are enough to decide by; where they are fewer than a hundred, none may be late.
const FEWEST: usize = 20;

fn read_lag_is_bounded(evidence: &Evidence) -> Finding {
    judged(evidence, |case, opinion| {
        has_replicas(case)?;
        let measures = Measures::taken(case);
        let Some(ledger) = measures.ledger else {
            return Err(Finding::inconclusive("the witness wrote nothing, so nobody looked for it on replicas", []));
        };
        let budget_us = case.run.budgets.lag_ms * 1000;
        let mut told = Vec::new();
        for pod in case.subject.replica_pods() {
            let lag = ledger.lag_at_rest.iter().find(|at_rest| at_rest.pod == pod).map(|at_rest| at_rest.lag);
            if let Some(lag) = opinion.weigh(bounded(&pod, lag.unwrap_or_default(), budget_us)) {
                opinion.prove([lag.max_in]);
                told.push(format!("{pod} by {}", words(&lag)));
            }
        }
        Ok(format!("behind at rest: {}", told.join("; ")))
    })
}

fn bounded(pod: &str, lag: Spread, budget_us: u64) -> Judged<Spread> {
    if lag.looks < FEWEST {
        let Spread { looks, unanswered, .. } = lag;
        let unanswered = if unanswered > 0 { format!(", and {unanswered} without an answer") } else { String::new() };
        let reason = format!("{pod} was looked at {looks} times at rest{unanswered}: {FEWEST} are needed to decide");
        return Err(Finding::inconclusive(reason, []));
    }
    if lag.p99_us <= budget_us {
        return Ok(lag);
    }
    let (budget, seq) = (milliseconds(budget_us), lag.max_in);
    let reason = format!("{pod} was behind at rest by {}, not within {budget} (#{seq})", words(&lag));
    Err(Finding::fail(reason, [seq]))
}

fn words(lag: &Spread) -> String {
    let [p50, p99, max] = [lag.p50_us, lag.p99_us, lag.max_us].map(milliseconds);
    format!("{p50} in half of {} looks, {p99} in 99 of 100, {max} at most", lag.looks)
}
