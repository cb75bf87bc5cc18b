//! The lives of pods and their claims, as watch events.

use serde_json::{Value, json};

use super::{Claim, History, Pod};
use crate::evidence::EventType;

/// The grace period of pods, in seconds.
const GRACE_S: i64 = 30;

impl History {
    /// A pod is created, and each missing claim is created and bound. Returns the new UID.
    pub fn added(&mut self, name: &str) -> String {
        let life = self.pods.iter().filter(|pod| pod.name == name).count() + 1;
        let ordinal = name.rsplit('-').next().unwrap_or_default();
        let uid = format!("{ordinal}.{life}");
        let claims: Vec<_> = self.subject.claims.iter().map(|template| format!("{template}-{name}")).collect();
        let volumes: Vec<_> = claims.iter().map(|it| json!({"persistentVolumeClaim": {"claimName": it}})).collect();
        let labels = json!({
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": ordinal,
            "controller-revision-hash": self.set.revision,
        });
        let object = json!({
            "metadata": {"name": name, "uid": uid, "labels": labels},
            "spec": {"nodeName": "worker", "volumes": volumes},
            "status": {"phase": "Pending"},
        });
        self.object(EventType::Added, "Pod", object.clone());
        self.pods.push(Pod { name: name.into(), uid: uid.clone(), object, gone: false });
        for (claim, template) in claims.into_iter().zip(["claim", "second claim", "third claim"]) {
            if self.claims.iter().any(|there| there.name == claim) {
                continue;
            }
            let uid = format!("{template} {uid}");
            self.bound(&claim, &uid, &format!("pv-{claim}"));
            let object = json!({"metadata": {"name": claim, "uid": uid}});
            self.claims.push(Claim { name: claim, object });
        }
        uid
    }

    /// A claim with this UID is created and bound to this volume.
    pub fn bound(&mut self, claim: &str, uid: &str, volume: &str) {
        self.object(EventType::Added, "PersistentVolume", json!({"metadata": {"name": volume, "uid": volume}}));
        let object = json!({"metadata": {"name": claim, "uid": uid}, "spec": {"volumeName": volume}});
        self.object(EventType::Added, "PersistentVolumeClaim", object);
    }

    /// A pod becomes Ready; from then on it has an address.
    pub fn ready(&mut self, pod: &str) -> u64 {
        self.serves(pod, true);
        let address = format!("10.0.{}", self.uid(pod));
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let server = self.running(pod);
        let status = json!({"phase": "Running", "podIP": address, "conditions": ready, "containerStatuses": [server]});
        self.modified(pod, "status", status)
    }

    /// The status of a pod's running server, with the restarts so far.
    fn running(&mut self, pod: &str) -> Value {
        let (name, started) = (self.subject.container.clone(), self.clock(0));
        let before = &self.pod(pod).object["status"]["containerStatuses"][0];
        let (restarts, last) = (before["restartCount"].as_i64().unwrap_or(0), &before["lastState"]);
        json!({
            "name": name, "restartCount": restarts, "lastState": last,
            "state": {"running": {"startedAt": started}},
        })
    }

    /// A pod's server ends; the pod's next event shows it.
    pub fn server_ends(&mut self, pod: &str, code: i32) {
        let (reason, finished) = (if code == 0 { "Completed" } else { "Error" }, self.clock(0));
        let state = self.pod(pod).object.pointer_mut("/status/containerStatuses/0/state");
        if let Some(state) = state.filter(|state| state["running"].is_object()) {
            *state = json!({"terminated": {"exitCode": code, "reason": reason, "finishedAt": finished}});
        }
    }

    /// A pod's server ends and restarts; the pod's next event shows it.
    pub fn server_starts_again(&mut self, pod: &str, code: i32) {
        self.server_ends(pod, code);
        let started = self.clock(0);
        let Some(server) = self.pod(pod).object.pointer_mut("/status/containerStatuses/0") else { return };
        server["lastState"] = server["state"].take();
        server["state"] = json!({"running": {"startedAt": started}});
        server["restartCount"] = json!(server["restartCount"].as_i64().unwrap_or(0) + 1);
    }

    /// The time in this many seconds, as objects have it.
    fn clock(&self, in_s: i64) -> String {
        let now_s = self.now_us.cast_signed() / 1_000_000;
        jiff::Timestamp::from_second(1_800_000_000 + now_s + in_s).expect("a time").to_string()
    }

    /// A pod becomes unready.
    pub fn unready(&mut self, pod: &str) -> u64 {
        self.serves(pod, false);
        let mut status = self.pod(pod).object["status"].clone();
        status["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        self.modified(pod, "status", status)
    }

    /// A pod begins to terminate.
    pub fn deleting(&mut self, pod: &str) -> u64 {
        self.serves(pod, false);
        let deadline = self.clock(GRACE_S);
        let mut metadata = self.pod(pod).object["metadata"].clone();
        metadata["deletionTimestamp"] = json!(deadline);
        metadata["deletionGracePeriodSeconds"] = json!(GRACE_S);
        self.modified(pod, "metadata", metadata)
    }

    /// A pod is gone.
    pub fn deleted(&mut self, pod: &str) -> u64 {
        self.serves(pod, false);
        let pod = self.pod(pod);
        pod.gone = true;
        let object = pod.object.clone();
        self.object(EventType::Deleted, "Pod", object)
    }

    /// A pod changed in one part.
    pub fn modified(&mut self, pod: &str, part: &str, value: Value) -> u64 {
        let pod = self.pod(pod);
        pod.object[part] = value;
        let object = pod.object.clone();
        self.object(EventType::Modified, "Pod", object)
    }

    fn serves(&mut self, pod: &str, serves: bool) {
        let (name, now_us) = (self.pod(pod).name.clone(), self.now_us);
        self.witness.sees(&name, now_us, serves);
    }

    pub(super) fn pod(&mut self, pod: &str) -> &mut Pod {
        let newest = self.pods.iter_mut().rev().find(|it| it.uid == pod || (it.name == pod && !it.gone));
        newest.expect("a pod that was added")
    }

    /// The UID of a pod.
    pub fn uid(&mut self, pod: &str) -> String {
        self.pod(pod).uid.clone()
    }

    /// The address of a pod that DNS lists; `None` if the pod is not listed or does not exist.
    pub(super) fn address(&self, name: &str) -> Option<String> {
        let live = self.pods.iter().rev().find(|pod| pod.name == name && !pod.gone)?;
        let listed = self.subject.publish_not_ready || crate::object::has_condition(&live.object, "Ready");
        live.object.pointer("/status/podIP").filter(|_| listed).and_then(Value::as_str).map(str::to_owned)
    }
}
