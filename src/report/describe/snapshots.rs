//! Snapshots, on one line each.

use serde_json::Value;

use super::said::last_lines;
use crate::evidence::{
    Applied, Conformed, DnsServer, Leftover, NodeState, PowerCut, PowerRestored, Snapshot, SnapshotOf, State,
};

pub(super) fn snapshot_line(snapshot: &Snapshot) -> String {
    let what = match snapshot.of {
        SnapshotOf::Corefile => return format!("Corefile: {}", snapshot.value.as_str().unwrap_or("none")),
        SnapshotOf::Applied => return format!("objects as applied: {}", applied(&snapshot.value)),
        SnapshotOf::Node => return node_state(&snapshot.value),
        SnapshotOf::ApiServer => return format!("API server on {}", node_state(&snapshot.value)),
        SnapshotOf::DnsServers => return format!("DNS servers: {}", dns_servers(&snapshot.value)),
        SnapshotOf::State => return upgrade_state(&snapshot.value),
        SnapshotOf::Conformance => return conformance(&snapshot.value),
        SnapshotOf::ContainerLog => return last_lines(&snapshot.value),
        SnapshotOf::PowerCut => return power_cut(&snapshot.value),
        SnapshotOf::PowerRestored => return power_restored(&snapshot.value),
        SnapshotOf::LeftoverObjects => "objects that remain",
        SnapshotOf::LeftoverResources => "resources of the cluster that remain",
    };
    let Ok(leftovers) = serde_json::from_value::<Vec<Leftover>>(snapshot.value.clone()) else {
        return format!("{what}: {}", snapshot.value);
    };
    let name = |one: &Leftover| match &one.held_by {
        Some(holder) => format!("{} {} held by {holder}", one.kind, one.name),
        None => format!("{} {}", one.kind, one.name),
    };
    let names: Vec<String> = leftovers.iter().map(name).collect();
    format!("{what}: {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") })
}

fn node_state(value: &Value) -> String {
    let state = serde_json::from_value::<NodeState>(value.clone());
    state.map_or_else(|_| value.to_string(), |NodeState { node, state }| format!("{node}: {state}"))
}

fn power_cut(value: &Value) -> String {
    let Ok(cut) = serde_json::from_value::<PowerCut>(value.clone()) else { return value.to_string() };
    let PowerCut { node, file_system, kernel, volumes, unsynced_bytes, .. } = cut;
    let volumes = volumes.join(", ");
    format!("{node}: {file_system} with {volumes} and {unsynced_bytes} unsynced bytes shut down: {kernel}")
}

fn power_restored(value: &Value) -> String {
    let Ok(now) = serde_json::from_value::<PowerRestored>(value.clone()) else { return value.to_string() };
    let PowerRestored { node, synced_bytes, unsynced_bytes } = now;
    format!("{node}: {synced_bytes} of the synced bytes are there, and {unsynced_bytes} of the unsynced bytes")
}

fn upgrade_state(value: &Value) -> String {
    let Ok(state) = serde_json::from_value::<State>(value.clone()) else { return value.to_string() };
    let pods: Vec<String> = state.pods.iter().map(|pod| format!("{} {}", pod.name, pod.uid)).collect();
    format!("the state {}: Kubernetes {}, {}", state.stage, state.kubernetes, pods.join(", "))
}

fn conformance(value: &Value) -> String {
    let conformed = serde_json::from_value::<Vec<Conformed>>(value.clone()).unwrap_or_default();
    let count = |verdict: &str| conformed.iter().filter(|one| one.verdict == verdict).count();
    let counts = ["pass", "fail", "inconclusive", "skipped"].map(|verdict| format!("{} {verdict}", count(verdict)));
    format!("the checks on the upgraded cluster: {}", counts.join(", "))
}

fn dns_servers(value: &Value) -> String {
    let servers = serde_json::from_value::<Vec<DnsServer>>(value.clone()).unwrap_or_default();
    let described = |server: &DnsServer| format!("{} at {}", server.name, server.address);
    servers.iter().map(described).collect::<Vec<_>>().join(", ")
}

fn applied(value: &Value) -> String {
    let objects = serde_json::from_value::<Vec<Applied>>(value.clone()).unwrap_or_default();
    let described = |one: &Applied| match one.generation {
        Some(generation) => format!("{} {} in generation {generation}", one.kind, one.name),
        None => format!("{} {}", one.kind, one.name),
    };
    objects.iter().map(described).collect::<Vec<_>>().join(", ")
}
