//! The catalogue of checks and their judges: pure functions from evidence to a finding. Nothing here does I/O, so a
//! stored run can be judged again, and a hand-made history can prove that a judge fails when it must.

mod assessment;
mod case;
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
mod persistence;
mod replication;
mod upgrade;
mod words;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::evidence::Scenario;
use evidence::Evidence;
use steadfast_model as evidence;
use steadfast_model::{image, mysql, object};

pub use case::bridged_gaps;
pub use catalogue::{CATALOGUE, UPGRADE_CHECKS, all, find};
pub use dns::{dns_budget_ms, dns_zone};
pub use minimum::{Names, Need};

/// What a check concludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The property held.
    Pass,
    /// The property was violated.
    Fail,
    /// The evidence cannot decide: a watch gap, a probe that broke, a scenario that was cut short. Never green.
    Inconclusive,
    /// The property does not apply to this workload.
    Skipped,
}

impl fmt::Display for Verdict {
    /// The word that results have for it.
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
    /// What was seen, in a sentence or two, with records quoted as `#seq`.
    pub reason: String,
    /// The records that decide, in the order in which they matter.
    pub evidence: Vec<u64>,
    /// What kept the check from being decided, where that is no business of its own: others may be undecided for it too.
    pub cause: Option<Cause>,
}

/// What left checks undecided whose property it is not about: a scenario that failed, a run that ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cause {
    /// What happened: `deploy: mysql-1 Ready did not come within 180s`.
    pub why: String,
    /// The record of it, which checks that have the same cause have in common.
    pub seq: u64,
    /// What it means for the check, which is the reason without the cause: `the scenario restart was not begun`.
    pub so: String,
}

impl Finding {
    /// The property held.
    pub fn pass(reason: impl Into<String>, evidence: impl IntoIterator<Item = u64>) -> Self {
        Self::new(Verdict::Pass, reason, evidence)
    }

    /// The property was violated.
    pub fn fail(reason: impl Into<String>, evidence: impl IntoIterator<Item = u64>) -> Self {
        Self::new(Verdict::Fail, reason, evidence)
    }

    /// The evidence cannot decide.
    pub fn inconclusive(reason: impl Into<String>, evidence: impl IntoIterator<Item = u64>) -> Self {
        Self::new(Verdict::Inconclusive, reason, evidence)
    }

    /// The property does not apply.
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
    /// `property::snake_case_sentence`, for ever.
    pub id: &'static str,
    /// What must hold, in RFC 2119 words.
    pub statement: &'static str,
    /// Where it is written: a section of the Kubernetes documentation, the DNS specification or the MySQL manual.
    pub source: &'static str,
    /// For people: why it matters, how it is judged, and what usually is wrong when it fails.
    #[serde(skip)]
    pub explain: &'static str,
    /// The scenarios whose evidence it needs, by name.
    pub scenarios: &'static [Scenario],
    /// The evidence that a pass cannot do without.
    #[serde(skip)]
    pub minimum: &'static [Need],
    /// The judge.
    #[serde(skip)]
    pub judge: fn(&Evidence) -> Finding,
}

impl Check {
    /// The part of the id before `::`.
    pub fn property(&self) -> &'static str {
        self.id.split_once("::").map_or(self.id, |(property, _)| property)
    }

    /// Judges the evidence. Evidence without a `Run` record, or of a scenario that was not carried out to its end,
    /// is inconclusive unless it already shows a violation.
    pub fn judge(&self, evidence: &Evidence) -> Finding {
        catalogue::judge(self, evidence)
    }
}
