//! The state of the StatefulSet.

use crate::object::{number, text};
use crate::record::{EventType, ObjectEvent};

/// The state of the StatefulSet in one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetState {
    /// The set's UID.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`: equal to the generation once the controller has seen the spec.
    pub observed_generation: i64,
    /// `spec.replicas`.
    pub replicas: i64,
    /// `status.replicas`.
    pub current: i64,
    /// `status.readyReplicas`.
    pub ready: i64,
    /// `status.updatedReplicas`: pods of the update revision.
    pub updated: i64,
    /// `status.currentRevision`: the revision of pods that are not updated yet.
    pub current_revision: String,
    /// `status.updateRevision`: the revision of the current template.
    pub update_revision: String,
    /// Whether the set is gone.
    pub deleted: bool,
}

impl SetState {
    /// Reads the state from an event.
    pub fn of(event: &ObjectEvent) -> Self {
        let object = &event.object;
        let string = |pointer| text(object, pointer).unwrap_or_default().to_owned();
        Self {
            uid: string("/metadata/uid"),
            generation: number(object, "/metadata/generation"),
            observed_generation: number(object, "/status/observedGeneration"),
            replicas: number(object, "/spec/replicas"),
            current: number(object, "/status/replicas"),
            ready: number(object, "/status/readyReplicas"),
            updated: number(object, "/status/updatedReplicas"),
            current_revision: string("/status/currentRevision"),
            update_revision: string("/status/updateRevision"),
            deleted: event.event == EventType::Deleted,
        }
    }
}
