//! Leases: a file per cluster, locked for as long as the run that made the cluster lives. The lock goes with the
//! process however it ends, so that the next start knows a cluster whose owner was killed.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

/// The claim on a cluster of the run that made it.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    /// Holds the lock until the lease is dropped.
    _file: File,
}

impl Lease {
    /// Claims a cluster's name before the cluster is made.
    ///
    /// # Errors
    /// When the file cannot be written, or another run holds the name.
    pub fn take(folder: &Path, cluster: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{cluster}.lease"));
        // It is locked before it bears its name: whoever looks for abandoned leases never finds it free.
        let fresh = tempfile::NamedTempFile::new_in(folder)?;
        fresh.as_file().lock()?;
        let file = fresh.persist_noclobber(&path).map_err(|error| {
            std::io::Error::new(error.error.kind(), format!("the cluster's name is taken ({})", error.error))
        })?;
        Ok(Self { path, _file: file })
    }

    /// Takes over the lease of a run that was killed; none if its holder lives.
    pub fn take_over(folder: &Path, cluster: &str) -> Option<Self> {
        let path = folder.join(format!("{cluster}.lease"));
        let file = OpenOptions::new().append(true).open(&path).ok()?;
        file.try_lock().ok()?;
        Some(Self { path, _file: file })
    }

    /// Gives the claim up, because the cluster is gone.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn release(self) -> std::io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    /// Turns the claim into one that lasts: the cluster was asked to be kept, and no start is to remove it.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub fn keep(self) -> std::io::Result<()> {
        std::fs::rename(&self.path, self.path.with_extension("kept"))
    }
}

/// Notes the process group that makes a cluster, for it may outlive the run.
///
/// # Errors
/// When the lease cannot be written.
pub fn note(folder: &Path, cluster: &str, group: u32) -> std::io::Result<()> {
    std::fs::write(folder.join(format!("{cluster}.lease")), group.to_string())
}

/// The process group that was noted.
pub fn noted(folder: &Path, cluster: &str) -> Option<u32> {
    std::fs::read_to_string(folder.join(format!("{cluster}.lease"))).ok()?.parse().ok()
}

/// The clusters whose runs ended without removing them: their leases are there and nobody holds the lock.
pub fn abandoned(folder: &Path) -> Vec<String> {
    named(folder, "lease").into_iter().filter(|cluster| Lease::take_over(folder, cluster).is_some()).collect()
}

/// The clusters that were asked to be kept.
pub fn kept(folder: &Path) -> Vec<String> {
    named(folder, "kept")
}

/// Forgets a cluster that is gone.
pub fn forget(folder: &Path, cluster: &str) {
    for extension in ["lease", "kept"] {
        // A file that is not there is what is wanted.
        let _ = std::fs::remove_file(folder.join(format!("{cluster}.{extension}")));
    }
}

fn named(folder: &Path, extension: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lease_without_a_holder_is_abandoned() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = Lease::take(folder.path(), "held").expect("free");
        drop(Lease::take(folder.path(), "dropped").expect("free"));
        note(folder.path(), "dropped", 123).expect("written");
        assert_eq!([noted(folder.path(), "dropped"), noted(folder.path(), "held")], [Some(123), None]);
        assert_eq!(abandoned(folder.path()), ["dropped"]);
        assert!(Lease::take(folder.path(), "held").is_err());
        held.keep().expect("kept");
        assert_eq!(kept(folder.path()), ["held"]);
        assert_eq!(abandoned(folder.path()), ["dropped"]);
        forget(folder.path(), "dropped");
        forget(folder.path(), "held");
        assert!(abandoned(folder.path()).is_empty() && kept(folder.path()).is_empty());
    }
}
