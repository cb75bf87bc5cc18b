//! `results.json`: the verdicts for programs. The order of the keys is part of the format.

use std::io;

use schemars::JsonSchema;
use serde::Serialize;

use super::costs::{self, DisruptionResult, LedgerResult};
use super::exercised::{Exercise, exercised};
use super::versions::{Servers, servers};
use crate::check::expectation::{self, Applied};
use crate::check::{Judged, Outcome, Summary, Verdict};
use crate::evidence::{Evidence, LeftOut, Run, Scenario, Substitution, Upgrade};

/// The version of the format.
pub(crate) const SCHEMA: u32 = 1;

/// The results of a run.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Results<'a> {
    /// The version of this format.
    #[schemars(extend("const" = SCHEMA))]
    schema: u32,
    /// What ran. Null if the run ended before a workload was under test.
    run: Option<RunFacts<'a>>,
    /// Whether the run was interrupted.
    interrupted: bool,
    summary: Summary,
    /// The checks' results, in the catalogue's order.
    checks: Vec<CheckResult<'a>>,
    /// The disruptions, in the order in which they were asked for.
    disruptions: Vec<DisruptionResult>,
    /// The outcome of the ledger. Null if there was no ledger.
    ledger: Option<LedgerResult>,
    /// The scenarios that were left out.
    left_out: &'a [LeftOut],
    /// What was tested, and how far.
    exercised: Vec<Exercise>,
}

/// What ran, and on what.
#[derive(Serialize, JsonSchema)]
struct RunFacts<'a> {
    run_id: &'a str,
    /// The version of the harness.
    steadfast: &'a str,
    /// The API server's version.
    kubernetes: &'a str,
    /// The cluster: a kind cluster, or the context of an existing cluster.
    cluster: &'a str,
    /// The versions of the cluster's upgrade. Absent if there was no upgrade.
    #[serde(skip_serializing_if = "Option::is_none")]
    upgrade: Option<&'a Upgrade>,
    servers: Servers,
    namespace: &'a str,
    /// The StatefulSet's name.
    set: &'a str,
    /// The images that ran instead of others.
    substitutions: &'a [Substitution],
    /// The scenarios that were run.
    scenarios: &'a [Scenario],
    /// What was expected of this cluster because of its version.
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

/// The result of a check.
#[derive(Serialize, JsonSchema)]
struct CheckResult<'a> {
    id: &'static str,
    verdict: Verdict,
    /// What must hold.
    statement: &'static str,
    /// The reason for the verdict.
    reason: &'a str,
    /// The numbers of the records that decide the verdict.
    evidence: &'a [u64],
    /// How long the scenarios of the check took, in seconds.
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
            // Rounds to milliseconds: sums of binary fractions have meaningless trailing digits.
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
