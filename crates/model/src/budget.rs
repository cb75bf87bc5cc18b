//! The budgets of a workload: one table of names, units and defaults for the command line, judges and reports.

use serde::{Deserialize, Serialize};

/// A kind of budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BudgetKind {
    /// The time until replication resumes after the primary came back.
    Resume,
    /// The time until a replica has reached a barrier.
    Barrier,
    /// The time until the workload has recovered from a disruption.
    Recovery,
    /// The longest time without an acknowledged write.
    Outage,
    /// The longest replication lag.
    Lag,
}

/// A row of the table of budgets.
#[derive(Debug, Clone, Copy)]
pub struct BudgetDescription {
    /// The budget.
    pub kind: BudgetKind,
    /// Its name in options and reports.
    pub name: &'static str,
    /// The default in milliseconds, on an ordinary machine.
    pub usual_ms: u64,
    /// Whether a timeout scale below 1 reduces it. A fast machine does not guarantee a smaller replication lag.
    pub shrinks: bool,
    /// What the budget limits, for people.
    pub means: &'static str,
}

/// The table of budgets.
pub const BUDGETS: [BudgetDescription; 5] = [
    BudgetDescription {
        kind: BudgetKind::Resume,
        name: "resume",
        usual_ms: 30_000,
        shrinks: true,
        means: "replicas go on after their source came back",
    },
    BudgetDescription {
        kind: BudgetKind::Barrier,
        name: "barrier",
        usual_ms: 30_000,
        shrinks: true,
        means: "a replica reaches what its source has",
    },
    BudgetDescription {
        kind: BudgetKind::Recovery,
        name: "recovery",
        usual_ms: 120_000,
        shrinks: true,
        means: "all replicas have caught up after a disruption",
    },
    BudgetDescription {
        kind: BudgetKind::Outage,
        name: "outage",
        usual_ms: 120_000,
        shrinks: true,
        means: "the longest time without an acknowledged write",
    },
    BudgetDescription {
        kind: BudgetKind::Lag,
        name: "lag",
        usual_ms: 1_000,
        shrinks: false,
        means: "how far behind 99 of 100 looks may find a replica while nothing is disrupted",
    },
];

/// The budgets of a run, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Budgets {
    /// The time from the primary's new pod being Ready until every replica has a row that was written after that.
    pub resume_ms: u64,
    /// The time until a replicating replica has executed everything that the primary had executed.
    pub barrier_ms: u64,
    /// The time from a disruption until every replica has reached a barrier.
    #[serde(default = "usual_recovery_ms")]
    pub recovery_ms: u64,
    /// The longest time without an acknowledged write.
    #[serde(default = "usual_outage_ms")]
    pub outage_ms: u64,
    /// The 99th percentile of a replica's lag while nothing is disrupted.
    #[serde(default = "usual_lag_ms")]
    pub lag_ms: u64,
}

fn usual_recovery_ms() -> u64 {
    BudgetKind::Recovery.description().usual_ms
}

fn usual_outage_ms() -> u64 {
    BudgetKind::Outage.description().usual_ms
}

fn usual_lag_ms() -> u64 {
    BudgetKind::Lag.description().usual_ms
}

impl BudgetKind {
    /// The row of this budget in the table.
    pub fn description(self) -> &'static BudgetDescription {
        &BUDGETS[self as usize]
    }
}

impl Budgets {
    /// The default budgets on a machine that takes `factor` times as long as an ordinary one.
    pub fn scaled(factor: f64) -> Self {
        let ms = |kind: BudgetKind| {
            let BudgetDescription { usual_ms, shrinks, .. } = *kind.description();
            let factor = if shrinks { factor } else { factor.max(1.0) };
            (usual_ms as f64 * factor).round() as u64
        };
        Self {
            resume_ms: ms(BudgetKind::Resume),
            barrier_ms: ms(BudgetKind::Barrier),
            recovery_ms: ms(BudgetKind::Recovery),
            outage_ms: ms(BudgetKind::Outage),
            lag_ms: ms(BudgetKind::Lag),
        }
    }

    /// The field of this budget.
    pub fn of(&mut self, kind: BudgetKind) -> &mut u64 {
        match kind {
            BudgetKind::Resume => &mut self.resume_ms,
            BudgetKind::Barrier => &mut self.barrier_ms,
            BudgetKind::Recovery => &mut self.recovery_ms,
            BudgetKind::Outage => &mut self.outage_ms,
            BudgetKind::Lag => &mut self.lag_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_budget_at_its_place() {
        for described in BUDGETS {
            assert_eq!(described.kind.description().name, described.name);
            let mut budgets = Budgets::scaled(1.0);
            assert_eq!(*budgets.of(described.kind), described.usual_ms);
            *budgets.of(described.kind) = 7;
            assert_ne!(budgets, Budgets::scaled(1.0));
        }
    }

    #[test]
    fn a_scale_below_one_leaves_the_lag() {
        let budgets = Budgets::scaled(0.5);
        assert_eq!((budgets.recovery_ms, budgets.lag_ms), (60_000, 1_000));
        assert_eq!(Budgets::scaled(2.0).lag_ms, 2_000);
    }
}
