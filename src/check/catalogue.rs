//! The list of checks, and what holds for all of them.

use crate::evidence::{Evidence, Phase, Step, What};

use super::{Check, Finding, Verdict, case::Case, dns, identity, minimum, ordering, persistence, replication, upgrade};

#[cfg(test)]
mod tests;

/// Every check of a run, in the order in which people read them.
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
];

/// The checks of an upgrade of the cluster, which no ordinary run acts.
pub static UPGRADE_CHECKS: &[Check] = &[
    upgrade::CONTROL_PLANE_UPGRADE_TOUCHES_NO_POD,
    upgrade::NODE_UPGRADE_MOVES_ONE_AT_A_TIME,
    upgrade::STATE_IS_EQUAL_BEFORE_AND_AFTER,
    upgrade::DNS_MATRIX_IS_EQUAL,
    upgrade::WRITES_SURVIVE_THE_UPGRADE,
    upgrade::NEW_VERSION_STILL_CONFORMS,
];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Check> {
    CATALOGUE.iter().chain(UPGRADE_CHECKS)
}

/// The check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    all().find(|check| check.id == id)
}

/// Judges the evidence, and takes a pass back where a scenario that the check needs was not carried out to its end. One
/// that the run must not act is not held against a check that needs others too.
pub(super) fn judge(check: &Check, evidence: &Evidence) -> Finding {
    let Some(case) = Case::of(evidence) else { return did_not_start(evidence) };
    let needed = check.scenarios.iter().filter(|scenario| case.run.left_out(scenario).is_none());
    let needed: Vec<&'static str> = needed.copied().collect();
    if needed.is_empty() {
        return all_left_out(&case, check.scenarios);
    }
    let missing: Vec<_> = needed.iter().filter(|scenario| !case.run.acts(scenario)).copied().collect();
    if missing.len() == needed.len() {
        return not_part(&missing);
    }
    let finding = (check.judge)(evidence);
    match finding.verdict {
        Verdict::Fail | Verdict::Skipped => return finding,
        // Why the acts did not take place says more than what was not seen of them.
        Verdict::Inconclusive => {
            let unbegun = |scenario: &&&str| !missing.contains(scenario) && case.outer_steps(scenario).next().is_none();
            let unbegun = needed.iter().find(unbegun);
            return unbegun.and_then(|scenario| cut_short(&case, scenario)).unwrap_or(finding);
        }
        Verdict::Pass => {}
    }
    if !missing.is_empty() {
        return not_part(&missing);
    }
    let doubt = needed.iter().find_map(|scenario| cut_short(&case, scenario));
    doubt.or_else(|| minimum::missing(&case, check)).unwrap_or(finding)
}

/// Nothing is held against a workload that must not be touched like that.
fn all_left_out(case: &Case<'_>, scenarios: &[&str]) -> Finding {
    let why = |scenario: &&str| {
        let part = case.run.left_out(scenario)?;
        Some(format!("{scenario} was left out: {}", part.why))
    };
    Finding::skipped(scenarios.iter().filter_map(why).collect::<Vec<_>>().join("; "))
}

fn not_part(missing: &[&str]) -> Finding {
    let scenarios = if missing.len() == 1 { "scenario" } else { "scenarios" };
    let was = if missing.len() == 1 { "was" } else { "were" };
    Finding::inconclusive(format!("the {scenarios} {} {was} not part of this run", missing.join(", ")), [])
}

/// The doubt that a scenario's end casts on it, unless it was carried out.
fn cut_short(case: &Case<'_>, scenario: &str) -> Option<Finding> {
    let Some(last) = case.outer_steps(scenario).last() else {
        let cause = cause(case, scenario);
        return Some(because(format!("the scenario {scenario} was not begun"), None, cause));
    };
    let seq = last.mark.seq;
    match &last.it.phase {
        Phase::End => None,
        Phase::Begin => {
            let note = case.notes_since(seq).next_back();
            let note = note.map(|note| (note.it.message.clone(), note.mark.seq));
            Some(because(format!("the scenario {scenario} did not end (#{seq})"), Some(seq), note))
        }
        Phase::Failed(why) => {
            Some(Finding::inconclusive(format!("the scenario {scenario} was cut short: {why} (#{seq})"), [seq]))
        }
    }
}

/// Why a scenario was not begun: the run itself failed, or what the scenario builds on, or somebody ended the run.
fn cause(case: &Case<'_>, scenario: &str) -> Option<(String, u64)> {
    let failed = || {
        case.steps().filter_map(|step| match &step.it.phase {
            Phase::Failed(why) => Some((step.it, format!("{}: {why}", step.name), step.mark.seq)),
            _ => None,
        })
    };
    // That the cluster could not be deleted in the end has hindered no scenario.
    let of_run = failed().rfind(|(step, ..)| step.scenario == "run" && step.name != "delete the cluster");
    // The teardown builds on nothing: it is acted whatever failed.
    let of_foundation = || failed().find(|(step, ..)| step.scenario == step.name && scenario != "teardown");
    let of_step = of_run.or_else(of_foundation).map(|(_, why, seq)| (why, seq));
    of_step.or_else(|| case.notes().last().map(|note| (note.it.message.clone(), note.mark.seq)))
}

/// A doubt with its cause, where the evidence tells one.
fn because(doubt: String, evidence: Option<u64>, cause: Option<(String, u64)>) -> Finding {
    match cause {
        Some((why, seq)) => {
            Finding::inconclusive(format!("{doubt}: {why} (#{seq})"), evidence.into_iter().chain([seq]))
        }
        None => Finding::inconclusive(doubt, evidence),
    }
}

fn did_not_start(evidence: &Evidence) -> Finding {
    let trouble = evidence.records.iter().rev().find_map(|record| match &record.what {
        What::Step(Step { name, phase: Phase::Failed(why), .. }) => Some((format!("{name}: {why}"), record.seq)),
        What::Note(note) => Some((note.message.clone(), record.seq)),
        _ => None,
    });
    match trouble {
        Some((why, seq)) => Finding::inconclusive(format!("the run did not start: {why} (#{seq})"), [seq]),
        None => Finding::inconclusive("the run did not start: the evidence says nothing about it", []),
    }
}
