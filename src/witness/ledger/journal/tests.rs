use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn entry(id: u64, outcome: WriteOutcome) -> Entry {
    Entry { id, sent_us: id, ended_us: id + 1, outcome, semi_sync: None }
}

/// Lines as several writers and lookers write them: each number begins a write, or ends one of those that are open, or
/// is a look at a replica.
fn lines(numbers: &[u8]) -> Vec<Line> {
    let (mut open, mut next, mut lines) = (Vec::new(), 1, Vec::new());
    for number in numbers {
        match number % 4 {
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

fn all(journal: &Journal) -> Vec<Item> {
    journal.read(0, usize::MAX).0
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
        let ids: Vec<u64> = writes(&items).iter().map(|entry| entry.id).collect();
        let sent = lines[..told].iter().filter_map(|line| if let Line::Sent { id, .. } = line { Some(*id) } else { None });
        let sent: BTreeSet<u64> = sent.collect();
        prop_assert_eq!(ids.len(), sent.len(), "each write that was sent has one outcome");
        prop_assert_eq!(ids.iter().copied().collect::<BTreeSet<_>>(), sent);
        for line in &lines[..told] {
            let kept = match line {
                Line::Sent { .. } => true,
                Line::Ended(entry) => items.contains(&Item::Ended(entry.clone())),
                Line::Lag(lag) => items.contains(&Item::Lag(lag.clone())),
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
async fn only_what_is_on_the_disk_is_handed_over_and_what_was_handed_over_is_forgotten() {
    let (_folder, path) = folder();
    let journal = Journal::open(&path).unwrap();
    for _ in 0..3 {
        let (id, _) = journal.begin().unwrap();
        journal.end(entry(id, WriteOutcome::Acknowledged)).unwrap();
    }
    assert_eq!(journal.read(0, 10), (Vec::new(), 0));
    journal.sync().await;
    let (items, next) = journal.read(0, 2);
    assert_eq!((writes(&items).len(), next), (2, 2));
    assert_eq!(journal.read(0, 2), (items, 2), "an answer that was lost is given again");
    let (items, next) = journal.read(2, 2);
    assert_eq!((writes(&items)[0].id, next), (3, 3));
    assert_eq!(journal.read(3, 2), (Vec::new(), 3));
    assert_eq!(journal.state().story.items.len(), 0);
}

#[tokio::test]
async fn ids_of_an_earlier_process_are_not_given_again() {
    let (_folder, path) = folder();
    let begin = || Journal::open(&path).unwrap().begin().unwrap().0;
    assert_eq!((begin(), begin()), (1, 1 + LEAP));
    let items = all(&Journal::open(&path).unwrap());
    let why = WriteOutcome::Unknown("the witness's process ended before the answer came".into());
    assert!(writes(&items).iter().all(|entry| entry.outcome == why && entry.ended_us >= entry.sent_us), "{items:?}");
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
