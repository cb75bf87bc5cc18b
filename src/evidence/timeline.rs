//! Indexed views of the records: which pod lived when under which UID, when it was Ready, and where the history has
//! gaps. The timeline grows record by record, so that waits during a run and checks after it read the same state.

use std::collections::BTreeMap;

use serde_json::Value;

use super::record::{EventType, Gap, ObjectEvent, Record, What};
use super::subject::{Retention, Subject};
use crate::object::{has_condition, items, strings, text};

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The record's sequence number.
    pub seq: u64,
    /// Microseconds since the run began.
    pub at_us: u64,
}

impl Mark {
    fn of(record: &Record) -> Self {
        Self { seq: record.seq, at_us: record.at_us }
    }
}

/// A value and the place in the log where it came to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// Since when.
    pub since: Mark,
    /// The value.
    pub value: T,
}

fn push_if_new<T: PartialEq>(history: &mut Vec<Change<T>>, since: Mark, value: T) {
    if history.last().is_none_or(|last| last.value != value) {
        history.push(Change { since, value });
    }
}

fn at<T>(history: &[Change<T>], seq: u64) -> Option<&T> {
    history.iter().rev().find(|change| change.since.seq <= seq).map(|change| &change.value)
}

/// The life of one pod, known by its UID: a name can have many lives.
#[derive(Debug, Clone, PartialEq)]
pub struct PodLife {
    /// The pod's name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The first record that shows it.
    pub added: Mark,
    /// False where the pod was in the list that a watch was opened from: then `added` carries no order.
    pub seen_created: bool,
    /// The Ready condition, change by change.
    pub ready: Vec<Change<bool>>,
    /// The pod's address, change by change, from when it has one.
    pub address: Vec<Change<String>>,
    /// When `metadata.deletionTimestamp` was first seen.
    pub deleting: Option<Mark>,
    /// When it was gone.
    pub deleted: Option<Mark>,
    /// `metadata.labels`, as last seen.
    pub labels: BTreeMap<String, String>,
    /// Names of the claims that its volumes are on, as last seen.
    pub claims: Vec<String>,
    /// The node it runs on, once scheduled.
    pub node: Option<String>,
    /// The pod's state in a few words, as last seen: for messages.
    pub summary: String,
}

impl PodLife {
    /// The revision of the set that the pod was made from
    /// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies>).
    pub fn revision(&self) -> Option<&str> {
        self.labels.get("controller-revision-hash").map(String::as_str)
    }

    /// When the pod was Ready for the first time.
    pub fn first_ready(&self) -> Option<Mark> {
        self.ready.iter().find(|change| change.value).map(|change| change.since)
    }

    /// Whether the Ready condition held at that record.
    pub fn ready_at(&self, seq: u64) -> bool {
        at(&self.ready, seq).copied().unwrap_or(false)
    }

    /// Whether the pod existed at that record.
    pub fn alive_at(&self, seq: u64) -> bool {
        self.added.seq <= seq && self.deleted.is_none_or(|gone| gone.seq > seq)
    }

    /// Whether the pod was being deleted at that record.
    pub fn deleting_at(&self, seq: u64) -> bool {
        self.deleting.is_some_and(|mark| mark.seq <= seq)
    }

    /// Whether DNS must list the pod at that record: alive, Ready and not being deleted.
    pub fn serving_at(&self, seq: u64) -> bool {
        self.alive_at(seq) && self.ready_at(seq) && !self.deleting_at(seq)
    }

    /// The address at that record.
    pub fn address_at(&self, seq: u64) -> Option<&str> {
        at(&self.address, seq).map(String::as_str)
    }

    /// The last change of anything that DNS answers depend on, up to that record.
    pub fn last_dns_change(&self, seq: u64) -> Mark {
        let changes = self.ready.iter().map(|change| change.since);
        let addresses = self.address.iter().map(|change| change.since);
        let ends = self.deleting.into_iter().chain(self.deleted);
        changes
            .chain(addresses)
            .chain(ends)
            .filter(|mark| mark.seq <= seq)
            .max()
            .map_or(self.added, |mark| mark.max(self.added))
    }

    fn observe(&mut self, mark: Mark, object: &Value) {
        let ready = has_condition(object, "Ready");
        push_if_new(&mut self.ready, mark, ready);
        if let Some(address) = text(object, "/status/podIP") {
            push_if_new(&mut self.address, mark, address.to_owned());
        }
        if self.deleting.is_none() && text(object, "/metadata/deletionTimestamp").is_some() {
            self.deleting = Some(mark);
        }
        self.labels = strings(object, "/metadata/labels");
        self.node = text(object, "/spec/nodeName").map(str::to_owned);
        self.claims = items(object, "/spec/volumes")
            .filter_map(|volume| text(volume, "/persistentVolumeClaim/claimName"))
            .map(str::to_owned)
            .collect();
        self.summary = summary(object, ready);
    }
}

/// The life of one PersistentVolumeClaim, known by its UID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimLife {
    /// The claim's name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The first record that shows it.
    pub added: Mark,
    /// `spec.volumeName`, change by change, from when it is bound.
    pub volume: Vec<Change<String>>,
    /// When `metadata.deletionTimestamp` was first seen.
    pub deleting: Option<Mark>,
    /// When it was gone.
    pub deleted: Option<Mark>,
}

/// A PersistentVolume, known by its UID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeLife {
    /// The volume's name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The first record that shows it.
    pub added: Mark,
    /// When it was gone.
    pub deleted: Option<Mark>,
}

/// What is known of the StatefulSet from one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetState {
    /// The set's UID.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`: the controller has seen the spec once it equals the generation.
    pub observed_generation: i64,
    /// `spec.replicas`.
    pub replicas: i64,
    /// `status.replicas`.
    pub current: i64,
    /// `status.readyReplicas`.
    pub ready: i64,
    /// `status.updatedReplicas`: pods of the update revision.
    pub updated: i64,
    /// `status.currentRevision`: the revision of pods that no update has reached.
    pub current_revision: String,
    /// `status.updateRevision`: the revision of the template as it is now.
    pub update_revision: String,
    /// Whether the set is gone.
    pub deleted: bool,
}

impl SetState {
    /// The state that an event shows.
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

/// The history of a run's objects.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    subject: Option<Subject>,
    /// The set's pods, each life once, in the order of appearance.
    pub pods: Vec<PodLife>,
    /// Claims of the namespace, in the order of appearance.
    pub claims: Vec<ClaimLife>,
    /// Volumes that claims of the namespace are bound to, in the order of appearance.
    pub volumes: Vec<VolumeLife>,
    /// The StatefulSet, as last seen.
    pub set: Option<SetState>,
    /// Gaps of the history.
    pub gaps: Vec<(Mark, Gap)>,
    /// The records' highest sequence number.
    pub last_seq: u64,
}

impl Timeline {
    /// The timeline of these records.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut timeline = Self::default();
        for record in records {
            timeline.observe(record);
        }
        timeline
    }

    /// Takes one more record in. Records come in the order of their sequence numbers.
    pub fn observe(&mut self, record: &Record) {
        let mark = Mark::of(record);
        self.last_seq = record.seq;
        match &record.what {
            What::Run(run) => self.subject = Some(run.subject.clone()),
            What::Gap(gap) => self.gaps.push((mark, gap.clone())),
            What::Object(event) => self.observe_object(mark, event),
            _ => {}
        }
    }

    /// Whether the workload's claims are to go when its set is deleted.
    pub fn claims_go_with_set(&self) -> bool {
        self.subject.as_ref().is_some_and(|subject| subject.claim_policy.when_deleted == Retention::Delete)
    }

    /// The pod of this name that is alive now; the newest, should there be two.
    pub fn live_pod(&self, name: &str) -> Option<&PodLife> {
        self.pods.iter().rev().find(|pod| pod.name == name && pod.deleted.is_none())
    }

    /// The pod that was the name's bearer at that record; the newest, should there be two.
    pub fn pod_at(&self, name: &str, seq: u64) -> Option<&PodLife> {
        self.pods.iter().rev().find(|pod| pod.name == name && pod.alive_at(seq))
    }

    /// The pod with this UID.
    pub fn pod_by_uid(&self, uid: &str) -> Option<&PodLife> {
        self.pods.iter().find(|pod| pod.uid == uid)
    }

    /// All lives of a name, oldest first.
    pub fn lives<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a PodLife> {
        self.pods.iter().filter(move |pod| pod.name == name)
    }

    /// The claim of this name that is alive at that record.
    pub fn claim_at(&self, name: &str, seq: u64) -> Option<&ClaimLife> {
        self.claims.iter().rev().find(|claim| {
            claim.name == name && claim.added.seq <= seq && claim.deleted.is_none_or(|gone| gone.seq > seq)
        })
    }

    /// The volume that a claim is bound to at that record.
    pub fn volume_at(&self, claim: &ClaimLife, seq: u64) -> Option<&VolumeLife> {
        let name = at(&claim.volume, seq)?;
        self.volumes.iter().rev().find(|volume| &volume.name == name && volume.added.seq <= seq)
    }

    /// Gaps in the history of this kind of object between two records.
    pub fn gaps_between(&self, object_kind: &str, from: u64, to: u64) -> impl Iterator<Item = &(Mark, Gap)> {
        self.gaps.iter().filter(move |(mark, gap)| gap.object_kind == object_kind && (from..=to).contains(&mark.seq))
    }

    fn observe_object(&mut self, mark: Mark, event: &ObjectEvent) {
        let object = &event.object;
        let (Some(name), Some(uid)) = (text(object, "/metadata/name"), text(object, "/metadata/uid")) else { return };
        let gone = event.event == EventType::Deleted;
        match event.object_kind.as_str() {
            "Pod" => self.observe_pod(mark, event, name, uid),
            "PersistentVolumeClaim" => self.observe_claim(mark, object, name, uid, gone),
            "PersistentVolume" => self.observe_volume(mark, name, uid, gone),
            "StatefulSet" if self.subject.as_ref().is_some_and(|subject| subject.set == name) => {
                self.set = Some(SetState::of(event));
            }
            _ => {}
        }
    }

    fn observe_pod(&mut self, mark: Mark, event: &ObjectEvent, name: &str, uid: &str) {
        if self.subject.as_ref().is_none_or(|subject| subject.ordinal_of(name).is_none()) {
            return;
        }
        let known = self.pods.iter().rposition(|pod| pod.uid == uid);
        if known.is_none() && matches!(event.event, EventType::Modified | EventType::Deleted) {
            self.gaps.push((mark, unannounced(event, name)));
        }
        let index = known.unwrap_or_else(|| {
            self.pods.push(PodLife {
                name: name.to_owned(),
                uid: uid.to_owned(),
                added: mark,
                seen_created: event.event == EventType::Added,
                ready: Vec::new(),
                address: Vec::new(),
                deleting: None,
                deleted: None,
                labels: BTreeMap::new(),
                claims: Vec::new(),
                node: None,
                summary: String::new(),
            });
            self.pods.len() - 1
        });
        let pod = &mut self.pods[index];
        if event.event == EventType::Deleted {
            pod.deleting.get_or_insert(mark);
            pod.deleted = Some(mark);
            pod.summary = "deleted".to_owned();
        } else {
            pod.observe(mark, &event.object);
        }
    }

    fn observe_claim(&mut self, mark: Mark, object: &Value, name: &str, uid: &str, gone: bool) {
        let known = self.claims.iter().rposition(|claim| claim.uid == uid);
        let index = known.unwrap_or_else(|| {
            let (name, uid) = (name.to_owned(), uid.to_owned());
            self.claims.push(ClaimLife { name, uid, added: mark, volume: Vec::new(), deleting: None, deleted: None });
            self.claims.len() - 1
        });
        let claim = &mut self.claims[index];
        if let Some(volume) = text(object, "/spec/volumeName") {
            push_if_new(&mut claim.volume, mark, volume.to_owned());
        }
        if claim.deleting.is_none() && (gone || text(object, "/metadata/deletionTimestamp").is_some()) {
            claim.deleting = Some(mark);
        }
        if gone {
            claim.deleted.get_or_insert(mark);
        }
    }

    fn observe_volume(&mut self, mark: Mark, name: &str, uid: &str, gone: bool) {
        let known = self.volumes.iter().rposition(|volume| volume.uid == uid);
        let index = known.unwrap_or_else(|| {
            let (name, uid) = (name.to_owned(), uid.to_owned());
            self.volumes.push(VolumeLife { name, uid, added: mark, deleted: None });
            self.volumes.len() - 1
        });
        if gone {
            self.volumes[index].deleted = Some(mark);
        }
    }
}

/// The gap that shows in an object's coming without having been told of: whoever closed it said nothing.
fn unannounced(event: &ObjectEvent, name: &str) -> Gap {
    let after_version = text(&event.object, "/metadata/resourceVersion").unwrap_or_default().to_owned();
    let reason = format!("{name} is {:?} and was never seen to come to be", event.event);
    Gap { object_kind: event.object_kind.clone(), after_version, reason }
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

/// A few words on a pod's state, with the reason that a container waits for, where there is one.
fn summary(object: &Value, ready: bool) -> String {
    let phase = text(object, "/status/phase").unwrap_or("no phase");
    let waiting = items(object, "/status/containerStatuses")
        .chain(items(object, "/status/initContainerStatuses"))
        .find_map(|status| text(status, "/state/waiting/reason"));
    let unscheduled = items(object, "/status/conditions")
        .find(|condition| {
            text(condition, "/type") == Some("PodScheduled") && text(condition, "/status") == Some("False")
        })
        .and_then(|condition| text(condition, "/message"));
    let mut words = vec![phase.to_owned()];
    words.push(if ready { "Ready" } else { "not Ready" }.to_owned());
    words.extend(waiting.or(unscheduled).map(str::to_owned));
    if text(object, "/metadata/deletionTimestamp").is_some() {
        words.push("being deleted".to_owned());
    }
    words.join(", ")
}
