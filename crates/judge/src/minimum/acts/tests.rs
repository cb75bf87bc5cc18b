//! The acts of each scenario, and the reason if one is missing.

use insta::assert_snapshot;

use super::{steps, unproved};
use crate::case::Case;
use crate::evidence::{Act, LeftOut, Scenario, Subject, What};
use crate::history::{History, subject};

/// The acts of each scenario of a run, one scenario a line.
fn told(history: &History) -> String {
    let evidence = history.evidence();
    let case = Case::of(&evidence).expect("a run");
    let line = |scenario: Scenario| {
        let words: Vec<String> = steps(&case, scenario).into_iter().map(|step| step.words).collect();
        format!("{scenario}: {}", words.join(", "))
    };
    case.run.scenarios.iter().copied().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_scenario_consists_of_these_acts() {
    assert_snapshot!(told(&History::good()));
}

#[test]
fn a_set_of_one_pod_is_not_scaled_down_and_a_set_that_is_not_updated_not_rolled() {
    let fixed = Subject { on_delete: true, ..subject(1) };
    assert!(!fixed.is_updatable());
    assert_snapshot!(told(&History::good_with(fixed)));
}

#[test]
fn a_ledger_that_is_not_to_end_is_not_started() {
    let left_out = vec![LeftOut { scenario: Scenario::Settle, why: "as the test wants".into() }];
    let told = told(&History::good_without(3, left_out));
    assert!(told.lines().any(|line| line == "replicate: "), "{told}");
}

/// What a scenario of a good run lacks without these acts.
fn missing(scenario: Scenario, unwanted: impl Fn(&Act) -> bool) -> String {
    let history = History::good().without(|what| matches!(what, What::Fault(fault) if unwanted(&fault.act)));
    let evidence = history.evidence();
    let case = Case::of(&evidence).expect("a run");
    unproved(&case, &[scenario]).map_or(String::new(), |finding| finding.reason)
}

#[test]
fn an_act_of_the_same_kind_does_not_stand_for_another() {
    let said = missing(Scenario::Scale, |act| *act == Act::Scale { from: 3, to: 1 });
    assert!(said.ends_with("without an act: scale from 3 to 1"), "{said}");
    let said =
        missing(Scenario::Restart, |act| matches!(act, Act::DeletePod { pod, grace_s: None, .. } if pod == "mysql-1"));
    assert!(said.ends_with("without an act: delete mysql-1"), "{said}");
    // `restart` also deleted the primary, but with its grace period.
    let said = missing(Scenario::Unready, |act| matches!(act, Act::DeletePod { grace_s: Some(0), .. }));
    assert!(said.ends_with("without an act: delete mysql-0"), "{said}");
}

#[test]
fn every_act_of_a_scenario_must_be_proved() {
    let good = History::good();
    let evidence = good.evidence();
    let case = Case::of(&evidence).expect("a run");
    for &scenario in &case.run.scenarios {
        assert_eq!(unproved(&case, &[scenario]).map(|finding| finding.reason), None, "{scenario}");
    }
    let proofs =
        |what: &What| matches!(what, What::Fault(fault) if fault.proof.is_some() && fault.act == Act::RestartDns);
    let evidence = History::good().without(proofs).evidence();
    let found = unproved(&Case::of(&evidence).expect("a run"), &[Scenario::DnsReplace]).expect("a doubt");
    assert!(found.reason.starts_with("the scenario dns-replace did not prove the act"), "{}", found.reason);
}

#[test]
fn nothing_is_missing_of_a_scenario_that_did_not_end() {
    let of_drain = |what: &What| matches!(what, What::Fault(fault) if matches!(fault.act, Act::Drain { .. }));
    let cut = History::good().without(of_drain).failing(Scenario::Drain, "the node did not come back");
    let evidence = cut.evidence();
    assert_eq!(unproved(&Case::of(&evidence).expect("a run"), &[Scenario::Drain]), None);
}
