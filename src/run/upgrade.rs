//! The upgrade part of a run: the releases to upgrade from and to, and the checks again on the new release.

use super::exercise::{Ending, exercise};
use super::target::Target;
use super::test_cluster::{RunContext, TestCluster};
use super::workload_run::WorkloadRun;
use super::{Keep, RunError, Settings, images, open_context, outcome, read_back, write_reports};
use crate::check::CATALOGUE;
use crate::cluster::{Lab, Version};
use crate::driver::Newer;
use crate::evidence::{Conformed, Evidence, Phase, Scenario, Snapshot, SnapshotOf, What};
use crate::workload;

/// The folder, below the run's directory, for the workload that is deployed again.
const AGAIN: &str = "conformance";

const SCENARIO: Scenario = Scenario::Upgrade;

/// The releases of an upgrade.
pub(super) struct Route {
    /// The cluster to upgrade; for a new cluster, with the release to begin with.
    pub target: Target,
    /// The release to upgrade to.
    pub newer: Option<Newer>,
}

/// The target of a run. A new cluster for an upgrade gets the latest release that can be upgraded to the requested one,
/// unless the user chose a release to begin with.
///
/// # Errors
/// When there is no such release, or when one cannot be upgraded to the other.
pub(super) fn route(settings: &Settings, lab: &Lab) -> Result<Route, RunError> {
    let Some(to) = settings.upgrade else { return Ok(Route { target: settings.target.clone(), newer: None }) };
    let node = lab.node_image(Some(&to.to_string()))?.clone();
    let target = match &settings.target {
        Target::New { nodes, kubernetes, domain, ip_family, file_system } => {
            let from = match kubernetes {
                Some(from) => lab.node_image(Some(from))?.kubernetes.parse()?,
                None => {
                    let ready: Vec<Version> =
                        lab.nodes.iter().filter_map(|node| node.kubernetes.parse().ok()).collect();
                    Version::before(to, &ready)?
                }
            };
            from.leads_to(to)?;
            let (kubernetes, domain) = (Some(from.to_string()), domain.clone());
            Target::New { nodes: *nodes, kubernetes, domain, ip_family: *ip_family, file_system: *file_system }
        }
        Target::Kind(_) => settings.target.clone(),
        Target::Context { .. } => return Err(RunError::NotUpgradable),
    };
    Ok(Route { target, newer: Some(Newer { lab: lab.clone(), node }) })
}

/// Rejects an impossible upgrade, once it is known what runs on the cluster.
///
/// # Errors
/// When the cluster's release cannot be upgraded to the requested one.
pub(super) fn possible(test_cluster: &TestCluster, newer: &Newer) -> Result<(), RunError> {
    let (from, to): (Version, Version) = (test_cluster.cluster.version.parse()?, newer.node.kubernetes.parse()?);
    Ok(from.leads_to(to)?)
}

/// Whether the evidence shows that the scenario finished: a half-upgraded cluster is not checked on the new release.
///
/// # Errors
/// When the evidence cannot be read.
pub(super) fn ended(evidence: &std::path::Path) -> Result<bool, RunError> {
    let ended =
        |what: &What| matches!(what, What::Step(step) if step.whole() == Some(SCENARIO) && step.phase == Phase::End);
    Ok(Evidence::read(evidence)?.records.iter().any(|record| ended(&record.what)))
}

/// Deploys the workload again on the upgraded cluster, acts every scenario, writes separate reports, and records the
/// verdicts in the first run.
///
/// # Errors
/// When the second run cannot begin or is cut short.
pub(super) async fn conform(
    settings: &Settings,
    first: &TestCluster,
    run_context: &RunContext,
    ending: Ending<'_>,
) -> Result<(), RunError> {
    let directory = run_context.directory.join(AGAIN);
    std::fs::create_dir_all(&directory).map_err(|source| RunError::File { path: directory.clone(), source })?;
    // A run of its own, whose name shows which run it belongs to. The end of that name is in its namespace's name.
    let name = format!("{}-{}", run_context.name, &workload::random_word()[..6]);
    let again = open_context(name, directory, run_context.timeout_scale, &run_context.journal.progress)?;
    let settings = Settings {
        checks: CATALOGUE.iter().collect(),
        upgrade: None,
        injections: Vec::new(),
        keep: Keep::Never,
        ..settings.clone()
    };
    let acted = async {
        let workload_run: WorkloadRun = settings.workload_run(&first.lab, &again).await?;
        let target = match &settings.target {
            Target::New { .. } => Target::Kind(first.name.clone()),
            there => there.clone(),
        };
        let images = images::to_load(&first.lab, &target, &workload_run.manifests, &again.journal).await;
        let mut test_cluster = TestCluster::open(first.lab.clone(), &target, &again, &images, &mut None).await?;
        test_cluster.node_substitution.clone_from(&first.node_substitution);
        exercise(&test_cluster, &workload_run, ending).await
    };
    let trouble = Box::pin(acted).await.err();
    let finished = read_back(&again, trouble)?;
    let outcome = outcome(&finished, &settings.checks, "steadfast run");
    write_reports(&outcome)?;
    let conformed = outcome.judged.iter().map(|judged| Conformed {
        id: judged.check.id.to_owned(),
        verdict: judged.finding.verdict.to_string(),
        reason: judged.finding.reason.clone(),
    });
    let value = serde_json::to_value(conformed.collect::<Vec<_>>()).unwrap_or_default();
    run_context.journal.log.record(What::Snapshot(Snapshot { of: SnapshotOf::Conformance, value }));
    finished.trouble.map_or(Ok(()), Err)
}
