//! What runs are held to that share the machine, as the trials of a suite and the stages of a night do.

/// How far behind replicas may be: others keep the machine and its disk busy, and the suites that use this try something else.
pub const BUDGET: [&str; 2] = ["--budget", "lag=1m"];
