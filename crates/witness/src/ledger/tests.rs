use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::evidence::{Entry, Lag, WriteOutcome};
use crate::fake::{Says, listener, serve};
use crate::protocol::{Answer, Ask, Line, Replica, Request, Tls};

const SOON: Duration = Duration::from_secs(20);

/// A server that answers like this, and a plan for it with one writer and 200 ms for each write.
async fn server(says: impl Fn(&str) -> Says + Send + Sync + 'static) -> (Plan, AbortOnDropHandle<()>) {
    let (listener, address) = listener().await;
    let served = AbortOnDropHandle::new(tokio::spawn(serve(listener, says)));
    let plan = Plan {
        host: address.ip().to_string(),
        port: address.port(),
        user: "writer".into(),
        tls: Tls::Preferred,
        table: "steadfast.entries".into(),
        writers: 1,
        per_second: 100,
        write_timeout_ms: 200,
        replicas: Vec::new(),
        look_every_ms: 10,
        semi_sync: None,
    };
    (plan, served)
}

fn opened() -> (Ledger, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password"), "hunter2\n").unwrap();
    (open(folder.path()).unwrap(), folder)
}

fn open(folder: &Path) -> io::Result<Ledger> {
    Ledger::open(folder, &folder.join("password"))
}

fn id(insert: &str) -> u64 {
    insert.strip_prefix("INSERT INTO steadfast.entries (id) VALUES (").unwrap().trim_end_matches(')').parse().unwrap()
}

async fn told(ledger: &Ledger, ask: LedgerAsk) {
    assert_eq!(ledger.answer(ask).await, LedgerAnswer::Done);
}

async fn read(ledger: &Ledger) -> (Activity, Vec<Entry>, Vec<Lag>) {
    match ledger.answer(LedgerAsk::Read { after: 0, limit: usize::MAX }).await {
        LedgerAnswer::Read { activity, entries, .. } => (activity, entries.writes, entries.lags),
        other => panic!("{other:?}"),
    }
}

/// The highest id, if the ledger has ended; read at the end of the journal.
async fn last(ledger: &Ledger) -> Option<u64> {
    match ledger.answer(LedgerAsk::Read { after: u64::MAX, limit: 1 }).await {
        LedgerAnswer::Read { entries, .. } => entries.last,
        other => panic!("{other:?}"),
    }
}

/// Reads until the entries satisfy a condition.
async fn until(ledger: &Ledger, enough: impl Fn(&[Entry], &[Lag]) -> bool) -> (Vec<Entry>, Vec<Lag>) {
    let reading = async {
        loop {
            let (_, writes, lags) = read(ledger).await;
            if enough(&writes, &lags) {
                return (writes, lags);
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, reading).await.unwrap()
}

#[tokio::test]
async fn each_write_is_sent_once_and_ends_as_the_server_ended_it() {
    let (plan, _served) = server(|insert| match id(insert) % 4 {
        0 => Says::error(1290),
        1 => Says::ok(),
        2 => Says::Goodbye,
        _ => Says::Nothing,
    })
    .await;
    let (ledger, _folder) = opened();
    told(&ledger, LedgerAsk::Start(plan)).await;
    let (writes, _) = until(&ledger, |writes, _| writes.len() >= 9).await;
    for write in &writes {
        match (write.id % 4, &write.outcome) {
            (0, WriteOutcome::Rejected(why)) => assert_eq!(why, "1290: no"),
            (1, WriteOutcome::Acknowledged) => {}
            (2, WriteOutcome::Unknown(_)) => {}
            (3, WriteOutcome::Unknown(why)) => assert_eq!(why, "no answer within 200ms"),
            _ => panic!("{write:?}"),
        }
        assert!(write.ended_us >= write.sent_us && write.semi_sync.is_none(), "{write:?}");
    }
    let ids: Vec<u64> = writes.iter().map(|write| write.id).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_write_without_a_connection_was_not_sent_and_the_rate_stays() {
    let (plan, served) = server(|_| Says::ok()).await;
    drop(served);
    let (ledger, _folder) = opened();
    let begun = Instant::now();
    told(&ledger, LedgerAsk::Start(plan)).await;
    let (writes, _) = until(&ledger, |writes, _| writes.len() >= 5).await;
    let at_most = begun.elapsed().as_millis() / 10 + 1;
    assert!(writes.len() as u128 <= at_most, "{} writes, not {at_most}", writes.len());
    for write in &writes {
        assert!(matches!(&write.outcome, WriteOutcome::Rejected(why) if why.starts_with("not sent: no ")), "{write:?}");
    }
}

#[tokio::test]
async fn a_pause_waits_for_what_is_under_way_and_nothing_is_sent_during_it() {
    let sent = Arc::new(AtomicU64::new(0));
    let counted = sent.clone();
    let (mut plan, _served) = server(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        Says::ok()
    })
    .await;
    plan.writers = 3;
    let (ledger, _folder) = opened();
    told(&ledger, LedgerAsk::Start(plan.clone())).await;
    told(&ledger, LedgerAsk::Start(plan)).await;
    until(&ledger, |writes, _| writes.len() >= 3).await;
    told(&ledger, LedgerAsk::Pause).await;
    told(&ledger, LedgerAsk::Pause).await;
    let before = sent.load(Ordering::SeqCst);
    until(&ledger, |writes, _| writes.len() as u64 == before).await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!(sent.load(Ordering::SeqCst), before);
    assert_eq!(read(&ledger).await.0, Activity::Paused);
    assert_eq!(last(&ledger).await, None, "it may go on");
    told(&ledger, LedgerAsk::Resume).await;
    until(&ledger, |writes, _| writes.len() as u64 > before).await;
    told(&ledger, LedgerAsk::Pause).await;
    told(&ledger, LedgerAsk::Stop).await;
    told(&ledger, LedgerAsk::Stop).await;
    let (activity, writes, _) = read(&ledger).await;
    assert_eq!((activity, writes.len() as u64), (Activity::Idle, sent.load(Ordering::SeqCst)));
    assert_eq!(last(&ledger).await, writes.iter().map(|write| write.id).max());
    told(&ledger, LedgerAsk::Pause).await;
}

#[tokio::test]
async fn what_an_earlier_process_was_told_is_gone_on_with() {
    let (plan, _served) = server(|insert| if id(insert) == 3 { Says::Nothing } else { Says::ok() }).await;
    let plan = Plan { write_timeout_ms: 60_000, ..plan };
    let (ledger, folder) = opened();
    told(&ledger, LedgerAsk::Start(plan)).await;
    let (before, _) = until(&ledger, |writes, _| writes.len() == 2).await;
    drop(ledger);
    let ledger = open(folder.path()).unwrap();
    let (writes, _) = until(&ledger, |writes, _| writes.len() > 3).await;
    assert_eq!((&writes[..2], read(&ledger).await.0), (&before[..], Activity::Running));
    assert!(matches!(&writes[2], Entry { id: 3, outcome: WriteOutcome::Unknown(_), .. }), "{:?}", writes[2]);
    assert_eq!(writes[3].id, 4);
    told(&ledger, LedgerAsk::Pause).await;
    drop(ledger);
    let ledger = open(folder.path()).unwrap();
    let paused = read(&ledger).await;
    sleep(Duration::from_millis(50)).await;
    assert_eq!((paused.0, read(&ledger).await.1), (Activity::Paused, paused.1), "it rests as it was told to");
    told(&ledger, LedgerAsk::Resume).await;
    told(&ledger, LedgerAsk::Stop).await;
    drop(ledger);
    assert_eq!(read(&open(folder.path()).unwrap()).await.0, Activity::Idle);
}

#[tokio::test]
async fn a_process_that_rests_leaves_nothing_open_and_is_gone_on_with() {
    let (plan, _served) = server(|_| Says::ok()).await;
    let (ledger, folder) = opened();
    told(&ledger, LedgerAsk::Start(plan)).await;
    until(&ledger, |writes, _| writes.len() > 2).await;
    ledger.rest().await;
    let (_, writes, _) = read(&ledger).await;
    assert!(writes.iter().all(|write| write.outcome == WriteOutcome::Acknowledged), "{writes:?}");
    drop(ledger);
    let ledger = open(folder.path()).unwrap();
    until(&ledger, |after, _| after.len() > writes.len()).await;
}

#[tokio::test]
async fn the_password_is_read_from_its_file_and_written_nowhere() {
    let (plan, _served) = server(|_| Says::ok()).await;
    let (ledger, folder) = opened();
    told(&ledger, LedgerAsk::Start(plan.clone())).await;
    until(&ledger, |writes, _| !writes.is_empty()).await;
    drop(ledger);
    let journal = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
    assert!(journal.contains(&plan.host) && !journal.contains("hunter2"), "{journal}");
    std::fs::remove_file(folder.path().join("password")).unwrap();
    let error = open(folder.path()).err().unwrap().to_string();
    assert!(error.starts_with("the writer's password, ") && error.contains("/password: No such file"), "{error}");
}

#[tokio::test]
async fn without_a_password_nothing_is_begun() {
    let (plan, _served) = server(|_| Says::ok()).await;
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path()).unwrap();
    assert!(matches!(ledger.answer(LedgerAsk::Start(plan)).await, LedgerAnswer::Refused { .. }));
    assert_eq!(read(&ledger).await.0, Activity::Idle);
    drop(ledger);
    assert_eq!(read(&open(folder.path()).unwrap()).await.0, Activity::Idle);
}

#[tokio::test]
async fn a_replica_is_behind_by_what_it_does_not_show() {
    let shown = Arc::new(AtomicU64::new(1));
    let limit = shown.clone();
    let (plan, _served) = server(move |statement| match statement.split_once(" IN (") {
        None => Says::ok(),
        Some((_, list)) => {
            let ids = list.trim_end_matches(')').split(", ").map(|id| id.parse().unwrap());
            Says::ids(ids.filter(|id| (1..=limit.load(Ordering::SeqCst)).contains(id)))
        }
    })
    .await;
    let replica = |pod: &str, host: &str| Replica { pod: pod.into(), host: host.into() };
    // Nobody listens on this port of the second address.
    let replicas = vec![replica("mysql-1", "127.0.0.1"), replica("mysql-2", "127.0.0.2")];
    let (ledger, _folder) = opened();
    told(&ledger, LedgerAsk::Start(Plan { replicas, ..plan })).await;
    let of = |pod: &'static str| move |lag: &&Lag| lag.pod == pod;
    let behind = |lags: &[Lag]| lags.iter().filter(of("mysql-1")).filter_map(|lag| lag.behind_us).next_back();
    until(&ledger, |writes, lags| writes.len() > 3 && behind(lags).is_some_and(|behind| behind > 20_000)).await;
    shown.store(u64::MAX, Ordering::SeqCst);
    let (_, lags) = until(&ledger, |_, lags| behind(lags) == Some(0)).await;
    assert!(lags.iter().filter(of("mysql-2")).all(|lag| lag.behind_us.is_none()), "{lags:?}");
    assert!(lags.iter().any(|lag| lag.pod == "mysql-2"));
}

#[tokio::test]
async fn semi_sync_is_asked_around_each_write() {
    let (plan, _served) = server(|statement| if statement == "SEMI" { Says::ids([]) } else { Says::ok() }).await;
    let (ledger, _folder) = opened();
    told(&ledger, LedgerAsk::Start(Plan { semi_sync: Some("SEMI".into()), ..plan })).await;
    let (writes, _) = until(&ledger, |writes, _| writes.len() >= 2).await;
    assert!(writes.iter().all(|write| write.outcome == WriteOutcome::Acknowledged && write.semi_sync == Some(false)));
}

#[tokio::test]
async fn a_session_passes_on_what_the_ledger_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |id, ask| serde_json::to_string(&Request { id, deadline_ms: 5_000, ask: Ask::Ledger(ask) }).unwrap();
    let asked = || async {
        let input = format!("{}\n{}\n", ask(1, LedgerAsk::Read { after: 0, limit: 5 }), ask(2, LedgerAsk::Stop));
        let (serving, mut output) = tokio::io::duplex(1 << 16);
        crate::serve(folder.path(), input.as_bytes(), serving).await.unwrap();
        let mut text = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut output, &mut text).await.unwrap();
        let replies = text.lines().filter_map(|line| match serde_json::from_str(line).unwrap() {
            Line::Reply(reply) => Some((reply.id, reply.answer)),
            _ => None,
        });
        replies.collect::<BTreeMap<u64, Answer>>()
    };
    let nobody = asked().await;
    let refused = |answer: &Answer| matches!(answer, Answer::Ledger(LedgerAnswer::Refused { .. }));
    assert!(nobody.len() == 2 && nobody.values().all(refused), "{nobody:?}");
    let ledger = Arc::new(open(folder.path()).unwrap());
    let socket = folder.path().join("socket");
    // An earlier process of the pod leaves its socket like this.
    std::fs::write(&socket, "").unwrap();
    let listening = AbortOnDropHandle::new(tokio::spawn(async move { listen(&socket, &ledger).await }));
    while tokio::net::UnixStream::connect(folder.path().join("socket")).await.is_err() {
        sleep(Duration::from_millis(5)).await;
    }
    let answers = asked().await;
    assert_eq!(answers[&2], Answer::Ledger(LedgerAnswer::Done));
    assert!(matches!(answers[&1], Answer::Ledger(LedgerAnswer::Read { next: 0, activity: Activity::Idle, .. })));
    drop(listening);
}
