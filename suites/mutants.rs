//! The mutants suite: workloads that are wrong on purpose. They run in one kind cluster, each in its own namespace. A
//! mutant is killed if the checks that it names fail. It survives if one of them does not fail, or if a check that it
//! does not touch fails too. A check that cannot fail proves nothing.
//!
//! `STEADFAST_PART=2/5` runs the second fifth of the mutants. So short runs can cover all of them in turn.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::Failed;
use serde::Deserialize;
use steadfast::check::{Check, Judged, Outcome, Verdict, find};
use steadfast::cluster::kind::IpFamily;
use steadfast::driver::FaultInjection;
use steadfast::evidence::{Disrupts, Evidence, Expect, Scenario};
use steadfast::report::explain;
use steadfast::run::{Budget, RunConfig};
use steadfast::scenario::plan;
use steadfast::trend::MUTANTS;
use steadfast_suites::workload_cluster::{ClusterSpec, WorkloadCluster, WorkloadSpec};
use steadfast_suites::workload_trials::{self, WorkloadTrial, judged};

/// The number of mutants at once. Each has three servers. With more, two cores are too slow for readiness.
const AT_ONCE: usize = 3;

/// A mutant fails by design, often because it does not answer. It gets less time than a workload that must pass.
const PATIENCE: f64 = 0.5;

/// A workload that is wrong on purpose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    name: String,
    /// The kustomization beside the list. Default: the seed with its overlay.
    manifests: Option<PathBuf>,
    /// The cluster that it runs on.
    #[serde(default)]
    on: On,
    /// Whether its commits must wait for a replica.
    #[serde(default)]
    semi_sync: bool,
    /// What it must hold to beyond what holds for every workload.
    #[serde(default)]
    expect: Vec<Expect>,
    /// What is done to it while it runs.
    #[serde(default)]
    injections: Vec<FaultInjection>,
    /// Scenarios that it runs in addition to those of the checks that must fail.
    #[serde(default)]
    scenarios: Vec<Scenario>,
    /// Scenarios that it runs instead of those of the checks that must fail. A check that judges a long run also finds
    /// the fault in a short one.
    within: Option<Vec<Scenario>>,
    /// Its budgets, if they differ from the default.
    #[serde(default)]
    budgets: Vec<Budget>,
    /// The checks that must fail.
    kills: Vec<String>,
    /// The checks that may fail.
    #[serde(default)]
    touches: BTreeSet<String>,
}

/// The clusters, in the order in which `main` gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum On {
    /// Two nodes, the default.
    #[default]
    TwoNodes,
    /// One node, with DNS servers that cache every answer for five minutes.
    OneNodeOfStaleNames,
    /// Three nodes whose power may be cut.
    NodesToCut,
}

/// In the Corefile of kubeadm, the servers do not cache the cluster's zone, and clients may cache it for half a minute.
fn stale_names(corefile: &str) -> String {
    let kept = |line: &&str| !line.trim_start().starts_with("disable ");
    let lines: Vec<&str> = corefile.lines().filter(kept).collect();
    lines.join("\n").replace("ttl 30", "ttl 300").replace("cache 30", "cache 300")
}

fn main() -> ExitCode {
    // Other workloads run on the cluster too.
    let may_disrupt = Disrupts::Workload;
    let two_nodes = ClusterSpec { nodes: 2, domain: None, ip_family: IpFamily::Ipv4, corefile: None, may_disrupt };
    let stale = ClusterSpec { nodes: 1, corefile: Some(stale_names), ..two_nodes.clone() };
    let cut = ClusterSpec { nodes: 3, may_disrupt: Disrupts::Cluster, ..two_nodes.clone() };
    let (of_dns, of_power) = (format!("{MUTANTS}-dns"), format!("{MUTANTS}-power"));
    workload_trials::run(mutants(), &[(MUTANTS, two_nodes), (&of_dns, stale), (&of_power, cut)], AT_ONCE)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/mutants")
}

/// Reads the list. A check that does not exist is refused, because such a mutant could never be killed.
fn mutants() -> Vec<Mutant> {
    let mutants: Vec<Mutant> = workload_trials::list(&folder().join("mutants.yaml"));
    for mutant in &mutants {
        let unknown = mutant.kills.iter().chain(&mutant.touches).find(|id| find(id).is_none());
        assert!(unknown.is_none(), "mutant {} names {unknown:?}, which is no check", mutant.name);
        assert!(!mutant.kills.is_empty(), "mutant {} names no check that must fail", mutant.name);
    }
    mutants
}

impl WorkloadTrial for Mutant {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn cluster(&self) -> usize {
        self.on as usize
    }

    async fn run(&self, cluster: &WorkloadCluster) -> Result<(), Failed> {
        let workload = WorkloadSpec {
            name: self.name.clone(),
            namespace: format!("m-{}", self.name),
            manifests: self.manifests.as_ref().map(|path| folder().join(path)),
            scenarios: self.plan(),
            config: RunConfig {
                semi_sync: self.semi_sync,
                expect: self.expect.clone(),
                budgets: self.budgets.clone(),
                ..RunConfig::default()
            },
            injections: self.injections.clone(),
            patience: PATIENCE,
        };
        let evidence = cluster.run(&workload).await?;
        self.verdict(&evidence, &cluster.directory(&self.name))
    }
}

impl Mutant {
    /// The scenarios of the checks that must kill it, and its additional ones.
    fn plan(&self) -> Vec<Scenario> {
        let besides = self.scenarios.iter().copied();
        match &self.within {
            Some(within) => plan(within.iter().copied().chain(besides)),
            None => plan(self.killers().flat_map(|check| check.scenarios).copied().chain(besides)),
        }
    }

    /// The checks that must fail.
    fn killers(&self) -> impl Iterator<Item = &'static Check> {
        self.kills.iter().filter_map(|id| find(id))
    }

    /// Checks that the named checks failed, and no others.
    fn verdict(&self, evidence: &Evidence, directory: &Path) -> Result<(), Failed> {
        let rerun = format!("cargo test --test mutants -- --exact {}; the check:", self.name);
        let killers: Vec<&Check> = self.killers().collect();
        let outcome = judged(evidence, directory, rerun, &killers)?;
        let wrong: Vec<String> = outcome.judged.iter().filter_map(|judged| self.objection(&outcome, judged)).collect();
        if wrong.is_empty() { Ok(()) } else { Err(Failed::from(wrong.join("\n"))) }
    }

    /// What is wrong with a verdict, if anything.
    fn objection(&self, outcome: &Outcome<'_>, judged: &Judged) -> Option<String> {
        let (id, verdict) = (judged.check.id, judged.finding.verdict);
        let text = if self.kills.iter().any(|killer| killer == id) {
            (verdict != Verdict::Fail).then(|| format!("survived {id}, which says {verdict:?}"))
        } else {
            let untouched = !self.touches.contains(id) && !matches!(verdict, Verdict::Pass | Verdict::Skipped);
            untouched.then(|| format!("{id} says {verdict:?}, though the mutant does not touch it"))
        };
        text.map(|text| format!("{text}:\n{}", explain(outcome, judged)))
    }
}
