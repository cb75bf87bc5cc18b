//! The journal of a run: writes what is done to the evidence and to the progress output.

use std::sync::Arc;

use crate::evidence::{Note, Phase, Scenario, Step, What};
use crate::record::Log;
use crate::report::Progress;

/// Where a run records what it does.
#[derive(Debug, Clone)]
pub struct Journal {
    /// The evidence.
    pub log: Arc<Log>,
    /// The progress output.
    pub progress: Progress,
}

impl Journal {
    /// Records the beginning and end of a scenario, and shows both.
    ///
    /// # Errors
    /// The error of the scenario.
    pub async fn scenario<T, E: std::fmt::Display>(
        &self,
        scenario: Scenario,
        acted: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.step(scenario, scenario.name(), acted).await
    }

    /// Records the beginning and end of an act, and shows both.
    ///
    /// # Errors
    /// The error of the act.
    pub async fn step<T, E: std::fmt::Display>(
        &self,
        scenario: impl Into<Option<Scenario>>,
        name: &str,
        act: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let begin = Step { scenario: scenario.into(), name: name.to_owned(), phase: Phase::Begin };
        let open = Open::begin(&self.progress, begin.words());
        let record = |phase| self.log.record(What::Step(Step { phase, ..begin.clone() }));
        record(Phase::Begin);
        let result = act.await;
        let trouble = result.as_ref().err().map(ToString::to_string);
        open.end(trouble.as_deref());
        record(trouble.map_or(Phase::End, Phase::Failed));
        result
    }

    /// Records a problem of the harness itself.
    pub fn note(&self, message: impl Into<String>) {
        self.log.record(What::Note(Note { message: message.into() }));
    }

    /// Records a message, and shows it to the user at once.
    pub fn announce(&self, message: &str) {
        self.progress.say(message);
        self.note(message);
    }
}

/// A step shown as in progress. Dropping a cut-short act drops this too, which ends the step.
struct Open<'a> {
    progress: &'a Progress,
    name: String,
    ended: bool,
}

impl<'a> Open<'a> {
    fn begin(progress: &'a Progress, name: String) -> Self {
        progress.begin(&name);
        Self { progress, name, ended: false }
    }

    fn end(mut self, trouble: Option<&str>) {
        self.ended = true;
        self.progress.end(&self.name, trouble.map_or(Ok(()), Err));
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.progress.end(&self.name, Err("cut short"));
        }
    }
}
