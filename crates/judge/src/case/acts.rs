//! The acts of the harness.

use std::collections::{BTreeSet, HashMap};

use super::proof::Proof;
use super::{Case, Seen, spanned};
use crate::evidence::{Act, Fault, Mark, Scenario, What};

/// An act that was asked for, with its proof if it has one.
pub(crate) struct Acted<'a> {
    /// The act.
    pub act: &'a Act,
    /// When it was asked for.
    pub asked: Mark,
    /// When it was proved, and by which records; `None` if these records do not show that the act happened.
    pub proved: Option<(Mark, &'a [u64])>,
}

impl Acted<'_> {
    /// Whether the act needs a proof. `DeleteClaims` does not: teardown lists what remains afterwards.
    pub(crate) fn needs_proof(&self) -> bool {
        *self.act != Act::DeleteClaims
    }
}

/// A request to reduce the set's replicas.
pub(crate) struct ScaleDown {
    /// The record of the request.
    pub asked: u64,
    /// Replicas before.
    pub from: u32,
    /// Replicas requested.
    pub to: u32,
}

impl<'a> Case<'a> {
    /// All faults.
    pub(crate) fn faults(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Fault>> {
        self.seen(&self.evidence.index.faults, |what| if let What::Fault(fault) = what { Some(fault) } else { None })
    }

    /// The faults since a record.
    pub(crate) fn faults_since(&self, from: u64) -> impl DoubleEndedIterator<Item = Seen<'a, Fault>> {
        let places = self.between(&self.evidence.index.faults, from, u64::MAX);
        self.seen(places, |what| if let What::Fault(fault) = what { Some(fault) } else { None })
    }

    /// The first requested scale-down outside of the scenarios `claims` and `grow`, which have checks of their own.
    pub(crate) fn scale_down(&self) -> Option<ScaleDown> {
        let others = [self.spans(Scenario::Claims), self.spans(Scenario::Grow)];
        let apart = |seq: u64| others.iter().any(|spans| spanned(spans, seq));
        self.faults().find_map(|fault| match fault.it.act {
            Act::Scale { from, to } if to < from && !apart(fault.mark.seq) => {
                Some(ScaleDown { asked: fault.mark.seq, from, to })
            }
            _ => None,
        })
    }

    /// The acts that match, in order, each with its proof.
    pub(crate) fn acts(&self, wanted: impl Fn(&Act) -> bool) -> Vec<Acted<'a>> {
        // Going backwards, the proof last seen for an act is the first one after its request.
        let (mut proofs, mut acted) = (HashMap::new(), Vec::new());
        for fault in self.faults().rev().filter(|fault| wanted(&fault.it.act)) {
            let act = &fault.it.act;
            match fault.it.proof.as_deref() {
                Some(proof) => {
                    proofs.insert(act, (fault.mark, proof));
                }
                None => {
                    let proved = proofs
                        .get(act)
                        .copied()
                        .filter(|(proved, by)| self.is_proof(act, &Proof { asked: fault.mark, proved: *proved, by }));
                    acted.push(Acted { act, asked: fault.mark, proved });
                }
            }
        }
        acted.reverse();
        acted
    }

    /// The names of the DNS servers that were asked between two records.
    pub(crate) fn dns_servers_asked(&self, from: u64, to: u64) -> BTreeSet<&'a str> {
        let places = self.between(&self.evidence.index.dns, from, to);
        self.seen(places, |what| if let What::Dns(dns) = what { Some(dns) } else { None })
            .map(|dns| dns.it.server.as_str())
            .collect()
    }

    /// The sequence number of the next requested act after this record, or one past the end of the log.
    pub(crate) fn next_fault(&self, seq: u64) -> u64 {
        let next = self.between(&self.evidence.index.asked, seq + 1, u64::MAX).first();
        next.map_or(self.timeline.last_seq + 1, |place| self.evidence.records[*place].seq)
    }
}
