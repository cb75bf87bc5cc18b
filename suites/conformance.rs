//! The conformance suite: every check is a trial, and all of them rest on one run against a kind cluster.
//!
//! `STEADFAST_CLUSTER` names an existing kind cluster to use; `none` ignores the trials, visibly. `STEADFAST_MANIFESTS`
//! names manifests other than the seed's, `STEADFAST_NODES` the nodes of the cluster that is made,
//! `STEADFAST_TIMEOUT_SCALE` multiplies every time limit.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use steadfast::check::{CATALOGUE, Check, Verdict};
use steadfast::evidence::Replication;
use steadfast::run::{Keep, Settings, Shared, Target, cancelled_by_signals};
use steadfast::scenario::Rate;

mod common;

fn main() -> ExitCode {
    let arguments = common::arguments();
    let cluster = std::env::var("STEADFAST_CLUSTER").ok().filter(|name| !name.is_empty());
    if cluster.as_deref() == Some("none") {
        let ignored = |check: &Check| {
            Trial::ignorable_test(check.id, || {
                Ok(Completion::ignored_with("STEADFAST_CLUSTER=none: no cluster is wanted"))
            })
        };
        return libtest_mimic::run(&arguments, CATALOGUE.iter().map(ignored).collect()).exit_code();
    }
    let runtime = Arc::new(tokio::runtime::Runtime::new().expect("a runtime"));
    let cancel = runtime.block_on(async { cancelled_by_signals() });
    let shared = Arc::new(Shared::new(settings(cluster, wanted(&arguments)), cancel));
    let trial = |check: &'static Check| {
        let (runtime, shared) = (runtime.clone(), shared.clone());
        Trial::ignorable_test(check.id, move || runtime.block_on(judge(&shared, check)))
    };
    libtest_mimic::run(&arguments, CATALOGUE.iter().map(trial).collect()).exit_code()
}

/// The checks that the filters leave: only the scenarios that they need are acted. A process of nextest has one check,
/// but runs for all of them.
fn wanted(arguments: &Arguments) -> Vec<&'static Check> {
    let alone = std::env::var_os("NEXTEST_RUN_ID").is_none();
    let selected = |check: &&Check| !alone || !arguments.is_filtered_out(&Trial::test(check.id, || Ok(())));
    CATALOGUE.iter().filter(selected).collect()
}

fn settings(cluster: Option<String>, checks: Vec<&'static Check>) -> Settings {
    let nodes = common::variable("STEADFAST_NODES").unwrap_or(3);
    Settings {
        checks,
        manifests: std::env::var_os("STEADFAST_MANIFESTS").map(PathBuf::from),
        target: cluster.map_or(Target::New { nodes, kubernetes: None, domain: None }, Target::Kind),
        // Whoever names a cluster by the variable wants all of it.
        allow_disruption: true,
        namespace: None,
        artifacts: common::artifacts(),
        keep: Keep::Never,
        replication: Replication::Managed,
        semi_sync: false,
        upgrade: None,
        ledger: Rate::default(),
        timeout_scale: common::timeout_scale(),
        budgets: Vec::new(),
        rerun: "cargo test --test conformance -- --exact".to_owned(),
    }
}

async fn judge(shared: &Shared, check: &'static Check) -> Result<Completion, Failed> {
    let judged = shared.judge(check, |outcome, judged| match judged.finding.verdict {
        Verdict::Pass => Ok(Completion::Completed),
        Verdict::Skipped => Ok(Completion::ignored_with(&judged.finding.reason)),
        Verdict::Fail => Err(Failed::from(outcome.explain(judged))),
        Verdict::Inconclusive => Err(Failed::from(format!("inconclusive\n{}", outcome.explain(judged)))),
    });
    judged.await.map_err(Failed::from)?
}
