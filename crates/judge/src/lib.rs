//! The catalogue of checks and their judges: pure functions from evidence to a finding. Nothing here does I/O, so a
//! stored run can be judged again, and a hand-made history can prove that a judge fails when it must.

mod assessment;
mod case;
mod case_file;
mod catalogue;
mod dns;
pub mod expectation;
#[cfg(any(test, feature = "fixtures"))]
#[doc(hidden)]
pub mod history;
mod identity;
mod ledger;
pub mod measure;
mod minimum;
mod ordering;
mod outcome;
mod persistence;
mod replication;
mod spans;
mod upgrade;
mod words;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::evidence::Scenario;
use evidence::Evidence;
use steadfast_model as evidence;
use steadfast_model::{image, mysql, object};

pub use case_file::CaseFile;
pub use catalogue::{CATALOGUE, UPGRADE_CHECKS, all, find};
pub use dns::{dns_budget_ms, dns_reverse_budget_ms, dns_zone};
pub use minimum::{Names, Need};
pub use outcome::{CommonCause, Conclusion, Judged, Outcome, Summary};
pub use spans::{Ended, Span, seconds_of};

/// The conclusion of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The property held.
    Pass,
    /// The property was violated.
    Fail,
    /// The evidence cannot decide: a watch gap, a failed probe, a scenario that was cut short. Never green.
    Inconclusive,
    /// The property does not apply to this workload.
    Skipped,
}

impl fmt::Display for Verdict {
    /// The word for it in results.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
        })
    }
}

/// A verdict with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Finding {
    /// The verdict.
    pub verdict: Verdict,
    /// What was seen, in a sentence or two that quote records as `#seq`.
    pub reason: String,
    /// The records that decide, the most important first.
    pub evidence: Vec<u64>,
    /// What outside of the check left it inconclusive, if known. Other checks may have the same cause.
    pub cause: Option<Cause>,
}

/// Why checks are inconclusive for a reason outside of their property: a failed scenario, an interrupted run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cause {
    /// What happened: `deploy: mysql-1 Ready did not come within 180s`.
    pub why: String,
    /// Its record, the same for all checks with this cause.
    pub seq: u64,
    /// What it means for the check, that is, the reason without the cause: `the scenario restart was not begun`.
    pub so: String,
}

impl Finding {
    /// A pass: the property held.
    pub fn pass(reason: impl Into<String>, evidence: impl IntoIterator<Item = u64>) -> Self {
        Self::new(Verdict::Pass, reason, evidence)
    }

    /// A failure: the property was violated.
    pub fn fail(reason: impl Into<String>, evidence: impl IntoIterator<Item = u64>) -> Self {
        Self::new(Verdict::Fail, reason, evidence)
    }

    /// An inconclusive finding: the evidence cannot decide.
    pub fn inconclusive(reason: impl Into<String>, evidence: impl IntoIterator<Item = u64>) -> Self {
        Self::new(Verdict::Inconclusive, reason, evidence)
    }

    /// A skipped check: the property does not apply.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::new(Verdict::Skipped, reason, [])
    }

    fn new(verdict: Verdict, reason: impl Into<String>, evidence: impl IntoIterator<Item = u64>) -> Self {
        Self { verdict, reason: reason.into(), evidence: evidence.into_iter().collect(), cause: None }
    }
}

/// A property that a workload must have.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// `property::snake_case_sentence`; it never changes.
    pub id: &'static str,
    /// What must hold, in RFC 2119 words.
    pub statement: &'static str,
    /// The source: a section of the Kubernetes documentation, the DNS specification or the MySQL manual.
    pub source: &'static str,
    /// For people: why it matters, how it is judged, and what usually is wrong when it fails.
    #[serde(skip)]
    pub explain: &'static str,
    /// The scenarios whose evidence it needs.
    pub scenarios: &'static [Scenario],
    /// The evidence that a pass requires.
    #[serde(skip)]
    pub minimum: &'static [Need],
    /// The judge.
    #[serde(skip)]
    pub judge: fn(&CaseFile<'_>) -> Finding,
}

impl Check {
    /// The part of the id before `::`.
    pub fn property(&self) -> &'static str {
        self.id.split_once("::").map_or(self.id, |(property, _)| property)
    }

    /// Judges the evidence. Without a `Run` record, or if a needed scenario did not complete, the check is inconclusive
    /// unless the evidence already shows a violation.
    pub fn judge(&self, evidence: &Evidence) -> Finding {
        CaseFile::of(evidence).map_or_else(|| catalogue::did_not_start(evidence), |file| self.judge_file(&file))
    }

    /// Does what [`Check::judge`] does with evidence that was prepared once for several checks.
    pub fn judge_file(&self, file: &CaseFile<'_>) -> Finding {
        catalogue::judge(self, file)
    }
}
