//! Pods that never become Ready before the deadline.

use insta::assert_snapshot;
use serde_json::json;

use super::{SERVING, started};
use crate::Verdict::{Fail, Inconclusive};
use crate::evidence::{Phase, Scenario, WaitOutcome, What};
use crate::history::{History, PODS};

/// A run of this many pods, the last of which exists but did not become Ready; the wait for it ended like this.
fn last_one_waits(replicas: u32, last_seen: &str, outcome: WaitOutcome) -> History {
    let mut history = History::of(replicas);
    history.step(Scenario::Deploy, Phase::Begin);
    let (last, before) = PODS[..replicas as usize].split_last().expect("a pod");
    before.iter().for_each(|pod| history.starts(pod));
    history.added(last);
    history.waited(&format!("{last} Ready"), last_seen, outcome);
    history
}

#[test]
fn a_pod_that_crashes_until_its_time_is_up_fails_also_if_it_is_the_last_or_the_only_one() {
    for replicas in [1, 2, 3] {
        let mut history = last_one_waits(replicas, "Running, not Ready, CrashLoopBackOff", WaitOutcome::Expired);
        history.last_words(PODS[replicas as usize - 1], true, &["[ERROR] unknown variable", "[ERROR] Aborting"]);
        let reason = history.expect(SERVING, Fail);
        assert!(reason.contains("was never Ready") && reason.contains("[ERROR] unknown variable"), "{reason}");
    }
    let mut first = started(&[]);
    first.added("mysql-0");
    first.expired("mysql-0 Ready", "Running, not Ready, CrashLoopBackOff");
    first.expect(SERVING, Fail);
}

#[test]
fn a_pod_that_prepares_itself_in_vain_fails_and_one_of_which_nothing_ran_leaves_it_open() {
    let pending = || last_one_waits(3, "Pending, not Ready, PodInitializing", WaitOutcome::Expired);
    assert_snapshot!(pending().expect(SERVING, Inconclusive), @"mysql-2 was never Ready: `mysql-2 Ready` was not reached within 300.0 s; last seen: Pending, not Ready, PodInitializing (#16)");
    let mut crashed = pending();
    let status = json!({"phase": "Pending", "initContainerStatuses": [
        {"name": "prepare", "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}},
    ]});
    let wait = crashed.records.pop().expect("a wait");
    crashed.modified("mysql-2", "status", status);
    crashed.push(wait.what);
    crashed.expect(SERVING, Fail);
    last_one_waits(3, "Pending, not Ready, CrashLoopBackOff", WaitOutcome::Expired).expect(SERVING, Fail);
    last_one_waits(3, "Running, not Ready", WaitOutcome::Expired).expect(SERVING, Fail);
    let missing = "mysql-2 is in CreateContainerConfigError (Pending, not Ready, CreateContainerConfigError)";
    last_one_waits(3, "", WaitOutcome::Impossible(missing.into())).expect(SERVING, Fail);
}

#[test]
fn what_the_cluster_lacks_or_nobody_saw_or_awaited_leaves_open_why_a_pod_was_never_ready() {
    for trouble in ["ImagePullBackOff", "0/3 nodes are available: 3 Insufficient memory"] {
        let seen = format!("Pending, not Ready, {trouble}");
        last_one_waits(3, &seen, WaitOutcome::Expired).expect(SERVING, Inconclusive);
        let seen = format!("Running, not Ready, {trouble}");
        assert!(
            last_one_waits(3, &seen, WaitOutcome::Expired).expect(SERVING, Inconclusive).contains("infrastructure")
        );
    }
    last_one_waits(3, "Running, not Ready", WaitOutcome::CutShort).expect(SERVING, Inconclusive);
    last_one_waits(3, "Running, Ready", WaitOutcome::Met).expect(SERVING, Inconclusive);
    let crashed = || last_one_waits(3, "Running, not Ready, CrashLoopBackOff", WaitOutcome::Expired);
    crashed().lost("Pod", |what| matches!(what, What::Wait(_))).expect(SERVING, Inconclusive);
    let awaiting = |what: &str| {
        crashed().edit(|record| {
            if let What::Wait(wait) = record {
                wait.what = what.into();
            }
        })
    };
    // Another pod was awaited.
    awaiting("mysql-1 Ready").expect(SERVING, Inconclusive);
    awaiting("StatefulSet mysql with 3 Ready pods").expect(SERVING, Fail);
}
