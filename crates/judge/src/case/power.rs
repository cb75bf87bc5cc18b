//! Power cuts: what was cut, what shows it, and what was on the disks.

use serde::Deserialize;

use super::{Acted, Case, Unmet};
use crate::Finding;
use crate::assessment::Judged;
use crate::evidence::{Act, Checkpoint, Mark, PodLife, PowerCut, PowerRestored, Scenario, SnapshotOf};

/// A cut of the power of some nodes.
pub(crate) struct PowerLoss<'a> {
    /// Its number, counted from 1.
    pub number: u32,
    /// The nodes.
    pub nodes: &'a [String],
    /// When it was asked for.
    pub asked: Mark,
    /// When it was proved, if it was.
    cut: Option<Mark>,
    /// When the power was asked to be restored.
    pub restoring: Option<Mark>,
    /// When it was proved that the power is back, and that the disks kept what was synced and lost what was not.
    pub restored: Option<Mark>,
    /// The next cut, or the end of the scenario.
    pub until: u64,
}

impl PowerLoss<'_> {
    /// The checkpoint of the questions after it.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint::PowerCut { cut: self.number }
    }

    /// The nodes, for people.
    pub(crate) fn words(&self) -> String {
        self.nodes.join(", ")
    }

    /// Checks that the cut is proved to have cut: by the kernel, and by what the disks lost and kept.
    pub(crate) fn took_place(&self) -> Judged<()> {
        let (of, seq) = (self.words(), self.asked.seq);
        let why = match (self.cut, self.restored) {
            (None, _) => format!("it is not proved that the power of {of} was cut (#{seq})"),
            (_, None) => {
                format!("it is not proved that the disks of {of} lost what was not synced and kept the rest (#{seq})")
            }
            _ => return Ok(()),
        };
        Err(Finding::inconclusive(why, [seq]))
    }

    /// Whether a pod was on one of the nodes when the power was cut.
    pub(crate) fn reached(&self, life: &PodLife) -> bool {
        life.alive_at(self.asked.seq) && life.node.as_ref().is_some_and(|node| self.nodes.contains(node))
    }
}

impl<'a> Case<'a> {
    /// The power cuts, of which there must be one, unless the run must leave them out.
    pub(crate) fn some_power_losses(&self) -> Judged<Vec<PowerLoss<'a>>> {
        let losses = self.power_losses();
        if !losses.is_empty() {
            return self.misplaced(&losses).map_or(Ok(losses), Err);
        }
        Err(match self.run.left_out(Scenario::PowerCut) {
            Some(left_out) => Finding::skipped(format!("no power was cut: {}", left_out.why)),
            None => Finding::inconclusive("no power was cut, so nothing was at risk", []),
        })
    }

    /// The inconclusive finding about an answer that does not follow the cut after which it claims to be asked.
    fn misplaced(&self, losses: &[PowerLoss<'_>]) -> Option<Finding> {
        self.sql().find_map(|sql| {
            let Checkpoint::PowerCut { cut } = sql.checkpoint else { return None };
            let (loss, seq) = (losses.iter().find(|loss| loss.number == cut), sql.mark.seq);
            let follows = loss.is_some_and(|loss| loss.restoring.is_some_and(|it| it.seq < seq) && seq <= loss.until);
            let reason = || format!("an answer of {} is not from after power cut {cut} (#{seq})", sql.pod);
            (!follows).then(|| Finding::inconclusive(reason(), [seq]))
        })
    }

    /// The power cuts, in order.
    pub(crate) fn power_losses(&self) -> Vec<PowerLoss<'a>> {
        let acts = self.acts(|act| matches!(act, Act::CutPower { .. } | Act::RestorePower { .. }));
        let (scenes, last) = (self.scenes(), self.timeline.last_seq);
        let mut losses: Vec<PowerLoss<'a>> = Vec::new();
        for Acted { act, asked, proved } in acts {
            let proved = proved.map(|(mark, _)| mark);
            match act {
                Act::CutPower { nodes } => {
                    let number = losses.len().try_into().unwrap_or(u32::MAX - 1) + 1;
                    let until = scenes.end(asked.seq).min(last);
                    losses.iter_mut().rev().take(1).for_each(|before| before.until = asked.seq);
                    losses.push(PowerLoss {
                        number,
                        nodes,
                        asked,
                        cut: proved,
                        restoring: None,
                        restored: None,
                        until,
                    });
                }
                Act::RestorePower { nodes } => {
                    // A cut that fails is undone at the end of the run.
                    let of = losses.iter_mut().rfind(|loss| loss.nodes == nodes && loss.restored.is_none());
                    of.into_iter().for_each(|loss| (loss.restoring, loss.restored) = (Some(asked), proved));
                }
                _ => {}
            }
        }
        losses
    }

    /// Checks that each claim of a pod on the cut nodes is bound to a volume on their disks. The power of other volumes
    /// was not cut.
    pub(crate) fn volumes_were_cut(&self, loss: &PowerLoss<'_>, life: &PodLife) -> Judged<()> {
        let on_disks = self.cut_volumes(loss);
        let seq = loss.asked.seq;
        let claims = self.subject.claims.iter().map(|template| self.subject.claim(template, &life.name));
        let claims: Vec<String> = claims.collect();
        if claims.is_empty() {
            let reason = format!("{} has no claim, so its data lies on no disk that was cut (#{seq})", life.name);
            return Err(Finding::inconclusive(reason, [seq]));
        }
        for claim in claims {
            let bound = self.timeline.claims.iter().rfind(|it| it.name == claim && it.added.seq < seq);
            let volume = bound.and_then(|bound| bound.volume_at(seq)).unwrap_or_default();
            // The provisioner names a directory after the volume, the namespace and the claim, with `_` in between.
            let is_of = |directory: &String| directory.split('_').next() == Some(volume);
            if volume.is_empty() || !on_disks.iter().any(is_of) {
                let reason = format!("the volume of {claim} was not on a disk whose power was cut (#{seq})");
                return Err(Finding::inconclusive(reason, [seq]));
            }
        }
        Ok(())
    }

    /// How many bytes that were never synced the disks lost.
    pub(crate) fn dropped_bytes(&self, loss: &PowerLoss<'_>) -> u64 {
        let (from, to) = (loss.asked.seq, loss.until);
        let told = self.snapshots(SnapshotOf::PowerRestored).filter(|it| (from..=to).contains(&it.mark.seq));
        let kept = told.filter_map(|it| PowerRestored::deserialize(&it.it.value).ok()).map(|now| now.unsynced_bytes);
        let written: u64 = self.disks_of(loss).map(|disk| disk.unsynced_bytes).sum();
        written.saturating_sub(kept.sum())
    }

    fn cut_volumes(&self, loss: &PowerLoss<'_>) -> Vec<String> {
        self.disks_of(loss).flat_map(|cut| cut.volumes).collect()
    }

    /// What was told of the disks when their power was cut.
    fn disks_of(&self, loss: &PowerLoss<'_>) -> impl Iterator<Item = PowerCut> {
        let (from, to) = (loss.asked.seq, loss.until);
        let told = self.snapshots(SnapshotOf::PowerCut).filter(move |it| (from..=to).contains(&it.mark.seq));
        told.filter_map(|it| PowerCut::deserialize(&it.it.value).ok())
    }

    /// The first wait after a power cut that the workload did not meet.
    pub(crate) fn unmet_after(&self, loss: &PowerLoss<'_>) -> Option<Unmet<'a>> {
        self.unmet_wait(loss.asked.seq, loss.until)
    }
}
