//! Causes that left several checks undecided: each is told once, with the checks below it.

use super::{Judged, Outcome};
use crate::check::{Cause, Verdict};

/// A cause, and the checks that it left undecided: two or more.
#[derive(Debug)]
pub(super) struct Common<'a> {
    /// The cause, as the first of them tells it.
    pub(super) cause: &'a Cause,
    /// The checks' results, in the catalogue's order.
    pub(super) judged: Vec<&'a Judged>,
}

impl Common<'_> {
    /// How many checks it leaves undecided, in words.
    pub(super) fn title(&self) -> String {
        format!("{} checks are undecided for one cause", self.judged.len())
    }
}

/// The cause of a result that somebody has to look at and that decides nothing.
fn cause(judged: &Judged) -> Option<&Cause> {
    judged.finding.cause.as_ref().filter(|_| judged.finding.verdict == Verdict::Inconclusive)
}

/// What a cause means for a check, without the cause.
pub(super) fn so(judged: &Judged) -> &str {
    judged.finding.cause.as_ref().map_or(&judged.finding.reason, |cause| &cause.so)
}

impl Outcome<'_> {
    /// The causes of several undecided checks, that of most checks first.
    pub(super) fn common_causes(&self) -> Vec<Common<'_>> {
        let mut found: Vec<Common<'_>> = Vec::new();
        for judged in &self.judged {
            let Some(cause) = cause(judged) else { continue };
            match found.iter_mut().find(|known| known.cause.seq == cause.seq) {
                Some(known) => known.judged.push(judged),
                None => found.push(Common { cause, judged: vec![judged] }),
            }
        }
        found.retain(|common| common.judged.len() > 1);
        found.sort_by_key(|common| std::cmp::Reverse(common.judged.len()));
        found
    }

    /// The results that have no such cause, by property.
    pub(super) fn others_by_property(&self) -> Vec<(&'static str, Vec<&Judged>)> {
        let common = self.common_causes();
        let told = |judged: &Judged| common.iter().flat_map(|it| &it.judged).any(|it| it.check.id == judged.check.id);
        let mut groups = self.by_property();
        groups.iter_mut().for_each(|(_, members)| members.retain(|judged| !told(judged)));
        groups.retain(|(_, members)| !members.is_empty());
        groups
    }
}

#[cfg(test)]
mod tests {
    use crate::report::sample;

    #[test]
    fn a_cause_is_common_where_two_checks_have_it() {
        let evidence = sample::crashing_evidence();
        let outcome = sample::crashing(&evidence);
        let common = outcome.common_causes();
        let told: Vec<_> = common.iter().map(|it| (it.cause.seq, it.judged.len(), it.title())).collect();
        assert_eq!(told, [(20, 4, "4 checks are undecided for one cause".to_owned())]);
        let others = outcome.others_by_property();
        let others: Vec<_> = others.iter().flat_map(|(_, members)| members).map(|it| it.check.id).collect();
        assert_eq!(others, ["ordering::ready_means_serving", "persistence::claims_are_kept"]);
        let alone = sample::failing_evidence();
        assert!(sample::failing(&alone).common_causes().is_empty());
    }
}
