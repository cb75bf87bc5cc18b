//! The outcome of a run for reports: the verdicts, the causes, the spans and the measures, each computed once.

use std::path::PathBuf;

use serde::Serialize;

use crate::evidence::duration::as_seconds;
use crate::evidence::{Evidence, Record};
use crate::measure::Measures;
use crate::spans::{Span, seconds_of, spans};
use crate::{CaseFile, Cause, Check, Finding, Verdict};

#[cfg(test)]
mod tests;

/// The result of one check.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The check.
    pub check: &'static Check,
    /// The conclusion of the check.
    pub finding: Finding,
    /// The duration of the scenarios that the check needs in seconds, from the evidence.
    pub seconds: f64,
}

impl Judged {
    /// The consequence of the cause for an undecided check, without the cause itself.
    pub fn doubt(&self) -> &str {
        self.finding.cause.as_ref().map_or(&self.finding.reason, |cause| &cause.so)
    }

    /// The cause that leaves the check undecided, if the evidence contains one.
    fn cause(&self) -> Option<&Cause> {
        self.finding.cause.as_ref().filter(|_| self.finding.verdict == Verdict::Inconclusive)
    }
}

/// The outcome of a run, which all reports use.
pub struct Outcome<'a> {
    /// The run's records.
    pub evidence: &'a Evidence,
    /// The results of the checks, in the catalogue's order.
    pub judged: Vec<Judged>,
    /// Whether the run was interrupted.
    pub interrupted: bool,
    /// The run's directory, which contains the evidence.
    pub directory: PathBuf,
    /// The command that runs a check again, such as `steadfast run --cluster ci`. Reports append the check's id.
    pub rerun: String,
    /// The outermost steps of the run, in order.
    pub spans: Vec<Span<'a>>,
    file: Option<CaseFile<'a>>,
}

impl<'a> Outcome<'a> {
    /// Judges the evidence with these checks.
    pub fn of(evidence: &'a Evidence, checks: impl IntoIterator<Item = &'static Check>) -> Self {
        let file = CaseFile::of(evidence);
        let judge = |check: &'static Check| {
            let finding = file.as_ref().map_or_else(|| check.judge(evidence), |file| check.judge_file(file));
            (check, finding)
        };
        let findings: Vec<_> = checks.into_iter().map(judge).collect();
        Self::prepared(evidence, file, findings)
    }

    /// The outcome with findings that are already known.
    pub fn with(evidence: &'a Evidence, findings: impl IntoIterator<Item = (&'static Check, Finding)>) -> Self {
        Self::prepared(evidence, CaseFile::of(evidence), findings)
    }

    fn prepared(
        evidence: &'a Evidence,
        file: Option<CaseFile<'a>>,
        findings: impl IntoIterator<Item = (&'static Check, Finding)>,
    ) -> Self {
        let spans = spans(evidence);
        let judged = |(check, finding): (&'static Check, Finding)| {
            let seconds = seconds_of(&spans, check.scenarios.iter().copied());
            Judged { check, finding, seconds }
        };
        let judged = findings.into_iter().map(judged).collect();
        Self { evidence, judged, interrupted: false, directory: PathBuf::new(), rerun: String::new(), spans, file }
    }

    /// The same outcome with the run's directory and the command that runs a check again.
    #[must_use]
    pub fn of_run(self, directory: PathBuf, rerun: impl Into<String>) -> Self {
        Self { directory, rerun: rerun.into(), ..self }
    }

    /// The evidence in the form that judges use. `None` if the run never started.
    pub fn case_file(&self) -> Option<&CaseFile<'a>> {
        self.file.as_ref()
    }

    /// The cost of the run's disruptions. `None` if the run never started.
    pub fn measures(&self) -> Option<&Measures> {
        self.file.as_ref().map(CaseFile::measures)
    }

    /// The number of checks with each verdict.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for judged in &self.judged {
            *match judged.finding.verdict {
                Verdict::Pass => &mut summary.pass,
                Verdict::Fail => &mut summary.fail,
                Verdict::Inconclusive => &mut summary.inconclusive,
                Verdict::Skipped => &mut summary.skipped,
            } += 1;
        }
        summary
    }

    /// The conclusion of the whole run.
    pub fn conclusion(&self) -> Conclusion {
        let summary = self.summary();
        match () {
            () if self.interrupted => Conclusion::Interrupted,
            () if summary.fail > 0 => Conclusion::Failed,
            () if summary.inconclusive > 0 => Conclusion::Inconclusive,
            () if summary.pass == 0 => Conclusion::NothingRan,
            () => Conclusion::Passed,
        }
    }

    /// The program's exit code.
    pub fn exit_code(&self) -> u8 {
        self.conclusion() as u8
    }

    /// The results grouped by property, in the order in which the properties first appear.
    pub fn by_property(&self) -> Vec<(&'static str, Vec<&Judged>)> {
        let mut groups: Vec<(&'static str, Vec<&Judged>)> = Vec::new();
        for judged in &self.judged {
            let property = judged.check.property();
            match groups.iter_mut().find(|(name, _)| *name == property) {
                Some((_, members)) => members.push(judged),
                None => groups.push((property, vec![judged])),
            }
        }
        groups
    }

    /// The causes that left two or more checks undecided. The cause of the most checks comes first.
    pub fn common_causes(&self) -> Vec<CommonCause<'_>> {
        let mut found: Vec<CommonCause<'_>> = Vec::new();
        for judged in &self.judged {
            let Some(cause) = judged.cause() else { continue };
            match found.iter_mut().find(|known| known.cause.seq == cause.seq) {
                Some(known) => known.judged.push(judged),
                None => found.push(CommonCause { cause, judged: vec![judged] }),
            }
        }
        found.retain(|common| common.judged.len() > 1);
        found.sort_by_key(|common| std::cmp::Reverse(common.judged.len()));
        found
    }

    /// The results without a common cause, grouped by property.
    pub fn others_by_property(&self) -> Vec<(&'static str, Vec<&Judged>)> {
        let common = self.common_causes();
        let told = |judged: &Judged| common.iter().flat_map(|it| &it.judged).any(|it| it.check.id == judged.check.id);
        let mut groups = self.by_property();
        groups.iter_mut().for_each(|(_, members)| members.retain(|judged| !told(judged)));
        groups.retain(|(_, members)| !members.is_empty());
        groups
    }

    /// The duration of the run in seconds, from its records: judging the evidence again gives the same value.
    pub fn seconds(&self) -> f64 {
        self.evidence.records.last().map_or(0.0, |record| as_seconds(record.at_us))
    }

    /// The record with this number.
    pub fn record(&self, seq: u64) -> Option<&'a Record> {
        let records = &self.evidence.records;
        records.binary_search_by_key(&seq, |record| record.seq).ok().map(|index| &records[index])
    }
}

/// A cause that left several checks undecided.
#[derive(Debug)]
pub struct CommonCause<'a> {
    /// The cause, in the words of the first of its checks.
    pub cause: &'a Cause,
    /// The results of the checks, in the catalogue's order.
    pub judged: Vec<&'a Judged>,
}

impl CommonCause<'_> {
    /// The number of checks that it leaves undecided, as a sentence.
    pub fn title(&self) -> String {
        format!("{} checks are undecided for one cause", self.judged.len())
    }
}

/// The conclusion of a whole run. Its number is the program's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Conclusion {
    /// Every check that applies passed.
    Passed = 0,
    /// A check failed.
    Failed = 1,
    /// No check failed, but at least one is undecided.
    Inconclusive = 3,
    /// No check was judged, or none applied.
    NothingRan = 4,
    /// The run was interrupted.
    Interrupted = 130,
}

impl Conclusion {
    /// A short title for headings.
    pub fn title(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Inconclusive => "inconclusive",
            Self::NothingRan => "nothing ran",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The number of checks with each verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// The number of checks that passed.
    pub pass: usize,
    /// The number of checks that failed.
    pub fail: usize,
    /// The number of inconclusive checks.
    pub inconclusive: usize,
    /// The number of skipped checks.
    pub skipped: usize,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pass, fail, inconclusive, skipped } = self;
        write!(f, "{pass} passed, {fail} failed, {inconclusive} inconclusive, {skipped} skipped")
    }
}
