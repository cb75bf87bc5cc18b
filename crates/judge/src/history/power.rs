//! Power cuts of the node on which all pods are.

use serde_json::json;

use super::{History, row};
use crate::evidence::{Act, Checkpoint, Phase, PowerCut, PowerRestored, Question, Scenario, SnapshotOf, SqlAnswer};

/// The node on which all pods are.
const NODE: &str = "worker";

/// The size of each mark.
const BYTES: u64 = 65_536;

impl History {
    /// The power of the node is cut twice.
    pub fn power_cuts(&mut self) {
        self.step(Scenario::PowerCut, Phase::Begin);
        for cut in 1..=2 {
            // Time for the ledger to write.
            self.pass_ms(1_500);
            self.power_is_cut();
            self.power_is_back();
            self.reads_back(cut);
        }
        self.step(Scenario::PowerCut, Phase::End);
    }

    /// The power of the node is cut.
    pub fn power_is_cut(&mut self) {
        let act = Act::CutPower { nodes: vec![NODE.into()] };
        self.fault(act.clone());
        self.pass_ms(400);
        let volumes = self.claim_names().iter().map(|claim| format!("pv-{claim}_mysql_{claim}")).collect();
        let cut = PowerCut {
            node: NODE.into(),
            file_system: "ext4".into(),
            kernel: "EXT4-fs (loop0): shut down requested (2)".into(),
            volumes,
            synced_bytes: BYTES,
            unsynced_bytes: BYTES,
        };
        let cut = self.snapshot(SnapshotOf::PowerCut, json!(cut));
        let gone = self.node_is(NODE, "exited");
        self.proved_by(act, vec![cut, gone]);
    }

    /// The node has power again, and all servers start.
    pub fn power_is_back(&mut self) {
        let act = Act::RestorePower { nodes: vec![NODE.into()] };
        self.fault(act.clone());
        self.pass_ms(3_000);
        let kept = PowerRestored { node: NODE.into(), synced_bytes: BYTES, unsynced_bytes: 0 };
        let kept = self.snapshot(SnapshotOf::PowerRestored, json!(kept));
        let proof = vec![kept, self.node_is(NODE, "running"), self.node_is(NODE, "Ready")];
        self.proved_by(act, proof);
        for pod in self.pod_names() {
            self.server_starts_again(&pod, 137);
            self.unready(&pod);
        }
        self.pass_ms(2_000);
        for pod in self.pod_names() {
            self.ready(&pod);
        }
    }

    /// All servers are asked after a cut.
    pub fn reads_back(&mut self, cut: u32) {
        let checkpoint = Checkpoint::PowerCut { cut };
        self.recovered_at(&checkpoint);
        self.replicas().iter().for_each(|pod| self.barrier(&checkpoint, pod));
        self.hands_over();
        for pod in self.pod_names() {
            self.entries(&checkpoint, &pod);
        }
    }

    /// The ids of the ledger's entries that all servers have.
    pub fn entry_ids(&self) -> String {
        self.witness.there.to_string()
    }

    /// A server is asked for the entries of the ledger that it has.
    pub fn entries(&mut self, checkpoint: &Checkpoint, pod: &str) {
        let entries = row([("ids", &self.entry_ids()), ("duplicates", "")]);
        self.sql(checkpoint, pod, Question::Entries, SqlAnswer::Rows(vec![entries]));
    }
}
