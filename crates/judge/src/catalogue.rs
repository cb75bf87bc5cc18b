//! The list of checks, and the rules that apply to all of them.

use super::case::Case;
use super::{
    CaseFile, Cause, Check, Finding, Verdict, dns, identity, minimum, ordering, persistence, replication, upgrade,
};
use crate::evidence::{Evidence, Phase, Scenario, Step, What};

#[cfg(test)]
mod tests;

/// Every check of an ordinary run, in the order of reports.
pub static CATALOGUE: &[Check] = &[
    ordering::STARTS_IN_ORDINAL_ORDER,
    ordering::READY_MEANS_SERVING,
    ordering::HALTS_WHILE_PREDECESSOR_UNREADY,
    ordering::SCALES_DOWN_IN_REVERSE,
    ordering::NO_DEADLOCK_ON_FAILED_PREDECESSOR,
    ordering::AT_MOST_ONE_POD_PER_ORDINAL,
    ordering::ROLLS_HIGHEST_ORDINAL_FIRST,
    ordering::PARTITION_IS_RESPECTED,
    ordering::STUCK_ROLLOUT_RECOVERS,
    ordering::REAPPLY_CHANGES_NOTHING,
    ordering::PARALLEL_PODS_DO_NOT_WAIT,
    ordering::WAITS_FOR_MIN_READY_SECONDS,
    ordering::RESPECTS_MAX_UNAVAILABLE,
    identity::HOSTNAME_IS_POD_NAME,
    identity::IDENTITY_SURVIVES_RESTART,
    identity::SERVER_IDS_ARE_DISTINCT,
    identity::POD_INDEX_LABEL_MATCHES,
    identity::CONTAINERS_RESTART_ONLY_WHEN_DISRUPTED,
    identity::SERVERS_STOP_WITHIN_THEIR_GRACE,
    dns::SERVICE_RESOLVES_TO_READY_PODS,
    dns::EACH_POD_HAS_ITS_NAME,
    dns::SRV_LISTS_EVERY_POD,
    dns::PTR_POINTS_BACK,
    dns::NAME_FOLLOWS_THE_POD,
    dns::ABSENT_POD_IS_NXDOMAIN,
    dns::SHORT_NAMES_RESOLVE,
    dns::UNREADY_POD_LEAVES_DNS,
    persistence::ROWS_SURVIVE_POD_DELETION,
    persistence::SAME_VOLUME_RETURNS,
    persistence::CLAIMS_SURVIVE_SCALE_DOWN,
    persistence::CLAIM_POLICY_IS_HONOURED,
    persistence::DURABILITY_SETTINGS,
    persistence::ACKNOWLEDGED_WRITES_SURVIVE_POWER_LOSS,
    persistence::STARTS_AFTER_POWER_LOSS,
    persistence::TEARDOWN_LEAVES_NOTHING,
    replication::REPLICAS_FOLLOW_BY_STABLE_NAME,
    replication::REPLICAS_HOLD_THE_SAME_ROWS,
    replication::REPLICAS_REFUSE_WRITES,
    replication::PRIMARY_RECREATED_REPLICAS_RESUME,
    replication::REPLICA_RECREATED_CATCHES_UP,
    replication::NO_ACKNOWLEDGED_WRITE_IS_LOST,
    replication::RECOVERS_WITHIN_BUDGET,
    replication::NEW_REPLICA_JOINS,
    replication::READ_LAG_IS_BOUNDED,
    replication::COMMITS_WAIT_FOR_A_REPLICA,
    replication::REPLICAS_AGREE_AFTER_POWER_LOSS,
];

/// The checks of a cluster upgrade, which no ordinary run includes.
pub static UPGRADE_CHECKS: &[Check] = &[
    upgrade::CONTROL_PLANE_UPGRADE_TOUCHES_NO_POD,
    upgrade::NODE_UPGRADE_MOVES_ONE_AT_A_TIME,
    upgrade::STATE_IS_EQUAL_BEFORE_AND_AFTER,
    upgrade::DNS_MATRIX_IS_EQUAL,
    upgrade::WRITES_SURVIVE_THE_UPGRADE,
    upgrade::NEW_VERSION_STILL_CONFORMS,
];

/// All checks.
pub fn all() -> impl Iterator<Item = &'static Check> {
    CATALOGUE.iter().chain(UPGRADE_CHECKS)
}

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}

/// Judges the evidence. A pass becomes inconclusive if a scenario that the check needs did not complete. A scenario
/// that the run must leave out does not count against a check that also needs others.
pub(super) fn judge(check: &Check, file: &CaseFile<'_>) -> Finding {
    let case = file.case();
    let needed = check.scenarios.iter().copied().filter(|scenario| case.run.left_out(*scenario).is_none());
    let needed: Vec<Scenario> = needed.collect();
    if needed.is_empty() {
        // A failure stands, whatever was done to the workload.
        let finding = (check.judge)(file);
        return if finding.verdict == Verdict::Fail { finding } else { all_left_out(case, check.scenarios) };
    }
    let missing: Vec<_> = needed.iter().copied().filter(|scenario| !case.run.acts(*scenario)).collect();
    if missing.len() == needed.len() {
        return not_part(&missing);
    }
    let finding = (check.judge)(file);
    match finding.verdict {
        Verdict::Fail | Verdict::Skipped => return finding,
        // The reason why acts are missing says more than what was not observed of them.
        Verdict::Inconclusive => {
            let unbegun =
                |scenario: &&Scenario| !missing.contains(scenario) && case.outer_steps(**scenario).next().is_none();
            let unbegun = needed.iter().find(unbegun).and_then(|scenario| cut_short(case, *scenario));
            return unbegun.unwrap_or_else(|| for_want_of_a_scenario(case, &needed, finding));
        }
        Verdict::Pass => {}
    }
    if !missing.is_empty() {
        return not_part(&missing);
    }
    let doubt = needed.iter().find_map(|scenario| cut_short(case, *scenario));
    doubt.or_else(|| minimum::missing(case, check)).unwrap_or(finding)
}

/// The check is skipped if the run must leave out all scenarios that it needs.
fn all_left_out(case: &Case<'_>, scenarios: &[Scenario]) -> Finding {
    let why = |scenario: &Scenario| {
        let part = case.run.left_out(*scenario)?;
        Some(format!("{scenario} was left out: {}", part.why))
    };
    Finding::skipped(scenarios.iter().filter_map(why).collect::<Vec<_>>().join("; "))
}

fn not_part(missing: &[Scenario]) -> Finding {
    let scenarios = if missing.len() == 1 { "scenario" } else { "scenarios" };
    let was = if missing.len() == 1 { "was" } else { "were" };
    Finding::inconclusive(
        format!("the {scenarios} {} {was} not part of this run", Scenario::names(missing.iter().copied())),
        [],
    )
}

/// Adds the cause to an inconclusive finding: a scenario that the check needs was cut short, and no evidence from
/// before it speaks against the check.
fn for_want_of_a_scenario(case: &Case<'_>, needed: &[Scenario], doubt: Finding) -> Finding {
    let cut = needed.iter().copied().filter(|scenario| case.run.acts(*scenario));
    let Some((begin, cause)) = cut.filter_map(|it| Some((case.span(it).0, cut_short(case, it)?.cause?))).next() else {
        return doubt;
    };
    if doubt.evidence.iter().any(|seq| *seq < begin) {
        return doubt;
    }
    // A finding without evidence only says that nobody asked; the scenario's failure says more.
    let so = if doubt.evidence.is_empty() { cause.so.clone() } else { doubt.reason.clone() };
    Finding { cause: Some(Cause { so, ..cause }), ..doubt }
}

/// The inconclusive finding about a scenario that did not complete.
fn cut_short(case: &Case<'_>, scenario: Scenario) -> Option<Finding> {
    let Some(last) = case.outer_steps(scenario).last() else {
        let told = told(case, scenario);
        let cause = told.as_ref().map(|told| root(case, told));
        return Some(because(format!("the scenario {scenario} did not start"), None, told, cause));
    };
    let seq = last.mark.seq;
    match &last.it.phase {
        Phase::End => unbegun(case, scenario).or_else(|| failed_within(case, scenario)),
        Phase::Begin => {
            let note = case.notes_since(seq).next_back();
            let note = note.map(|note| (note.it.message.clone(), note.mark.seq));
            let doubt = format!("the scenario {scenario} did not end (#{seq})");
            Some(because(doubt, Some(seq), note.clone(), note))
        }
        Phase::Failed(why) => {
            let cause = Some((format!("{scenario}: {why}"), seq));
            Some(because(format!("the scenario {scenario} was cut short"), None, Some((why.clone(), seq)), cause))
        }
    }
}

/// The inconclusive finding about a scenario that ended but was not seen to begin.
fn unbegun(case: &Case<'_>, scenario: Scenario) -> Option<Finding> {
    let began = case.outer_steps(scenario).any(|step| step.phase == Phase::Begin);
    (!began).then(|| Finding::inconclusive(format!("the start of the scenario {scenario} was not recorded"), []))
}

/// The inconclusive finding about a scenario that ended although one of its steps failed.
fn failed_within(case: &Case<'_>, scenario: Scenario) -> Option<Finding> {
    case.steps().filter(|step| step.scenario == Some(scenario)).find_map(|step| match &step.it.phase {
        Phase::Failed(why) => {
            let (name, seq) = (&step.name, step.mark.seq);
            let reason = format!("a step of the scenario {scenario} failed: {name}: {why} (#{seq})");
            Some(Finding::inconclusive(reason, [seq]))
        }
        _ => None,
    })
}

/// Why a scenario did not begin: the run itself failed, the workload did not recover from another scenario, a scenario
/// that this one needs failed, or somebody interrupted the run.
fn told(case: &Case<'_>, scenario: Scenario) -> Option<(String, u64)> {
    // Deleting the cluster comes last: its failure hinders no scenario.
    let of_run = failed(case).rfind(|(step, ..)| step.scenario.is_none() && step.name != "delete the cluster");
    // `settle` and `teardown` run even after the run stopped disrupting.
    let stop = case.stopped().filter(|_| ![Scenario::Settle, Scenario::Teardown].contains(&scenario));
    let of_stop = || stop.map(|(mark, note)| (note.message.clone(), mark.seq));
    let of_foundation = || failed(case).find(|(step, ..)| step.whole().is_some() && scenario != Scenario::Teardown);
    let of_run = of_run.map(|(_, why, seq)| (why, seq));
    let of_step = of_run.or_else(of_stop).or_else(|| of_foundation().map(|(_, why, seq)| (why, seq)));
    of_step.or_else(|| case.notes().last().map(|note| (note.it.message.clone(), note.mark.seq)))
}

/// The failed steps, each with its reason and its record.
fn failed<'a>(case: &Case<'a>) -> impl DoubleEndedIterator<Item = (&'a Step, String, u64)> {
    case.steps().filter_map(|step| match &step.it.phase {
        Phase::Failed(why) => Some((step.it, format!("{}: {why}", step.it.name), step.mark.seq)),
        _ => None,
    })
}

/// The root of a reason: if the run stopped because the workload did not recover from a failed scenario, the failure of
/// that scenario.
fn root(case: &Case<'_>, told: &(String, u64)) -> (String, u64) {
    let stop = case.stopped().filter(|(mark, _)| mark.seq == told.1);
    let away = stop.and_then(|(_, note)| note.stopped()).map(|(scenario, _)| scenario);
    let ended = away.and_then(|away| failed(case).rfind(|(step, ..)| step.whole() == Some(away)));
    ended.map_or_else(|| told.clone(), |(_, why, seq)| (why, seq))
}

/// An inconclusive finding with its cause, if the evidence has one: `told` goes into the reason, `cause` is the root.
fn because(doubt: String, evidence: Option<u64>, told: Option<(String, u64)>, cause: Option<(String, u64)>) -> Finding {
    let cause = cause.map(|(why, seq)| Cause { why, seq, so: doubt.clone() });
    let behind = cause.as_ref().map(|cause| cause.seq).filter(|seq| told.as_ref().is_none_or(|told| told.1 != *seq));
    let (reason, seq) =
        told.map_or((doubt.clone(), None), |(why, seq)| (format!("{doubt}: {why} (#{seq})"), Some(seq)));
    Finding { cause, ..Finding::inconclusive(reason, evidence.into_iter().chain(seq).chain(behind)) }
}

pub(super) fn did_not_start(evidence: &Evidence) -> Finding {
    let trouble = evidence.records.iter().rev().find_map(|record| match &record.what {
        What::Step(Step { name, phase: Phase::Failed(why), .. }) => Some((format!("{name}: {why}"), record.seq)),
        What::Note(note) => Some((note.message.clone(), record.seq)),
        _ => None,
    });
    match trouble {
        Some(trouble) => because("the run did not start".to_owned(), None, Some(trouble.clone()), Some(trouble)),
        None => Finding::inconclusive("the run did not start: the evidence says nothing about it", []),
    }
}
