//! A run whose last pod crashes until the timeout, so that little else can be decided.

use crate::evidence::Scenario;
use serde_json::json;

use super::{CLAIMS, NAMES, ONE_LIFE, ORDER, ROWS, SERVING, Story, outcome, uid};
use crate::check::{Cause, Check, Finding, Outcome};
use crate::evidence::*;

const IN_VAIN: &str = "mysql-2 Ready did not come within 180s; last seen: Running, not Ready, CrashLoopBackOff";

/// The record that says that the deployment failed.
const FAILED: u64 = 20;

/// The run. `mysql-2` has an option that its server does not know.
pub(crate) fn crashing_evidence() -> Evidence {
    let mut story = Story::default();
    story.cluster();
    for ordinal in 0..2 {
        let start = 41_000 + u64::from(ordinal) * 13_000;
        story.pod(start, EventType::Added, ordinal, 1, false, false);
        story.pod(start + 12_400, EventType::Modified, ordinal, 1, true, false);
        story.wait(start + 12_410, &format!("mysql-{ordinal} Ready"), WaitOutcome::Met, 12_400, "Running, Ready");
    }
    story.pod(67_000, EventType::Added, 2, 1, false, false);
    let warning = json!({
        "metadata": {"name": "mysql-2.18a", "uid": "e-1"},
        "type": "Warning",
        "involvedObject": {"kind": "Pod", "name": "mysql-2", "uid": uid(2, 1)},
        "reason": "BackOff",
        "message": "Back-off restarting failed container mysql in pod mysql-2_steadfast",
        "count": 8,
        "lastTimestamp": "2026-01-05T03:02:00Z",
    });
    story.object(120_000, EventType::Modified, "Event", warning);
    let last_seen = "Running, not Ready, CrashLoopBackOff";
    story.wait(246_500, "mysql-2 Ready", WaitOutcome::Expired, 180_000, last_seen);
    let lines = ["[ERROR] unknown variable 'server_idd=102'", "[ERROR] Aborting", "[Note] mysqld: Shutdown complete"];
    let log = ContainerLog {
        pod: "mysql-2".into(),
        uid: uid(2, 1),
        container: "mysql".into(),
        previous: true,
        lines: lines.map(str::to_owned).to_vec(),
    };
    let value = serde_json::to_value(log).unwrap();
    story.at(246_600, What::Snapshot(Snapshot { of: SnapshotOf::ContainerLog, value }));
    story.step(246_700, Scenario::Deploy, Scenario::Deploy, Phase::Failed(IN_VAIN.into()));
    story.teardown(247_000);
    Evidence::new(story.0)
}

/// The outcome of the run: one violation, and a cause that left four checks undecided.
pub(crate) fn crashing(evidence: &Evidence) -> Outcome<'_> {
    let why = format!("deploy: {IN_VAIN}");
    let needs_attention = |so: &str, reason: String| {
        let cause = Cause { why: why.clone(), seq: FAILED, so: so.to_owned() };
        Finding { cause: Some(cause), ..Finding::inconclusive(reason, [FAILED]) }
    };
    let cut = "the scenario deploy was cut short";
    let unbegun = "the scenario restart was not begun";
    let unasked = "mysql-2 has no address, so nobody asked for its name";
    let not_begun = || needs_attention(unbegun, format!("{unbegun}: {why} (#{FAILED})"));
    let crashed = "mysql-2 was never Ready: `mysql-2 Ready` was awaited for 180.0 s; last seen: Running, not Ready, \
                   CrashLoopBackOff (#18)";
    let findings: Vec<(&'static Check, Finding)> = vec![
        (&ORDER, needs_attention(cut, format!("{cut}: {IN_VAIN} (#{FAILED})"))),
        (&SERVING, Finding::fail(crashed, [16, 18, 17, 19])),
        (&ONE_LIFE, not_begun()),
        (&NAMES, needs_attention(unasked, unasked.to_owned())),
        (&ROWS, not_begun()),
        (&CLAIMS, Finding::skipped("the set has no volumeClaimTemplates")),
    ];
    outcome(evidence, findings)
}
