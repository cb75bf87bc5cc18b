//! The settings of a run, and the workload run that follows from them.

use std::path::PathBuf;

use super::target::Target;
use super::test_cluster::RunContext;
use super::{RunConfig, RunError, WorkloadRun, names, preflight};
use crate::check::Check;
use crate::cluster::{Lab, Version};
use crate::driver::FaultInjection;
use crate::evidence::{Disrupts, Expect, Scenario};
use crate::scenario::plan;
use crate::workload::{self, Loaded, Sources};

/// When to keep the cluster, or the workload on an existing cluster, after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Keep {
    /// Remove everything.
    Never,
    /// Keep everything if a check did not pass.
    OnFailure,
    /// Keep everything.
    Always,
}

/// The settings of a run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The checks.
    pub checks: Vec<&'static Check>,
    /// The manifests; empty for the seed with its overlay.
    pub manifests: Sources,
    /// Where the run takes place.
    pub target: Target,
    /// Whether pods of the run's own namespace may be disrupted on an existing cluster.
    pub allow_disruption: bool,
    /// The namespace, unless the manifests name one.
    pub namespace: Option<String>,
    /// The folder in which the run's directory is created.
    pub artifacts: PathBuf,
    /// Whether to keep what was created.
    pub keep: Keep,
    /// What the user said about the workload besides the manifests, and the demands on it.
    pub config: RunConfig,
    /// The release to upgrade the cluster to, in a run that upgrades.
    pub upgrade: Option<Version>,
    /// The faults that a mutant injects.
    pub injections: Vec<FaultInjection>,
    /// Multiplies every time limit.
    pub timeout_scale: f64,
    /// The command that repeats the run, to which a check's id is appended.
    pub rerun: String,
}

impl Settings {
    /// Rejects prepared namespaces that are the same or that no run may use. The workload run checks the workload's
    /// own.
    fn namespaces_are_fit(&self) -> Result<(), RunError> {
        let Target::Context { namespaces: Some([workload, witness]), .. } = &self.target else { return Ok(()) };
        if workload == witness {
            let why = "the workload uses it, and the second witness needs another namespace";
            return Err(RunError::BadNamespace { name: witness.clone(), why });
        }
        names::usable(witness.clone()).map(drop)
    }

    /// The workload run for these settings. Errors in the manifests are reported here.
    pub(super) async fn workload_run(&self, lab: &Lab, run_context: &RunContext) -> Result<WorkloadRun, RunError> {
        if self.upgrade.is_some() {
            self.manifests.can_be_read_again()?;
        }
        let Loaded { mut manifests, passed_over } = workload::load(&self.manifests, &lab.kubectl).await?;
        workload::choose(&mut manifests, &self.config.hints);
        if workload::leave_default_namespace(&mut manifests) {
            let note = "the manifests name the namespace default, which is left alone: the run has one of its own";
            run_context.journal.note(note.to_owned());
        }
        for file in passed_over {
            run_context.journal.note(format!("{file} holds no objects and was passed over"));
        }
        // An upgrade always runs completely and reads the ledger back, whichever checks are selected.
        let of_upgrade = self.upgrade.map_or(&[][..], |_| &[Scenario::Upgrade, Scenario::Settle]);
        let mut scenarios = plan(self.checks.iter().flat_map(|check| check.scenarios).chain(of_upgrade).copied());
        if self.keep == Keep::Always {
            scenarios.retain(|scenario| *scenario != Scenario::Teardown);
        }
        let (run_context, namespace, injections) =
            (run_context.clone(), self.namespace.clone(), self.injections.clone());
        let may_disrupt = match self.target {
            Target::New { .. } => Disrupts::Cluster,
            _ if self.allow_disruption => Disrupts::Workload,
            _ => Disrupts::Nothing,
        };
        // The seed's pods start in order, and a change of that must be noticed.
        let mut config = self.config.clone();
        if self.manifests.paths.is_empty() {
            config.expect = vec![Expect::OrderedReady];
        }
        self.namespaces_are_fit()?;
        let workload_run =
            WorkloadRun { run_context, manifests, namespace, config, scenarios, injections, may_disrupt, newer: None };
        workload::subject(
            &workload_run.manifests,
            &workload_run.namespace()?,
            "cluster.local",
            &workload_run.config.hints,
        )?;
        if workload_run.scenarios.contains(&Scenario::Replicate) {
            workload::can_be_judged(&workload_run.manifests)?;
        }
        preflight::quotas(&workload_run.manifests, false)?;
        if let Target::New { nodes, .. } = self.target {
            // A cluster that does not exist yet has no Secret.
            if let Some(place) = self.config.hints.pull_secret.clone() {
                return Err(RunError::NoPullSecret { place });
            }
            workload::known_to_new_cluster(&workload_run.manifests)?;
            preflight::nodes(&workload_run.manifests, &workload::taints_of_new(nodes), Some(nodes))?;
        }
        Ok(workload_run)
    }
}
