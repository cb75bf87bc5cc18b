//! The protocol between the harness and its witness: one JSON value a line, requests in one direction and replies in
//! the other.
//!
//! Replies may come in another order than the requests; the id matches them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::evidence::{Choice, DnsAnswer, Entries, SqlAnswer, Transport};

/// The version of this protocol. A harness refuses a witness with a newer version.
pub const PROTOCOL: u32 = 5;

/// The oldest version that a harness still supports: a witness outlives a call of the program.
pub const OLDEST: u32 = 4;

/// The first version in which a witness reports the server of its resolver.
pub const TELLS_RESOLVER: u32 = 5;

/// A request to the witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the harness; the reply has the same id.
    pub id: u64,
    /// How long the witness may take in milliseconds, from when it begins with the question.
    pub deadline_ms: u64,
    /// The question.
    pub ask: Ask,
}

/// What a witness can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Send one query to one DNS server, once.
    Dns(DnsAsk),
    /// Run statements on one MySQL server over a new connection.
    Sql(SqlAsk),
    /// The same repeatedly, until the server answers with rows or the deadline passes.
    Await(SqlAsk),
    /// Report the DNS server of its own resolver.
    Resolver,
    /// A request about the ledger that its main process keeps.
    Ledger(LedgerAsk),
}

/// One query to one DNS server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAsk {
    /// The server's address.
    pub address: IpAddr,
    /// The server's port.
    #[serde(default = "dns_port")]
    pub port: u16,
    /// UDP or TCP.
    pub transport: Transport,
    /// An absolute name, with or without the trailing dot. No search list is applied.
    pub name: String,
    /// The record type: `A`, `AAAA`, `SRV`, `PTR`, `TXT`.
    pub record_type: String,
}

fn dns_port() -> u16 {
    53
}

/// Statements for one MySQL server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SqlAsk {
    /// The server's address.
    pub address: IpAddr,
    /// The server's port.
    pub port: u16,
    /// The user to log in as.
    pub user: String,
    /// The user's password.
    pub password: Secret,
    /// Whether to use TLS.
    #[serde(default)]
    pub tls: Tls,
    /// Run in order until one fails. `${name}` stands for the secret of that name, wherever a string literal is
    /// allowed.
    pub statements: Vec<String>,
    /// The values of the placeholders.
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
}

/// Whether to connect over TLS. The certificate is not verified: servers make their own, and the witness connects to an
/// address from the API server
/// (<https://dev.mysql.com/doc/refman/8.4/en/connection-options.html#option_general_ssl-mode>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// If the server offers it.
    #[default]
    Preferred,
    /// Always: a server that does not offer it counts as unreachable.
    Required,
}

impl Choice for Tls {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Preferred, "preferred", "If the server offers it"),
        (Self::Required, "required", "Always: a server that does not offer it counts as unreachable"),
    ];
}

/// A request to the ledger. A request without an answer may be repeated: it has no further effect then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAsk {
    /// Start, with ids that were never used before.
    Start(Plan),
    /// Send nothing until `Resume`; answered once no write is under way.
    Pause,
    /// Continue after a pause.
    Resume,
    /// End; answered once every write has its outcome on the disk.
    Stop,
    /// Hand over the items after a position.
    Read {
        /// The position: how many items are already known.
        after: u64,
        /// How many items to hand over at most.
        limit: usize,
    },
}

/// What the ledger does until it is stopped, also after the witness's main process restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The absolute stable name of the server that is written to; it is resolved for each connection.
    pub host: String,
    /// The servers' port.
    pub port: u16,
    /// The user to log in as; the witness reads the password from a file.
    pub user: String,
    /// Whether to use TLS.
    #[serde(default)]
    pub tls: Tls,
    /// The table with its schema; it has a column `id`.
    pub table: String,
    /// The number of concurrent writers.
    pub writers: u32,
    /// Inserts per second of each writer.
    pub per_second: u32,
    /// How long a write may take in milliseconds, including its connection.
    pub write_timeout_ms: u64,
    /// The replicas whose lag is sampled.
    pub replicas: Vec<Replica>,
    /// Milliseconds between two lag samples of a replica.
    pub look_every_ms: u64,
    /// A query that shows before and after each write whether commits wait for a replica: rows `variable_name`,
    /// `value`, with one name that ends in `_status` and one in `_yes_tx`.
    pub semi_sync: Option<String>,
}

/// A replica whose lag the ledger samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// The pod's name.
    pub pod: String,
    /// Its absolute stable name.
    pub host: String,
}

/// A secret text: it can be sent but not printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// A line of the witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The first line.
    Hello(Hello),
    /// The answer to a request.
    Reply(Reply),
    /// A line was not a request.
    Trouble(InvalidRequest),
}

/// The first line of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The program's version.
    pub version: String,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The request's id.
    pub id: u64,
    /// Microseconds from beginning with the question to its answer; for [`Ask::Await`] those of the last attempt.
    pub took_us: u64,
    /// The answer.
    pub answer: Answer,
}

/// The answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To a [`DnsAsk`].
    Dns(DnsAnswer),
    /// To an [`SqlAsk`]; for [`Ask::Await`] the last answer.
    Sql(SqlAnswer),
    /// The address of the resolver's server, or why it is not known.
    Resolver(Result<IpAddr, String>),
    /// To a [`LedgerAsk`].
    Ledger(LedgerAnswer),
}

/// The ledger's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAnswer {
    /// Done, or it was so already.
    Done,
    /// The items.
    Read {
        /// The position after these entries.
        next: u64,
        /// The ledger's current activity.
        activity: Activity,
        /// The items that are on the disk.
        entries: Entries,
    },
    /// It could not be done, or it is unknown whether it was.
    Refused {
        /// Why.
        message: String,
    },
}

/// The activity of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nothing: it was stopped or never started.
    Idle,
    /// It writes.
    Running,
    /// It is paused.
    Paused,
}

/// A line was not a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidRequest {
    /// What is wrong with it, without quoting it.
    pub message: String,
}

#[cfg(test)]
mod tests;
