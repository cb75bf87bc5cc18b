//! What the harness and its witness say to each other: one JSON value a line, requests one way and lines the other.
//!
//! Answers may come in another order than the questions; the id tells which is which.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::evidence::{Choice, DnsAnswer, Entries, SqlAnswer, Transport};

/// The version of this protocol. A harness refuses a witness that speaks another one.
pub const PROTOCOL: u32 = 5;

/// The oldest version that a harness still speaks: a witness stays where it is from one call of the program to another.
pub const OLDEST: u32 = 4;

/// Since when a witness tells which server its resolver asks.
pub const TELLS_RESOLVER: u32 = 5;

/// A question for the witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the harness; the reply bears it.
    pub id: u64,
    /// How long the witness may take, counted from when it begins with this question.
    pub deadline_ms: u64,
    /// The question.
    pub ask: Ask,
}

/// What a witness can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// To put one question to one DNS server, once.
    Dns(DnsAsk),
    /// To run statements on one MySQL server, over a connection of their own.
    Sql(SqlAsk),
    /// The same again and again, until the server answers with rows or the deadline comes.
    Await(SqlAsk),
    /// Which server its own resolver asks for names.
    Resolver,
    /// To do something about the ledger that its main process keeps.
    Ledger(LedgerAsk),
}

/// One question to one DNS server.
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
    /// Who to log in as.
    pub user: String,
    /// The user's password.
    pub password: Secret,
    /// Whether to ask over TLS.
    #[serde(default)]
    pub tls: Tls,
    /// Run in order, until one fails. `${name}` stands where a string literal may stand, for a secret of that name.
    pub statements: Vec<String>,
    /// The values of the placeholders.
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
}

/// Whether a server is asked over TLS. Its certificate is not verified: servers make their own, and the witness asks an
/// address that the API server told (<https://dev.mysql.com/doc/refman/8.4/en/connection-options.html#option_general_ssl-mode>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// Where it offers it.
    #[default]
    Preferred,
    /// Always: a server that does not offer it counts as one that does not answer.
    Required,
}

impl Choice for Tls {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Preferred, "preferred", "Where it offers it"),
        (Self::Required, "required", "Always: a server that does not offer it counts as one that does not answer"),
    ];
}

/// What the ledger can be told. Each may be said again when its answer did not come: it then changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAsk {
    /// To begin, with ids that were never given before.
    Start(Plan),
    /// To send nothing until told to resume; answered once no write is under way.
    Pause,
    /// To go on after a pause.
    Resume,
    /// To end; answered once every write has its outcome on the disk.
    Stop,
    /// To hand over what came after a position.
    Read {
        /// How many writes and looks at replicas are known already.
        after: u64,
        /// How many of them to hand over at most.
        limit: usize,
    },
}

/// What the ledger does until it is stopped, also after the witness's main process was started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The stable name of the server that is written to, absolute; it is resolved for each connection.
    pub host: String,
    /// The servers' port.
    pub port: u16,
    /// Who to log in as, with the password that the witness finds in a file.
    pub user: String,
    /// Whether to write over TLS.
    #[serde(default)]
    pub tls: Tls,
    /// The table, with its schema; it has a column `id`.
    pub table: String,
    /// How many write side by side.
    pub writers: u32,
    /// Inserts a second of each.
    pub per_second: u32,
    /// How long a write may take, its connection included.
    pub write_timeout_ms: u64,
    /// The replicas that are looked at.
    pub replicas: Vec<Replica>,
    /// Between two looks at a replica.
    pub look_every_ms: u64,
    /// Asks whether commits wait for a replica, before and after each write: rows `variable_name`, `value`, one whose
    /// name ends in `_status` and one in `_yes_tx`.
    pub semi_sync: Option<String>,
}

/// A replica that the ledger looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// The pod's name.
    pub pod: String,
    /// Its stable name, absolute.
    pub host: String,
}

/// A text that must not be seen: it can be sent, but not printed.
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
    /// A line came in that is not a request.
    Trouble(Trouble),
}

/// Who speaks.
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
    /// Microseconds from beginning with the question to having its answer; of an [`Ask::Await`] those of the last try.
    pub took_us: u64,
    /// The answer.
    pub answer: Answer,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Of a [`DnsAsk`].
    Dns(DnsAnswer),
    /// Of an [`SqlAsk`], and the last one of those that were awaited.
    Sql(SqlAnswer),
    /// The address of the server that its own resolver asks, or why it is not known.
    Resolver(Result<IpAddr, String>),
    /// Of a [`LedgerAsk`].
    Ledger(LedgerAnswer),
}

/// What the ledger says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAnswer {
    /// It is as it was asked for.
    Done,
    /// What was asked to be handed over.
    Read {
        /// The position after these entries.
        next: u64,
        /// What it does now.
        activity: Activity,
        /// Writes and looks at replicas that are on the disk.
        entries: Entries,
    },
    /// It could not be done, or it is not known whether it was.
    Refused {
        /// Why.
        message: String,
    },
}

/// What the ledger does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Nothing: it was stopped, or never begun.
    Idle,
    /// It writes.
    Running,
    /// It writes nothing until it is told to go on.
    Paused,
}

/// A line came in that is not a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What is wrong with it, without quoting it.
    pub message: String,
}

#[cfg(test)]
mod tests;
