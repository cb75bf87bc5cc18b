//! What is undone whatever happens: nodes that a scenario paused, stopped, cordoned or began to upgrade.

use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, Patch, PatchParams};
use serde::Serialize;
use serde_json::json;

use super::context::Context;
use super::disrupt::failed;
use super::disrupted::Disrupted;
use super::error::ScenarioError;
use crate::cluster::Nodes;
use crate::evidence::{Act, NodeState, Scenario, Snapshot, SnapshotOf, What};

impl Context {
    /// The nodes of this machine. Without them, scenarios that need nodes are skipped.
    pub(crate) fn machines(&self) -> Result<&Nodes, ScenarioError> {
        self.cluster.nodes.as_ref().ok_or_else(|| ScenarioError::NoNode {
            what: "reached",
            why: "the cluster's nodes are not containers on this machine".to_owned(),
        })
    }

    /// Remembers what must be undone, before it is done.
    pub(crate) async fn disrupts(&self, what: &Disrupted) {
        self.disrupted.lock().await.push(what.clone());
    }

    /// Undoes it, with records. What fails is tried again at the end of the run.
    pub(crate) async fn undo(&self, what: &Disrupted) -> Result<(), ScenarioError> {
        match what {
            Disrupted::Paused(node) => {
                let doing = async {
                    self.machines()?.unpause(node).await?;
                    Ok::<_, ScenarioError>(vec![self.node_is(node, "running").await?])
                };
                self.disrupt(Act::UnpauseNode { node: node.clone() }, doing).await?;
            }
            Disrupted::Stopped(node) => {
                let doing = async {
                    let before = self.lease(node).await?;
                    self.machines()?.start(node).await?;
                    Ok::<_, ScenarioError>(vec![
                        self.node_is(node, "running").await?,
                        self.node_ready(node, &before).await?,
                    ])
                };
                self.disrupt(Act::StartNode { node: node.clone() }, doing).await?;
            }
            Disrupted::Unpowered(nodes) => {
                let act = Act::RestorePower { nodes: nodes.clone() };
                self.disrupt(act, self.restore_power(nodes)).await?;
            }
            Disrupted::Cordoned(node) => {
                let act = Act::Uncordon { node: node.clone() };
                self.disrupt(act, async { Ok::<_, ScenarioError>(vec![self.cordon(node, false).await?]) }).await?;
            }
            Disrupted::Upgraded(node) => {
                let doing = async { Ok::<_, ScenarioError>(self.machines()?.take_back_release(node).await?) };
                self.journal.step(Scenario::Upgrade, &format!("take the release out of {node} again"), doing).await?;
            }
        }
        self.stands(what).await;
        Ok(())
    }

    /// Forgets what no longer needs to be undone.
    pub(crate) async fn stands(&self, what: &Disrupted) {
        self.disrupted.lock().await.retain(|disrupted| disrupted != what);
    }

    /// Undoes what failed or interrupted scenarios left, in reverse order.
    pub async fn undo_all(&self) {
        let left = self.disrupted.lock().await.clone();
        for disrupted in left.iter().rev() {
            if let Err(error) = self.undo(disrupted).await {
                self.journal.note(format!("{disrupted:?} was not undone: {error}"));
            }
        }
    }

    /// Cordons a node, or uncordons it. Returns the record of the API server's answer.
    pub(crate) async fn cordon(&self, node: &str, off: bool) -> Result<u64, ScenarioError> {
        let nodes: Api<Node> = Api::all(self.cluster.client.clone());
        let patch = Patch::Strategic(json!({"spec": {"unschedulable": off}}));
        let (verb, wanted) = if off { ("cordon", "cordoned") } else { ("uncordon", "schedulable") };
        let patched = nodes.patch(node, &PatchParams::default(), &patch).await;
        let spec = patched.map_err(failed(format!("{verb} {node}")))?.spec.unwrap_or_default();
        let state = if spec.unschedulable == Some(true) { "cordoned" } else { "schedulable" };
        self.node_has(node, wanted, state)
    }

    /// Records the engine's state of a node, which must be the wanted one.
    pub(crate) async fn node_is(&self, node: &str, wanted: &str) -> Result<u64, ScenarioError> {
        let state = self.machines()?.state(node).await?;
        self.node_has(node, wanted, &state)
    }

    /// Records a node's state, which must be the wanted one.
    fn node_has(&self, node: &str, wanted: &str, state: &str) -> Result<u64, ScenarioError> {
        let seq = self.node_state(SnapshotOf::Node, node, state);
        if state == wanted {
            return Ok(seq);
        }
        let (what, answer) = (format!("become {wanted}"), format!("it is {state}"));
        Err(ScenarioError::Server { pod: node.to_owned(), what, answer })
    }

    /// Records the state of a node, or of the API server on it.
    pub(crate) fn node_state(&self, of: SnapshotOf, node: &str, state: &str) -> u64 {
        self.snapshot(of, &NodeState { node: node.to_owned(), state: state.to_owned() })
    }

    /// Records a snapshot, and returns its record.
    pub(crate) fn snapshot(&self, of: SnapshotOf, value: &impl Serialize) -> u64 {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.journal.log.record(What::Snapshot(Snapshot { of, value }))
    }
}
