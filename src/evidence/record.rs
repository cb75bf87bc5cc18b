//! The records of a run: what `evidence.jsonl` holds, one a line.
//!
//! Records are the only thing that a check sees. They say what was seen and never what it means; the meaning is
//! the checks' business. The format is versioned by [`SCHEMA`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::act::Fault;
use super::entries::Entries;
use super::moment::Moment;
use super::subject::Run;

/// The version of the evidence format. A reader refuses a log with another one.
pub const SCHEMA: u32 = 1;

/// One line of the evidence log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Position in the log, counted from 1 without a hole. Failures quote it as `#seq`.
    pub seq: u64,
    /// Microseconds since the run began, on a monotonic clock.
    pub at_us: u64,
    /// Wall-clock time, for people: two clocks and leap seconds make it unfit to judge by.
    pub wall: jiff::Timestamp,
    /// What was seen.
    pub what: What,
}

/// Everything that can be seen or done in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// What is under test and with what; written once, before the first act.
    Run(Box<Run>),
    /// An act of a scenario begins or ends.
    Step(Step),
    /// A watch event, as the API server sent it.
    Object(Box<ObjectEvent>),
    /// A stretch of the history was lost: order cannot be proved across it.
    Gap(Gap),
    /// A wait of the harness ended.
    Wait(Wait),
    /// A DNS question and its answer.
    Dns(Dns),
    /// An SQL question to one server and its answer.
    Sql(Sql),
    /// A command run in a container.
    Exec(Exec),
    /// The outcome of one write of the ledger.
    Write(Write),
    /// Entries of the ledger that the witness keeps, handed over by it.
    Entries(Entries),
    /// A disruption was asked for, or is proved to have happened.
    Fault(Fault),
    /// A state read at one moment, such as the Corefile or what remains after teardown.
    Snapshot(Snapshot),
    /// Trouble of the harness itself, for people.
    Note(Note),
}

/// An act of a scenario begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The scenario, such as `restart`; `run` for what surrounds them.
    pub scenario: String,
    /// What is done, in the imperative: `delete mysql-1`.
    pub name: String,
    /// How far it is.
    pub phase: Phase,
}

/// How far a step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It begins.
    Begin,
    /// It was carried out.
    End,
    /// It could not be carried out, for this reason.
    Failed(String),
}

/// A watch event, or an object of the list that the watch was opened from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectEvent {
    /// What the API server said.
    pub event: EventType,
    /// The object's kind: `Pod`, `StatefulSet`, `PersistentVolumeClaim`, `PersistentVolume`, `Service`,
    /// `EndpointSlice`.
    pub object_kind: String,
    /// The object, without managedFields and without secret values.
    pub object: Value,
}

/// The type of a watch event (<https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventType {
    /// The object was in the list that the watch was opened from; it carries no order.
    Listed,
    /// The object was created.
    Added,
    /// The object changed.
    Modified,
    /// The object is gone.
    Deleted,
}

/// A stretch of one kind's history was lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The object kind whose history has the gap.
    pub object_kind: String,
    /// The last resourceVersion seen before it.
    pub after_version: String,
    /// Why: what the API server said.
    pub reason: String,
}

/// A wait of the harness ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// What was awaited: `mysql-1 Ready under a new UID`.
    pub what: String,
    /// How it ended.
    pub outcome: WaitOutcome,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// The state seen last.
    pub last_seen: String,
}

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitOutcome {
    /// What was awaited came.
    Met,
    /// The deadline came first.
    Expired,
    /// It can come no more, for this reason.
    Impossible(String),
}

/// How a DNS question travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A datagram (RFC 1035 section 4.2.1).
    Udp,
    /// A stream (RFC 1035 section 4.2.2).
    Tcp,
}

/// A DNS question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dns {
    /// When it was asked.
    pub moment: Moment,
    /// The namespace of the pod that asked.
    pub from: String,
    /// The DNS server's pod.
    pub server: String,
    /// The address it was asked at.
    pub address: String,
    /// UDP or TCP.
    pub transport: Transport,
    /// The absolute name, without the trailing dot.
    pub name: String,
    /// The record type: `A`, `SRV`, `PTR`.
    pub record_type: String,
    /// Microseconds from question to answer.
    pub took_us: u64,
    /// The answer.
    pub answer: DnsAnswer,
}

/// The answer to a DNS question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsAnswer {
    /// The server answered.
    Response {
        /// `NOERROR`, `NXDOMAIN`, `SERVFAIL` …
        rcode: String,
        /// The answer section's records of the type that was asked for.
        records: Vec<DnsRecord>,
    },
    /// No answer: the probe broke or nothing came in time.
    Broken {
        /// What happened.
        message: String,
    },
}

/// A resource record of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsRecord {
    /// Time to live, in seconds.
    pub ttl: u32,
    /// The data as text: an address, a name without the trailing dot, `priority weight port target`.
    pub data: String,
}

/// What was asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// `SELECT 1`, authenticated, over TCP: one row `ping`.
    Ping,
    /// One row: `hostname`, `server_id`, `server_uuid`, `version`.
    Identity,
    /// A statement that configures replication; it answers nothing.
    Configure,
    /// The replication status: one row with the server's own column names, none on a server that replicates nothing.
    ReplicaStatus,
    /// One row `gtid_executed`.
    GtidExecuted,
    /// Waits for a GTID set: one row `gtid_set`, `reached` (1 or 0).
    Barrier,
    /// The ids of the ledger's rows: rows `id`.
    Rows,
    /// Every table with its checksum: rows `table`, `checksum`.
    Digest,
    /// An insert inside a transaction that is rolled back; an acceptance is an empty answer.
    TryWrite,
    /// What the server does to keep a commit: one row `sync_binlog`, `innodb_flush_log_at_trx_commit`,
    /// `relay_log_recovery`.
    Settings,
    /// The ids in the table of the witness's ledger: one row `ids`, `duplicates`, both as ranges such as `1-5,7`.
    Entries,
    /// Whether commits wait for a replica (semi-synchronous replication): rows `variable_name`, `value`.
    SemiSync,
    /// A statement that a mutant injects to break the workload on purpose.
    Sabotage,
}

/// An SQL question to one server and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sql {
    /// When it was asked.
    pub moment: Moment,
    /// The pod asked.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// What was asked.
    pub question: Question,
    /// The statements; secrets stand as `${name}`.
    pub statements: Vec<String>,
    /// Microseconds from connecting to the answer.
    pub took_us: u64,
    /// The answer.
    pub answer: SqlAnswer,
}

/// A row: column name to value, `None` for NULL.
pub type Row = BTreeMap<String, Option<String>>;

/// The answer to an SQL question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SqlAnswer {
    /// The rows of the last statement that returned any.
    Rows(Vec<Row>),
    /// The server answered with an error.
    Error {
        /// The MySQL error number, such as 1290.
        code: u16,
        /// The server's message.
        message: String,
    },
    /// No server answered at the pod's address: refused, reset, timed out.
    Unreachable {
        /// What happened.
        message: String,
    },
    /// The question never left the harness or its answer never came back: says nothing about the server.
    Broken {
        /// What happened.
        message: String,
    },
}

/// A command run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exec {
    /// When it was run.
    pub moment: Moment,
    /// The pod.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// The command.
    pub argv: Vec<String>,
    /// Microseconds from the start to the end.
    #[serde(default)]
    pub took_us: u64,
    /// What came of it.
    pub answer: ExecAnswer,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecAnswer {
    /// It ran to its end.
    Exited {
        /// The exit code.
        code: i32,
        /// Standard output, without the trailing newline.
        stdout: String,
        /// Standard error, without the trailing newline.
        stderr: String,
    },
    /// It could not be run, or its end was not seen.
    Broken {
        /// What happened.
        message: String,
    },
}

/// The outcome of one write of the ledger: a single-statement autocommit insert with a unique id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The row's id, unique in the run.
    pub id: u64,
    /// The pod written to.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// When it was written.
    pub moment: Moment,
    /// What is known of it.
    pub outcome: WriteOutcome,
}

/// What is known of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteOutcome {
    /// The server said that it is committed.
    Acknowledged,
    /// The server refused it.
    Rejected(String),
    /// No answer: it may be there or not.
    Unknown(String),
}

/// A state read at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// What it is of.
    pub of: SnapshotOf,
    /// The state.
    pub value: Value,
}

/// What a snapshot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotOf {
    /// The Corefile's text, a string.
    Corefile,
    /// The objects as the API server answered when the manifests were applied: an array of [`Applied`].
    Applied,
    /// What remains of the run's objects after teardown: an array of [`Leftover`].
    LeftoverObjects,
    /// What remains of the run's cluster in the engine: an array of [`Leftover`].
    LeftoverResources,
    /// A node, or the container that it is, at a moment of a disruption: a [`NodeState`].
    Node,
    /// The cluster's DNS servers once they were replaced: an array of [`DnsServer`].
    DnsServers,
    /// The API server's process, as its node tells it: a [`NodeState`].
    ApiServer,
    /// The cluster and the workload between two steps of an upgrade: a [`State`](super::State).
    State,
    /// What the checks say of the upgraded cluster: an array of [`Conformed`](super::Conformed).
    Conformance,
}

/// How a node was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeState {
    /// The node.
    pub node: String,
    /// The engine's word for its container (`running`, `paused`, `exited`), or the cluster's for the node (`cordoned`,
    /// `schedulable`, `Ready`); of the API server, the number of its process and since when that is there.
    pub state: String,
}

/// One of the cluster's DNS servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsServer {
    /// Its pod.
    pub name: String,
    /// That pod's UID.
    pub uid: String,
    /// Where it is asked.
    pub address: std::net::IpAddr,
}

/// An object as the API server answered when its manifest was applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The object's kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// `metadata.generation`, which counts the changes of the spec; some kinds have none.
    pub generation: Option<i64>,
}

/// Something that outlived its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// `Pod`, `PersistentVolume`, `container`, `network`, `volume` …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What keeps it, such as its finalizers.
    pub held_by: Option<String>,
}

/// Trouble of the harness itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What happened.
    pub message: String,
}
