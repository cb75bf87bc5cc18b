//! What an upgrade adds to a run: the releases that it goes from and to, and the checks once more on the new one.

use super::target::Target;
use super::test_cluster::{RunContext, TestCluster};
use super::workload_run::{Ending, WorkloadRun, exercise};
use super::{Keep, RunError, Settings, images, open_context, outcome, read_back, write_reports};
use crate::check::CATALOGUE;
use crate::cluster::{Lab, Version};
use crate::driver::Newer;
use crate::evidence::{Conformed, Evidence, Phase, Scenario, Snapshot, SnapshotOf, What};
use crate::workload;

/// Beneath the run's directory: what the workload that is deployed once more left.
const AGAIN: &str = "conformance";

const SCENARIO: Scenario = Scenario::Upgrade;

/// The releases of an upgrade.
pub(super) struct Route {
    /// Where the cluster is that is to be upgraded, with the release that it begins with where it is made.
    pub target: Target,
    /// What it is upgraded to.
    pub newer: Option<Newer>,
}

/// The target of a run. One that is made for an upgrade gets the latest release that leads to the one asked for, unless
/// another one is asked for too.
///
/// # Errors
/// When there is no such release, or no way from one to the other.
pub(super) fn route(settings: &Settings, lab: &Lab) -> Result<Route, RunError> {
    let Some(to) = settings.upgrade else { return Ok(Route { target: settings.target.clone(), newer: None }) };
    let node = lab.node_image(Some(&to.to_string()))?.clone();
    let target = match &settings.target {
        Target::New { nodes, kubernetes, domain, ip_family } => {
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
            Target::New { nodes: *nodes, kubernetes, domain, ip_family: *ip_family }
        }
        Target::Kind(_) => settings.target.clone(),
        Target::Context { .. } => return Err(RunError::NotUpgradable),
    };
    Ok(Route { target, newer: Some(Newer { lab: lab.clone(), node }) })
}

/// Refuses an upgrade that there is no way for, once it is known what runs there.
///
/// # Errors
/// When the cluster's release does not lead to the one that is asked for.
pub(super) fn possible(test_cluster: &TestCluster, newer: &Newer) -> Result<(), RunError> {
    let (from, to): (Version, Version) = (test_cluster.cluster.version.parse()?, newer.node.kubernetes.parse()?);
    Ok(from.leads_to(to)?)
}

/// Whether the scenario has come to its end, by the evidence so far: a cluster that is upgraded by half is not put to the
/// checks of the new version.
///
/// # Errors
/// When the evidence cannot be read.
pub(super) fn ended(evidence: &std::path::Path) -> Result<bool, RunError> {
    let ended =
        |what: &What| matches!(what, What::Step(step) if step.whole() == Some(SCENARIO) && step.phase == Phase::End);
    Ok(Evidence::read(evidence)?.records.iter().any(|record| ended(&record.what)))
}

/// Deploys the workload once more on the upgraded cluster, acts every scenario, writes reports of their own, and records
/// in the first run what the checks say.
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
    // A run of its own, whose name tells which one it belongs to; a namespace is called after the end of it.
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
