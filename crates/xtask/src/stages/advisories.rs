//! Limits how long the list of advisories may be unreachable.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};

/// The number of days for which the stage passes without the list.
const DAYS: u64 = 7;

/// The length of a day.
const DAY: Duration = Duration::from_secs(86_400);

/// A file with the modification time of the last fetch of the list. On a machine that never fetched it, it has the
/// time of the first attempt.
#[derive(Debug)]
pub(super) struct Advisories(PathBuf);

impl Advisories {
    /// The file in the cache of the lab.
    pub(super) fn in_cache(cache: &Path) -> Self {
        Self(cache.join("advisories"))
    }

    /// Records that the list was fetched.
    pub(super) fn note_fetched(&self) -> anyhow::Result<()> {
        self.note("last fetched")
    }

    /// The message about a list that cannot be fetched.
    ///
    /// # Errors
    /// When the list has been unreachable for too long.
    pub(super) fn may_wait(&self, now: SystemTime) -> anyhow::Result<String> {
        let age = match self.age(now) {
            Some(age) => age,
            // If the clock was wrong, the time starts anew, so that the list does not wait longer.
            None => {
                self.note("never fetched, first asked for")?;
                Duration::ZERO
            }
        };
        let days = age.as_secs() / DAY.as_secs();
        let noted = fs::read_to_string(&self.0).with_context(|| format!("cannot read {}", self.0.display()))?;
        let state = format!(
            "advisories: cannot fetch the list ({} {days} days ago, says {})",
            noted.trim_end(),
            self.0.display()
        );
        if days >= DAYS {
            bail!(
                "{state}\nadvisories: after {DAYS} days this is a failure. Remedy: let this machine reach \
                 https://github.com/RustSec/advisory-db, or configure a mirror (git config --global \
                 url.MIRROR.insteadOf https://github.com/RustSec/advisory-db)"
            );
        }
        Ok(format!("{state}\nadvisories: without it this stage passes for {DAYS} days, and then fails"))
    }

    /// The age of the file. `None` if it does not exist or is from the future.
    fn age(&self, now: SystemTime) -> Option<Duration> {
        let written = fs::metadata(&self.0).and_then(|file| file.modified()).ok()?;
        now.duration_since(written).ok()
    }

    fn note(&self, text: &str) -> anyhow::Result<()> {
        let written = match self.0.parent() {
            Some(cache) => fs::create_dir_all(cache),
            None => Ok(()),
        };
        written
            .and_then(|()| fs::write(&self.0, format!("{text}\n")))
            .with_context(|| format!("cannot write {}", self.0.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cache in which the file is this many days old. A negative number is in the future.
    fn aged(note: &str, days: i64) -> (tempfile::TempDir, Advisories, SystemTime) {
        let directory = tempfile::tempdir().expect("a directory");
        let advisories = Advisories::in_cache(&directory.path().join("steadfast"));
        advisories.note(note).expect("it can be written");
        let now = SystemTime::now();
        let by = DAY * u32::try_from(days.abs()).expect("few days");
        let written = if days < 0 { now + by } else { now - by };
        fs::File::open(&advisories.0).and_then(|file| file.set_modified(written)).expect("its time can be set");
        (directory, advisories, now)
    }

    fn said(advisories: &Advisories, now: SystemTime) -> String {
        advisories.may_wait(now).expect("it is early enough")
    }

    #[test]
    fn a_list_that_was_never_fetched_may_wait_from_the_first_time_on() {
        let directory = tempfile::tempdir().expect("a directory");
        let advisories = Advisories::in_cache(&directory.path().join("steadfast"));
        let now = SystemTime::now() + Duration::from_secs(60);
        assert!(said(&advisories, now).contains("(never fetched, first asked for 0 days ago, says /"));
        assert!(said(&advisories, now + 6 * DAY).contains("first asked for 6 days ago"));
        assert!(said(&advisories, now + 6 * DAY).ends_with("passes for 7 days, and then fails"));
        let error = advisories.may_wait(now + 7 * DAY).expect_err("it is too late").to_string();
        assert!(error.contains("first asked for 7 days ago") && error.contains("Remedy: let this machine reach"));
    }

    #[test]
    fn a_list_that_was_fetched_may_wait_for_as_long() {
        let (_directory, advisories, now) = aged("last fetched", 6);
        assert!(said(&advisories, now).contains("(last fetched 6 days ago"));
        let (_directory, advisories, now) = aged("last fetched", 8);
        assert!(advisories.may_wait(now).expect_err("it is too late").to_string().contains("last fetched 8 days ago"));
        advisories.note_fetched().expect("it can be written");
        assert!(said(&advisories, SystemTime::now()).contains("(last fetched 0 days ago"));
    }

    #[test]
    fn a_file_of_the_future_does_not_let_the_list_wait_for_longer() {
        let (_directory, advisories, now) = aged("last fetched", -8);
        assert!(said(&advisories, now).contains("never fetched, first asked for 0 days ago"));
        assert!(said(&advisories, SystemTime::now()).contains("first asked for 0 days ago"));
    }
}
