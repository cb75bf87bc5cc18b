//! A run of the program on the cluster, and a check that it left everything unchanged.

use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::Value;
use steadfast_suites::environment::{artifacts, timeout_scale};
use steadfast_suites::settings::BUSY_MACHINE_BUDGET;
use steadfast_suites::shared_cluster::SharedCluster;

use super::bystanders;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_steadfast");

/// The output of a run.
pub(crate) struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    artifacts: PathBuf,
}

/// The text of a workload's manifests.
pub(crate) type Workload = fn(&SharedCluster) -> Result<String, Failed>;

/// Runs the seed's workload on the cluster. The options name images that are in the nodes, because nothing is pulled.
/// The run does not need the container engine and gets none.
pub(crate) fn run(cluster: &SharedCluster, name: &str, options: &[&str]) -> Result<Run, Failed> {
    run_with(cluster, name, options, |cluster| bystanders::workload(cluster, None))
}

/// The same with another workload.
pub(crate) fn run_with(
    cluster: &SharedCluster,
    name: &str,
    options: &[&str],
    workload: Workload,
) -> Result<Run, Failed> {
    let _turn = cluster.turn.lock();
    let artifacts = artifacts().join("existing").join(name);
    std::fs::create_dir_all(&artifacts)?;
    let manifests = artifacts.join("manifests.yaml");
    std::fs::write(&manifests, workload(cluster)?)?;
    let before = bystanders::objects(cluster)?;
    let mut command = Command::new(PROGRAM);
    command.arg("run").args(options).args(BUSY_MACHINE_BUDGET).arg("--manifests").arg(&manifests);
    command.args(["--witness-image", &cluster.lab.witness.image]);
    command.args(["--timeout-scale", &timeout_scale().to_string()]);
    command.env("ARTIFACTS", &artifacts).env("DOCKER_HOST", "unix:///nowhere").env_remove("KUBECONFIG");
    let output = command.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let changed = bystanders::differences(&before, &bystanders::objects(cluster)?);
    if changed.is_empty() {
        return Ok(Run { code: output.status.code(), stdout, stderr, artifacts });
    }
    Err(format!("the run changed what was there:\n{}\n{stdout}{stderr}", changed.join("\n")).into())
}

impl Run {
    /// The checks of a run in which nothing failed and at least one check passed.
    pub(crate) fn green(&self) -> Result<Vec<Value>, Failed> {
        let results: Value = serde_json::from_slice(&std::fs::read(self.artifacts.join("latest/results.json"))?)?;
        let summary = &results["summary"];
        if self.code == Some(0) && summary["fail"] == 0 && summary["inconclusive"] == 0 {
            return Ok(results["checks"].as_array().cloned().unwrap_or_default());
        }
        Err(format!("exit code {:?}, {summary}\n{}{}", self.code, self.stdout, self.stderr).into())
    }

    /// Fails if a check of such a run was skipped, except those about power cuts: only a cluster of the run's own is cut.
    pub(crate) fn skips_only_power_cuts(&self) -> Result<(), Failed> {
        let of_power = |check: &Value| check["id"].as_str().is_some_and(|id| id.ends_with("_power_loss"));
        let skipped = self.green()?.into_iter().filter(|check| check["verdict"] == "skipped");
        let (of_power, others): (Vec<Value>, Vec<Value>) = skipped.partition(of_power);
        if of_power.len() == 2 && others.is_empty() { Ok(()) } else { Err(format!("{others:?}, {of_power:?}").into()) }
    }
}
