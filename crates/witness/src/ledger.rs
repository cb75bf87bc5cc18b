//! The write ledger: inserts at a steady rate that continue whatever happens to the harness, the API server and this
//! process. It runs in the pod's main process. Sessions control it through a socket and read its journal. Its orders
//! are in the journal too, except the password, which it reads from a file.

mod connect;
mod journal;
mod lag;
mod socket;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Mutex, OwnedRwLockWriteGuard, RwLock, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::protocol::{Activity, LedgerAnswer, LedgerAsk, Plan, Secret};
use crate::evidence::Entries;
use journal::{Broken, Item, Journal, Orders};
use lag::Looker;
use writer::Writer;

pub(crate) use connect::nameserver;
pub(crate) use socket::{listen, relay};

/// The ledger of one witness.
pub(crate) struct Ledger {
    journal: Arc<Journal>,
    /// The file with the password of the ledger's account.
    password: PathBuf,
    /// Also serializes requests: a start must not overtake a pause that is still waiting.
    under_way: Mutex<Option<UnderWay>>,
    activity: watch::Sender<Activity>,
    /// Background tasks that end with the ledger.
    _kept: [AbortOnDropHandle<()>; 2],
}

/// The running writers and lookers.
struct UnderWay {
    /// A write holds it shared, a pause exclusively.
    gate: Arc<RwLock<()>>,
    pause: Option<OwnedRwLockWriteGuard<()>>,
    ended: CancellationToken,
    tasks: JoinSet<()>,
}

impl Ledger {
    /// Opens the ledger with its journal in this folder. Entries of an earlier process can be read, and its orders
    /// continue from here on, with the password in this file.
    ///
    /// # Errors
    /// If the journal cannot be read or written, or if the password is needed and cannot be read.
    pub(crate) fn open(folder: &Path, password: &Path) -> io::Result<Self> {
        let journal = Arc::new(Journal::open(&folder.join("journal.jsonl"))?);
        let Orders { plan, paused } = journal.orders();
        let begin = |plan| Ok::<_, io::Error>(UnderWay::begin(plan, &secret(password)?, &journal, paused));
        let under_way = plan.map(begin).transpose()?;
        let activity = under_way.as_ref().map_or(Activity::Idle, UnderWay::activity);
        let kept = [
            AbortOnDropHandle::new(tokio::spawn(journal::keep_durable(journal.clone()))),
            AbortOnDropHandle::new(tokio::spawn(journal::keep_time(journal.clone()))),
        ];
        let (under_way, activity) = (Mutex::new(under_way), watch::Sender::new(activity));
        Ok(Self { journal, password: password.to_owned(), under_way, activity, _kept: kept })
    }

    /// Carries out a request.
    pub(crate) async fn answer(&self, ask: LedgerAsk) -> LedgerAnswer {
        let done = match ask {
            LedgerAsk::Start(plan) => self.start(plan).await,
            LedgerAsk::Pause => self.pause().await,
            LedgerAsk::Resume => self.resume().await,
            LedgerAsk::Stop => self.stop().await,
            LedgerAsk::Read { after, limit } => self.read(after, limit),
        };
        done.unwrap_or_else(|message| LedgerAnswer::Refused { message })
    }

    async fn start(&self, plan: Plan) -> Result<LedgerAnswer, String> {
        let mut under_way = self.under_way.lock().await;
        if under_way.is_none() {
            let password = secret(&self.password).map_err(|error| error.to_string())?;
            self.order(Orders { plan: Some(plan.clone()), paused: false }).await?;
            *under_way = Some(UnderWay::begin(plan, &password, &self.journal, false));
            self.activity.send_replace(Activity::Running);
        }
        self.trouble().map(|()| LedgerAnswer::Done)
    }

    /// Pauses the writers; a ledger that is not running needs no pause.
    async fn pause(&self) -> Result<LedgerAnswer, String> {
        if let Some(under_way) = self.under_way.lock().await.as_mut()
            && under_way.pause.is_none()
        {
            under_way.pause = Some(under_way.gate.clone().write_owned().await);
            self.activity.send_replace(Activity::Paused);
            self.order(Orders { paused: true, ..self.journal.orders() }).await?;
        }
        Ok(LedgerAnswer::Done)
    }

    async fn resume(&self) -> Result<LedgerAnswer, String> {
        if let Some(under_way) = self.under_way.lock().await.as_mut()
            && under_way.pause.is_some()
        {
            self.order(Orders { paused: false, ..self.journal.orders() }).await?;
            under_way.pause = None;
            self.activity.send_replace(Activity::Running);
        }
        Ok(LedgerAnswer::Done)
    }

    async fn stop(&self) -> Result<LedgerAnswer, String> {
        let mut slot = self.under_way.lock().await;
        if let Some(under_way) = slot.take() {
            under_way.end().await;
            self.journal.close("its writer broke");
        }
        self.order(Orders::default()).await?;
        self.activity.send_replace(Activity::Idle);
        Ok(LedgerAnswer::Done)
    }

    /// Stops with everything on the disk; the ledger continues when it is opened again.
    pub(crate) async fn rest(&self) {
        if let Some(under_way) = self.under_way.lock().await.take() {
            under_way.end().await;
            self.journal.close("its writer broke");
        }
        // If the journal has trouble, its last line is missing, which the next process detects.
        let _ = self.journal.rest();
        self.journal.sync().await;
    }

    fn read(&self, after: u64, limit: usize) -> Result<LedgerAnswer, String> {
        // Reads the activity first: if it is idle, no entry follows those that are read now.
        let activity = *self.activity.borrow();
        self.trouble()?;
        let (items, next) =
            self.journal.read(after, limit).map_err(|error| format!("the ledger's journal: {error}"))?;
        let now_us = self.journal.now_us();
        let last = (activity == Activity::Idle).then(|| self.journal.highest()).filter(|highest| *highest > 0);
        let (writes, lags, doubtful, lapses) = Default::default();
        let mut entries = Entries { now_us, asked_us: None, writes, lags, doubtful, lapses, last };
        for item in items {
            match item {
                Item::Ended(entry) => entries.writes.push(entry),
                Item::Lag(lag) => entries.lags.push(lag),
                Item::Lapse(lapse) => entries.lapses.push(lapse),
                Item::Doubtful(ids) => entries.doubtful.push(ids),
            }
        }
        Ok(LedgerAnswer::Read { next, activity, entries })
    }

    /// Writes the orders to the journal and syncs it to the disk.
    async fn order(&self, orders: Orders) -> Result<(), String> {
        // The journal reports its own trouble.
        let (Ok(()) | Err(Broken)) = self.journal.order(orders);
        self.journal.sync().await;
        self.trouble()
    }

    /// Fails if the journal has lost something, so that it is not taken for complete.
    fn trouble(&self) -> Result<(), String> {
        self.journal.trouble().map_or(Ok(()), |why| Err(format!("the ledger's journal cannot be kept: {why}")))
    }
}

/// Reads a password from a file, without the final newline that an editor adds.
fn secret(file: &Path) -> io::Result<Secret> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| io::Error::new(error.kind(), format!("the writer's password, {}: {error}", file.display())))?;
    Ok(Secret::from(text.trim_end_matches('\n')))
}

impl UnderWay {
    fn begin(plan: Plan, password: &Secret, journal: &Arc<Journal>, paused: bool) -> Self {
        let plan = Arc::new(plan);
        let (gate, ended, mut tasks) = (Arc::new(RwLock::new(())), CancellationToken::new(), JoinSet::new());
        // Nobody else has the gate yet.
        let pause = paused.then(|| gate.clone().try_write_owned().ok()).flatten();
        let mut waiting = Vec::new();
        for replica in &plan.replicas {
            let looker = Looker::new(plan.clone(), password, replica, journal.clone());
            waiting.push(looker.waiting());
            tasks.spawn(looker.run(ended.clone()));
        }
        for index in 0..plan.writers {
            let writer = Writer::new(plan.clone(), password, journal.clone(), waiting.clone());
            tasks.spawn(writer.run(index, gate.clone(), ended.clone()));
        }
        Self { gate, pause, ended, tasks }
    }

    fn activity(&self) -> Activity {
        if self.pause.is_some() { Activity::Paused } else { Activity::Running }
    }

    /// Ends after every write that is under way has its outcome.
    async fn end(mut self) {
        self.ended.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests;
