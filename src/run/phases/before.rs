//! `before`: the workload and its ledger, and their state.

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::begin;
use super::error::PhaseError;
use super::phase_run::{PhaseRun, connect, live, namespace_like};
use super::saved::{Conditions, Phase, Place, Saved, SavedError};
use crate::cluster::{Lab, kind};
use crate::driver::Made;
use crate::evidence::{Scenario, What};
use crate::report::Progress;
use crate::run::guest::Plans;
use crate::run::images::{self, substituted};
use crate::run::target::Target;
use crate::run::test_cluster::{RunContext, TestCluster};
use crate::run::{Finished, RunError, Settings, names, preflight, preflight_workload, read_back};
use crate::scenario::{self, external_upgrade};
use crate::workload::{self, Hints, Manifest};

/// The options of `before`.
#[derive(Debug, Clone)]
pub struct Before {
    /// The state file.
    pub state: PathBuf,
    /// The StatefulSet to adopt, in the settings' namespace; `None` to deploy a workload.
    pub adopt: Option<String>,
    /// All other settings.
    pub settings: Settings,
}

/// Deploys or adopts a workload, starts the ledger, and saves the state of the cluster in the state file.
///
/// # Errors
/// When the state file cannot be used, or the evidence cannot be written. Other errors are in `Finished::trouble`.
pub async fn before(request: &Before, cancel: CancellationToken, progress: &Progress) -> Result<Finished, RunError> {
    let known = match Saved::read(&request.state) {
        Ok(saved) => Some(saved),
        Err(SavedError::Missing { .. }) => None,
        Err(error) => return Err(PhaseError::from(error).into()),
    };
    if let Some(saved) = &known {
        request.is_about(saved)?;
    }
    request.target(known.as_ref())?;
    let run_context = begin(&request.settings, progress)?;
    let acted = tokio::select! {
        acted = Box::pin(request.act(known, &run_context)) => acted,
        () = cancel.cancelled() => Err(RunError::Interrupted),
    };
    let finished = read_back(&run_context, acted.err())?;
    let kept = Saved::read(&request.state).ok().map(|saved| stays(saved.phase, &request.state));
    Ok(Finished { kept, ..finished })
}

/// What stays after `before`, and what to do next.
fn stays(phase: Phase, state: &Path) -> String {
    let state = state.display();
    let (what, next) = match phase {
        Phase::Complete => (
            "the workload and the ledger keep running while you upgrade the cluster".to_owned(),
            format!("refresh:   steadfast before --state {state}\ncompare:   steadfast after --state {state}"),
        ),
        phase => (
            format!("this call {}; the objects that it created are kept", phase.words()),
            format!("continue:  steadfast before --state {state}"),
        ),
    };
    format!("{what}\n{next}\nremove:    steadfast after --state {state} --abandon")
}

impl Before {
    /// Rejects a state file about another workload than the requested one.
    fn is_about(&self, saved: &Saved) -> Result<(), PhaseError> {
        let (subject, namespace) = (&saved.subject, self.settings.namespace.as_ref());
        let set = self.adopt.as_ref().is_none_or(|set| saved.adopted && *set == subject.set);
        if set && namespace.is_none_or(|namespace| *namespace == subject.namespace) {
            return Ok(());
        }
        let how = if saved.adopted { "adopted" } else { "deployed" };
        let known = format!("the StatefulSet {} that was {how} in the namespace {}", subject.set, subject.namespace);
        let to_adopt = |set| format!("the StatefulSet {set} to adopt");
        let what = self.adopt.as_ref().map_or("a workload to deploy".to_owned(), to_adopt);
        let place = namespace.map(|namespace| format!(" in the namespace {namespace}")).unwrap_or_default();
        Err(PhaseError::AnotherWorkload { path: self.state.clone(), known, asked: format!("{what}{place}") })
    }

    /// The requested cluster. With an existing state file, that file's cluster is the default.
    fn target<'a>(&'a self, known: Option<&'a Saved>) -> Result<&'a Target, PhaseError> {
        match (&self.settings.target, known) {
            (Target::New { .. }, None) => Err(PhaseError::NoCluster),
            (Target::New { .. }, Some(saved)) => Ok(&saved.place.target),
            (named, _) => Ok(named),
        }
    }

    async fn act(&self, known: Option<Saved>, run_context: &RunContext) -> Result<(), RunError> {
        self.settings.manifests.can_be_read_again()?;
        let lab = Lab::read()?;
        let target = self.target(known.as_ref())?.clone();
        let about = known.as_ref().map(|saved| (saved, self.state.as_path()));
        let (cluster, uid) = connect(&lab, &target, run_context, about).await?;
        let (path, deployed) = match &known {
            Some(saved) => (&saved.conditions.manifests, saved.adopted || saved.phase >= Phase::Writing),
            None => (&self.settings.manifests, self.adopt.is_some()),
        };
        let mut manifests = if deployed { Vec::new() } else { workload::load(path, &lab.kubectl).await?.manifests };
        // The hints of an earlier call stay in force.
        let hints = known.as_ref().map_or(&self.settings.config.hints, |saved| &saved.conditions.config.hints);
        workload::choose(&mut manifests, hints);
        workload::leave_default_namespace(&mut manifests);
        workload::can_be_judged(&manifests)?;
        preflight::quotas(&manifests, true)?;
        let run = known.as_ref().map_or_else(|| run_context.name.clone(), Saved::name);
        if let Target::Context { .. } = target {
            manifests = workload::with_own_names(manifests, names::word_of(&run));
        }
        let manifests = workload::labelled(manifests, &run);
        let images = images::to_load(&lab, &target, &manifests, &run_context.journal).await;
        let test_cluster = TestCluster::open(lab, &target, run_context, &images, &mut None).await?;
        let saved = match known {
            Some(saved) => saved,
            None => {
                let place = Place {
                    uid,
                    context: cluster.context,
                    server: cluster.server,
                    kubernetes: cluster.version,
                    target: absolute(target),
                };
                self.first(&test_cluster, run_context, &manifests, place).await?
            }
        };
        let phase_run = PhaseRun { test_cluster, run_context, saved, path: &self.state };
        if phase_run.saved.phase >= Phase::Writing {
            again(phase_run).await
        } else {
            self.prepare(phase_run, manifests).await
        }
    }

    /// What is known before anything is created. Everything that can be refused is refused here.
    async fn first(
        &self,
        test_cluster: &TestCluster,
        run_context: &RunContext,
        manifests: &[Manifest],
        place: Place,
    ) -> Result<Saved, RunError> {
        let run_id = run_context.name.trim_start_matches(kind::PREFIX).to_owned();
        let (own, settings) = (names::short_name(&run_id), &self.settings);
        let hints = &settings.config.hints;
        let (subject, near, far, cluster_wide) = match &self.adopt {
            Some(set) => {
                let namespace = settings.namespace.clone().unwrap_or_else(|| "default".to_owned());
                let gone = |kind, name| PhaseError::NothingToAdopt { kind, name, namespace: namespace.clone() };
                let manifests = live(test_cluster, &namespace, set, gone).await?;
                let of_manifests = Hints { statefulset: None, ..hints.clone() };
                let (subject, _) = workload::subject(&manifests, &namespace, &test_cluster.domain, &of_manifests)?;
                workload::is_no_group(&manifests)?;
                let (near, far) = (format!("{own}-near"), format!("{own}-far"));
                let none = preflight_workload::of_workload(test_cluster, &[], [&near, &far]).await?;
                (subject, near, far, none)
            }
            None => {
                let named = workload::namespace(manifests, settings.namespace.as_deref())?;
                let namespace = names::usable(named.unwrap_or(own))?;
                let (subject, _) = workload::subject(manifests, &namespace, &test_cluster.domain, hints)?;
                let far = format!("{namespace}-witness");
                let cluster_wide = preflight_workload::of_workload(test_cluster, manifests, [&namespace, &far]).await?;
                (subject, namespace, far, cluster_wide)
            }
        };
        let namespaces = [near.as_str(), &far];
        let plans = Plans { namespaces, manifests, cluster_wide: &cluster_wide, witness: &[] };
        let intents = plans.intents(false);
        let saved = Saved {
            schema: Saved::SCHEMA,
            steadfast: env!("CARGO_PKG_VERSION").to_owned(),
            run_id,
            place,
            conditions: Conditions {
                manifests: settings.manifests.absolute(),
                config: settings.config.clone(),
                timeout_scale: settings.timeout_scale,
            },
            adopted: self.adopt.is_some(),
            subject,
            near,
            far,
            intents,
            made: Vec::new(),
            phase: Phase::Begun,
            before: None,
            evidence: run_context.directory.clone(),
        };
        saved.write(&self.state).map_err(PhaseError::from)?;
        Ok(saved)
    }

    /// Deploys the workload, starts the ledger, and reads the state.
    async fn prepare(&self, mut phase_run: PhaseRun<'_>, manifests: Vec<Manifest>) -> Result<(), RunError> {
        let resumed = phase_run.saved.phase;
        phase_run.namespaces_stand().await?;
        if phase_run.saved.adopted {
            let like = namespace_like(&phase_run.test_cluster, &phase_run.saved.subject.namespace).await?;
            phase_run.make_namespaces(&[like]).await?;
        } else {
            phase_run.make_namespaces(&manifests).await?;
        }
        let journal = &phase_run.run_context.journal;
        let images =
            images::to_load(&phase_run.test_cluster.lab, &phase_run.saved.place.target, &manifests, journal).await;
        let substitutions = phase_run.test_cluster.provide(&images, journal).await?;
        let whole = if phase_run.saved.adopted {
            phase_run.standing().await?
        } else {
            phase_run
                .test_cluster
                .taking_from_nodes(substituted(&manifests, &substitutions), &phase_run.run_context.journal)
        };
        let beside = phase_run.beside(&whole).await?;
        let manifests = if phase_run.saved.adopted { whole } else { fresh(&phase_run, whole).await? };
        let scenarios: &[Scenario] =
            if phase_run.saved.adopted { &[] } else { &[Scenario::Deploy, Scenario::Replicate] };
        phase_run.run_context.journal.log.record(What::Run(Box::new(phase_run.describe(
            scenarios,
            substitutions,
            None,
        ))));
        phase_run.make_witnesses(&manifests, &beside).await?;
        let made = Made::default();
        let watched = phase_run.watch(manifests, &made).await?;
        let context = &watched.context;
        if phase_run.saved.adopted {
            if resumed < Phase::Deployed {
                external_upgrade::find(context).await?;
                phase_run.reached(Phase::Deployed)?;
            }
            external_upgrade::install_schema(context).await?;
        } else {
            let deployed = Box::pin(scenario::act(context, Scenario::Deploy)).await;
            phase_run.saved.remember(&made.lock().await.clone());
            phase_run.reached(Phase::Witnessed)?;
            deployed?;
            phase_run.reached(Phase::Deployed)?;
            if resumed == Phase::Deployed {
                external_upgrade::unfollow(context).await;
            }
            Box::pin(scenario::act(context, Scenario::Replicate)).await?;
        }
        phase_run.reached(Phase::Writing)?;
        phase_run.saved.before = Some(Box::pin(external_upgrade::before(context, false)).await?);
        phase_run.reached(Phase::Complete)
    }
}

/// Reads the state again, of a workload that is complete.
async fn again(mut phase_run: PhaseRun<'_>) -> Result<(), RunError> {
    let manifests = phase_run.standing().await?;
    phase_run.run_context.journal.log.record(What::Run(Box::new(phase_run.describe(&[], Vec::new(), None))));
    let watched = phase_run.watch(manifests, &Made::default()).await?;
    phase_run.saved.before = Some(Box::pin(external_upgrade::before(&watched.context, true)).await?);
    phase_run.saved.place.kubernetes.clone_from(&phase_run.test_cluster.cluster.version);
    phase_run.saved.evidence.clone_from(&phase_run.run_context.directory);
    phase_run.reached(Phase::Complete)
}

/// The manifests with random values, except Secrets that an interrupted call created: the servers already use their
/// values.
async fn fresh(phase_run: &PhaseRun<'_>, manifests: Vec<Manifest>) -> Result<Vec<Manifest>, RunError> {
    let mut fresh = Vec::new();
    for manifest in workload::with_random_values(manifests) {
        if manifest.kind() != "Secret" || !phase_run.has_secret(manifest.name()).await? {
            fresh.push(manifest);
        }
    }
    Ok(fresh)
}

/// A target that works from any working directory.
fn absolute(target: Target) -> Target {
    match target {
        Target::Context { kubeconfig, context, uid, witness_image, allow_insecure, namespaces } => {
            let kubeconfig = std::path::absolute(&kubeconfig).unwrap_or(kubeconfig);
            Target::Context { kubeconfig, context, uid, witness_image, allow_insecure, namespaces }
        }
        other => other,
    }
}
