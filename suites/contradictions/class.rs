//! Classes of histories, their expected verdicts, and how they are judged.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use steadfast::check::{CATALOGUE, Finding, Verdict, all, find};
use steadfast::evidence::Evidence;

use super::change::Change;
use super::rewriter::Rewriter;
use super::runs::runs;
use super::stored::{Part, Stored};

/// How many wrong verdicts of a class are listed, evenly spread. `STEADFAST_LISTED` changes it. The others are only
/// counted.
const LISTED: usize = 8;

/// At least one of these checks must notice. The most likely one comes first.
pub(crate) type Checks = &'static [&'static str];

/// The expected verdict on a history.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wanted {
    /// One of these checks fails.
    Fails(Checks),
    /// One of these checks does not pass: it fails, or is inconclusive.
    LeavesGreen(Checks),
    /// One of these checks is inconclusive, and none fails.
    LeavesOpen(Checks),
    /// At least one check that passes on the stored run does not pass. These are asked first.
    SomeLeavesGreen(Checks),
    /// No check fails that did not fail on the stored run.
    NothingTurnsRed,
    /// Every check has the same verdict as on the stored run.
    StaysAsItWas,
    /// These checks pass, as on the stored run.
    Passes(Checks),
    /// None of these checks fails.
    NoneFails(Checks),
}

/// A history, as a change of the stored run.
pub(crate) struct History {
    /// A short description of the change.
    pub name: String,
    /// The expected verdict.
    pub wanted: Wanted,
    /// The change.
    pub change: Change,
}

impl History {
    /// A history with its expected verdict.
    pub(crate) fn new(name: impl Into<String>, wanted: Wanted, change: Change) -> Self {
        Self { name: name.into(), wanted, change }
    }
}

/// Similar histories.
pub(crate) struct Class {
    /// Its name, `part::what_is_wrong`.
    pub name: &'static str,
    /// The reason for the expected verdict, in a sentence.
    pub why: &'static str,
    /// Its subject, which decides which runs are used.
    pub part: Part,
    /// The histories that it makes from a run.
    pub of: fn(&Stored) -> Vec<History>,
}

/// For each check, the number of histories that were judged, and of those that were judged correctly.
static TALLY: Mutex<BTreeMap<String, (usize, usize)>> = Mutex::new(BTreeMap::new());

/// Counts a history.
pub(crate) fn count(of: &str, right: bool) {
    let mut tally = TALLY.lock().unwrap_or_else(PoisonError::into_inner);
    let (all, rightly) = tally.entry(of.to_owned()).or_default();
    *all += 1;
    *rightly += usize::from(right);
}

/// The number of judged histories by check, in the catalogue's order. Empty if there were none.
pub(crate) fn summary() -> String {
    let tally = TALLY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut text = String::new();
    let place = |of: &str| CATALOGUE.iter().position(|check| check.id == of).unwrap_or(usize::MAX);
    let mut rows: Vec<_> = tally.iter().collect();
    rows.sort_by_key(|(of, _)| place(of));
    let (histories, rightly) = rows.iter().fold((0, 0), |sum, (_, counts)| (sum.0 + counts.0, sum.1 + counts.1));
    if histories > 0 {
        rows.iter().for_each(|(of, (all, right))| {
            writeln!(text, "{of:<52} {all:>5} histories, {right:>5} judged rightly").expect("a string takes it");
        });
        write!(text, "{:<52} {histories:>5} histories, {rightly:>5} judged rightly", "all").expect("a string takes it");
    }
    text
}

impl Wanted {
    /// The row of the summary in which it is counted.
    fn counted_for(self) -> &'static str {
        match self {
            Self::Fails(checks) | Self::LeavesGreen(checks) | Self::LeavesOpen(checks) => {
                checks.first().expect("a check")
            }
            Self::SomeLeavesGreen(_) => "(any check has to notice)",
            Self::NothingTurnsRed => "(no check may turn red)",
            Self::StaysAsItWas => "(every check has to stay)",
            Self::Passes(_) | Self::NoneFails(_) => "(what is right has to stay so)",
        }
    }

    /// A description that follows "wanted".
    fn words(self) -> String {
        match self {
            Self::Fails(checks) => format!("that {} fails", one_of(checks)),
            Self::LeavesGreen(checks) => format!("that {} does not pass", one_of(checks)),
            Self::LeavesOpen(checks) => format!("that {} is inconclusive and does not fail", one_of(checks)),
            Self::SomeLeavesGreen(_) => "that some check does not pass".to_owned(),
            Self::NothingTurnsRed => "that no check fails".to_owned(),
            Self::StaysAsItWas => "every verdict as it was".to_owned(),
            Self::Passes(checks) => format!("that {} pass", checks.join(", ")),
            Self::NoneFails(checks) => format!("that none of {} fails", checks.join(", ")),
        }
    }

    /// The checks to which this expectation applies. A check that does not pass on the stored run cannot stop passing.
    fn concerned(self, stored: &Stored) -> Vec<&'static str> {
        let green = |check: &&'static str| stored.verdict(check) == Verdict::Pass;
        match self {
            Self::Fails(checks) | Self::LeavesGreen(checks) | Self::LeavesOpen(checks) | Self::Passes(checks) => {
                checks.iter().copied().filter(green).collect()
            }
            Self::NoneFails(checks) => checks.to_vec(),
            Self::SomeLeavesGreen(first) => {
                let others = all().map(|check| check.id).filter(|id| !first.contains(id));
                first.iter().copied().chain(others).filter(green).collect()
            }
            Self::NothingTurnsRed | Self::StaysAsItWas => all().map(|check| check.id).collect(),
        }
    }

    /// Whether the verdicts are as expected. The error has the actual verdicts.
    fn holds(self, stored: &Stored, evidence: &Evidence) -> Result<(), String> {
        let concerned = self.concerned(stored);
        let found = concerned.iter().map(|id| (*id, find(id).expect("a check of the catalogue").judge(evidence)));
        if let Self::NothingTurnsRed | Self::StaysAsItWas | Self::Passes(_) | Self::NoneFails(_) = self {
            let turned = |(id, finding): &(&str, Finding)| {
                let (was, is) = (stored.verdict(id), finding.verdict);
                was != is && (is == Verdict::Fail || matches!(self, Self::StaysAsItWas | Self::Passes(_)))
            };
            return found.into_iter().find(turned).map_or(Ok(()), |(id, finding)| Err(short(id, &finding)));
        }
        let (mut first, mut open) = (None, false);
        for (id, finding) in found {
            match finding.verdict {
                Verdict::Fail if matches!(self, Self::LeavesOpen(_)) => return Err(short(id, &finding)),
                Verdict::Fail => return Ok(()),
                Verdict::Inconclusive if matches!(self, Self::LeavesOpen(_)) => open = true,
                Verdict::Inconclusive if !matches!(self, Self::Fails(_)) => return Ok(()),
                _ => drop(first.get_or_insert_with(|| short(id, &finding))),
            }
        }
        if open {
            return Ok(());
        }
        Err(if matches!(self, Self::SomeLeavesGreen(_)) {
            "every check passes".to_owned()
        } else {
            first.unwrap_or_default()
        })
    }
}

fn one_of(checks: &[&str]) -> String {
    match checks {
        [one] => (*one).to_owned(),
        [first, others @ ..] => format!("{first} (or one of {} others)", others.len()),
        [] => "none".to_owned(),
    }
}

fn short(id: &str, finding: &Finding) -> String {
    let cut = finding.reason.char_indices().nth(120).map_or(finding.reason.len(), |(end, _)| end);
    format!("{id} {}: {}", finding.verdict, &finding.reason[..cut])
}

impl Class {
    /// Judges all histories of the class. `None` if no stored run has the records that it changes.
    pub(crate) fn judge(&self) -> Option<Result<(), String>> {
        let (mut wrong, mut judged) = (Vec::new(), 0);
        for stored in runs(self.part) {
            let mut rewriter = Rewriter::new(&stored.records);
            let histories = (self.of)(stored).into_iter();
            for History { name, wanted, change } in histories.filter(|it| !it.wanted.concerned(stored).is_empty()) {
                let found = judge(stored, &mut rewriter, wanted, &change);
                count(wanted.counted_for(), found.is_ok());
                judged += 1;
                if let Err(found) = found {
                    wrong.push(format!("{name}: wanted {}, found {found}", wanted.words()));
                }
            }
        }
        (judged > 0).then(|| told(self.why, judged, &wrong))
    }
}

/// The result of a class, with a short list of the wrong verdicts.
pub(crate) fn told(why: &str, judged: usize, wrong: &[String]) -> Result<(), String> {
    if wrong.is_empty() {
        return Ok(());
    }
    let listed = std::env::var("STEADFAST_LISTED").ok().and_then(|count| count.parse().ok()).unwrap_or(LISTED).max(1);
    let mut text = format!("{} of {judged} histories were judged wrongly. {why}\n", wrong.len());
    let some = wrong.iter().step_by(wrong.len().div_ceil(listed));
    some.for_each(|line| text.push_str(&format!("  - {line}\n")));
    if wrong.len() > listed {
        text.push_str("  … and others like these\n");
    }
    Err(text)
}

/// Judges one history. The error has the verdicts that differ from the expectation.
fn judge(stored: &Stored, rewriter: &mut Rewriter<'_>, wanted: Wanted, change: &Change) -> Result<(), String> {
    let (records, changed) = rewriter.made(change);
    if changed == 0 {
        return Err("that nothing was changed: the class is wrong".to_owned());
    }
    if let Some(pair) = records.windows(2).find(|pair| pair[0].at_us > pair[1].at_us) {
        return Err(format!("that time runs backwards at #{}: the class is wrong", pair[1].seq));
    }
    let judged = catch_unwind(AssertUnwindSafe(|| {
        let evidence = rewriter.evidence(records);
        (wanted.holds(stored, &evidence), evidence)
    }));
    let (found, evidence) = judged.map_err(|_| "a panic".to_owned())?;
    rewriter.take_back(evidence);
    found
}
