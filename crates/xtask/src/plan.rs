//! Decides which stages are called: by one machine that runs a whole night, or by the jobs of workflows.

use crate::call::{Call, CallError};
use crate::part::Part;
use crate::stage::{Cell, Daily, Jobs, Parts, STAGES, Stage, Takes, Task};
use crate::versions::Versions;

/// The caller of stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Caller {
    /// One machine that runs everything.
    #[value(skip)]
    Machine,
    /// The jobs of a night.
    Night,
    /// The jobs of a pull request.
    PullRequest,
}

/// Plans the calls of stages.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// The versions in the lab.
    pub versions: &'a Versions,
    /// Today's date, in days since 1970.
    pub day: u64,
}

impl Plan<'_> {
    /// All calls of a caller.
    pub(crate) fn calls(&self, caller: Caller) -> Vec<Call> {
        let has_it = |stage: &&Stage| match caller {
            Caller::Machine => true,
            Caller::Night => stage.jobs != Jobs::Nobody,
            Caller::PullRequest => stage.jobs == Jobs::Everybody,
        };
        STAGES.iter().filter(has_it).flat_map(|stage| self.of_stage(stage, caller)).collect()
    }

    /// The calls of a nightly run on one machine: all, or only those in `only`. With `all_judges` it includes all
    /// parts of the stages that otherwise run one part each night.
    ///
    /// # Errors
    /// When there is no such stage.
    pub(crate) fn night(&self, only: &[String], all_judges: bool) -> Result<Vec<Call>, CallError> {
        let mut calls = self.calls(Caller::Machine);
        if all_judges {
            let is_daily = |stage: &Stage| stage.parts().is_some_and(|parts| parts.daily == Daily::Everybody);
            calls.retain(|call| !is_daily(call.stage));
            for stage in STAGES.iter().filter(|stage| is_daily(stage)) {
                if let Takes::Part(parts, task) = stage.takes {
                    calls.extend(Part::each(parts.of).map(|part| Call::part(stage, task, part)));
                }
            }
        }
        if only.is_empty() {
            // The stage `seed` already tests the default cell.
            let usual = Task::Conformance(self.usual_cell());
            calls.retain(|call| call.task != usual);
            return Ok(calls);
        }
        let mut found = Vec::new();
        for wanted in only {
            found.extend(select(&calls, wanted)?);
        }
        Ok(found)
    }

    fn of_stage(&self, stage: &'static Stage, caller: Caller) -> Vec<Call> {
        match &stage.takes {
            Takes::Nothing(task) => vec![Call::plain(stage, task.clone())],
            Takes::Cell(task) => self.cells().into_iter().map(|cell| Call::cell(stage, *task, cell)).collect(),
            Takes::Part(parts, task) => {
                self.parts(*parts, caller).into_iter().map(|part| Call::part(stage, *task, part)).collect()
            }
            Takes::Folders(task) => vec![Call::plain(stage, task(Vec::new()))],
        }
    }

    fn parts(&self, parts: Parts, caller: Caller) -> Vec<Part> {
        match (parts.daily, caller) {
            (Daily::Everybody, _) | (Daily::PullRequests, Caller::PullRequest) => {
                vec![Part::of_day(self.day, parts.of)]
            }
            (Daily::PullRequests, Caller::Machine) => vec![Part::ALL],
            (Daily::PullRequests, Caller::Night) => Part::each(parts.of).collect(),
        }
    }

    /// The cells of conformance, one axis at a time: the seed's server on every Kubernetes version, and the default
    /// Kubernetes version with every server.
    fn cells(&self) -> Vec<Cell> {
        let Versions { default_kubernetes, kubernetes, servers, seed_server, .. } = self.versions;
        let cell =
            |kubernetes: &str, server: &str| Cell { kubernetes: kubernetes.to_owned(), server: server.to_owned() };
        let mut cells: Vec<Cell> = kubernetes.iter().map(|version| cell(version, seed_server)).collect();
        let others = servers.iter().filter(|server| *server != seed_server);
        cells.extend(others.map(|server| cell(default_kubernetes, server)));
        cells
    }

    fn usual_cell(&self) -> Cell {
        Cell { kubernetes: self.versions.default_kubernetes.clone(), server: self.versions.seed_server.clone() }
    }
}

/// The calls that match a line of the list, or the first words of a line.
fn select(calls: &[Call], wanted: &str) -> Result<Vec<Call>, CallError> {
    let begins = format!("{wanted} ");
    let is_wanted = |call: &&Call| {
        let text = call.to_string();
        text == wanted || text.starts_with(&begins)
    };
    let found: Vec<Call> = calls.iter().filter(is_wanted).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    // A single part, which jobs call but a machine does not call by itself.
    let words: Vec<&str> = wanted.split_whitespace().collect();
    if let [name, part] = words.as_slice()
        && STAGES.iter().any(|stage| stage.name == *name && stage.parts().is_some())
    {
        return Ok(vec![Call::parse(name, &[part])?]);
    }
    let names = STAGES.iter().map(|stage| stage.name.to_owned());
    Err(CallError::unknown(wanted, names.chain(calls.iter().map(ToString::to_string))))
}

#[cfg(test)]
mod tests;
