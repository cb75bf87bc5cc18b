//! Views of the records: which pod lived when under which UID, when it was Ready, and where the history has gaps. The
//! timeline grows record by record, so that waits during a run and checks after it read the same state.

mod family;
mod life;
mod lives;
mod set;
mod storage;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;

use serde_json::Value;

use super::answer::Sql;
use super::checkpoint::Checkpoint;
use super::record::{EventType, Gap, ObjectEvent, Record, What};
use super::subject::{Retention, Subject};
use crate::object::{items, text};

pub use family::Family;
pub use life::{Change, Incarnation, Mark, PodLife, other_address};
pub use lives::Lives;
pub use set::SetState;
pub use storage::{ClaimLife, VolumeLife};

/// The history of a run's objects. It keeps each life, each change of a life's Ready condition, address, labels or
/// volume, and each gap. Events that change none of these cost no memory.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    subject: Option<Subject>,
    /// The set's pods, each life once, by first appearance.
    pub pods: Lives<PodLife>,
    /// Claims of the namespace, by first appearance.
    pub claims: Lives<ClaimLife>,
    /// Volumes that claims of the namespace are bound to, by first appearance.
    pub volumes: Lives<VolumeLife>,
    /// The StatefulSet, as last seen.
    pub set: Option<SetState>,
    /// `spec.ipFamilies` of the governing Service, as last seen; empty if it has none.
    service_families: Vec<Family>,
    /// Whether a pod was seen whose controller is the set.
    owned: bool,
    /// Gaps of the history.
    pub gaps: Vec<(Mark, Gap)>,
    /// The positions in `gaps` by kind.
    gaps_of: HashMap<String, Vec<usize>>,
    /// The highest sequence number so far.
    pub last_seq: u64,
}

impl Timeline {
    /// Builds the timeline of these records.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut timeline = Self::default();
        for record in records {
            timeline.observe(record);
        }
        timeline
    }

    /// Adds a record. Records must come in the order of their sequence numbers.
    pub fn observe(&mut self, record: &Record) {
        let mark = Mark::of(record);
        self.last_seq = record.seq;
        match &record.what {
            What::Run(run) => self.subject = Some(run.subject.clone()),
            What::Gap(gap) => self.lose(mark, gap.clone()),
            What::Object(event) => self.observe_object(mark, event),
            What::Sql(Sql { checkpoint: Checkpoint::Ready { uid, .. }, .. }) => {
                if let Some(pod) = self.pods.known(uid) {
                    pod.probed = true;
                }
            }
            _ => {}
        }
    }

    /// The workload, once the run is described.
    pub fn subject(&self) -> Option<&Subject> {
        self.subject.as_ref()
    }

    /// Whether the workload's claims are deleted with its set.
    pub fn claims_go_with_set(&self) -> bool {
        self.subject.as_ref().is_some_and(|subject| subject.claim_policy.when_deleted == Retention::Delete)
    }

    /// The pod of this name that is alive now; the newest if there are two.
    pub fn live_pod(&self, name: &str) -> Option<&PodLife> {
        self.pods.alive_at(name, self.last_seq).next_back()
    }

    /// The pod of this name that was alive at that record; the newest if there are two.
    pub fn pod_at(&self, name: &str, seq: u64) -> Option<&PodLife> {
        self.pods.alive_at(name, seq).next_back()
    }

    /// The pod with this UID.
    pub fn pod_by_uid(&self, uid: &str) -> Option<&PodLife> {
        self.pods.of_uid(uid)
    }

    /// All lives of a name, oldest first.
    pub fn lives(&self, name: &str) -> impl DoubleEndedIterator<Item = &PodLife> + use<'_> {
        self.pods.of_name(name)
    }

    /// The claim of this name that was alive at that record.
    pub fn claim_at(&self, name: &str, seq: u64) -> Option<&ClaimLife> {
        self.claims.alive_at(name, seq).next_back()
    }

    /// The volume that a claim was bound to at that record.
    pub fn volume_at(&self, claim: &ClaimLife, seq: u64) -> Option<&VolumeLife> {
        let name = claim.volume_at(seq)?;
        self.volumes.coming(name, 0, seq + 1).next_back()
    }

    /// The address families that DNS must serve: those of the Service if any pod has an address of them, or else that
    /// of the pods' first address.
    pub fn families(&self) -> Vec<Family> {
        let has = |family: &Family| self.pods.iter().any(|pod| pod.all_addresses().any(|it| Family::of(it) == *family));
        if self.service_families.iter().any(has) {
            return self.service_families.clone();
        }
        let mut addresses = self.pods.iter().flat_map(|pod| &pod.address);
        let first = addresses.find_map(|change| change.value.parse::<IpAddr>().ok());
        vec![first.map_or(Family::Four, Family::of)]
    }

    /// Gaps in the history of this kind of object between two records.
    pub fn gaps_between(&self, object_kind: &str, from: u64, to: u64) -> impl Iterator<Item = &(Mark, Gap)> {
        let of_kind = self.gaps_of.get(object_kind).map_or(&[][..], Vec::as_slice);
        let seq = |place: usize| self.gaps[place].0.seq;
        let first = of_kind.partition_point(|place| seq(*place) < from);
        of_kind[first..].iter().map(|place| &self.gaps[*place]).take_while(move |(mark, _)| mark.seq <= to)
    }

    fn lose(&mut self, mark: Mark, gap: Gap) {
        self.gaps_of.entry(gap.object_kind.clone()).or_default().push(self.gaps.len());
        self.gaps.push((mark, gap));
    }

    fn observe_object(&mut self, mark: Mark, event: &ObjectEvent) {
        let object = &event.object;
        let (Some(name), Some(uid)) = (text(object, "/metadata/name"), text(object, "/metadata/uid")) else { return };
        match event.object_kind.as_str() {
            "Pod" => self.observe_pod(mark, event, name, uid),
            "PersistentVolumeClaim" => match self.claims.known(uid) {
                Some(claim) => claim.observe(mark, event),
                None => self.claims.add(ClaimLife::begun(mark, name, uid)).observe(mark, event),
            },
            "PersistentVolume" => match self.volumes.known(uid) {
                Some(volume) => volume.observe(mark, event),
                None => self.volumes.add(VolumeLife::begun(mark, name, uid)).observe(mark, event),
            },
            "StatefulSet" if self.subject.as_ref().is_some_and(|subject| subject.set == name) => {
                self.set = Some(SetState::of(event));
            }
            "Service" if event.event != EventType::Deleted => self.observe_service(event, name),
            _ => {}
        }
    }

    fn observe_service(&mut self, event: &ObjectEvent, name: &str) {
        if self.subject.as_ref().is_some_and(|subject| subject.service == name) {
            let named = items(&event.object, "/spec/ipFamilies").filter_map(Value::as_str);
            self.service_families = Family::named(named);
        }
    }

    fn observe_pod(&mut self, mark: Mark, event: &ObjectEvent, name: &str, uid: &str) {
        if self.subject.as_ref().is_none_or(|subject| subject.ordinal_of(name).is_none()) {
            return;
        }
        if let Some(pod) = self.pods.known(uid) {
            return pod.observe(mark, event);
        }
        match self.is_of_set(&event.object) {
            Some(true) => self.owned = true,
            // The controller owns every pod that it makes. Once one was seen with it, a pod without an owner is not the
            // set's.
            None if !self.owned => {}
            _ => return,
        }
        if matches!(event.event, EventType::Modified | EventType::Deleted) {
            self.lose(mark, unannounced(event, name));
        }
        self.pods.add(PodLife::begun(mark, event, name, uid)).observe(mark, event);
    }

    /// Whether the set's controller made this pod; `None` if it has no controller. A pod of a ReplicaSet may also have
    /// a name that ends in a number.
    fn is_of_set(&self, pod: &Value) -> Option<bool> {
        let set = self.subject.as_ref().map(|subject| subject.set.as_str());
        let owner = items(pod, "/metadata/ownerReferences").find(|owner| owner["controller"] == true)?;
        Some(text(owner, "/kind") == Some("StatefulSet") && text(owner, "/name") == set)
    }
}

/// The gap that an object shows whose creation was not seen, although no gap was reported.
fn unannounced(event: &ObjectEvent, name: &str) -> Gap {
    let after_version = text(&event.object, "/metadata/resourceVersion").unwrap_or_default().to_owned();
    let reason = format!("{name} is {:?} and was never seen to come to be", event.event);
    Gap { object_kind: event.object_kind.clone(), after_version, reason }
}
