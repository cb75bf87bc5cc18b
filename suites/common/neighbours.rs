//! Budgets for runs that share the machine, such as the trials of a suite and the stages of a nightly run.

/// How far replicas may be behind. Other runs keep the machine and its disk busy, and the suites that use this test
/// other properties.
pub const BUDGET: [&str; 2] = ["--budget", "lag=1m"];
