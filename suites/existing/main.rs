//! The existing suite: runs on an existing cluster, which the program's options name. The cluster has a workload of
//! another user, whose objects have the same names as those of the run. After every run this workload is unchanged, and
//! nothing of the run is left.
//!
//! `STEADFAST_CLUSTER=none` ignores the trials visibly.

use std::process::ExitCode;

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use steadfast_suites::shared_cluster::{self, ClusterTrialFunction, SharedCluster};
use steadfast_suites::trials;

mod account;
mod bystanders;
mod killed;
mod least;
mod program;
mod runs;

use program::{Run, run};

const TRIALS: [(&str, ClusterTrialFunction); 11] = [
    ("nothing_is_written_to_a_cluster_that_nobody_confirmed", unconfirmed),
    ("nothing_is_written_to_another_cluster", another),
    ("an_account_that_may_only_look_is_refused", may_only_look),
    ("without_agreement_nothing_is_disturbed", undisturbed),
    ("with_agreement_only_the_own_pods_are_disturbed", disturbed),
    ("two_namespaces_and_their_roles_are_enough", least::enough),
    ("a_namespace_in_use_is_refused", least::in_use),
    ("killed_runs_are_removed_by_the_next_start_and_by_down", killed::killed),
    ("a_run_that_is_killed_in_two_namespaces_is_removed_by_down", killed::in_two_namespaces),
    ("two_runs_at_once_pass_and_what_a_third_left_goes_without_them", killed::beside_each_other),
    ("what_is_kept_goes_by_the_command_that_was_told", killed::kept),
];

fn main() -> ExitCode {
    let offline = vec![Trial::test("what_a_run_changed_would_be_seen", what_changed_is_seen)];
    shared_cluster::run("existing", &trials::arguments(), bystanders::settle_in, &TRIALS, offline)
}

/// The comparison that the trials use notices every change that matters, and nothing else.
fn what_changed_is_seen() -> Result<(), Failed> {
    let pod = |uid: &str, version: u64, restarts: u64| {
        let containers = json!([{"containerID": "containerd://1", "restartCount": restarts}]);
        let metadata = json!({"namespace": "shop", "name": "mysql-0", "uid": uid, "resourceVersion": version});
        json!({"kind": "Pod", "metadata": metadata, "status": {"containerStatuses": containers}})
    };
    let map = |version: u64| json!({"kind": "ConfigMap", "metadata": {"name": "orders", "resourceVersion": version}});
    let was = bystanders::known(vec![pod("1", 1, 0), map(1)]);
    let seen = |objects| bystanders::differences(&was, &bystanders::known(objects)).len();
    let (same, others) = (vec![pod("1", 2, 0), map(1)], [pod("2", 1, 0), pod("1", 1, 1)]);
    let replaced = others.into_iter().all(|pod| seen(vec![pod, map(1)]) == 1);
    let counts = [seen(same), seen(vec![map(1)]), seen(vec![pod("1", 1, 0), map(2)]), seen(vec![])];
    if replaced && counts == [0, 1, 1, 2] { Ok(()) } else { Err(format!("{replaced}, {counts:?}").into()) }
}

/// A refused run names the missing flag, and the same cluster identity that kubectl shows.
fn unconfirmed(cluster: &SharedCluster) -> Result<(), Failed> {
    let said = refused(cluster, &["--kubeconfig", &path(cluster)])?;
    let flag = format!("add --cluster-uid {}", bystanders::identity(cluster)?);
    if said.stderr.contains(&flag) { Ok(()) } else { Err(said.stderr.into()) }
}

fn another(cluster: &SharedCluster) -> Result<(), Failed> {
    let uid = "00000000-0000-4000-8000-000000000000";
    let said = refused(cluster, &["--kubeconfig", &path(cluster), "--cluster-uid", uid])?;
    let both = [uid.to_owned(), bystanders::identity(cluster)?];
    if both.iter().all(|uid| said.stderr.contains(uid)) { Ok(()) } else { Err(said.stderr.into()) }
}

fn may_only_look(cluster: &SharedCluster) -> Result<(), Failed> {
    let viewer = account::viewer(cluster)?;
    let kubeconfig = viewer.path().display().to_string();
    let said = refused(cluster, &["--kubeconfig", &kubeconfig, "--cluster-uid", &bystanders::identity(cluster)?])?;
    if said.stderr.contains("create, delete namespaces") { Ok(()) } else { Err(said.stderr.into()) }
}

fn refused(cluster: &SharedCluster, options: &[&str]) -> Result<Run, Failed> {
    let said = run(cluster, "refused", options)?;
    let printed_first = said.stderr.find(", server https://127.0.0.1:") < said.stderr.find("error: ");
    if said.code == Some(2) && printed_first {
        Ok(said)
    } else {
        Err(format!("{:?}\n{}", said.code, said.stderr).into())
    }
}

/// Runs with an account that has the documented rights, and no more.
fn undisturbed(cluster: &SharedCluster) -> Result<(), Failed> {
    let runner = account::runner(cluster)?;
    let kubeconfig = runner.path().display().to_string();
    let said =
        run(cluster, "undisturbed", &["--kubeconfig", &kubeconfig, "--cluster-uid", &bystanders::identity(cluster)?])?;
    let checks = said.green()?;
    let skipped = |check: &Value| check["reason"].as_str().is_some_and(|reason| reason.contains("--allow-disruption"));
    let verdict = |id: &str| checks.iter().find(|check| check["id"] == id).map(|check| check["verdict"].clone());
    let passed = ["replication::replicas_hold_the_same_rows", "persistence::teardown_leaves_nothing"];
    let skips = checks.iter().filter(|check| skipped(check)).count();
    if skips > 10 && passed.iter().all(|id| verdict(id) == Some("pass".into())) {
        return Ok(());
    }
    Err(format!("{skips} checks were skipped for want of the flag\n{}", said.stdout).into())
}

/// Runs with the name of the context, and also with no more rights.
fn disturbed(cluster: &SharedCluster) -> Result<(), Failed> {
    let runner = account::runner(cluster)?;
    let kubeconfig = runner.path().display().to_string();
    let context = format!("kind-{}", cluster.name);
    let uid = bystanders::identity(cluster)?;
    let named = ["--kubeconfig", &kubeconfig, "--context", &context, "--cluster-uid", &uid];
    let said = run(cluster, "disturbed", &[&named[..], &["--allow-disruption", "persistence"]].concat())?;
    said.skips_only_power_cuts()
}

fn path(cluster: &SharedCluster) -> String {
    cluster.kubeconfig.display().to_string()
}
