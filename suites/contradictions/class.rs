//! Classes of histories, what is wanted of the checks for each, and how they are judged.

use std::{
    collections::BTreeMap,
    fmt::Write,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
};

use steadfast::{
    check::{CATALOGUE, Finding, Verdict, all, find},
    evidence::Evidence,
};

use super::{
    change::Change,
    rewriter::Rewriter,
    stored::{Part, Stored, runs},
};

/// Of what a class judged wrongly so much is listed, evenly, unless `STEADFAST_LISTED` says otherwise; the rest is counted.
const LISTED: usize = 8;

/// Checks of which one has to notice, the likeliest first.
pub type Checks = &'static [&'static str];

/// The verdict that is wanted of a history.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// One of these checks fails.
    Fails(Checks),
    /// One of these checks does not pass: it fails, or is inconclusive.
    LeavesGreen(Checks),
    /// One of these checks is inconclusive, and none fails.
    LeavesOpen(Checks),
    /// Any check does not pass that passes on the run as it is stored. These are looked at first.
    SomeLeavesGreen(Checks),
    /// No check fails that does not on the run as it is stored.
    NothingTurnsRed,
    /// Every check has the verdict that it has on the run as it is stored.
    StaysAsItWas,
    /// These checks pass, as they do on the run as it is stored.
    Passes(Checks),
    /// None of these checks fails.
    NoneFails(Checks),
}

/// A history, as a change of the stored run.
pub struct History {
    /// What was changed, in a few words.
    pub name: String,
    /// What is wanted of it.
    pub wanted: Wanted,
    /// The change.
    pub change: Change,
}

impl History {
    /// A history with what is wanted of it.
    pub fn new(name: impl Into<String>, wanted: Wanted, change: Change) -> Self {
        Self { name: name.into(), wanted, change }
    }
}

/// Histories that are alike.
pub struct Class {
    /// Its name, `part::what_is_wrong`.
    pub name: &'static str,
    /// Why the verdict is wanted, in a sentence.
    pub why: &'static str,
    /// What it is about, which decides the runs that it is made of.
    pub part: Part,
    /// Its histories of one run.
    pub of: fn(&Stored) -> Vec<History>,
}

/// How many histories were judged for each check, and how many of them rightly.
static TALLY: Mutex<BTreeMap<String, (usize, usize)>> = Mutex::new(BTreeMap::new());

/// Counts a history.
pub fn count(of: &str, right: bool) {
    let mut tally = TALLY.lock().unwrap_or_else(PoisonError::into_inner);
    let (all, rightly) = tally.entry(of.to_owned()).or_default();
    *all += 1;
    *rightly += usize::from(right);
}

/// How many histories were judged, by check, in the catalogue's order; nothing where there was none.
pub fn summary() -> String {
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
    /// What it is counted for.
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

    /// In words, after "wanted".
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

    /// The checks of which this can be wanted of a run: what does not pass as it is stored has no green to leave.
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

    /// Whether the checks find what is wanted; what they find instead.
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
    /// Judges all of its histories; nothing where no stored run has what it changes.
    pub fn judge(&self) -> Option<Result<(), String>> {
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

/// The outcome of a class: what was judged wrongly, in short.
pub fn told(why: &str, judged: usize, wrong: &[String]) -> Result<(), String> {
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

/// Judges one history; what is found instead of what is wanted.
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
