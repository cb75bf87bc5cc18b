//! The harness's side of the witness's ledger: says when to write, and reads what was written. The witness continues
//! while the connection is broken; its entries are read once the connection is back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::error::ScenarioError;
use super::rate::Rate;
use crate::evidence::{Act, Row, SqlAnswer, What};
use crate::mysql::intervals::Intervals;
use crate::mysql::statements;
use crate::witness::protocol::{Activity, Answer, Ask, LedgerAnswer, LedgerAsk, Plan, Replica};

const READ_EVERY: Duration = Duration::from_secs(1);

/// The number of entries per answer, whose line stays well below a megabyte.
const AT_ONCE: usize = 1_000;

/// The interval at which the witness samples a replica's lag.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The pause before trying again to reach the witness.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// Reads the ledger repeatedly while there is one, until the scenarios have ended.
pub async fn collect(context: Arc<Context>, ended: CancellationToken) {
    let mut beat = interval(READ_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut trouble = None;
    loop {
        tokio::select! {
            biased;
            () = ended.cancelled() => return,
            _ = beat.tick() => {}
        }
        let read = match context.read_on(false).await {
            Ok(Some(Activity::Idle)) if context.ledger_is_wanted() => {
                Err("it does not write, and nobody stopped it".to_owned())
            }
            read => read.map(drop),
        };
        // Note each interruption only once: the next successful read catches up.
        if let (Err(error), None) = (&read, &trouble) {
            context.journal.note(format!("the ledger cannot be read for now: {error}"));
        }
        trouble = read.err();
    }
}

impl Context {
    /// Starts the ledger, if the run has one. From now on servers are compared only [`Context::at_rest`].
    pub(crate) async fn start_ledger(&self) -> Result<(), ScenarioError> {
        let (mut wanted, Some(rate)) = (self.reader.wanted.lock().await, self.ledger.rate) else { return Ok(()) };
        let doing = async {
            self.insist("start its ledger", LedgerAsk::Start(self.plan(rate))).await?;
            Ok::<_, ScenarioError>(vec![self.last_record()])
        };
        self.disrupt(Act::StartLedger { writers: rate.writers, per_second: rate.per_second }, doing).await?;
        *self.reader.position.lock().await = Some(0);
        *wanted = true;
        Ok(())
    }

    /// Takes over the ledger that an earlier run of the program started, from its first entry on.
    pub(crate) async fn take_over_ledger(&self) -> Result<(), ScenarioError> {
        let mut wanted = self.reader.wanted.lock().await;
        // The run that paused the ledger may have been killed before resuming it.
        self.insist("go on with its ledger", LedgerAsk::Resume).await?;
        *self.reader.position.lock().await = Some(0);
        *wanted = true;
        Ok(())
    }

    /// Ends the ledger, and records its remaining entries.
    pub(crate) async fn stop_ledger(&self) -> Result<(), ScenarioError> {
        let mut wanted = self.reader.wanted.lock().await;
        if !*wanted {
            return Ok(());
        }
        let doing = async {
            self.insist("stop its ledger", LedgerAsk::Stop).await?;
            self.patiently("hand over its ledger", async || self.read_on(true).await).await?;
            Ok::<_, ScenarioError>(vec![self.last_record()])
        };
        self.disrupt(Act::StopLedger, doing).await?;
        *self.reader.position.lock().await = None;
        *wanted = false;
        Ok(())
    }

    /// Does something while the ledger does not write. Every write sent before has its outcome by then. The ledger
    /// resumes afterwards, even after an error.
    pub(crate) async fn at_rest<T>(
        &self,
        doing: impl Future<Output = Result<T, ScenarioError>>,
    ) -> Result<T, ScenarioError> {
        let wanted = self.reader.wanted.lock().await;
        if !*wanted {
            return doing.await;
        }
        let done = match self.insist("rest", LedgerAsk::Pause).await {
            Ok(()) => doing.await,
            Err(error) => Err(error),
        };
        let resumed = self.insist("go on with its ledger", LedgerAsk::Resume).await;
        let done = done?;
        resumed.map(|()| done)
    }

    /// Records the ledger's new entries, each once, and returns its activity if it was started. With `ended`, the last
    /// record says that the ledger has ended, even without new entries.
    async fn read_on(&self, ended: bool) -> Result<Option<Activity>, String> {
        let mut position = self.reader.position.lock().await;
        let Some(position) = position.as_mut() else { return Ok(None) };
        loop {
            let ask = LedgerAsk::Read { after: *position, limit: AT_ONCE };
            let asked_us = self.journal.log.now_us();
            let LedgerAnswer::Read { next, activity, mut entries } = self.tell(ask).await? else {
                return Err("the witness answered a different request".to_owned());
            };
            let count = entries.items();
            if count > 0 || (ended && entries.last.is_some()) {
                entries.asked_us = Some(asked_us);
                self.journal.log.record(What::Entries(entries));
            }
            *position = next;
            if count < AT_ONCE {
                return Ok(Some(activity));
            }
        }
    }

    /// Whether the ledger should be writing, and no one is about to change that.
    fn ledger_is_wanted(&self) -> bool {
        self.reader.wanted.try_lock().is_ok_and(|wanted| *wanted)
    }

    fn plan(&self, rate: Rate) -> Plan {
        let milliseconds = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let subject = &self.workload.subject;
        Plan {
            host: subject.fqdn(&subject.primary()),
            port: subject.port,
            user: statements::WRITER_USER.to_owned(),
            tls: self.workload.hints.tls,
            table: statements::ENTRIES_TABLE.to_owned(),
            writers: rate.writers,
            per_second: rate.per_second,
            write_timeout_ms: milliseconds(self.timeouts.write),
            replicas: subject.replica_pods().map(|pod| Replica { host: subject.fqdn(&pod), pod }).collect(),
            look_every_ms: milliseconds(LOOK_EVERY),
            semi_sync: self.ledger.semi_sync.then(|| statements::SEMI_SYNC_STATUS.to_owned()),
        }
    }

    async fn insist(&self, what: &str, ask: LedgerAsk) -> Result<(), ScenarioError> {
        self.patiently(what, async || self.tell(ask.clone()).await.map(drop)).await
    }

    /// Retries until it succeeds: the connection to the witness may be broken for a while.
    async fn patiently<T>(&self, what: &str, attempt: impl AsyncFn() -> Result<T, String>) -> Result<T, ScenarioError> {
        let (begun, limit) = (Instant::now(), self.vain.brief(self.timeouts.recovery));
        loop {
            match attempt().await {
                Ok(done) => return Ok(done),
                Err(reason) if begun.elapsed() >= limit => {
                    return Err(ScenarioError::Ledger { what: what.to_owned(), reason });
                }
                Err(_) => sleep(RETRY_AFTER).await,
            }
        }
    }

    async fn tell(&self, ask: LedgerAsk) -> Result<LedgerAnswer, String> {
        match self.witnesses.near.ask(Ask::Ledger(ask), self.timeouts.sql).await {
            Ok((_, Answer::Ledger(LedgerAnswer::Refused { message }))) => Err(message),
            Ok((_, Answer::Ledger(answer))) => Ok(answer),
            Ok(_) => Err("the witness answered a different request".to_owned()),
            Err(trouble) => Err(trouble.to_string()),
        }
    }
}

/// One row instead of one per id: the ids, and the duplicate ids.
pub(crate) fn condensed(answer: SqlAnswer) -> SqlAnswer {
    let SqlAnswer::Rows(rows) = answer else { return answer };
    let mut ids: Vec<u64> = rows.iter().filter_map(|row| row.get("id")?.as_ref()?.parse().ok()).collect();
    ids.sort_unstable();
    let duplicates: Intervals = ids.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    let column = |name: &str, ids: Intervals| (name.to_owned(), Some(ids.to_string()));
    let ids = ids.into_iter().collect();
    SqlAnswer::Rows(vec![Row::from([column("ids", ids), column("duplicates", duplicates)])])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_ranges_and_those_that_are_there_twice_show() {
        let condense = |ids: &[u64]| {
            let row = |id: &u64| Row::from([("id".to_owned(), Some(id.to_string()))]);
            match condensed(SqlAnswer::Rows(ids.iter().map(row).collect())) {
                SqlAnswer::Rows(rows) => {
                    let column = |name: &str| rows[0][name].clone().unwrap_or_default();
                    assert_eq!(rows.len(), 1);
                    (column("ids"), column("duplicates"))
                }
                other => panic!("{other:?}"),
            }
        };
        let texts = |ids: &str, duplicates: &str| (ids.to_owned(), duplicates.to_owned());
        assert_eq!(condense(&[]), texts("", ""));
        assert_eq!(condense(&[7]), texts("7", ""));
        assert_eq!(condense(&[1, 2, 3, 7, 9, 10]), texts("1-3,7,9-10", ""));
        assert_eq!(condense(&[3, 1, 2, 2, 2, 3]), texts("1-3", "2-3"));
        assert_eq!(condense(&[u64::MAX, 1]), texts(&format!("1,{}", u64::MAX), ""));
    }

    #[test]
    fn what_is_no_answer_stays_one() {
        let error = SqlAnswer::Error { code: 1146, message: "no such table".into() };
        assert_eq!(condensed(error.clone()), error);
    }
}
