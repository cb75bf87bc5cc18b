//! The run of one workload: what is given, and what it created.

use std::sync::{Arc, OnceLock};

use super::guest::Guest;
use super::names::{short_name, usable};
use super::scope::Scope;
use super::test_cluster::{RunContext, TestCluster};
use super::{RunConfig, RunError};
use crate::driver::{Context, FaultInjection, Made, Newer};
use crate::evidence::{Budgets, Disrupts, Run, SCHEMA, Scenario, Subject, Substitution, Upgrade};
use crate::record::Recorder;
use crate::workload::{self, Manifest};

/// The workload under test.
pub struct WorkloadRun {
    /// Its name, its directory, its journal.
    pub run_context: RunContext,
    /// The workload's manifests.
    pub manifests: Vec<Manifest>,
    /// The namespace; `None` for the one that the manifests name, or else one named after the run.
    pub namespace: Option<String>,
    /// What the user said about it besides its manifests, and the demands on it.
    pub config: RunConfig,
    /// The scenarios, in order.
    pub scenarios: Vec<Scenario>,
    /// The faults that a mutant injects.
    pub injections: Vec<FaultInjection>,
    /// What the run may disrupt.
    pub may_disrupt: Disrupts,
    /// The release to upgrade the cluster to, in a run that upgrades.
    pub newer: Option<Newer>,
}

impl WorkloadRun {
    /// The namespace. Unusable ones are rejected before anything is created.
    ///
    /// # Errors
    /// When the manifests name different namespaces, or when it cannot be used.
    pub fn namespace(&self) -> Result<String, RunError> {
        let named = workload::namespace(&self.manifests, self.namespace.as_deref())?;
        usable(named.unwrap_or_else(|| short_name(&self.run_context.name)))
    }
}

/// What the clean-up needs, even if the scenarios were cut short.
#[derive(Default)]
pub(super) struct Standing {
    pub made: Made,
    pub guest: OnceLock<Guest>,
    pub namespace: OnceLock<String>,
    pub recorder: OnceLock<Recorder>,
    pub context: OnceLock<Arc<Context>>,
}

/// The description of a run for its evidence.
pub(super) fn description(
    test_cluster: &TestCluster,
    workload_run: &WorkloadRun,
    scope: &Scope,
    subject: &Subject,
    substitutions: Vec<Substitution>,
    budgets: Budgets,
) -> Run {
    Run {
        schema: SCHEMA,
        run_id: workload_run.run_context.name.clone(),
        steadfast: env!("CARGO_PKG_VERSION").to_owned(),
        kubernetes: test_cluster.cluster.version.clone(),
        gates: test_cluster.gates.clone(),
        cluster: test_cluster.description.clone(),
        substitutions,
        subject: subject.clone(),
        budgets,
        scenarios: scope.scenarios.clone(),
        left_out: scope.left_out.clone(),
        replication: workload_run.config.replication,
        semi_sync: workload_run.config.semi_sync,
        expect: workload_run.config.expect.clone(),
        upgrade: workload_run.newer.as_ref().map(|newer| Upgrade {
            from: test_cluster.cluster.version.clone(),
            to: format!("v{}", newer.node.kubernetes),
        }),
    }
}
