//! Replication lag: how long the oldest acknowledged write has been acknowledged that a replica does not show yet.
//! Clients see a replica this way. Its own status counts by another clock and ignores what it has not received.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mysql_async::Conn;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::connect::Server;
use super::journal::Journal;
use crate::evidence::Lag;
use crate::protocol::{Plan, Replica, Secret};
use crate::sql;

/// How many writes one query asks for. If the replica shows all of them, the next ones are queried at once.
const AT_ONCE: usize = 500;

/// How many writes wait for a replica at most, enough for hours. Later writes cannot change the lag while these are
/// missing.
const MOST: usize = 1 << 20;

/// Acknowledged writes that a replica does not show yet: ids and times of acknowledgement, oldest first.
#[derive(Default)]
pub(super) struct Waiting(Mutex<VecDeque<(u64, u64)>>);

impl Waiting {
    /// Adds an acknowledged write.
    pub(super) fn acknowledged(&self, id: u64, at_us: u64) {
        let mut waiting = self.writes();
        if waiting.len() < MOST {
            waiting.push_back((id, at_us));
        }
    }

    /// The oldest writes that were acknowledged by this time.
    fn oldest(&self, at_us: u64) -> Vec<u64> {
        let waiting = self.writes();
        waiting.iter().take(AT_ONCE).take_while(|(_, acknowledged)| *acknowledged <= at_us).map(|(id, _)| *id).collect()
    }

    /// Removes the writes that the replica shows.
    fn shown(&self, ids: &HashSet<u64>) {
        if !ids.is_empty() {
            self.writes().retain(|(id, _)| !ids.contains(id));
        }
    }

    /// The lag at this time, by what the replica has shown since.
    fn behind(&self, at_us: u64) -> u64 {
        self.writes().front().map_or(0, |(_, acknowledged)| at_us.saturating_sub(*acknowledged))
    }

    // A panic while the lock was held leaves the writes as they were, or some of them to be queried again.
    fn writes(&self) -> MutexGuard<'_, VecDeque<(u64, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Samples the lag of one replica, over one connection that is reopened if it breaks.
pub(super) struct Looker {
    plan: Arc<Plan>,
    journal: Arc<Journal>,
    pod: String,
    server: Server,
    waiting: Arc<Waiting>,
    conn: Option<Conn>,
}

impl Looker {
    /// A looker without a connection yet.
    pub(super) fn new(plan: Arc<Plan>, password: &Secret, replica: &Replica, journal: Arc<Journal>) -> Self {
        let (server, pod) = (Server::of(&plan, password, &replica.host), replica.pod.clone());
        Self { plan, journal, pod, server, waiting: Arc::default(), conn: None }
    }

    /// The queue to which the writers add acknowledged writes.
    pub(super) fn waiting(&self) -> Arc<Waiting> {
        self.waiting.clone()
    }

    /// Takes samples until the ledger ends, or until the journal cannot be written.
    pub(super) async fn run(mut self, ended: CancellationToken) {
        let mut beat = interval(Duration::from_millis(self.plan.look_every_ms.max(1)));
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let looks = async {
            loop {
                beat.tick().await;
                let lag = self.look().await;
                if self.journal.look(lag).is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            () = ended.cancelled() => {}
            () = looks => {}
        }
    }

    async fn look(&mut self) -> Lag {
        let limit = Duration::from_millis(self.plan.write_timeout_ms);
        let mut at_us = self.journal.now_us();
        let seen = timeout(limit, self.see(&mut at_us)).await;
        // If the process did not run meanwhile, a late answer would be about another time.
        let in_time = self.journal.now_us().saturating_sub(at_us) <= self.plan.write_timeout_ms.saturating_mul(1000);
        let behind_us = seen.ok().and_then(Result::ok).filter(|_| in_time);
        Lag { pod: self.pod.clone(), at_us, behind_us }
    }

    /// Queries the oldest writes until one of them is missing or none is left. A connection that breaks or misses the
    /// deadline is dropped.
    async fn see(&mut self, at_us: &mut u64) -> Result<u64, String> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.server.connect().await?,
        };
        *at_us = self.journal.now_us();
        loop {
            let asked = self.waiting.oldest(*at_us);
            let shown = sql::run(&mut conn, question(&self.plan.table, &asked)).await;
            let rows = shown.map_err(|error| sql::reason(&error))?.unwrap_or_default();
            let ids: HashSet<u64> = rows.iter().filter_map(|row| row.get("id")?.as_ref()?.parse().ok()).collect();
            self.waiting.shown(&ids);
            if asked.len() < AT_ONCE || ids.len() < asked.len() {
                self.conn = Some(conn);
                return Ok(self.waiting.behind(*at_us));
            }
        }
    }
}

/// Queries which of these writes exist. Without any it asks for the id 0, which no write has, to see whether the
/// replica answers.
fn question(table: &str, ids: &[u64]) -> String {
    let list: Vec<String> = ids.iter().map(u64::to_string).collect();
    let list = if list.is_empty() { "0".to_owned() } else { list.join(", ") };
    format!("SELECT id FROM {table} WHERE id IN ({list})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(writes: impl IntoIterator<Item = (u64, u64)>) -> Waiting {
        let waiting = Waiting::default();
        writes.into_iter().for_each(|(id, at_us)| waiting.acknowledged(id, at_us));
        waiting
    }

    #[test]
    fn the_oldest_write_that_is_missing_says_how_far_behind_a_replica_is() {
        let waiting = waiting([(2, 100), (1, 110), (3, 120)]);
        assert_eq!(waiting.behind(150), 50);
        waiting.shown(&HashSet::from([2, 3]));
        assert_eq!(waiting.behind(150), 40, "1 was acknowledged later, and committed later perhaps");
        waiting.shown(&HashSet::from([1]));
        assert_eq!(waiting.behind(150), 0);
    }

    #[test]
    fn what_was_acknowledged_after_the_question_is_not_missed() {
        let waiting = waiting([(1, 100), (2, 200)]);
        assert_eq!(waiting.oldest(150), [1]);
        waiting.shown(&HashSet::from([1]));
        assert_eq!(waiting.behind(150), 0);
        assert_eq!(waiting.oldest(200), [2]);
    }

    #[test]
    fn many_are_asked_for_some_at_a_time() {
        let many = AT_ONCE as u64 + 10;
        let waiting = waiting((1..=many).map(|id| (id, id)));
        let first = waiting.oldest(many);
        assert_eq!(first.len(), AT_ONCE);
        waiting.shown(&first.into_iter().filter(|id| *id != 7).collect());
        assert_eq!(waiting.oldest(many).first(), Some(&7));
        assert_eq!(waiting.oldest(many).len(), 11);
        assert_eq!(waiting.behind(many), many - 7);
    }

    #[test]
    fn a_replica_that_shows_all_is_asked_whether_it_answers() {
        assert_eq!(question("a.b", &[]), "SELECT id FROM a.b WHERE id IN (0)");
        assert_eq!(question("a.b", &[2, 1]), "SELECT id FROM a.b WHERE id IN (2, 1)");
    }
}
