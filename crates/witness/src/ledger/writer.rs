//! A writer: an insert at each beat, over one connection that is reopened if it breaks. An insert has one of three
//! outcomes; a doubtful one is unknown.

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::sync::RwLock;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout_at};
use tokio_util::sync::CancellationToken;

use super::connect::Server;
use super::journal::{Broken, Journal};
use super::lag::Waiting;
use crate::evidence::{Entry, Row, WriteOutcome};
use crate::protocol::{Plan, Secret};
use crate::sql;

/// Errors that can accompany the end of a statement or of its connection whether or not the statement has committed:
/// shutdowns, broken packets, a commit or a binary log that failed half-way, kills, and an idle connection that was
/// closed (<https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>; for MariaDB's own
/// <https://mariadb.com/kb/en/mariadb-error-codes/>).
const IN_DOUBT: [u16; 17] =
    [1026, 1053, 1079, 1080, 1152, 1154, 1158, 1159, 1160, 1161, 1180, 1184, 1317, 1598, 1927, 3169, 4031];

/// A writer of the ledger.
pub(super) struct Writer {
    plan: Arc<Plan>,
    journal: Arc<Journal>,
    /// For each replica, the writes that it does not show yet.
    replicas: Vec<Arc<Waiting>>,
    primary: Server,
    conn: Option<Conn>,
}

/// Whether commits wait for a replica, and how many have waited so far.
struct SemiSync {
    on: bool,
    waited: u64,
}

impl Writer {
    /// A writer without a connection yet.
    pub(super) fn new(plan: Arc<Plan>, password: &Secret, journal: Arc<Journal>, replicas: Vec<Arc<Waiting>>) -> Self {
        let primary = Server::of(&plan, password, &plan.host);
        Self { plan, journal, replicas, primary, conn: None }
    }

    /// Writes at each beat until the ledger ends, or until the journal cannot be written. An unreachable server is
    /// tried again at each beat. The beats of the writers are spread over one period.
    pub(super) async fn run(mut self, index: u32, gate: Arc<RwLock<()>>, ended: CancellationToken) {
        let period = Duration::from_secs(1) / self.plan.per_second.max(1);
        let mut beat = interval_at(Instant::now() + period * index / self.plan.writers.max(1), period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            let may_write = async {
                beat.tick().await;
                gate.read().await
            };
            let _under_way = tokio::select! {
                biased;
                () = ended.cancelled() => break,
                under_way = may_write => under_way,
            };
            if self.write().await.is_err() {
                break;
            }
        }
        if let Some(conn) = self.conn.take() {
            // Nothing depends on a clean disconnect.
            let _ = conn.disconnect().await;
        }
    }

    /// One write, from its id to its outcome.
    async fn write(&mut self) -> Result<(), Broken> {
        let limit = Duration::from_millis(self.plan.write_timeout_ms);
        let deadline = Instant::now() + limit;
        let (id, sent_us) = self.journal.begin()?;
        let ready = timeout_at(deadline, self.ready()).await;
        let (mut conn, before) = match ready.unwrap_or_else(|_| Err(format!("no connection within {limit:?}"))) {
            Ok(ready) => ready,
            Err(why) => {
                let outcome = WriteOutcome::Rejected(format!("not sent: {why}"));
                return self.journal.end(Entry {
                    id,
                    sent_us,
                    ended_us: self.journal.now_us(),
                    outcome,
                    semi_sync: None,
                });
            }
        };
        let insert = format!("INSERT INTO {} (id) VALUES ({id})", self.plan.table);
        let answer = timeout_at(deadline, conn.query_drop(insert)).await;
        let ended_us = self.journal.now_us();
        let outcome = match answer {
            Ok(answer) => outcome(answer),
            Err(_) => WriteOutcome::Unknown(format!("no answer within {limit:?}")),
        };
        let mut semi_sync = None;
        if outcome == WriteOutcome::Acknowledged {
            self.replicas.iter().for_each(|replica| replica.acknowledged(id, ended_us));
            if let Some(before) = before {
                let after = timeout_at(deadline, self.semi_sync(&mut conn)).await;
                semi_sync = after.ok().and_then(Result::ok).flatten().map(|after| before.held_until(&after));
            }
        }
        // On a connection with an open question, the next question would get the answer to this one.
        let whole = semi_sync.is_some() || self.plan.semi_sync.is_none();
        let kept = match outcome {
            WriteOutcome::Acknowledged => whole,
            WriteOutcome::Rejected(_) => true,
            WriteOutcome::Unknown(_) => false,
        };
        self.conn = kept.then_some(conn);
        self.journal.end(Entry { id, sent_us, ended_us, outcome, semi_sync })
    }

    /// A connection that can take the insert, and its state of semi-synchronous replication.
    async fn ready(&mut self) -> Result<(Conn, Option<SemiSync>), String> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.primary.connect().await?,
        };
        let before = self.semi_sync(&mut conn).await.map_err(|error| sql::reason(&error))?;
        Ok((conn, before))
    }

    async fn semi_sync(&self, conn: &mut Conn) -> Result<Option<SemiSync>, Error> {
        let Some(statement) = &self.plan.semi_sync else { return Ok(None) };
        let rows = sql::run(conn, statement.clone()).await?;
        Ok(Some(SemiSync::of(&rows.unwrap_or_default())))
    }
}

impl SemiSync {
    /// Reads the status variables. Prefixes and case differ between servers, suffixes do not.
    fn of(rows: &[Row]) -> Self {
        let column = |row: &Row, wanted: &str| {
            let found = row.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.and_then(|(_, value)| value.clone()).unwrap_or_default()
        };
        let value = |ending: &str| {
            let row = rows.iter().find(|row| column(row, "variable_name").to_lowercase().ends_with(ending));
            row.map(|row| column(row, "value")).unwrap_or_default()
        };
        Self { on: value("_status").eq_ignore_ascii_case("on"), waited: value("_yes_tx").parse().unwrap_or_default() }
    }

    /// Whether a commit between the two readings waited for a replica, as far as that is visible.
    fn held_until(&self, after: &Self) -> bool {
        self.on && after.on && after.waited > self.waited
    }
}

/// The outcome of an insert by its answer.
fn outcome(answer: Result<(), Error>) -> WriteOutcome {
    match answer {
        Ok(()) => WriteOutcome::Acknowledged,
        Err(Error::Server(error)) => {
            let why = format!("{}: {}", error.code, error.message);
            if IN_DOUBT.contains(&error.code) { WriteOutcome::Unknown(why) } else { WriteOutcome::Rejected(why) }
        }
        Err(error) => WriteOutcome::Unknown(sql::reason(&error)),
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::{DriverError, ServerError};

    use super::*;

    fn refused(code: u16) -> WriteOutcome {
        outcome(Err(Error::Server(ServerError { code, message: "no".into(), state: "HY000".into() })))
    }

    #[test]
    fn a_refusal_is_one_and_a_death_leaves_doubt() {
        assert_eq!(outcome(Ok(())), WriteOutcome::Acknowledged);
        for code in [1062, 1290, 1836, 1146, 1142] {
            assert_eq!(refused(code), WriteOutcome::Rejected(format!("{code}: no")));
        }
        for code in [1053, 1317, 1927, 3169, 1180] {
            assert_eq!(refused(code), WriteOutcome::Unknown(format!("{code}: no")));
        }
        let closed = outcome(Err(Error::Driver(DriverError::ConnectionClosed)));
        assert!(matches!(closed, WriteOutcome::Unknown(_)), "{closed:?}");
    }

    fn semi_sync(kind: &str, status: &str, waited: &str) -> SemiSync {
        let row = |name: String, value: &str| {
            Row::from([("Variable_name".into(), Some(name)), ("Value".into(), Some(value.into()))])
        };
        let name = |rest| format!("Rpl_semi_sync_{kind}_{rest}");
        SemiSync::of(&[row(name("status"), status), row(name("yes_tx"), waited)])
    }

    #[test]
    fn a_commit_waited_only_if_it_was_on_before_and_after_and_one_was_counted() {
        for kind in ["master", "source"] {
            assert!(semi_sync(kind, "ON", "7").held_until(&semi_sync(kind, "ON", "8")));
            assert!(!semi_sync(kind, "ON", "7").held_until(&semi_sync(kind, "ON", "7")));
            assert!(!semi_sync(kind, "OFF", "7").held_until(&semi_sync(kind, "ON", "8")));
            assert!(!semi_sync(kind, "ON", "7").held_until(&semi_sync(kind, "OFF", "8")));
        }
        assert!(!SemiSync::of(&[]).held_until(&SemiSync::of(&[])));
    }
}
