//! The book of a run on an existing cluster: a list, written to disk beforehand, of the objects that the run is about
//! to create. From it the next start, or `steadfast down`, finds what a killed run left.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::kind::lease_folder;
use super::lease::{self, Lease};
use crate::text::quoted;

/// An object that a run was about to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The API that its kind belongs to, such as `storage.k8s.io/v1`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, if that existed before the run. Objects in the run's own namespaces are deleted with these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// What a run creates, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// The run, whose label all its objects have.
    pub run: String,
    /// The UID of the cluster's namespace kube-system.
    pub cluster: String,
    /// The API server's address.
    pub server: String,
    /// The kubeconfig that the run used.
    pub kubeconfig: PathBuf,
    /// The context in it.
    pub context: String,
    /// The objects, in the order of their creation.
    pub intents: Vec<Intent>,
    /// The namespace that existed before, where the StatefulSet's claims can be found by the run's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_in: Option<String>,
}

/// What a run may have created.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The run, whose label its objects have.
    pub run: &'a str,
    /// The objects.
    pub intents: &'a [Intent],
    /// The namespace where the claims of its StatefulSet can be found by that label.
    pub claims_in: Option<&'a str>,
}

impl Book {
    /// What the run may have created.
    pub fn made(&self) -> Made<'_> {
        Made { run: &self.run, intents: &self.intents, claims_in: self.claims_in.as_deref() }
    }

    /// Writes the book and locks it: as long as the lease is held, nobody considers the run dead.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(&self) -> io::Result<Lease> {
        self.open_in(&folder(&self.cluster))
    }

    fn open_in(&self, folder: &Path) -> io::Result<Lease> {
        let lease = Lease::take(folder, &self.run)?;
        lease.write(&serde_json::to_vec(self)?)?;
        Ok(lease)
    }

    /// The command that removes what the run left.
    pub fn removal(&self) -> String {
        let Self { cluster, kubeconfig, context, .. } = self;
        let [file, context, uid] = [&kubeconfig.display().to_string(), context, cluster].map(|word| quoted(word));
        format!("steadfast down --kubeconfig {file} --context {context} --cluster-uid {uid}")
    }
}

/// Where the books of a cluster are.
fn folder(cluster: &str) -> PathBuf {
    // The UID comes from the API server, so make it safe as the name of a folder.
    let name = cluster.replace(|c: char| !c.is_ascii_alphanumeric() && c != '-', "_");
    books().join(name)
}

fn books() -> PathBuf {
    lease_folder().join("clusters")
}

/// Which books of a cluster to take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The books of runs that ended without removing their objects.
    DeadRuns,
    /// Also the books of runs that kept their objects on request.
    KeptRuns,
}

/// A book that was taken over. While it is held, nobody else removes its objects.
#[derive(Debug)]
pub struct TakenOver {
    /// The book.
    pub book: Book,
    folder: PathBuf,
    _lease: Option<Lease>,
}

impl TakenOver {
    /// Deletes the book, because all its objects are gone.
    pub fn forget(self) {
        lease::forget(&self.folder, &self.book.run);
    }
}

/// Takes over the books of a cluster.
pub fn take_over(cluster: &str, of: Of) -> Vec<TakenOver> {
    take_over_in(&folder(cluster), of)
}

fn take_over_in(folder: &Path, of: Of) -> Vec<TakenOver> {
    let mut taken = Vec::new();
    for (run, held) in lease::taken_over(folder) {
        match read(&folder.join(format!("{run}.lease"))) {
            Ok(book) => taken.push(TakenOver { book, folder: folder.to_owned(), _lease: Some(held) }),
            // The run was killed before the book was complete, so before it created anything.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => lease::forget(folder, &run),
            // Another version of this program wrote it, and can read it.
            Err(_) => {}
        }
    }
    if of == Of::KeptRuns {
        let kept = lease::kept(folder).into_iter().filter_map(|run| read(&folder.join(format!("{run}.kept"))).ok());
        taken.extend(kept.map(|book| TakenOver { book, folder: folder.to_owned(), _lease: None }));
    }
    taken
}

fn read(path: &Path) -> io::Result<Book> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

/// The books that may need action, of every cluster.
#[derive(Debug, Default)]
pub struct Left {
    /// Of runs that ended without removing their objects.
    pub dead: Vec<Book>,
    /// Of runs that kept their objects on request.
    pub kept: Vec<Book>,
}

/// Finds the books of every cluster that no living run holds.
pub fn left() -> Left {
    let folders = std::fs::read_dir(books()).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut left = Left::default();
    for folder in folders {
        let named = |runs: Vec<String>, extension: &'static str| {
            let folder = folder.clone();
            runs.into_iter().filter_map(move |run| read(&folder.join(format!("{run}.{extension}"))).ok())
        };
        left.dead.extend(named(lease::abandoned(&folder), "lease"));
        left.kept.extend(named(lease::kept(&folder), "kept"));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(run: &str) -> Book {
        let text = |text: &str| text.to_owned();
        let intents =
            vec![Intent { api_version: text("v1"), kind: text("Namespace"), namespace: None, name: text("a") }];
        Book {
            run: text(run),
            cluster: text("uid"),
            server: text("https://127.0.0.1:6443/"),
            kubeconfig: PathBuf::from("/k"),
            context: text("c"),
            intents,
            claims_in: None,
        }
    }

    #[test]
    fn the_books_of_dead_and_of_kept_runs_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs =
            |of| -> Vec<String> { take_over_in(folder.path(), of).into_iter().map(|it| it.book.run.clone()).collect() };
        let living = book("steadfast-living").open_in(folder.path()).expect("free");
        drop(book("steadfast-dead").open_in(folder.path()).expect("free"));
        book("steadfast-stays").open_in(folder.path()).expect("free").keep().expect("kept");
        assert_eq!(runs(Of::DeadRuns), ["steadfast-dead"]);
        assert_eq!(runs(Of::KeptRuns), ["steadfast-dead", "steadfast-stays"]);
        drop(living);
        let taken = take_over_in(folder.path(), Of::KeptRuns);
        assert!(take_over_in(folder.path(), Of::DeadRuns).is_empty(), "they are held");
        assert_eq!(taken[0].book, book("steadfast-dead"));
        taken.into_iter().for_each(TakenOver::forget);
        assert!(runs(Of::KeptRuns).is_empty());
    }

    #[test]
    fn a_book_that_was_never_whole_is_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let whole = serde_json::to_string(&book("steadfast-torn")).expect("JSON");
        for torn in ["", &whole[..whole.len() / 2]] {
            Lease::take(folder.path(), "steadfast-torn").expect("free").write(torn.as_bytes()).expect("written");
            assert!(take_over_in(folder.path(), Of::DeadRuns).is_empty());
            assert!(lease::abandoned(folder.path()).is_empty());
        }
    }

    #[test]
    fn a_book_of_another_version_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        Lease::take(folder.path(), "steadfast-newer").expect("free").write(b"{\"format\": 2}").expect("written");
        assert!(take_over_in(folder.path(), Of::DeadRuns).is_empty());
        assert_eq!(lease::abandoned(folder.path()), ["steadfast-newer"]);
    }

    #[test]
    fn the_command_is_one_for_a_shell() {
        let odd = Book { kubeconfig: PathBuf::from("/my files/k"), context: "it's".to_owned(), ..book("steadfast-a") };
        assert_eq!(odd.removal(), r"steadfast down --kubeconfig '/my files/k' --context 'it'\''s' --cluster-uid uid");
    }

    #[test]
    fn whatever_a_server_calls_itself_names_a_folder() {
        for uid in ["../../etc", "/etc", "a/b", "", "0f-1e"] {
            assert_eq!(folder(uid).parent().is_some_and(|it| it.ends_with("runs/clusters")), !uid.is_empty(), "{uid}");
        }
    }
}
