//! The evidence of a run, prepared once for all checks and reports.

use std::cell::OnceCell;
use std::collections::HashSet;

use crate::case::Case;
use crate::evidence::Evidence;
use crate::measure::Measures;

/// The evidence of a run that started, with derived values that several checks and reports use.
pub struct CaseFile<'a> {
    case: Case<'a>,
    measures: OnceCell<Measures>,
}

impl<'a> CaseFile<'a> {
    /// Prepares the evidence. `None` if the run never started.
    pub fn of(evidence: &'a Evidence) -> Option<Self> {
        Case::of(evidence).map(|case| Self { case, measures: OnceCell::new() })
    }

    /// The cost of the run's disruptions. The first call computes the measures, later calls reuse them.
    pub fn measures(&self) -> &Measures {
        self.measures.get_or_init(|| Measures::of(&self.case))
    }

    /// The records of the gaps in the watch history across which order is proved nevertheless.
    pub fn bridged_gaps(&self) -> &HashSet<u64> {
        &self.case.bridged
    }

    /// The evidence in the form that judges use.
    pub(crate) fn case(&self) -> &Case<'a> {
        &self.case
    }
}
