use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::evidence::Cause;
use crate::protocol::{Plan, Tls};

fn entry(id: u64, outcome: WriteOutcome) -> Entry {
    Entry { id, sent_us: id, ended_us: id + 1, outcome, semi_sync: None }
}

/// Lines as several writers and lookers write them: each number begins a write, ends one of the open writes, or is a
/// lag sample or a lapse.
fn lines(numbers: &[u8]) -> Vec<Line> {
    let (mut open, mut next, mut lines) = (Vec::new(), 1, Vec::new());
    for number in numbers {
        match number % 4 {
            0 if number % 8 == 4 => {
                lines.push(Line::Lapse(Lapse { from_us: next, to_us: next + 1, cause: Cause::StoodStill }));
            }
            0 => lines.push(Line::Lag(Lag { pod: "mysql-1".into(), at_us: next, behind_us: None })),
            1 if !open.is_empty() => {
                let id = open.swap_remove(usize::from(*number) % open.len());
                let outcomes = [
                    WriteOutcome::Acknowledged,
                    WriteOutcome::Rejected("no".into()),
                    WriteOutcome::Unknown("?".into()),
                ];
                lines.push(Line::Ended(entry(id, outcomes[usize::from(number / 4) % 3].clone())));
            }
            _ => {
                lines.push(Line::Sent { id: next, at_us: next });
                open.push(next);
                next += 1;
            }
        }
    }
    lines
}

fn bytes(lines: &[Line]) -> Vec<u8> {
    lines.iter().flat_map(|line| [serde_json::to_vec(line).unwrap(), vec![b'\n']].concat()).collect()
}

fn writes(items: &[Item]) -> Vec<&Entry> {
    items.iter().filter_map(|item| if let Item::Ended(entry) = item { Some(entry) } else { None }).collect()
}

fn read(journal: &Journal, after: u64, limit: usize) -> (Vec<Item>, u64) {
    journal.read(after, limit).unwrap()
}

fn all(journal: &Journal) -> Vec<Item> {
    read(journal, 0, usize::MAX).0
}

proptest! {
    #[test]
    fn properties_of_any_beginning_of_a_journal(numbers in vec(any::<u8>(), 0..60), cut in 0.0..=1.0) {
        let lines = lines(&numbers);
        let whole = bytes(&lines);
        let cut = (whole.len() as f64 * cut) as usize;
        let told = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        let (folder, path) = folder();
        std::fs::write(&path, &whole[..cut]).unwrap();

        let items = all(&Journal::open(&path).unwrap());
        prop_assert!(std::fs::read(&path).unwrap().ends_with(b"\n"), "whole lines");
        let ids: Vec<u64> = writes(&items).iter().map(|entry| entry.id).collect();
        let sent = lines[..told].iter().filter_map(|line| if let Line::Sent { id, .. } = line { Some(*id) } else { None });
        let sent: BTreeSet<u64> = sent.collect();
        prop_assert_eq!(ids.len(), sent.len(), "each write that was sent has one outcome");
        prop_assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), sent);
        for line in &lines[..told] {
            let kept = match line {
                Line::Life(_) | Line::Rest | Line::Orders(_) | Line::Sent { .. } => true,
                Line::Ended(entry) => items.contains(&Item::Ended(entry.clone())),
                Line::Lag(lag) => items.contains(&Item::Lag(lag.clone())),
                Line::Lapse(lapse) => items.contains(&Item::Lapse(*lapse)),
            };
            prop_assert!(kept, "{:?} was lost", line);
        }
        prop_assert_eq!(all(&Journal::open(&path).unwrap()), items, "what was handed over stays where it was");
        drop(folder);
    }
}

fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    (folder, path)
}

#[tokio::test]
async fn only_what_is_on_the_disk_is_handed_over_and_again_to_whoever_asks_again() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).unwrap();
    for _ in 0..3 {
        let (id, _) = journal.begin().unwrap();
        journal.end(entry(id, WriteOutcome::Acknowledged)).unwrap();
    }
    assert_eq!(read(&journal, 0, 10), (Vec::new(), 0));
    journal.sync().await;
    let (items, next) = read(&journal, 0, 2);
    assert_eq!((writes(&items).len(), next), (2, 2));
    let (items, next) = read(&journal, 2, 2);
    assert_eq!((writes(&items)[0].id, next), (3, 3));
    assert_eq!(read(&journal, 3, 2), (Vec::new(), 3));
    assert_eq!(all(&journal).len(), 3, "the whole story can be read from its beginning");
    assert_eq!(read(&journal, 7, 2), (Vec::new(), 3), "of what is not there, nothing");
}

#[tokio::test]
async fn a_long_story_is_read_from_any_place() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).unwrap();
    for _ in 0..2_500 {
        let (id, _) = journal.begin().unwrap();
        journal.end(entry(id, WriteOutcome::Acknowledged)).unwrap();
    }
    journal.sync().await;
    for journal in [journal, Journal::open(&path).unwrap()] {
        for after in [0, 1, 999, 1_000, 1_001, 2_000, 2_499] {
            let (items, next) = read(&journal, after, 2);
            assert_eq!((writes(&items)[0].id, next), (after + 1, after + items.len() as u64), "after {after}");
        }
    }
}

/// Makes a process write this many writes without an answer; returns their ids.
fn lives(path: &Path, boot: &str, count: u64) -> Vec<u64> {
    let journal = Journal::open_on(path, boot).unwrap();
    let plan = Plan {
        host: "mysql-0".into(),
        port: 3306,
        user: "writer".into(),
        tls: Tls::Preferred,
        table: "steadfast.entries".into(),
        writers: 1,
        per_second: 1,
        write_timeout_ms: 1,
        replicas: Vec::new(),
        look_every_ms: 1,
        semi_sync: None,
    };
    journal.order(Orders { plan: Some(plan), paused: false }).unwrap();
    (0..count).map(|_| journal.begin().unwrap().0).collect()
}

fn doubtful(journal: &Journal) -> Vec<(u64, u64)> {
    let doubtful = |item: &Item| if let Item::Doubtful(ids) = item { Some((ids.first, ids.last)) } else { None };
    all(journal).iter().filter_map(doubtful).collect()
}

#[tokio::test]
async fn a_process_that_is_started_again_on_the_same_boot_goes_on_with_the_next_id() {
    let (_folder, path) = folder();
    assert_eq!(lives(&path, "boot", 2), [1, 2]);
    assert_eq!(lives(&path, "boot", 1), [3]);
    let journal = Journal::open_on(&path, "boot").unwrap();
    let why = WriteOutcome::Unknown("the witness's process ended before the answer came".into());
    let items = all(&journal);
    assert_eq!(writes(&items).len(), 3);
    assert!(writes(&items).iter().all(|entry| entry.outcome == why && entry.ended_us >= entry.sent_us), "{items:?}");
    assert_eq!(doubtful(&journal), []);
}

#[tokio::test]
async fn what_a_lost_node_may_have_given_is_doubtful_and_not_given_again() {
    let (_folder, path) = folder();
    lives(&path, "boot", 2);
    assert_eq!(lives(&path, "another", 1), [3 + LEAP]);
    assert_eq!(lives(&path, "another", 1), [4 + LEAP]);
    let journal = Journal::open_on(&path, "another").unwrap();
    assert_eq!(doubtful(&journal), [(3, 2 + LEAP)], "told once");
}

#[tokio::test]
async fn nothing_is_doubtful_after_a_process_that_ended_by_itself_or_had_nothing_to_do() {
    let (_folder, path) = folder();
    drop(Journal::open_on(&path, "idle").unwrap());
    lives(&path, "boot", 2);
    Journal::open_on(&path, "boot").unwrap().rest().unwrap();
    assert_eq!(lives(&path, "another", 1), [3]);
    let journal = Journal::open_on(&path, "another").unwrap();
    journal.order(Orders::default()).unwrap();
    drop(journal);
    let journal = Journal::open_on(&path, "third").unwrap();
    assert_eq!(journal.begin().unwrap().0, 4);
    assert_eq!(doubtful(&journal), []);
}

#[tokio::test]
async fn what_was_told_last_is_there_for_the_next_process() {
    let (_folder, path) = folder();
    assert_eq!(Journal::open(&path).unwrap().orders(), Orders::default());
    lives(&path, "boot", 0);
    let journal = Journal::open(&path).unwrap();
    let orders = Orders { paused: true, ..journal.orders() };
    assert!(orders.plan.is_some());
    journal.order(orders.clone()).unwrap();
    assert_eq!(Journal::open(&path).unwrap().orders(), orders);
}

#[tokio::test]
async fn no_clock_goes_back() {
    let (_folder, path) = folder();
    lives(&path, "boot", 1);
    let first = Journal::open_on(&path, "boot").unwrap();
    let before = first.now_us();
    let same = Journal::open_on(&path, "boot").unwrap();
    assert_eq!(same.ahead_us, first.ahead_us, "the same clock");
    assert!(same.now_us() >= before);
    // As if the wall clock had been an hour ahead before the node was rebooted.
    let ahead = Entry { ended_us: before + 3_600_000_000, ..entry(1, WriteOutcome::Acknowledged) };
    same.end(ahead.clone()).unwrap();
    assert!(Journal::open_on(&path, "another").unwrap().now_us() >= ahead.ended_us);
}

#[tokio::test]
async fn a_lapse_is_told_by_the_clock_of_the_writes() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).unwrap();
    let (from_us, before_us) = (boot_us(), journal.now_us());
    let (_, sent_us) = journal.begin().unwrap();
    journal.lapse(Lapse { from_us, to_us: boot_us(), cause: Cause::Slept }).unwrap();
    let after_us = journal.now_us();
    journal.sync().await;
    let items = all(&journal);
    let [Item::Lapse(told)] = items[..] else { panic!("{items:?}") };
    assert!(told.from_us <= before_us && sent_us <= told.to_us && told.to_us <= after_us, "{told:?}");
}

#[test]
fn nothing_is_written_after_a_line_that_could_not_be() {
    let (_folder, path) = folder();
    let mut journal = Journal::open(&path).unwrap();
    journal.begin().unwrap();
    journal.file = Arc::new(File::open(&path).unwrap());
    assert!(journal.end(entry(1, WriteOutcome::Acknowledged)).is_err());
    assert!(journal.trouble().is_some());
    assert!(journal.begin().is_err());
}
