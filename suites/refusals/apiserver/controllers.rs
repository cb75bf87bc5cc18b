//! The controllers of a small cluster. Pods of a StatefulSet start and stop in order and are Ready at once, claims are
//! bound to volumes, and a deletion also deletes dependents. Objects that existed at the start do not change.

use std::time::Duration;

use serde_json::{Value, json};

use super::store::{State, Store, is_ending, split};

/// The pause between two acts, so that a watch shows each one.
const PAUSE: Duration = Duration::from_millis(5);

/// Acts until the cluster is closed.
pub(super) fn act(store: &Store) {
    let mut state = store.lock();
    while !state.closed {
        if step(&mut state) {
            store.tell();
            drop(state);
            std::thread::sleep(PAUSE);
            state = store.lock();
        } else {
            state = store.wait(state);
        }
    }
}

/// Does the next act, if there is one.
fn step(state: &mut State) -> bool {
    end_namespaces(state) || end_pods(state) || collect(state) || run_pods(state) || run_sets(state)
}

fn ending(state: &State, kind: &str) -> Option<String> {
    let ending = state.objects.iter().find(|(_, object)| object["kind"] == kind && is_ending(object));
    ending.map(|(path, _)| path.clone())
}

fn end_namespaces(state: &mut State) -> bool {
    let Some(path) = ending(state, "Namespace") else { return false };
    let name = split(&path).1;
    let within = format!("/namespaces/{name}/");
    let inside: Vec<String> = state.objects.keys().filter(|it| it.contains(&within)).cloned().collect();
    let done = inside.is_empty();
    for path in inside {
        let object = state.objects[&path].clone();
        state.put("DELETED", &path, object);
    }
    if done {
        let object = state.objects[&path].clone();
        state.put("DELETED", &path, object);
    }
    true
}

fn end_pods(state: &mut State) -> bool {
    let Some(path) = ending(state, "Pod") else { return false };
    let object = state.objects[&path].clone();
    state.put("DELETED", &path, object);
    true
}

/// Deletes pods without a StatefulSet, and volumes without a claim.
fn collect(state: &mut State) -> bool {
    let owner = |object: &Value| object.pointer("/metadata/ownerReferences/0/uid").cloned();
    let sets: Vec<Value> =
        state.made_of("StatefulSet").iter().map(|it| state.objects[it]["metadata"]["uid"].clone()).collect();
    let lost = |path: &String| owner(&state.objects[path]).is_some_and(|uid| !sets.contains(&uid));
    let pod = state.made_of("Pod").into_iter().find(lost);
    let claims: Vec<Value> =
        state.made_of("PersistentVolumeClaim").iter().map(|it| state.objects[it]["metadata"]["uid"].clone()).collect();
    let volume = state
        .made_of("PersistentVolume")
        .into_iter()
        .find(|path| !claims.contains(&state.objects[path]["spec"]["claimRef"]["uid"]));
    let Some(path) = pod.or(volume) else { return false };
    state.end(&path);
    true
}

/// The kubelet: a pod becomes Ready, unless its image name is invalid.
fn run_pods(state: &mut State) -> bool {
    for path in state.made_of("Pod") {
        let mut pod = state.objects[&path].clone();
        let address = format!("10.0.1.{}", uid_number(&pod) % 250 + 1);
        let container = &pod["spec"]["containers"][0];
        let image = container["image"].as_str().unwrap_or_default();
        let ready = image.chars().all(|letter| !letter.is_ascii_uppercase());
        let waiting = json!({"waiting": {"reason": "InvalidImageName"}});
        let running = json!({"running": {"startedAt": "2026-01-05T03:00:00Z"}});
        let of_container = json!({
            "name": container["name"], "image": image, "ready": ready, "restartCount": 0,
            "state": if ready { running } else { waiting },
        });
        let condition = json!({"type": "Ready", "status": if ready { "True" } else { "False" }});
        let status = json!({
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [condition],
            "containerStatuses": [of_container],
        });
        if pod["status"] != status {
            pod["spec"]["nodeName"] = json!("node");
            pod["status"] = status;
            state.put("MODIFIED", &path, pod);
            return true;
        }
    }
    false
}

/// The number in a pod's UID. It determines the pod's address, so a new pod has another address.
fn uid_number(pod: &Value) -> u64 {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    uid.trim_start_matches("uid-").parse().unwrap_or_default()
}

/// The StatefulSet controller.
fn run_sets(state: &mut State) -> bool {
    state.made_of("StatefulSet").iter().any(|path| run_set(state, path))
}

fn run_set(state: &mut State, path: &str) -> bool {
    let mut set = state.objects[path].clone();
    let wanted = set["spec"]["replicas"].as_u64().unwrap_or(1);
    let (home, name) = (path.split("/statefulsets/").next().unwrap_or_default(), split(path).1.to_owned());
    let home = home.replace("/apis/apps/v1", "/api/v1");
    let pod_path = |ordinal: u64| format!("{home}/pods/{name}-{ordinal}");
    let is_ready = |pod: &Value| pod.pointer("/status/conditions/0/status") == Some(&json!("True"));
    let there = || (0..wanted + 10).filter_map(|ordinal| state.objects.get(&pod_path(ordinal)));
    let (count, ready) = (there().count(), there().filter(|pod| is_ready(pod)).count());
    let missing = (0..wanted).find(|ordinal| !state.objects.contains_key(&pod_path(*ordinal)));
    // A pod waits only for those with smaller ordinals.
    let may_come =
        |ordinal: &u64| (0..*ordinal).all(|before| state.objects.get(&pod_path(before)).is_some_and(is_ready));
    if let Some(ordinal) = missing.filter(may_come) {
        make_pod(state, &set, &home, ordinal);
        return true;
    }
    let surplus = (wanted..wanted + 10).rev().find(|ordinal| state.objects.contains_key(&pod_path(*ordinal)));
    if let Some(ordinal) = surplus {
        let delete_claims =
            set.pointer("/spec/persistentVolumeClaimRetentionPolicy/whenScaled") == Some(&json!("Delete"));
        if delete_claims {
            state.end(&format!("{home}/persistentvolumeclaims/data-{name}-{ordinal}"));
        }
        state.end(&pod_path(ordinal));
        return true;
    }
    let status = json!({
        "observedGeneration": set["metadata"]["generation"], "replicas": count, "readyReplicas": ready,
        "currentReplicas": count, "updatedReplicas": count, "availableReplicas": ready, "currentRevision": "one",
        "updateRevision": "one",
    });
    if set["status"] == status {
        return false;
    }
    set["status"] = status;
    state.put("MODIFIED", path, set);
    true
}

/// Creates a pod with its claims and their volumes. Existing claims stay.
fn make_pod(state: &mut State, set: &Value, home: &str, ordinal: u64) {
    let (metadata, template) = (&set["metadata"], &set["spec"]["template"]);
    let name = format!("{}-{ordinal}", metadata["name"].as_str().unwrap_or_default());
    for claim in set["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let of_template = claim["metadata"]["name"].as_str().unwrap_or_default();
        make_claim(state, home, &format!("{of_template}-{name}"), claim);
    }
    let owner = json!([{"kind": "StatefulSet", "name": metadata["name"], "uid": metadata["uid"], "controller": true}]);
    let mut labels = template["metadata"]["labels"].clone();
    labels["apps.kubernetes.io/pod-index"] = json!(ordinal.to_string());
    let metadata = json!({"name": name, "labels": labels, "ownerReferences": owner});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]});
    drop(state.make(&format!("{home}/pods/{name}"), pod, 201));
}

fn make_claim(state: &mut State, home: &str, name: &str, template: &Value) {
    let path = format!("{home}/persistentvolumeclaims/{name}");
    if state.objects.contains_key(&path) {
        return;
    }
    let volume = format!("pv-{name}");
    let mut spec = template["spec"].clone();
    spec["volumeName"] = json!(volume);
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec,
        "status": {"phase": "Bound"},
    });
    if state.make(&path, claim, 201).0 != 201 {
        return;
    }
    let made = &state.objects[&path]["metadata"];
    let holder =
        json!({"kind": "PersistentVolumeClaim", "namespace": made["namespace"], "name": name, "uid": made["uid"]});
    let object = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume}, "spec": {"claimRef": holder},
        "status": {"phase": "Bound"},
    });
    drop(state.make(&format!("/api/v1/persistentvolumes/{volume}"), object, 201));
}
