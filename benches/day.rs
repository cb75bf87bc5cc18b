//! A day in a log: a stored run in which restarts repeat, with long quiet stretches between them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use steadfast::evidence::{
    Checkpoint, EventType, Evidence, Question, Record, Row, Scenario, SqlAnswer, What, Write, WriteOutcome,
};

/// The number of records between two rounds of restarts. In this time only routine records are written.
const QUIET: usize = 2_000;

/// One of this many quiet records is the status of a pod. The others are DNS answers.
const TOLD: usize = 10;

/// One of this many records is a write of the ledger.
const WRITES: usize = 10;

/// The log of a run of about this many records, in which every check passes.
pub(crate) fn day(length: usize) -> Vec<Record> {
    let stored = Stored::read();
    let writes = length / WRITES;
    let fixed = stored.before.len() + stored.round.len() + stored.after.len() + writes;
    let rounds = 1 + length.saturating_sub(fixed) / (stored.round.len() + QUIET);
    let mut day = Day { records: Vec::with_capacity(length), stored: &stored };
    day.repeat(&stored.before, 0, 0);
    for round in 1..=rounds {
        day.repeat(&stored.round, round - 1, round);
        day.quiet(round);
    }
    day.write(writes, rounds);
    let written = day.records.len();
    day.repeat(&stored.after, rounds, rounds);
    day.know_rows(written, writes);
    day.records
}

/// This many events of Ready pods that do not change.
pub(crate) fn idle(length: usize) -> Vec<Record> {
    let stored = Stored::read();
    let mut day = Day { records: Vec::with_capacity(length), stored: &stored };
    day.repeat(&stored.before, 0, 0);
    let told = stored.told();
    while day.records.len() < length {
        let what = day.renamed(told[day.records.len() % told.len()], 0, 1);
        day.push(day.now() + 40_000, what);
    }
    day.records
}

/// A stored run in three parts: up to the first restart, one round of restarts, and the rest.
struct Stored {
    before: Vec<Record>,
    round: Vec<Record>,
    after: Vec<Record>,
    /// The pods' UIDs before and after the round.
    uids: BTreeMap<String, [String; 2]>,
    /// The rows that the servers hold at the end of the round.
    rows: Vec<Row>,
}

impl Stored {
    /// Reads the newest stored run of the seed.
    fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("suites/replay");
        let files = fs::read_dir(&folder).expect("stored runs").map(|entry| entry.expect("a stored run").path());
        let of_seed =
            |path: &Path| path.to_string_lossy().contains("/seed-") && path.extension().is_some_and(|it| it == "jsonl");
        let newest = files.filter(|path| of_seed(path)).max().expect("a stored run of the seed");
        let evidence = Evidence::read(&newest).expect("evidence");
        let restarts =
            |record: &Record| matches!(&record.what, What::Step(step) if step.whole() == Some(Scenario::Restart));
        let begin = 1 + evidence.records.iter().position(restarts).expect("restarts");
        let end = begin + evidence.records[begin..].iter().position(restarts).expect("their end");
        let uid = |pod: &str, place: usize| {
            let life = evidence.timeline.pod_at(pod, evidence.records[place].seq);
            life.expect("a pod").uid.clone()
        };
        let pods = evidence.run().expect("a run").subject.pods();
        let uids = pods.map(|pod| (pod.clone(), [uid(&pod, begin), uid(&pod, end)])).collect();
        let part = |from: usize, to: usize| evidence.records[from..to].to_vec();
        let (before, round, after) = (part(0, begin), part(begin, end), part(end, evidence.records.len()));
        let rows = round.iter().rev().find_map(|record| rows(&mut record.what.clone()).cloned()).expect("rows");
        Self { before, round, after, uids, rows }
    }

    /// The last event of each pod in the round.
    fn told(&self) -> Vec<&What> {
        let events = self.round.iter().filter_map(|record| match &record.what {
            What::Object(event) if event.object_kind == "Pod" && event.event == EventType::Modified => {
                Some((event.object["metadata"]["name"].to_string(), &record.what))
            }
            _ => None,
        });
        events.collect::<BTreeMap<_, _>>().into_values().collect()
    }

    /// The last answer to each DNS question in the round.
    fn asked(&self) -> Vec<&What> {
        let answers = self.round.iter().filter_map(|record| match &record.what {
            What::Dns(dns) => Some(((&dns.name, &dns.from, &dns.server, dns.transport), &record.what)),
            _ => None,
        });
        answers.collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

/// The rows of the ledger in a server's answer.
fn rows(what: &mut What) -> Option<&mut Vec<Row>> {
    match what {
        What::Sql(sql) if sql.question == Question::Rows => match &mut sql.answer {
            SqlAnswer::Rows(rows) => Some(rows),
            _ => None,
        },
        _ => None,
    }
}

struct Day<'a> {
    records: Vec<Record>,
    stored: &'a Stored,
}

impl Day<'_> {
    /// Repeats a part of the stored run. Every pod was recreated `before` times before this part, and `after` times
    /// after it.
    fn repeat(&mut self, part: &[Record], before: usize, after: usize) {
        let (seq, at_us) = part.first().map_or((1, 0), |first| (first.seq, first.at_us));
        let (next, now) = (self.next(), self.now());
        for record in part {
            let mut what = self.renamed(&record.what, before, after);
            if let What::Fault(fault) = &mut what {
                fault.proof.iter_mut().flatten().for_each(|proof| *proof = *proof + next - seq);
            }
            // From the second round on, the servers hold all rows of a whole round.
            if let Some(rows) = rows(&mut what).filter(|_| before > 0 && before < after) {
                rows.clone_from(&self.stored.rows);
            }
            self.push(now + record.at_us - at_us, what);
        }
    }

    /// The same record, with the UIDs that the pods have after `before` rounds and after `after` rounds.
    fn renamed(&self, what: &What, before: usize, after: usize) -> What {
        let mut text = serde_json::to_string(what).expect("a record");
        for (pod, [old, new]) in &self.stored.uids {
            text = text.replace(old.as_str(), &uid(pod, before)).replace(new.as_str(), &uid(pod, after));
        }
        serde_json::from_str(&text).expect("a record")
    }

    /// Repeats DNS answers and pod statuses without changes.
    fn quiet(&mut self, round: usize) {
        let told: Vec<What> = self.stored.told().into_iter().map(|what| self.renamed(what, round - 1, round)).collect();
        let asked = self.stored.asked();
        for index in 0..QUIET {
            let what = match index % TOLD {
                0 => &told[index / TOLD % told.len()],
                _ => asked[index % asked.len()],
            };
            self.push(self.now() + 40_000, what.clone());
        }
    }

    /// Adds acknowledged writes on the first pod.
    fn write(&mut self, count: usize, rounds: usize) {
        let pod = self.stored.uids.keys().next().expect("a pod").clone();
        let (uid, checkpoint, outcome) = (uid(&pod, rounds), Checkpoint::Replicating, WriteOutcome::Acknowledged);
        for id in new_ids(count) {
            let write = Write {
                id,
                pod: pod.clone(),
                uid: uid.clone(),
                checkpoint: checkpoint.clone(),
                outcome: outcome.clone(),
            };
            self.push(self.now() + 5_000, What::Write(write));
        }
    }

    /// Adds these rows to all later answers of the servers.
    fn know_rows(&mut self, from: usize, count: usize) {
        for rows in self.records[from..].iter_mut().filter_map(|record| rows(&mut record.what)) {
            rows.extend(new_ids(count).map(|id| Row::from([("id".to_owned(), Some(id.to_string()))])));
        }
    }

    fn next(&self) -> u64 {
        self.records.len() as u64 + 1
    }

    fn now(&self) -> u64 {
        self.records.last().map_or(0, |last| last.at_us)
    }

    fn push(&mut self, at_us: u64, what: What) {
        let wall = jiff::Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_micros(at_us.cast_signed());
        self.records.push(Record { seq: self.next(), at_us, wall, what });
    }
}

/// The UID of a pod that was recreated this many times.
fn uid(pod: &str, rounds: usize) -> String {
    format!("{pod}-{rounds:012}")
}

/// Ids of rows that are in no stored run.
fn new_ids(count: usize) -> impl Iterator<Item = u64> {
    (1_000_000..).take(count)
}
