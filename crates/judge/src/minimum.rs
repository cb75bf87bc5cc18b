//! The evidence that a pass cannot do without. Every scenario that came to its end asks fixed questions at fixed moments
//! and carries out fixed acts: both stand in `table`. A check names which of them it needs; what is missing of these takes
//! its pass back.

mod acts;
mod table;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt};

use crate::evidence::{Checkpoint, Question, Scenario};

use super::{
    Check, Finding,
    case::Case,
    words::{during, some_of, topic},
};

pub use table::Names;
pub(super) use table::{FULL_HOSTNAME, HOSTNAME, LOOKUP};

/// A kind of evidence without which there is no pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Every server that a scenario asks this question has its answer, at every moment.
    Sql(Question),
    /// Every pod in which a scenario runs this command has its output, at every moment.
    Exec(&'static [&'static str]),
    /// Every name of this kind that a scenario asks DNS for has its answers, at every moment.
    Names(Names),
    /// Every act of the scenarios that the check needs is proved.
    Acts,
}

impl fmt::Display for Need {
    /// What must be there, as `steadfast explain` says it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(question) => write!(f, "the answer of each server that is asked for {}", topic(*question)),
            Self::Exec(argv) => write!(f, "the output of `{}` in each pod", argv.join(" ")),
            Self::Names(names) => write!(f, "the answers of each DNS server to {names}"),
            Self::Acts => f.write_str("the proof of each act"),
        }
    }
}

/// One answer that a scenario must have left in the evidence.
struct Expected {
    /// The scenario that asks.
    scenario: Scenario,
    /// Its first and its last record.
    within: (u64, u64),
    checkpoint: Checkpoint,
    /// Whom it asks, or whose name it asks for.
    pod: String,
    need: Need,
}

impl Expected {
    /// Whether the answer is there, whatever it says.
    fn is_there(&self, case: &Case<'_>) -> bool {
        let ((from, to), checkpoint, pod) = (self.within, &self.checkpoint, self.pod.as_str());
        match self.need {
            Need::Sql(question) => case.answers_between(pod, question, checkpoint, from, to).next().is_some(),
            Need::Exec(argv) => case.execs_in(pod).any(|exec| {
                exec.checkpoint == *checkpoint && (from..=to).contains(&exec.mark.seq) && runs(&exec.argv, argv)
            }),
            Need::Names(names) => names.of(case, pod, self.within).iter().all(|spellings| {
                let asked = |name: &String| case.dns_for(checkpoint, name, from, to).next().is_some();
                spellings.iter().any(asked)
            }),
            Need::Acts => true,
        }
    }

    fn words(&self) -> String {
        let Self { scenario, checkpoint, pod, need, .. } = self;
        let what = match need {
            Need::Sql(question) => format!("{pod} was not asked for {}", topic(*question)),
            Need::Exec(argv) => format!("`{}` was not run in {pod}", argv.join(" ")),
            Need::Names(names) => format!("DNS was not asked for {}", names.words(pod)),
            Need::Acts => String::new(),
        };
        format!("{what} {} (scenario {scenario})", during(checkpoint))
    }
}

/// Whether a command is this one. What is looked up differs.
fn runs(argv: &[String], command: &[&str]) -> bool {
    let argv = if command == LOOKUP { argv.get(..command.len()).unwrap_or_default() } else { argv };
    argv == command
}

/// The doubt about a pass of this check that evidence is missing for.
pub(super) fn missing(case: &Case<'_>, check: &Check) -> Option<Finding> {
    let acts = check.minimum.contains(&Need::Acts).then(|| acts::unproved(case, check.scenarios)).flatten();
    let expected = table::expected(case, check.minimum);
    let missing: BTreeSet<String> = expected.iter().filter(|it| !it.is_there(case)).map(Expected::words).collect();
    acts.or_else(|| (!missing.is_empty()).then(|| Finding::inconclusive(some_of(missing), [])))
}
