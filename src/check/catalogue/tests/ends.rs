//! Scenarios that came to their end, and not as they should.

use crate::{
    check::{
        CATALOGUE,
        Verdict::{Fail, Inconclusive},
        history::History,
    },
    evidence::{Phase, Step, What},
};

fn of_restart(what: &What, phase: &Phase) -> bool {
    matches!(what, What::Step(step) if step.scenario == "restart" && step.name == "restart" && step.phase == *phase)
}

/// What the checks that need the scenario restart say of a history.
fn said(history: &History) -> Vec<String> {
    let evidence = history.evidence();
    let needing = CATALOGUE.iter().filter(|check| check.scenarios.contains(&"restart"));
    let said = needing.map(|check| {
        let finding = check.judge(&evidence);
        assert!(matches!(finding.verdict, Inconclusive | Fail), "{}: {}", check.id, finding.reason);
        finding.reason
    });
    said.collect()
}

#[test]
fn a_scenario_that_was_not_seen_to_begin_leaves_it_open() {
    let said = said(&History::good().without(|what| of_restart(what, &Phase::Begin)));
    assert!(said.iter().any(|reason| reason.contains("the scenario restart was not seen to begin")), "{said:?}");
}

#[test]
fn a_step_that_failed_within_a_scenario_leaves_it_open() {
    let failed = History::good().preceded(
        |what| of_restart(what, &Phase::End),
        |history| {
            let (scenario, name) = ("restart".into(), "delete mysql-1".into());
            history.push(What::Step(Step { scenario, name, phase: Phase::Failed("it was gone already".into()) }));
        },
    );
    let said = said(&failed);
    let wanted = "a step of the scenario restart failed: delete mysql-1: it was gone already";
    assert!(said.iter().any(|reason| reason.contains(wanted)), "{said:?}");
}
