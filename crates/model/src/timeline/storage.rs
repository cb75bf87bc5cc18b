//! The lives of claims and volumes.

use super::life::{Change, Incarnation, Mark, at, push_if_new};
use crate::object::text;
use crate::record::{EventType, ObjectEvent};

/// The life of one PersistentVolumeClaim, identified by its UID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimLife {
    /// The claim's name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The first record that shows it.
    pub added: Mark,
    /// Changes of `spec.volumeName`, from when it is bound.
    pub volume: Vec<Change<String>>,
    /// When `metadata.deletionTimestamp` was first seen.
    pub deleting: Option<Mark>,
    /// When the claim was gone.
    pub deleted: Option<Mark>,
}

impl Incarnation for ClaimLife {
    fn known_as(&self) -> (&str, &str) {
        (&self.name, &self.uid)
    }

    fn lasts(&self) -> (Mark, Option<Mark>) {
        (self.added, self.deleted)
    }
}

impl ClaimLife {
    pub(super) fn begun(mark: Mark, name: &str, uid: &str) -> Self {
        let (name, uid) = (name.to_owned(), uid.to_owned());
        Self { name, uid, added: mark, volume: Vec::new(), deleting: None, deleted: None }
    }

    /// When the claim began to terminate, or when it was gone if nobody saw that.
    pub fn going(&self) -> Option<Mark> {
        self.deleting.or(self.deleted)
    }

    /// The volume that it was bound to at that record.
    pub fn volume_at(&self, seq: u64) -> Option<&str> {
        at(&self.volume, seq).map(String::as_str)
    }

    pub(super) fn observe(&mut self, mark: Mark, event: &ObjectEvent) {
        let gone = event.event == EventType::Deleted;
        if let Some(volume) = text(&event.object, "/spec/volumeName") {
            push_if_new(&mut self.volume, mark, volume);
        }
        if self.deleting.is_none() && (gone || text(&event.object, "/metadata/deletionTimestamp").is_some()) {
            self.deleting = Some(mark);
        }
        if gone {
            self.deleted.get_or_insert(mark);
        }
    }
}

/// A PersistentVolume, identified by its UID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeLife {
    /// The volume's name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The first record that shows it.
    pub added: Mark,
    /// When the volume was gone.
    pub deleted: Option<Mark>,
}

impl Incarnation for VolumeLife {
    fn known_as(&self) -> (&str, &str) {
        (&self.name, &self.uid)
    }

    fn lasts(&self) -> (Mark, Option<Mark>) {
        (self.added, self.deleted)
    }
}

impl VolumeLife {
    pub(super) fn begun(mark: Mark, name: &str, uid: &str) -> Self {
        Self { name: name.to_owned(), uid: uid.to_owned(), added: mark, deleted: None }
    }

    pub(super) fn observe(&mut self, mark: Mark, event: &ObjectEvent) {
        if event.event == EventType::Deleted {
            self.deleted.get_or_insert(mark);
        }
    }
}
