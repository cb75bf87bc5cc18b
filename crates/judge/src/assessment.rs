//! Combines findings: one failure outweighs any number of inconclusive findings, and one of those outweighs a pass.

use std::collections::{BTreeSet, HashSet};

use super::case::Case;
use super::{CaseFile, Finding, Verdict};

/// A value, or the finding that prevents it.
pub(super) type Judged<T> = Result<T, Finding>;

/// All values, or else the gravest finding; of equally grave ones the first.
pub(super) fn all_of<T>(judged: impl IntoIterator<Item = Judged<T>>) -> Judged<Vec<T>> {
    let (mut values, mut gravest) = (Vec::new(), None::<Finding>);
    for judged in judged {
        match judged {
            Ok(value) => values.push(value),
            Err(found) => match &gravest {
                Some(known) if known.verdict == Verdict::Fail || found.verdict != Verdict::Fail => {}
                _ => gravest = Some(found),
            },
        }
    }
    gravest.map_or(Ok(values), Err)
}

/// The findings so far for and against a property.
pub(super) struct Assessment {
    against: Vec<Finding>,
    known: HashSet<Finding>,
    proof: Vec<u64>,
    quoted: usize,
}

impl Assessment {
    /// Starts an assessment. Its reason quotes at most this many findings of the same verdict, so that a workload that
    /// is wrong everywhere gets a short text.
    pub(crate) fn quoting(quoted: usize) -> Self {
        Self { against: Vec::new(), known: HashSet::new(), proof: Vec::new(), quoted }
    }

    /// Returns the value, or records the finding that prevents it.
    pub(crate) fn check<T>(&mut self, judged: Judged<T>) -> Option<T> {
        judged.map_err(|finding| self.reject(finding)).ok()
    }

    /// Records a finding against the property, once: one gap in the history spoils many parts in the same words.
    pub(crate) fn reject(&mut self, finding: Finding) {
        if self.known.insert(finding.clone()) {
            self.against.push(finding);
        }
    }

    /// Records the records that support the property.
    pub(crate) fn cite(&mut self, records: impl IntoIterator<Item = u64>) {
        self.proof.extend(records);
    }

    /// Returns the value, unless a finding was recorded.
    pub(crate) fn accept<T>(self, value: T) -> Judged<T> {
        if self.against.is_empty() { Ok(value) } else { Err(self.conclude(String::new())) }
    }

    /// The verdict: the gravest finding and all of the same verdict, or a pass with this reason.
    fn conclude(self, pass: String) -> Finding {
        let gravest = [Verdict::Fail, Verdict::Inconclusive, Verdict::Skipped]
            .into_iter()
            .find(|verdict| self.against.iter().any(|finding| finding.verdict == *verdict));
        let Some(verdict) = gravest else { return Finding::pass(pass, distinct(self.proof)) };
        let same: Vec<Finding> = self.against.into_iter().filter(|finding| finding.verdict == verdict).collect();
        let quoted: Vec<&str> = same.iter().take(self.quoted).map(|finding| finding.reason.as_str()).collect();
        let mut reason = quoted.join("; ");
        if same.len() > self.quoted {
            reason.push_str(&format!("; and {} more like this", same.len() - self.quoted));
        }
        let evidence = distinct(same.into_iter().flat_map(|finding| finding.evidence));
        Finding::new(verdict, reason, evidence)
    }
}

/// Runs a judge on the evidence. The judge returns the reason for a pass, which counts unless it recorded a finding.
pub(super) fn judged(file: &CaseFile<'_>, judge: impl FnOnce(&Case<'_>, &mut Assessment) -> Judged<String>) -> Finding {
    let mut assessment = Assessment::quoting(3);
    let reason = judge(file.case(), &mut assessment);
    let reason = assessment.check(reason).unwrap_or_default();
    assessment.conclude(reason)
}

/// Removes duplicates and keeps the order.
fn distinct(records: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut seen = BTreeSet::new();
    records.into_iter().filter(|record| seen.insert(*record)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_among_many_outweighs_the_doubts_before_it() {
        let (doubt, wrong) = (|| Finding::inconclusive("?", []), |why: &str| Finding::fail(why, []));
        assert_eq!(all_of([Ok(1), Ok(2)]), Ok(vec![1, 2]));
        assert_eq!(all_of([Ok(1), Err(doubt()), Err(wrong("a")), Err(wrong("b")), Err(doubt())]), Err(wrong("a")));
        assert_eq!(all_of([Err::<u64, _>(doubt()), Ok(1)]), Err(doubt()));
    }

    #[test]
    fn records_are_told_once_in_the_order_in_which_they_matter() {
        let mut assessment = Assessment::quoting(1);
        assessment.cite([7, 3, 7]);
        assert_eq!(assessment.conclude(String::new()), Finding::pass("", [7, 3]));
    }
}
