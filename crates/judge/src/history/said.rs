//! What the cluster and the containers say: it explains and decides nothing.

use serde_json::json;

use super::History;
use crate::evidence::{ContainerLog, EventType, Note, Scenario, SnapshotOf, What};

impl History {
    /// The cluster warns of an object of the workload.
    pub fn warned(&mut self, kind: &str, name: &str, reason: &str, message: &str) -> u64 {
        let warning = json!({
            "metadata": {"name": format!("{name}.18a"), "uid": format!("event of {name}")},
            "type": "Warning",
            "involvedObject": {"kind": kind, "name": name},
            "reason": reason,
            "message": message,
            "count": 1,
        });
        self.object(EventType::Added, "Event", warning)
    }

    /// The last lines of a pod's container are read.
    pub fn last_words(&mut self, pod: &str, previous: bool, lines: &[&str]) -> u64 {
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        let (pod, uid, container) = (pod.to_owned(), self.uid(pod), self.subject.container.clone());
        let log = ContainerLog { pod, uid, container, previous, lines };
        self.snapshot(SnapshotOf::ContainerLog, serde_json::to_value(log).expect("a log"))
    }

    /// The run stops disrupting because the workload did not recover from a scenario.
    pub fn stops(&mut self, scenario: Scenario, in_vain: &str) -> u64 {
        self.push(What::Note(Note::stops(scenario, in_vain)))
    }
}
