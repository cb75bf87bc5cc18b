//! What the harness and the set's controller do to pods, claims and the set.

use serde_json::json;

use super::{History, Set};
use crate::evidence::{Act, Applied, Checkpoint, DnsServer, EventType, NodeState, Retention, SnapshotOf, reverse_name};

impl History {
    /// Changes the set; its controller observes the change at once.
    fn set_changes(&mut self, change: impl FnOnce(&mut Set)) -> u64 {
        change(&mut self.set);
        self.set.generation += 1;
        self.set_seen()
    }

    /// An event of the set in its current state, observed by its controller.
    pub fn set_seen(&mut self) -> u64 {
        let there = self.pods.iter().filter(|pod| !pod.gone).count();
        let Set { generation, replicas, revision, current } = &self.set;
        let object = json!({
            "metadata": {"name": self.subject.set, "uid": "set", "generation": generation},
            "spec": {"replicas": replicas},
            "status": {
                "observedGeneration": generation, "replicas": there, "readyReplicas": there,
                "currentRevision": current, "updateRevision": revision,
            },
        });
        self.object(EventType::Modified, "StatefulSet", object)
    }

    /// The set is deleted.
    pub fn set_goes(&mut self) -> u64 {
        self.object(EventType::Deleted, "StatefulSet", json!({"metadata": {"name": self.subject.set, "uid": "set"}}))
    }

    /// The set is scaled to this many pods.
    pub fn scaled(&mut self, replicas: u32) -> u64 {
        self.set_changes(|set| set.replicas = replicas)
    }

    /// The set's template changes; this is its update revision.
    pub fn template(&mut self, revision: &str) -> u64 {
        self.set_changes(|set| revision.clone_into(&mut set.revision))
    }

    /// Creates pods of this revision, such as pods below a partition or pods that are not updated yet.
    pub fn making(&mut self, revision: &str, make: impl FnOnce(&mut Self)) {
        let update = std::mem::replace(&mut self.set.revision, revision.to_owned());
        make(self);
        self.set.revision = update;
    }

    /// Every pod has reached the update revision.
    pub fn rolled_out(&mut self) -> u64 {
        self.set.current.clone_from(&self.set.revision);
        self.set_seen()
    }

    /// A gap in the pods' history, followed by a list of the existing pods.
    pub fn lost_and_listed(&mut self) {
        self.gap("Pod");
        for pod in self.pods.clone().into_iter().filter(|pod| !pod.gone) {
            self.object(EventType::Listed, "Pod", pod.object);
        }
    }

    /// A pod's server gets an image that cannot start.
    pub fn held(&mut self, pod: &str) -> Act {
        let act = Act::Hold { pod: pod.to_owned(), uid: self.uid(pod) };
        self.fault(act.clone());
        self.pass_ms(900);
        let proof = self.unready(pod);
        self.proved(act.clone(), proof);
        act
    }

    /// A pod's server gets its image back.
    pub fn released(&mut self, pod: &str) {
        let act = Act::Release { pod: pod.to_owned(), uid: self.uid(pod) };
        self.fault(act.clone());
        self.pass_ms(1_100);
        self.server_starts_again(pod, 0);
        let proof = self.ready(pod);
        self.proved(act, proof);
    }

    /// A pod is replaced by one of the update revision.
    pub fn replaced(&mut self, pod: &str) {
        self.goes(pod);
        self.starts(pod);
    }

    /// A pod is created and cannot start.
    pub fn stuck(&mut self, pod: &str) -> u64 {
        self.added(pod);
        let waiting = json!([{"state": {"waiting": {"reason": "InvalidImageName"}}}]);
        self.modified(pod, "status", json!({"phase": "Pending", "containerStatuses": waiting}))
    }

    /// A claim is deleted.
    pub fn claim_goes(&mut self, claim: &str) -> u64 {
        let place = self.claims.iter().position(|there| there.name == claim).expect("a claim that is there");
        let object = self.claims.remove(place).object;
        let mut going = object.clone();
        going["metadata"]["deletionTimestamp"] = json!("2027-01-15T08:00:00Z");
        self.object(EventType::Modified, "PersistentVolumeClaim", going);
        let gone = self.object(EventType::Deleted, "PersistentVolumeClaim", object);
        self.volume_goes(&format!("pv-{claim}"));
        gone
    }

    /// A volume is deleted.
    pub fn volume_goes(&mut self, volume: &str) -> u64 {
        self.object(EventType::Deleted, "PersistentVolume", json!({"metadata": {"name": volume, "uid": volume}}))
    }

    /// The names of all claims.
    pub fn claim_names(&self) -> Vec<String> {
        self.claims.iter().map(|claim| claim.name.clone()).collect()
    }

    /// The manifests are applied, and the API server returns the objects.
    pub fn applied(&mut self) -> u64 {
        let object = |kind: &str, name: &str, generation| Applied {
            kind: kind.into(),
            name: name.into(),
            uid: format!("{kind} 1"),
            generation,
        };
        let generation = Some(self.set.generation);
        let service = self.subject.service.clone();
        let set = self.subject.set.clone();
        let objects = [object("Service", &service, None), object("StatefulSet", &set, generation)];
        self.snapshot(SnapshotOf::Applied, json!(objects))
    }

    /// Sets what happens to the claims of pods that are scaled away.
    pub fn claim_policy(&mut self, when_scaled: Retention) {
        let act = Act::SetClaimPolicy { when_scaled };
        self.fault(act.clone());
        let proof = self.set_changes(|_| {});
        self.proved(act, proof);
    }

    /// A node is in this state.
    pub fn node_is(&mut self, node: &str, state: &str) -> u64 {
        self.snapshot(SnapshotOf::Node, json!(NodeState { node: node.into(), state: state.into() }))
    }

    /// The API server is this process.
    pub fn api_server(&mut self, process: &str) -> u64 {
        let state = NodeState { node: "control-plane".into(), state: process.into() };
        self.snapshot(SnapshotOf::ApiServer, json!(state))
    }

    /// These DNS servers replace the current ones.
    pub fn new_dns_servers(&mut self, names: [&'static str; 2]) -> u64 {
        self.dns_servers = names;
        let servers = names.map(|name| DnsServer {
            name: name.into(),
            uid: format!("uid of {name}"),
            address: [10, 96, 0, 2].into(),
        });
        self.snapshot(SnapshotOf::DnsServers, json!(servers))
    }

    /// Queries every DNS server for the SRV records of the Service's ports; the answers have all Ready pods.
    pub fn asked_for_ports(&mut self, checkpoint: &Checkpoint) {
        let there: Vec<String> = self.subject.pods().filter(|pod| self.address(pod).is_some()).collect();
        for port in self.subject.named_ports.clone() {
            let target = |pod: &String| format!("0 33 {} {}", port.number, self.subject.fqdn(pod));
            let records: Vec<String> = there.iter().map(target).collect();
            self.asked_for(checkpoint, "SRV", &self.subject.srv_name(&port), &records);
        }
    }

    /// Queries every DNS server for the PTR records of the pods' addresses; the answers have the stable names.
    pub fn asked_for_addresses(&mut self, checkpoint: &Checkpoint) {
        for pod in self.pod_names() {
            let Some(address) = self.address(&pod).and_then(|address| address.parse().ok()) else { continue };
            let name = self.subject.fqdn(&pod);
            self.asked_for(checkpoint, "PTR", &reverse_name(address), &[name]);
        }
    }

    /// Every pod looks up the full and the short name of every other pod with its own resolver. An only pod looks up
    /// the Service, because its own name is in its hosts file.
    pub fn looked_up(&mut self, checkpoint: &Checkpoint) {
        if let [alone] = &self.pod_names()[..] {
            let service = self.subject.service.clone();
            let addresses = Vec::from_iter(self.address(alone));
            self.looks_up(checkpoint, alone, &service, &addresses);
        }
        for from in self.pod_names() {
            for pod in self.pod_names() {
                let Some(address) = self.address(&pod).filter(|_| pod != from) else { continue };
                for name in [self.subject.fqdn(&pod), self.subject.short_name(&pod)] {
                    self.looks_up(checkpoint, &from, &name, std::slice::from_ref(&address));
                }
            }
        }
    }

    /// A pod looks up a name and finds these addresses.
    pub fn looks_up(&mut self, checkpoint: &Checkpoint, from: &str, name: &str, addresses: &[String]) -> u64 {
        let printed = |address: &String| format!("{address:15} STREAM {name}\n{address:15} DGRAM\n{address:15} RAW");
        let printed: Vec<String> = addresses.iter().map(printed).collect();
        self.exec(checkpoint, from, &["getent", "ahosts", name], &printed.join("\n"))
    }
}
