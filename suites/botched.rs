//! The botched suite: upgrades that go wrong because the suite injects faults.
//!
//! `STEADFAST_CLUSTER=none` ignores the trials visibly. If only a part of the suites is selected (`STEADFAST_PART`),
//! the upgrades are ignored too.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};

use libtest_mimic::Failed;
use serde_json::json;
use steadfast::check::{UPGRADE_CHECKS, Verdict};
use steadfast::cluster::kind::IpFamily;
use steadfast::cluster::{FileSystem, Lab};
use steadfast::driver::{FaultInjection, InjectedFault, InjectionPoint};
use steadfast::evidence::{Phase, What};
use steadfast::report::Progress;
use steadfast::run::{self, Finished, Settings, Target};
use steadfast::trend::MUTANTS;
use steadfast_suites::older_cluster::OlderCluster;
use steadfast_suites::part::no_upgrades;
use steadfast_suites::settings;
use steadfast_suites::trials::{self, TrialFunction};
use tokio_util::sync::CancellationToken;

/// The number of clusters at once. An upgrade mostly waits, and no time budget applies here.
const AT_ONCE: usize = 2;

/// Kubernetes 1.37 no longer has this gate: the feature is always on
/// (<https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates-removed/>).
const GATE: &str = "SidecarContainers";

const TRIALS: [(&str, TrialFunction); 2] = [
    ("a_node_that_does_not_come_back_is_named_and_of_use_again", || OlderCluster::with("botched", 2, stranded)),
    ("every_check_of_an_upgrade_fails_where_it_must", sabotaged),
];

fn main() -> ExitCode {
    trials::run(trials::arguments(), &TRIALS, AT_ONCE, no_upgrades())
}

/// An upgrade of a worker whose kubelet has a flag that only the older version understands.
fn stranded(older_cluster: &OlderCluster) -> Result<(), Failed> {
    let worker = format!("{}-worker", older_cluster.cluster.name);
    let others = older_cluster.kubectl(&["get", "namespaces", "--output=name"])?;
    set_gate(older_cluster, &worker)?;
    older_cluster
        .until(&["get", "--raw", &format!("/api/v1/nodes/{worker}/proxy/configz")], |said| said.contains(GATE))?;
    let kubelet = ["get", "node", &worker, "--output=jsonpath={.spec.unschedulable}{.status.nodeInfo.kubeletVersion}"];
    let old = older_cluster.kubectl(&kubelet)?;

    let finished =
        upgrade("stranded", Some(&older_cluster.cancel), to_newest(Target::Kind(older_cluster.cluster.name.clone()))?)?;
    let failed = finished.evidence.records.iter().find_map(|record| match &record.what {
        What::Step(step) if step.name == "upgrade" => match &step.phase {
            Phase::Failed(error) => Some(error.as_str()),
            Phase::Begin | Phase::End => None,
        },
        _ => None,
    });
    let failed = failed.ok_or("the upgrade came to its end")?;
    let named = format!("{worker} did not come back with the kubelet v{}", older_cluster.newer.kubernetes);
    let restored = format!("the kubelet {old} runs again, and the node is Ready");
    let gate = format!("unrecognized feature gate: {GATE}");
    if ![named, gate, restored].iter().all(|words| failed.contains(words)) {
        return Err(failed.into());
    }
    differ(&finished, |id| match id {
        "upgrade::node_upgrade_moves_one_at_a_time" => Verdict::Fail,
        _ => Verdict::Inconclusive,
    })?;

    let (now, there) =
        (older_cluster.kubectl(&kubelet)?, older_cluster.kubectl(&["get", "namespaces", "--output=name"])?);
    if now != old || there != others {
        return Err(format!("the node has {now}, not {old}; namespaces: {there:?}, not {others:?}").into());
    }
    older_cluster.kubectl(&["wait", "node", &worker, "--for=condition=Ready", "--timeout=1s"]).map(drop)
}

/// Sets the gate for a node's kubelet, in the file through which kubeadm passes flags
/// (<https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/kubelet-integration/>).
fn set_gate(older_cluster: &OlderCluster, node: &str) -> Result<(), Failed> {
    let script = "sed -i \"s/^KUBELET_KUBEADM_ARGS=\\\"/&--feature-gates=$1=true /\" /var/lib/kubelet/kubeadm-flags.env && \
                  systemctl restart kubelet";
    let status =
        Command::new(&older_cluster.lab.docker).args(["exec", node, "sh", "-c", script, "sh", GATE]).status()?;
    if status.success() { Ok(()) } else { Err(format!("{node} cannot be told of {GATE}: {status}").into()) }
}

/// An upgrade during which every forbidden thing happens. The new control plane rolls the StatefulSet, as that of
/// Kubernetes 1.34.0 did. The Service's port gets another name. A pod is replaced again after its node was upgraded.
/// Acknowledged rows disappear. Replicas may have no lag at all, so that the checks of the new version fail too.
fn sabotaged() -> Result<(), Failed> {
    let rolled = json!({"spec": {"template": {"metadata": {"annotations": {"sabotage": "of the control plane"}}}}});
    let renamed = json!({"spec": {"ports": [{"port": 3306, "name": "renamed"}]}});
    let rows =
        InjectedFault::Sql { pod: 0, statements: vec!["DELETE FROM steadfast.entries ORDER BY id LIMIT 3".to_owned()] };
    let injections = [
        (InjectionPoint::ControlPlaneUpgraded, InjectedFault::Set(rolled)),
        (InjectionPoint::ControlPlaneUpgraded, InjectedFault::Service(renamed)),
        (InjectionPoint::NodeUpgraded, InjectedFault::ReplacePod { pod: 2 }),
        (InjectionPoint::Settling, rows),
    ];
    let injections = injections.map(|(at, fault)| FaultInjection { at, fault });
    let mut settings = to_newest(Target::New {
        nodes: 1,
        kubernetes: None,
        domain: None,
        ip_family: IpFamily::Ipv4,
        file_system: FileSystem::default(),
    })?;
    settings.injections = injections.into();
    settings.config.budgets = vec!["lag=1ms".parse().expect("a budget")];
    let finished = upgrade("upgrade", None, settings)?;
    differ(&finished, |_| Verdict::Fail)
}

/// The usual settings of an upgrade to the newest version.
fn to_newest(target: Target) -> Result<Settings, Failed> {
    let newest = Lab::read()?.default_kubernetes.parse()?;
    let usual = settings::usual(target, UPGRADE_CHECKS.iter().collect(), "cargo test --test botched -- --exact");
    Ok(Settings { upgrade: Some(newest), ..usual })
}

/// Runs an upgrade, and writes reports as every run does.
fn upgrade(name: &str, cancel: Option<&CancellationToken>, settings: Settings) -> Result<Finished, Failed> {
    let id = format!("{MUTANTS}-{name}-{}", run::run_id());
    let runtime = tokio::runtime::Runtime::new()?;
    let finished = runtime.block_on(async {
        let directory = run::make_directory(&settings.artifacts, &id)?;
        let cancel = cancel.cloned().unwrap_or_else(run::cancelled_by_signals);
        run::run_in(&settings, &id, directory, cancel, &Progress::silent()).await
    })?;
    run::write_reports(&run::outcome(&finished, &settings.checks, &settings.rerun))?;
    match &finished.trouble {
        Some(trouble) => Err(trouble.to_string().into()),
        None => Ok(finished),
    }
}

/// Returns an error for verdicts other than these.
fn differ(finished: &Finished, wanted: impl Fn(&str) -> Verdict) -> Result<(), Failed> {
    let judged = UPGRADE_CHECKS.iter().map(|check| (check.id, check.judge(&finished.evidence)));
    let others: BTreeMap<_, _> = judged
        .filter(|(id, finding)| finding.verdict != wanted(id))
        .map(|(id, finding)| (id, format!("{}: {}", finding.verdict, finding.reason)))
        .collect();
    if others.is_empty() { Ok(()) } else { Err(format!("{others:#?}, by {}", finished.directory.display()).into()) }
}
