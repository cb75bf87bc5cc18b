//! A failed wait for the workload: every wait after it gets little time.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::error::ScenarioError;
use crate::record::Patience;

/// From a failed wait to the end of its scenario's clean-up.
const CLEAN_UP_WITHIN: Duration = Duration::from_secs(25);

/// The least that a single wait or question gets after that.
const BRIEFLY: Duration = Duration::from_secs(5);

/// From a failed wait to the end of the scenarios: a minute, less some seconds of reserve.
const END_WITHIN: Duration = Duration::from_secs(55);

/// The first failed wait for the workload since it was last complete.
#[derive(Debug, Default)]
pub(crate) struct Vain(Mutex<Option<Awaited>>);

#[derive(Debug, Clone)]
pub(crate) struct Awaited {
    pub(crate) what: String,
    pub(crate) since: Instant,
    /// Whether the workload counts as lost even if all pods become Ready.
    pub(crate) for_good: bool,
}

impl Vain {
    pub(crate) fn told(&self) -> Option<Awaited> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn tell(&self, what: String, for_good: bool) {
        self.tell_since(what, for_good, Instant::now());
    }

    /// Only the first failed wait counts.
    fn tell_since(&self, what: String, for_good: bool, since: Instant) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.get_or_insert(Awaited { what, since, for_good });
    }

    /// Whether a wait failed.
    pub(crate) fn awaited(&self) -> bool {
        self.told().is_some()
    }

    /// The patience for a wait that usually gets `limit`.
    pub(crate) fn patience(&self, limit: Duration) -> Patience {
        let brief = self.brief(limit);
        if brief < limit { Patience::cut(brief) } else { Patience::from(limit) }
    }

    /// The time for a wait that usually gets `limit`.
    pub(crate) fn brief(&self, limit: Duration) -> Duration {
        let Some(awaited) = self.told() else { return limit };
        limit.min(CLEAN_UP_WITHIN.saturating_sub(awaited.since.elapsed()).max(BRIEFLY))
    }

    /// Does something, but not beyond the end of the scenarios after a failed wait.
    pub(crate) async fn in_time<T>(
        &self,
        doing: impl Future<Output = Result<T, ScenarioError>>,
    ) -> Result<T, ScenarioError> {
        let Some(awaited) = self.told() else { return doing.await };
        let done = timeout_at(awaited.since + END_WITHIN, doing).await;
        done.unwrap_or(Err(ScenarioError::CutShort { after: END_WITHIN }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// The state this long after a failed wait.
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
}
