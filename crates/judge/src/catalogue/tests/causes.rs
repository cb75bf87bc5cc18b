//! Causes outside of a check that leave it inconclusive.

use insta::assert_snapshot;

use super::judge;
use crate::Verdict::{Fail, Inconclusive, Skipped};
use crate::case::Case;
use crate::catalogue::{cut_short, for_want_of_a_scenario};
use crate::evidence::{Note, Phase, Scenario, What};
use crate::history::{History, PODS};
use crate::{CATALOGUE, Finding};

const AWAY: &str = "mysql-1 Ready under a new UID did not come within 180s";

/// A run that stopped disrupting after `restart`, because a pod did not come back.
fn stopped() -> History {
    let mut history = History::of(3);
    for scenario in [Scenario::Deploy, Scenario::Replicate] {
        history.step(scenario, Phase::Begin);
        history.step(scenario, Phase::End);
    }
    history.step(Scenario::Restart, Phase::Begin);
    history.step(Scenario::Restart, Phase::Failed(AWAY.into()));
    history.stops(Scenario::Restart, AWAY);
    history.push(What::Note(Note { message: "the ledger cannot be read for now: broken".into() }));
    history
}

#[test]
fn scenarios_that_were_not_begun_since_the_workload_did_not_come_back_say_so() {
    let history = stopped();
    let judged = |id: &str| judge(id, &history);
    let drained = judged("replication::no_acknowledged_write_is_lost");
    assert_snapshot!(drained.reason, @"the scenario unready did not start: nothing more is disrupted: the workload did not come back from restart: mysql-1 Ready under a new UID did not come within 180s (#8)");
    let cause = |finding: &Finding| finding.cause.as_ref().map(|cause| (cause.why.clone(), cause.seq));
    assert_eq!(cause(&drained), Some((format!("restart: {AWAY}"), 7)));
    assert_eq!(drained.evidence, [8, 7]);
    // A scenario that itself was cut short has the same cause.
    for id in ["dns::name_follows_the_pod", "ordering::stuck_rollout_recovers", "replication::new_replica_joins"] {
        assert_eq!(cause(&judged(id)), cause(&drained), "{id}: {}", judged(id).reason);
    }
    let teardown = judged("persistence::teardown_leaves_nothing");
    assert!(!teardown.reason.contains("nothing more is disrupted"), "{}", teardown.reason);
}

#[test]
fn a_workload_that_stands_and_does_not_recover_is_a_cause_of_its_own() {
    let mut history = History::of(3);
    for scenario in [Scenario::Deploy, Scenario::Replicate, Scenario::Restart, Scenario::Unready, Scenario::ServerKill]
    {
        history.step(scenario, Phase::Begin);
        history.step(scenario, Phase::End);
    }
    let note = history
        .stops(Scenario::ServerKill, "a write on the primary did not come within 120s after all pods were Ready");
    let finding = judge("ordering::stuck_rollout_recovers", &history);
    assert_eq!(finding.cause.map(|cause| cause.seq), Some(note));
    assert_snapshot!(finding.reason, @"the scenario roll did not start: nothing more is disrupted: the workload did not come back from server-kill: a write on the primary did not come within 120s after all pods were Ready (#12)");
}

#[test]
fn checks_that_a_failed_deployment_leaves_undecided_have_one_cause() {
    let mut history = History::of(3);
    history.step(Scenario::Deploy, Phase::Begin);
    let failed = history.step(Scenario::Deploy, Phase::Failed("mysql-0 Ready did not come within 180s".into()));
    let evidence = history.with_semi_sync().evidence();
    // The teardown does not need the other scenarios.
    for check in CATALOGUE.iter().filter(|check| check.scenarios != [Scenario::Teardown]) {
        let (id, finding) = (check.id, check.judge(&evidence));
        if finding.verdict == Skipped {
            continue;
        }
        assert_eq!(finding.verdict, Inconclusive, "{id}");
        let cause = finding.cause.unwrap_or_else(|| panic!("{id} has no cause: {}", finding.reason));
        assert_eq!((cause.seq, cause.why.as_str()), (failed, "deploy: mysql-0 Ready did not come within 180s"), "{id}");
    }
}

#[test]
fn what_was_in_doubt_before_a_scenario_failed_has_not_that_cause() {
    let mut history = History::of(3);
    ["mysql-0", "mysql-1"].iter().for_each(|pod| history.starts(pod));
    let gap = history.gap("Pod");
    history.starts("mysql-2");
    for scenario in [Scenario::Deploy, Scenario::Restart] {
        history.step(scenario, Phase::Begin);
    }
    history.step(Scenario::Restart, Phase::Failed("the engine is gone".into()));
    let finding = judge("ordering::at_most_one_pod_per_ordinal", &history);
    assert_eq!(
        (finding.verdict, finding.evidence, finding.cause),
        (Inconclusive, vec![gap], None),
        "{}",
        finding.reason
    );
}

#[test]
fn what_is_in_doubt_from_a_scenarios_begin_on_has_the_cause_of_its_failure() {
    let evidence = stopped().evidence();
    let case = Case::of(&evidence).expect("a run");
    let caused = |seq: u64| {
        let doubt = Finding::inconclusive("nobody knows", [seq]);
        for_want_of_a_scenario(&case, &[Scenario::Restart], doubt).cause.is_some()
    };
    let (begin, _) = case.span(Scenario::Restart);
    assert_eq!([begin - 1, begin, begin + 1].map(caused), [false, true, true]);
}

#[test]
fn what_is_in_doubt_by_a_record_is_told_in_its_own_words() {
    let evidence = stopped().evidence();
    let case = Case::of(&evidence).expect("a run");
    let (begin, _) = case.span(Scenario::Restart);
    let so = |seqs: &[u64]| {
        let doubt = Finding::inconclusive("nobody knows", seqs.iter().copied());
        for_want_of_a_scenario(&case, &[Scenario::Restart], doubt).cause.expect("a cause").so
    };
    assert_eq!(so(&[begin]), "nobody knows");
    // A finding without evidence says less than the scenario's failure.
    assert_ne!(so(&[]), "nobody knows");
}

#[test]
fn a_step_that_failed_within_a_scenario_is_not_the_scenarios_end() {
    let mut history = stopped();
    history.step_within(Scenario::Restart, "look names up", Phase::Failed("no time left".into()));
    let cause = judge("ordering::stuck_rollout_recovers", &history).cause.expect("a cause");
    assert_eq!((cause.seq, cause.why), (7, format!("restart: {AWAY}")));
}

#[test]
fn a_scenario_that_ended_is_in_doubt_where_its_begin_was_not_seen_or_a_step_of_it_failed() {
    let doubt = |history: &History| {
        let evidence = history.evidence();
        cut_short(&Case::of(&evidence).expect("a run"), Scenario::Deploy)
    };
    let of_deploy = |what: &What, phase: &Phase| matches!(what, What::Step(it) if it.scenario == Some(Scenario::Deploy) && it.phase == *phase);
    assert_eq!(doubt(&History::good()), None);
    let not_seen = History::good().without(|what| of_deploy(what, &Phase::Begin));
    assert_eq!(doubt(&not_seen), Some(Finding::inconclusive("the start of the scenario deploy was not recorded", [])));
    let failed = History::good().preceded(
        |what| of_deploy(what, &Phase::End),
        |history| {
            history.step_within(Scenario::Deploy, "look names up", Phase::Failed("no time left".into()));
        },
    );
    let reason = "a step of the scenario deploy failed: look names up: no time left (#113)";
    assert_eq!(doubt(&failed), Some(Finding::inconclusive(reason, [113])));
}

/// A run whose deployment fails because this pod crashes until the wait expires.
fn crashing(pod: &str) -> History {
    let mut history = History::of(3);
    history.step(Scenario::Deploy, Phase::Begin);
    PODS.iter().take_while(|before| **before != pod).for_each(|before| history.starts(before));
    history.added(pod);
    history.expired(&format!("{pod} Ready"), "Running, not Ready, CrashLoopBackOff");
    history.step(Scenario::Deploy, Phase::Failed(format!("{pod} Ready did not come within 180s")));
    history
}

#[test]
fn a_pod_that_crashes_fails_what_is_about_starting_and_nothing_else() {
    let failed = |pod: &str| {
        let evidence = crashing(pod).with_semi_sync().evidence();
        let failed = CATALOGUE.iter().filter(|check| check.judge(&evidence).verdict == Fail);
        failed.map(|check| check.id).collect::<Vec<_>>()
    };
    let (order, serving) = ("ordering::starts_in_ordinal_order", "ordering::ready_means_serving");
    assert_eq!(failed("mysql-0"), [order, serving]);
    assert_eq!(failed("mysql-1"), [order, serving]);
    assert_eq!(failed("mysql-2"), [serving]);
}
