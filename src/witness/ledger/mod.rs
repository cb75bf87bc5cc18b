//! The write ledger: inserts at a steady rate that go on whatever becomes of the harness and the API server. It lives
//! in the pod's main process; sessions tell it what to do through a socket, and read what it wrote down.

mod connect;
mod journal;
mod lag;
mod socket;
mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{Mutex, OwnedRwLockWriteGuard, RwLock, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::protocol::{Activity, LedgerAnswer, LedgerAsk, Plan};
use crate::evidence::Entries;
use journal::{Item, Journal};
use lag::Looker;
use writer::Writer;

pub use socket::{listen, relay};

/// Microseconds on the node's monotonic clock, which a container that is started again does not set back.
fn now_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let (seconds, nanoseconds) = (u64::try_from(now.tv_sec), u64::try_from(now.tv_nsec));
    seconds.unwrap_or_default() * 1_000_000 + nanoseconds.unwrap_or_default() / 1_000
}

/// The ledger of one witness.
pub struct Ledger {
    journal: Arc<Journal>,
    /// Also those who ask are one after another here: a pause that waits must not be overtaken by a start.
    under_way: Mutex<Option<UnderWay>>,
    activity: watch::Sender<Activity>,
    /// Ends with the ledger.
    _syncer: AbortOnDropHandle<()>,
}

/// Writers and lookers at work.
struct UnderWay {
    /// Every write holds it shared, and a pause alone.
    gate: Arc<RwLock<()>>,
    pause: Option<OwnedRwLockWriteGuard<()>>,
    ended: CancellationToken,
    tasks: JoinSet<()>,
}

impl Ledger {
    /// The ledger whose journal is in this folder: what an earlier process wrote there can be read, and nothing runs.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let journal = Arc::new(Journal::open(&folder.join("journal.jsonl"))?);
        let syncer = AbortOnDropHandle::new(tokio::spawn(journal::keep_durable(journal.clone())));
        let activity = watch::Sender::new(Activity::Idle);
        Ok(Self { journal, under_way: Mutex::default(), activity, _syncer: syncer })
    }

    /// Does as it is told.
    pub async fn answer(&self, ask: LedgerAsk) -> LedgerAnswer {
        let done = match ask {
            LedgerAsk::Start(plan) => self.start(plan).await,
            LedgerAsk::Pause => {
                self.pause().await;
                Ok(LedgerAnswer::Done)
            }
            LedgerAsk::Resume => {
                self.resume().await;
                Ok(LedgerAnswer::Done)
            }
            LedgerAsk::Stop => self.stop().await,
            LedgerAsk::Read { after, limit } => self.read(after, limit),
        };
        done.unwrap_or_else(|message| LedgerAnswer::Refused { message })
    }

    async fn start(&self, plan: Plan) -> Result<LedgerAnswer, String> {
        let mut under_way = self.under_way.lock().await;
        self.trouble()?;
        if under_way.is_none() {
            *under_way = Some(UnderWay::begin(plan, &self.journal));
            self.activity.send_replace(Activity::Running);
        }
        Ok(LedgerAnswer::Done)
    }

    /// What does not run is at rest already.
    async fn pause(&self) {
        if let Some(under_way) = self.under_way.lock().await.as_mut()
            && under_way.pause.is_none()
        {
            under_way.pause = Some(under_way.gate.clone().write_owned().await);
            self.activity.send_replace(Activity::Paused);
        }
    }

    async fn resume(&self) {
        if let Some(under_way) = self.under_way.lock().await.as_mut() {
            under_way.pause = None;
            self.activity.send_replace(Activity::Running);
        }
    }

    async fn stop(&self) -> Result<LedgerAnswer, String> {
        let mut slot = self.under_way.lock().await;
        if let Some(under_way) = slot.as_mut() {
            under_way.ended.cancel();
            while under_way.tasks.join_next().await.is_some() {}
            *slot = None;
        }
        self.journal.close("its writer broke");
        self.journal.sync().await;
        self.activity.send_replace(Activity::Idle);
        self.trouble()?;
        Ok(LedgerAnswer::Done)
    }

    fn read(&self, after: u64, limit: usize) -> Result<LedgerAnswer, String> {
        // Looked at first: when it says that nothing runs, nothing comes after what is read now.
        let activity = *self.activity.borrow();
        self.trouble()?;
        let (items, next) = self.journal.read(after, limit);
        let mut entries = Entries { now_us: now_us(), writes: Vec::new(), lags: Vec::new() };
        for item in items {
            match item {
                Item::Ended(entry) => entries.writes.push(entry),
                Item::Lag(lag) => entries.lags.push(lag),
            }
        }
        Ok(LedgerAnswer::Read { next, activity, entries })
    }

    /// A journal that has lost something must not be taken for the whole story.
    fn trouble(&self) -> Result<(), String> {
        self.journal.trouble().map_or(Ok(()), |why| Err(format!("the ledger's journal cannot be kept: {why}")))
    }
}

impl UnderWay {
    fn begin(plan: Plan, journal: &Arc<Journal>) -> Self {
        let plan = Arc::new(plan);
        let (gate, ended, mut tasks) = (Arc::new(RwLock::new(())), CancellationToken::new(), JoinSet::new());
        let mut waiting = Vec::new();
        for replica in &plan.replicas {
            let looker = Looker::new(plan.clone(), replica, journal.clone());
            waiting.push(looker.waiting());
            tasks.spawn(looker.run(ended.clone()));
        }
        for index in 0..plan.writers {
            let writer = Writer::new(plan.clone(), journal.clone(), waiting.clone());
            tasks.spawn(writer.run(index, gate.clone(), ended.clone()));
        }
        Self { gate, pause: None, ended, tasks }
    }
}

#[cfg(test)]
mod tests;
