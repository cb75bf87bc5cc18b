//! `results.json`: the verdicts for programs. The order of its keys is part of the format.

use std::io;

use serde::Serialize;

use super::costs::{self, DisruptionResult, LedgerResult};
use super::exercised::{Exercise, exercised};
use super::versions::{Servers, servers};
use crate::check::expectation::{self, Applied};
use crate::check::{Judged, Outcome, Summary, Verdict};
use crate::evidence::{Evidence, LeftOut, Run, Scenario, Substitution, Upgrade};

/// The version of the format.
pub(crate) const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Results<'a> {
    schema: u32,
    run: Option<RunFacts<'a>>,
    interrupted: bool,
    summary: Summary,
    checks: Vec<CheckResult<'a>>,
    disruptions: Vec<DisruptionResult>,
    ledger: Option<LedgerResult>,
    left_out: &'a [LeftOut],
    exercised: Vec<Exercise>,
}

#[derive(Serialize)]
struct RunFacts<'a> {
    run_id: &'a str,
    steadfast: &'a str,
    kubernetes: &'a str,
    cluster: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrade: Option<&'a Upgrade>,
    servers: Servers,
    namespace: &'a str,
    set: &'a str,
    substitutions: &'a [Substitution],
    scenarios: &'a [Scenario],
    expectations: Vec<Applied>,
}

impl<'a> RunFacts<'a> {
    fn of(evidence: &'a Evidence) -> Option<Self> {
        let run: &Run = evidence.run()?;
        Some(Self {
            run_id: &run.run_id,
            steadfast: &run.steadfast,
            kubernetes: &run.kubernetes,
            cluster: &run.cluster,
            upgrade: run.upgrade.as_ref(),
            servers: servers(evidence, run),
            namespace: &run.subject.namespace,
            set: &run.subject.set,
            substitutions: &run.substitutions,
            scenarios: &run.scenarios,
            expectations: expectation::applied(run),
        })
    }
}

#[derive(Serialize)]
struct CheckResult<'a> {
    id: &'static str,
    verdict: Verdict,
    statement: &'static str,
    reason: &'a str,
    evidence: &'a [u64],
    seconds: f64,
}

impl<'a> From<&'a Judged> for CheckResult<'a> {
    fn from(judged: &'a Judged) -> Self {
        Self {
            id: judged.check.id,
            verdict: judged.finding.verdict,
            statement: judged.check.statement,
            reason: &judged.finding.reason,
            evidence: &judged.finding.evidence,
            // Sums of binary fractions trail digits that mean nothing.
            seconds: (judged.seconds * 1e3).round() / 1e3,
        }
    }
}

/// The content of `results.json`.
pub(super) fn json(outcome: &Outcome<'_>) -> io::Result<String> {
    let run = outcome.evidence.run();
    let (disruptions, ledger) = costs::results(outcome);
    let results = Results {
        schema: SCHEMA,
        run: RunFacts::of(outcome.evidence),
        interrupted: outcome.interrupted,
        summary: outcome.summary(),
        checks: outcome.judged.iter().map(CheckResult::from).collect(),
        disruptions,
        ledger,
        left_out: run.map(|run| run.left_out.as_slice()).unwrap_or_default(),
        exercised: exercised(outcome),
    };
    Ok(serde_json::to_string_pretty(&results)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Evidence;
    use crate::report::sample;

    #[test]
    fn a_failing_run() {
        insta::assert_snapshot!(json(&sample::failing(&sample::failing_evidence())).unwrap());
    }

    #[test]
    fn a_run_with_disruptions() {
        insta::assert_snapshot!(json(&sample::measured(&sample::disrupted_evidence())).unwrap());
    }

    #[test]
    fn a_run_that_could_not_start() {
        insta::assert_snapshot!(json(&sample::empty(&Evidence::new(Vec::new()))).unwrap());
    }
}
