//! The state file, which `steadfast before` writes and `steadfast after` reads once the user has upgraded the cluster.
//! It holds no passwords: those stay in Secrets of the cluster.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::cluster::book::Intent;
use crate::cluster::kind::PREFIX;
use crate::evidence::{State, Subject};
use crate::regular;
use crate::run::{RunConfig, Target};
use crate::workload::{Owned, Sources};

/// The version of the file's format. A reader refuses a file with another one.
const SCHEMA: u32 = 2;

/// The file's mode: only the user may read where the cluster is.
const MODE: u32 = 0o600;

/// A state file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It does not exist.
    #[error("there is no state file {path}; run `steadfast before` first, or set its path with --state")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("cannot use the state file {path}: {source}; choose another one with --state")]
    Io {
        /// The file.
        path: PathBuf,
        /// The I/O error.
        source: io::Error,
    },
    /// `before` did not write it.
    #[error(
        "{path} is not a state file of `steadfast before`: {reason}; choose the right one with --state. The objects \
         that `before` created have the label steadfast/run"
    )]
    Torn {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        reason: String,
    },
    /// Another version of the program wrote it.
    #[error(
        "the state file {path} has format {found}, written by steadfast {by}, but this program reads format {SCHEMA}; \
         continue with that version"
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u64,
        /// The version that wrote it.
        by: String,
    },
}

/// The progress of `before`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// Namespaces and witnesses are being created.
    Begun,
    /// The workload is being deployed, or looked for.
    Witnessed,
    /// The harness's tables and accounts are being created in its servers.
    Deployed,
    /// The ledger is running.
    Writing,
    /// The state was read.
    Complete,
}

impl Phase {
    /// What had been done, as part of a sentence.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Begun => "had begun",
            Self::Witnessed => "had started the witnesses",
            Self::Deployed => "had found the workload running",
            Self::Writing => "had started the ledger",
            Self::Complete => "had read the state",
        }
    }
}

/// The cluster of the state file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Place {
    /// The UID of its namespace kube-system.
    pub uid: String,
    /// The context it was reached with.
    pub context: String,
    /// Its API server's address.
    pub server: String,
    /// Its version at that time.
    pub kubernetes: String,
    /// How it is reached.
    pub target: Target,
}

/// The conditions that both phases run under.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Conditions {
    /// The manifests; empty for the seed with its overlay.
    pub manifests: Sources,
    /// What the user said about the workload besides the manifests, and the demands on it.
    #[serde(flatten)]
    pub config: RunConfig,
    /// Multiplies every time limit.
    pub timeout_scale: f64,
}

/// A cluster-wide object that was created and must be deleted in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Thing {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub uid: String,
}

/// What `before` knows at the end of each of its phases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Saved {
    pub schema: u32,
    /// Version of the harness.
    pub steadfast: String,
    /// The run's id, from which the names of all objects derive.
    pub run_id: String,
    pub place: Place,
    pub conditions: Conditions,
    /// Whether the workload was deployed by somebody else.
    pub adopted: bool,
    pub subject: Subject,
    /// The namespace of the witness with the ledger: the workload's own if it was created for the workload.
    pub near: String,
    /// The namespace of the other witness.
    pub far: String,
    /// All cluster-wide objects and namespaces to create, noted before any of them is created.
    pub intents: Vec<Intent>,
    /// All cluster-wide objects created, namespaces included, in order of creation.
    pub made: Vec<Thing>,
    pub phase: Phase,
    /// The state before the upgrade.
    pub before: Option<State>,
    /// The evidence of `before`.
    pub evidence: PathBuf,
}

impl Saved {
    /// The run's name, the value of the label on everything that was created.
    pub(super) fn name(&self) -> String {
        format!("{PREFIX}{}", self.run_id)
    }

    /// The format that this program writes.
    pub(super) const SCHEMA: u32 = SCHEMA;

    /// Reads the file.
    ///
    /// # Errors
    /// When it does not exist, or when this program cannot read it.
    pub(super) fn read(path: &Path) -> Result<Self, SavedError> {
        let text = regular::text(path);
        let path = || path.to_owned();
        let text = text.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => SavedError::Missing { path: path() },
            _ => SavedError::Io { path: path(), source },
        })?;
        let torn = |error: serde_json::Error| SavedError::Torn { path: path(), reason: error.to_string() };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(torn)?;
        match value["schema"].as_u64() {
            Some(found) if found != u64::from(SCHEMA) => {
                let by = value["steadfast"].as_str().unwrap_or("?").to_owned();
                Err(SavedError::Schema { path: path(), found, by })
            }
            _ => serde_json::from_value(value).map_err(torn),
        }
    }

    /// Replaces the file atomically, so that a reader finds all of the old or the new content.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, path: &Path) -> Result<(), SavedError> {
        let written = || {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let mut file = NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(MODE))?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            std::fs::File::open(folder)?.sync_all()
        };
        written().map_err(|source| SavedError::Io { path: path.to_owned(), source })
    }

    /// Remembers the cluster-wide objects. Objects in a namespace are deleted with it.
    pub(super) fn remember(&mut self, made: &[Owned]) {
        for owned in made.iter().filter(|owned| owned.is_cluster_wide()) {
            let Owned { api_version, kind, name, uid, .. } = owned.clone();
            if self.made.iter().all(|thing| thing.uid != uid) {
                self.made.push(Thing { api_version, kind, name, uid });
            }
        }
    }

    /// Whether the harness has tables and an account in adopted servers.
    pub(super) fn has_schemas(&self) -> bool {
        self.adopted && self.phase >= Phase::Deployed
    }

    /// The namespace of this name, with the UID that it was created with.
    pub(super) fn namespace(&self, name: &str) -> Option<&Thing> {
        self.made.iter().find(|thing| thing.kind == "Namespace" && thing.name == name)
    }
}

#[cfg(test)]
mod tests {
    use kube::api::{Api, ApiResource};
    use kube::core::GroupVersionKind;

    use super::*;
    use crate::driver::Rate;
    use crate::report::sample;

    /// What a `before` saves that has just begun.
    fn saved() -> Saved {
        Saved {
            schema: SCHEMA,
            steadfast: "0.1.0".into(),
            run_id: "20260105-1".into(),
            place: Place {
                uid: "1-2".into(),
                context: "ci".into(),
                server: "https://ci/".into(),
                kubernetes: "v1.36.3".into(),
                target: Target::Kind("ci".into()),
            },
            conditions: Conditions {
                manifests: Sources::default(),
                config: RunConfig {
                    ledger: Rate { writers: 2, per_second: 2 },
                    budgets: vec!["outage=30s".parse().expect("a budget")],
                    ..RunConfig::default()
                },
                timeout_scale: 1.0,
            },
            adopted: false,
            subject: sample::run().subject,
            near: "db".into(),
            far: "db-witness".into(),
            intents: Vec::new(),
            made: Vec::new(),
            phase: Phase::Begun,
            before: None,
            evidence: "target/steadfast/1".into(),
        }
    }

    fn refusal(text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        std::fs::write(&path, text).expect("written");
        let error = Saved::read(&path).expect_err("refused").to_string();
        error.replace(&path.display().to_string(), "state.json")
    }

    #[test]
    fn what_is_written_is_read_by_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        let mut saved = saved();
        saved.write(&path).expect("written");
        saved.phase = Phase::Complete;
        saved.write(&path).expect("written again");
        assert_eq!(Saved::read(&path).expect("read"), saved);
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, MODE);
        let files: Vec<_> = std::fs::read_dir(folder.path()).expect("listed").collect();
        assert_eq!(files.len(), 1, "nothing else is left: {files:?}");
    }

    #[test]
    fn a_write_that_fails_leaves_what_was_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.json");
        saved().write(&path).expect("written");
        let nowhere = folder.path().join("nowhere/state.json");
        assert!(matches!(saved().write(&nowhere), Err(SavedError::Io { .. })));
        assert_eq!(Saved::read(&path).expect("read"), saved());
    }

    #[test]
    fn what_is_no_state_file_is_refused() {
        assert!(matches!(Saved::read(Path::new("/nowhere/state.json")), Err(SavedError::Missing { .. })));
        let text = serde_json::to_string_pretty(&saved()).expect("JSON");
        assert!(
            refusal(&text[..text.len() / 2]).starts_with("state.json is not a state file of `steadfast before`: EOF ")
        );
        assert!(refusal("{}").contains("missing field `schema`"));
        assert!(refusal("").contains("EOF while parsing"));
        let other = refusal(&text.replacen("\"schema\": 2", "\"schema\": 9", 1));
        assert!(other.starts_with("the state file state.json has format 9, written by steadfast 0.1.0"), "{other}");
    }

    #[tokio::test]
    async fn only_what_belongs_to_no_namespace_is_remembered_and_once() {
        let config = kube::Config::new("http://127.0.0.1:1".parse().expect("an address"));
        let client = kube::Client::try_from(config).expect("a client");
        let owned = |kind: &str, namespace: Option<&str>| {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
            let api = match namespace {
                Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
                None => Api::all_with(client.clone(), &resource),
            };
            Owned { api_version: "v1".into(), kind: kind.into(), name: "db".into(), uid: format!("uid-{kind}"), api }
        };
        let made = [owned("Namespace", None), owned("Secret", Some("db")), owned("StorageClass", None)];
        let mut saved = saved();
        saved.remember(&made);
        saved.remember(&made);
        let kinds: Vec<&str> = saved.made.iter().map(|thing| thing.kind.as_str()).collect();
        assert_eq!(kinds, ["Namespace", "StorageClass"]);
        assert_eq!(saved.namespace("db").map(|thing| thing.uid.as_str()), Some("uid-Namespace"));
        assert_eq!(saved.namespace("other"), None);
    }
}
