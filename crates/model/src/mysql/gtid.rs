//! Sets of global transaction identifiers (GTIDs), in the format of MySQL
//! (<https://dev.mysql.com/doc/refman/9.4/en/replication-gtids-concepts.html#replication-gtids-concepts-gtid-sets>) and
//! of MariaDB (<https://mariadb.com/kb/en/gtid/>).
//!
//! Servers are compared in both directions: what a replica lacks, and what it has that its source never wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::intervals::{self, Intervals};

/// The highest transaction number that a MySQL server assigns.
const LAST: u64 = i64::MAX as u64;

/// A set of transactions, each identified by its origin and its number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtidSet {
    /// No set of numbers is empty, so that equal sets are equal values.
    origins: BTreeMap<Origin, Intervals>,
}

/// The server that numbered a transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// A MySQL server: its UUID and, from 8.3 on, a tag, both in lower case. The tag is usually empty.
    Server(String, String),
    /// A MariaDB server: domain and `server_id`. An entry that a server prints stands for all numbers up to its own.
    Domain(u32, u32),
}

/// Why a text is not a GTID set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GtidError {
    /// An entry has neither format.
    #[error("`{found}` at byte {at} is neither a server UUID nor domain-server-number")]
    Origin {
        /// The text found.
        found: String,
        /// Its byte offset, counted from 0.
        at: usize,
    },
    /// A UUID or a tag without a transaction number.
    #[error("`{found}` at byte {at} names no transaction")]
    NoInterval {
        /// The text found.
        found: String,
        /// Its byte offset, counted from 0.
        at: usize,
    },
    /// An invalid number or range.
    #[error("`{found}` at byte {at} is not a transaction number or a range of them")]
    Interval {
        /// The text found.
        found: String,
        /// Its byte offset, counted from 0.
        at: usize,
    },
}

impl GtidSet {
    /// Whether the set has no transaction.
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Whether all transactions of the other set are in this one.
    pub fn contains(&self, other: &Self) -> bool {
        other.subtract(self).is_empty()
    }

    /// The transactions that are in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (origin, numbers) in &other.origins {
            let ours = both.origins.entry(origin.clone()).or_default();
            *ours = ours.union(numbers);
        }
        both
    }

    /// The transactions that are in this set and not in the other one.
    ///
    /// ```
    /// use steadfast_model::mysql::gtid::GtidSet;
    ///
    /// let server = "3e11fa47-71ca-11e1-9e33-c80aa9429560";
    /// let primary: GtidSet = format!("{server}:1-9").parse()?;
    /// let replica: GtidSet = format!("{server}:1-7").parse()?;
    /// assert_eq!(primary.subtract(&replica), format!("{server}:8-9").parse()?);
    /// assert!(replica.subtract(&primary).is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let left = self.origins.iter().map(|(origin, numbers)| {
            let taken = other.origins.get(origin);
            (origin.clone(), taken.map_or_else(|| numbers.clone(), |taken| numbers.subtract(taken)))
        });
        Self { origins: left.filter(|(_, numbers)| !numbers.is_empty()).collect() }
    }

    /// The transactions of this set that a server at the given position lacks. A position of MariaDB has the last
    /// number of each domain, which stands for all numbers up to it, whichever server wrote them: a former primary no
    /// longer appears (<https://mariadb.com/kb/en/gtid/#gtid_binlog_pos>).
    #[must_use]
    pub fn beyond(&self, position: &Self) -> Self {
        let left = self.origins.iter().map(|(origin, numbers)| {
            let passed = match origin {
                Origin::Server(..) => position.origins.get(origin).cloned().unwrap_or_default(),
                Origin::Domain(domain, _) => position.up_to_last(*domain),
            };
            (origin.clone(), numbers.subtract(&passed))
        });
        Self { origins: left.filter(|(_, numbers)| !numbers.is_empty()).collect() }
    }

    /// The transactions of this set whose origins the other set has.
    #[must_use]
    pub fn of_origins(&self, other: &Self) -> Self {
        let known = self.origins.iter().filter(|(origin, _)| other.origins.contains_key(origin));
        Self { origins: known.map(|(origin, numbers)| (origin.clone(), numbers.clone())).collect() }
    }

    /// All numbers up to the last one of a domain, whichever server wrote them.
    fn up_to_last(&self, domain: u32) -> Intervals {
        let of_domain = self.origins.range(Origin::Domain(domain, 0)..=Origin::Domain(domain, u32::MAX));
        let mut numbers = Intervals::default();
        numbers.insert(1, of_domain.filter_map(|(_, numbers)| numbers.last()).max().unwrap_or(0));
        numbers
    }

    /// The origins: UUIDs of MySQL servers without their tags, and `domain-server` of MariaDB.
    pub fn sources(&self) -> BTreeSet<String> {
        let name = |origin: &Origin| match origin {
            Origin::Server(uuid, _) => uuid.clone(),
            Origin::Domain(domain, server) => format!("{domain}-{server}"),
        };
        self.origins.keys().map(name).collect()
    }

    fn insert(&mut self, origin: Origin, (first, last): (u64, u64)) {
        self.origins.entry(origin).or_default().insert(first, last);
    }

    /// Parses the transactions of one UUID: numbers, and tags with their own numbers.
    fn read_server(&mut self, part: &str, start: usize) -> Result<(), GtidError> {
        let mut pieces = intervals::parts(part, start, ':');
        let (at, uuid) = pieces.next().unwrap_or_default();
        if !is_uuid(uuid) {
            return Err(GtidError::Origin { found: uuid.to_owned(), at });
        }
        // The tag that the next numbers belong to, and the UUID or tag that still has no number.
        let (mut tag, mut waiting) = ("", Some((uuid, at)));
        for (at, piece) in pieces {
            if !is_tag(piece) {
                let origin = Origin::Server(uuid.to_ascii_lowercase(), tag.to_ascii_lowercase());
                self.insert(origin, numbers(piece, at)?);
                waiting = None;
            } else if tag.is_empty() || waiting.is_none() {
                // A UUID that is followed by a tag needs no untagged number.
                (tag, waiting) = (piece, Some((piece, at)));
            } else {
                break;
            }
        }
        waiting.map_or(Ok(()), |(found, at)| Err(GtidError::NoInterval { found: found.to_owned(), at }))
    }

    /// Parses an entry of MariaDB.
    fn read_domain(&mut self, part: &str, at: usize) -> Result<(), GtidError> {
        let unknown = || GtidError::Origin { found: part.to_owned(), at };
        let (domain, rest) = part.split_once('-').ok_or_else(unknown)?;
        let (server, sequence) = rest.split_once('-').ok_or_else(unknown)?;
        let origin = id(domain).zip(id(server)).map(|(domain, server)| Origin::Domain(domain, server));
        let origin = origin.ok_or_else(unknown)?;
        // Servers print only the last number; `Display` also prints `first..last` for what remains of a set.
        let (first, last) = sequence.split_once("..").unwrap_or(("1", sequence));
        let numbers = intervals::number(first).zip(intervals::number(last));
        let (first, last) = numbers
            .filter(|(first, last)| 1 <= *first && first <= last)
            .ok_or_else(|| GtidError::Interval { found: sequence.to_owned(), at: at + part.len() - sequence.len() })?;
        self.insert(origin, (first, last));
        Ok(())
    }
}

/// A domain or a `server_id`.
fn id(text: &str) -> Option<u32> {
    intervals::number(text)?.try_into().ok()
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let digits = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(digits)
}

/// Whether a piece is a tag: unlike a number it begins with a letter or an underscore.
fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.starts_with(|first: char| first.is_ascii_digit()) && (1..=32).contains(&text.len()) && text.bytes().all(word)
}

fn numbers(text: &str, at: usize) -> Result<(u64, u64), GtidError> {
    let range = intervals::range(text, at).ok();
    let range = range.filter(|&(first, last)| 1 <= first && last <= LAST);
    range.ok_or_else(|| GtidError::Interval { found: text.to_owned(), at })
}

impl FromStr for GtidSet {
    type Err = GtidError;

    /// Parses the formats in which servers print a set; whitespace is allowed around every part.
    fn from_str(text: &str) -> Result<Self, GtidError> {
        let mut set = Self::default();
        for (at, part) in intervals::parts(text, 0, ',').filter(|(_, part)| !part.is_empty()) {
            if part.contains(':') || is_uuid(part) { set.read_server(part, at) } else { set.read_domain(part, at) }?;
        }
        Ok(set)
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut comma, mut known) = ("", None);
        for (origin, numbers) in &self.origins {
            match origin {
                Origin::Server(uuid, tag) => {
                    // A UUID is printed once, before its untagged numbers and all its tags.
                    if known != Some(uuid) {
                        write!(f, "{comma}{uuid}")?;
                        known = Some(uuid);
                    }
                    let colon = if tag.is_empty() { "" } else { ":" };
                    write!(f, "{colon}{tag}:")?;
                    intervals::write(f, numbers, ":")?;
                }
                Origin::Domain(domain, server) => {
                    for (index, range) in numbers.ranges().enumerate() {
                        let comma = if index == 0 { comma } else { "," };
                        write!(f, "{comma}{domain}-{server}-")?;
                        let (first, last) = range.into_inner();
                        if first == 1 { write!(f, "{last}") } else { write!(f, "{first}..{last}") }?;
                    }
                }
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
