//! What is missing of the evidence takes a pass back.

use serde_json::json;

use crate::{
    check::{
        CATALOGUE, Verdict, find,
        history::{History, subject},
    },
    evidence::{Act, Moment, NodeState, Phase, Question, SnapshotOf, What},
};

/// What the catalogue concludes, the minimum included.
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
            let moment = Moment::Recovered { scenario: "drain".into() };
            sql.moment == moment && sql.question == Question::ReplicaStatus && sql.pod == "mysql-2"
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
    assert!(reason.contains("the scenario freeze ended"), "{reason}");
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
    let after_drain = |moment: &Moment| *moment == Moment::Recovered { scenario: "drain".into() };
    let cut = History::good()
        .without(|what| match what {
            What::Sql(sql) => after_drain(&sql.moment),
            What::Exec(exec) => after_drain(&exec.moment),
            What::Dns(dns) => after_drain(&dns.moment),
            _ => false,
        })
        .edit(|what| match what {
            What::Step(step) if step.name == "drain" && step.phase == Phase::End => {
                step.phase = Phase::Failed("the node did not come back".into());
            }
            _ => {}
        });
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
    // The proof names the one from before.
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
