//! The ledger's journal on its volume: its orders, a line before each write is sent, another one with its outcome, and
//! one for each lag sample. Whatever ends the process, every write that may have been sent is known, every outcome that
//! was handed over is still there, and the next process continues.

mod story;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::evidence::{BEAT, Entry, Ids, Lag, Lapse, Reading, Sampler, WriteOutcome, boot_us, wall_us};
use story::{Extent, Line, ProcessLife, Story};

pub(super) use story::{Item, Orders};

/// How long lines are gathered for one sync: the servers of the node need the disk too.
const SYNC_EVERY: Duration = Duration::from_millis(100);

/// How many ids a process may have used without a trace when its node lost power: more than any plan sends between two
/// syncs.
const LEAP: u64 = 10_000;

/// The file with the id of the kernel's boot (<https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html>).
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// The journal of one ledger.
pub(super) struct Journal {
    path: PathBuf,
    file: Arc<File>,
    /// How far the journal's clock is ahead of the node's time since boot, which continues while the node sleeps.
    ahead_us: u64,
    state: Mutex<State>,
    dirty: Notify,
}

struct State {
    story: Story,
    /// What is on the disk.
    durable: Extent,
    trouble: Option<String>,
}

/// The state of a process that begins after what the journal has. If the last process was on the same boot, none of its
/// lines is missing and its clock continues; nor is a line missing after a process that ended by itself. On another
/// boot or another node the only other clock is the wall clock.
fn begin_life(story: &Story, boot: &str) -> ProcessLife {
    let same = story.life.as_ref().filter(|life| life.boot == boot);
    let continued = || wall_us().max(story.latest_us).saturating_sub(boot_us());
    let whole = story.life.is_none() || same.is_some() || story.at_rest || story.orders.plan.is_none();
    let (first, last) = (story.highest + 1, story.highest + LEAP);
    let doubtful = (!whole).then_some(Ids { first, last });
    ProcessLife { boot: boot.to_owned(), ahead_us: same.map_or_else(continued, |life| life.ahead_us), doubtful }
}

impl Journal {
    /// Opens or creates the file. Writes of an earlier process without an outcome become unknown.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::open_on(path, std::fs::read_to_string(BOOT)?.trim())
    }

    fn open_on(path: &Path, boot: &str) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let story = Story::read(BufReader::new(&file))?;
        file.set_len(story.extent.bytes)?;
        let (path, life) = (path.to_owned(), begin_life(&story, boot));
        let (ahead_us, state) = (life.ahead_us, State { story, durable: Extent::default(), trouble: None });
        let journal = Self { path, file: Arc::new(file), ahead_us, state: Mutex::new(state), dirty: Notify::new() };
        // Whoever reads the journal learns of this failure.
        let _ = journal.append(&mut journal.state(), Line::Life(life));
        journal.close("the witness's process ended before the answer came");
        journal.file.sync_data()?;
        {
            let mut state = journal.state();
            state.durable = state.story.extent;
        }
        Ok(journal)
    }

    /// Microseconds on the journal's clock, which no process sets back.
    pub(super) fn now_us(&self) -> u64 {
        boot_us().saturating_add(self.ahead_us)
    }

    /// The last orders of the ledger.
    pub(super) fn orders(&self) -> Orders {
        self.state().story.orders.clone()
    }

    /// The highest id that was used.
    pub(super) fn highest(&self) -> u64 {
        self.state().story.highest
    }

    /// Writes down the ledger's orders.
    pub(super) fn order(&self, orders: Orders) -> Result<(), Broken> {
        self.append(&mut self.state(), Line::Orders(orders))
    }

    /// Writes down that this process ends by itself. No write may be under way.
    pub(super) fn rest(&self) -> Result<(), Broken> {
        self.append(&mut self.state(), Line::Rest)
    }

    /// Assigns a write its id, and writes down that it is about to be sent. Returns the id and the time.
    pub(super) fn begin(&self) -> Result<(u64, u64), Broken> {
        let mut state = self.state();
        let (id, at_us) = (state.story.highest + 1, self.now_us());
        self.append(&mut state, Line::Sent { id, at_us })?;
        Ok((id, at_us))
    }

    /// Writes down the outcome of a write.
    pub(super) fn end(&self, entry: Entry) -> Result<(), Broken> {
        self.append(&mut self.state(), Line::Ended(entry))
    }

    /// Writes down a lag sample.
    pub(super) fn look(&self, lag: Lag) -> Result<(), Broken> {
        self.append(&mut self.state(), Line::Lag(lag))
    }

    /// Writes down a lapse, whose times are on the node's clock.
    fn lapse(&self, Lapse { from_us, to_us, cause }: Lapse) -> Result<(), Broken> {
        let [from_us, to_us] = [from_us, to_us].map(|us| us.saturating_add(self.ahead_us));
        self.append(&mut self.state(), Line::Lapse(Lapse { from_us, to_us, cause }))
    }

    /// Writes down that the outcome of every unfinished write is unknown. No write may be under way.
    pub(super) fn close(&self, why: &str) {
        let mut state = self.state();
        let ended_us = self.now_us();
        for (id, sent_us) in state.story.unfinished.clone() {
            let outcome = WriteOutcome::Unknown(why.to_owned());
            let entry = Entry { id, sent_us, ended_us, outcome, semi_sync: None };
            if self.append(&mut state, Line::Ended(entry)).is_err() {
                return;
            }
        }
    }

    /// Reads items on the disk after a position. Returns them with the position after them.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) fn read(&self, after: u64, limit: usize) -> io::Result<(Vec<Item>, u64)> {
        let (durable, (from, skipped)) = {
            let state = self.state();
            (state.durable, state.story.place(after))
        };
        if after >= durable.items {
            return Ok((Vec::new(), durable.items));
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(from))?;
        let lines = BufReader::new(file.take(durable.bytes - from)).split(b'\n');
        let items = lines.filter_map(|line| {
            let line = line.and_then(|bytes| Ok(serde_json::from_slice::<Line>(&bytes)?));
            line.map(Line::item).transpose()
        });
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let items: Vec<Item> = items.skip(skipped).take(limit).collect::<io::Result<_>>()?;
        let next = after + items.len() as u64;
        Ok((items, next))
    }

    /// Why the journal is incomplete, if it is.
    pub(super) fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    /// Syncs all lines so far to the disk.
    pub(super) async fn sync(&self) {
        let (file, upto) = (self.file.clone(), self.state().story.extent);
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await.map_err(io::Error::other).flatten();
        let mut state = self.state();
        match synced {
            Ok(()) if upto.bytes > state.durable.bytes => state.durable = upto,
            Ok(()) => {}
            Err(error) => {
                state.trouble.get_or_insert(error.to_string());
            }
        }
    }

    /// Appends a line. After a failure nothing more is written: a reader stops at a torn line.
    fn append(&self, state: &mut State, line: Line) -> Result<(), Broken> {
        if state.trouble.is_some() {
            return Err(Broken);
        }
        let written = serde_json::to_vec(&line).map_err(io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            (&*self.file).write_all(&bytes)?;
            Ok(bytes.len() as u64)
        });
        match written {
            Ok(bytes) => state.story.add(line, bytes),
            Err(error) => {
                state.trouble = Some(error.to_string());
                return Err(Broken);
            }
        }
        self.dirty.notify_one();
        Ok(())
    }

    // A panic while the lock was held leaves only whole lines behind.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The journal can no longer be written. [`Journal::trouble`] has the reason.
#[derive(Debug)]
pub(super) struct Broken;

/// Syncs new lines to the disk, repeatedly.
pub(super) async fn keep_durable(journal: Arc<Journal>) {
    loop {
        journal.dirty.notified().await;
        journal.sync().await;
        tokio::time::sleep(SYNC_EVERY).await;
    }
}

/// Compares the node's clocks at each beat, and writes down that the node slept or that this process stood still.
pub(super) async fn keep_time(journal: Arc<Journal>) {
    let mut sampler = Sampler::new(Reading::now());
    loop {
        tokio::time::sleep(BEAT).await;
        for lapse in sampler.observe(Reading::now()) {
            // The journal reports its own trouble.
            let (Ok(()) | Err(Broken)) = journal.lapse(lapse);
        }
    }
}

#[cfg(test)]
mod tests;
