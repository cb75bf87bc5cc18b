//! The reader refuses everything that no run writes, and names the line. It reads what a killed run leaves.

use std::panic::{AssertUnwindSafe, catch_unwind};

use steadfast::check::{Verdict, all};
use steadfast::evidence::{Evidence, ReadError};

use super::class::{count, told};
use super::logs::{Bytes, Log, backwards, garbage, holes, insane, proofs, torn, two_runs, unknown_pods};
use super::runs::{path, runs};
use super::stored::{Part, Stored};

/// Similar logs.
pub(crate) struct Class {
    /// Its name, `reader::what_is_wrong`.
    pub name: &'static str,
    why: &'static str,
    wanted: Wanted,
    of: fn(&Log) -> Vec<Bytes>,
}

/// What the reader must do.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    /// It refuses the log.
    Refused,
    /// It reads the log, and no check fails.
    Read,
}

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "reader::time_runs_backwards",
        why: "The log is written by one clock that never goes back.",
        wanted: Wanted::Refused,
        of: backwards,
    },
    Class { name: "reader::there_are_two_runs", why: "A log is of one run.", wanted: Wanted::Refused, of: two_runs },
    Class {
        name: "reader::records_are_missing",
        why: "Records are counted from 1 without a hole, each once.",
        wanted: Wanted::Refused,
        of: holes,
    },
    Class {
        name: "reader::uids_and_ordinals_do_not_exist",
        why: "Nobody can ask a pod that was never seen.",
        wanted: Wanted::Refused,
        of: unknown_pods,
    },
    Class {
        name: "reader::numbers_are_insane",
        why: "A workload that no cluster could hold, and a limit that no clock could count, are not what a run is about.",
        wanted: Wanted::Refused,
        of: insane,
    },
    Class {
        name: "reader::proofs_name_no_record",
        why: "A proof names records that were written before it.",
        wanted: Wanted::Refused,
        of: proofs,
    },
    Class {
        name: "reader::lines_are_no_records",
        why: "Only a log as its run wrote it can be judged.",
        wanted: Wanted::Refused,
        of: garbage,
    },
    Class {
        name: "reader::the_last_line_is_torn",
        why: "A run that is killed leaves half a line, on which nobody had acted.",
        wanted: Wanted::Read,
        of: torn,
    },
];

impl Class {
    /// Reads all logs of the class. `None` if no stored run fits.
    pub(crate) fn judge(&self) -> Option<Result<(), String>> {
        let (mut wrong, mut judged) = (Vec::new(), 0);
        for stored in runs(Part::Reader) {
            let text = std::fs::read_to_string(path(stored.name)).expect("a stored run");
            let log = Log { lines: text.lines().map(str::to_owned).collect() };
            for (name, bytes) in (self.of)(&log) {
                let found = read(&bytes).and_then(|read| self.wanted.holds(stored, read));
                count("(the reader)", found.is_ok());
                judged += 1;
                if let Err(found) = found {
                    wrong.push(format!("{name}: wanted {}, found {found}", self.wanted.words()));
                }
            }
        }
        (judged > 0).then(|| told(self.why, judged, &wrong))
    }
}

impl Wanted {
    fn words(self) -> &'static str {
        if self == Self::Refused { "a refusal that says where" } else { "a log that is read and blames nobody" }
    }

    fn holds(self, stored: &Stored, read: Result<Evidence, ReadError>) -> Result<(), String> {
        match (self, read) {
            (Self::Refused, Ok(_)) => Err("that it was read".to_owned()),
            // An error while reading the file says nothing about its content.
            (Self::Refused, Err(error)) if !matches!(error, ReadError::Io { .. }) => Ok(()),
            (_, Err(error)) => Err(error.to_string().chars().take(160).collect()),
            (Self::Read, Ok(evidence)) => {
                let red = |id: &&str| stored.verdict(id) != Verdict::Fail;
                let failed =
                    all().filter(|check| check.judge(&evidence).verdict == Verdict::Fail).map(|check| check.id);
                failed.filter(red).map(|id| Err(format!("{id} fail"))).next().unwrap_or(Ok(()))
            }
        }
    }
}

/// Reads these bytes as a log.
fn read(bytes: &[u8]) -> Result<Result<Evidence, ReadError>, String> {
    catch_unwind(AssertUnwindSafe(|| Evidence::parse(bytes))).map_err(|_| "a panic".to_owned())
}
