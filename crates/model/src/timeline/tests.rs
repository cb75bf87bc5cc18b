//! What the timeline keeps, and what its queries find.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{Evidence, Question, SqlAnswer};

/// The first record of a run. It is read once, since many thousand histories begin with it.
static RUN: LazyLock<Record> = LazyLock::new(|| {
    let stored = concat!(env!("CARGO_MANIFEST_DIR"), "/../../suites/replay/made-good.jsonl");
    let evidence = Evidence::read(Path::new(stored)).expect("a stored run");
    evidence.records.into_iter().find(|record| matches!(record.what, What::Run(_))).expect("a run")
});

/// A timeline that is fed with the events of a set's pods.
struct Watched {
    timeline: Timeline,
}

impl Watched {
    /// The timeline of a run that has just started.
    fn new() -> Self {
        Self { timeline: Timeline::of([&*RUN]) }
    }

    fn observe(&mut self, what: What) {
        let (seq, wall) = (self.timeline.last_seq + 1, RUN.wall);
        self.timeline.observe(&Record { seq, at_us: seq, wall, what });
    }

    fn tell(&mut self, event: EventType, object_kind: &str, object: Value) {
        self.observe(What::Object(Box::new(ObjectEvent { event, object_kind: object_kind.into(), object })));
    }

    fn ask(&mut self, checkpoint: Checkpoint, pod: &str, uid: &str) {
        let (pod, uid, statements) = (pod.into(), uid.into(), Vec::new());
        let answer = SqlAnswer::Rows(Vec::new());
        self.observe(What::Sql(Sql { checkpoint, pod, uid, question: Question::Ping, statements, took_us: 0, answer }));
    }

    fn pod(&mut self, event: EventType, name: &str, uid: &str, ready: bool) {
        let status = if ready { "True" } else { "False" };
        self.tell(event, "Pod", json!({
            "metadata": {"name": name, "uid": uid, "labels": {"app": "mysql"}, "resourceVersion": self.timeline.last_seq},
            "spec": {"nodeName": "worker", "volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]},
            "status": {"phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": status}]},
        }));
    }

    /// Counts everything that is kept, except what every life has once.
    fn kept(&self) -> usize {
        let Timeline {
            subject: _,
            pods,
            claims,
            volumes,
            set: _,
            service_families,
            owned: _,
            gaps,
            gaps_of,
            last_seq: _,
        } = &self.timeline;
        let of_pod = |pod: &PodLife| {
            let addresses = pod.address.len() + pod.other_address.len();
            pod.ready.len() + addresses + pod.restarts.len() + pod.labels.len() + pod.claims.len()
        };
        let of_pods: usize = pods.iter().map(of_pod).sum();
        let of_claims: usize = claims.iter().map(|claim| claim.volume.len()).sum();
        let of_gaps: usize = gaps.len() + gaps_of.values().map(Vec::len).sum::<usize>();
        let of_service = service_families.len();
        pods.len() + claims.len() + volumes.len() + of_service + of_pods + of_claims + of_gaps
    }
}

#[test]
fn events_that_change_nothing_leave_nothing() {
    let mut watched = Watched::new();
    let claim = json!({"metadata": {"name": "data", "uid": "claim"}, "spec": {"volumeName": "volume"}});
    let volume = json!({"metadata": {"name": "volume", "uid": "volume"}});
    let set = json!({"metadata": {"name": "mysql", "uid": "set"}, "status": {"readyReplicas": 1}});
    let all = |watched: &mut Watched, event: EventType| {
        watched.pod(event, "mysql-0", "pod", true);
        watched.tell(event, "PersistentVolumeClaim", claim.clone());
        watched.tell(event, "PersistentVolume", volume.clone());
        watched.tell(event, "StatefulSet", set.clone());
    };
    all(&mut watched, EventType::Added);
    let kept = watched.kept();
    for _ in 0..10_000 {
        all(&mut watched, EventType::Modified);
    }
    assert_eq!(watched.kept(), kept);
    assert_eq!(watched.timeline.last_seq, RUN.seq + 4 * 10_001);
}

/// The timeline grows with changes: by one for each change of Ready, and by a life for each pod.
#[test]
fn a_change_is_kept_once() {
    let mut watched = Watched::new();
    watched.pod(EventType::Added, "mysql-0", "first", true);
    let one = watched.kept();
    for turn in 0..100 {
        watched.pod(EventType::Modified, "mysql-0", "first", turn % 2 == 1);
        watched.pod(EventType::Modified, "mysql-0", "first", turn % 2 == 1);
    }
    assert_eq!(watched.kept(), one + 100);
    watched.pod(EventType::Deleted, "mysql-0", "first", true);
    watched.pod(EventType::Added, "mysql-0", "second", true);
    assert_eq!(watched.kept(), one + 100 + one);
}

#[test]
fn a_life_ends_once() {
    let mut watched = Watched::new();
    watched.pod(EventType::Added, "mysql-0", "first", true);
    watched.pod(EventType::Deleted, "mysql-0", "first", true);
    let ended = watched.timeline.last_seq;
    watched.pod(EventType::Deleted, "mysql-0", "first", true);
    let life = watched.timeline.pod_by_uid("first").expect("a pod");
    assert_eq!(life.deleted.map(|mark| mark.seq), Some(ended));
}

/// Only the question counts that is asked when this pod becomes Ready.
#[test]
fn a_pod_is_greeted_by_one_question() {
    let mut watched = Watched::new();
    let probed =
        |watched: &Watched| ["first", "second"].map(|uid| watched.timeline.pod_by_uid(uid).map(|pod| pod.probed));
    watched.pod(EventType::Added, "mysql-0", "first", true);
    watched.pod(EventType::Added, "mysql-1", "second", true);
    watched.ask(Checkpoint::Deployed, "mysql-0", "first");
    assert_eq!(probed(&watched), [Some(false), Some(false)]);
    watched.ask(Checkpoint::Ready { pod: "mysql-0".into(), uid: "first".into() }, "mysql-0", "first");
    assert_eq!(probed(&watched), [Some(true), Some(false)]);
}

/// How many pods the timeline keeps after these events of one pod with this name and these owners.
fn kept_of(name: &str, owners: Value) -> usize {
    let mut watched = Watched::new();
    for event in [EventType::Added, EventType::Modified, EventType::Deleted] {
        watched.tell(event, "Pod", json!({"metadata": {"name": name, "uid": "pod", "ownerReferences": owners}}));
    }
    assert!(watched.timeline.gaps.is_empty());
    watched.timeline.pods.len()
}

#[test]
fn a_pod_of_another_controller_is_none_of_the_sets() {
    let owner = |kind: &str, name: &str, controls: bool| json!({"kind": kind, "name": name, "controller": controls});
    assert_eq!(kept_of("mysql-0", json!([owner("StatefulSet", "mysql", true)])), 1);
    assert_eq!(kept_of("mysql-24679", json!([owner("ReplicaSet", "mysql", true)])), 0);
    assert_eq!(kept_of("mysql-24679", json!([owner("StatefulSet", "mysql-h", true)])), 0);
    // An owner that is not the controller did not make the pod.
    assert_eq!(kept_of("mysql-0", json!([owner("Backup", "nightly", false), owner("StatefulSet", "mysql", true)])), 1);
    assert_eq!(kept_of("mysql-0", json!([owner("Backup", "nightly", false)])), 1);
    assert_eq!(kept_of("mysql-0", json!([])), 1);
    assert_eq!(kept_of("mysql-007", json!([])), 0);
}

/// A name, and whether its oldest or its newest life ends, if one does.
fn events() -> impl Strategy<Value = Vec<(usize, Option<bool>)>> {
    prop::collection::vec((0..2_usize, prop::option::of(any::<bool>())), 0..12)
}

proptest! {
    /// A query by name finds the same as a scan of all lives.
    #[test]
    fn names_lead_to_their_bearers(events in events()) {
        let (mut watched, mut there) = (Watched::new(), Vec::<(String, String)>::new());
        for (number, (name, goes)) in events.into_iter().enumerate() {
            let name = format!("mysql-{name}");
            let mut bearers = there.iter().enumerate().filter(|(_, (bearer, _))| *bearer == name).map(|(place, _)| place);
            let place = match goes {
                Some(true) => bearers.next(),
                Some(false) => bearers.next_back(),
                None => None,
            };
            match (goes, place) {
                (None, _) => {
                    let uid = format!("uid-{number}");
                    watched.pod(EventType::Added, &name, &uid, true);
                    there.push((name, uid));
                }
                (Some(_), Some(place)) => {
                    let (name, uid) = there.remove(place);
                    watched.pod(EventType::Deleted, &name, &uid, true);
                }
                (Some(_), None) => {}
            }
        }
        let timeline = &watched.timeline;
        for name in ["mysql-0", "mysql-1", "mysql-2"] {
            let of_name = || timeline.pods.iter().filter(|pod| pod.name == name);
            prop_assert!(timeline.lives(name).eq(of_name()));
            prop_assert_eq!(timeline.live_pod(name), of_name().rev().find(|pod| pod.deleted.is_none()));
            for seq in 0..=timeline.last_seq + 1 {
                prop_assert!(timeline.pods.alive_at(name, seq).eq(of_name().filter(|pod| pod.alive_at(seq))));
                let coming = of_name().filter(|pod| pod.added.seq > seq && pod.added.seq < timeline.last_seq);
                prop_assert!(timeline.pods.coming(name, seq, timeline.last_seq).eq(coming));
            }
        }
        for pod in &timeline.pods {
            prop_assert_eq!(timeline.pod_by_uid(&pod.uid), Some(pod));
        }
    }
}

#[test]
fn gaps_are_found_by_kind_and_place() {
    let mut watched = Watched::new();
    let first = watched.timeline.last_seq;
    for kind in ["Pod", "Service", "Pod", "Pod"] {
        watched.observe(What::Gap(Gap {
            object_kind: kind.into(),
            after_version: String::new(),
            reason: String::new(),
        }));
    }
    let found = |kind: &str, from: u64, to: u64| {
        let gaps = watched.timeline.gaps_between(kind, first + from, first + to);
        gaps.map(|(mark, _)| mark.seq - first).collect::<Vec<_>>()
    };
    assert_eq!(found("Pod", 0, 9), [1, 3, 4]);
    assert_eq!(found("Pod", 2, 3), [3]);
    assert_eq!(found("Service", 2, 2), [2]);
    assert!(found("Service", 3, 9).is_empty() && found("Node", 0, 9).is_empty());
}

/// The name of a ReplicaSet's pod may end in a number too.
#[test]
fn a_pod_of_another_controller_is_none_of_the_set() {
    let mut watched = Watched::new();
    let mut owned = |name: &str, owner: Value| {
        let metadata = json!({"name": name, "uid": name, "ownerReferences": [owner]});
        watched.tell(EventType::Added, "Pod", json!({"metadata": metadata}));
        watched.timeline.pod_by_uid(name).is_some()
    };
    assert!(owned("mysql-1", json!({"kind": "Guard", "name": "mysql"})));
    assert!(owned("mysql-0", json!({"kind": "StatefulSet", "name": "mysql", "controller": true})));
    // Once the set was seen to own a pod, a pod without a controller is not the set's.
    assert!(!owned("mysql-3", json!({"kind": "Guard", "name": "mysql"})));
    assert!(!owned("mysql-24679", json!({"kind": "ReplicaSet", "name": "mysql", "controller": true})));
    assert!(!owned("mysql-2", json!({"kind": "StatefulSet", "name": "mysql-x", "controller": true})));
}
