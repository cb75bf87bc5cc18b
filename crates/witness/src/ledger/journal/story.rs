//! The lines of a journal, and the state that they describe together.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use serde::{Deserialize, Serialize};

use crate::evidence::{Entry, Ids, Lag, Lapse};
use crate::protocol::Plan;

/// The position of one item in this many is remembered.
const MARK_EVERY: u64 = 1_000;

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    /// A process began to use the journal.
    Life(ProcessLife),
    /// The process ended by itself: no line before this one is missing.
    Rest,
    /// The orders from here on.
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
    /// A lag sample.
    Lag(Lag),
    /// A lapse.
    Lapse(Lapse),
}

/// A process that uses the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessLife {
    /// The boot id of its kernel: a process on the same boot finds all lines of an earlier one, whatever ended that.
    pub boot: String,
    /// How far the journal's clock is ahead of the time since this boot.
    pub ahead_us: u64,
    /// Ids that an earlier process may have used without a trace. They are not used again.
    pub doubtful: Option<Ids>,
}

/// What the ledger must do, also after its process restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// The plan; `None` if the ledger was not started or was stopped.
    pub plan: Option<Plan>,
    /// Whether writing is paused.
    pub paused: bool,
}

/// What a reader of the ledger gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// A write has its outcome.
    Ended(Entry),
    /// A lag sample.
    Lag(Lag),
    /// A lapse.
    Lapse(Lapse),
    /// Ids that a process that lost its node may have used.
    Doubtful(Ids),
}

impl Line {
    /// Parses a line; `None` if it is not complete.
    fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.ends_with(b"\n").then(|| serde_json::from_slice(bytes).ok())?
    }

    /// The item in the line, if it has one.
    pub(super) fn item(self) -> Option<Item> {
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

/// A position in the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// The number of items before it.
    pub items: u64,
    /// The number of bytes before it, all in whole lines.
    pub bytes: u64,
}

/// The state that the lines describe. The items stay in the file, because an upgrade may take days.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// The process of the last lines.
    pub life: Option<ProcessLife>,
    /// Whether that process ended by itself.
    pub at_rest: bool,
    /// Its last orders.
    pub orders: Orders,
    /// Writes without an outcome, and when they were sent.
    pub unfinished: BTreeMap<u64, u64>,
    /// The highest id that was used or may have been.
    pub highest: u64,
    /// The latest time in a line.
    pub latest_us: u64,
    /// The end of the lines so far.
    pub extent: Extent,
    /// The offset of the line of each [`MARK_EVERY`]th item.
    marks: Vec<u64>,
}

impl Story {
    /// Reads whole lines up to the first incomplete one: a dying process was writing it, and nobody had acted on it
    /// yet.
    pub(super) fn read(mut input: impl BufRead) -> io::Result<Self> {
        let (mut story, mut bytes) = (Self::default(), Vec::new());
        while input.read_until(b'\n', &mut bytes)? > 0 {
            let Some(line) = Line::parse(&bytes) else { break };
            story.add(line, bytes.len() as u64);
            bytes.clear();
        }
        Ok(story)
    }

    /// Adds a line of this many bytes.
    pub(super) fn add(&mut self, line: Line, bytes: u64) {
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

    /// The byte offset from which to read the items after this many, and how many items to skip there.
    pub(super) fn place(&self, after: u64) -> (u64, u64) {
        let mark = usize::try_from(after / MARK_EVERY).ok().and_then(|index| self.marks.get(index));
        mark.map_or((self.extent.bytes, 0), |byte| (*byte, after % MARK_EVERY))
    }
}
