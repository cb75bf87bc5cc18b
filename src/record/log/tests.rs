//! Tests of waits, and of a run whose process is stopped.

use std::cell::Cell;

use super::*;
use crate::evidence::{Cause, Evidence, WaitOutcome};

fn log(folder: &tempfile::TempDir) -> Log {
    Log::create(&folder.path().join("evidence.jsonl"), Redaction::default()).expect("a log")
}

fn waits(log: &Log) -> Vec<(WaitOutcome, String)> {
    let records = Evidence::read(log.path()).expect("what was written").records.into_iter();
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
        if asked.get() < 2 { WaitStatus::Pending("nobody".to_owned()) } else { WaitStatus::Met(asked.get()) }
    };
    let met = log.poll("somebody", Duration::from_secs(10), |_| {}, ask).await;
    assert_eq!(met.expect("it comes"), 2);
    assert_eq!(waits(&log), [(WaitOutcome::Met, "nobody".to_owned())]);
}

#[tokio::test]
async fn a_question_that_is_never_answered_ends_with_the_wait() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log(&folder);
    let never = async || std::future::pending::<WaitStatus<()>>().await;
    let expired = log.poll("somebody", Duration::from_millis(10), |_| {}, never).await;
    assert!(matches!(expired, Err(WaitError::Expired { .. })));
    let impossible = async || WaitStatus::<()>::Impossible("it is gone".to_owned());
    assert!(log.poll("somebody", Duration::from_secs(10), |_| {}, impossible).await.is_err());
    let brief = Patience::cut(Duration::from_millis(10));
    assert!(log.wait("somebody", brief, |_| {}, |_| WaitStatus::<()>::Pending("nobody".to_owned())).await.is_err());
    let outcomes = waits(&log).into_iter().map(|(outcome, _)| outcome).collect::<Vec<_>>();
    let impossible = WaitOutcome::Impossible("it is gone".to_owned());
    assert_eq!(outcomes, [WaitOutcome::Expired, impossible, WaitOutcome::CutShort]);
}

/// Where the stopped process, which is this same test program, writes its log.
const STOPPED: &str = "STEADFAST_STOPPED_LOG";

#[tokio::test]
async fn who_is_stopped_and_goes_on_tells_of_it_before_anything_else() {
    if let Some(path) = std::env::var_os(STOPPED) {
        let log = Log::create(path.as_ref(), Redaction::default()).expect("a log");
        let mut lapsed = std::pin::pin!(log.lapsed());
        tokio::select! {
            () = log.keep_time() => {}
            () = lapsed.as_mut() => {}
        }
        log.record(What::Note(crate::evidence::Note { message: "on again".to_owned() }));
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("evidence.jsonl");
    let (_, module) = module_path!().split_once("::").expect("a module of the crate");
    let name = format!("{module}::who_is_stopped_and_goes_on_tells_of_it_before_anything_else");
    let mut child = tokio::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", &name])
        .env(STOPPED, &path)
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("a process");
    let process = child.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed())).expect("its number");
    let signal = |signal| rustix::process::kill_process(process, signal).expect("a signal");
    while !path.exists() {
        assert!(child.try_wait().expect("a process").is_none(), "it ended before it began: is there a test {name}?");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Wait until it has read its clocks once.
    tokio::time::sleep(Duration::from_millis(500)).await;
    signal(rustix::process::Signal::STOP);
    tokio::time::sleep(Duration::from_millis(6_500)).await;
    signal(rustix::process::Signal::CONT);
    let ended = tokio::time::timeout(Duration::from_secs(30), child.wait()).await;
    assert!(ended.expect("it ends").expect("a status").success());
    let records = Evidence::read(&path).expect("what was written").records;
    let [Record { what: What::Lapse(lapse), .. }, Record { what: What::Note(_), .. }] = &records[..] else {
        panic!("{records:?}")
    };
    assert_eq!(lapse.cause, Cause::StoodStill);
    assert!((6_000_000..20_000_000).contains(&(lapse.to_us - lapse.from_us)), "{lapse:?}");
}

#[tokio::test]
async fn who_keeps_time_on_a_machine_that_is_awake_tells_of_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = log(&folder);
    assert!(tokio::time::timeout(Duration::from_millis(1_500), log.keep_time()).await.is_err());
    assert_eq!(log.record(What::Note(crate::evidence::Note { message: "the first".to_owned() })), 1);
}

/// A file on a disk that fills up.
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
    let note = |message: &str| log.record(What::Note(crate::evidence::Note { message: message.to_owned() }));
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
    log.record(What::Note(crate::evidence::Note { message: "hunter2 was refused".to_owned() }));
    let text = std::fs::read_to_string(log.path()).expect("written");
    assert!(text.contains("[redacted] was refused"), "{text}");
}
