//! What only a real cluster can refuse, and a check that a run leaves an existing cluster unchanged.

use libtest_mimic::Failed;
use steadfast_suites::shared_cluster::{ClusterTrialFunction, SharedCluster};

use super::call::WORKLOAD;
use super::program::{Answer, Place};

pub(crate) const TRIALS: [(&str, ClusterTrialFunction); 6] = [
    ("cluster::no_storage_class", no_storage_class),
    ("cluster::namespace_exists", namespace_exists),
    ("cluster::no_image", no_image),
    ("cluster::no_secret", no_secret),
    ("cluster::is_left_as_it_was", is_left_as_it_was),
    ("cluster::no_proxy_leads_to_it", no_proxy_leads_to_it),
];

/// Runs on the cluster. Afterwards the objects must be the same as before.
fn run(cluster: &SharedCluster, place: &Place, more: &[&str]) -> Result<Answer, Failed> {
    run_under(cluster, place, more, &[])
}

fn run_under(
    cluster: &SharedCluster,
    place: &Place,
    more: &[&str],
    environment: &[(&str, &str)],
) -> Result<Answer, Failed> {
    let _turn = cluster.turn.lock();
    let before = objects(cluster)?;
    let lab = std::env::var(steadfast::cluster::LAB_VARIABLE).ok();
    let lab = lab.unwrap_or_else(|| steadfast::cluster::cache_dir().join("lab.json").display().to_string());
    let mut arguments = vec!["run", "--cluster", &cluster.name, "--allow-disruption"];
    arguments.extend(more);
    let environment = [&[("STEADFAST_LAB", lab.as_str())], environment].concat();
    let mut answer = place.call(&arguments, &environment);
    answer.error = answer.error.replace(&cluster.name, "[CLUSTER]");
    let after = objects(cluster)?;
    if before == after {
        return Ok(answer);
    }
    Err(format!("before:\n{before}\nafter:\n{after}\n{}{}", answer.stdout, answer.error).into())
}

/// The objects that a run could leave, by name and UID.
fn objects(cluster: &SharedCluster) -> Result<String, Failed> {
    let columns = "custom-columns=KIND:.kind,NAME:.metadata.name,UID:.metadata.uid";
    cluster.kubectl(&["get", "namespaces,storageclasses,persistentvolumes", "--output", columns])
}

fn refuses(cluster: &SharedCluster, name: &str, text: &str, more: &[&str]) -> Result<(), Failed> {
    let place = Place::new();
    place.write("db.yaml", text);
    let answer = run(cluster, &place, &[&["--manifests", "@/db.yaml"], more].concat())?;
    answer.is(name, 2)?;
    place.is_refused(&answer)
}

fn no_storage_class(cluster: &SharedCluster) -> Result<(), Failed> {
    let claim = "  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {storageClassName: nowhere}\n";
    refuses(cluster, "cluster::no_storage_class", &format!("{WORKLOAD}{claim}"), &[])
}

fn namespace_exists(cluster: &SharedCluster) -> Result<(), Failed> {
    // kind creates this namespace.
    refuses(cluster, "cluster::namespace_exists", WORKLOAD, &["--namespace", "local-path-storage"])
}

/// The engine's message about an unknown name depends on the resolver. The rest is this program's.
fn no_image(cluster: &SharedCluster) -> Result<(), Failed> {
    let place = Place::new();
    place.write("db.yaml", &WORKLOAD.replace("mysql:5.7", "registry.invalid/mysql:0"));
    let answer = run(cluster, &place, &["--manifests", "@/db.yaml"])?;
    let expected = "error: the image registry.invalid/mysql:0 was not prepared by ci/setup, is not in the engine, and";
    if answer.code == 2 && answer.error.starts_with(expected) {
        return place.is_refused(&answer);
    }
    Err(format!("exit code {}\n{}", answer.code, answer.error).into())
}

fn no_secret(cluster: &SharedCluster) -> Result<(), Failed> {
    let reference = "valueFrom: {secretKeyRef: {name: db, key: root}}";
    let place = Place::new();
    place.write("db.yaml", &WORKLOAD.replace("value: secret", reference));
    let answer = run(cluster, &place, &["--manifests", "@/db.yaml", "dns::each"])?;
    let expected =
        "error: the root password must be in secret/db/root, but the namespace does not have it; add it to the";
    if answer.code == 2 && answer.error.starts_with(expected) {
        return Ok(());
    }
    Err(format!("exit code {}\n{}{}", answer.code, answer.stdout, answer.error).into())
}

fn is_left_as_it_was(cluster: &SharedCluster) -> Result<(), Failed> {
    passes(cluster, &[])
}

/// kind's API servers are on the loopback interface. A proxy is not used for it, whether the proxy works or not.
fn no_proxy_leads_to_it(cluster: &SharedCluster) -> Result<(), Failed> {
    passes(cluster, &[("HTTPS_PROXY", "http://127.0.0.1:1"), ("HTTP_PROXY", "http://127.0.0.1:1")])
}

fn passes(cluster: &SharedCluster, environment: &[(&str, &str)]) -> Result<(), Failed> {
    let place = Place::new();
    let answer = run_under(cluster, &place, &["dns::each"], environment)?;
    if answer.code != 0 {
        return Err(format!("exit code {}\n{}{}", answer.code, answer.stdout, answer.error).into());
    }
    let results = place.results()?;
    if results["summary"]["pass"] == 1 { Ok(()) } else { Err(results["summary"].to_string().into()) }
}
