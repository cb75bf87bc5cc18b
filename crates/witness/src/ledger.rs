//! The write ledger: inserts at a steady rate that go on whatever becomes of the harness, the API server and this very
//! process. It lives in the pod's main process; sessions tell it what to do through a socket, and read what it wrote
//! down. What it was told is written down too, but for the password, which it takes from a file.

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

pub use connect::nameserver;
pub use socket::{listen, relay};

/// The ledger of one witness.
pub struct Ledger {
    journal: Arc<Journal>,
    /// The file with the writer's password.
    password: PathBuf,
    /// Also those who ask are one after another here: a pause that waits must not be overtaken by a start.
    under_way: Mutex<Option<UnderWay>>,
    activity: watch::Sender<Activity>,
    /// End with the ledger.
    _kept: [AbortOnDropHandle<()>; 2],
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
    /// The ledger whose journal is in this folder. What an earlier process wrote there can be read; what it was told to
    /// do is done from here on, with the password in this file.
    ///
    /// # Errors
    /// When the journal cannot be read or written, or there is no password to go on with.
    pub fn open(folder: &Path, password: &Path) -> io::Result<Self> {
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

    /// Does as it is told.
    pub async fn answer(&self, ask: LedgerAsk) -> LedgerAnswer {
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

    /// What does not run is at rest already.
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

    /// Ends with everything on the disk, and goes on when it is opened again.
    pub async fn rest(&self) {
        if let Some(under_way) = self.under_way.lock().await.take() {
            under_way.end().await;
            self.journal.close("its writer broke");
        }
        // A journal that is in trouble is found without its last line.
        let _ = self.journal.rest();
        self.journal.sync().await;
    }

    fn read(&self, after: u64, limit: usize) -> Result<LedgerAnswer, String> {
        // Looked at first: when it says that nothing runs, nothing comes after what is read now.
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

    /// Writes down what is to be done, and has it on the disk.
    async fn order(&self, orders: Orders) -> Result<(), String> {
        // What is wrong with the journal is told by it.
        let (Ok(()) | Err(Broken)) = self.journal.order(orders);
        self.journal.sync().await;
        self.trouble()
    }

    /// A journal that has lost something must not be taken for the whole story.
    fn trouble(&self) -> Result<(), String> {
        self.journal.trouble().map_or(Ok(()), |why| Err(format!("the ledger's journal cannot be kept: {why}")))
    }
}

/// The password in a file, without the line's end that an editor leaves.
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

    /// Ends once what is under way has its outcome.
    async fn end(mut self) {
        self.ended.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests;
