//! Whether the workload's pods must wait for one another.

use super::Case;
use crate::Finding;
use crate::evidence::{Expect, PodManagement};

impl Case<'_> {
    /// Whether pods are created and deleted without waiting for one another: the set's policy says so, and the run does
    /// not expect ordered pods.
    pub(crate) fn is_parallel(&self) -> bool {
        self.subject.pod_management == PodManagement::Parallel && !self.run.expect.contains(&Expect::OrderedReady)
    }

    /// Skips a check of the order of pods if the set has none.
    pub(crate) fn in_order(&self) -> Result<(), Finding> {
        if self.is_parallel() {
            let right = "podManagementPolicy is Parallel: no pod has to wait for another";
            return Err(Finding::skipped(format!("{right} (`--expect ordered-ready` demands that they do)")));
        }
        Ok(())
    }
}
