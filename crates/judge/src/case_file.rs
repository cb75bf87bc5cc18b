//! A run's evidence, prepared once for all checks and reports.

use std::cell::OnceCell;
use std::collections::HashSet;

use crate::case::Case;
use crate::evidence::Evidence;
use crate::measure::Measures;

/// The evidence of a run that started, with what several checks and reports derive from it.
pub struct CaseFile<'a> {
    case: Case<'a>,
    measures: OnceCell<Measures>,
}

impl<'a> CaseFile<'a> {
    /// Prepares the evidence; none where the run never started.
    pub fn of(evidence: &'a Evidence) -> Option<Self> {
        Case::of(evidence).map(|case| Self { case, measures: OnceCell::new() })
    }

    /// What the run's disruptions cost. The first call takes the measures, later ones reuse them.
    pub fn measures(&self) -> &Measures {
        self.measures.get_or_init(|| Measures::of(&self.case))
    }

    /// The gaps of the watch history across which its order is proved all the same, by their records.
    pub fn bridged_gaps(&self) -> &HashSet<u64> {
        &self.case.bridged
    }

    /// What judges ask of the evidence.
    pub(crate) fn case(&self) -> &Case<'a> {
        &self.case
    }
}
