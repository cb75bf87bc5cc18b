//! Upgrades of the cluster: by the scenario, and by somebody else while no run watched.

use serde_json::{Value, json};

use super::states::{CONTROL_PLANE, Done, WORKERS};
use super::{History, row, subject};
use crate::CATALOGUE;
use crate::evidence::{
    Act, Checkpoint, Conformed, Fault, NodeState, Phase, Scenario, SnapshotOf, SqlAnswer, Stage, State, Upgrade, What,
};

/// The version that clusters are upgraded to.
const NEW: &str = "v1.37.2";

impl History {
    /// A good run that upgrades its cluster.
    pub fn upgraded() -> Self {
        let mut history = Self::before_an_upgrade();
        history.step(Scenario::Upgrade, Phase::Begin);
        let mut done = Done::default();
        history.reads_state(Stage::Nothing, &done);
        history.control_plane_upgraded();
        done.control_plane = true;
        history.reads_state(Stage::ControlPlane { node: CONTROL_PLANE.into() }, &done);
        for node in [CONTROL_PLANE].iter().chain(&WORKERS) {
            history.node_upgraded(node);
            done.kubelets.push((*node).to_owned());
            history.reads_state(Stage::Node { node: (*node).into() }, &done);
        }
        history.step(Scenario::Upgrade, Phase::End);
        history.settle();
        history.conformed();
        history
    }

    /// A good run around an upgrade that nobody watched. It has a log of its own with a copy of the state before the
    /// upgrade.
    pub fn around_an_upgrade() -> Self {
        let mut history = Self::before_an_upgrade();
        history.step(Scenario::Upgrade, Phase::Begin);
        history.reads_state(Stage::Nothing, &Done::default());
        // No log has what happens from here on.
        let seen = history.records.len();
        for pod in history.pod_names() {
            history.goes(&pod);
            history.starts(&pod);
        }
        history.pass_ms(600_000);
        history.records.truncate(seen);
        // The new log has no events of the pods from before it began.
        history.records.retain(|record| !matches!(&record.what, What::Object(event) if event.object_kind == "Pod"));
        let kubelets = [CONTROL_PLANE].iter().chain(&WORKERS).map(|node| (*node).to_owned()).collect();
        history.reads_state(Stage::Unseen, &Done { control_plane: true, kubelets });
        history.step(Scenario::Upgrade, Phase::End);
        history.settle();
        history.conformed();
        history
    }

    fn before_an_upgrade() -> Self {
        let mut history = Self::started(subject(3));
        for record in &mut history.records {
            if let What::Run(run) = &mut record.what {
                run.kubernetes = "v1.36.3".into();
                run.upgrade = Some(Upgrade { from: "v1.36.3".into(), to: NEW.into() });
            }
        }
        history.acts(|scenario| {
            [Scenario::Deploy, Scenario::Replicate, Scenario::Upgrade, Scenario::Settle].contains(&scenario)
        });
        history.deployed();
        history.replicate();
        history
    }

    /// The state is read while the replicas have caught up.
    fn reads_state(&mut self, stage: Stage, done: &Done) {
        self.pass_ms(400);
        self.caught_up();
        let state = self.state(stage, done);
        self.snapshot(SnapshotOf::State, json!(state));
        self.hands_over();
    }

    fn caught_up(&mut self) {
        let checkpoint = Checkpoint::Upgrading { steps: 0 };
        self.replicas().iter().for_each(|pod| self.barrier(&checkpoint, pod));
    }

    /// The control plane is upgraded, and the API server is interrupted.
    fn control_plane_upgraded(&mut self) {
        let act = Act::UpgradeControlPlane { node: CONTROL_PLANE.into(), to: NEW.into() };
        let asked = self.fault(act.clone());
        self.pass_ms(20_000);
        self.lost_and_listed();
        self.proved(act, asked);
    }

    /// A node is drained, upgraded and uncordoned. Its pods wait for it, because their volumes are on it, and the
    /// controller recreates each only after the pods before it are Ready.
    fn node_upgraded(&mut self, node: &str) {
        let on_node = |history: &Self| -> Vec<String> {
            history.pod_names().into_iter().filter(|pod| history.node_of(pod) == node).collect()
        };
        let pods = on_node(self);
        let drain = Act::Drain { node: node.into() };
        self.fault(drain.clone());
        let mut proof = vec![self.tells_node(node, "cordoned")];
        for (place, pod) in pods.iter().enumerate() {
            proof.push(self.goes(pod));
            if place == 0 {
                self.added(pod);
            }
        }
        self.push(What::Fault(Fault { act: drain, proof: Some(proof) }));
        for (act, state) in [
            (Act::UpgradeNode { node: node.into(), to: NEW.into() }, format!("kubelet {NEW}")),
            (Act::Uncordon { node: node.into() }, "schedulable".to_owned()),
        ] {
            self.fault(act.clone());
            self.pass_ms(3_000);
            let proof = self.tells_node(node, &state);
            self.proved(act, proof);
        }
        for (place, pod) in pods.iter().enumerate() {
            if place > 0 {
                self.added(pod);
            }
            self.pass_ms(1_500);
            self.ready(pod);
            self.pinged(pod, SqlAnswer::Rows(vec![row([("ping", "1")])]));
        }
    }

    fn tells_node(&mut self, node: &str, state: &str) -> u64 {
        let state = NodeState { node: node.into(), state: state.into() };
        self.snapshot(SnapshotOf::Node, json!(state))
    }

    /// Every check runs on the upgraded cluster and passes.
    fn conformed(&mut self) -> u64 {
        let passes = |id: &str| Conformed { id: id.into(), verdict: "pass".into(), reason: "as it must".into() };
        let all: Vec<Conformed> = CATALOGUE.iter().map(|check| passes(check.id)).collect();
        self.snapshot(SnapshotOf::Conformance, json!(all))
    }

    /// Edits the states from this one on, counted from 0.
    pub fn with_states(self, from: usize, change: impl Fn(&mut State)) -> Self {
        let mut count = 0;
        self.edit(|what| {
            if let What::Snapshot(snapshot) = what
                && snapshot.of == SnapshotOf::State
            {
                if count >= from {
                    let mut state: State = serde_json::from_value(snapshot.value.clone()).expect("a state");
                    change(&mut state);
                    snapshot.value = json!(state);
                }
                count += 1;
            }
        })
    }

    /// Replaces the verdict of a check on the upgraded cluster.
    pub fn with_verdict(self, id: &str, verdict: &str, reason: &str) -> Self {
        self.edit(|what| {
            let What::Snapshot(snapshot) = what else { return };
            if snapshot.of != SnapshotOf::Conformance {
                return;
            }
            let told = snapshot.value.as_array_mut().into_iter().flatten().find(|it| it["id"] == id);
            *told.expect("a check") = json!({"id": id, "verdict": verdict, "reason": reason});
        })
    }

    /// The states that were read.
    pub fn states(&self) -> Vec<State> {
        let state = |what: &What| match what {
            What::Snapshot(snapshot) if snapshot.of == SnapshotOf::State => Some(snapshot.value.clone()),
            _ => None,
        };
        let values: Vec<Value> = self.records.iter().filter_map(|record| state(&record.what)).collect();
        values.into_iter().map(|value| serde_json::from_value(value).expect("a state")).collect()
    }
}
