//! The life of a pod: what is known of it, from its first record to its last.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::Value;

use super::super::record::{EventType, ObjectEvent, Record};
use super::family::Family;
use crate::object::{has_condition, has_strings, items, number, strings, text};

/// What begins and ends under one UID.
pub trait Life {
    /// The object's name, which others may bear before and after it, and its UID.
    fn known_as(&self) -> (&str, &str);

    /// The first record that shows it, and the one that shows it gone, where one does.
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

/// A value and the place in the log where it came to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<T> {
    /// Since when.
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
    /// The pod's address, change by change, from when it has one: of a dual-stack pod the first one (`status.podIP`).
    pub address: Vec<Change<String>>,
    /// Its address of the other family, change by change, from when it has one (`status.podIPs`).
    pub other_address: Vec<Change<Option<String>>>,
    /// How often its containers were started again, all together, change by change.
    pub restarts: Vec<Change<i64>>,
    /// Whether its server was asked as it became Ready. The records have what came of that.
    pub probed: bool,
    /// When `metadata.deletionTimestamp` was first seen.
    pub deleting: Option<Mark>,
    /// When it was gone.
    pub deleted: Option<Mark>,
    /// `metadata.labels`, change by change: a container reads them when it starts.
    pub labels: Vec<Change<BTreeMap<String, String>>>,
    /// Names of the claims that its volumes are on: a pod keeps its volumes.
    pub claims: Vec<String>,
    /// The node it runs on, once scheduled: a pod stays there.
    pub node: Option<String>,
    /// The pod's state in a few words, as last seen: for messages.
    pub summary: String,
}

impl Life for PodLife {
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

    /// The revision of the set that the pod was made from
    /// (<https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#update-strategies>).
    pub fn revision(&self) -> Option<&str> {
        self.labels.last()?.value.get("controller-revision-hash").map(String::as_str)
    }

    /// Whether more was seen of the pod than that it is gone.
    pub fn was_shown(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When the pod was told to go, or was gone where nobody saw it told.
    pub fn going(&self) -> Option<Mark> {
        self.deleting.or(self.deleted)
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

    /// The addresses of either family at that record.
    pub fn addresses_at(&self, seq: u64) -> impl Iterator<Item = IpAddr> + use<> {
        let other = at(&self.other_address, seq).and_then(Option::as_deref);
        let addresses = [self.address_at(seq), other].map(|address| address.and_then(|address| address.parse().ok()));
        addresses.into_iter().flatten()
    }

    /// All addresses that it had at any time.
    pub fn all_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let others = self.other_address.iter().filter_map(|change| change.value.as_ref());
        self.address.iter().map(|change| &change.value).chain(others).filter_map(|address| address.parse().ok())
    }

    /// How often its containers had been started again at that record.
    pub fn restarts_at(&self, seq: u64) -> i64 {
        at(&self.restarts, seq).copied().unwrap_or(0)
    }

    /// The last change of anything that DNS answers depend on, up to that record.
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

    /// Takes one more event in. Most events of a pod change nothing here, so what cannot have changed is not read, and
    /// what has not changed is not written.
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

/// The address of a pod's status that is of another family than its first one
/// (<https://kubernetes.io/docs/concepts/services-networking/dual-stack/>).
pub fn other_address(status: &Value) -> Option<&str> {
    let first = text(status, "/podIP")?;
    let family = |address: &str| address.parse().ok().map(Family::of);
    let others = items(status, "/podIPs").filter_map(|it| text(it, "/ip"));
    others.into_iter().find(|address| family(address).is_some_and(|of| family(first) != Some(of)))
}

/// Adds a few words on a pod's state, with the reason that a container of one that is not Ready waits for, where there
/// is one.
fn summarize(status: &Value, ready: bool, going: bool, summary: &mut String) {
    let waiting = || {
        // While one of these cannot start, the others only wait for it.
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
