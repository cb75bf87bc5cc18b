//! Cuts the power of nodes, and gives it back.

use futures::future::try_join_all;

use super::context::Context;
use super::error::ScenarioError;
use crate::cluster::Disks;
use crate::evidence::SnapshotOf;

impl Context {
    /// The disks of the nodes.
    pub(crate) fn disks(&self) -> Result<&Disks, ScenarioError> {
        self.cluster.disks.as_ref().ok_or_else(|| ScenarioError::NoNode {
            what: "cut from its power",
            why: "the volumes of the nodes lie on no disk that can be cut".to_owned(),
        })
    }

    /// Freezes nodes, stops their file systems, then kills the nodes, and returns the records that show it. The order
    /// matters. A server that runs while its file system fails may acknowledge what it cannot write, which no power cut
    /// lets it do. And the kernel would still write the pages of a process that was killed first.
    pub(crate) async fn cut_power(&self, nodes: &[String]) -> Result<Vec<u64>, ScenarioError> {
        let machines = self.machines()?;
        try_join_all(nodes.iter().map(|node| machines.pause(node))).await?;
        let cut = self.disks()?.cut(nodes).await?;
        try_join_all(nodes.iter().map(|node| machines.kill(node))).await?;
        let mut proof: Vec<u64> = cut.iter().map(|cut| self.snapshot(SnapshotOf::PowerCut, cut)).collect();
        for node in nodes {
            proof.push(self.node_is(node, "exited").await?);
        }
        Ok(proof)
    }

    /// Starts nodes whose power was cut, and returns the records that show that they are Ready, and what their disks
    /// kept.
    pub(super) async fn restore_power(&self, nodes: &[String]) -> Result<Vec<u64>, ScenarioError> {
        let (machines, disks) = (self.machines()?, self.disks()?);
        let leases = try_join_all(nodes.iter().map(|node| self.lease(node))).await?;
        for node in nodes {
            // An interrupted cut may have left it running.
            machines.kill(node).await?;
        }
        disks.released(nodes).await?;
        for node in nodes {
            // One after the other, so that each gets its address back.
            machines.start(node).await?;
        }
        let mut proof = Vec::new();
        for (node, before) in nodes.iter().zip(&leases) {
            proof.push(self.node_is(node, "running").await?);
            proof.push(self.node_ready(node, before).await?);
        }
        // The disk is mounted before the kubelet starts.
        let kept = disks.read(nodes).await?;
        proof.extend(kept.iter().map(|kept| self.snapshot(SnapshotOf::PowerRestored, kept)));
        Ok(proof)
    }
}
