//! Whether the workload recovers. After the first wait for it that failed, everything else that a scenario waits for
//! gets little time. If the workload stays away, nothing more is disrupted, and the scenarios end within a minute.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::context::Context;
use super::error::ScenarioError;
use crate::evidence::{Scenario, Subject, Timeline};

/// The time from a failed wait until the workload must be back after all, once its scenario has ended. A server that
/// was only late is back by then.
const BACK_WITHIN: Duration = Duration::from_secs(35);

impl Context {
    /// Waits for the workload, or a part of it, to come back or to go. If that fails, it records the last log lines of
    /// pods that are not Ready, and shortens all further waits.
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

    /// Records that servers whose pods are Ready did not recover in time.
    pub(crate) fn does_not_recover(&self, what: String) {
        self.vain.tell(what, true);
    }

    /// What the failed wait was for, if the workload is still not back after a scenario that has ended.
    pub async fn stays_away(&self, scenario: Scenario) -> Option<String> {
        let awaited = self.vain.told()?;
        if scenario.disrupts() && (awaited.for_good || !self.is_back_by(awaited.since + BACK_WITHIN).await) {
            return Some(awaited.what);
        }
        self.vain.forget();
        None
    }

    /// Restores the normal time limits: clean-up after the scenarios must not fail for lack of time.
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

/// Whether every pod of the StatefulSet exists and is Ready.
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
