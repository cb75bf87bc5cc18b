//! Hand-made histories: a cluster in a few words, so that the test of a judge is easy to read.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::evidence::{
    Act, Budgets, Checkpoint, EventType, Evidence, Exec, ExecAnswer, Fault, Gap, ObjectEvent, Phase, Question, Record,
    Replication, Row, Run, SCHEMA, Scenario, Snapshot, SnapshotOf, Sql, SqlAnswer, Step, Subject, Wait, WaitOutcome,
    What, Write, WriteOutcome,
};

mod acts;
mod copies;
mod disruptions;
mod dns;
mod edits;
mod families;
mod pods;
mod policies;
mod power;
mod said;
mod states;
#[cfg(test)]
mod store;
mod upgrades;
mod whole;
mod witness;

pub use crate::evidence::fixtures::subject;
#[cfg(test)]
pub(crate) use families::six;
use witness::Witness;

/// The names of the three pods.
pub const PODS: [&str; 3] = ["mysql-0", "mysql-1", "mysql-2"];
/// The namespace of the workload.
pub const NAMESPACE: &str = "steadfast";

/// A run under construction. Methods take a pod's name for the newest pod of that name, or a UID, which consists of the
/// ordinal and the number of the life: `0.1` is the first pod named mysql-0.
#[derive(Clone)]
pub struct History {
    pub records: Vec<Record>,
    pub subject: Subject,
    now_us: u64,
    pods: Vec<Pod>,
    claims: Vec<Claim>,
    set: Set,
    ledger: Vec<u64>,
    witness: Witness,
    /// The DNS servers that are asked.
    dns_servers: [&'static str; 2],
}

#[derive(Clone)]
struct Pod {
    name: String,
    uid: String,
    object: Value,
    gone: bool,
}

/// A claim that exists.
#[derive(Clone)]
struct Claim {
    name: String,
    object: Value,
}

/// The set as its controller sees it.
#[derive(Clone)]
struct Set {
    generation: i64,
    replicas: u32,
    /// The revision that new pods are made from.
    revision: String,
    /// The revision of pods that are not updated yet.
    current: String,
}

/// One row of an answer.
pub fn row<const N: usize>(columns: [(&str, &str); N]) -> Row {
    columns.into_iter().map(|(name, value)| (name.to_owned(), Some(value.to_owned()))).collect()
}

/// An answer from a pod where no server listens.
pub fn refused() -> SqlAnswer {
    SqlAnswer::Unreachable { message: "connection refused".into() }
}

/// An answer that says nothing about the server, because the probe failed.
pub fn broken() -> SqlAnswer {
    SqlAnswer::Broken { message: "port-forward closed".into() }
}

/// An error of the server.
pub fn error(code: u16, message: &str) -> SqlAnswer {
    SqlAnswer::Error { code, message: message.into() }
}

impl History {
    /// A run of this many pods that has just started.
    pub fn of(replicas: u32) -> Self {
        Self::with(subject(replicas))
    }

    /// A run of this workload that has just started.
    pub fn with(subject: Subject) -> Self {
        let mut history = Self::nothing_yet(subject);
        history.begins();
        history
    }

    /// A run without any records.
    pub fn nothing_yet(subject: Subject) -> Self {
        let (revision, current) = ("rev-1".to_owned(), "rev-1".to_owned());
        let set = Set { generation: 1, replicas: subject.replicas, revision, current };
        let (pods, claims) = (Vec::new(), Vec::new());
        Self {
            records: Vec::new(),
            subject,
            now_us: 0,
            pods,
            claims,
            set,
            ledger: Vec::new(),
            witness: Witness::default(),
            dns_servers: ["coredns-a", "coredns-b"],
        }
    }

    /// Writes the description of the run.
    pub fn begins(&mut self) {
        let run = Run {
            schema: SCHEMA,
            run_id: "hand-made".into(),
            steadfast: "0.1.0".into(),
            kubernetes: "v1.37.2".into(),
            gates: BTreeMap::new(),
            cluster: "hand-made".into(),
            substitutions: Vec::new(),
            subject: self.subject.clone(),
            budgets: Budgets {
                resume_ms: 90_000,
                barrier_ms: 60_000,
                recovery_ms: 60_000,
                outage_ms: 30_000,
                lag_ms: 1_000,
            },
            scenarios: Scenario::all().collect(),
            left_out: Vec::new(),
            replication: Replication::Managed,
            semi_sync: false,
            expect: Vec::new(),
            upgrade: None,
        };
        self.push(What::Run(Box::new(run)));
    }

    /// Adds a record a millisecond after the last one, and returns its sequence number.
    pub fn push(&mut self, what: What) -> u64 {
        self.now_us += 1_000;
        let seq = self.records.last().map_or(0, |last| last.seq) + 1;
        let began = jiff::Timestamp::from_second(1_800_000_000).expect("a time");
        let wall = began + jiff::SignedDuration::from_micros(self.now_us.cast_signed());
        self.records.push(Record { seq, at_us: self.now_us, wall, what });
        seq
    }

    /// Lets time pass.
    pub fn pass_ms(&mut self, ms: u64) {
        self.now_us += ms * 1_000;
    }

    /// The evidence so far.
    pub fn evidence(&self) -> Evidence {
        Evidence::new(self.records.clone())
    }

    /// A scenario begins or ends.
    pub fn step(&mut self, scenario: Scenario, phase: Phase) -> u64 {
        self.step_within(scenario, scenario.name(), phase)
    }

    /// A step within a scenario begins or ends.
    pub fn step_within(&mut self, scenario: Scenario, name: &str, phase: Phase) -> u64 {
        self.push(What::Step(Step { scenario: Some(scenario), name: name.into(), phase }))
    }

    /// A step of the run itself, outside of the scenarios.
    pub fn run_step(&mut self, name: &str, phase: Phase) -> u64 {
        self.push(What::Step(Step { scenario: None, name: name.into(), phase }))
    }

    /// The watch of this kind has a gap.
    pub fn gap(&mut self, object_kind: &str) -> u64 {
        let reason = "410 Gone: too old resource version".into();
        self.push(What::Gap(Gap { object_kind: object_kind.into(), after_version: "1".into(), reason }))
    }

    /// A wait expires.
    pub fn expired(&mut self, what: &str, last_seen: &str) -> u64 {
        self.waited(what, last_seen, WaitOutcome::Expired)
    }

    /// A wait ends.
    pub fn waited(&mut self, what: &str, last_seen: &str, outcome: WaitOutcome) -> u64 {
        let (what, last_seen) = (what.into(), last_seen.into());
        self.push(What::Wait(Wait { what, outcome, took_us: 300_000_000, last_seen }))
    }

    /// A watch event.
    pub fn object(&mut self, event: EventType, object_kind: &str, object: Value) -> u64 {
        self.push(What::Object(Box::new(ObjectEvent { event, object_kind: object_kind.into(), object })))
    }

    /// Asks the server of a pod.
    pub fn sql(&mut self, checkpoint: &Checkpoint, pod: &str, question: Question, answer: SqlAnswer) -> u64 {
        let uid = self.uid(pod);
        let (checkpoint, pod) = (checkpoint.clone(), self.pod(pod).name.clone());
        self.push(What::Sql(Sql { checkpoint, pod, uid, question, statements: Vec::new(), took_us: 500, answer }))
    }

    /// Asks the server of a pod and gets one row.
    pub fn sql_row<const N: usize>(
        &mut self,
        checkpoint: &Checkpoint,
        pod: &str,
        question: Question,
        columns: [(&str, &str); N],
    ) {
        self.sql(checkpoint, pod, question, SqlAnswer::Rows(vec![row(columns)]));
    }

    /// A pod's answer to a query while it starts.
    pub fn answered_starting(&mut self, pod: &str, answer: SqlAnswer) -> u64 {
        let checkpoint = Checkpoint::Starting { pod: pod.to_owned(), uid: self.uid(pod) };
        self.sql(&checkpoint, pod, Question::Ping, answer)
    }

    /// A pod's answer to the first query when it becomes Ready.
    pub fn pinged(&mut self, pod: &str, answer: SqlAnswer) -> u64 {
        let uid = self.uid(pod);
        let checkpoint = Checkpoint::Ready { pod: self.pod(pod).name.clone(), uid };
        self.sql(&checkpoint, pod, Question::Ping, answer)
    }

    /// Runs a command in a pod that prints this.
    pub fn exec(&mut self, checkpoint: &Checkpoint, pod: &str, argv: &[&str], stdout: &str) -> u64 {
        let (checkpoint, uid, argv) =
            (checkpoint.clone(), self.uid(pod), argv.iter().map(|&word| word.to_owned()).collect());
        let answer = ExecAnswer::Exited { code: 0, stdout: stdout.into(), stderr: String::new() };
        self.push(What::Exec(Exec { checkpoint, pod: pod.into(), uid, argv, took_us: 400, answer }))
    }

    /// A ledger write to a pod that is acknowledged, with the next id.
    pub fn write(&mut self, checkpoint: &Checkpoint, pod: &str) -> u64 {
        let (id, uid) = (self.ledger.len() as u64 + 1, self.uid(pod));
        self.ledger.push(id);
        let outcome = WriteOutcome::Acknowledged;
        self.push(What::Write(Write { id, pod: pod.into(), uid, checkpoint: checkpoint.clone(), outcome }));
        id
    }

    /// Asks a pod for the ledger's rows; it has all.
    pub fn rows(&mut self, checkpoint: &Checkpoint, pod: &str) -> u64 {
        let rows = self.ledger.iter().map(|id| row([("id", &id.to_string())])).collect();
        self.sql(checkpoint, pod, Question::Rows, SqlAnswer::Rows(rows))
    }

    /// An act is asked for.
    pub fn fault(&mut self, act: Act) -> u64 {
        self.push(What::Fault(Fault { act, proof: None }))
    }

    /// An act is proved by a record.
    pub fn proved(&mut self, act: Act, by: u64) -> u64 {
        self.proved_by(act, vec![by])
    }

    /// An act is proved by these records.
    pub fn proved_by(&mut self, act: Act, by: Vec<u64>) -> u64 {
        self.push(What::Fault(Fault { act, proof: Some(by) }))
    }

    /// A state is read.
    pub fn snapshot(&mut self, of: SnapshotOf, value: Value) -> u64 {
        self.push(What::Snapshot(Snapshot { of, value }))
    }
}
