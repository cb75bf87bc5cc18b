//! Finds the results of runs.

use std::io;
use std::path::{Path, PathBuf};

use super::Unread;
use crate::regular;

const RESULTS: &str = "results.json";
const EVIDENCE: &str = "evidence.jsonl";

/// Everything found below some folders.
#[derive(Debug, Default)]
pub struct Gathered {
    /// The results, by path.
    pub found: Vec<Found>,
    /// Directories with evidence but without results, there or below.
    pub without_results: Vec<PathBuf>,
    /// What cannot be read, and folders that hold nothing.
    pub unread: Vec<Unread>,
}

/// A `results.json`.
#[derive(Debug, Clone)]
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// Searches these folders. Each is a run's directory or holds such directories at any depth. Links are followed only if
/// they are named: `latest`, beside the runs, is one.
pub fn gather<P: AsRef<Path>>(folders: &[P]) -> Gathered {
    let mut gathered = Gathered::default();
    for folder in folders {
        let folder = folder.as_ref();
        let before = gathered.found.len() + gathered.unread.len() + gathered.without_results.len();
        walk(folder, &mut gathered);
        if gathered.found.len() + gathered.unread.len() + gathered.without_results.len() == before {
            let reason = format!("there is no {RESULTS} in it or below");
            gathered.unread.push(Unread { path: folder.to_owned(), reason });
        }
    }
    gathered
}

/// Whether the folder or a folder below holds results.
fn walk(folder: &Path, gathered: &mut Gathered) -> bool {
    let entries = match entries(folder) {
        Ok(entries) => entries,
        Err(error) => {
            gathered.unread.push(Unread { path: folder.to_owned(), reason: error.to_string() });
            return false;
        }
    };
    let (mut results, mut evidence) = (false, false);
    for (path, kind) in entries {
        if kind.is_dir() {
            results |= walk(&path, gathered);
        } else if path.ends_with(RESULTS) {
            results = true;
            match regular::text(&path) {
                Ok(text) => gathered.found.push(Found { path, text }),
                Err(error) => gathered.unread.push(Unread { path, reason: error.to_string() }),
            }
        } else {
            evidence |= path.ends_with(EVIDENCE);
        }
    }
    if evidence && !results {
        gathered.without_results.push(folder.to_owned());
    }
    results
}

fn entries(folder: &Path) -> io::Result<Vec<(PathBuf, std::fs::FileType)>> {
    let entry = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry?;
        Ok((entry.path(), entry.file_type()?))
    };
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.map(entry).collect::<io::Result<_>>()?;
    entries.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_at_any_depth_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for directory in ["a/b", "c", "killed", "suite/one"] {
            std::fs::create_dir_all(at(directory)).unwrap();
        }
        for file in ["a/b/results.json", "c/results.json", "suite/one/results.json"] {
            std::fs::write(at(file), file).unwrap();
        }
        std::fs::write(at("c/evidence.jsonl"), "").unwrap();
        std::fs::write(at("killed/evidence.jsonl"), "").unwrap();
        std::fs::write(at("suite/evidence.jsonl"), "").unwrap();
        std::os::unix::fs::symlink("c", at("latest")).unwrap();
        let gathered = gather(&[folder.path()]);
        let texts: Vec<&str> = gathered.found.iter().map(|found| found.text.as_str()).collect();
        assert_eq!(texts, ["a/b/results.json", "c/results.json", "suite/one/results.json"]);
        assert_eq!(gathered.without_results, [at("killed")]);
        assert_eq!(gathered.unread, []);
        assert_eq!(gather(&[at("latest")]).found.len(), 1, "a link that is named is followed");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("empty")).unwrap();
        std::fs::create_dir_all(at("odd/results.json")).unwrap();
        std::fs::write(at("odd/file"), "").unwrap();
        std::fs::create_dir_all(at("torn")).unwrap();
        std::fs::write(at("torn/results.json"), b"\xff").unwrap();
        let gathered = gather(&[at("empty"), at("odd"), at("odd/file"), at("torn"), at("nothing")]);
        let unread: Vec<&Path> = gathered.unread.iter().map(|unread| unread.path.as_path()).collect();
        assert_eq!(unread, [at("empty"), at("odd"), at("odd/file"), at("torn/results.json"), at("nothing")]);
    }
}
