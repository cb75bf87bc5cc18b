//! The lag of replicas while nothing is disrupted.

use super::has_replicas;
use crate::assessment::{Judged, judged};
use crate::evidence::Scenario;
use crate::measure::{AtRest, Percentiles};
use crate::words::milliseconds;
use crate::{CaseFile, Check, Finding};

pub(crate) const READ_LAG_IS_BOUNDED: Check = Check {
    id: "replication::read_lag_is_bounded",
    statement: "While nothing is disrupted, a replica MUST show acknowledged writes within the budget in 99 of 100 \
                reads.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-solutions-scaleout.html",
    explain: "\
A read from a replica returns older data. How old it may be is part of what the workload promises.
While it writes, the witness reads from each replica again and again. The lag is the time since the acknowledgement of
the oldest write that the replica does not show yet. Reads do not count from a disruption until all replicas have caught
up with what was written until the recovery, or until the scenario ends. Of the other reads the 99th percentile of each
replica must be within the budget; fewer than 20 reads decide nothing. A read without an answer counts as late: more
than one in ten while the pod is Ready is a failure, and more than one in a hundred is inconclusive. This measures what
clients see. Seconds_Behind_Source does not: it is 0 on a replica that has lost its source.
Common causes: SOURCE_DELAY is set; a replica applies with one thread what its source commits with many; or the
replica's disk is slower than the source's.",
    scenarios: &[Scenario::Replicate, Scenario::Settle],
    minimum: &[],
    judge: read_lag_is_bounded,
};

/// The number of samples that is enough to decide. If there are fewer than [`LATE`] samples, none may be late.
const FEWEST: usize = 20;

/// One sample in this many may be late or unanswered.
const LATE: usize = 100;

/// If more than one sample in this many is unanswered while the pod is Ready, the replica is at fault. Between this and
/// [`LATE`] it is inconclusive: a busy machine delays some answers, but not for as long as this takes, at two seconds
/// each.
const SILENT: usize = 10;

fn read_lag_is_bounded(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_replicas(case)?;
        let Some(ledger) = &file.measures().ledger else {
            return Err(Finding::inconclusive(
                "the witness wrote nothing, so there was nothing to read on replicas",
                [],
            ));
        };
        let budget_us = case.run.budgets.lag_ms.saturating_mul(1000);
        let mut told = Vec::new();
        for pod in case.subject.replica_pods() {
            let at_rest = ledger.lag_at_rest.iter().find(|at_rest| at_rest.pod == pod);
            let bounded = match at_rest {
                Some(at_rest) => bounded(at_rest, budget_us),
                None => Err(too_few(&pod, &Percentiles::default())),
            };
            if let Some(lag) = assessment.check(bounded) {
                assessment.cite([lag.max_in]);
                told.push(format!("{pod} by {}", words(&lag)));
            }
        }
        Ok(format!("behind at rest: {}", told.join("; ")))
    })
}

/// Checks that a replica showed acknowledged writes in time. An unanswered sample shows nothing, so it counts as late.
fn bounded(AtRest { pod, lag, silence }: &AtRest, budget_us: u64) -> Judged<Percentiles> {
    let all = lag.looks + lag.unanswered;
    if all < FEWEST || silence.unheard {
        return Err(too_few(pod, lag));
    }
    if lag.looks >= FEWEST && lag.p99_us > budget_us {
        let (budget, seq) = (milliseconds(budget_us), lag.max_in);
        let reason = format!("{pod} was behind at rest by {}, not within {budget} (#{seq})", words(lag));
        return Err(Finding::fail(reason, [seq]));
    }
    let (unanswered, late) = (lag.unanswered, silence.late);
    if silence.while_ready * SILENT > all {
        let (silent, seq) = (silence.while_ready, silence.first_in);
        let reason = format!("{pod} was Ready but did not answer {silent} of {all} reads at rest (#{seq})");
        return Err(Finding::fail(reason, [seq]));
    }
    if (unanswered + late) * LATE > all {
        let reason = format!("of {all} reads from {pod} at rest {unanswered} had no answer and {late} were late");
        return Err(Finding::inconclusive(reason, [silence.first_in]));
    }
    if lag.looks < FEWEST { Err(too_few(pod, lag)) } else { Ok(*lag) }
}

fn too_few(pod: &str, lag: &Percentiles) -> Finding {
    let Percentiles { looks, unanswered, .. } = lag;
    let unanswered = if *unanswered > 0 { format!(", and {unanswered} without an answer") } else { String::new() };
    let reason = format!("{pod} was read from {looks} times at rest{unanswered}: {FEWEST} reads are needed to decide");
    Finding::inconclusive(reason, [])
}

fn words(lag: &Percentiles) -> String {
    let [p50, p99, max] = [lag.p50_us, lag.p99_us, lag.max_us].map(milliseconds);
    let unanswered =
        if lag.unanswered > 0 { format!("; {} more had no answer", lag.unanswered) } else { String::new() };
    format!("{p50} in half of {} reads, {p99} in 99 of 100, {max} at most{unanswered}", lag.looks)
}

#[cfg(test)]
mod tests;
