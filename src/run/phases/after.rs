//! `after`: what happened to the workload and its ledger, and whether the cluster passes the checks now.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use super::begin;
use super::error::PhaseError;
use super::phase_run::{PhaseRun, WatchedContext, connect};
use super::saved::{Conditions, Phase, Saved, SavedError};
use crate::check::{Conclusion, Outcome, UPGRADE_CHECKS};
use crate::cluster::Lab;
use crate::driver::Made;
use crate::evidence::{Evidence, Scenario, Snapshot, SnapshotOf, Upgrade, What};
use crate::report::Progress;
use crate::run::target::Target;
use crate::run::test_cluster::{RunContext, TestCluster};
use crate::run::{Ending, Finished, Keep, RunError, Settings, read_back, upgrade};
use crate::scenario::{self, external_upgrade};
use crate::workload::Hints;

/// The options of `after`.
#[derive(Debug, Clone)]
pub struct After {
    /// The state file.
    pub state: PathBuf,
    /// How to reach the cluster; `None` to reach it as before.
    pub target: Option<Target>,
    /// Whether pods of the workload that is deployed again may be disrupted.
    pub allow_disruption: bool,
    /// The folder in which the run's directory is created.
    pub artifacts: PathBuf,
    /// Whether to keep what `before` created.
    pub keep: Keep,
    /// Multiplies every time limit; `None` to use the same factor as before.
    pub timeout_scale: Option<f64>,
    /// The command that repeats this.
    pub rerun: String,
}

/// Compares the cluster with the state file, reads the ledger back, and runs all checks again.
///
/// # Errors
/// When the state file cannot be used, or the evidence cannot be written. Other errors are in `Finished::trouble`.
pub async fn after(request: &After, cancel: CancellationToken, progress: &Progress) -> Result<Finished, RunError> {
    let saved = Saved::read(&request.state).map_err(PhaseError::from)?;
    if saved.phase < Phase::Complete {
        return Err(PhaseError::HalfFinished { path: request.state.clone(), got_to: saved.phase.words() }.into());
    }
    let settings = request.settings(&saved);
    let run_context = begin(&settings, progress)?;
    let mut there = None;
    let mut trouble = Box::pin(request.compare(saved, &settings, &run_context, &cancel, &mut there)).await.err();
    let mut kept = None;
    if let Some((phase_run, watched)) = &there {
        if matches!(trouble, Some(RunError::Interrupted)) || request.keeps(&run_context, trouble.as_ref()) {
            let state = request.state.display();
            kept = Some(format!(
                "the workload is kept\ncompare again: {}\nremove:        steadfast after --state {state} --abandon",
                request.rerun
            ));
        } else if let Err(error) = request.clear(phase_run, Some(watched)).await {
            trouble.get_or_insert(error);
        }
    }
    let finished = read_back(&run_context, trouble)?;
    Ok(Finished { kept, ..finished })
}

/// Removes what `before` created, and its state file.
///
/// # Errors
/// When the state file cannot be used, the cluster is another one or cannot be reached, or something is left.
pub async fn abandon(request: &After, progress: &Progress) -> Result<(), RunError> {
    let saved = Saved::read(&request.state).map_err(PhaseError::from)?;
    let settings = request.settings(&saved);
    let run_context = begin(&settings, progress)?;
    let phase_run = request.phase_run(saved, &settings, &run_context).await?;
    let watched = match phase_run.standing().await {
        _ if !phase_run.saved.has_schemas() => None,
        Ok(manifests) => {
            run_context.journal.log.record(What::Run(Box::new(phase_run.describe(&[], Vec::new(), None))));
            Some(phase_run.watch(manifests, &Made::default()).await?)
        }
        Err(RunError::Phase(PhaseError::Gone { what, .. })) => {
            run_context.journal.progress.say(&format!("{what}, so nothing can be removed from its servers"));
            None
        }
        Err(error) => return Err(error),
    };
    request.clear(&phase_run, watched.as_ref()).await
}

impl After {
    /// How to reach the cluster now. The UID in the state file identifies it.
    fn target(&self, saved: &Saved) -> Target {
        let known = &saved.place.target;
        let Some(Target::Context { kubeconfig, context, witness_image, allow_insecure, .. }) = self.target.clone()
        else {
            return self.target.clone().unwrap_or_else(|| known.clone());
        };
        let before = if let Target::Context { witness_image, .. } = known { witness_image.clone() } else { None };
        let (uid, witness_image) = (Some(saved.place.uid.clone()), witness_image.or(before));
        Target::Context { kubeconfig, context, uid, witness_image, allow_insecure, namespaces: None }
    }

    /// The settings for this call and for the workload that is deployed again.
    fn settings(&self, saved: &Saved) -> Settings {
        let conditions = saved.conditions.clone();
        let Conditions { manifests, mut config, timeout_scale } = conditions;
        // Hints about an adopted workload do not apply to the seed.
        let of_seed = saved.adopted && manifests.paths.is_empty();
        if of_seed {
            config.hints = Hints { pull_secret: config.hints.pull_secret, ..Hints::default() };
        }
        Settings {
            checks: UPGRADE_CHECKS.iter().collect(),
            manifests,
            target: self.target(saved),
            allow_disruption: self.allow_disruption,
            namespace: None,
            config,
            artifacts: self.artifacts.clone(),
            keep: self.keep,
            upgrade: None,
            injections: Vec::new(),
            timeout_scale: self.timeout_scale.unwrap_or(timeout_scale),
            rerun: self.rerun.clone(),
        }
    }

    async fn phase_run<'a>(
        &'a self,
        saved: Saved,
        settings: &Settings,
        run_context: &'a RunContext,
    ) -> Result<PhaseRun<'a>, RunError> {
        let lab = Lab::read()?;
        connect(&lab, &settings.target, run_context, Some((&saved, &self.state))).await?;
        let test_cluster = TestCluster::open(lab, &settings.target, run_context, &[], &mut None).await?;
        Ok(PhaseRun { test_cluster, run_context, saved, path: &self.state })
    }

    async fn compare<'a>(
        &'a self,
        saved: Saved,
        settings: &Settings,
        run_context: &'a RunContext,
        cancel: &CancellationToken,
        there: &mut Option<(PhaseRun<'a>, WatchedContext)>,
    ) -> Result<(), RunError> {
        let looked = tokio::select! {
            looked = Box::pin(self.look(saved, settings, run_context, there)) => looked,
            () = cancel.cancelled() => Err(RunError::Interrupted),
        };
        looked?;
        let Some((phase_run, _)) = there else { return Ok(()) };
        // The second workload is always removed, even if it is cut short.
        let ending = Ending { cancel: cancel.clone(), keep: &|_| false };
        Box::pin(upgrade::conform(settings, &phase_run.test_cluster, run_context, ending)).await
    }

    /// Reads the state and the ledger.
    async fn look<'a>(
        &'a self,
        saved: Saved,
        settings: &Settings,
        run_context: &'a RunContext,
        there: &mut Option<(PhaseRun<'a>, WatchedContext)>,
    ) -> Result<(), RunError> {
        let phase_run = self.phase_run(saved, settings, run_context).await?;
        let manifests = phase_run.standing().await?;
        let journal = &run_context.journal;
        let (from, to) = (phase_run.saved.place.kubernetes.clone(), phase_run.test_cluster.cluster.version.clone());
        journal.progress.say(&match from == to {
            true => format!("the API server still runs {to}: the comparison covers all other changes to the cluster"),
            false => format!("the API server ran {from} before and runs {to} now"),
        });
        let run = phase_run.describe(&[Scenario::Upgrade, Scenario::Settle], Vec::new(), Some(Upgrade { from, to }));
        journal.log.record(What::Run(Box::new(run)));
        let value = serde_json::to_value(&phase_run.saved.before).unwrap_or_default();
        journal.log.record(What::Snapshot(Snapshot { of: SnapshotOf::State, value }));
        let watched = phase_run.watch(manifests, &Made::default()).await?;
        let (phase_run, watched) = there.insert((phase_run, watched));
        // A failure of one scenario is in the evidence and does not prevent the other.
        let _ = Box::pin(external_upgrade::after(&watched.context, phase_run.saved.before.as_ref())).await;
        let _ = Box::pin(scenario::act(&watched.context, Scenario::Settle)).await;
        watched.context.save_all_logs().await;
        Ok(())
    }

    /// Whether what `before` created stays.
    fn keeps(&self, run_context: &RunContext, trouble: Option<&RunError>) -> bool {
        match self.keep {
            Keep::Never => false,
            Keep::Always => true,
            Keep::OnFailure => {
                let passed = |evidence: &Evidence| {
                    let conclusion = Outcome::of(evidence, UPGRADE_CHECKS).conclusion();
                    matches!(conclusion, Conclusion::Passed | Conclusion::NothingRan)
                };
                trouble.is_some() || !Evidence::read(run_context.journal.log.path()).is_ok_and(|it| passed(&it))
            }
        }
    }

    async fn clear(&self, phase_run: &PhaseRun<'_>, watched: Option<&WatchedContext>) -> Result<(), RunError> {
        if let (true, Some(watched)) = (phase_run.saved.has_schemas(), watched) {
            external_upgrade::uninstall_schema(&watched.context).await?;
        }
        phase_run.remove().await?;
        let removed = std::fs::remove_file(&self.state);
        removed.map_err(|source| PhaseError::from(SavedError::Io { path: self.state.clone(), source }).into())
    }
}
