//! Made-up runs for the tests of the reports.

mod crashing;
mod disrupted;
mod each;

use crate::evidence::Scenario;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::check::{Check, Finding, Judged, Outcome, Verdict};
use crate::evidence::*;

pub(crate) use crate::evidence::fixtures::run;
pub(crate) use crashing::{crashing, crashing_evidence};
pub(crate) use disrupted::disrupted_evidence;
pub(crate) use each::one_of_each;

macro_rules! check {
    ($name:ident, $id:literal, $statement:literal, $source:literal, $scenarios:expr) => {
        static $name: Check = Check {
            id: $id,
            statement: $statement,
            source: $source,
            explain: "",
            scenarios: $scenarios,
            minimum: &[],
            judge: |_| Finding::skipped("a sample is not judged"),
        };
    };
}

check!(
    ORDER,
    "ordering::starts_in_ordinal_order",
    "Before a pod is created, every pod with a lower ordinal MUST have been Running and Ready.",
    "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#deployment-and-scaling-guarantees",
    &[Scenario::Deploy]
);
check!(
    SERVING,
    "ordering::ready_means_serving",
    "A pod MUST become Ready in its time, and MUST NOT be Ready before its server answers.",
    "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes (readinessProbe)",
    &[Scenario::Deploy]
);
check!(
    ONE_LIFE,
    "ordering::never_two_pods_of_one_name",
    "At most one pod of a name MUST exist at any time.",
    "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#pod-identity",
    &[Scenario::Deploy, Scenario::Restart]
);
check!(
    NAMES,
    "dns::every_ready_pod_resolves_from_another_namespace",
    "Each Ready pod's stable name MUST resolve to its current address, from every namespace and on every DNS server.",
    "https://github.com/kubernetes/dns/blob/master/docs/specification.md section 2.4",
    &[Scenario::Deploy]
);
check!(
    ROWS,
    "persistence::acknowledged_writes_survive_deletion",
    "Every acknowledged write MUST be readable after the pod that took it was deleted and came back.",
    "https://dev.mysql.com/doc/refman/8.4/en/innodb-parameters.html#sysvar_innodb_flush_log_at_trx_commit",
    &[Scenario::Restart]
);
check!(
    RECOVERY,
    "replication::goes_on_in_time",
    "After each disruption writes MUST be acknowledged again, within the budget.",
    "https://dev.mysql.com/doc/refman/8.4/en/replication-solutions.html",
    &[Scenario::Restart]
);
check!(
    CLAIMS,
    "persistence::claims_are_kept",
    "A pod's claim MUST outlive the pod.",
    "https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#persistentvolumeclaim-retention",
    &[Scenario::Restart]
);

const SET_UID: &str = "0f7c1f52-5f0e-4f43-9c0f-4f0d2c9b1a00";

/// The UID of a pod's nth incarnation.
fn uid(ordinal: u32, life: u32) -> String {
    format!("{ordinal}{life}c4a7e0-8d1b-4c39-b8a2-5e0f6d7c{ordinal}{life}0a")
}

/// Records with consecutive numbers.
#[derive(Default)]
struct Story(Vec<Record>);

impl Story {
    fn at(&mut self, ms: u64, what: What) -> u64 {
        let (seq, at_us) = (self.0.len() as u64 + 1, ms * 1000);
        let start: jiff::Timestamp = "2026-01-05T03:00:00Z".parse().unwrap();
        let wall = start + jiff::SignedDuration::from_millis(ms as i64);
        self.0.push(Record { seq, at_us, wall, what });
        seq
    }

    fn step(&mut self, ms: u64, scenario: impl Into<Option<Scenario>>, name: impl ToString, phase: Phase) {
        self.at(ms, What::Step(Step { scenario: scenario.into(), name: name.to_string(), phase }));
    }

    fn object(&mut self, ms: u64, event: EventType, kind: &str, object: Value) -> u64 {
        self.at(ms, What::Object(Box::new(ObjectEvent { event, object_kind: kind.into(), object })))
    }

    fn pod(&mut self, ms: u64, event: EventType, ordinal: u32, life: u32, ready: bool, deleting: bool) -> u64 {
        let mut metadata = json!({ "name": format!("mysql-{ordinal}"), "uid": uid(ordinal, life) });
        if deleting {
            metadata["deletionTimestamp"] = "2026-01-05T03:01:30Z".into();
        }
        let phase = if event == EventType::Added { "Pending" } else { "Running" };
        let condition = json!({ "type": "Ready", "status": if ready { "True" } else { "False" } });
        let status = json!({ "phase": phase, "conditions": [condition] });
        // The image of a pod that was never Ready did not run.
        let image = if ready { "steadfast.local/mysql:5.7.22" } else { "steadfast/unstartable" };
        let spec =
            json!({ "containers": [{ "name": "exporter", "image": "exporter" }, { "name": "mysql", "image": image }] });
        self.object(ms, event, "Pod", json!({ "metadata": metadata, "spec": spec, "status": status }))
    }

    fn wait(&mut self, ms: u64, what: &str, outcome: WaitOutcome, took_ms: u64, last_seen: &str) -> u64 {
        let (what, last_seen) = (what.into(), last_seen.into());
        self.at(ms, What::Wait(Wait { what, outcome, took_us: took_ms * 1000, last_seen }))
    }

    fn cluster(&mut self) {
        self.step(0, None, "create the cluster", Phase::Begin);
        self.step(31_000, None, "create the cluster", Phase::End);
        self.step(31_000, None, "load images", Phase::Begin);
        self.step(39_500, None, "load images", Phase::End);
        self.at(39_600, What::Run(Box::new(run())));
        self.step(40_000, Scenario::Deploy, Scenario::Deploy, Phase::Begin);
        self.step(40_000, Scenario::Deploy, "apply the manifests", Phase::Begin);
        self.step(40_400, Scenario::Deploy, "apply the manifests", Phase::End);
        self.object(40_450, EventType::Added, "StatefulSet", set());
    }

    fn deployed(&mut self) {
        for ordinal in 0..3 {
            let start = 41_000 + u64::from(ordinal) * 13_000;
            self.pod(start, EventType::Added, ordinal, 1, false, false);
            self.pod(start + 12_400, EventType::Modified, ordinal, 1, true, false);
            let what = format!("mysql-{ordinal} Ready");
            self.wait(start + 12_410, &what, WaitOutcome::Met, 12_400, "Running, Ready");
        }
        self.step(81_000, Scenario::Deploy, Scenario::Deploy, Phase::End);
    }

    fn deletion(&mut self) -> Act {
        self.step(82_000, Scenario::Restart, Scenario::Restart, Phase::Begin);
        self.step(82_000, Scenario::Restart, "delete mysql-1", Phase::Begin);
        let act = Act::DeletePod { pod: "mysql-1".into(), uid: uid(1, 1), grace_s: None };
        self.at(82_100, What::Fault(Fault { act: act.clone(), proof: None }));
        self.pod(82_200, EventType::Modified, 1, 1, true, true);
        self.pod(85_000, EventType::Modified, 1, 1, false, true);
        act
    }

    fn teardown(&mut self, ms: u64) {
        self.step(ms, None, "tear down", Phase::Begin);
        self.at(ms + 100, What::Fault(Fault { act: Act::Teardown, proof: None }));
        self.step(ms + 6_000, None, "tear down", Phase::End);
    }
}

fn set() -> Value {
    json!({
        "metadata": { "name": "mysql", "uid": SET_UID, "generation": 2 },
        "spec": { "replicas": 3 },
        "status": { "observedGeneration": 1, "readyReplicas": 1 },
    })
}

/// A run in which every property holds.
pub(crate) fn passing_evidence() -> Evidence {
    let mut story = Story::default();
    story.cluster();
    story.deployed();
    let act = story.deletion();
    let gone = story.pod(87_300, EventType::Deleted, 1, 1, false, true);
    story.at(87_310, What::Fault(Fault { act, proof: Some(vec![gone]) }));
    story.pod(87_500, EventType::Added, 1, 2, false, false);
    story.pod(106_200, EventType::Modified, 1, 2, true, false);
    story.wait(106_210, "mysql-1 Ready under a new UID", WaitOutcome::Met, 24_000, "Running, Ready");
    story.step(109_000, Scenario::Restart, Scenario::Restart, Phase::End);
    story.teardown(110_000);
    Evidence::new(story.0)
}

/// A run in which pods start all at once, two pods of one name exist at a time, and one pod never comes back.
pub(crate) fn failing_evidence() -> Evidence {
    let mut story = Story::default();
    story.cluster();
    for ordinal in 0..3 {
        let start = 41_000 + u64::from(ordinal) * 300;
        story.pod(start, EventType::Added, ordinal, 1, false, false);
    }
    for (ordinal, ready) in [(2, 55_000), (0, 60_400), (1, 66_000)] {
        story.pod(ready, EventType::Modified, ordinal, 1, true, false);
    }
    let (object_kind, after_version) = ("EndpointSlice".into(), "4711".into());
    let reason = "410 Gone: too old resource version".into();
    story.at(70_000, What::Gap(Gap { object_kind, after_version, reason }));
    story.step(81_000, Scenario::Deploy, Scenario::Deploy, Phase::End);
    story.deletion();
    story.pod(86_000, EventType::Added, 1, 2, false, false);
    story.pod(99_000, EventType::Deleted, 1, 1, false, true);
    let waited = "mysql-1 Ready under a new UID";
    story.wait(206_000, waited, WaitOutcome::Expired, 120_000, "Pending, not Ready, ImagePullBackOff");
    story.step(206_100, Scenario::Restart, Scenario::Restart, Phase::Failed("mysql-1 did not become Ready".into()));
    story.teardown(207_000);
    Evidence::new(story.0)
}

/// A run that was interrupted during its deployment.
pub(crate) fn interrupted_evidence() -> Evidence {
    let mut story = Story::default();
    story.cluster();
    story.pod(41_000, EventType::Added, 0, 1, false, false);
    Evidence::new(story.0)
}

/// A run that kills the API server `same` plus `others` times. Each kill leaves a gap in the pods' history, after
/// which the same pods are there, or an additional one.
pub(crate) fn killed_api_server_evidence(same: u64, others: u64) -> Evidence {
    let mut story = Story::default();
    story.cluster();
    story.pod(41_000, EventType::Added, 0, 1, false, false);
    story.step(50_000, Scenario::ApiserverKill, Scenario::ApiserverKill, Phase::Begin);
    for time in 0..same + others {
        let (object_kind, after_version) = ("Pod".into(), "4711".into());
        story.at(51_000 + time, What::Gap(Gap { object_kind, after_version, reason: "410 Gone".into() }));
        story.pod(51_000 + time, EventType::Listed, 0, 1, false, false);
        if time >= same {
            story.pod(51_000 + time, EventType::Listed, 1, 1, false, false);
        }
    }
    story.step(60_000, Scenario::ApiserverKill, Scenario::ApiserverKill, Phase::End);
    Evidence::new(story.0)
}

fn outcome<'a>(evidence: &'a Evidence, findings: Vec<(&'static Check, Finding)>) -> Outcome<'a> {
    let directory = PathBuf::from("/artifacts/20260105-030000-7f3a");
    Outcome::with(evidence, findings).of_run(directory, "steadfast run --cluster ci")
}

/// A green outcome with one check that does not apply.
pub(crate) fn passing(evidence: &Evidence) -> Outcome<'_> {
    let findings = vec![
        (&ORDER, Finding::pass("mysql-0 was Ready before mysql-1 was ADDED, and mysql-1 before mysql-2", [11, 13, 14])),
        (&ONE_LIFE, Finding::pass("4 pods under 3 names, never two at a time", [23, 25])),
        (&NAMES, Finding::pass("72 of 72 answers name the current address", [])),
        (&ROWS, Finding::pass("200 of 200 acknowledged writes are there", [])),
        (&CLAIMS, Finding::skipped("the set has no volumeClaimTemplates")),
    ];
    outcome(evidence, findings)
}

/// A green outcome of a run with measured disruptions.
pub(crate) fn measured(evidence: &Evidence) -> Outcome<'_> {
    outcome(evidence, vec![(&RECOVERY, Finding::pass("2 disruptions were recovered from", []))])
}

/// An outcome with two violations and an undecided check.
pub(crate) fn failing(evidence: &Evidence) -> Outcome<'_> {
    let order = "mysql-1 was ADDED at #11 while mysql-0 (uid 01c4a7e0…) had never been Ready; it was Ready at #14";
    let lives = "mysql-1 had two pods from #22 to #23: uid 11c4a7e0… was not gone when uid 12c4a7e0… was ADDED";
    let findings = vec![
        (&ORDER, Finding::fail(order, [11, 10, 14])),
        (&ONE_LIFE, Finding::fail(lives, [22, 23])),
        (&NAMES, Finding::pass("72 of 72 answers name the current address", [])),
        (&ROWS, Finding::inconclusive("scenario restart was not carried out: mysql-1 did not become Ready", [25, 99])),
        (&CLAIMS, Finding::skipped("the set has no volumeClaimTemplates")),
    ];
    outcome(evidence, findings)
}

/// An outcome with no failure and an undecided check.
pub(crate) fn inconclusive(evidence: &Evidence) -> Outcome<'_> {
    let gap = "the history of EndpointSlice has a gap at #16";
    let findings =
        vec![(&CLAIMS, Finding::pass("3 claims outlived 1 pod", [])), (&NAMES, Finding::inconclusive(gap, [16]))];
    outcome(evidence, findings)
}

/// The outcome of an interrupted run.
pub(crate) fn interrupted(evidence: &Evidence) -> Outcome<'_> {
    let cut = "scenario deploy was cut short";
    let findings = vec![(&ORDER, Finding::inconclusive(cut, [6])), (&ONE_LIFE, Finding::inconclusive(cut, [6]))];
    let mut outcome = outcome(evidence, findings);
    outcome.interrupted = true;
    outcome
}

/// An outcome without any verdict.
pub(crate) fn empty(evidence: &Evidence) -> Outcome<'_> {
    outcome(evidence, Vec::new())
}

/// A result with this verdict.
pub(crate) fn judged_as(verdict: Verdict) -> Judged {
    Judged {
        check: &CLAIMS,
        finding: Finding { verdict, reason: "so it is".into(), evidence: Vec::new(), cause: None },
        seconds: 0.0,
    }
}
