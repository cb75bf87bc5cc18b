//! How long the scenarios wait. What a workload may take is the budgets' business.

use std::time::Duration;

use crate::evidence::Budgets;

/// How long the scenarios wait, each limit for one named thing. `--timeout-scale` multiplies them all.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// A pod, from being asked for to Ready: a first start initialises the server.
    pub pod_ready: Duration,
    /// A pod, from its deletion to being gone: a shutdown writes everything back.
    pub pod_gone: Duration,
    /// A controller, to begin with what it was asked for.
    pub reaction: Duration,
    /// A replica, to reach what the primary has executed.
    pub barrier: Duration,
    /// The replicas, to go on after the primary came back.
    pub resume: Duration,
    /// The workload, to have recovered from a disruption: every replica at a barrier. A server that shuts down within its
    /// grace period, starts, recovers and is connected to again is well within it, on a slow machine too.
    pub recovery: Duration,
    /// One write of the witness's ledger, with its connection; no answer until then is none.
    pub write: Duration,
    /// One SQL or DNS question.
    pub sql: Duration,
    /// One DNS question.
    pub dns: Duration,
    /// One command in a container.
    pub exec: Duration,
    /// Everything that the run made, to be gone after its deletion: pods within their grace period, then their volumes,
    /// then the namespaces.
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
            // Suites of broken workloads wait for less; a server that is deleted uses its grace period all the same.
            teardown: Duration::from_secs_f64(90.0 * factor.max(1.0)),
        }
    }

    /// The same, and for nothing less long than the workload may take.
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
