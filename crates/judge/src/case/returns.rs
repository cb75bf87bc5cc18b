//! The pods of one name, one after the other, whoever made the earlier one go.

use std::collections::HashMap;

use crate::evidence::{Act, ClaimLife, PodLife, Retention, VolumeLife};

use super::{super::Finding, Case};

/// A pod that took the place of one of its name.
pub(in super::super) struct Return<'a> {
    /// The pod that was there before.
    pub old: &'a PodLife,
    /// The pod that came.
    pub new: &'a PodLife,
    /// Whether the claims of the old one were to go with it.
    pub renewed: bool,
    /// The last record at which the old one was there and was not told to go.
    pub before: u64,
    /// The same of the new one.
    pub after: u64,
}

/// A claim, and the volume that it is bound to.
pub(in super::super) struct Bound<'a> {
    pub claim: &'a ClaimLife,
    pub volume: Option<&'a VolumeLife>,
}

/// How often the claims of each pod had been renewed since the first pod of its name, by UID.
pub(in super::super) fn renewals<'a>(returns: &[Return<'a>]) -> HashMap<&'a str, usize> {
    let mut renewals = HashMap::new();
    for it in returns {
        let before = renewals.get(it.old.uid.as_str()).copied().unwrap_or(0);
        renewals.insert(it.new.uid.as_str(), before + usize::from(it.renewed));
    }
    renewals
}

impl<'a> Case<'a> {
    /// The pods that were shown, of whichever ordinal, in the order of appearance.
    pub fn shown_pods(&self) -> impl Iterator<Item = &'a PodLife> + use<'a> {
        self.timeline.pods.iter().filter(|life| life.was_shown())
    }

    /// Every pod that took the place of one of its name, in the order of appearance.
    pub fn returns(&self) -> Vec<Return<'a>> {
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

    /// Whether a pod was scaled away while claims were to go with their pods, by the set's own policy or by the
    /// harness's.
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

    /// The doubt that a lost stretch in the history of claims or volumes casts on what was seen between two records.
    pub fn storage_gap(&self, from: u64, to: u64) -> Option<Finding> {
        ["PersistentVolumeClaim", "PersistentVolume"].iter().find_map(|kind| self.gap(kind, from, to))
    }

    /// The claim of this name at a record.
    pub fn bound(&self, claim: &str, seq: u64) -> Option<Bound<'a>> {
        let claim = self.timeline.claim_at(claim, seq)?;
        Some(Bound { claim, volume: self.timeline.volume_at(claim, seq) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::history::{History, PODS};
    use super::*;

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
