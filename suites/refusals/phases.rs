//! Refusals of `before` and `after`: bad state files, and clusters that differ from the state file. Nothing may be
//! written to any of these clusters.

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use steadfast::workload::{self, Hints};

use super::apiserver::{ApiServer, UID, namespace};
use super::call::{Call, WORKLOAD, call};
use super::program::Place;

/// Options that name the cluster by a file. A test may have changed the address in it.
const HERE: [&str; 4] = ["--kubeconfig", "@/config", "--witness-image", "registry.example/witness"];

/// The state file that `before` writes when it has reached this phase.
fn state(phase: &str, uid: &str) -> Value {
    let manifests = workload::parse("db.yaml", WORKLOAD).expect("YAML");
    let (subject, _) = workload::subject(&manifests, "shop", "cluster.local", &Hints::default()).expect("a workload");
    let made =
        |name: &str| json!({"api_version": "v1", "kind": "Namespace", "name": name, "uid": format!("uid-{name}")});
    let target =
        json!({"context": {"kubeconfig": "/nowhere/config", "context": null, "uid": uid, "witness_image": null}});
    json!({
        "schema": 2, "steadfast": "0.1.0", "run_id": "20260105-1",
        "place": {"uid": uid, "context": "ci", "server": "https://ci/", "kubernetes": "v1.36.3", "target": target},
        "conditions": {
            "manifests": null, "replication": "managed", "semi_sync": false, "timeout_scale": 1.0, "budgets": [],
            "ledger": {"writers": 2, "per_second": 2},
        },
        "adopted": false, "subject": subject, "near": "shop", "far": "shop-witness",
        "intents": [], "made": [made("shop"), made("shop-witness")], "phase": phase, "before": null, "evidence": "/nowhere",
    })
}

pub(crate) fn calls() -> Vec<Call> {
    let complete = state("complete", UID).to_string();
    let after = |name, text: String| call(name, 2, &["after", "--state", "@/state.json"]).with("state.json", text);
    let before =
        |name, words: &[&'static str]| call(name, 2, &[&["before", "--state", "@/state.json"], words].concat());
    vec![
        call("phases::after_without_before", 2, &["after", "--state", "@/state.json"]),
        after("phases::state_file_torn", complete[..complete.len() / 2].to_owned()),
        after("phases::state_file_of_another_format", complete.replacen("\"schema\":2", "\"schema\":9", 1)),
        after("phases::no_state_file", "{\"schema\":2}".to_owned()),
        after("phases::before_half_finished", state("witnessed", UID).to_string()),
        before("phases::before_without_a_cluster", &[]),
        before("phases::before_of_another_namespace", &["--namespace", "other"]).with("state.json", complete.clone()),
        before("phases::before_of_an_adopted_one", &["--adopt", "db", "--namespace", "shop", "--allow-writes"])
            .with("state.json", complete),
        before("phases::adopted_without_agreement", &["--adopt", "db", "--namespace", "shop"]),
        call("phases::abandoned_and_kept", 2, &["after", "--abandon", "--keep", "always"]),
        call("output::before_help", 0, &["before", "--help"]),
        call("output::after_help", 0, &["after", "--help"]),
    ]
}

pub(crate) fn trials() -> Vec<Trial> {
    let standing = || ["shop", "shop-witness"].map(|name| (path(name), namespace(name, &format!("uid-{name}"))));
    let another = |name: &str| [(path(name), namespace(name, "another"))];
    let after = [&["after", "--state", "@/state.json"], &HERE[..]].concat();
    let adopt = ["before", "--state", "@/none.json", "--cluster-uid", UID, "--namespace", "shop", "--adopt", "db"];
    let adopt = [&adopt[..], &["--allow-writes"], &HERE].concat();
    let refused = |name: &'static str, uid: &'static str, there: Vec<(String, Value)>, arguments: &[&'static str]| {
        let arguments = arguments.to_vec();
        Trial::test(name, move || is_refused(name, uid, there.clone(), &arguments))
    };
    vec![
        refused("phases::another_cluster", "00000000-0000-4000-8000-000000000000", standing().to_vec(), &after),
        refused("phases::workload_gone", UID, standing().to_vec(), &after),
        refused("phases::namespace_gone", UID, Vec::new(), &after),
        refused("phases::namespace_of_another", UID, another("shop").to_vec(), &after),
        refused("phases::abandoned_elsewhere", "1-2", standing().to_vec(), &[&after[..], &["--abandon"]].concat()),
        refused("phases::nothing_to_adopt", UID, Vec::new(), &adopt),
    ]
}

fn path(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}")
}

/// A state file for the cluster with this UID, on a cluster with these namespaces, is refused.
fn is_refused(name: &str, uid: &str, there: Vec<(String, Value)>, arguments: &[&str]) -> Result<(), Failed> {
    let server = ApiServer::start(|_| None, there);
    let mut place = Place::of(&server);
    place.replace(&server.address, "[SERVER]");
    let file = place.write("state.json", &state("complete", uid).to_string());
    let written = std::fs::read(&file)?;
    let said = place.call(arguments, &[("STEADFAST_LAB", "@/lab.json")]);
    if !server.writes().is_empty() {
        return Err(format!("it was written to the cluster: {:?}\n{}", server.writes(), said.error).into());
    }
    if std::fs::read(&file)? != written || place.path("none.json").exists() {
        return Err("the state file was changed".into());
    }
    said.is(name, 2)
}
