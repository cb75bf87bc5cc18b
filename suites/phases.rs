//! The phases suite: `steadfast before` and `steadfast after` around an upgrade by somebody else. The suite plays the
//! owner of a kind cluster, and upgrades it with kubeadm and kubectl as an owner would.
//!
//! `STEADFAST_CLUSTER=none` ignores the trials visibly. If only a part of the suites is selected (`STEADFAST_PART`),
//! the upgrades are ignored too.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use steadfast::cluster::Release;
use steadfast::cluster::kind::PREFIX;

mod common;
#[path = "common/neighbours.rs"]
mod neighbours;
#[path = "common/older_cluster.rs"]
mod older_cluster;
#[path = "common/trials.rs"]
mod trials;
#[path = "common/upgrades.rs"]
mod upgrades;

use older_cluster::{OlderCluster, READY_WITHIN};
use trials::Act;

/// The number of clusters at once.
const AT_ONCE: usize = 1;

const TRIALS: [(&str, Act); 2] = [
    ("a_cluster_that_others_upgrade_is_compared", || OlderCluster::act("phases", 2, upgraded)),
    ("a_workload_of_others_is_adopted_and_left_as_it_was", || OlderCluster::act("phases", 1, adopted)),
];

fn main() -> ExitCode {
    trials::run(common::arguments(), &TRIALS, AT_ONCE, upgrades::left_out())
}

impl OlderCluster {
    /// Where runs are written.
    fn artifacts(&self) -> PathBuf {
        common::artifacts().join("phases").join(self.cluster.name.trim_start_matches(PREFIX))
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    /// The arguments of the first call.
    fn before<'a>(&'a self, options: &[&'a str]) -> Vec<&'a str> {
        [&["before", "--cluster", &self.cluster.name], &neighbours::BUDGET[..], options].concat()
    }

    fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.args(arguments).arg("--state").arg(self.state()).env("ARTIFACTS", self.artifacts());
        command.args(["--timeout-scale", &common::timeout_scale().to_string()]).stdin(Stdio::null());
        command
    }

    /// Calls the program, and sends it this signal when the state file has reached this phase.
    fn cut_short(&self, arguments: &[&str], phase: &str, signal: &str) -> Result<(), Failed> {
        let file = std::fs::File::create(self.artifacts().join(format!("cut-short-{phase}")))?;
        let mut child = self.program(arguments).stdout(file.try_clone()?).stderr(file).spawn()?;
        let (begun, words) = (std::time::Instant::now(), format!("\"phase\": \"{phase}\""));
        while !std::fs::read_to_string(self.state()).is_ok_and(|text| text.contains(&words)) {
            if let Some(ended) =
                child.try_wait()?.or_else(|| (begun.elapsed() > READY_WITHIN).then(ExitStatus::default))
            {
                child.kill()?;
                return Err(format!("it did not get to {phase} ({ended})").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).status()?;
        let ended = child.wait()?;
        if ended.success() { Err(format!("{signal} at {phase} came too late").into()) } else { Ok(()) }
    }

    /// Calls the program with the state file. Its output must contain these words.
    fn call(&self, arguments: &[&str], code: i32, words: &[&str]) -> Result<String, Failed> {
        self.goes_on()?;
        let output = self.program(arguments).output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.code() == Some(code) && words.iter().all(|words| said.contains(words)) {
            return Ok(said);
        }
        Err(format!("steadfast {arguments:?}: {}, not {code} with {words:?}:\n{said}", output.status).into())
    }

    fn until_done(&self, arguments: &[&str]) -> Result<(), Failed> {
        self.until(arguments, |_| true)
    }

    /// Upgrades the cluster as its owner would, and drains every node.
    fn upgrade(&self) -> Result<(), Failed> {
        let runtime = tokio::runtime::Runtime::new()?;
        let nodes = self.kubectl(&["get", "nodes", "--output", "name"])?;
        let nodes: Vec<&str> = nodes.lines().filter_map(|line| line.strip_prefix("node/")).collect();
        let release = runtime.block_on(Release::unpack(&self.lab, &self.newer, self.folder.path()))?;
        for node in &nodes {
            runtime.block_on(release.bring(node))?;
        }
        let (planes, workers): (Vec<&str>, Vec<&str>) = nodes.iter().partition(|node| node.ends_with("control-plane"));
        for node in &planes {
            runtime.block_on(release.upgrade_control_plane(node, true))?;
        }
        self.until(&["get", "--raw", "/readyz"], |said| said == "ok")?;
        for node in planes.iter().chain(&workers) {
            self.drained(node, || {
                if workers.contains(node) {
                    runtime.block_on(release.upgrade_configuration(node))?;
                }
                runtime.block_on(release.replace_kubelet(node))?;
                let kubelet = "--output=jsonpath={.status.nodeInfo.kubeletVersion}";
                self.until(&["get", "node", node, kubelet], |said| said == release.version)?;
                self.until_done(&["wait", "node", node, "--for=condition=Ready", "--timeout=180s"])?;
                Ok(runtime.block_on(release.settle_kubelet(node))?)
            })?;
        }
        Ok(())
    }

    /// Drains a node with a plain `kubectl drain`, does something to it, and uncordons it.
    fn drained(&self, node: &str, doing: impl FnOnce() -> Result<(), Failed>) -> Result<(), Failed> {
        self.until_done(&["drain", node, "--ignore-daemonsets", "--timeout=180s"])?;
        doing()?;
        self.until_done(&["uncordon", node])
    }

    fn namespaces(&self) -> Result<String, Failed> {
        self.kubectl(&["get", "namespaces", "--output=jsonpath={.items[*].metadata.name}"])
    }
}

/// An upgrade to another version. Both halves are called twice.
fn upgraded(older_cluster: &OlderCluster) -> Result<(), Failed> {
    std::fs::create_dir_all(older_cluster.artifacts())?;
    let others = older_cluster.namespaces()?;
    let before = older_cluster.before(&[]);
    older_cluster.cut_short(&before, "witnessed", "INT")?;
    older_cluster.call(&["after"], 2, &["did not finish"])?;
    older_cluster.cut_short(&before, "deployed", "KILL")?;
    older_cluster.call(&["before"], 0, &["steadfast after --state"])?;
    let (made, state) = (older_cluster.namespaces()?, std::fs::read_to_string(older_cluster.state())?);
    let pods =
        ["get", "pods", "--all-namespaces", "--selector=app.kubernetes.io/name=steadfast-witness", "--output=name"];
    let witnesses = older_cluster.kubectl(&pods)?;
    older_cluster.call(&["before"], 0, &["steadfast after --state"])?;
    if older_cluster.namespaces()? != made
        || older_cluster.kubectl(&pods)? != witnesses
        || std::fs::read_to_string(older_cluster.state())? == state
    {
        return Err("called again, `before` made something new, or read nothing new".into());
    }
    older_cluster.upgrade()?;
    older_cluster.call(&["after", "--keep", "always"], 0, &[" 0 failed, 0 inconclusive", "the API server ran v"])?;
    older_cluster.call(&["after", "--keep", "on-failure", "--allow-disruption"], 0, &[" 0 failed, 0 inconclusive"])?;
    gone(older_cluster, &others)
}

/// A workload that somebody else runs, on a node that is drained in between. Nothing is left in it at the end.
fn adopted(older_cluster: &OlderCluster) -> Result<(), Failed> {
    let databases =
        "mysql --user=root --password=\"$MYSQL_ROOT_PASSWORD\" --skip-column-names --execute='SHOW DATABASES'";
    let databases = ["exec", "--namespace=shop", "mysql-0", "--", "sh", "-c", databases];
    for image in older_cluster.lab.images.iter().filter(|image| image.wanted == "mysql:5.7") {
        let mut load = Command::new(&older_cluster.lab.kind);
        load.args(["load", "image-archive", "--name", &older_cluster.cluster.name])
            .arg(&image.archive)
            .stderr(Stdio::null());
        if !load.status()?.success() {
            return Err("the server's image was not loaded".into());
        }
    }
    older_cluster.kubectl(&["create", "namespace", "shop"])?;
    let manifests = rendered(older_cluster, "one-pod")?;
    older_cluster.kubectl(&["apply", "--namespace=shop", "--filename", &manifests])?;
    let ready = "--output=jsonpath={.status.readyReplicas}";
    older_cluster.until(&["get", "statefulset", "mysql", "--namespace=shop", ready], |said| said == "1")?;
    let (others, held) = (older_cluster.namespaces()?, older_cluster.kubectl(&databases)?);
    let options = ["--adopt", "mysql", "--namespace", "shop", "--allow-writes"];
    older_cluster.call(&older_cluster.before(&options), 0, &["steadfast after --state"])?;
    if !older_cluster.kubectl(&databases)?.contains("steadfast") {
        return Err("nothing is written to the adopted server".into());
    }
    let known: Vec<&str> = others.split(' ').collect();
    for namespace in older_cluster.namespaces()?.split(' ').filter(|name| !known.contains(name)) {
        is_shown_nowhere(older_cluster, namespace)?;
    }
    let node = format!("{}-control-plane", older_cluster.cluster.name);
    older_cluster.drained(&node, || Ok(()))?;
    older_cluster.until(&["get", "statefulset", "mysql", "--namespace=shop", ready], |said| said == "1")?;
    older_cluster.call(&["after", "--keep", "never"], 0, &[" 0 failed, 0 inconclusive", "as before"])?;
    gone(older_cluster, &others)?;
    let holds = older_cluster.kubectl(&databases)?;
    if holds == held { Ok(()) } else { Err(format!("the adopted server had {held}, and has {holds}").into()) }
}

/// Checks that the passwords of a witness are in no file that was written.
fn is_shown_nowhere(older_cluster: &OlderCluster, namespace: &str) -> Result<(), Failed> {
    let decoded = "--output=go-template={{range .data}}{{. | base64decode}}{{\"\\n\"}}{{end}}";
    let secret = older_cluster.kubectl(&["get", "secret", "steadfast-witness", "--namespace", namespace, decoded])?;
    let passwords: Vec<&str> = secret.lines().filter(|line| !line.is_empty()).collect();
    let mut folders = vec![older_cluster.artifacts()];
    let mut files = vec![older_cluster.state()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let list = if entry.file_type()?.is_dir() { &mut folders } else { &mut files };
            list.push(entry.path());
        }
    }
    for file in files.iter().filter(|file| file.is_file()) {
        let text = String::from_utf8_lossy(&std::fs::read(file)?).into_owned();
        if passwords.len() < 2 || passwords.iter().any(|password| text.contains(password)) {
            return Err(format!("{} passwords, shown in {}", passwords.len(), file.display()).into());
        }
    }
    Ok(())
}

/// The manifests of a variant with the image of this machine's lab.
fn rendered(older_cluster: &OlderCluster, variant: &str) -> Result<String, Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/variants").join(variant);
    let mut text = older_cluster.kubectl(&["kustomize", &folder.display().to_string()])?;
    for image in older_cluster.lab.images.iter().filter(|image| image.wanted == "mysql:5.7") {
        text = text.replace("image: mysql:5.7\n", &format!("image: {}\n", image.image));
    }
    let path = older_cluster.folder.path().join("workload.yaml");
    std::fs::write(&path, text)?;
    Ok(path.display().to_string())
}

/// Checks that everything that `before` made is gone, and its state file too.
fn gone(older_cluster: &OlderCluster, others: &str) -> Result<(), Failed> {
    let there = older_cluster.namespaces()?;
    if there != others || older_cluster.state().exists() {
        return Err(format!(
            "the namespaces were {others}, and are {there}; the state file: {}",
            older_cluster.state().exists()
        )
        .into());
    }
    Ok(())
}
