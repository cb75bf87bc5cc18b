//! How long the scenarios wait. How long a workload may take is set by budgets.

use std::time::Duration;

use crate::evidence::Budgets;

/// How long the scenarios wait, one limit per awaited thing. `--timeout-scale` multiplies all of them.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From the request for a pod until it is Ready: a first start initialises the server.
    pub pod_ready: Duration,
    /// From the deletion of a pod until it is gone: a shutdown flushes everything.
    pub pod_gone: Duration,
    /// For a controller to start what it was asked for.
    pub reaction: Duration,
    /// For a replica to execute what the primary has executed.
    pub barrier: Duration,
    /// For the replicas to resume after the primary came back.
    pub resume: Duration,
    /// For the workload to recover from a disruption, with every replica at a barrier. It is ample, even on a slow
    /// machine, for a server to shut down within its grace period, start, recover and get its connections back.
    pub recovery: Duration,
    /// For one write of the ledger, including its connection. A later answer counts as none.
    pub write: Duration,
    /// For one SQL or DNS question.
    pub sql: Duration,
    /// For one DNS question.
    pub dns: Duration,
    /// For one command in a container.
    pub exec: Duration,
    /// For everything that the run created to be gone after its deletion: pods within their grace period, then their
    /// volumes, then the namespaces.
    pub teardown: Duration,
}

impl Timeouts {
    /// The timeouts for an ordinary machine, times `factor`.
    pub fn scaled(factor: f64) -> Self {
        let seconds = |seconds: f64| Duration::from_secs_f64(seconds * factor);
        Self {
            pod_ready: seconds(180.0),
            pod_gone: seconds(90.0),
            reaction: seconds(30.0),
            barrier: seconds(30.0),
            resume: seconds(30.0),
            recovery: seconds(120.0),
            write: seconds(2.0),
            sql: seconds(10.0),
            dns: seconds(2.0),
            exec: seconds(10.0),
            // Suites with broken workloads use a factor below 1, but a deleted server still uses its grace period.
            teardown: Duration::from_secs_f64(90.0 * factor.max(1.0)),
        }
    }

    /// The same, but none shorter than what the budgets allow the workload.
    #[must_use]
    pub fn at_least(self, budgets: &Budgets) -> Self {
        let longer = |limit: Duration, ms: u64| limit.max(Duration::from_millis(ms));
        Self {
            barrier: longer(self.barrier, budgets.barrier_ms),
            resume: longer(self.resume, budgets.resume_ms),
            recovery: longer(self.recovery, budgets.recovery_ms.max(budgets.outage_ms)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_lengthens_a_wait_and_never_shortens_one() {
        let with = |recovery_ms| Budgets { recovery_ms, outage_ms: 1, ..Budgets::scaled(1.0) };
        let waits = |recovery_ms| Timeouts::scaled(1.0).at_least(&with(recovery_ms)).recovery.as_secs();
        assert_eq!([waits(1), waits(300_000)], [120, 300]);
    }
}
