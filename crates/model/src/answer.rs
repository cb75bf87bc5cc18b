//! Questions and answers: DNS lookups, SQL statements, commands, writes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;

/// The transport of a DNS query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// UDP (RFC 1035 section 4.2.1).
    Udp,
    /// TCP (RFC 1035 section 4.2.2).
    Tcp,
}

/// A DNS query and its answer.
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
    /// The address that the query was sent to.
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

/// The answer to a DNS query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DnsAnswer {
    /// The server answered.
    Response {
        /// `NOERROR`, `NXDOMAIN`, `SERVFAIL` …
        rcode: String,
        /// The answer section's records of the requested type.
        records: Vec<DnsRecord>,
    },
    /// No answer: the probe failed or the query timed out.
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

/// What a server was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// `SELECT 1`, authenticated, over TCP: one row `ping`.
    Ping,
    /// One row: `hostname`, `server_id`, `server_uuid`, `version`.
    Identity,
    /// A statement that configures replication; it returns no rows.
    Configure,
    /// The replication status: one row with the server's own column names, no row on a server that is not a replica.
    ReplicaStatus,
    /// One row `gtid_executed`.
    GtidExecuted,
    /// Waits for a GTID set: one row `gtid_set`, `reached` (1 or 0).
    Barrier,
    /// The ids of the ledger's rows: rows `id`.
    Rows,
    /// Every table with its checksum: rows `table`, `checksum`.
    Digest,
    /// An insert inside a transaction that is rolled back; an empty answer means that the server accepted it.
    TryWrite,
    /// How durable the server makes a commit: one row `sync_binlog`, `innodb_flush_log_at_trx_commit`,
    /// `relay_log_recovery`.
    Settings,
    /// The ids in the table of the witness's ledger: one row `ids`, `duplicates`, both as ranges such as `1-5,7`.
    Entries,
    /// Whether commits wait for a replica (semi-synchronous replication): rows `variable_name`, `value`.
    SemiSync,
    /// How long the server has been running: one row `variable_name`, `value` in seconds.
    Uptime,
    /// A statement that a mutant injects to break the workload on purpose.
    #[serde(rename = "sabotage")]
    FaultInjection,
}

/// An SQL question to one server, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sql {
    /// When it was asked.
    #[serde(rename = "moment")]
    pub checkpoint: Checkpoint,
    /// The pod that was asked.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// What was asked.
    pub question: Question,
    /// The statements, with `${name}` in place of each secret.
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
    /// The harness could not send the question or read the answer: this says nothing about the server.
    Broken {
        /// What happened.
        message: String,
    },
}

impl Sql {
    /// How many seconds the server had been running, if this is the answer to [`Question::Uptime`].
    pub fn uptime_s(&self) -> Option<u64> {
        let SqlAnswer::Rows(rows) = &self.answer else { return None };
        let asked = self.question == Question::Uptime;
        rows.first().filter(|_| asked)?.get("value")?.as_ref()?.parse().ok()
    }
}

/// Whether a server restarted between two questions about its uptime: `before_s` seconds at the first, `now_s` seconds
/// at the second, `elapsed_us` microseconds later. Servers report whole seconds, so one second of slack is allowed.
pub fn runs_anew(before_s: u64, elapsed_us: u64, now_s: u64) -> bool {
    now_s + 1 < before_s + elapsed_us / 1_000_000
}

/// The error codes for a client whose host or password the server rejects
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
    /// The result.
    pub answer: ExecAnswer,
}

/// The result of a command.
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
    /// It could not be run, or its end was not observed.
    Broken {
        /// What happened.
        message: String,
    },
}

/// Prints the kernel's short host name, for containers without the program `hostname`
/// (<https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html>).
pub const KERNEL_HOSTNAME: &[&str] = &["cat", "/proc/sys/kernel/hostname"];
/// Prints the file in which the kubelet maps a pod's address to its full name
/// (<https://kubernetes.io/docs/tasks/network/customize-hosts-file-for-pods/>).
pub const HOSTS: &[&str] = &["cat", "/etc/hosts"];

/// Prints the resolver configuration of a container (<https://man7.org/linux/man-pages/man5/resolv.conf.5.html>).
pub const RESOLVER: &[&str] = &["cat", "/etc/resolv.conf"];

impl ExecAnswer {
    /// Whether the container lacks the program or cannot execute it: a shell exits with 127 or 126 then.
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
    /// The pod that was written to.
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
    /// The server confirmed the commit.
    Acknowledged,
    /// The server refused it.
    Rejected(String),
    /// No answer: the row may or may not be there.
    Unknown(String),
}
