//! The life of a pod: what is known of it, from its first record to its last.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::family::Family;
use crate::object::{has_condition, has_strings, items, number, strings, text};
use crate::record::{EventType, ObjectEvent, Record};

/// An object with a beginning and an end under one UID.
pub trait Incarnation {
    /// The object's name, which may be reused before and after it, and its UID.
    fn known_as(&self) -> (&str, &str);

    /// The first record that shows it, and the one that shows it gone, if any.
    fn lasts(&self) -> (Mark, Option<Mark>);
}

/// A place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The record's sequence number.
    pub seq: u64,
    /// Microseconds since the run began.
    pub at_us: u64,
}

impl Mark {
    pub(super) fn of(record: &Record) -> Self {
        Self { seq: record.seq, at_us: record.at_us }
    }
}

/// A value and the place in the log from which it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// The place.
    pub since: Mark,
    /// The value.
    pub value: T,
}

pub(super) fn push_if_new<T: PartialEq<V> + From<V>, V>(history: &mut Vec<Change<T>>, since: Mark, value: V) {
    if history.last().is_none_or(|last| last.value != value) {
        history.push(Change { since, value: value.into() });
    }
}

/// The value at that record.
pub(super) fn at<T>(history: &[Change<T>], seq: u64) -> Option<&T> {
    let passed = history.partition_point(|change| change.since.seq <= seq);
    history[..passed].last().map(|change| &change.value)
}

/// The life of one pod, identified by its UID: a name can have many lives.
#[derive(Debug, Clone, PartialEq)]
pub struct PodLife {
    /// The pod's name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// The first record that shows it.
    pub added: Mark,
    /// False if the pod was in the list that started a watch: then `added` carries no order.
    pub seen_created: bool,
    /// The Ready condition, change by change.
    pub ready: Vec<Change<bool>>,
    /// Changes of the address (`status.podIP`), of a dual-stack pod the first one.
    pub address: Vec<Change<String>>,
    /// Changes of the address of the other family (`status.podIPs`).
    pub other_address: Vec<Change<Option<String>>>,
    /// Changes of the number of restarts, summed over its containers.
    pub restarts: Vec<Change<i64>>,
    /// Whether its server was queried when it became Ready. The records have the answer.
    pub probed: bool,
    /// When `metadata.deletionTimestamp` was first seen.
    pub deleting: Option<Mark>,
    /// When the pod was gone.
    pub deleted: Option<Mark>,
    /// Changes of `metadata.labels`: a container reads them when it starts.
    pub labels: Vec<Change<BTreeMap<String, String>>>,
    /// The claims of its volumes, which never change.
    pub claims: Vec<String>,
    /// Its node once it is scheduled, which never changes.
    pub node: Option<String>,
    /// The last state in a few words, for messages.
    pub summary: String,
}

impl Incarnation for PodLife {
    fn known_as(&self) -> (&str, &str) {
        (&self.name, &self.uid)
    }

    fn lasts(&self) -> (Mark, Option<Mark>) {
        (self.added, self.deleted)
    }
}

impl PodLife {
    pub(super) fn begun(mark: Mark, event: &ObjectEvent, name: &str, uid: &str) -> Self {
        Self {
            name: name.to_owned(),
            uid: uid.to_owned(),
            added: mark,
            seen_created: event.event == EventType::Added,
            ready: Vec::new(),
            address: Vec::new(),
            other_address: Vec::new(),
            restarts: Vec::new(),
            probed: false,
            deleting: None,
            deleted: None,
            labels: Vec::new(),
            claims: Vec::new(),
            node: None,
            summary: String::new(),
        }
    }

    /// The revision of the set that the pod was created from
    /// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies>).
    pub fn revision(&self) -> Option<&str> {
        self.labels.last()?.value.get("controller-revision-hash").map(String::as_str)
    }

    /// Whether anything was seen of the pod before its deletion.
    pub fn was_shown(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When the pod began to terminate, or when it was gone if nobody saw that.
    pub fn going(&self) -> Option<Mark> {
        self.deleting.or(self.deleted)
    }

    /// When the pod was Ready for the first time.
    pub fn first_ready(&self) -> Option<Mark> {
        self.ready.iter().find(|change| change.value).map(|change| change.since)
    }

    /// Whether the pod was Ready at that record.
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

    /// Whether DNS must list the pod at that record: alive, Ready and not terminating.
    pub fn serving_at(&self, seq: u64) -> bool {
        self.alive_at(seq) && self.ready_at(seq) && !self.deleting_at(seq)
    }

    /// The address at that record.
    pub fn address_at(&self, seq: u64) -> Option<&str> {
        at(&self.address, seq).map(String::as_str)
    }

    /// The addresses of both families at that record.
    pub fn addresses_at(&self, seq: u64) -> impl Iterator<Item = IpAddr> + use<> {
        let other = at(&self.other_address, seq).and_then(Option::as_deref);
        let addresses = [self.address_at(seq), other].map(|address| address.and_then(|address| address.parse().ok()));
        addresses.into_iter().flatten()
    }

    /// All addresses that it ever had.
    pub fn all_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let others = self.other_address.iter().filter_map(|change| change.value.as_ref());
        self.address.iter().map(|change| &change.value).chain(others).filter_map(|address| address.parse().ok())
    }

    /// How often its containers had restarted by that record.
    pub fn restarts_at(&self, seq: u64) -> i64 {
        at(&self.restarts, seq).copied().unwrap_or(0)
    }

    /// The last change up to that record that DNS answers depend on.
    pub fn last_dns_change(&self, seq: u64) -> Mark {
        let changes = self.ready.iter().map(|change| change.since);
        let others = self.other_address.iter().map(|change| change.since);
        let addresses = self.address.iter().map(|change| change.since).chain(others);
        let ends = self.deleting.into_iter().chain(self.deleted);
        changes
            .chain(addresses)
            .chain(ends)
            .filter(|mark| mark.seq <= seq)
            .max()
            .map_or(self.added, |mark| mark.max(self.added))
    }

    /// Adds an event. Most events of a pod change nothing here, so it reads only what can have changed and stores only
    /// what has changed.
    pub(super) fn observe(&mut self, mark: Mark, event: &ObjectEvent) {
        if event.event == EventType::Deleted {
            self.deleting.get_or_insert(mark);
            self.deleted.get_or_insert(mark);
            "deleted".clone_into(&mut self.summary);
            return;
        }
        let (metadata, spec, status) = (&event.object["metadata"], &event.object["spec"], &event.object["status"]);
        let ready = has_condition(&event.object, "Ready");
        push_if_new(&mut self.ready, mark, ready);
        if let Some(address) = text(status, "/podIP") {
            push_if_new(&mut self.address, mark, address);
            let other = other_address(status);
            if other.is_some() || !self.other_address.is_empty() {
                push_if_new(&mut self.other_address, mark, other.map(str::to_owned));
            }
        }
        let restarts: i64 = items(status, "/containerStatuses").map(|status| number(status, "/restartCount")).sum();
        push_if_new(&mut self.restarts, mark, restarts);
        let going = text(metadata, "/deletionTimestamp").is_some();
        if going {
            self.deleting.get_or_insert(mark);
        }
        if self.labels.last().is_none_or(|last| !has_strings(metadata, "/labels", &last.value)) {
            self.labels.push(Change { since: mark, value: strings(metadata, "/labels") });
        }
        if self.node.is_none() {
            self.node = text(spec, "/nodeName").map(str::to_owned);
        }
        if self.claims.is_empty() {
            let claims = items(spec, "/volumes").filter_map(|it| text(it, "/persistentVolumeClaim/claimName"));
            self.claims = claims.map(str::to_owned).collect();
        }
        self.summary.clear();
        summarize(status, ready, going, &mut self.summary);
    }
}

/// The address in a pod's status whose family is not that of the first address
/// (<https://kubernetes.io/docs/concepts/services-networking/dual-stack/>).
pub fn other_address(status: &Value) -> Option<&str> {
    let first = text(status, "/podIP")?;
    let family = |address: &str| address.parse().ok().map(Family::of);
    let others = items(status, "/podIPs").filter_map(|it| text(it, "/ip"));
    others.into_iter().find(|address| family(address).is_some_and(|of| family(first) != Some(of)))
}

/// Writes a pod's state in a few words. For a pod that is not Ready they include the reason that a container waits for,
/// if there is one.
fn summarize(status: &Value, ready: bool, going: bool, summary: &mut String) {
    let waiting = || {
        // Other containers wait for an init container that cannot start.
        let statuses = items(status, "/initContainerStatuses").chain(items(status, "/containerStatuses"));
        statuses.into_iter().find_map(|status| text(status, "/state/waiting/reason"))
    };
    let unscheduled = || {
        let of_scheduling = |condition: &&Value| {
            text(condition, "/type") == Some("PodScheduled") && text(condition, "/status") == Some("False")
        };
        items(status, "/conditions").find(of_scheduling).and_then(|condition| text(condition, "/message"))
    };
    let why = if ready { None } else { waiting().or_else(unscheduled) };
    let words = [Some(if ready { "Ready" } else { "not Ready" }), why, going.then_some("being deleted")];
    summary.push_str(text(status, "/phase").unwrap_or("no phase"));
    for word in words.into_iter().flatten() {
        summary.push_str(", ");
        summary.push_str(word);
    }
}
