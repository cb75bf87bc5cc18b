//! What only a cluster can refuse, and that a run on a cluster that was there leaves it as it was.

use std::sync::Mutex;
use std::sync::OnceLock;

use libtest_mimic::Failed;
use steadfast::cluster::Lab;
use steadfast::cluster::kind::{self, KindCluster, Shape};
use steadfast::run;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::offline::WORKLOAD;
use super::program::Place;

type Act = fn(&Ready) -> Result<(), Failed>;

pub const TRIALS: [(&str, Act); 5] = [
    ("cluster::no_storage_class", no_storage_class),
    ("cluster::namespace_exists", namespace_exists),
    ("cluster::no_image", no_image),
    ("cluster::no_secret", no_secret),
    ("cluster::is_left_as_it_was", is_left_as_it_was),
];

/// The cluster that the trials share, made by the first of them.
pub struct Stage {
    runtime: Runtime,
    cancel: CancellationToken,
    folder: TempDir,
    cluster: Mutex<Option<KindCluster>>,
    ready: OnceLock<Result<Ready, String>>,
}

/// A cluster that can be used.
pub struct Ready {
    name: String,
    lab: Lab,
    kubeconfig: std::path::PathBuf,
    /// One run at a time: each is to find the cluster as it was.
    turn: Mutex<()>,
}

impl Stage {
    pub fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let cancel = runtime.block_on(async { run::cancelled_by_signals() });
        let folder = tempfile::tempdir().expect("a folder");
        Self { runtime, cancel, folder, cluster: Mutex::default(), ready: OnceLock::new() }
    }

    pub fn cluster(&self) -> Result<&Ready, String> {
        self.ready.get_or_init(|| self.open()).as_ref().map_err(Clone::clone)
    }

    fn open(&self) -> Result<Ready, String> {
        let lab = Lab::read().map_err(|error| error.to_string())?;
        let name = format!("{}refusals-{}", kind::PREFIX, run::run_id());
        let claimed = KindCluster::claim(&lab, &name, self.folder.path()).map_err(|error| error.to_string())?;
        let mut owned = self.cluster.lock().map_err(|error| error.to_string())?;
        let cluster = owned.insert(claimed);
        let node = lab.node_image(None).map_err(|error| error.to_string())?.image.clone();
        self.runtime.block_on(async {
            tokio::select! {
                made = cluster.create(Shape { image: &node, workers: 0, domain: None }, kind::CREATE_WITHIN) => made.map_err(|error| error.to_string()),
                () = self.cancel.cancelled() => Err("interrupted".to_owned()),
            }
        })?;
        Ok(Ready { name, lab, kubeconfig: cluster.kubeconfig.clone(), turn: Mutex::default() })
    }

    /// Removes the cluster; it is an error if something of it is left.
    pub fn strike(&self) -> Result<(), String> {
        let Some(cluster) = self.cluster.lock().map_err(|error| error.to_string())?.take() else { return Ok(()) };
        let left = self.runtime.block_on(cluster.delete()).map_err(|error| error.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("left of the cluster: {left:?}")) }
    }
}

impl Ready {
    /// Runs on the cluster; everything that is there must be there afterwards, and nothing else.
    fn run(&self, place: &Place, more: &[&str]) -> Result<super::program::Answer, Failed> {
        let _turn = self.turn.lock();
        let before = self.objects()?;
        let lab = std::env::var(steadfast::cluster::LAB_VARIABLE).ok();
        let lab = lab.unwrap_or_else(|| steadfast::cluster::cache_dir().join("lab.json").display().to_string());
        let mut arguments = vec!["run", "--cluster", &self.name, "--allow-disruption"];
        arguments.extend(more);
        let mut answer = place.call(&arguments, &[("STEADFAST_LAB", &lab)]);
        answer.error = answer.error.replace(&self.name, "[CLUSTER]");
        let after = self.objects()?;
        if before == after {
            return Ok(answer);
        }
        Err(format!("before:\n{before}\nafter:\n{after}\n{}{}", answer.stdout, answer.error).into())
    }

    /// What a run could leave, by name and UID.
    fn objects(&self) -> Result<String, Failed> {
        let columns = "custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid";
        let mut command = std::process::Command::new(&self.lab.kubectl);
        command.args(["get", "namespaces,storageclasses,persistentvolumes", "--output", columns, "--kubeconfig"]);
        let output = command.arg(&self.kubeconfig).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
    }

    fn refuses(&self, name: &str, text: &str, more: &[&str]) -> Result<(), Failed> {
        let place = Place::new();
        place.write("db.yaml", text);
        let answer = self.run(&place, &[&["--manifests", "@/db.yaml"], more].concat())?;
        answer.is(name, 2)?;
        place.is_refused(&answer)
    }
}

fn no_storage_class(ready: &Ready) -> Result<(), Failed> {
    let claim = "  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {storageClassName: nowhere}\n";
    ready.refuses("cluster::no_storage_class", &format!("{WORKLOAD}{claim}"), &[])
}

fn namespace_exists(ready: &Ready) -> Result<(), Failed> {
    // kind brings this one.
    ready.refuses("cluster::namespace_exists", WORKLOAD, &["--namespace", "local-path-storage"])
}

/// What the engine says of a name that leads nowhere depends on the resolver; the rest is this program's.
fn no_image(ready: &Ready) -> Result<(), Failed> {
    let place = Place::new();
    place.write("db.yaml", &WORKLOAD.replace("mysql:5.7", "registry.invalid/mysql:0"));
    let answer = ready.run(&place, &["--manifests", "@/db.yaml"])?;
    let expected =
        "error: the image registry.invalid/mysql:0 is neither made ready by ci/setup, nor in the engine, nor";
    if answer.code == 2 && answer.error.starts_with(expected) {
        return place.is_refused(&answer);
    }
    Err(format!("exit code {}\n{}", answer.code, answer.error).into())
}

fn no_secret(ready: &Ready) -> Result<(), Failed> {
    let reference = "valueFrom: {secretKeyRef: {name: db, key: root}}";
    let place = Place::new();
    place.write("db.yaml", &WORKLOAD.replace("value: secret", reference));
    let answer = ready.run(&place, &["--manifests", "@/db.yaml", "dns::each"])?;
    let expected = "error: the Secret db with the root password under `root` is not in the namespace; add it to the";
    if answer.code == 2 && answer.error.starts_with(expected) {
        return Ok(());
    }
    Err(format!("exit code {}\n{}{}", answer.code, answer.stdout, answer.error).into())
}

fn is_left_as_it_was(ready: &Ready) -> Result<(), Failed> {
    let place = Place::new();
    let answer = ready.run(&place, &["dns::each"])?;
    if answer.code != 0 {
        return Err(format!("exit code {}\n{}{}", answer.code, answer.stdout, answer.error).into());
    }
    let results = place.results()?;
    if results["summary"]["pass"] == 1 { Ok(()) } else { Err(results["summary"].to_string().into()) }
}
