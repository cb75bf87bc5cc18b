//! Whether the workload comes back. Once it was awaited in vain, whatever else a scenario waits for is given little time; if
//! the workload stays away, nothing more is disrupted, and all is over within a minute.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::context::Context;
use super::error::ScenarioError;
use crate::evidence::{Scenario, Subject, Timeline};

/// From a wait that was in vain until the workload must be back after all, once its scenario has ended: a server that was
/// only late is not far then.
const BACK_WITHIN: Duration = Duration::from_secs(35);

impl Context {
    /// Waits for the workload, or a part of it, to come back or to go. Where that is in vain, the last words of those that
    /// are not Ready are recorded, and nothing else is waited for as long as usual.
    pub(crate) async fn comes_back<T>(
        &self,
        awaited: impl Future<Output = Result<T, ScenarioError>>,
    ) -> Result<T, ScenarioError> {
        let ended = awaited.await;
        if let Err(error) = &ended {
            self.vain.tell(error.to_string(), false);
            self.last_words().await;
        }
        ended
    }

    /// Remembers that servers whose pods are Ready did not recover within their time.
    pub(crate) fn does_not_recover(&self, what: String) {
        self.vain.tell(what, true);
    }

    /// What was awaited in vain, if the workload did not come back from a scenario, which has ended, after all.
    pub async fn stays_away(&self, scenario: Scenario) -> Option<String> {
        let awaited = self.vain.told()?;
        if scenario.disrupts() && (awaited.for_good || !self.is_back_by(awaited.since + BACK_WITHIN).await) {
            return Some(awaited.what);
        }
        self.vain.forget();
        None
    }

    /// Lets everything take its time again: what is made good once the scenarios have ended must not fail of haste.
    pub fn take_time(&self) {
        self.vain.forget();
    }

    async fn is_back_by(&self, end: Instant) -> bool {
        let mut changed = self.journal.log.subscribe();
        let back = async {
            loop {
                changed.mark_unchanged();
                if self.journal.log.look(|timeline| stands(timeline, &self.workload.subject))
                    || changed.changed().await.is_err()
                {
                    return;
                }
            }
        };
        timeout_at(end, back).await.is_ok()
    }
}

/// Whether every pod of the set is there and Ready.
fn stands(timeline: &Timeline, subject: &Subject) -> bool {
    let serves = |pod: String| timeline.live_pod(&pod).is_some_and(|life| life.serving_at(timeline.last_seq));
    subject.pods().all(serves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_stands_while_every_pod_of_it_serves() {
        let evidence = crate::report::sample::passing_evidence();
        let subject = &evidence.run().expect("a run").subject;
        assert!(stands(&evidence.timeline, subject));
        let deletion = |record: &&crate::evidence::Record| record.seq < 24;
        assert!(!stands(&Timeline::of(evidence.records.iter().filter(deletion)), subject));
    }
}
