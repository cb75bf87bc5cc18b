//! A run of the program on the cluster, and a check that it left everything unchanged.

use std::path::PathBuf;
use std::process::Command;

use libtest_mimic::Failed;
use serde_json::Value;

use super::{bystanders, common, neighbours, shared_cluster::Made};

/// The output of a run.
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    artifacts: PathBuf,
}

/// The text of a workload's manifests.
pub type Workload = fn(&Made) -> Result<String, Failed>;

/// Runs the seed's workload on the cluster. The options name images that are in the nodes, because nothing is pulled.
/// The run does not need the container engine and gets none.
pub fn run(made: &Made, name: &str, options: &[&str]) -> Result<Run, Failed> {
    run_with(made, name, options, |made| bystanders::workload(made, None))
}

/// The same with another workload.
pub fn run_with(made: &Made, name: &str, options: &[&str], workload: Workload) -> Result<Run, Failed> {
    let _turn = made.turn.lock();
    let artifacts = common::artifacts().join("existing").join(name);
    std::fs::create_dir_all(&artifacts)?;
    let manifests = artifacts.join("manifests.yaml");
    std::fs::write(&manifests, workload(made)?)?;
    let before = bystanders::objects(made)?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
    command.arg("run").args(options).args(neighbours::BUDGET).arg("--manifests").arg(&manifests);
    command.args(["--witness-image", &made.lab.witness.image]);
    command.args(["--timeout-scale", &common::timeout_scale().to_string()]);
    command.env("ARTIFACTS", &artifacts).env("DOCKER_HOST", "unix:///nowhere").env_remove("KUBECONFIG");
    let output = command.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let changed = bystanders::differences(&before, &bystanders::objects(made)?);
    if changed.is_empty() {
        return Ok(Run { code: output.status.code(), stdout, stderr, artifacts });
    }
    Err(format!("the run changed what was there:\n{}\n{stdout}{stderr}", changed.join("\n")).into())
}

impl Run {
    /// The checks of a run in which nothing failed and at least one check passed.
    pub fn green(&self) -> Result<Vec<Value>, Failed> {
        let results: Value = serde_json::from_slice(&std::fs::read(self.artifacts.join("latest/results.json"))?)?;
        let summary = &results["summary"];
        if self.code == Some(0) && summary["fail"] == 0 && summary["inconclusive"] == 0 {
            return Ok(results["checks"].as_array().cloned().unwrap_or_default());
        }
        Err(format!("exit code {:?}, {summary}\n{}{}", self.code, self.stdout, self.stderr).into())
    }
}
