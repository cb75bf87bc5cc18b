//! Reads a stored log. A line that no run writes is refused with its number, so that no check judges it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::record::{Record, SCHEMA, What};
use super::rules::Rules;
use crate::regular;

/// The limit for a line in bytes. Lines of a run are much shorter; a longer one is not read into memory.
const LONGEST_LINE: u64 = 16 << 20;

/// A stored log that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be read.
    #[error("cannot read the evidence log {path}: {source}; give the directory of a run")]
    Io {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// A line is not a record.
    #[error("{path}:{line}: not an evidence record: {reason}; only a log as its run wrote it can be judged")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// Why.
        reason: String,
    },
}

/// Reads the log at this path.
pub(super) fn read(path: &Path) -> Result<Vec<Record>, ReadError> {
    let file = regular::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
    parse(BufReader::new(file), path)
}

/// Reads a log from bytes; `path` is its name in errors.
pub(super) fn parse(mut reader: impl BufRead, path: &Path) -> Result<Vec<Record>, ReadError> {
    let (mut records, mut rules): (Vec<Record>, _) = (Vec::new(), Rules::default());
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let refuse = |reason| ReadError::Line { path: path.to_owned(), line: number, reason };
        let read = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        let read = read.map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        if read as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
            return Err(refuse(format!("it is longer than {} MiB", LONGEST_LINE >> 20)));
        }
        // A killed run may have left an incomplete last line: nothing acted on it yet.
        if line.pop() != Some(b'\n') {
            if records.is_empty() {
                return Err(refuse("the log has no whole record".to_owned()));
            }
            break;
        }
        let record: Record = serde_json::from_slice(&line).map_err(|error| refuse(error.to_string()))?;
        let expected = records.last().map_or(1, |last| last.seq + 1);
        if record.seq != expected {
            return Err(refuse(format!("record #{expected} is missing: this one is #{}", record.seq)));
        }
        if let What::Run(run) = &record.what
            && run.schema != SCHEMA
        {
            return Err(refuse(format!("it has evidence format {} and this program reads {SCHEMA}", run.schema)));
        }
        rules.hold(&record).map_err(refuse)?;
        records.push(record);
    }
    Ok(records)
}
