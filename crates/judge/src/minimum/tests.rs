//! Missing evidence revokes a pass.

use serde_json::json;

use super::{HOSTNAME, Need, missing, table};
use crate::case::Case;
use crate::evidence::{Act, Checkpoint, LeftOut, NodeState, Question, Scenario, SnapshotOf, Subject, What};
use crate::history::{History, subject};
use crate::{CATALOGUE, Verdict, find};

/// The verdict of the catalogue, including the required evidence.
fn verdict(history: &History, id: &str) -> (Verdict, String) {
    let finding = find(id).expect("a check").judge(&history.evidence());
    (finding.verdict, finding.reason)
}

#[test]
fn a_whole_run_has_all_that_a_pass_needs() {
    for replicas in [1, 2, 3, 5] {
        let history = History::good_with(subject(replicas));
        let evidence = history.evidence();
        for check in CATALOGUE {
            let finding = check.judge(&evidence);
            let green = matches!(finding.verdict, Verdict::Pass | Verdict::Skipped);
            assert!(green, "{replicas} pods: {}: {}", check.id, finding.reason);
        }
    }
}

#[test]
fn an_answer_that_is_missing_at_one_moment_takes_the_pass_back() {
    let after_drain = |what: &What| match what {
        What::Sql(sql) => {
            let checkpoint = Checkpoint::Recovered { scenario: Scenario::Drain };
            sql.checkpoint == checkpoint && sql.question == Question::ReplicaStatus && sql.pod == "mysql-2"
        }
        _ => false,
    };
    let (found, reason) = verdict(&History::good().without(after_drain), "replication::replicas_follow_by_stable_name");
    assert_eq!(found, Verdict::Inconclusive);
    insta::assert_snapshot!(reason, @"mysql-2 was not asked for its replication status after the scenario drain (scenario drain)");
}

#[test]
fn an_act_that_is_missing_takes_the_pass_back() {
    let of_freeze = |act: &Act| matches!(act, Act::PauseNode { .. } | Act::UnpauseNode { .. });
    let history = History::good().without(|what| matches!(what, What::Fault(fault) if of_freeze(&fault.act)));
    let (found, reason) = verdict(&history, "replication::no_acknowledged_write_is_lost");
    assert_eq!(found, Verdict::Inconclusive, "{reason}");
    assert!(reason.contains("the scenario node-pause ended"), "{reason}");
}

#[test]
fn a_proof_that_shows_something_else_is_none() {
    for (was, says) in
        [("paused", "running"), ("exited", "running"), ("cordoned", "schedulable"), ("Ready", "NotReady")]
    {
        let history = History::good().edit(|what| {
            if let What::Snapshot(snapshot) = what
                && snapshot.value["state"] == was
            {
                snapshot.value["state"] = says.into();
            }
        });
        let (found, reason) = verdict(&history, "replication::recovers_within_budget");
        assert_eq!(found, Verdict::Inconclusive, "{was}: {reason}");
    }
}

#[test]
fn nothing_is_asked_of_a_scenario_that_did_not_end() {
    let after_drain = |checkpoint: &Checkpoint| *checkpoint == Checkpoint::Recovered { scenario: Scenario::Drain };
    let cut = History::good()
        .without(|what| match what {
            What::Sql(sql) => after_drain(&sql.checkpoint),
            What::Exec(exec) => after_drain(&exec.checkpoint),
            What::Dns(dns) => after_drain(&dns.checkpoint),
            _ => false,
        })
        .failing(Scenario::Drain, "the node did not come back");
    for id in ["dns::each_pod_has_its_name", "identity::server_ids_are_distinct"] {
        assert_eq!(verdict(&cut, id).0, Verdict::Pass, "{id}");
    }
    assert_eq!(verdict(&cut, "replication::recovers_within_budget").0, Verdict::Inconclusive);
}

#[test]
fn an_api_server_that_answers_afterwards_must_be_another_one() {
    const BUDGET: &str = "replication::recovers_within_budget";
    let is_kill = |what: &What| matches!(what, What::Snapshot(snapshot) if snapshot.of == SnapshotOf::ApiServer);
    let told = |node: &'static str, state: &'static str| {
        History::good().preceded(is_kill, move |history| {
            history.snapshot(SnapshotOf::ApiServer, json!(NodeState { node: node.into(), state: state.into() }));
        })
    };
    let found = |history: &History| verdict(history, BUDGET).0;
    assert_eq!(found(&told("control-plane", "1 since 07:00:00")), Verdict::Pass);
    assert_eq!(found(&told("control-plane", "700 since 07:00:00")), Verdict::Pass);
    assert_eq!(found(&told("control-plane", "700 since 08:00:00")), Verdict::Inconclusive);
    assert_eq!(found(&told("another", "1 since 07:00:00")), Verdict::Inconclusive);
    // The proof names the process from before.
    let old = told("control-plane", "1 since 07:00:00");
    let place = old.records.iter().position(|record| is_kill(&record.what)).expect("a process");
    let seq = old.records[place].seq;
    let old = old.edit(|what| match what {
        What::Fault(fault) if fault.act == Act::RestartApiServer && fault.proof.is_some() => {
            fault.proof = Some(vec![seq])
        }
        _ => {}
    });
    assert_eq!(found(&old), Verdict::Inconclusive);
}

#[test]
fn what_a_pass_needs_is_told_in_words() {
    let mut needs: Vec<String> = CATALOGUE.iter().flat_map(|check| check.minimum).map(ToString::to_string).collect();
    needs.sort();
    needs.dedup();
    insta::assert_snapshot!(needs.join("\n"));
}

/// How many answers each scenario of a run must have left.
fn counted(history: &History) -> String {
    let needs: Vec<Need> = CATALOGUE.iter().flat_map(|check| check.minimum).copied().collect();
    let evidence = history.evidence();
    let case = Case::of(&evidence).expect("a run");
    let expected = table::expected(&case, &needs);
    let count = |scenario: Scenario| expected.iter().filter(|it| it.scenario == scenario).count();
    case.run.scenarios.iter().map(|scenario| format!("{scenario} {}", count(*scenario))).collect::<Vec<_>>().join(", ")
}

#[test]
fn how_much_is_asked_follows_the_workload() {
    let left_out = vec![LeftOut { scenario: Scenario::Replicate, why: "as the test wants".into() }];
    let by_hand = |replicas| History::good_with(Subject { on_delete: true, ..subject(replicas) });
    let runs = [
        ("three pods", History::good()),
        ("one pod", History::good_of(1)),
        ("updated by hand", by_hand(3)),
        ("one pod, updated by hand", by_hand(1)),
        ("not replicating", History::good_without(3, left_out)),
    ];
    let told: Vec<String> = runs.iter().map(|(what, history)| format!("{what}: {}", counted(history))).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_name_that_was_not_asked_for_is_told_in_words() {
    let after_drain = Checkpoint::Recovered { scenario: Scenario::Drain };
    let mut told = Vec::new();
    for (id, record_type, start) in [
        ("dns::service_resolves_to_ready_pods", "A", "mysql-h."),
        ("dns::each_pod_has_its_name", "A", "mysql-1."),
        ("dns::srv_lists_every_pod", "SRV", "_mysql."),
        ("dns::ptr_points_back", "PTR", ""),
    ] {
        let asked = |what: &What| match what {
            What::Dns(dns) => {
                dns.checkpoint == after_drain && dns.record_type == record_type && dns.name.starts_with(start)
            }
            _ => false,
        };
        let evidence = History::good().without(asked).evidence();
        let found = missing(&Case::of(&evidence).expect("a run"), find(id).expect("a check"));
        told.push(found.expect("a doubt").reason);
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn another_command_does_not_stand_for_one_that_was_not_run() {
    let at = Checkpoint::Deletion { pod: "mysql-1".into() };
    let run = |what: &What| matches!(what, What::Exec(exec) if exec.checkpoint == at && exec.argv == HOSTNAME);
    let evidence = History::good().without(run).evidence();
    let check = find("identity::hostname_is_pod_name").expect("a check");
    let found = missing(&Case::of(&evidence).expect("a run"), check).expect("a doubt");
    assert!(found.reason.starts_with("`hostname` was not run in mysql-1"), "{}", found.reason);
}

#[test]
fn an_address_that_a_pod_had_before_does_not_stand_for_its_own() {
    let after_drain = Checkpoint::Recovered { scenario: Scenario::Drain };
    let history = History::good().edit(|what| match what {
        What::Dns(dns) if dns.checkpoint == after_drain && dns.name.ends_with(".1.0.10.in-addr.arpa") => {
            dns.name = "1.1.0.10.in-addr.arpa".into();
        }
        _ => {}
    });
    let evidence = history.evidence();
    let check = find("dns::ptr_points_back").expect("a check");
    let found = missing(&Case::of(&evidence).expect("a run"), check).expect("a doubt");
    assert_eq!(
        found.reason,
        "DNS was not queried for the address of mysql-1 after the scenario drain (scenario drain)"
    );
}
