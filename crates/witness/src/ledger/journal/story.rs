//! The lines of a journal, and what they tell from the first one to the last.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

use super::super::super::protocol::Plan;
use crate::evidence::{Entry, Ids, Lag, Lapse};

/// Of so many items the place of the first one is remembered.
const MARK_EVERY: u64 = 1_000;

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A process began with the journal.
    Life(Life),
    /// The process ended by itself: nothing is missing before this line.
    Rest,
    /// What is to be done from here on.
    Orders(Orders),
    /// A write is about to be sent.
    Sent {
        /// Its id.
        id: u64,
        /// When.
        at_us: u64,
    },
    /// A write has its outcome.
    Ended(Entry),
    /// A replica was looked at.
    Lag(Lag),
    /// Nothing was seen for a while, or a clock jumped.
    Lapse(Lapse),
}

/// A process that keeps the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Its kernel's boot: what a process wrote down, another one of the same boot finds, whatever ended the first.
    pub boot: String,
    /// What the journal's clock is ahead of the time since this boot.
    pub ahead_us: u64,
    /// Ids that an earlier process may have given without a trace. They are not given again.
    pub doubtful: Option<Ids>,
}

/// What the ledger is to do, also after its process was started again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// What to write; nothing where it was not begun, or stopped.
    pub plan: Option<Plan>,
    /// Whether to write nothing for now.
    pub paused: bool,
}

/// What is handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A write has its outcome.
    Ended(Entry),
    /// A replica was looked at.
    Lag(Lag),
    /// Nothing was seen for a while, or a clock jumped.
    Lapse(Lapse),
    /// These may have been written by a process that lost its node.
    Doubtful(Ids),
}

impl Line {
    /// Reads a line; none where it is not a whole one.
    fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.ends_with(b"\n").then(|| serde_json::from_slice(bytes).ok())?
    }

    /// What of the line is handed over.
    pub fn item(self) -> Option<Item> {
        match self {
            Self::Ended(entry) => Some(Item::Ended(entry)),
            Self::Lag(lag) => Some(Item::Lag(lag)),
            Self::Lapse(lapse) => Some(Item::Lapse(lapse)),
            Self::Life(life) => life.doubtful.map(Item::Doubtful),
            Self::Rest | Self::Orders(_) | Self::Sent { .. } => None,
        }
    }

    fn has_item(&self) -> bool {
        match self {
            Self::Ended(_) | Self::Lag(_) | Self::Lapse(_) => true,
            Self::Life(life) => life.doubtful.is_some(),
            Self::Rest | Self::Orders(_) | Self::Sent { .. } => false,
        }
    }
}

/// How far something reaches into the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extent {
    /// Items, from the first one of all.
    pub items: u64,
    /// Bytes, all of them in whole lines.
    pub bytes: u64,
}

/// What lines tell. The items stay in the file: an upgrade may take days.
#[derive(Debug, Default)]
pub struct Story {
    /// The process of the last lines.
    pub life: Option<Life>,
    /// Whether that one ended by itself.
    pub at_rest: bool,
    /// What it was told last.
    pub orders: Orders,
    /// Writes without an outcome, and when they were sent.
    pub unfinished: BTreeMap<u64, u64>,
    /// The highest id that was given, or may have been.
    pub highest: u64,
    /// The latest moment of a line.
    pub latest_us: u64,
    /// All that was told.
    pub extent: Extent,
    /// Where the line of each [`MARK_EVERY`]th item begins.
    marks: Vec<u64>,
}

impl Story {
    /// Reads whole lines up to the first that is none: a process that died was writing it, and nobody had acted on it.
    pub fn read(mut input: impl BufRead) -> io::Result<Self> {
        let (mut story, mut bytes) = (Self::default(), Vec::new());
        while input.read_until(b'\n', &mut bytes)? > 0 {
            let Some(line) = Line::parse(&bytes) else { break };
            story.add(line, bytes.len() as u64);
            bytes.clear();
        }
        Ok(story)
    }

    /// A line that has so many bytes comes after the others.
    pub fn add(&mut self, line: Line, bytes: u64) {
        if line.has_item() {
            if self.extent.items.is_multiple_of(MARK_EVERY) {
                self.marks.push(self.extent.bytes);
            }
            self.extent.items += 1;
        }
        self.extent.bytes += bytes;
        self.at_rest = line == Line::Rest;
        match line {
            Line::Life(life) => {
                self.highest = life.doubtful.map_or(self.highest, |ids| ids.last);
                self.life = Some(life);
            }
            Line::Rest => {}
            Line::Orders(orders) => self.orders = orders,
            Line::Sent { id, at_us } => {
                self.unfinished.insert(id, at_us);
                self.highest = self.highest.max(id);
                self.latest_us = self.latest_us.max(at_us);
            }
            Line::Ended(entry) => {
                self.unfinished.remove(&entry.id);
                self.latest_us = self.latest_us.max(entry.ended_us);
            }
            Line::Lag(lag) => self.latest_us = self.latest_us.max(lag.at_us),
            Line::Lapse(lapse) => self.latest_us = self.latest_us.max(lapse.to_us),
        }
    }

    /// From which byte on to read for what comes after so many items, and how many items to skip there.
    pub fn place(&self, after: u64) -> (u64, u64) {
        let mark = usize::try_from(after / MARK_EVERY).ok().and_then(|index| self.marks.get(index));
        mark.map_or((self.extent.bytes, 0), |byte| (*byte, after % MARK_EVERY))
    }
}
