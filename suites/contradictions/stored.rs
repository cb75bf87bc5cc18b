//! A stored run, and queries on it.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::ops::Deref;
use std::sync::OnceLock;

use steadfast::check::{Verdict, all, find};
use steadfast::evidence::{
    Act, Checkpoint, Evidence, ObjectEvent, Phase, PodLife, Record, Run, Scenario, SnapshotOf, Subject, What,
};

use super::change::{Change, Places};

/// The subject of a class of histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All answers in a run.
    Answers,
    /// The events of the cluster's watches.
    Watches,
    /// Unusual histories that are right.
    Right,
    /// The same for particular kinds of servers.
    Servers,
    /// Commits that wait for a replica.
    SemiSync,
    /// Pods that wait until the earlier ones have been Ready for some time.
    MinReady,
    /// Updates that take two pods at a time.
    MaxUnavailable,
    /// Pods that need not wait for each other.
    Parallel,
    /// An API server whose process was recorded before it was killed.
    ApiServer,
    /// An upgrade of the cluster, with or without watches.
    Upgrade,
    /// Logs that the reader refuses. Reading takes long, so a short run is used.
    Reader,
}

/// A stored run.
pub(crate) struct Stored {
    /// Its name in `suites/replay`.
    pub name: &'static str,
    /// The workload.
    pub subject: Subject,
    evidence: Evidence,
    /// The scenario of each record, or `None` between scenarios.
    scenarios: Vec<Option<Scenario>>,
    /// The verdict of each check, once it was asked.
    verdicts: BTreeMap<&'static str, OnceLock<Verdict>>,
}

impl Deref for Stored {
    type Target = Evidence;

    fn deref(&self) -> &Evidence {
        &self.evidence
    }
}

/// A fault in a stored run.
#[derive(Debug, Clone)]
pub(crate) struct Acted {
    /// The act.
    pub act: Act,
    /// The record of the request.
    pub asked: u64,
    /// The record of the proof.
    pub proved: Option<u64>,
}

impl Stored {
    pub(crate) fn of(name: &'static str, evidence: Evidence) -> Self {
        let subject = evidence.run().expect("a stored run says what it is about").subject.clone();
        let verdicts = all().map(|check| (check.id, OnceLock::new())).collect();
        Self { name, subject, scenarios: scenarios(&evidence.records), evidence, verdicts }
    }

    /// The same run with a setting, on which these checks pass.
    pub(crate) fn with(&self, change: fn(&Self) -> Change, passes: &[&str]) -> Self {
        let made = change(self).make(self.records.clone());
        let other = Self::of(self.name, Evidence::new(made.records));
        for check in passes {
            let finding = find(check).expect("a check of the catalogue").judge(&other.evidence);
            assert_eq!(finding.verdict, Verdict::Pass, "{check} of {} with a setting: {}", self.name, finding.reason);
        }
        other
    }

    /// The verdict of a check on the run.
    pub(crate) fn verdict(&self, check: &str) -> Verdict {
        let verdict = self.verdicts.get(check).unwrap_or_else(|| panic!("no check is called {check}"));
        *verdict.get_or_init(|| find(check).expect("a check of the catalogue").judge(&self.evidence).verdict)
    }

    /// The run's description.
    pub(crate) fn run(&self) -> &Run {
        self.evidence.run().expect("a stored run says what it is about")
    }

    /// The record at a place.
    pub(crate) fn at(&self, seq: u64) -> &Record {
        &self.records[seq as usize - 1]
    }

    /// The places of the records that match.
    pub(crate) fn places(&self, wanted: impl Fn(&What) -> bool) -> Places {
        self.records.iter().filter(|record| wanted(&record.what)).map(|record| record.seq).collect()
    }

    /// The places of the records by a common key, in the order in which the keys occur first.
    pub(crate) fn groups<K: Clone + Eq + Hash>(&self, key: impl Fn(&Record) -> Option<K>) -> Vec<(K, Places)> {
        let (mut order, mut groups): (Vec<K>, HashMap<K, Vec<u64>>) = (Vec::new(), HashMap::new());
        for record in &self.records {
            let Some(key) = key(record) else { continue };
            if let Some(places) = groups.get_mut(&key) {
                places.push(record.seq);
            } else {
                order.push(key.clone());
                groups.insert(key, vec![record.seq]);
            }
        }
        let group = |key: K| groups.remove(&key).map(|places| (key, places.into_iter().collect()));
        order.into_iter().filter_map(group).collect()
    }

    /// The scenario of a record, or `None` between scenarios.
    pub(crate) fn scenario(&self, seq: u64) -> Option<Scenario> {
        self.scenarios[seq as usize - 1]
    }

    /// The name of that scenario, or an empty text.
    pub(crate) fn scenario_name(&self, seq: u64) -> &'static str {
        self.scenario(seq).map_or("", Scenario::name)
    }

    /// All scenarios that were run, in order, each with its first and its last record.
    pub(crate) fn scenarios(&self) -> Vec<(Scenario, Places)> {
        self.groups(|record| self.scenario(record.seq))
    }

    /// The acts that were requested, in order, each with the first proof after it.
    pub(crate) fn acts(&self) -> Vec<Acted> {
        let faults: Vec<_> = self
            .records
            .iter()
            .filter_map(|record| if let What::Fault(fault) = &record.what { Some((record.seq, fault)) } else { None })
            .collect();
        let asked = faults.iter().filter(|(_, fault)| fault.proof.is_none());
        let acted = asked.map(|(asked, fault)| {
            let proof = faults.iter().find(|(seq, it)| seq > asked && it.act == fault.act && it.proof.is_some());
            Acted { act: fault.act.clone(), asked: *asked, proved: proof.map(|(seq, _)| *seq) }
        });
        acted.collect()
    }

    /// The places of events of one kind of object that match.
    pub(crate) fn events(&self, kind: &str, wanted: impl Fn(&ObjectEvent) -> bool) -> Places {
        self.places(|what| matches!(what, What::Object(event) if event.object_kind == kind && wanted(event)))
    }

    /// The events of one object.
    pub(crate) fn events_of(&self, kind: &str, uid: &str) -> Places {
        self.events(kind, |event| event.object["metadata"]["uid"] == uid)
    }

    /// The places of snapshots of this subject.
    pub(crate) fn snapshots(&self, of: SnapshotOf) -> Places {
        self.places(|what| matches!(what, What::Snapshot(it) if it.of == of))
    }

    /// The StatefulSet's pods at a record.
    pub(crate) fn pods_at(&self, seq: u64) -> impl Iterator<Item = &PodLife> {
        self.subject.pods().filter_map(move |pod| self.timeline.pod_at(&pod, seq))
    }

    /// Whether the harness deletes a pod at any time.
    pub(crate) fn is_deleted_by_harness(&self, uid: &str) -> bool {
        self.acts().iter().any(|it| matches!(&it.act, Act::DeletePod { uid: deleted, .. } if deleted == uid))
    }

    /// The records that a proof names. Empty if the record is no proof.
    pub(crate) fn named_by(&self, proof: u64) -> Vec<u64> {
        match &self.at(proof).what {
            What::Fault(fault) => fault.proof.clone().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The lives of the StatefulSet's pods whose creation was recorded.
    pub(crate) fn lives(&self) -> impl Iterator<Item = &PodLife> {
        self.timeline.pods.iter().filter(|life| life.seen_created)
    }

    /// The last event of an object before a record.
    pub(crate) fn last_event(&self, kind: &str, uid: &str, before: u64) -> Option<&ObjectEvent> {
        let places = self.events_of(kind, uid).before(before);
        places.last().map(|seq| match &self.at(seq).what {
            What::Object(event) => event.as_ref(),
            _ => unreachable!("an event"),
        })
    }
}

/// The scenario of each record.
fn scenarios(records: &[Record]) -> Vec<Option<Scenario>> {
    let mut now = None;
    let scenario = |record: &Record| {
        let mut of = now;
        if let What::Step(step) = &record.what
            && step.whole().is_some()
        {
            of = step.whole();
            now = of.filter(|_| step.phase == Phase::Begin);
        }
        of
    };
    records.iter().map(scenario).collect()
}

/// The checkpoint of a question, a command or a write.
pub(crate) fn checkpoint(what: &What) -> Option<&Checkpoint> {
    match what {
        What::Dns(dns) => Some(&dns.checkpoint),
        What::Sql(sql) => Some(&sql.checkpoint),
        What::Exec(exec) => Some(&exec.checkpoint),
        What::Write(write) => Some(&write.checkpoint),
        _ => None,
    }
}

/// A short description of a checkpoint.
pub(crate) fn told(checkpoint: &Checkpoint) -> String {
    let value = serde_json::to_value(checkpoint).expect("a moment is told");
    let word = |name: &str| value[name].as_str().map(str::to_owned);
    let words =
        [word("after"), word("pod"), word("scenario"), word("uid").map(|uid| uid[..8.min(uid.len())].to_owned())];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The changes of the template, each with the record at which the update ends.
pub(crate) fn updates(stored: &Stored) -> Vec<(Acted, u64)> {
    let all = stored.acts().into_iter().filter(|it| {
        matches!(it.act, Act::Roll { .. } | Act::BreakTemplate | Act::RevertTemplate)
            && stored.scenario(it.asked) == Some(Scenario::Roll)
    });
    let all: Vec<Acted> = all.collect();
    let end = stored
        .scenarios()
        .into_iter()
        .find(|(scenario, _)| *scenario == Scenario::Roll)
        .and_then(|(_, places)| places.last());
    let next = |index: usize| all.get(index + 1).map(|next| next.asked).or(end).unwrap_or(u64::MAX);
    all.iter().enumerate().map(|(index, acted)| (acted.clone(), next(index))).collect()
}

/// The pods whose deletion began between two records and was not requested by the harness.
pub(crate) fn replaced(stored: &Stored, from: u64, to: u64) -> Vec<&PodLife> {
    let told = stored.lives().filter(|life| life.deleting.is_some_and(|mark| mark.seq > from && mark.seq < to));
    told.filter(|life| !stored.is_deleted_by_harness(&life.uid)).collect()
}
