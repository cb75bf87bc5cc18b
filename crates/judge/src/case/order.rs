//! Whether the workload's pods have to wait for one another.

use super::{super::Finding, Case};
use crate::evidence::{Expect, PodManagement};

impl Case<'_> {
    /// Whether pods are created and deleted without waiting for one another: by the set's own policy, unless the run
    /// demands that they come in order.
    pub fn is_parallel(&self) -> bool {
        self.subject.pod_management == PodManagement::Parallel && !self.run.expect.contains(&Expect::OrderedReady)
    }

    /// Skips a check of the order in which pods come and go, where there need not be one.
    pub fn in_order(&self) -> Result<(), Finding> {
        if self.is_parallel() {
            let right = "podManagementPolicy is Parallel: no pod has to wait for another one";
            return Err(Finding::skipped(format!("{right} (`--expect ordered-ready` demands that they do)")));
        }
        Ok(())
    }
}
