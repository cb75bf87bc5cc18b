//! The successive pods of one name, whatever deleted the earlier one.

use std::collections::HashMap;

use super::Case;
use crate::Finding;
use crate::evidence::{Act, ClaimLife, PodLife, Retention, VolumeLife};

/// A pod that replaced an earlier one of its name.
pub(crate) struct Return<'a> {
    /// The earlier pod.
    pub old: &'a PodLife,
    /// The later pod.
    pub new: &'a PodLife,
    /// Whether the claims of the earlier pod should have been deleted with it.
    pub renewed: bool,
    /// The last record at which the earlier pod existed and was not terminating.
    pub before: u64,
    /// The same for the later pod.
    pub after: u64,
}

/// A claim, and the volume that it is bound to.
pub(crate) struct Bound<'a> {
    pub claim: &'a ClaimLife,
    pub volume: Option<&'a VolumeLife>,
}

/// How often each pod's claims were renewed since the first pod of its name, by UID.
pub(crate) fn renewals<'a>(returns: &[Return<'a>]) -> HashMap<&'a str, usize> {
    let mut renewals = HashMap::new();
    for it in returns {
        let before = renewals.get(it.old.uid.as_str()).copied().unwrap_or(0);
        renewals.insert(it.new.uid.as_str(), before + usize::from(it.renewed));
    }
    renewals
}

impl<'a> Case<'a> {
    /// All pods that were seen before their deletion, of any ordinal, by first appearance.
    pub(crate) fn shown_pods(&self) -> impl Iterator<Item = &'a PodLife> + use<'a> {
        self.timeline.pods.iter().filter(|life| life.was_shown())
    }

    /// Every pod that replaced an earlier one of its name, by first appearance.
    pub(crate) fn returns(&self) -> Vec<Return<'a>> {
        let sets = |act: &Act| matches!(act, Act::Scale { .. } | Act::SetClaimPolicy { .. });
        let scaling = self.faults().filter(|fault| sets(&fault.act));
        let scaling: Vec<(u64, &Act)> = scaling.map(|fault| (fault.mark.seq, &fault.it.act)).collect();
        let last = |life: &PodLife| life.going().map_or(self.timeline.last_seq, |going| going.seq);
        let (mut newest, mut returns) = (HashMap::new(), Vec::new());
        for new in self.shown_pods() {
            if let Some(old) = newest.insert(new.name.as_str(), new) {
                let renewed = self.lets_claims_go(old, &scaling);
                returns.push(Return { old, new, renewed, before: last(old), after: last(new) });
            }
        }
        returns
    }

    /// Whether a pod was scaled away while a retention policy, the set's or the harness's, deleted claims with their
    /// pods.
    fn lets_claims_go(&self, life: &PodLife, scaling: &[(u64, &Act)]) -> bool {
        let (Some(index), Some(going)) = (self.subject.index_of(&life.name), life.going()) else { return false };
        let before = || scaling.iter().rev().filter(|(seq, _)| *seq < going.seq);
        let away = before().find_map(|(_, act)| match act {
            Act::Scale { from, to } if (*from.min(to)..*from.max(to)).contains(&index) => Some(to < from),
            _ => None,
        });
        let policy = before().find_map(|(_, act)| match act {
            Act::SetClaimPolicy { when_scaled } => Some(*when_scaled),
            _ => None,
        });
        away == Some(true) && policy.unwrap_or(self.subject.claim_policy.when_scaled) == Retention::Delete
    }

    /// The inconclusive finding if the history of claims or volumes has a harmful gap between two records.
    pub(crate) fn storage_gap(&self, from: u64, to: u64) -> Option<Finding> {
        ["PersistentVolumeClaim", "PersistentVolume"].iter().find_map(|kind| self.gap(kind, from, to))
    }

    /// The claim of this name at a record.
    pub(crate) fn bound(&self, claim: &str, seq: u64) -> Option<Bound<'a>> {
        let claim = self.timeline.claim_at(claim, seq)?;
        Some(Bound { claim, volume: self.timeline.volume_at(claim, seq) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{History, PODS};

    #[test]
    fn claims_go_with_those_pods_alone_that_are_scaled_away() {
        let mut history = History::of(3);
        PODS.iter().for_each(|pod| history.starts(pod));
        history.claim_policy(Retention::Delete);
        history.fault(Act::Scale { from: 3, to: 2 });
        history.goes("mysql-2");
        history.goes("mysql-1");
        history.starts("mysql-1");
        history.starts("mysql-2");
        let evidence = history.evidence();
        let returns = Case::of(&evidence).expect("a run").returns();
        let renewed: Vec<_> = returns.iter().map(|it| (it.new.name.as_str(), it.renewed)).collect();
        assert_eq!(renewed, [("mysql-1", false), ("mysql-2", true)]);
    }
}
