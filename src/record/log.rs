//! The append-only log of a run. Every record goes to disk before anything acts on it, and wakes waits.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::wait::{Patience, WaitError, WaitStatus, Waiting};
use crate::evidence::{BEAT, Lapse, Reading, Record, Sampler, Timeline, What, boot_us};
use crate::redaction::Redaction;

/// The interval for polling what no record shows.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// The evidence log of a run in progress.
pub struct Log {
    path: PathBuf,
    /// On the clock that keeps running while the machine sleeps.
    started_us: u64,
    redaction: Redaction,
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
    /// The number of lapses noticed.
    lapses: watch::Sender<usize>,
    broken: CancellationToken,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log").field(&self.path).finish()
    }
}

struct Inner {
    file: Box<dyn Write + Send>,
    timeline: Timeline,
    /// Compares the clocks while [`Log::keep_time`] runs.
    sampler: Option<Sampler>,
    failure: Option<std::io::Error>,
}

impl Log {
    /// Creates the file. A run never writes into another run's log. Known secrets are kept out of the records.
    ///
    /// # Errors
    /// When the file exists or cannot be created.
    pub fn create(path: &Path, redaction: Redaction) -> std::io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Self::to(Box::new(file), path, redaction))
    }

    fn to(file: Box<dyn Write + Send>, path: &Path, redaction: Redaction) -> Self {
        let inner = Inner { file, timeline: Timeline::default(), sampler: None, failure: None };
        Self {
            path: path.to_owned(),
            started_us: boot_us(),
            redaction,
            inner: Mutex::new(inner),
            changed: watch::Sender::new(0),
            lapses: watch::Sender::new(0),
            broken: CancellationToken::new(),
        }
    }

    /// The redactor of the records.
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Microseconds since the log began: the time base of its records.
    pub fn now_us(&self) -> u64 {
        boot_us().saturating_sub(self.started_us)
    }

    /// Appends a record and returns its sequence number. A lapse not noticed yet is recorded first, because the new
    /// record may have happened during it. After a failed write nothing more is written: the error is kept for
    /// [`Log::failure`], because evidence that is not on disk must not be judged, and [`Log::broken`] completes.
    pub fn record(&self, what: What) -> u64 {
        let seq = {
            let mut inner = self.inner();
            self.compare_clocks(&mut inner);
            self.append(&mut inner, self.now_us(), what)
        };
        self.changed.send_replace(seq);
        seq
    }

    /// Appends a record with this time.
    fn append(&self, inner: &mut Inner, at_us: u64, what: What) -> u64 {
        let seq = inner.timeline.last_seq + 1;
        let record = Record { seq, at_us, wall: jiff::Timestamp::now(), what };
        if inner.failure.is_none()
            && let Err(error) = self.line(&record).and_then(|line| inner.file.write_all(&line))
        {
            inner.failure = Some(error);
            self.broken.cancel();
        }
        inner.timeline.observe(&record);
        seq
    }

    /// A record as a line, without the known secrets.
    fn line(&self, record: &Record) -> std::io::Result<Vec<u8>> {
        let mut line = serde_json::to_string(record)?;
        if self.redaction.concerns(&line) {
            let mut value = serde_json::to_value(record)?;
            self.redaction.value(&mut value);
            line = value.to_string();
        }
        line.push('\n');
        Ok(line.into_bytes())
    }

    /// Compares the clocks at every beat until the future is dropped. Each lapse becomes a record.
    pub async fn keep_time(&self) {
        self.inner().sampler = Some(Sampler::new(Reading::now()));
        // The future may be dropped just after a lapse.
        let _last = Last(self);
        loop {
            tokio::time::sleep(BEAT).await;
            self.compare_clocks(&mut self.inner());
        }
    }

    /// Completes with the next lapse.
    pub async fn lapsed(&self) {
        // It cannot fail while the log exists.
        let _ = self.lapses.subscribe().changed().await;
    }

    fn compare_clocks(&self, inner: &mut Inner) {
        let Some(sampler) = &mut inner.sampler else { return };
        let lapses: Vec<Lapse> = sampler.observe(Reading::now()).collect();
        for Lapse { from_us, to_us, cause } in lapses {
            let [from_us, to_us] = [from_us, to_us].map(|us| us.saturating_sub(self.started_us));
            let seq = self.append(inner, to_us, What::Lapse(Lapse { from_us, to_us, cause }));
            self.changed.send_replace(seq);
            self.lapses.send_modify(|count| *count += 1);
        }
    }

    /// Reads the current timeline.
    pub fn look<R>(&self, look: impl FnOnce(&Timeline) -> R) -> R {
        look(&self.inner().timeline)
    }

    /// Reports the sequence number of every new record.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Why a record could not be written, if so.
    pub fn failure(&self) -> Option<String> {
        self.inner().failure.as_ref().map(ToString::to_string)
    }

    /// Completes when a record cannot be written; otherwise never.
    pub async fn broken(&self) {
        self.broken.cancelled().await;
    }

    /// Waits until the timeline shows the awaited state. Records wake it, and its end becomes a record too.
    ///
    /// `seen` receives the state whenever it changes, for progress output.
    ///
    /// # Errors
    /// When the deadline passes, or when the state can no longer come.
    pub async fn wait<T>(
        &self,
        what: &str,
        patience: impl Into<Patience>,
        seen: impl Fn(&str),
        status: impl Fn(&Timeline) -> WaitStatus<T>,
    ) -> Result<T, WaitError> {
        let mut changed = self.changed.subscribe();
        let mut waiting = Waiting::new(what, patience.into(), seen);
        let result = loop {
            changed.mark_unchanged();
            if let Some(ended) = waiting.sees(self.look(&status)) {
                break ended;
            }
            if tokio::time::timeout(waiting.left(), changed.changed()).await.is_err() {
                break Err(waiting.expired());
            }
        };
        self.record(waiting.ended(&result));
        result
    }

    /// Like [`Log::wait`], for state that no record shows: it polls.
    ///
    /// # Errors
    /// When the deadline passes, or when the state can no longer come.
    pub async fn poll<T>(
        &self,
        what: &str,
        patience: impl Into<Patience>,
        seen: impl Fn(&str),
        ask: impl AsyncFn() -> WaitStatus<T>,
    ) -> Result<T, WaitError> {
        let mut waiting = Waiting::new(what, patience.into(), seen);
        let result = loop {
            let Ok(status) = tokio::time::timeout(waiting.left(), ask()).await else {
                break Err(waiting.expired());
            };
            if let Some(ended) = waiting.sees(status) {
                break ended;
            }
            // No record wakes this wait.
            tokio::time::sleep(ASK_AGAIN_AFTER.min(waiting.left())).await;
        };
        self.record(waiting.ended(&result));
        result
    }

    // A panic while the lock was held leaves whole records behind, so clean-up can still use the log.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compares the clocks one last time when dropped.
struct Last<'a>(&'a Log);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.inner();
        self.0.compare_clocks(&mut inner);
        inner.sampler = None;
    }
}

#[cfg(test)]
mod tests;
