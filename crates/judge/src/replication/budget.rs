//! Whether the workload recovers in time from every disruption.

use super::has_replicas;
use crate::assessment::{Judged, judged};
use crate::case::{Case, Seen, out_of_time};
use crate::evidence::{Question, Scenario};
use crate::measure::{Disruption, Impact};
use crate::minimum::Need;
use crate::words::seconds;
use crate::{CaseFile, Check, Finding};

pub(crate) const RECOVERS_WITHIN_BUDGET: Check = Check {
    id: "replication::recovers_within_budget",
    statement: "After each disruption writes MUST be acknowledged again, and each replica MUST reach the primary's \
                transactions, within the budgets.",
    source: "https://dev.mysql.com/doc/refman/8.4/en/replication-solutions.html and \
             https://kubernetes.io/docs/concepts/workloads/pods/disruptions/",
    explain: "\
A workload must not only recover, but recover soon enough.
Two times are measured for each disruption of the run. Recovery is the time from its last act until the last replica has
reached a barrier that was requested after it. The outage is the longest time in which no write of the witness was
acknowledged, although it writes all the time; for seconds in which nothing tried to write, the outage is unknown.
`--budget` sets the budget of each. The default is two minutes, which allows for a shutdown, a start and crash recovery
on a slow machine. Set lower budgets if your clients tolerate less.
Common causes: a readiness probe waits longer than the server needs; the grace period is used up because the server does
not get the signal; SOURCE_CONNECT_RETRY has its default of 60 s; or a liveness probe interrupts crash recovery.",
    scenarios: &DISRUPTIVE,
    minimum: &[Need::Acts, Need::Sql(Question::Barrier)],
    judge: recovers_within_budget,
};

/// All scenarios from which a workload must recover, with those that the ledger needs. `claims` is not among them: the
/// pods that come back in it are meant to be empty.
pub(super) const DISRUPTIVE: [Scenario; 15] = [
    Scenario::Replicate,
    Scenario::Restart,
    Scenario::Unready,
    Scenario::ServerKill,
    Scenario::DeleteAll,
    Scenario::Scale,
    Scenario::Grow,
    Scenario::Roll,
    Scenario::Drain,
    Scenario::NodePause,
    Scenario::NodeStop,
    Scenario::PowerCut,
    Scenario::DnsReplace,
    Scenario::ApiserverKill,
    Scenario::Settle,
];

fn recovers_within_budget(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        has_replicas(case)?;
        let disruptions = of_interest(&file.measures().disruptions);
        if disruptions.is_empty() {
            return Err(undisrupted(case, "there was nothing to recover from"));
        }
        for disruption in &disruptions {
            let recovered = assessment.check(recovers(case, disruption));
            assessment.cite(recovered);
            assessment.check(is_written_to(case, disruption));
        }
        let slowest = disruptions.iter().max_by_key(|it| it.recovery_us());
        let recovery = slowest.and_then(|it| Some((seconds(it.recovery_us()?), it.title())));
        let outages = disruptions.iter().filter_map(|it| Some((it.impact.as_ref()?.longest_outage?.us(), it)));
        let outage = outages.max_by_key(|(us, _)| *us).map(|(us, it)| (seconds(us), it.title()));
        let (took, of) = recovery.unwrap_or_default();
        let (out, by) = outage.unwrap_or_default();
        Ok(format!(
            "{} disruptions: recovered from after {took} at most ({of}), and without an acknowledged write for {out} \
             at most ({by})",
            disruptions.len()
        ))
    })
}

/// Scenarios among [`DISRUPTIVE`] that only serve the ledger.
const OF_THE_LEDGER: [Scenario; 2] = [Scenario::Replicate, Scenario::Settle];

/// The finding if nothing was disrupted: skipped if the workload must not be disrupted.
pub(super) fn undisrupted(case: &Case<'_>, so: &str) -> Finding {
    let disrupts = |scenario: Scenario| DISRUPTIVE.contains(&scenario) && !OF_THE_LEDGER.contains(&scenario);
    let left_out = case.run.left_out.iter().find(|part| disrupts(part.scenario));
    match left_out {
        Some(part) if !case.run.scenarios.iter().any(|scenario| disrupts(*scenario)) => {
            Finding::skipped(format!("nothing was disrupted: {}", part.why))
        }
        _ => Finding::inconclusive(format!("nothing was disrupted, so {so}"), []),
    }
}

/// The disruptions of scenarios from which a workload must recover.
pub(super) fn of_interest(disruptions: &[Disruption]) -> Vec<&Disruption> {
    disruptions.iter().filter(|it| it.scenario.is_some_and(|it| DISRUPTIVE.contains(&it))).collect()
}

/// Checks that every replica caught up in time, and returns the record that shows it.
fn recovers(case: &Case<'_>, disruption: &Disruption) -> Judged<u64> {
    let title = disruption.title();
    let (began, ceased) = (disruption.began().seq, disruption.ceased().seq);
    let Some((recovered, took)) = disruption.recovered.zip(disruption.recovery_us()) else {
        return Err(unrecovered(case, disruption, &title));
    };
    took_place(disruption)?;
    let budget = case.run.budgets.recovery_ms.saturating_mul(1000);
    if case.is_within(&format!("{title}: how long it took"), (disruption.ceased(), recovered), budget)? {
        return Ok(recovered.seq);
    }
    let (took, budget, seq) = (seconds(took), seconds(budget), recovered.seq);
    let reason =
        format!("{title}: every replica had caught up only after {took}, not within {budget} (#{ceased}, #{seq})");
    Err(Finding::fail(reason, [began, ceased, seq]))
}

/// Checks that all acts of a disruption are proved.
pub(super) fn took_place(disruption: &Disruption) -> Judged<()> {
    let Some(part) = disruption.acts.iter().find(|part| !part.proved) else { return Ok(()) };
    let (act, seq) = (&part.act, part.asked.seq);
    let reason = format!("the act `{act}` is not proved, so there was nothing to recover from (#{seq})");
    Err(Finding::inconclusive(reason, [seq]))
}

/// Checks that the ledger wanted to write during all of the disruption.
pub(super) fn was_written_to(disruption: &Disruption) -> Judged<&Impact> {
    let (title, seq) = (disruption.title(), disruption.began().seq);
    let reason = match &disruption.impact {
        None => format!("{title}: the witness did not write during it (#{seq})"),
        Some(Impact { unwritten_us: Some(us), .. }) => {
            format!("{title}: nothing tried to write for {}, so an outage would not show (#{seq})", seconds(*us))
        }
        Some(impact) => return Ok(impact),
    };
    Err(Finding::inconclusive(reason, [seq]))
}

/// The finding about a disruption without a recovery.
fn unrecovered(case: &Case<'_>, disruption: &Disruption, title: &str) -> Finding {
    let (ceased, until) = (disruption.ceased().seq, disruption.until.seq);
    let within = |sql: &Seen<'_, _>| (ceased..=until).contains(&sql.mark.seq);
    let barriers: Vec<_> = case.heard().filter(|sql| sql.question == Question::Barrier && within(sql)).collect();
    let missed = barriers.iter().rfind(|barrier| barrier.value("reached").is_ok_and(|reached| reached != "1"));
    if let Some(missed) = missed {
        let (pod, seq) = (&missed.pod, missed.mark.seq);
        return Finding::fail(
            format!("{title}: {pod} had not caught up at the end (#{ceased}, #{seq})"),
            [ceased, seq],
        );
    }
    let unproven = || barriers.iter().rev().find_map(|barrier| case.unproven(barrier));
    match case.unmet_wait(disruption.began().seq, until) {
        Some(wait) => wait.blame(format!("{title}: no recovery (#{ceased}): {wait}"), [ceased, wait.mark.seq]),
        None => {
            let why = unproven().map_or(String::new(), |unproven| format!(": {}", unproven.reason));
            Finding::inconclusive(format!("{title}: not all replicas were seen to catch up (#{ceased}){why}"), [ceased])
        }
    }
}

/// Checks that writes were acknowledged again in time.
fn is_written_to(case: &Case<'_>, disruption: &Disruption) -> Judged<()> {
    let (title, seq) = (disruption.title(), disruption.began().seq);
    let outage = disruption.impact.as_ref().and_then(|impact| impact.longest_outage);
    let (out, budget) = (outage.map_or(0, |outage| outage.us()), case.run.budgets.outage_ms.saturating_mul(1000));
    if out <= budget {
        return was_written_to(disruption).map(drop);
    }
    if let Some(outage) = outage.filter(|outage| outage.least_us <= budget) {
        let doubt = case.clocks.lasted(outage.from_us, outage.to_us).doubt;
        return Err(out_of_time(&format!("{title}: the time without an acknowledged write"), doubt, [seq]));
    }
    let (out, budget) = (seconds(out), seconds(budget));
    Err(Finding::fail(format!("{title}: no write was acknowledged for {out}, not within {budget} (#{seq})"), [seq]))
}
