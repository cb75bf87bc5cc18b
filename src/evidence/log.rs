//! The append-only log of a run: every record goes to disk before anybody acts on it, and waits are woken by it.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::record::{Record, Wait, WaitOutcome, What};
use super::timeline::Timeline;
use crate::redaction::Redaction;

/// Between two questions about what no record shows.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// What a wait sees when it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight<T> {
    /// What was awaited is there.
    Met(T),
    /// Not yet; this is there instead.
    NotYet(String),
    /// It can come no more, for this reason.
    Never(String),
}

/// How long a wait may last.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    limit: Duration,
    cut: bool,
}

impl From<Duration> for Patience {
    /// What is awaited is to come within this time.
    fn from(limit: Duration) -> Self {
        Self { limit, cut: false }
    }
}

impl Patience {
    /// At most this time is spent on what may take longer: that it does not come says nothing then.
    pub fn cut(limit: Duration) -> Self {
        Self { limit, cut: true }
    }
}

/// A wait ended without what was awaited.
#[derive(Debug, thiserror::Error)]
pub enum WaitError {
    /// The deadline came first.
    #[error("{what} did not come within {limit:?}; last seen: {last_seen}")]
    Expired {
        /// What was awaited.
        what: String,
        /// For how long.
        limit: Duration,
        /// The state seen last.
        last_seen: String,
    },
    /// It can come no more.
    #[error("{what} cannot come any more: {reason}")]
    Impossible {
        /// What was awaited.
        what: String,
        /// Why it cannot come.
        reason: String,
    },
}

/// The evidence log of a run in progress.
pub struct Log {
    path: PathBuf,
    started: Instant,
    redaction: Redaction,
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
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
    failure: Option<std::io::Error>,
}

impl Log {
    /// Creates the file; a run never writes into another run's log. The secrets that are known get into no record.
    ///
    /// # Errors
    /// When the file exists or cannot be created.
    pub fn create(path: &Path, redaction: Redaction) -> std::io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Self::to(Box::new(file), path, redaction))
    }

    fn to(file: Box<dyn Write + Send>, path: &Path, redaction: Redaction) -> Self {
        let inner = Inner { file, timeline: Timeline::default(), failure: None };
        Self {
            path: path.to_owned(),
            started: Instant::now(),
            redaction,
            inner: Mutex::new(inner),
            changed: watch::Sender::new(0),
            broken: CancellationToken::new(),
        }
    }

    /// The secrets that get into no record.
    pub fn redaction(&self) -> &Redaction {
        &self.redaction
    }

    /// Where the log is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a record and returns its sequence number. A write that fails is the last one: it is remembered for
    /// [`Log::failure`], because evidence that did not reach the disk must not be judged, and ends [`Log::broken`].
    pub fn record(&self, what: What) -> u64 {
        let seq = {
            let mut inner = self.inner();
            let seq = inner.timeline.last_seq + 1;
            let at_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
            let record = Record { seq, at_us, wall: jiff::Timestamp::now(), what };
            if inner.failure.is_none()
                && let Err(error) = self.line(&record).and_then(|line| inner.file.write_all(&line))
            {
                inner.failure = Some(error);
                self.broken.cancel();
            }
            inner.timeline.observe(&record);
            seq
        };
        self.changed.send_replace(seq);
        seq
    }

    /// A record as it is written, without the secrets that are known.
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

    /// Looks at the timeline as it is now.
    pub fn look<R>(&self, look: impl FnOnce(&Timeline) -> R) -> R {
        look(&self.inner().timeline)
    }

    /// Tells of every record that comes from now on, by its sequence number.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whether a record could not be written, and why.
    pub fn failure(&self) -> Option<String> {
        self.inner().failure.as_ref().map(ToString::to_string)
    }

    /// Waits until a record cannot be written, if that ever happens.
    pub async fn broken(&self) {
        self.broken.cancelled().await;
    }

    /// Waits until the timeline shows what is awaited, woken by records. How the wait ended becomes a record too.
    ///
    /// `seen` is told the state whenever it changes, for those who watch the run.
    ///
    /// # Errors
    /// When the deadline comes first, or when what is awaited can come no more.
    pub async fn wait<T>(
        &self,
        what: &str,
        patience: impl Into<Patience>,
        seen: impl Fn(&str),
        sight: impl Fn(&Timeline) -> Sight<T>,
    ) -> Result<T, WaitError> {
        let mut changed = self.changed.subscribe();
        let mut waiting = Waiting::new(what, patience.into(), seen);
        let result = loop {
            changed.mark_unchanged();
            if let Some(ended) = waiting.sees(self.look(&sight)) {
                break ended;
            }
            if tokio::time::timeout(waiting.left(), changed.changed()).await.is_err() {
                break Err(waiting.expired());
            }
        };
        self.record(waiting.ended(&result));
        result
    }

    /// The same for what no record shows: it is asked for again and again.
    ///
    /// # Errors
    /// When the deadline comes first, or when what is awaited can come no more.
    pub async fn poll<T>(
        &self,
        what: &str,
        patience: impl Into<Patience>,
        seen: impl Fn(&str),
        ask: impl AsyncFn() -> Sight<T>,
    ) -> Result<T, WaitError> {
        let mut waiting = Waiting::new(what, patience.into(), seen);
        let result = loop {
            let Ok(sight) = tokio::time::timeout(waiting.left(), ask()).await else {
                break Err(waiting.expired());
            };
            if let Some(ended) = waiting.sees(sight) {
                break ended;
            }
            // What no record shows wakes nobody.
            tokio::time::sleep(ASK_AGAIN_AFTER.min(waiting.left())).await;
        };
        self.record(waiting.ended(&result));
        result
    }

    // A panic while the lock was held leaves whole records behind, so the log stays usable for the clean-up.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait that is under way.
struct Waiting<'a, S> {
    what: &'a str,
    patience: Patience,
    begun: Instant,
    seen: S,
    last_seen: String,
}

impl<'a, S: Fn(&str)> Waiting<'a, S> {
    fn new(what: &'a str, patience: Patience, seen: S) -> Self {
        Self { what, patience, begun: Instant::now(), seen, last_seen: String::new() }
    }

    fn left(&self) -> Duration {
        self.patience.limit.saturating_sub(self.begun.elapsed())
    }

    /// How a look ends the wait, if it does.
    fn sees<T>(&mut self, sight: Sight<T>) -> Option<Result<T, WaitError>> {
        match sight {
            Sight::Met(value) => return Some(Ok(value)),
            Sight::Never(reason) => return Some(Err(WaitError::Impossible { what: self.what.to_owned(), reason })),
            Sight::NotYet(state) if state != self.last_seen => {
                (self.seen)(&state);
                self.last_seen = state;
            }
            Sight::NotYet(_) => {}
        }
        None
    }

    fn expired(&self) -> WaitError {
        let (what, last_seen) = (self.what.to_owned(), self.last_seen.clone());
        WaitError::Expired { what, limit: self.patience.limit, last_seen }
    }

    /// The record of the wait's end.
    fn ended<T>(self, result: &Result<T, WaitError>) -> What {
        let outcome = match result {
            Ok(_) => WaitOutcome::Met,
            Err(WaitError::Impossible { reason, .. }) => WaitOutcome::Impossible(reason.clone()),
            Err(WaitError::Expired { .. }) if self.patience.cut => WaitOutcome::CutShort,
            Err(WaitError::Expired { .. }) => WaitOutcome::Expired,
        };
        let took_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        What::Wait(Wait { what: self.what.to_owned(), outcome, took_us, last_seen: self.last_seen })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::read::read;
    use super::*;

    fn log(folder: &tempfile::TempDir) -> Log {
        Log::create(&folder.path().join("evidence.jsonl"), Redaction::default()).expect("a log")
    }

    fn waits(log: &Log) -> Vec<(WaitOutcome, String)> {
        let records = read(log.path()).expect("what was written").into_iter();
        records
            .filter_map(|record| match record.what {
                What::Wait(wait) => Some((wait.outcome, wait.last_seen)),
                _ => None,
            })
            .collect()
    }

    #[tokio::test]
    async fn what_no_record_shows_is_asked_for_until_it_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, asked) = (log(&folder), Cell::new(0));
        let ask = async || {
            asked.set(asked.get() + 1);
            if asked.get() < 2 { Sight::NotYet("nobody".to_owned()) } else { Sight::Met(asked.get()) }
        };
        let met = log.poll("somebody", Duration::from_secs(10), |_| {}, ask).await;
        assert_eq!(met.expect("it comes"), 2);
        assert_eq!(waits(&log), [(WaitOutcome::Met, "nobody".to_owned())]);
    }

    #[tokio::test]
    async fn a_question_that_is_never_answered_ends_with_the_wait() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = log(&folder);
        let never = async || std::future::pending::<Sight<()>>().await;
        let expired = log.poll("somebody", Duration::from_millis(10), |_| {}, never).await;
        assert!(matches!(expired, Err(WaitError::Expired { .. })));
        let impossible = async || Sight::<()>::Never("it is gone".to_owned());
        assert!(log.poll("somebody", Duration::from_secs(10), |_| {}, impossible).await.is_err());
        let brief = Patience::cut(Duration::from_millis(10));
        assert!(log.wait("somebody", brief, |_| {}, |_| Sight::<()>::NotYet("nobody".to_owned())).await.is_err());
        let outcomes = waits(&log).into_iter().map(|(outcome, _)| outcome).collect::<Vec<_>>();
        let impossible = WaitOutcome::Impossible("it is gone".to_owned());
        assert_eq!(outcomes, [WaitOutcome::Expired, impossible, WaitOutcome::CutShort]);
    }

    /// A file on a disk that gets full.
    #[derive(Clone, Default)]
    struct Full(std::sync::Arc<Mutex<Vec<u8>>>);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let mut written = self.0.lock().expect("a file");
            if written.len() > 200 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_written_is_the_last_one_and_told_at_once() {
        let file = Full::default();
        let log = Log::to(Box::new(file.clone()), Path::new("evidence.jsonl"), Redaction::default());
        let note = |message: &str| log.record(What::Note(super::super::Note { message: message.to_owned() }));
        note("a".repeat(200).as_str());
        assert!(log.failure().is_none() && !log.broken.is_cancelled());
        note("b");
        log.broken().await;
        assert!(log.failure().is_some_and(|failure| failure.contains("space")), "{:?}", log.failure());
        let written = file.0.lock().expect("a file").len();
        file.0.lock().expect("a file").truncate(0);
        note("c");
        assert_eq!((written > 200, file.0.lock().expect("a file").len()), (true, 0), "a log with a hole is none");
    }

    #[test]
    fn no_record_has_a_secret() {
        let (folder, redaction) = (tempfile::tempdir().expect("a folder"), Redaction::default());
        let log = Log::create(&folder.path().join("evidence.jsonl"), redaction.clone()).expect("a log");
        redaction.learn(["hunter2"]);
        log.record(What::Note(super::super::Note { message: "hunter2 was refused".to_owned() }));
        let text = std::fs::read_to_string(log.path()).expect("written");
        assert!(text.contains("[redacted] was refused"), "{text}");
    }
}
