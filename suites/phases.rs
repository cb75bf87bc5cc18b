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
use steadfast_suites::environment::{artifacts, timeout_scale};
use steadfast_suites::older_cluster::{OlderCluster, READY_WITHIN};
use steadfast_suites::part::no_upgrades;
use steadfast_suites::settings::BUSY_MACHINE_BUDGET;
use steadfast_suites::trials::{self, TrialFunction};

/// The number of clusters at once.
const AT_ONCE: usize = 1;

const TRIALS: [(&str, TrialFunction); 2] = [
    ("a_cluster_that_others_upgrade_is_compared", || OlderCluster::with("phases", 2, upgraded)),
    ("a_workload_of_others_is_adopted_and_left_as_it_was", || OlderCluster::with("phases", 1, adopted)),
];

fn main() -> ExitCode {
    trials::run(trials::arguments(), &TRIALS, AT_ONCE, no_upgrades())
}

/// The program's calls on such a cluster, with one state file.
struct Program<'a> {
    older_cluster: &'a OlderCluster,
}

impl<'a> Program<'a> {
    /// Where runs are written.
    fn artifacts(&self) -> PathBuf {
        artifacts().join("phases").join(self.older_cluster.cluster.name.trim_start_matches(PREFIX))
    }

    fn state(&self) -> PathBuf {
        self.older_cluster.folder.path().join("state.json")
    }

    /// The arguments of the first call.
    fn before(&self, options: &[&'a str]) -> Vec<&'a str> {
        [&["before", "--cluster", &self.older_cluster.cluster.name], &BUSY_MACHINE_BUDGET[..], options].concat()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.args(arguments).arg("--state").arg(self.state()).env("ARTIFACTS", self.artifacts());
        command.args(["--timeout-scale", &timeout_scale().to_string()]).stdin(Stdio::null());
        command
    }

    /// Calls the program, and sends it this signal when the state file has reached this phase.
    fn cut_short(&self, arguments: &[&str], phase: &str, signal: &str) -> Result<(), Failed> {
        let file = std::fs::File::create(self.artifacts().join(format!("cut-short-{phase}")))?;
        let mut child = self.command(arguments).stdout(file.try_clone()?).stderr(file).spawn()?;
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
        self.older_cluster.goes_on()?;
        let output = self.command(arguments).output()?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        if output.status.code() == Some(code) && words.iter().all(|words| said.contains(words)) {
            return Ok(said);
        }
        Err(format!("steadfast {arguments:?}: {}, not {code} with {words:?}:\n{said}", output.status).into())
    }
}

fn until_done(older_cluster: &OlderCluster, arguments: &[&str]) -> Result<(), Failed> {
    older_cluster.until(arguments, |_| true)
}

/// Upgrades the cluster as its owner would, and drains every node.
fn upgrade(older_cluster: &OlderCluster) -> Result<(), Failed> {
    let runtime = tokio::runtime::Runtime::new()?;
    let nodes = older_cluster.kubectl(&["get", "nodes", "--output", "name"])?;
    let nodes: Vec<&str> = nodes.lines().filter_map(|line| line.strip_prefix("node/")).collect();
    let release =
        runtime.block_on(Release::unpack(&older_cluster.lab, &older_cluster.newer, older_cluster.folder.path()))?;
    for node in &nodes {
        runtime.block_on(release.bring(node))?;
    }
    let (planes, workers): (Vec<&str>, Vec<&str>) = nodes.iter().partition(|node| node.ends_with("control-plane"));
    for node in &planes {
        runtime.block_on(release.upgrade_control_plane(node, true))?;
    }
    older_cluster.until(&["get", "--raw", "/readyz"], |said| said == "ok")?;
    for node in planes.iter().chain(&workers) {
        drained(older_cluster, node, || {
            if workers.contains(node) {
                runtime.block_on(release.upgrade_configuration(node))?;
            }
            runtime.block_on(release.replace_kubelet(node))?;
            let kubelet = "--output=jsonpath={.status.nodeInfo.kubeletVersion}";
            older_cluster.until(&["get", "node", node, kubelet], |said| said == release.version)?;
            until_done(older_cluster, &["wait", "node", node, "--for=condition=Ready", "--timeout=180s"])?;
            Ok(runtime.block_on(release.settle_kubelet(node))?)
        })?;
    }
    Ok(())
}

/// Drains a node with a plain `kubectl drain`, does something to it, and uncordons it.
fn drained(older_cluster: &OlderCluster, node: &str, doing: impl FnOnce() -> Result<(), Failed>) -> Result<(), Failed> {
    until_done(older_cluster, &["drain", node, "--ignore-daemonsets", "--timeout=180s"])?;
    doing()?;
    until_done(older_cluster, &["uncordon", node])
}

fn namespaces(older_cluster: &OlderCluster) -> Result<String, Failed> {
    older_cluster.kubectl(&["get", "namespaces", "--output=jsonpath={.items[*].metadata.name}"])
}

/// An upgrade to another version. Both halves are called twice.
fn upgraded(older_cluster: &OlderCluster) -> Result<(), Failed> {
    let program = Program { older_cluster };
    std::fs::create_dir_all(program.artifacts())?;
    let others = namespaces(older_cluster)?;
    let before = program.before(&[]);
    program.cut_short(&before, "witnessed", "INT")?;
    program.call(&["after"], 2, &["did not finish"])?;
    program.cut_short(&before, "deployed", "KILL")?;
    program.call(&["before"], 0, &["steadfast after --state"])?;
    let (made, state) = (namespaces(older_cluster)?, std::fs::read_to_string(program.state())?);
    let pods =
        ["get", "pods", "--all-namespaces", "--selector=app.kubernetes.io/name=steadfast-witness", "--output=name"];
    let witnesses = older_cluster.kubectl(&pods)?;
    program.call(&["before"], 0, &["steadfast after --state"])?;
    if namespaces(older_cluster)? != made
        || older_cluster.kubectl(&pods)? != witnesses
        || std::fs::read_to_string(program.state())? == state
    {
        return Err("called again, `before` made something new, or read nothing new".into());
    }
    upgrade(older_cluster)?;
    program.call(&["after", "--keep", "always"], 0, &[" 0 failed, 0 inconclusive", "the API server ran v"])?;
    program.call(&["after", "--keep", "on-failure", "--allow-disruption"], 0, &[" 0 failed, 0 inconclusive"])?;
    gone(&program, &others)
}

/// A workload that somebody else runs, on a node that is drained in between. Nothing is left in it at the end.
fn adopted(older_cluster: &OlderCluster) -> Result<(), Failed> {
    let program = Program { older_cluster };
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
    let (others, held) = (namespaces(older_cluster)?, older_cluster.kubectl(&databases)?);
    let options = ["--adopt", "mysql", "--namespace", "shop", "--allow-writes"];
    program.call(&program.before(&options), 0, &["steadfast after --state"])?;
    if !older_cluster.kubectl(&databases)?.contains("steadfast") {
        return Err("nothing is written to the adopted server".into());
    }
    let known: Vec<&str> = others.split(' ').collect();
    for namespace in namespaces(older_cluster)?.split(' ').filter(|name| !known.contains(name)) {
        is_shown_nowhere(&program, namespace)?;
    }
    let node = format!("{}-control-plane", older_cluster.cluster.name);
    drained(older_cluster, &node, || Ok(()))?;
    older_cluster.until(&["get", "statefulset", "mysql", "--namespace=shop", ready], |said| said == "1")?;
    program.call(&["after", "--keep", "never"], 0, &[" 0 failed, 0 inconclusive", "are equal except for"])?;
    gone(&program, &others)?;
    let holds = older_cluster.kubectl(&databases)?;
    if holds == held { Ok(()) } else { Err(format!("the adopted server had {held}, and has {holds}").into()) }
}

/// Checks that the passwords of a witness are in no file that was written.
fn is_shown_nowhere(program: &Program<'_>, namespace: &str) -> Result<(), Failed> {
    let decoded = "--output=go-template={{range .data}}{{. | base64decode}}{{\"\\n\"}}{{end}}";
    let secret =
        program.older_cluster.kubectl(&["get", "secret", "steadfast-witness", "--namespace", namespace, decoded])?;
    let passwords: Vec<&str> = secret.lines().filter(|line| !line.is_empty()).collect();
    let mut folders = vec![program.artifacts()];
    let mut files = vec![program.state()];
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
fn gone(program: &Program<'_>, others: &str) -> Result<(), Failed> {
    let there = namespaces(program.older_cluster)?;
    if there != others || program.state().exists() {
        return Err(format!(
            "the namespaces were {others}, and are {there}; the state file: {}",
            program.state().exists()
        )
        .into());
    }
    Ok(())
}
