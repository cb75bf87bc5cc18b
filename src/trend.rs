//! What many runs show together: how often each check was red, and how recovery, outage, lag and time develop.
//!
//! [`gather`] reads files; everything else is a function of what it read. Each run counts once, as a whole or not at
//! all. Runs that were interrupted, never began or used a mutant are listed apart, and unreadable results are named.

mod checks;
mod counts;
mod figures;
mod gather;
mod page;
mod stored;
#[cfg(test)]
mod tests;
mod wilson;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cluster::kind::PREFIX;

pub use checks::{CheckTrend, Rate};
pub use counts::Counts;
pub use figures::{Figure, Spread};
pub use gather::{Found, Gathered, gather};
pub use page::Form;
pub use wilson::{Interval, interval};

use stored::{Refused, Stored};

/// The name prefix of runs with mutants and of upgrades with an injected fault, which are expected to be red.
pub const MUTANTS: &str = "mutants";

/// The version of the JSON format of a trend.
const SCHEMA: u32 = 1;

/// What many runs show together.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Trend {
    /// The version of this JSON format.
    #[schemars(extend("const" = SCHEMA))]
    pub schema: u32,
    /// The ids of the runs that count, by time.
    pub runs: Vec<String>,
    /// The harness versions that judged them.
    pub steadfast: Vec<String>,
    /// What does not count.
    pub apart: Apart,
    /// The checks, most often red first.
    pub checks: Vec<CheckTrend>,
    /// The same checks, grouped by Kubernetes version and server.
    pub groups: Vec<Group>,
    /// The costs of disruptions over the runs.
    pub figures: Vec<Figure>,
}

/// What was found but does not count.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Apart {
    /// The interrupted runs, by id, or by path if they have no id yet.
    pub interrupted: Vec<String>,
    /// The results of runs that ended before anything was under test.
    pub never_began: Vec<PathBuf>,
    /// The directories of runs without results: killed, or still going on.
    pub without_results: Vec<PathBuf>,
    /// The number of runs of mutants.
    pub mutants: usize,
    /// The number of duplicate results.
    pub repeated: usize,
    /// What cannot be read.
    pub unread: Vec<Unread>,
}

/// A file or folder that cannot be read.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unread {
    /// Where it is.
    pub path: PathBuf,
    /// Why not.
    pub reason: String,
}

/// The runs on one Kubernetes version with one server.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct Group {
    /// The Kubernetes version, or both versions of an upgrade.
    pub kubernetes: String,
    /// The version that the servers reported; `unknown` if none was asked.
    pub server: String,
    /// The number of runs.
    pub runs: usize,
    /// The share of runs with a red check, among the runs with a decided check.
    pub red_runs: Rate,
    /// The checks.
    pub checks: Vec<CheckTrend>,
}

impl Trend {
    /// Builds the trend from what was gathered.
    pub fn of(gathered: Gathered) -> Self {
        let Gathered { found, without_results, unread } = gathered;
        let mut apart = Apart { without_results, unread, ..Apart::default() };
        let runs = counted(found, &mut apart);
        let all: Vec<&Stored> = runs.iter().collect();
        let mut groups: BTreeMap<(String, String), Vec<&Stored>> = BTreeMap::new();
        for &run in &all {
            groups.entry((run.kubernetes(), run.server())).or_default().push(run);
        }
        let mut steadfast: Vec<String> = all.iter().map(|run| run.steadfast().to_owned()).collect();
        steadfast.sort();
        steadfast.dedup();
        Self {
            schema: SCHEMA,
            runs: all.iter().map(|run| run.id().to_owned()).collect(),
            steadfast,
            apart,
            checks: checks::checks(&all),
            groups: groups.into_iter().map(|(key, runs)| Group::of(key, &runs)).collect(),
            figures: figures::figures(&all),
        }
    }

    /// Whether everything that was found could be read.
    pub fn is_whole(&self) -> bool {
        self.apart.unread.is_empty()
    }

    /// Renders the trend in this form.
    pub fn render(&self, form: Form) -> String {
        page::render(self, form)
    }
}

impl Group {
    fn of((kubernetes, server): (String, String), runs: &[&Stored]) -> Self {
        let red_runs = Rate::of(runs.iter().map(|run| run.counts()).fold((0, 0), |(red, decided), counts| {
            (red + usize::from(counts.fail > 0), decided + usize::from(counts.pass + counts.fail > 0))
        }));
        Self { kubernetes, server, runs: runs.len(), red_runs, checks: checks::checks(runs) }
    }
}

/// The runs that count, each once, by time.
fn counted(found: Vec<Found>, apart: &mut Apart) -> Vec<Stored> {
    let mut runs: BTreeMap<String, (PathBuf, Stored)> = BTreeMap::new();
    let mut interrupted: Vec<(PathBuf, Stored)> = Vec::new();
    for Found { path, text } in found {
        let stored = match Stored::parse(&text) {
            Ok(stored) => stored,
            Err(Refused(reason)) => {
                apart.unread.push(Unread { path, reason });
                continue;
            }
        };
        let Some(id) = stored.run.as_ref().map(|run| run.run_id.clone()) else {
            if stored.interrupted {
                interrupted.push((path, stored))
            } else {
                apart.never_began.push(path)
            }
            continue;
        };
        match runs.get(&id) {
            None => drop(runs.insert(id, (path, stored))),
            Some((_, known)) if *known == stored => apart.repeated += 1,
            Some((other, _)) => {
                let reason = format!("the run {id} is in {} too, with other results", other.display());
                apart.unread.push(Unread { path, reason });
            }
        }
    }
    let mut kept = Vec::new();
    for (_, (path, stored)) in runs {
        match () {
            () if stored.id().trim_start_matches(PREFIX).starts_with(MUTANTS) => apart.mutants += 1,
            () if stored.interrupted => interrupted.push((path, stored)),
            () => kept.push(stored),
        }
    }
    kept.sort_by_key(|run| (stored::when(run.id()).to_owned(), run.id().to_owned()));
    let name = |(path, stored): (PathBuf, Stored)| stored.run.map_or(path.display().to_string(), |run| run.run_id);
    apart.interrupted = interrupted.into_iter().map(name).collect();
    apart.interrupted.sort();
    kept
}
