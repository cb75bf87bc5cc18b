//! What was asked, and what was answered: lookups, statements, commands, writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;

/// How a DNS question travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A datagram (RFC 1035 section 4.2.1).
    Udp,
    /// A stream (RFC 1035 section 4.2.2).
    Tcp,
}

/// A DNS question and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Dns {
    /// When it was asked.
    #[serde(rename = "moment")]
    pub checkpoint: Checkpoint,
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
    /// The record type: `A`, `AAAA`, `SRV`, `PTR`.
    pub record_type: String,
    /// Microseconds from question to answer.
    pub took_us: u64,
    /// The answer.
    pub answer: DnsAnswer,
}

/// The answer to a DNS question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DnsRecord {
    /// Time to live, in seconds.
    pub ttl: u32,
    /// The data as text: an address, a name without the trailing dot, `priority weight port target`.
    pub data: String,
}

/// What was asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// For how long the server has been running: one row `variable_name`, `value` in seconds.
    Uptime,
    /// A statement that a mutant injects to break the workload on purpose.
    #[serde(rename = "sabotage")]
    FaultInjection,
}

/// An SQL question to one server and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sql {
    /// When it was asked.
    #[serde(rename = "moment")]
    pub checkpoint: Checkpoint,
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

impl Sql {
    /// For how many seconds the server had been running, where that was asked and answered.
    pub fn uptime_s(&self) -> Option<u64> {
        let SqlAnswer::Rows(rows) = &self.answer else { return None };
        let asked = self.question == Question::Uptime;
        rows.first().filter(|_| asked)?.get("value")?.as_ref()?.parse().ok()
    }
}

/// Whether a server that has been running for `now_s` seconds was started after one was asked that had been running for
/// `before_s` seconds, so long before: the same one would be older. Servers tell whole seconds.
pub fn runs_anew(before_s: u64, elapsed_us: u64, now_s: u64) -> bool {
    now_s + 1 < before_s + elapsed_us / 1_000_000
}

/// What a server says to who may not log in from where it comes, or with that password
/// (<https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html>).
const DENIED: [u16; 3] = [1045, 1130, 1698];

impl SqlAnswer {
    /// Whether the server refused the login.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Error { code, .. } if DENIED.contains(code))
    }
}

/// A command run in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Exec {
    /// When it was run.
    #[serde(rename = "moment")]
    pub checkpoint: Checkpoint,
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Prints the short host name, as the kernel has it, in a container without the program `hostname`
/// (<https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html>).
pub const KERNEL_HOSTNAME: &[&str] = &["cat", "/proc/sys/kernel/hostname"];
/// Prints the file in which the kubelet gives a pod's address its full name
/// (<https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/>).
pub const HOSTS: &[&str] = &["cat", "/etc/hosts"];

/// Prints how names are looked up in a container (<https://man7.org/linux/man-pages/man5/resolv.conf.5.html>).
pub const RESOLVER: &[&str] = &["cat", "/etc/resolv.conf"];

impl ExecAnswer {
    /// Whether the container has no such program, or none that can be run: a shell's codes for that.
    pub fn lacks_program(&self) -> bool {
        matches!(self, Self::Exited { code: 126 | 127, .. })
    }
}

/// The outcome of one write of the ledger: a single-statement autocommit insert with a unique id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Write {
    /// The row's id, unique in the run.
    pub id: u64,
    /// The pod written to.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// When it was written.
    #[serde(rename = "moment")]
    pub checkpoint: Checkpoint,
    /// What is known of it.
    pub outcome: WriteOutcome,
}

/// What is known of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WriteOutcome {
    /// The server said that it is committed.
    Acknowledged,
    /// The server refused it.
    Rejected(String),
    /// No answer: it may be there or not.
    Unknown(String),
}
