//! Upgrades that are refused before anything is made.

use serde_json::{Value, json};

use super::call::{Call, WORKLOAD, call};
use super::program::lab;

pub(crate) fn calls() -> Vec<Call> {
    let of = |name, words: &[&'static str]| {
        let words = [&["upgrade", "--manifests", "@/db.yaml"], words].concat();
        call(name, 2, &words).with("db.yaml", WORKLOAD).with("lab.json", with_nodes().to_string())
    };
    vec![
        of("upgrade::downgrade", &["--kubernetes", "1.37.2", "--to", "1.36.3"]),
        of("upgrade::same_version", &["--kubernetes", "1.37.2", "--to", "1.37.2"]),
        of("upgrade::skipped_minor", &["--kubernetes", "1.34.4", "--to", "1.37.2"]),
        of("upgrade::version_not_ready", &["--to", "1.99.0"]),
        of("upgrade::beginning_not_ready", &["--kubernetes", "1.36.0", "--to", "1.37.2"]),
        of("upgrade::nothing_leads_there", &["--to", "1.34.4"]),
        of("upgrade::of_a_context", &["--to", "1.37.2", "--kubeconfig", "@/config", "--allow-disruption"]),
        of("upgrade::no_version", &["--to", "newest"]).at_once(),
        of("upgrade::nowhere", &[]).at_once(),
        of("upgrade::unknown_filter", &["--to", "1.37.2", "ordering"]).at_once(),
        call("upgrade::by_run", 2, &["run", "upgrade::"]).at_once(),
        call("output::upgrade_help", 0, &["upgrade", "--help"]).at_once(),
    ]
}

/// A lab with several releases that cannot be started.
fn with_nodes() -> Value {
    let node = |version: &str| json!({"kubernetes": version, "image": "nowhere/node", "built": true});
    let mut lab = lab("/nowhere/kind", "/nowhere/docker");
    lab["nodes"] = ["1.34.4", "1.36.3", "1.37.2"].map(node).to_vec().into();
    lab
}
