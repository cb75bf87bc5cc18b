//! A wait: its deadline, the state that it saw last, and how it ended.

use std::time::{Duration, Instant};

use crate::evidence::{Stopwatch, Wait, WaitOutcome, What};

/// What a wait finds when it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitStatus<T> {
    /// The awaited state is there.
    Met(T),
    /// Not yet; this is the current state.
    Pending(String),
    /// It can no longer happen, for this reason.
    Impossible(String),
}

/// How long a wait may last.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    limit: Duration,
    cut: bool,
}

impl From<Duration> for Patience {
    /// The awaited state should come within this time.
    fn from(limit: Duration) -> Self {
        Self { limit, cut: false }
    }
}

impl Patience {
    /// Waits at most this long for something that may take longer, so a timeout proves nothing.
    pub fn cut(limit: Duration) -> Self {
        Self { limit, cut: true }
    }
}

/// A wait ended without the awaited state.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The deadline came first.
    #[error("{what} did not come within {limit:?}; last seen: {last_seen}")]
    Expired {
        /// What was awaited.
        what: String,
        /// The time limit.
        limit: Duration,
        /// The last state seen.
        last_seen: String,
    },
    /// It can no longer happen.
    #[error("{what} cannot come any more: {reason}")]
    Impossible {
        /// What was awaited.
        what: String,
        /// Why not.
        reason: String,
    },
}

/// A wait in progress.
pub(super) struct Waiting<'a, S> {
    what: &'a str,
    patience: Patience,
    /// On the clock that stops while the machine sleeps: the wait stops too.
    begun: Instant,
    took: Stopwatch,
    seen: S,
    last_seen: String,
}

impl<'a, S: Fn(&str)> Waiting<'a, S> {
    pub(super) fn new(what: &'a str, patience: Patience, seen: S) -> Self {
        Self { what, patience, begun: Instant::now(), took: Stopwatch::start(), seen, last_seen: String::new() }
    }

    pub(super) fn left(&self) -> Duration {
        self.patience.limit.saturating_sub(self.begun.elapsed())
    }

    /// Whether and how a look ends the wait.
    pub(super) fn sees<T>(&mut self, status: WaitStatus<T>) -> Option<Result<T, WaitError>> {
        match status {
            WaitStatus::Met(value) => return Some(Ok(value)),
            WaitStatus::Impossible(reason) => {
                return Some(Err(WaitError::Impossible { what: self.what.to_owned(), reason }));
            }
            WaitStatus::Pending(state) if state != self.last_seen => {
                (self.seen)(&state);
                self.last_seen = state;
            }
            WaitStatus::Pending(_) => {}
        }
        None
    }

    pub(super) fn expired(&self) -> WaitError {
        let (what, last_seen) = (self.what.to_owned(), self.last_seen.clone());
        WaitError::Expired { what, limit: self.patience.limit, last_seen }
    }

    /// The record of the wait's end.
    pub(super) fn ended<T>(self, result: &Result<T, WaitError>) -> What {
        let outcome = match result {
            Ok(_) => WaitOutcome::Met,
            Err(WaitError::Impossible { reason, .. }) => WaitOutcome::Impossible(reason.clone()),
            Err(WaitError::Expired { .. }) if self.patience.cut => WaitOutcome::CutShort,
            Err(WaitError::Expired { .. }) => WaitOutcome::Expired,
        };
        What::Wait(Wait { what: self.what.to_owned(), outcome, took_us: self.took.us(), last_seen: self.last_seen })
    }
}
