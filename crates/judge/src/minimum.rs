//! The evidence that a pass requires. Every completed scenario asks fixed questions at fixed checkpoints, which `table`
//! lists, and carries out fixed acts, which `acts` lists. A check names what it needs of them; if any of that is
//! missing, a pass becomes inconclusive.

mod acts;
mod names;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use super::case::Case;
use super::words::{during, some_of, topic};
use super::{Check, Finding};
use crate::evidence::{Checkpoint, Question, Scenario};

pub use names::Names;
pub(super) use table::{FULL_HOSTNAME, HOSTNAME, LOOKUP};

/// A kind of evidence that a pass requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The answers of every server to this question, at every checkpoint at which a scenario asks it.
    Sql(Question),
    /// The output of this command in every pod, at every checkpoint at which a scenario runs it.
    Exec(&'static [&'static str]),
    /// The answers of DNS to every name of this kind, at every checkpoint at which a scenario queries it.
    Names(Names),
    /// The proof of every act of the scenarios that the check needs.
    Acts,
}

impl fmt::Display for Need {
    /// What must be there, in the words of `steadfast explain`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(question) => write!(f, "the answer of each server to a query for {}", topic(*question)),
            Self::Exec(argv) => write!(f, "the output of `{}` in each pod", argv.join(" ")),
            Self::Names(names) => write!(f, "the answers of each DNS server to {names}"),
            Self::Acts => f.write_str("the proof of each act"),
        }
    }
}

/// An answer that a scenario must have left in the evidence.
struct Expected {
    /// The scenario that asks.
    scenario: Scenario,
    /// The scenario's first and last record.
    within: (u64, u64),
    checkpoint: Checkpoint,
    /// The pod that is asked, or whose name is queried.
    pod: String,
    need: Need,
}

impl Expected {
    /// Whether there is an answer, whatever it says.
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
            Need::Names(names) => format!("DNS was not queried for {}", names.words(pod)),
            Need::Acts => String::new(),
        };
        format!("{what} {} (scenario {scenario})", during(checkpoint))
    }
}

/// Whether this is the command. Lookups match with any name.
fn runs(argv: &[String], command: &[&str]) -> bool {
    let argv = if command == LOOKUP { argv.get(..command.len()).unwrap_or_default() } else { argv };
    argv == command
}

/// The inconclusive finding if evidence is missing that a pass of this check requires.
pub(super) fn missing(case: &Case<'_>, check: &Check) -> Option<Finding> {
    let acts = check.minimum.contains(&Need::Acts).then(|| acts::unproved(case, check.scenarios)).flatten();
    let expected = table::expected(case, check.minimum);
    let missing: BTreeSet<String> = expected.iter().filter(|it| !it.is_there(case)).map(Expected::words).collect();
    acts.or_else(|| (!missing.is_empty()).then(|| Finding::inconclusive(some_of(missing), [])))
}
