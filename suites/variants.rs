//! The variants suite: workloads that differ from the seed and are right too, each in its own namespace. Every check
//! must pass on them, or be skipped if the list says that it does not apply. A harness that fails on them would also
//! fail on users' clusters without reason.
//!
//! `STEADFAST_PART=2/5` runs the second fifth of the variants. So short runs can cover all of them in turn.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::Failed;
use serde::Deserialize;
use steadfast::check::{CATALOGUE, Verdict, find};
use steadfast::cluster::kind::IpFamily;
use steadfast::evidence::{Disrupts, Evidence, Replication, Scenario};
use steadfast::report::explain;
use steadfast::run::RunConfig;
use steadfast::scenario::plan;
use steadfast::workload::Hints;
use steadfast_suites::workload_cluster::{ClusterSpec, WorkloadCluster, WorkloadSpec};
use steadfast_suites::workload_trials::{self, WorkloadTrial, judged};

/// The number of variants at once on all stages. They share the machine, whatever cluster they are in.
const AT_ONCE: usize = 2;

/// Several workloads share two cores, so each takes longer than it would alone.
const PATIENCE: f64 = 1.5;

/// The checks of features that few workloads use. A variant that uses one names its check.
const OF_FEW: [&str; 3] = [
    "ordering::parallel_pods_do_not_wait",
    "ordering::waits_for_min_ready_seconds",
    "replication::commits_wait_for_a_replica",
];

/// Checks that are skipped on every variant: other workloads run on the clusters too, so no power is cut.
const OF_OWN_CLUSTERS: [&str; 3] = [
    "persistence::acknowledged_writes_survive_power_loss",
    "persistence::starts_after_power_loss",
    "replication::replicas_agree_after_power_loss",
];

/// A workload that differs from the seed and is right.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    name: String,
    /// The kustomization, by its path relative to the list. Default: the seed with its overlay.
    manifests: Option<PathBuf>,
    /// The namespace that its manifests name. Default: one that the suite chooses.
    namespace: Option<String>,
    /// The cluster that it runs on.
    #[serde(default)]
    on: On,
    /// Who configures its replication.
    #[serde(default)]
    replication: Replication,
    /// Whether its commits must wait for a replica.
    #[serde(default)]
    semi_sync: bool,
    /// Facts about it that its manifests do not tell.
    #[serde(default)]
    hints: Hints,
    /// The scenarios that it runs. Default: all.
    scenarios: Option<Vec<Scenario>>,
    /// The checks that do not apply to it. They must say so.
    #[serde(default)]
    skips: BTreeSet<String>,
    /// The checks of few workloads that apply to it.
    #[serde(default)]
    applies: BTreeSet<String>,
}

/// The clusters, in the order in which `main` gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum On {
    /// Three nodes, and names under `cluster.local`.
    #[default]
    ThreeNodes,
    /// One node, and names under another domain.
    OneNodeOfAnotherDomain,
    /// Two nodes, and only IPv6 addresses.
    TwoNodesOfIpv6,
    /// Two nodes, and addresses of both families, IPv4 first.
    TwoNodesOfBothFamilies,
}

fn main() -> ExitCode {
    // Other workloads run on the cluster too.
    let may_disrupt = Disrupts::Workload;
    let three_nodes = ClusterSpec { nodes: 3, domain: None, ip_family: IpFamily::Ipv4, corefile: None, may_disrupt };
    let domain = ClusterSpec { nodes: 1, domain: Some("db.example".to_owned()), ..three_nodes.clone() };
    let six = ClusterSpec { nodes: 2, ip_family: IpFamily::Ipv6, ..three_nodes.clone() };
    let dual = ClusterSpec { nodes: 2, ip_family: IpFamily::Dual, ..three_nodes.clone() };
    let clusters =
        [("variants", three_nodes), ("variants-domain", domain), ("variants-ipv6", six), ("variants-dual", dual)];
    workload_trials::run(variants(), &clusters, AT_ONCE)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/variants")
}

fn variants() -> Vec<Variant> {
    let variants: Vec<Variant> = workload_trials::list(&folder().join("variants.yaml"));
    for variant in &variants {
        let unknown = variant.skips.iter().chain(&variant.applies).find(|id| find(id).is_none());
        assert!(unknown.is_none(), "variant {} names {unknown:?}, which is no check", variant.name);
    }
    variants
}

impl WorkloadTrial for Variant {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn cluster(&self) -> usize {
        self.on as usize
    }

    async fn run(&self, cluster: &WorkloadCluster) -> Result<(), Failed> {
        let workload = WorkloadSpec {
            name: self.name.clone(),
            namespace: self.namespace.clone().unwrap_or_else(|| format!("v-{}", self.name)),
            manifests: self.manifests.as_ref().map(|path| folder().join(path)),
            scenarios: self.plan(),
            config: RunConfig {
                replication: self.replication,
                hints: self.hints.clone(),
                semi_sync: self.semi_sync,
                ..RunConfig::default()
            },
            injections: Vec::new(),
            patience: PATIENCE,
        };
        let evidence = cluster.run(&workload).await?;
        self.verdict(&evidence, &cluster.directory(&self.name))
    }
}

impl Variant {
    fn plan(&self) -> Vec<Scenario> {
        match &self.scenarios {
            Some(scenarios) => plan(scenarios.iter().copied()),
            None => plan(CATALOGUE.iter().flat_map(|check| check.scenarios).copied()),
        }
    }

    /// Checks that everything passed, except what does not apply.
    fn verdict(&self, evidence: &Evidence, directory: &Path) -> Result<(), Failed> {
        let rerun = format!("cargo test --test variants -- --exact {}; the check:", self.name);
        let outcome = judged(evidence, directory, rerun, &[])?;
        let wrong = outcome.judged.iter().filter_map(|judged| {
            let id = judged.check.id;
            let of_few = OF_FEW.contains(&id) && !self.applies.contains(id);
            let skipped = of_few || self.skips.contains(id) || OF_OWN_CLUSTERS.contains(&id);
            let expected = if skipped { Verdict::Skipped } else { Verdict::Pass };
            let found = judged.finding.verdict;
            (found != expected).then(|| {
                format!("{} is to say {expected:?}: {found:?}\n{}", judged.check.id, explain(&outcome, judged))
            })
        });
        let wrong: Vec<String> = wrong.collect();
        if wrong.is_empty() { Ok(()) } else { Err(Failed::from(wrong.join("\n"))) }
    }
}
