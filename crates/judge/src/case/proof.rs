//! Whether the records that are named as the proof of an act prove it.

use serde::de::DeserializeOwned;

use super::Case;
use crate::evidence::{
    Act, DnsServer, Mark, NodeState, PodLife, PowerCut, PowerRestored, Snapshot, SnapshotOf, What, runs_anew,
};

#[cfg(test)]
mod tests;

/// The request and the claimed proof of an act, and the records that are named as proof.
pub(super) struct Proof<'a> {
    pub asked: Mark,
    pub proved: Mark,
    pub by: &'a [u64],
}

impl<'a> Case<'a> {
    /// Whether these records, and the history up to the proof, show that the act happened.
    pub(super) fn is_proof(&self, act: &Act, proof: &Proof<'a>) -> bool {
        let (asked, proved) = (proof.asked.seq, proof.proved.seq);
        // The witness's ledger may leave no record of its own, and an upgrade shows in the states around it.
        let not_seen = matches!(
            act,
            Act::StartLedger { .. } | Act::StopLedger | Act::UpgradeControlPlane { .. } | Act::UpgradeNode { .. }
        );
        let first = if not_seen { asked } else { asked + 1 };
        if proof.by.is_empty() || !proof.by.iter().all(|seq| (first..=proved).contains(seq)) {
            return false;
        }
        let life = |uid: &str| self.timeline.pod_by_uid(uid);
        match act {
            Act::DeletePod { uid, .. } => {
                life(uid).and_then(|life| life.deleted).is_some_and(|gone| proof.by.contains(&gone.seq))
            }
            Act::Hold { uid, .. } => life(uid).is_some_and(|life| life.alive_at(proved) && !life.ready_at(proved)),
            Act::Release { uid, .. } => life(uid).is_some_and(|life| life.alive_at(proved) && life.ready_at(proved)),
            Act::KillServer { uid, .. } => life(uid).is_some_and(|life| {
                let started = life.restarts_at(proved) > life.restarts_at(asked);
                life.alive_at(proved) && (started || self.runs_another_server(proof, uid))
            }),
            Act::Scale { from, to } => (to < from || self.serve_up_to(*to, proved)) && self.none_above(*to, proved),
            Act::DeleteAllPods => {
                let mut there = self.timeline.pods.iter().filter(|life| life.alive_at(asked)).peekable();
                there.peek().is_some() && there.all(|life| life.deleted.is_some_and(|gone| gone.seq <= proved))
            }
            Act::Roll { .. } | Act::BreakTemplate | Act::RevertTemplate => self.set_changed(asked, proved),
            Act::SetClaimPolicy { .. } => true,
            Act::Reapply => self.proving(proof, SnapshotOf::Applied).next().is_some(),
            Act::PauseNode { node } => self.node_was(proof, node, "paused"),
            Act::UnpauseNode { node } => self.node_was(proof, node, "running"),
            Act::StopNode { node } => self.node_was(proof, node, "exited"),
            Act::StartNode { node } => self.node_was(proof, node, "running") && self.node_was(proof, node, "Ready"),
            Act::CutPower { nodes } => {
                nodes.iter().all(|node| self.node_was(proof, node, "exited") && self.lost_power(proof, node))
            }
            Act::RestorePower { nodes } => nodes.iter().all(|node| {
                let is_back = self.node_was(proof, node, "running") && self.node_was(proof, node, "Ready");
                is_back && self.kept_what_was_synced(proof, node)
            }),
            Act::Drain { node } => self.node_was(proof, node, "cordoned") && self.left_node(proof, node),
            Act::Uncordon { node } => self.node_was(proof, node, "schedulable"),
            Act::RestartDns => self.has_new_dns_servers(proof),
            Act::RestartApiServer => self.has_new_api_server(proof),
            // The upgrade's checks compare the states before and after it.
            Act::UpgradeControlPlane { .. } | Act::UpgradeNode { .. } => true,
            Act::Teardown => self.proving(proof, SnapshotOf::LeftoverObjects).next().is_some(),
            Act::StartLedger { .. } | Act::StopLedger | Act::DeleteClaims => true,
        }
    }

    /// Whether the pod with this UID runs another server process than before the act, by its last uptime before the
    /// proof.
    fn runs_another_server(&self, proof: &Proof<'a>, uid: &str) -> bool {
        let told = self.sql().filter(|sql| sql.uid == uid).filter_map(|sql| Some((sql.mark, sql.uptime_s()?)));
        let told: Vec<(Mark, u64)> = told.collect();
        let before = told.iter().rfind(|(mark, _)| mark.seq < proof.asked.seq);
        let now = told.iter().rfind(|(mark, _)| (proof.asked.seq..=proof.proved.seq).contains(&mark.seq));
        before.zip(now).is_some_and(|((then, before_s), (now, now_s))| {
            runs_anew(*before_s, self.lasted(*then, *now).least_us, *now_s)
        })
    }

    /// Whether the first `count` pods of the set are Ready at a record.
    fn serve_up_to(&self, count: u32, seq: u64) -> bool {
        let serves = |pod: String| self.timeline.pod_at(&pod, seq).is_some_and(|life| life.serving_at(seq));
        (0..count).map(|index| self.subject.nth(index)).all(serves)
    }

    /// Whether the set has no pod beyond its first `count` at a record.
    fn none_above(&self, count: u32, seq: u64) -> bool {
        let above = |name: &str| self.subject.index_of(name).is_some_and(|index| index >= count);
        !self.timeline.pods.iter().any(|life| above(&life.name) && life.alive_at(seq))
    }

    /// Whether the controller observed a change of the set between two records.
    fn set_changed(&self, asked: u64, proved: u64) -> bool {
        let before = self.generation_before(asked);
        self.set_states(asked, proved)
            .any(|(_, set)| set.observed_generation == set.generation && Some(set.generation) > before && !set.deleted)
    }

    /// The snapshots of one kind among the records that prove an act.
    fn proving(&self, proof: &Proof<'a>, of: SnapshotOf) -> impl Iterator<Item = &'a Snapshot> {
        let records = &self.evidence.records;
        let at = |seq: &u64| records.binary_search_by_key(seq, |record| record.seq).ok();
        proof.by.iter().filter_map(at).filter_map(move |place| match &records[place].what {
            What::Snapshot(snapshot) if snapshot.of == of => Some(snapshot),
            _ => None,
        })
    }

    fn node_was(&self, proof: &Proof<'a>, node: &str, state: &str) -> bool {
        let mut told = self.proving(proof, SnapshotOf::Node).filter_map(read::<NodeState>);
        told.any(|told| told.node == node && told.state == state)
    }

    /// Whether the kernel told that the disk of a node was shut down, with a mark on it that was never synced.
    fn lost_power(&self, proof: &Proof<'a>, node: &str) -> bool {
        let mut told = self.proving(proof, SnapshotOf::PowerCut).filter_map(read::<PowerCut>);
        told.any(|cut| cut.node == node && !cut.kernel.is_empty() && cut.unsynced_bytes > 0)
    }

    /// Whether the disk of a node has all of the mark that was synced before its last cut, and less than the mark that
    /// was not.
    fn kept_what_was_synced(&self, proof: &Proof<'a>, node: &str) -> bool {
        let cuts = self.snapshots(SnapshotOf::PowerCut).filter(|it| it.mark.seq < proof.asked.seq);
        let Some(cut) = cuts.filter_map(|it| read::<PowerCut>(it.it)).rfind(|cut| cut.node == node) else {
            return false;
        };
        let mut told = self.proving(proof, SnapshotOf::PowerRestored).filter_map(read::<PowerRestored>);
        told.any(|now| {
            let same = now.node == node && now.synced_bytes == cut.synced_bytes && cut.synced_bytes > 0;
            same && now.unsynced_bytes < cut.unsynced_bytes
        })
    }

    /// Whether a pod of the set left the node, if one was there. A PodDisruptionBudget may keep others.
    fn left_node(&self, proof: &Proof<'a>, node: &str) -> bool {
        let (asked, proved) = (proof.asked.seq, proof.proved.seq);
        let there = |life: &&PodLife| life.alive_at(asked) && life.node.as_deref() == Some(node);
        let mut there = self.timeline.pods.iter().filter(there).peekable();
        there.peek().is_none() || there.any(|life| life.deleted.is_some_and(|gone| gone.seq <= proved))
    }

    /// Whether none of the proof's DNS servers was asked or listed before.
    fn has_new_dns_servers(&self, proof: &Proof<'a>) -> bool {
        let asked = proof.asked.seq;
        let before = self.dns_server_lists().filter(|(mark, _)| mark.seq < asked);
        let old: Vec<DnsServer> = before.flat_map(|(_, servers)| servers).collect();
        let names = self.dns_servers_asked(0, asked);
        let new: Vec<DnsServer> =
            self.proving(proof, SnapshotOf::DnsServers).filter_map(read::<Vec<DnsServer>>).flatten().collect();
        let known = |server: &DnsServer| {
            names.contains(server.name.as_str()) || old.iter().any(|it| it.uid == server.uid || it.name == server.name)
        };
        !new.is_empty() && !new.iter().any(known)
    }

    /// Whether the last reported API server, which the proof must name, is another process than any reported before, on
    /// the same node.
    fn has_new_api_server(&self, proof: &Proof<'a>) -> bool {
        let mut told = self.snapshots(SnapshotOf::ApiServer).filter(|it| it.mark.seq <= proof.proved.seq);
        let Some(last) = told.next_back().filter(|it| proof.by.contains(&it.mark.seq)) else { return false };
        let old: Vec<NodeState> = told.filter_map(|it| read(it.it)).collect();
        read::<NodeState>(last.it).is_some_and(|new| {
            let on_node = old.is_empty() || old.iter().any(|old| old.node == new.node);
            !new.state.is_empty() && on_node && !old.contains(&new)
        })
    }
}

fn read<T: DeserializeOwned>(snapshot: &Snapshot) -> Option<T> {
    T::deserialize(&snapshot.value).ok()
}
