//! The two halves of an upgrade that somebody else makes, on any cluster: `before` deploys or adopts a workload, starts the
//! ledger, and keeps the state in a file; `after` compares, reads the ledger back, and puts all checks to the cluster once
//! more. Each can be called again: one that was cut short goes on, one that was complete looks anew.

mod error;
mod saved;
mod site;

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::bench::{Bench, Surroundings, Target};
use super::trial::substituted;
use super::{
    Ending, Finished, Keep, RunError, Settings, make_directory, preflight, read_back, run_id, surroundings, trial,
    upgrade,
};
use crate::check::{UPGRADE_CHECKS, Verdict};
use crate::cluster::{Lab, kind};
use crate::evidence::{Evidence, Snapshot, SnapshotOf, Upgrade, What};
use crate::report::Progress;
use crate::scenario::{self, Made, unseen};
use crate::workload::{self, Manifest};

pub use error::PhaseError;
pub use saved::SavedError;
use saved::{Conditions, Phase, Place, Saved};
use site::{Met, Site, arrive, live};

/// What `before` is asked to do.
#[derive(Debug, Clone)]
pub struct Before {
    /// The state file.
    pub state: PathBuf,
    /// The StatefulSet to adopt, in the settings' namespace; a workload is deployed unless given.
    pub adopt: Option<String>,
    /// Everything else.
    pub settings: Settings,
}

/// What `after` is asked to do.
#[derive(Debug, Clone)]
pub struct After {
    /// The state file.
    pub state: PathBuf,
    /// Where the cluster is, unless it is reached as before.
    pub target: Option<Target>,
    /// Whether pods of the workload that is deployed once more may be disturbed.
    pub allow_disruption: bool,
    /// Under which folder the run's directory is made.
    pub artifacts: PathBuf,
    /// What becomes of what `before` made.
    pub keep: Keep,
    /// Multiplies every time limit, unless as before.
    pub timeout_scale: Option<f64>,
    /// The command that repeats this.
    pub rerun: String,
}

/// Deploys or adopts a workload, starts the ledger, and writes the state of the cluster into the state file.
///
/// # Errors
/// When the state file cannot be used, or the evidence not be written. Anything else is the finished run's trouble.
pub async fn before(wish: &Before, cancel: CancellationToken, progress: &Progress) -> Result<Finished, RunError> {
    let known = match Saved::read(&wish.state) {
        Ok(saved) => Some(saved),
        Err(SavedError::Missing { .. }) => None,
        Err(error) => return Err(PhaseError::from(error).into()),
    };
    if let Some(saved) = &known {
        wish.is_about(saved)?;
    }
    wish.target(known.as_ref())?;
    let around = begin(&wish.settings, progress)?;
    let acted = tokio::select! {
        acted = Box::pin(wish.act(known, &around)) => acted,
        () = cancel.cancelled() => Err(RunError::Interrupted),
    };
    let finished = read_back(&around, acted.err())?;
    let kept = Saved::read(&wish.state).ok().map(|saved| stays(saved.phase, &wish.state));
    Ok(Finished { kept, ..finished })
}

/// What stays after `before`, and how to go on.
fn stays(phase: Phase, state: &Path) -> String {
    let state = state.display();
    let (what, next) = match phase {
        Phase::Complete => (
            "the workload and the ledger stay, for you to upgrade the cluster".to_owned(),
            format!("look anew: steadfast before --state {state}\ncompare:   steadfast after --state {state}"),
        ),
        phase => (
            format!("this call {}, and what was made stays", phase.words()),
            format!("go on:     steadfast before --state {state}"),
        ),
    };
    format!("{what}\n{next}\nremove:    steadfast after --state {state} --abandon")
}

/// A directory, a log and a name for one call.
fn begin(settings: &Settings, progress: &Progress) -> Result<Surroundings, RunError> {
    let run_id = run_id();
    let directory = make_directory(&settings.artifacts, &run_id)?;
    surroundings(format!("{}{run_id}", kind::PREFIX), directory, settings.timeout_scale, progress)
}

impl Before {
    /// Refuses a state file that is about something else than what is asked for.
    fn is_about(&self, saved: &Saved) -> Result<(), PhaseError> {
        let (subject, namespace) = (&saved.subject, self.settings.namespace.as_ref());
        let set = self.adopt.as_ref().is_none_or(|set| saved.adopted && *set == subject.set);
        if set && namespace.is_none_or(|namespace| *namespace == subject.namespace) {
            return Ok(());
        }
        let how = if saved.adopted { "adopted" } else { "deployed" };
        let known = format!("the StatefulSet {} that was {how} in the namespace {}", subject.set, subject.namespace);
        let what =
            self.adopt.as_ref().map_or("a workload to deploy".to_owned(), |set| format!("the StatefulSet {set}"));
        let place = namespace.map(|namespace| format!(" in the namespace {namespace}")).unwrap_or_default();
        Err(PhaseError::AnotherWorkload { path: self.state.clone(), known, asked: format!("{what}{place}") })
    }

    /// The cluster that is named; for a state file that is there, its own one will do.
    fn target<'a>(&'a self, known: Option<&'a Saved>) -> Result<&'a Target, PhaseError> {
        match (&self.settings.target, known) {
            (Target::New { .. }, None) => Err(PhaseError::NoCluster),
            (Target::New { .. }, Some(saved)) => Ok(&saved.place.target),
            (named, _) => Ok(named),
        }
    }

    async fn act(&self, known: Option<Saved>, around: &Surroundings) -> Result<(), RunError> {
        let lab = Lab::read()?;
        let target = self.target(known.as_ref())?.clone();
        let about = known.as_ref().map(|saved| (saved, self.state.as_path()));
        let (cluster, uid) = arrive(&lab, &target, around, about).await?;
        let manifests = match (&known, &self.adopt) {
            (Some(saved), _) if saved.phase >= Phase::Writing => Vec::new(),
            (_, Some(_)) => Vec::new(),
            (_, None) => workload::load(self.settings.manifests.as_deref(), &lab.kubectl).await?,
        };
        let images = workload::images(&manifests);
        let bench = Bench::open(lab, &target, around, &images, &mut None).await?;
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
                self.first(&bench, around, &manifests, place).await?
            }
        };
        let site = Site { bench, around, saved, path: &self.state };
        if site.saved.phase >= Phase::Writing { again(site).await } else { self.prepare(site, manifests).await }
    }

    /// What is known before anything was made. Whatever can be refused is refused here.
    async fn first(
        &self,
        bench: &Bench,
        around: &Surroundings,
        manifests: &[Manifest],
        place: Place,
    ) -> Result<Saved, RunError> {
        let run_id = around.name.trim_start_matches(kind::PREFIX).to_owned();
        let (own, settings) = (trial::short_name(&run_id), &self.settings);
        let (subject, near, far) = match &self.adopt {
            Some(set) => {
                let namespace = settings.namespace.clone().unwrap_or_else(|| "default".to_owned());
                let gone = |kind, name| PhaseError::NothingToAdopt { kind, name, namespace: namespace.clone() };
                let manifests = live(bench, &namespace, set, gone).await?;
                let (subject, _) = workload::subject(&manifests, &namespace, &bench.domain)?;
                let (near, far) = (format!("{own}-near"), format!("{own}-far"));
                preflight::of_workload(bench, &[], [&near, &far]).await?;
                (subject, near, far)
            }
            None => {
                let named = workload::namespace(manifests, settings.namespace.as_deref())?;
                let namespace = trial::usable(named.unwrap_or(own))?;
                let (subject, _) = workload::subject(manifests, &namespace, &bench.domain)?;
                let far = format!("{namespace}-witness");
                preflight::of_workload(bench, manifests, [&namespace, &far]).await?;
                (subject, namespace, far)
            }
        };
        let saved = Saved {
            schema: Saved::SCHEMA,
            steadfast: env!("CARGO_PKG_VERSION").to_owned(),
            run_id,
            place,
            conditions: Conditions {
                manifests: settings.manifests.clone().map(|path| std::path::absolute(&path).unwrap_or(path)),
                replication: settings.replication,
                semi_sync: settings.semi_sync,
                ledger: settings.ledger,
                timeout_scale: settings.timeout_scale,
                budgets: settings.budgets.clone(),
            },
            adopted: self.adopt.is_some(),
            subject,
            near,
            far,
            made: Vec::new(),
            phase: Phase::Begun,
            before: None,
            evidence: around.directory.clone(),
        };
        saved.write(&self.state).map_err(PhaseError::from)?;
        Ok(saved)
    }

    /// Brings the workload and the ledger to where they stay, and reads the state.
    async fn prepare(&self, mut site: Site<'_>, manifests: Vec<Manifest>) -> Result<(), RunError> {
        let resumed = site.saved.phase;
        site.namespaces_stand().await?;
        site.make_namespaces().await?;
        let substitutions = site.bench.provide(&workload::images(&manifests), &site.around.journal).await?;
        let manifests = if site.saved.adopted {
            site.standing().await?
        } else {
            fresh(&site, substituted(&manifests, &substitutions)).await?
        };
        let scenarios: &[&str] = if site.saved.adopted { &[] } else { &["deploy", "replicate"] };
        site.around.journal.log.record(What::Run(Box::new(site.describe(scenarios, substitutions, None))));
        site.make_witnesses(&manifests).await?;
        let made = Made::default();
        let met = site.meet(manifests, &made).await?;
        let context = &met.context;
        if site.saved.adopted {
            if resumed < Phase::Deployed {
                unseen::find(context).await?;
                site.reached(Phase::Deployed)?;
            }
            unseen::lodge(context).await?;
        } else {
            let deployed = Box::pin(scenario::act(context, "deploy")).await;
            site.saved.remember(&made.lock().await.clone());
            site.reached(Phase::Witnessed)?;
            deployed?;
            site.reached(Phase::Deployed)?;
            if resumed == Phase::Deployed {
                unseen::unfollow(context).await;
            }
            Box::pin(scenario::act(context, "replicate")).await?;
        }
        site.reached(Phase::Writing)?;
        site.saved.before = Some(Box::pin(unseen::before(context, false)).await?);
        site.reached(Phase::Complete)
    }
}

/// Reads the state once more, of a workload that stands.
async fn again(mut site: Site<'_>) -> Result<(), RunError> {
    let manifests = site.standing().await?;
    site.around.journal.log.record(What::Run(Box::new(site.describe(&[], Vec::new(), None))));
    let met = site.meet(manifests, &Made::default()).await?;
    site.saved.before = Some(Box::pin(unseen::before(&met.context, true)).await?);
    site.saved.place.kubernetes.clone_from(&site.bench.cluster.version);
    site.saved.evidence.clone_from(&site.around.directory);
    site.reached(Phase::Complete)
}

/// The manifests with random values, but for Secrets that a call has made which was cut short: servers have theirs.
async fn fresh(site: &Site<'_>, manifests: Vec<Manifest>) -> Result<Vec<Manifest>, RunError> {
    let mut fresh = Vec::new();
    for manifest in workload::with_random_values(manifests) {
        if manifest.kind() != "Secret" || !site.has_secret(manifest.name()).await? {
            fresh.push(manifest);
        }
    }
    Ok(fresh)
}

/// A target that is found from any folder.
fn absolute(target: Target) -> Target {
    match target {
        Target::Context { kubeconfig, context, uid, witness_image } => {
            let kubeconfig = std::path::absolute(&kubeconfig).unwrap_or(kubeconfig);
            Target::Context { kubeconfig, context, uid, witness_image }
        }
        other => other,
    }
}

/// Compares the cluster with the state file, reads the ledger back, and puts all checks to the cluster once more.
///
/// # Errors
/// When the state file cannot be used, or the evidence not be written. Anything else is the finished run's trouble.
pub async fn after(wish: &After, cancel: CancellationToken, progress: &Progress) -> Result<Finished, RunError> {
    let saved = Saved::read(&wish.state).map_err(PhaseError::from)?;
    if saved.phase < Phase::Complete {
        return Err(PhaseError::HalfFinished { path: wish.state.clone(), got_to: saved.phase.words() }.into());
    }
    let settings = wish.settings(&saved);
    let around = begin(&settings, progress)?;
    let mut there = None;
    let mut trouble = Box::pin(wish.compare(saved, &settings, &around, &cancel, &mut there)).await.err();
    let mut kept = None;
    if let Some((site, met)) = &there {
        if matches!(trouble, Some(RunError::Interrupted)) || wish.keeps(&around, trouble.as_ref()) {
            let state = wish.state.display();
            kept = Some(format!(
                "the workload stays\ncompare once more: {}\nremove:            steadfast after --state {state} --abandon",
                wish.rerun
            ));
        } else if let Err(error) = wish.clear(site, Some(met)).await {
            trouble.get_or_insert(error);
        }
    }
    let finished = read_back(&around, trouble)?;
    Ok(Finished { kept, ..finished })
}

/// Removes what `before` made, and its state file.
///
/// # Errors
/// When the state file cannot be used, the cluster is another one or not reached, or something stays.
pub async fn abandon(wish: &After, progress: &Progress) -> Result<(), RunError> {
    let saved = Saved::read(&wish.state).map_err(PhaseError::from)?;
    let settings = wish.settings(&saved);
    let around = begin(&settings, progress)?;
    let site = wish.site(saved, &settings, &around).await?;
    let met = if site.saved.has_lodgers() {
        let manifests = site.standing().await?;
        around.journal.log.record(What::Run(Box::new(site.describe(&[], Vec::new(), None))));
        Some(site.meet(manifests, &Made::default()).await?)
    } else {
        None
    };
    wish.clear(&site, met.as_ref()).await
}

impl After {
    /// The cluster as it is reached now. That it is the one that is meant is for the state file to tell.
    fn target(&self, saved: &Saved) -> Target {
        let known = &saved.place.target;
        let Some(Target::Context { kubeconfig, context, witness_image, .. }) = self.target.clone() else {
            return self.target.clone().unwrap_or_else(|| known.clone());
        };
        let before = if let Target::Context { witness_image, .. } = known { witness_image.clone() } else { None };
        let (uid, witness_image) = (Some(saved.place.uid.clone()), witness_image.or(before));
        Target::Context { kubeconfig, context, uid, witness_image }
    }

    /// The settings of the workload that is deployed once more, and of this call.
    fn settings(&self, saved: &Saved) -> Settings {
        let Conditions { manifests, replication, semi_sync, ledger, timeout_scale, budgets } = saved.conditions.clone();
        Settings {
            checks: UPGRADE_CHECKS.iter().collect(),
            manifests,
            target: self.target(saved),
            allow_disruption: self.allow_disruption,
            namespace: None,
            artifacts: self.artifacts.clone(),
            keep: self.keep,
            replication,
            semi_sync,
            upgrade: None,
            ledger,
            timeout_scale: self.timeout_scale.unwrap_or(timeout_scale),
            budgets,
            rerun: self.rerun.clone(),
        }
    }

    async fn site<'a>(
        &'a self,
        saved: Saved,
        settings: &Settings,
        around: &'a Surroundings,
    ) -> Result<Site<'a>, RunError> {
        let lab = Lab::read()?;
        arrive(&lab, &settings.target, around, Some((&saved, &self.state))).await?;
        let bench = Bench::open(lab, &settings.target, around, &[], &mut None).await?;
        Ok(Site { bench, around, saved, path: &self.state })
    }

    async fn compare<'a>(
        &'a self,
        saved: Saved,
        settings: &Settings,
        around: &'a Surroundings,
        cancel: &CancellationToken,
        there: &mut Option<(Site<'a>, Met)>,
    ) -> Result<(), RunError> {
        let looked = tokio::select! {
            looked = Box::pin(self.look(saved, settings, around, there)) => looked,
            () = cancel.cancelled() => Err(RunError::Interrupted),
        };
        looked?;
        let Some((site, _)) = there else { return Ok(()) };
        // What this makes it removes by itself, also when it is cut short.
        let ending = Ending { cancel: cancel.clone(), keep: &|_| false };
        Box::pin(upgrade::conform(settings, &site.bench, around, ending)).await
    }

    /// Reads the state and the ledger.
    async fn look<'a>(
        &'a self,
        saved: Saved,
        settings: &Settings,
        around: &'a Surroundings,
        there: &mut Option<(Site<'a>, Met)>,
    ) -> Result<(), RunError> {
        let site = self.site(saved, settings, around).await?;
        let manifests = site.standing().await?;
        let journal = &around.journal;
        let (from, to) = (site.saved.place.kubernetes.clone(), site.bench.cluster.version.clone());
        journal.progress.say(&match from == to {
            true => format!("the API server runs {to}, as before: whatever else was done to the cluster is compared"),
            false => format!("the API server ran {from} before, and runs {to} now"),
        });
        let run = site.describe(&["upgrade", "settle"], Vec::new(), Some(Upgrade { from, to }));
        journal.log.record(What::Run(Box::new(run)));
        let value = serde_json::to_value(&site.saved.before).unwrap_or_default();
        journal.log.record(What::Snapshot(Snapshot { of: SnapshotOf::State, value }));
        let met = site.meet(manifests, &Made::default()).await?;
        let (_, met) = there.insert((site, met));
        // That one of them could not be acted to its end is in the evidence, and no reason not to act the other.
        let _ = Box::pin(unseen::after(&met.context)).await;
        let _ = Box::pin(scenario::act(&met.context, "settle")).await;
        met.context.save_all_logs().await;
        Ok(())
    }

    /// Whether what `before` made stays.
    fn keeps(&self, around: &Surroundings, trouble: Option<&RunError>) -> bool {
        match self.keep {
            Keep::Never => false,
            Keep::Always => true,
            Keep::OnFailure => {
                let passed = |evidence: &Evidence| {
                    let mut verdicts = UPGRADE_CHECKS.iter().map(|check| check.judge(evidence).verdict);
                    verdicts.all(|verdict| matches!(verdict, Verdict::Pass | Verdict::Skipped))
                };
                trouble.is_some() || !Evidence::read(around.journal.log.path()).is_ok_and(|it| passed(&it))
            }
        }
    }

    async fn clear(&self, site: &Site<'_>, met: Option<&Met>) -> Result<(), RunError> {
        if let (true, Some(met)) = (site.saved.has_lodgers(), met) {
            unseen::move_out(&met.context).await?;
        }
        site.remove().await?;
        let removed = std::fs::remove_file(&self.state);
        removed.map_err(|source| PhaseError::from(SavedError::Io { path: self.state.clone(), source }).into())
    }
}
