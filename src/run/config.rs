//! What the user says about the workload besides the manifests, and the demands on it. The command line, the suites and
//! the state that `before` saves all use this one struct.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::budget::{self, Budget};
use crate::choice::choice;
use crate::driver::{Cuts, Rate};
use crate::evidence::{Choice, Expect, Replication};
use crate::workload::Hints;

/// What a run is told of its workload beside the manifests, and what it holds the workload to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, Args)]
pub struct RunConfig {
    /// What the manifests do not say.
    #[command(flatten)]
    #[serde(flatten)]
    pub hints: Hints,
    /// Who configures replication: the harness, or the workload itself (its init containers or its operator). In the
    /// second case the harness only observes.
    #[arg(long, value_parser = choice::<Replication>(), default_value = "managed")]
    pub replication: Replication,
    /// Judge semi-synchronous replication, which the manifests enable: the ledger queries before and after every write
    /// whether its commit waited for a replica.
    #[arg(long)]
    pub semi_sync: bool,
    /// Require a property that not every workload must have. Can be repeated. `ordered-ready`: pods are created and
    /// deleted in the order of their ordinals, even if spec.podManagementPolicy is Parallel. The seed must always have
    /// it.
    #[arg(long, value_parser = choice::<Expect>(), value_name = "WHAT")]
    #[serde(default)]
    pub expect: Vec<Expect>,
    /// How fast the ledger writes.
    #[command(flatten)]
    pub ledger: Rate,
    /// How often the power is cut.
    #[command(flatten)]
    #[serde(flatten)]
    pub power: Cuts,
    /// What it holds the workload to in place of the usual budgets.
    #[arg(long = "budget", value_name = "NAME=DURATION", help = budget::HELP, long_help = budget::long_help())]
    pub budgets: Vec<Budget>,
}

impl RunConfig {
    /// The options that set this, as far as it differs from the defaults.
    pub fn options(&self) -> Vec<String> {
        let mut options = self.hints.options();
        let usual = Rate::default();
        let ledger =
            [("--writers", self.ledger.writers, usual.writers), ("--rate", self.ledger.per_second, usual.per_second)];
        let others = ledger.iter().filter(|(_, number, usual)| number != usual);
        options.extend(others.map(|(flag, number, _)| format!("{flag} {number}")));
        if self.power != Cuts::default() {
            options.push(format!("--cuts {}", self.power.count));
        }
        if self.semi_sync {
            options.push("--semi-sync".to_owned());
        }
        options.extend(self.expect.iter().map(|demand| format!("--expect {}", demand.name())));
        if self.replication == Replication::Observed {
            options.push("--replication observed".to_owned());
        }
        options.extend(self.budgets.iter().map(|budget| format!("--budget {budget}")));
        options
    }
}
