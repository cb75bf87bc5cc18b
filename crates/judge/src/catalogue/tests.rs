//! Rules that apply to all checks.

use insta::assert_snapshot;

use crate::Verdict::{self, Fail, Inconclusive, Pass};
use crate::evidence::{Evidence, LeftOut, Note, Phase, Question, Record, Scenario, SqlAnswer, Step, What};
use crate::history::History;
use crate::{CATALOGUE, Check, Finding, Judged, Outcome, UPGRADE_CHECKS, all, find};

mod causes;

fn judge(id: &str, history: &History) -> Finding {
    find(id).expect("a check").judge(&history.evidence())
}

#[test]
fn ids_are_for_ever() {
    let ids: Vec<_> = all().map(|check| check.id).collect();
    assert_snapshot!(ids.join("\n"), @"
    ordering::starts_in_ordinal_order
    ordering::ready_means_serving
    ordering::halts_while_predecessor_unready
    ordering::scales_down_in_reverse
    ordering::no_deadlock_on_failed_predecessor
    ordering::at_most_one_pod_per_ordinal
    ordering::rolls_highest_ordinal_first
    ordering::partition_is_respected
    ordering::stuck_rollout_recovers
    ordering::reapply_changes_nothing
    ordering::parallel_pods_do_not_wait
    ordering::waits_for_min_ready_seconds
    ordering::respects_max_unavailable
    identity::hostname_is_pod_name
    identity::identity_survives_restart
    identity::server_ids_are_distinct
    identity::pod_index_label_matches
    identity::containers_restart_only_when_disrupted
    identity::servers_stop_within_their_grace
    dns::service_resolves_to_ready_pods
    dns::each_pod_has_its_name
    dns::srv_lists_every_pod
    dns::ptr_points_back
    dns::name_follows_the_pod
    dns::absent_pod_is_nxdomain
    dns::short_names_resolve
    dns::unready_pod_leaves_dns
    persistence::rows_survive_pod_deletion
    persistence::same_volume_returns
    persistence::claims_survive_scale_down
    persistence::claim_policy_is_honoured
    persistence::durability_settings
    persistence::acknowledged_writes_survive_power_loss
    persistence::starts_after_power_loss
    persistence::teardown_leaves_nothing
    replication::replicas_follow_by_stable_name
    replication::replicas_hold_the_same_rows
    replication::replicas_refuse_writes
    replication::primary_recreated_replicas_resume
    replication::replica_recreated_catches_up
    replication::no_acknowledged_write_is_lost
    replication::recovers_within_budget
    replication::new_replica_joins
    replication::read_lag_is_bounded
    replication::commits_wait_for_a_replica
    replication::replicas_agree_after_power_loss
    upgrade::control_plane_upgrade_touches_no_pod
    upgrade::node_upgrade_moves_one_at_a_time
    upgrade::state_is_equal_before_and_after
    upgrade::dns_matrix_is_equal
    upgrade::writes_survive_the_upgrade
    upgrade::new_version_still_conforms
    ");
}

#[test]
fn every_check_is_explained() {
    for check in all() {
        assert!(check.id.starts_with(&format!("{}::", check.property())), "{}", check.id);
        assert!(check.statement.contains("MUST"), "{}", check.id);
        assert!(check.source.starts_with("https://"), "{}", check.id);
        assert!((4..=12).contains(&check.explain.lines().count()), "{}", check.id);
        assert!(check.explain.contains("Common causes:"), "{}", check.id);
        assert!(check.explain.lines().all(|line| line.len() <= 120), "{}", check.id);
        assert!(!check.scenarios.is_empty(), "{}", check.id);
    }
}

/// A good run that the check applies to.
fn good_for(id: &str) -> History {
    match id {
        "ordering::parallel_pods_do_not_wait" => History::good_in_parallel(),
        "ordering::waits_for_min_ready_seconds" => History::good_and_patient(3, 3_000),
        _ => History::good().with_semi_sync(),
    }
}

/// Every check with a good run that it applies to.
fn good() -> impl Iterator<Item = (&'static Check, History)> {
    let ordinary = CATALOGUE.iter().map(|check| (check, good_for(check.id)));
    ordinary.chain(UPGRADE_CHECKS.iter().map(|check| (check, History::upgraded())))
}

#[test]
fn a_good_run_passes_every_check() {
    for (check, history) in good() {
        let finding = check.judge(&history.evidence());
        assert_eq!(finding.verdict, Pass, "{}: {}", check.id, finding.reason);
        assert!(!finding.evidence.is_empty(), "{} quotes nothing", check.id);
    }
}

#[test]
fn no_check_passes_on_nothing() {
    for check in all() {
        let verdict = |evidence: &Evidence| check.judge(evidence).verdict;
        assert_eq!(verdict(&Evidence::new(Vec::new())), Inconclusive, "{}", check.id);
        let mut empty = History::with(good_for(check.id).subject);
        for scenario in Scenario::all() {
            empty.step(scenario, Phase::Begin);
            empty.step(scenario, Phase::End);
        }
        assert_eq!(verdict(&empty.with_semi_sync().evidence()), Inconclusive, "{}", check.id);
    }
}

#[test]
fn no_prefix_of_a_good_run_is_a_failure() {
    for (whole, checks) in [(History::good().with_semi_sync(), CATALOGUE), (History::upgraded(), UPGRADE_CHECKS)] {
        for length in (0..whole.records.len()).step_by(7) {
            let mut cut = whole.clone();
            cut.records.truncate(length);
            let evidence = cut.evidence();
            for Judged { check, finding, .. } in Outcome::of(&evidence, checks).judged {
                assert_ne!(finding.verdict, Verdict::Fail, "{} after {length}: {}", check.id, finding.reason);
            }
        }
    }
}

#[test]
fn a_run_that_did_not_start_says_why() {
    let step = Step { scenario: None, name: "make the cluster".into(), phase: Phase::Failed("no engine".into()) };
    let note = Note { message: "docker is not there".into() };
    let evidence =
        |what: What| Evidence::new(vec![Record { seq: 1, at_us: 1, wall: jiff::Timestamp::UNIX_EPOCH, what }]);
    let reason = |what: What| CATALOGUE[0].judge(&evidence(what)).reason;
    assert_snapshot!(reason(What::Step(step)), @"the run did not start: make the cluster: no engine (#1)");
    assert_snapshot!(reason(What::Note(note)), @"the run did not start: docker is not there (#1)");
}

#[test]
fn a_scenario_that_was_cut_short_takes_the_pass_back() {
    let failed = History::good().failing(Scenario::Deploy, "no time left");
    let finding = judge("ordering::ready_means_serving", &failed);
    assert_eq!(finding.verdict, Inconclusive);
    assert_snapshot!(finding.reason, @"the scenario deploy was cut short: no time left (#113)");
    assert_eq!(judge("persistence::rows_survive_pod_deletion", &failed).verdict, Pass);
    let begun_again = History::good().edit(|what| match what {
        What::Step(step) if step.whole() == Some(Scenario::Deploy) && step.phase == Phase::End => {
            step.phase = Phase::Begin
        }
        _ => {}
    });
    assert_eq!(judge("ordering::ready_means_serving", &begun_again).verdict, Inconclusive);
}

#[test]
fn a_failure_outlives_a_scenario_that_was_cut_short() {
    let parallel = History::parallel().without(|what| matches!(what, What::Step(step) if step.phase == Phase::End));
    assert_eq!(judge("ordering::starts_in_ordinal_order", &parallel).verdict, Fail);
}

#[test]
fn a_scenario_that_was_not_asked_for_leaves_it_open() {
    let only = |scenarios: &[Scenario]| {
        History::good().edit(|what| {
            if let What::Run(run) = what {
                run.scenarios = scenarios.to_vec();
            }
        })
    };
    let deploy = only(&[Scenario::Deploy]);
    assert_snapshot!(judge("persistence::same_volume_returns", &deploy).reason, @"the scenario restart was not part of this run");
    assert_eq!(judge("ordering::at_most_one_pod_per_ordinal", &deploy).verdict, Inconclusive);
    assert_eq!(judge("dns::each_pod_has_its_name", &deploy).verdict, Pass);
}

/// A good run that left these scenarios out.
fn leaving_out(scenarios: &[Scenario]) -> History {
    let left_out = |scenario: Scenario| scenarios.contains(&scenario);
    let history = History::good().edit(|what| {
        if let What::Run(run) = what {
            run.scenarios.retain(|scenario| !left_out(*scenario));
            let why = || "nodes of this cluster are left alone".to_owned();
            run.left_out = scenarios.iter().map(|&it| LeftOut { scenario: it, why: why() }).collect();
        }
    });
    history.without(|what| matches!(what, What::Step(step) if step.scenario.is_some_and(left_out)))
}

#[test]
fn what_the_run_must_not_act_is_held_against_no_check_that_needs_others_too() {
    let history = leaving_out(&[Scenario::Drain, Scenario::Grow]);
    let finding = judge("replication::no_acknowledged_write_is_lost", &history);
    assert_eq!(finding.verdict, Pass, "{}", finding.reason);
    let grown = judge("replication::new_replica_joins", &history);
    assert_eq!(grown.verdict, Verdict::Skipped);
    assert_snapshot!(grown.reason, @"grow was left out: nodes of this cluster are left alone");
    // A needed scenario that is missing for another reason still counts against the check.
    let cut = history.edit(|what| {
        if let What::Run(run) = what {
            run.scenarios.retain(|scenario| *scenario != Scenario::Roll);
        }
    });
    assert_snapshot!(judge("replication::no_acknowledged_write_is_lost", &cut).reason, @"the scenario roll was not part of this run");
}

#[test]
fn a_violation_stands_where_all_that_the_check_needs_was_left_out() {
    let mut history = leaving_out(&[Scenario::Restart]);
    let finding = judge("ordering::at_most_one_pod_per_ordinal", &history);
    assert_eq!(finding.verdict, Verdict::Skipped);
    history.added("mysql-1");
    history.added("mysql-1");
    assert_eq!(judge("ordering::at_most_one_pod_per_ordinal", &history).verdict, Fail);
}

#[test]
fn a_violation_stands_in_a_run_that_did_little_of_what_the_check_needs() {
    let lost = SqlAnswer::Rows(vec![
        [("ids", ""), ("duplicates", "")].map(|(name, value)| (name.into(), Some(value.into()))).into(),
    ]);
    let history = History::good().answering("mysql-0", Question::Entries, lost);
    let short = history.edit(|what| {
        if let What::Run(run) = what {
            run.scenarios = vec![Scenario::Deploy, Scenario::Replicate, Scenario::Settle];
        }
    });
    assert_eq!(judge("replication::no_acknowledged_write_is_lost", &short).verdict, Fail);
}

#[test]
fn what_no_scenario_of_a_check_was_acted_for_is_not_judged() {
    let mut history = History::of(3);
    if let What::Run(run) = &mut history.records[0].what {
        run.scenarios = vec![Scenario::Deploy];
    }
    history.step(Scenario::Deploy, Phase::Begin);
    history.step(Scenario::Deploy, Phase::End);
    assert_snapshot!(judge("persistence::same_volume_returns", &history).reason, @"the scenario restart was not part of this run");
}

/// A run that ended before its first scenario.
fn not_begun(what: What) -> History {
    let mut history = History::of(3);
    history.push(what);
    history.run_step("delete the cluster", Phase::Failed("the engine is gone".into()));
    history
}

#[test]
fn a_run_that_ended_before_its_scenarios_says_why() {
    let witness = || {
        What::Step(Step {
            scenario: None,
            name: "start the witnesses".into(),
            phase: Phase::Failed("the witness was not Ready within 60 s".into()),
        })
    };
    for check in all() {
        let of_few = not_begun(witness()).edit(|what| {
            if let What::Run(run) = what {
                run.subject = good_for(check.id).subject;
            }
        });
        let finding = check.judge(&of_few.with_semi_sync().evidence());
        assert_eq!(finding.verdict, Inconclusive, "{}", check.id);
        assert!(finding.reason.ends_with("the witness was not Ready within 60 s (#2)"), "{}", finding.reason);
        assert_eq!(finding.evidence, [2], "{}", check.id);
    }
    let reason = judge("ordering::ready_means_serving", &not_begun(witness())).reason;
    assert_snapshot!(reason, @"the scenario deploy did not start: start the witnesses: the witness was not Ready within 60 s (#2)");
    let note = What::Note(Note { message: "interrupted".into() });
    assert_snapshot!(judge("ordering::ready_means_serving", &not_begun(note)).reason, @"the scenario deploy did not start: interrupted (#2)");
    assert_snapshot!(judge("ordering::ready_means_serving", &History::of(3)).reason, @"the scenario deploy did not start");
}

#[test]
fn a_scenario_without_its_foundation_says_what_failed() {
    let mut history = History::of(3);
    history.step(Scenario::Deploy, Phase::Begin);
    history.step(Scenario::Deploy, Phase::Failed("mysql-1 was not Ready".into()));
    history.push(What::Note(Note { message: "replicate was not acted: deploy did not come to its end".into() }));
    assert_snapshot!(judge("replication::replicas_refuse_writes", &history).reason, @"the scenario replicate did not start: deploy: mysql-1 was not Ready (#3)");
    assert_snapshot!(judge("persistence::teardown_leaves_nothing", &history).reason, @"the scenario teardown did not start: replicate was not acted: deploy did not come to its end (#4)");
    // What was seen of a scenario that began says more than that it was cut short.
    assert_snapshot!(judge("ordering::ready_means_serving", &history).reason, @"mysql-0 was never Ready; mysql-1 was never Ready; mysql-2 was never Ready");
}

#[test]
fn a_scenario_that_did_not_end_says_who_ended_it() {
    let mut history = History::good();
    let end =
        |what: &What| matches!(what, What::Step(it) if it.scenario == Some(Scenario::Deploy) && it.phase == Phase::End);
    let end = history.records.iter().position(|record| end(&record.what)).expect("an end");
    history.records.truncate(end);
    // A step within a scenario is not the scenario.
    let step = Step { scenario: Some(Scenario::Deploy), name: "apply the manifests again".into(), phase: Phase::Begin };
    history.push(What::Step(step));
    history.push(What::Note(Note { message: "interrupted".into() }));
    assert_snapshot!(judge("ordering::ready_means_serving", &history).reason, @"the scenario deploy did not end (#4): interrupted (#114)");
}

#[test]
fn verdicts_have_the_words_of_the_results() {
    let words = [Pass, Fail, Inconclusive, Verdict::Skipped].map(|verdict| verdict.to_string());
    assert_eq!(words, ["pass", "fail", "inconclusive", "skipped"]);
}
