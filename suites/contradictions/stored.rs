//! The stored runs that histories are made of, and what is found in one.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    ops::Deref,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use steadfast::{
    check::{Verdict, all, find},
    evidence::{
        Act, Checkpoint, Evidence, ObjectEvent, Phase, PodLife, Record, Run, Scenario, SnapshotOf, Subject, What,
    },
};

use super::{
    change::{Change, Places},
    settings::{all_at_once, min_ready_seconds, old_api_server, two_unavailable},
};

/// What a class of histories is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All that a run asks for.
    Answers,
    /// What the cluster's watches tell.
    Watches,
    /// What is right and unusual.
    Right,
    /// What is right and unusual of a server of its kind.
    Servers,
    /// Commits that wait for a replica.
    SemiSync,
    /// Pods that wait until those before them have been Ready for some time.
    MinReady,
    /// Updates that take two pods at a time.
    MaxUnavailable,
    /// Pods that need not wait for one another.
    Parallel,
    /// An API server whose process was told before it was killed.
    ApiServer,
    /// An upgrade of the cluster, watched or not.
    Upgrade,
    /// What no run writes, which the reader refuses. Reading takes long, so a short run serves for it.
    Reader,
}

/// A stored run and what it is good for.
struct Row {
    /// Its name in `suites/replay`, without `.jsonl`.
    name: &'static str,
    good_for: &'static [Part],
    /// What makes another run of it in which everything is right, where the run as it is stored lacks a setting.
    set: Option<Setting>,
}

/// A setting that the workload of a stored run has not.
struct Setting {
    change: fn(&Stored) -> Change,
    /// What its run passes: its histories are about these checks.
    passes: &'static [&'static str],
}

/// Every run that histories are made of.
static RUNS: &[Row] = &[
    plain("seed-1.37.2", &[Part::Answers, Part::Watches, Part::Right, Part::Servers]),
    plain("mariadb-10.11", &[Part::Servers]),
    plain("mysql-9.7-semi-sync", &[Part::SemiSync, Part::Servers]),
    plain("made-good", &[Part::Reader]),
    plain("made-parallel", &[]),
    plain("made-upgraded", &[Part::Upgrade]),
    plain("made-unwatched", &[Part::Upgrade]),
    set("seed-1.37.2", &[Part::MinReady], min_ready_seconds, &["ordering::waits_for_min_ready_seconds"]),
    set("seed-1.37.2", &[Part::MaxUnavailable], two_unavailable, &["ordering::respects_max_unavailable"]),
    set("seed-1.37.2", &[Part::Parallel], all_at_once, &["ordering::parallel_pods_do_not_wait"]),
    set("made-parallel", &[Part::Parallel], all_at_once, &["ordering::parallel_pods_do_not_wait"]),
    set("made-good", &[Part::ApiServer], old_api_server, &["replication::recovers_within_budget"]),
];

const fn plain(name: &'static str, good_for: &'static [Part]) -> Row {
    Row { name, good_for, set: None }
}

const fn set(
    name: &'static str,
    good_for: &'static [Part],
    change: fn(&Stored) -> Change,
    passes: &'static [&'static str],
) -> Row {
    Row { name, good_for, set: Some(Setting { change, passes }) }
}

/// A stored run.
pub struct Stored {
    /// Its name in `suites/replay`.
    pub name: &'static str,
    /// The workload.
    pub subject: Subject,
    evidence: Evidence,
    /// For each record the scenario that it was written in; empty outside of all.
    scenarios: Vec<Option<Scenario>>,
    /// What each check says, once it was asked.
    verdicts: BTreeMap<&'static str, OnceLock<Verdict>>,
}

impl Deref for Stored {
    type Target = Evidence;

    fn deref(&self) -> &Evidence {
        &self.evidence
    }
}

/// A fault of a stored run.
#[derive(Debug, Clone)]
pub struct Acted {
    /// What was done.
    pub act: Act,
    /// The record that asks for it.
    pub asked: u64,
    /// The record that proves it.
    pub proved: Option<u64>,
}

/// The runs that are good for a part, each read once.
pub fn runs(part: Part) -> impl Iterator<Item = &'static Stored> {
    (0..RUNS.len()).filter(move |place| RUNS[*place].good_for.contains(&part)).map(read)
}

/// A run of the table, read once.
fn read(place: usize) -> &'static Stored {
    static READ: [OnceLock<Stored>; RUNS.len()] = [const { OnceLock::new() }; RUNS.len()];
    let row = &RUNS[place];
    READ[place].get_or_init(|| match &row.set {
        None => Stored::of(
            row.name,
            Evidence::read(&path(row.name)).unwrap_or_else(|error| panic!("a stored run: {error}")),
        ),
        Some(setting) => {
            let plain = RUNS.iter().position(|it| it.name == row.name && it.set.is_none());
            plain.map_or_else(|| panic!("{} is not stored", row.name), read).with(setting)
        }
    })
}

/// Where a stored run is.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("suites/replay/{name}.jsonl"))
}

impl Stored {
    fn of(name: &'static str, evidence: Evidence) -> Self {
        let subject = evidence.run().expect("a stored run says what it is about").subject.clone();
        let verdicts = all().map(|check| (check.id, OnceLock::new())).collect();
        Self { name, subject, scenarios: scenarios(&evidence.records), evidence, verdicts }
    }

    /// The same run with a setting that it has not.
    fn with(&self, setting: &Setting) -> Self {
        let made = (setting.change)(self).make(self.records.clone());
        let other = Self::of(self.name, Evidence::new(made.records));
        for check in setting.passes {
            let finding = find(check).expect("a check of the catalogue").judge(&other.evidence);
            assert_eq!(finding.verdict, Verdict::Pass, "{check} of {} with a setting: {}", self.name, finding.reason);
        }
        other
    }

    /// What a check says of the run.
    pub fn verdict(&self, check: &str) -> Verdict {
        let verdict = self.verdicts.get(check).unwrap_or_else(|| panic!("no check is called {check}"));
        *verdict.get_or_init(|| find(check).expect("a check of the catalogue").judge(&self.evidence).verdict)
    }

    /// The run's description.
    pub fn run(&self) -> &Run {
        self.evidence.run().expect("a stored run says what it is about")
    }

    /// The record at a place.
    pub fn at(&self, seq: u64) -> &Record {
        &self.records[seq as usize - 1]
    }

    /// The records of which this holds.
    pub fn places(&self, wanted: impl Fn(&What) -> bool) -> Places {
        self.records.iter().filter(|record| wanted(&record.what)).map(|record| record.seq).collect()
    }

    /// The records that have something in common, by what that is, in the order of the first of each.
    pub fn groups<K: Clone + Eq + Hash>(&self, key: impl Fn(&Record) -> Option<K>) -> Vec<(K, Places)> {
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

    /// The scenario that a record was written in; none outside of all.
    pub fn scenario(&self, seq: u64) -> Option<Scenario> {
        self.scenarios[seq as usize - 1]
    }

    /// Its name; empty outside of all.
    pub fn scenario_name(&self, seq: u64) -> &'static str {
        self.scenario(seq).map_or("", Scenario::name)
    }

    /// All scenarios that were acted, in order, each with its first and its last record.
    pub fn scenarios(&self) -> Vec<(Scenario, Places)> {
        self.groups(|record| self.scenario(record.seq))
    }

    /// The acts that were asked for, in order, each with the first proof that follows it.
    pub fn acts(&self) -> Vec<Acted> {
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

    /// The events of the objects of one kind of which this holds.
    pub fn events(&self, kind: &str, wanted: impl Fn(&ObjectEvent) -> bool) -> Places {
        self.places(|what| matches!(what, What::Object(event) if event.object_kind == kind && wanted(event)))
    }

    /// The events of one object.
    pub fn events_of(&self, kind: &str, uid: &str) -> Places {
        self.events(kind, |event| event.object["metadata"]["uid"] == uid)
    }

    /// The snapshots of this.
    pub fn snapshots(&self, of: SnapshotOf) -> Places {
        self.places(|what| matches!(what, What::Snapshot(it) if it.of == of))
    }

    /// The pods of the set that are there at a record.
    pub fn pods_at(&self, seq: u64) -> impl Iterator<Item = &PodLife> {
        self.subject.pods().filter_map(move |pod| self.timeline.pod_at(&pod, seq))
    }

    /// Whether the harness deletes a pod, at whatever time.
    pub fn is_deleted_by_harness(&self, uid: &str) -> bool {
        self.acts().iter().any(|it| matches!(&it.act, Act::DeletePod { uid: deleted, .. } if deleted == uid))
    }

    /// The records that a proof names; none where a record is no proof.
    pub fn named_by(&self, proof: u64) -> Vec<u64> {
        match &self.at(proof).what {
            What::Fault(fault) => fault.proof.clone().unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The lives of the set's pods that were seen to begin.
    pub fn lives(&self) -> impl Iterator<Item = &PodLife> {
        self.timeline.pods.iter().filter(|life| life.seen_created)
    }

    /// The last event of an object before a record, as it showed the object then.
    pub fn last_event(&self, kind: &str, uid: &str, before: u64) -> Option<&ObjectEvent> {
        let places = self.events_of(kind, uid).before(before);
        places.last().map(|seq| match &self.at(seq).what {
            What::Object(event) => event.as_ref(),
            _ => unreachable!("an event"),
        })
    }
}

/// The scenario that each record lies in.
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

/// The moment of a question, a command or a write.
pub fn checkpoint(what: &What) -> Option<&Checkpoint> {
    match what {
        What::Dns(dns) => Some(&dns.checkpoint),
        What::Sql(sql) => Some(&sql.checkpoint),
        What::Exec(exec) => Some(&exec.checkpoint),
        What::Write(write) => Some(&write.checkpoint),
        _ => None,
    }
}

/// A moment in one word, or a few.
pub fn told(checkpoint: &Checkpoint) -> String {
    let value = serde_json::to_value(checkpoint).expect("a moment is told");
    let word = |name: &str| value[name].as_str().map(str::to_owned);
    let words =
        [word("after"), word("pod"), word("scenario"), word("uid").map(|uid| uid[..8.min(uid.len())].to_owned())];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
