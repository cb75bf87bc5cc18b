//! The table of the stored runs from which histories are made.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use steadfast::evidence::Evidence;

use super::change::Change;
use super::settings::{all_at_once, min_ready_seconds, old_api_server, two_unavailable};
use super::stored::{Part, Stored};

/// A stored run and the classes that use it.
struct Row {
    /// Its name in `suites/replay`, without `.jsonl`.
    name: &'static str,
    good_for: &'static [Part],
    /// The setting that turns it into another run in which everything is right, if the stored run lacks a setting.
    set: Option<Setting>,
}

/// A setting that a stored run does not have.
struct Setting {
    change: fn(&Stored) -> Change,
    /// The checks that pass on the changed run. Its histories are about these checks.
    passes: &'static [&'static str],
}

/// All runs from which histories are made.
static RUNS: &[Row] = &[
    plain("seed-1.37.2", &[Part::Answers, Part::Watches, Part::Right, Part::Servers]),
    plain("mariadb-10.11", &[Part::Servers]),
    plain("mysql-9.7-semi-sync", &[Part::SemiSync, Part::Servers]),
    plain("made-good", &[Part::Reader]),
    plain("made-parallel", &[]),
    plain("made-upgraded", &[Part::Upgrade]),
    plain("made-unwatched", &[Part::Upgrade]),
    set("seed-1.37.2", &[Part::MinReady], min_ready_seconds, &["ordering::waits_for_min_ready_seconds"]),
    set("seed-1.37.2", &[Part::MaxUnavailable], two_unavailable, &["ordering::respects_max_unavailable"]),
    set("seed-1.37.2", &[Part::Parallel], all_at_once, &["ordering::parallel_pods_do_not_wait"]),
    set("made-parallel", &[Part::Parallel], all_at_once, &["ordering::parallel_pods_do_not_wait"]),
    set("made-good", &[Part::ApiServer], old_api_server, &["replication::recovers_within_budget"]),
];

const fn plain(name: &'static str, good_for: &'static [Part]) -> Row {
    Row { name, good_for, set: None }
}

const fn set(
    name: &'static str,
    good_for: &'static [Part],
    change: fn(&Stored) -> Change,
    passes: &'static [&'static str],
) -> Row {
    Row { name, good_for, set: Some(Setting { change, passes }) }
}

/// The runs for a part. Each is read only once.
pub(crate) fn runs(part: Part) -> impl Iterator<Item = &'static Stored> {
    (0..RUNS.len()).filter(move |place| RUNS[*place].good_for.contains(&part)).map(read)
}

/// A run of the table. It is read only once.
fn read(place: usize) -> &'static Stored {
    static READ: [OnceLock<Stored>; RUNS.len()] = [const { OnceLock::new() }; RUNS.len()];
    let row = &RUNS[place];
    READ[place].get_or_init(|| match &row.set {
        None => Stored::of(
            row.name,
            Evidence::read(&path(row.name)).unwrap_or_else(|error| panic!("a stored run: {error}")),
        ),
        Some(Setting { change, passes }) => {
            let plain = RUNS.iter().position(|it| it.name == row.name && it.set.is_none());
            plain.map_or_else(|| panic!("{} is not stored", row.name), read).with(*change, passes)
        }
    })
}

/// The path of a stored run.
pub(crate) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("suites/replay/{name}.jsonl"))
}
