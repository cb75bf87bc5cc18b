//! Leases: one file per cluster, locked while the run that created the cluster lives. The lock ends with the process,
//! however that ends, so the next start recognises the cluster of a killed run.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

/// The prefix of the names of all clusters that this program creates.
pub const PREFIX: &str = "steadfast-";

/// A run's claim on the cluster that it creates.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    /// Holds the lock until the lease is dropped.
    file: File,
}

impl Lease {
    /// Claims a cluster's name before the cluster is created.
    ///
    /// # Errors
    /// When the file cannot be written, or another run holds the name.
    pub fn take(folder: &Path, cluster: &str) -> std::io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("{cluster}.lease"));
        // Lock the file before it gets its name, so that a search for abandoned leases never finds it unlocked.
        let fresh = tempfile::NamedTempFile::new_in(folder)?;
        fresh.as_file().lock()?;
        let file = fresh.persist_noclobber(&path).map_err(|error| {
            std::io::Error::new(error.error.kind(), format!("the cluster name is already in use ({})", error.error))
        })?;
        Ok(Self { path, file })
    }

    /// Takes over the lease of a killed run. `None` if the holder is alive.
    pub fn take_over(folder: &Path, cluster: &str) -> Option<Self> {
        let path = folder.join(format!("{cluster}.lease"));
        let file = OpenOptions::new().append(true).open(&path).ok()?;
        file.try_lock().ok()?;
        Some(Self { path, file })
    }

    /// Writes the purpose of the claim to the file and syncs it to disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, content: &[u8]) -> std::io::Result<()> {
        std::fs::write(&self.path, content)?;
        self.file.sync_all()
    }

    /// Gives up the claim, because the cluster is gone.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn release(self) -> std::io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    /// Makes the claim permanent: the cluster is kept on request, and no start removes it.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub fn keep(self) -> std::io::Result<()> {
        std::fs::rename(&self.path, self.path.with_extension("kept"))
    }
}

/// The process that creates a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Maker {
    /// The process group: it may outlive the run.
    pub group: u32,
    /// The ID of the engine.
    pub engine: String,
}

/// Records which process creates a cluster.
///
/// # Errors
/// When the lease cannot be written.
pub(super) fn note(folder: &Path, cluster: &str, maker: &Maker) -> std::io::Result<()> {
    std::fs::write(folder.join(format!("{cluster}.lease")), format!("{} {}", maker.group, maker.engine))
}

/// The recorded maker.
pub(super) fn noted(folder: &Path, cluster: &str) -> Option<Maker> {
    let text = std::fs::read_to_string(folder.join(format!("{cluster}.lease"))).ok()?;
    let (group, engine) = text.split_once(' ')?;
    Some(Maker { group: group.parse().ok()?, engine: engine.trim().to_owned() })
}

/// The leases of runs that ended without removing their clusters, with the clusters' names. Nobody held the lock.
pub(super) fn taken_over(folder: &Path) -> impl Iterator<Item = (String, Lease)> {
    named(folder, "lease").into_iter().filter_map(move |cluster| {
        let lease = Lease::take_over(folder, &cluster)?;
        Some((cluster, lease))
    })
}

/// The clusters whose runs ended without removing them.
pub fn abandoned(folder: &Path) -> Vec<String> {
    taken_over(folder).map(|(cluster, _)| cluster).collect()
}

/// The clusters kept on request.
pub fn kept(folder: &Path) -> Vec<String> {
    named(folder, "kept")
}

/// Deletes the files of a cluster that is gone.
pub(super) fn forget(folder: &Path, cluster: &str) {
    for extension in ["lease", "kept"] {
        // It is fine if the file does not exist.
        let _ = std::fs::remove_file(folder.join(format!("{cluster}.{extension}")));
    }
}

fn named(folder: &Path, extension: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        // Never remove anything that a run did not create.
        .filter(|name| name.starts_with(PREFIX))
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
        let held = Lease::take(folder.path(), "steadfast-held").expect("free");
        drop(Lease::take(folder.path(), "steadfast-dropped").expect("free"));
        drop(Lease::take(folder.path(), "prod").expect("free"));
        let maker = Maker { group: 123, engine: "A:B".to_owned() };
        note(folder.path(), "steadfast-dropped", &maker).expect("written");
        assert_eq!(
            [noted(folder.path(), "steadfast-dropped"), noted(folder.path(), "steadfast-held")],
            [Some(maker), None]
        );
        assert_eq!(abandoned(folder.path()), ["steadfast-dropped"]);
        assert!(Lease::take(folder.path(), "steadfast-held").is_err());
        held.keep().expect("kept");
        assert_eq!(kept(folder.path()), ["steadfast-held"]);
        assert_eq!(abandoned(folder.path()), ["steadfast-dropped"]);
        forget(folder.path(), "steadfast-dropped");
        forget(folder.path(), "steadfast-held");
        assert!(abandoned(folder.path()).is_empty() && kept(folder.path()).is_empty());
    }
}
