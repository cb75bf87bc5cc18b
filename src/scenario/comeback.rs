//! Whether the workload comes back. Once it was awaited in vain, whatever else a scenario waits for is given little time; if
//! the workload stays away, nothing more is disrupted, and all is over within a minute.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::ScenarioError;
use super::context::Context;
use crate::evidence::{Scenario, Subject, Timeline};
use crate::record::Patience;

/// From a wait that was in vain to the end of the clean-up that its scenario does.
const CLEAN_UP_WITHIN: Duration = Duration::from_secs(25);

/// What a single wait or question gets from then on.
const BRIEFLY: Duration = Duration::from_secs(5);

/// From a wait that was in vain until the workload must be back after all, once its scenario has ended: a server that was
/// only late is not far then.
const BACK_WITHIN: Duration = Duration::from_secs(35);

/// From a wait that was in vain to the end of the scenarios, with some seconds to spare of the minute.
const END_WITHIN: Duration = Duration::from_secs(55);

/// The first wait for the workload that was in vain, since it was last there.
#[derive(Debug, Default)]
pub struct Vain(Mutex<Option<Awaited>>);

#[derive(Debug, Clone)]
struct Awaited {
    what: String,
    since: Instant,
    /// Whether pods that are Ready do not make up for it.
    for_good: bool,
}

impl Vain {
    fn told(&self) -> Option<Awaited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn tell(&self, what: String, for_good: bool) {
        self.tell_since(what, for_good, Instant::now());
    }

    /// The first one counts.
    fn tell_since(&self, what: String, for_good: bool, since: Instant) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.get_or_insert(Awaited { what, since, for_good });
    }

    /// Whether there was one.
    pub(super) fn awaited(&self) -> bool {
        self.told().is_some()
    }

    /// How long something may be waited for that usually gets this long.
    pub(super) fn patience(&self, limit: Duration) -> Patience {
        let brief = self.brief(limit);
        if brief < limit { Patience::cut(brief) } else { Patience::from(limit) }
    }

    /// The same as a time.
    pub(super) fn brief(&self, limit: Duration) -> Duration {
        let Some(awaited) = self.told() else { return limit };
        limit.min(CLEAN_UP_WITHIN.saturating_sub(awaited.since.elapsed()).max(BRIEFLY))
    }

    /// Does something until the end of the scenarios, where that is near.
    pub(super) async fn in_time<T>(
        &self,
        doing: impl Future<Output = Result<T, ScenarioError>>,
    ) -> Result<T, ScenarioError> {
        let Some(awaited) = self.told() else { return doing.await };
        let done = timeout_at(awaited.since + END_WITHIN, doing).await;
        done.unwrap_or(Err(ScenarioError::CutShort { after: END_WITHIN }))
    }
}

impl Context {
    /// Waits for the workload, or a part of it, to come back or to go. Where that is in vain, the last words of those that
    /// are not Ready are recorded, and nothing else is waited for as long as usual.
    pub(super) async fn comes_back<T>(
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
    pub(super) fn does_not_recover(&self, what: String) {
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
                if self.journal.log.look(|timeline| stands(timeline, &self.subject)) || changed.changed().await.is_err()
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

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// As it is so long after a wait that was in vain.
    fn after(passed: Duration) -> Vain {
        let vain = Vain::default();
        vain.tell_since("mysql-1 Ready".to_owned(), false, Instant::now() - passed);
        vain
    }

    #[test]
    fn after_a_wait_in_vain_little_time_is_left() {
        let limit = |vain: &Vain, usual: u64| vain.brief(seconds(usual)).as_secs_f64().round();
        assert_eq!(limit(&Vain::default(), 180), 180.0);
        assert_eq!(limit(&after(seconds(0)), 180), 25.0);
        assert_eq!(limit(&after(seconds(0)), 2), 2.0);
        assert_eq!(limit(&after(seconds(15)), 180), 10.0);
        assert_eq!(limit(&after(seconds(75)), 180), 5.0);
        let vain = after(seconds(75));
        vain.forget();
        assert_eq!(limit(&vain, 180), 180.0);
    }

    #[test]
    fn the_first_wait_in_vain_counts() {
        let vain = after(seconds(1));
        vain.tell("mysql-2 Ready".to_owned(), true);
        let told = vain.told().map(|awaited| (awaited.what, awaited.for_good));
        assert_eq!(told, Some(("mysql-1 Ready".to_owned(), false)));
    }

    #[tokio::test]
    async fn what_never_ends_is_cut_within_the_minute() {
        assert!(Vain::default().in_time(async { Ok(()) }).await.is_ok());
        let late = after(END_WITHIN);
        let cut = late.in_time(std::future::pending::<Result<(), ScenarioError>>()).await;
        assert!(matches!(cut, Err(ScenarioError::CutShort { .. })));
        assert!(END_WITHIN < seconds(60));
    }

    #[test]
    fn a_workload_stands_while_every_pod_of_it_serves() {
        let evidence = crate::report::sample::passing_evidence();
        let subject = &evidence.run().expect("a run").subject;
        assert!(stands(&evidence.timeline, subject));
        let deletion = |record: &&crate::evidence::Record| record.seq < 24;
        assert!(!stands(&Timeline::of(evidence.records.iter().filter(deletion)), subject));
    }
}
