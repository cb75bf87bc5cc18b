//! Whether the upgraded cluster passes the checks that the old one passed.

use std::collections::BTreeSet;

use crate::assessment::{Assessment, judged};
use crate::catalogue::{CATALOGUE, find};
use crate::evidence::{Conformed, Scenario, SnapshotOf};
use crate::words::some_of;
use crate::{CaseFile, Check, Finding, Verdict};

/// The scenarios that this run has in common with the run on the upgraded cluster: a check of these that applies here
/// applies there too.
const FOUNDATION: [Scenario; 2] = [Scenario::Deploy, Scenario::Replicate];

/// The checks of the harness's first version. A version that has one of the later checks has all of them.
const FIRST: [&str; 38] = [
    "ordering::starts_in_ordinal_order",
    "ordering::ready_means_serving",
    "ordering::halts_while_predecessor_unready",
    "ordering::scales_down_in_reverse",
    "ordering::no_deadlock_on_failed_predecessor",
    "ordering::at_most_one_pod_per_ordinal",
    "ordering::rolls_highest_ordinal_first",
    "ordering::partition_is_respected",
    "ordering::stuck_rollout_recovers",
    "ordering::reapply_changes_nothing",
    "identity::hostname_is_pod_name",
    "identity::identity_survives_restart",
    "identity::server_ids_are_distinct",
    "identity::pod_index_label_matches",
    "dns::service_resolves_to_ready_pods",
    "dns::each_pod_has_its_name",
    "dns::srv_lists_every_pod",
    "dns::ptr_points_back",
    "dns::name_follows_the_pod",
    "dns::absent_pod_is_nxdomain",
    "dns::short_names_resolve",
    "dns::unready_pod_leaves_dns",
    "persistence::rows_survive_pod_deletion",
    "persistence::same_volume_returns",
    "persistence::claims_survive_scale_down",
    "persistence::claim_policy_is_honoured",
    "persistence::durability_settings",
    "persistence::teardown_leaves_nothing",
    "replication::replicas_follow_by_stable_name",
    "replication::replicas_hold_the_same_rows",
    "replication::replicas_refuse_writes",
    "replication::primary_recreated_replicas_resume",
    "replication::replica_recreated_catches_up",
    "replication::no_acknowledged_write_is_lost",
    "replication::recovers_within_budget",
    "replication::new_replica_joins",
    "replication::read_lag_is_bounded",
    "replication::commits_wait_for_a_replica",
];

pub(crate) const NEW_VERSION_STILL_CONFORMS: Check = Check {
    id: "upgrade::new_version_still_conforms",
    statement: "On the upgraded cluster each check of the catalogue that applies to the workload MUST pass.",
    source: "https://kubernetes.io/releases/version-skew-policy/ and \
             https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/",
    explain: "\
A cluster can survive an upgrade and still behave differently afterwards: a set does not roll back, a pod below the
partition is recreated with the new template, or DNS is late. A comparison of two states does not show that.
So the workload is deployed again on the upgraded cluster, in its own namespace, and all scenarios and checks are run.
Their results decide: a failed check fails this one. The check is inconclusive if one of them is inconclusive or
missing, or did not apply to the workload although it did before the upgrade. The details are in the evidence of that
run, a separate log.
Common causes: see the explanation of the failed check; then the release notes and feature gates of the new version.",
    scenarios: &[Scenario::Upgrade],
    minimum: &[],
    judge: new_version_still_conforms,
};

fn new_version_still_conforms(file: &CaseFile<'_>) -> Finding {
    judged(file, |case, assessment| {
        let snapshot = case
            .snapshot(SnapshotOf::Conformance)
            .ok_or_else(|| Finding::inconclusive("the checks were not run on the upgraded cluster", []))?;
        let seq = snapshot.mark.seq;
        let told: Vec<Conformed> = serde_json::from_value(snapshot.value.clone())
            .map_err(|error| Finding::inconclusive(format!("the verdicts of #{seq} cannot be read: {error}"), [seq]))?;
        let (mut passed, mut skipped) = (BTreeSet::new(), BTreeSet::new());
        for Conformed { id, verdict, reason } in &told {
            let reason = format!("{id}: {reason} (#{seq})");
            match verdict.as_str() {
                "pass" => drop(passed.insert(id.as_str())),
                "skipped" => drop(skipped.insert(id.as_str())),
                "fail" => assessment.reject(Finding::fail(reason, [seq])),
                _ => assessment.reject(Finding::inconclusive(reason, [seq])),
            }
        }
        let known: BTreeSet<&str> = told.iter().map(|conformed| conformed.id.as_str()).collect();
        object_to_missing(assessment, &known, seq);
        object_to_skipped(assessment, file, (&passed, &skipped), seq);
        let (passed, skipped) = (passed.len(), skipped.len());
        assessment.cite([seq]);
        if passed == 0 {
            let reason = format!("none of {} checks passed on the upgraded cluster (#{seq})", told.len());
            return Err(Finding::inconclusive(reason, [seq]));
        }
        Ok(format!("{passed} checks passed on the upgraded cluster and {skipped} did not apply (#{seq})"))
    })
}

/// Rejects as inconclusive if a known check has no verdict.
fn object_to_missing(assessment: &mut Assessment, told: &BTreeSet<&str>, seq: u64) {
    let later = || CATALOGUE.iter().map(|check| check.id).filter(|id| !FIRST.contains(id));
    let knows_later = later().any(|id| told.contains(id));
    let expected = FIRST.into_iter().chain(later().filter(|_| knows_later));
    let missing: Vec<&str> = expected.filter(|id| !told.contains(id)).collect();
    if !missing.is_empty() {
        let reason = format!("not judged on the upgraded cluster: {} (#{seq})", some_of(missing));
        assessment.reject(Finding::inconclusive(reason, [seq]));
    }
}

/// Rejects as inconclusive a check that was skipped on the upgraded cluster although it applies to the workload, and a
/// property without any check that passed.
fn object_to_skipped(
    assessment: &mut Assessment,
    file: &CaseFile<'_>,
    (passed, skipped): (&BTreeSet<&str>, &BTreeSet<&str>),
    seq: u64,
) {
    let founded = |check: &&Check| check.scenarios.iter().all(|scenario| FOUNDATION.contains(scenario));
    let applied = |check: &&Check| check.judge_file(file).verdict == Verdict::Pass;
    for check in skipped.iter().filter_map(|id| find(id)).filter(founded).filter(applied) {
        let reason =
            format!("{} was skipped on the upgraded cluster, though it applies to the workload (#{seq})", check.id);
        assessment.reject(Finding::inconclusive(reason, [seq]));
    }
    let property = |id: &&str| id.split_once("::").map_or(*id, |(property, _)| property).to_owned();
    let some: BTreeSet<String> = passed.iter().map(property).collect();
    let skipped: BTreeSet<String> = skipped.iter().map(property).collect();
    let none: Vec<&String> = skipped.difference(&some).collect();
    if !none.is_empty() {
        let reason = format!("no check of {} passed on the upgraded cluster (#{seq})", some_of(none));
        assessment.reject(Finding::inconclusive(reason, [seq]));
    }
}
