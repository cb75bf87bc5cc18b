//! What the ledger keeps on its volume: a line before a write is sent, another one with its outcome, and one for each
//! look at a replica. Whatever ends the process, a write that may have been sent is known, and an outcome that was
//! handed over is still there.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::now_us;
use crate::evidence::{Entry, Lag, WriteOutcome};

/// How long lines are gathered for one write to the disk, which the servers of the node want too.
const SYNC_EVERY: Duration = Duration::from_millis(100);

/// How many ids an earlier process may have given without a trace, when the node lost its power: more than any plan
/// sends between two writes to the disk. They are not given again.
const LEAP: u64 = 10_000;

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// A write is about to be sent.
    Sent {
        id: u64,
        at_us: u64,
    },
    Ended(Entry),
    Lag(Lag),
}

/// What is handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A write has its outcome.
    Ended(Entry),
    /// A replica was looked at.
    Lag(Lag),
}

/// The journal of one ledger.
pub struct Journal {
    file: Arc<File>,
    state: Mutex<State>,
    dirty: Notify,
}

struct State {
    story: Story,
    /// Items that were read and forgotten.
    forgotten: u64,
    /// Items, from the first one of all, that are on the disk.
    durable: u64,
    next_id: u64,
    trouble: Option<String>,
}

impl State {
    /// Items until now, from the first one of all.
    fn told(&self) -> u64 {
        self.forgotten + self.story.items.len() as u64
    }
}

/// What lines tell.
#[derive(Debug, Default)]
struct Story {
    items: VecDeque<Item>,
    /// Writes without an outcome, and when they were sent.
    unfinished: BTreeMap<u64, u64>,
    highest: u64,
    /// How many bytes are whole lines.
    length: usize,
}

impl Story {
    /// Reads whole lines up to the first that is none: a process that died was writing it, and nobody had acted on it.
    fn read(bytes: &[u8]) -> Self {
        let mut story = Self::default();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(parsed) if line.ends_with(b"\n") => story.add(parsed),
                _ => break,
            }
            story.length += line.len();
        }
        story
    }

    fn add(&mut self, line: Line) {
        match line {
            Line::Sent { id, at_us } => {
                self.unfinished.insert(id, at_us);
                self.highest = self.highest.max(id);
            }
            Line::Ended(entry) => {
                self.unfinished.remove(&entry.id);
                self.items.push_back(Item::Ended(entry));
            }
            Line::Lag(lag) => self.items.push_back(Item::Lag(lag)),
        }
    }
}

impl Journal {
    /// Opens or makes the file. What an earlier process sent and saw no outcome of is unknown.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let story = Story::read(&bytes);
        file.set_len(u64::try_from(story.length).map_err(io::Error::other)?)?;
        let next_id = if story.highest == 0 { 1 } else { story.highest + LEAP };
        let state = State { story, forgotten: 0, durable: 0, next_id, trouble: None };
        let journal = Self { file: Arc::new(file), state: Mutex::new(state), dirty: Notify::new() };
        journal.close("the witness's process ended before the answer came");
        journal.file.sync_data()?;
        {
            let mut state = journal.state();
            state.durable = state.told();
        }
        Ok(journal)
    }

    /// Gives a write its id and writes down that it is about to be sent: also when that is.
    pub fn begin(&self) -> Result<(u64, u64), Broken> {
        let mut state = self.state();
        let (id, at_us) = (state.next_id, now_us());
        self.append(&mut state, Line::Sent { id, at_us })?;
        state.next_id += 1;
        Ok((id, at_us))
    }

    /// Writes down what became of a write.
    pub fn end(&self, entry: Entry) -> Result<(), Broken> {
        self.append(&mut self.state(), Line::Ended(entry))
    }

    /// Writes down how far behind a replica is.
    pub fn look(&self, lag: Lag) -> Result<(), Broken> {
        self.append(&mut self.state(), Line::Lag(lag))
    }

    /// Writes down that nobody will tell what became of the writes that have no outcome. Nothing may be under way.
    pub fn close(&self, why: &str) {
        let mut state = self.state();
        let ended_us = now_us();
        for (id, sent_us) in state.story.unfinished.clone() {
            let outcome = WriteOutcome::Unknown(why.to_owned());
            let entry = Entry { id, sent_us, ended_us, outcome, semi_sync: None };
            if self.append(&mut state, Line::Ended(entry)).is_err() {
                return;
            }
        }
    }

    /// What came after so many items and is on the disk, and the position after it. Who reads on has what came before.
    pub fn read(&self, after: u64, limit: usize) -> (Vec<Item>, u64) {
        let mut state = self.state();
        while state.forgotten < after.min(state.durable) {
            state.story.items.pop_front();
            state.forgotten += 1;
        }
        let ready = usize::try_from(state.durable - state.forgotten).unwrap_or(usize::MAX);
        let items: Vec<Item> = state.story.items.iter().take(ready.min(limit)).cloned().collect();
        let next = state.forgotten + items.len() as u64;
        (items, next)
    }

    /// Why the journal is not whole, if it is not.
    pub fn trouble(&self) -> Option<String> {
        self.state().trouble.clone()
    }

    /// Has the disk take what was written down until now.
    pub async fn sync(&self) {
        let (file, upto) = (self.file.clone(), self.state().told());
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await.map_err(io::Error::other).flatten();
        let mut state = self.state();
        match synced {
            Ok(()) => state.durable = state.durable.max(upto),
            Err(error) => {
                state.trouble.get_or_insert(error.to_string());
            }
        }
    }

    /// Nothing more is written once a line could not be: what follows a torn line would not be read.
    fn append(&self, state: &mut State, line: Line) -> Result<(), Broken> {
        if state.trouble.is_some() {
            return Err(Broken);
        }
        let written = serde_json::to_vec(&line).map_err(io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            (&*self.file).write_all(&bytes)
        });
        if let Err(error) = written {
            state.trouble = Some(error.to_string());
            return Err(Broken);
        }
        state.story.add(line);
        self.dirty.notify_one();
        Ok(())
    }

    // A panic while the lock was held leaves whole lines behind.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The journal cannot be written any more; it says why itself.
#[derive(Debug)]
pub struct Broken;

/// Has the disk take what is written down, again and again.
pub async fn keep_durable(journal: Arc<Journal>) {
    loop {
        journal.dirty.notified().await;
        journal.sync().await;
        tokio::time::sleep(SYNC_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
