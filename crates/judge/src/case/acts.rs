//! What the harness did to the workload.

use std::collections::{BTreeSet, HashMap};

use crate::evidence::{Act, Fault, Mark, Scenario, What};

use super::{Case, Seen, proof::Proof, spanned};

/// An act of the harness: asked for, and proved, where it came to that.
pub(in super::super) struct Acted<'a> {
    /// What was done.
    pub act: &'a Act,
    /// When it was asked for.
    pub asked: Mark,
    /// When it was proved, and by which records. Records that do not show that the act took place prove nothing.
    pub proved: Option<(Mark, &'a [u64])>,
}

impl Acted<'_> {
    /// Whether anybody was to prove it: what the teardown deletes is listed afterwards.
    pub fn needs_proof(&self) -> bool {
        *self.act != Act::DeleteClaims
    }
}

/// The set was asked to have fewer pods.
pub(in super::super) struct ScaleDown {
    /// The record of the request.
    pub asked: u64,
    /// Replicas before.
    pub from: u32,
    /// Replicas asked for.
    pub to: u32,
}

impl<'a> Case<'a> {
    /// Disruptions.
    pub fn faults(&self) -> impl DoubleEndedIterator<Item = Seen<'a, Fault>> {
        self.seen(&self.evidence.index.faults, |what| if let What::Fault(fault) = what { Some(fault) } else { None })
    }

    /// The same from a record on.
    pub fn faults_since(&self, from: u64) -> impl DoubleEndedIterator<Item = Seen<'a, Fault>> {
        let places = self.between(&self.evidence.index.faults, from, u64::MAX);
        self.seen(places, |what| if let What::Fault(fault) = what { Some(fault) } else { None })
    }

    /// The first scale-down that was asked for, while claims are to stay and the set is to be smaller than it was: others
    /// have checks of their own.
    pub fn scale_down(&self) -> Option<ScaleDown> {
        let others = [self.spans(Scenario::Claims), self.spans(Scenario::Grow)];
        let apart = |seq: u64| others.iter().any(|spans| spanned(spans, seq));
        self.faults().find_map(|fault| match fault.it.act {
            Act::Scale { from, to } if to < from && !apart(fault.mark.seq) => {
                Some(ScaleDown { asked: fault.mark.seq, from, to })
            }
            _ => None,
        })
    }

    /// The acts of a kind, in order, each with its proof.
    pub fn acts(&self, wanted: impl Fn(&Act) -> bool) -> Vec<Acted<'a>> {
        // From the end, so that the proof known for an act is the first one that comes after it.
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
    pub fn dns_servers_asked(&self, from: u64, to: u64) -> BTreeSet<&'a str> {
        let places = self.between(&self.evidence.index.dns, from, to);
        self.seen(places, |what| if let What::Dns(dns) = what { Some(dns) } else { None })
            .map(|dns| dns.it.server.as_str())
            .collect()
    }

    /// The next disruption that was asked for after this record, or the end of the log.
    pub fn next_fault(&self, seq: u64) -> u64 {
        let next = self.between(&self.evidence.index.asked, seq + 1, u64::MAX).first();
        next.map_or(self.timeline.last_seq + 1, |place| self.evidence.records[*place].seq)
    }
}
