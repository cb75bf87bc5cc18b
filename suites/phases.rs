//! The phases suite: `steadfast before` and `steadfast after` around an upgrade that somebody else makes. The suite is that
//! somebody: it has a kind cluster, and does to it what its owner would, by kubeadm and kubectl.
//!
//! `STEADFAST_CLUSTER=none` ignores the trials, visibly. Where only a part of the suites is asked for (`STEADFAST_PART`),
//! upgrades are none of it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use steadfast::cluster::Release;
use steadfast::cluster::kind::PREFIX;

mod common;
#[path = "common/neighbours.rs"]
mod neighbours;
#[path = "common/town.rs"]
mod town;
#[path = "common/trials.rs"]
mod trials;
#[path = "common/upgrades.rs"]
mod upgrades;

use town::{READY_WITHIN, Town};
use trials::Act;

/// Clusters at once.
const AT_ONCE: usize = 1;

const TRIALS: [(&str, Act); 2] = [
    ("a_cluster_that_others_upgrade_is_compared", || Town::act("phases", 2, upgraded)),
    ("a_workload_of_others_is_adopted_and_left_as_it_was", || Town::act("phases", 1, adopted)),
];

fn main() -> ExitCode {
    trials::run(common::arguments(), &TRIALS, AT_ONCE, upgrades::left_out())
}

impl Town {
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

    /// Calls the program, and sends it this signal once the state file says that it got to this phase.
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

    /// Calls the program with the state file; what it says has to hold these words.
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

    /// Does something to a node without the pods of others, by nothing more than a plain drain.
    fn drained(&self, node: &str, doing: impl FnOnce() -> Result<(), Failed>) -> Result<(), Failed> {
        self.until_done(&["drain", node, "--ignore-daemonsets", "--timeout=180s"])?;
        doing()?;
        self.until_done(&["uncordon", node])
    }

    fn namespaces(&self) -> Result<String, Failed> {
        self.kubectl(&["get", "namespaces", "--output=jsonpath={.items[*].metadata.name}"])
    }
}

/// Everything around an upgrade to another version, each half called twice.
fn upgraded(town: &Town) -> Result<(), Failed> {
    std::fs::create_dir_all(town.artifacts())?;
    let others = town.namespaces()?;
    let before = town.before(&[]);
    town.cut_short(&before, "witnessed", "INT")?;
    town.call(&["after"], 2, &["did not come to its end"])?;
    town.cut_short(&before, "deployed", "KILL")?;
    town.call(&["before"], 0, &["steadfast after --state"])?;
    let (made, state) = (town.namespaces()?, std::fs::read_to_string(town.state())?);
    let pods =
        ["get", "pods", "--all-namespaces", "--selector=app.kubernetes.io/name=steadfast-witness", "--output=name"];
    let witnesses = town.kubectl(&pods)?;
    town.call(&["before"], 0, &["steadfast after --state"])?;
    if town.namespaces()? != made
        || town.kubectl(&pods)? != witnesses
        || std::fs::read_to_string(town.state())? == state
    {
        return Err("called again, `before` made something new, or read nothing new".into());
    }
    town.upgrade()?;
    town.call(&["after", "--keep", "always"], 0, &[" 0 failed, 0 inconclusive", "the API server ran v"])?;
    town.call(&["after", "--keep", "on-failure", "--allow-disruption"], 0, &[" 0 failed, 0 inconclusive"])?;
    gone(town, &others)
}

/// A workload that others run, on a node that is drained meanwhile: nothing is left in it in the end.
fn adopted(town: &Town) -> Result<(), Failed> {
    let databases =
        "mysql --user=root --password=\"$MYSQL_ROOT_PASSWORD\" --skip-column-names --execute='SHOW DATABASES'";
    let databases = ["exec", "--namespace=shop", "mysql-0", "--", "sh", "-c", databases];
    for image in town.lab.images.iter().filter(|image| image.wanted == "mysql:5.7") {
        let mut load = Command::new(&town.lab.kind);
        load.args(["load", "image-archive", "--name", &town.cluster.name]).arg(&image.archive).stderr(Stdio::null());
        if !load.status()?.success() {
            return Err("the server's image was not loaded".into());
        }
    }
    town.kubectl(&["create", "namespace", "shop"])?;
    let manifests = rendered(town, "one-pod")?;
    town.kubectl(&["apply", "--namespace=shop", "--filename", &manifests])?;
    let ready = "--output=jsonpath={.status.readyReplicas}";
    town.until(&["get", "statefulset", "mysql", "--namespace=shop", ready], |said| said == "1")?;
    let (others, held) = (town.namespaces()?, town.kubectl(&databases)?);
    let options = ["--adopt", "mysql", "--namespace", "shop", "--allow-writes"];
    town.call(&town.before(&options), 0, &["steadfast after --state"])?;
    if !town.kubectl(&databases)?.contains("steadfast") {
        return Err("nothing is written to the adopted server".into());
    }
    let known: Vec<&str> = others.split(' ').collect();
    for namespace in town.namespaces()?.split(' ').filter(|name| !known.contains(name)) {
        is_shown_nowhere(town, namespace)?;
    }
    let node = format!("{}-control-plane", town.cluster.name);
    town.drained(&node, || Ok(()))?;
    town.until(&["get", "statefulset", "mysql", "--namespace=shop", ready], |said| said == "1")?;
    town.call(&["after", "--keep", "never"], 0, &[" 0 failed, 0 inconclusive", "as before"])?;
    gone(town, &others)?;
    let holds = town.kubectl(&databases)?;
    if holds == held { Ok(()) } else { Err(format!("the adopted server had {held}, and has {holds}").into()) }
}

/// That the passwords of a witness stand in no file that was written.
fn is_shown_nowhere(town: &Town, namespace: &str) -> Result<(), Failed> {
    let decoded = "--output=go-template={{range .data}}{{. | base64decode}}{{\"\\n\"}}{{end}}";
    let secret = town.kubectl(&["get", "secret", "steadfast-witness", "--namespace", namespace, decoded])?;
    let passwords: Vec<&str> = secret.lines().filter(|line| !line.is_empty()).collect();
    let mut folders = vec![town.artifacts()];
    let mut files = vec![town.state()];
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

/// The manifests of a variant with the image that this machine has.
fn rendered(town: &Town, variant: &str) -> Result<String, Failed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/variants").join(variant);
    let mut text = town.kubectl(&["kustomize", &folder.display().to_string()])?;
    for image in town.lab.images.iter().filter(|image| image.wanted == "mysql:5.7") {
        text = text.replace("image: mysql:5.7\n", &format!("image: {}\n", image.image));
    }
    let path = town.folder.path().join("workload.yaml");
    std::fs::write(&path, text)?;
    Ok(path.display().to_string())
}

/// That what `before` made is gone, and its state file with it.
fn gone(town: &Town, others: &str) -> Result<(), Failed> {
    let there = town.namespaces()?;
    if there != others || town.state().exists() {
        return Err(format!(
            "the namespaces were {others}, and are {there}; the state file: {}",
            town.state().exists()
        )
        .into());
    }
    Ok(())
}
