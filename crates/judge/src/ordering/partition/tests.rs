//! Pods that a partition keeps from an update: right and wrong.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Phase, Scenario, Subject};
use crate::history::{History, PODS, subject};

const PARTITION: &str = "ordering::partition_is_respected";

/// Three pods, of which the last was updated.
fn rolled() -> History {
    let mut history = History::of(3);
    PODS.iter().for_each(|pod| history.starts(pod));
    history.step(Scenario::Roll, Phase::Begin);
    let act = Act::Roll { partition: 2 };
    history.fault(act.clone());
    history.template("rev-2");
    history.replaced("mysql-2");
    let proof = history.set_seen();
    history.proved(act, proof);
    history
}

/// The harness deletes a pod.
fn deletes(history: &mut History, pod: &str) {
    let act = Act::DeletePod { pod: pod.to_owned(), uid: history.uid(pod), grace_s: None };
    history.fault(act.clone());
    let gone = history.goes(pod);
    history.proved(act, gone);
}

/// Three pods, of which the last was updated and the second one deleted.
fn deleted() -> History {
    let mut history = rolled();
    deletes(&mut history, "mysql-1");
    history
}

#[test]
fn a_pod_that_comes_back_as_it_was_passes() {
    let mut history = deleted();
    history.making("rev-1", |history| history.starts("mysql-1"));
    assert_snapshot!(history.expect(PARTITION, Pass), @"below the partition the update replaced no pod, and deleted pods came back: mysql-1 at rev-1 (#31)");
    // Once the partition is lowered, the update may reach it.
    history.fault(Act::Roll { partition: 0 });
    history.template("rev-2");
    history.goes("mysql-1");
    history.gap("Pod");
    history.expect(PARTITION, Pass);
    History::good().expect(PARTITION, Pass);
    History::good_of(2).expect(PARTITION, Pass);
}

#[test]
fn a_pod_that_comes_back_with_the_update_fails() {
    let mut history = deleted();
    history.starts("mysql-1");
    assert_snapshot!(history.expect(PARTITION, Fail), @"mysql-1, below the partition 2, had rev-1 when it was deleted (#28) and came back at rev-2 (#31)");
}

#[test]
fn a_pod_that_the_update_replaces_fails() {
    let mut history = rolled();
    history.deleting("mysql-1");
    assert_snapshot!(history.expect(PARTITION, Fail), @"mysql-1, below the partition 2 of the update requested at #18, was deleted at #27, not by the harness");
    let mut history = deleted();
    history.making("rev-1", |history| history.starts("mysql-1"));
    history.goes("mysql-0");
    history.expect(PARTITION, Fail);
    // It was already terminating when the harness asked for its deletion.
    let mut history = rolled();
    history.deleting("mysql-1");
    deletes(&mut history, "mysql-1");
    history.expect(PARTITION, Fail);
}

#[test]
fn a_pod_that_does_not_come_back_fails_when_it_was_awaited() {
    deleted().expect(PARTITION, Inconclusive);
    let awaited = |last_seen: &str| {
        let mut history = deleted();
        history.expired("mysql-1 Ready under a new UID", last_seen);
        history
    };
    assert_snapshot!(awaited("there is no such pod").expect(PARTITION, Fail), @"mysql-1, below the partition, did not come back after its deletion (#28): `mysql-1 Ready under a new UID` was not reached within 300.0 s; last seen: there is no such pod (#31)");
    awaited("Pending, not Ready, ErrImagePull").expect(PARTITION, Inconclusive);
}

#[test]
fn what_the_harness_restores_after_giving_up_does_not_count() {
    let mut history = deleted();
    history.step(Scenario::Roll, Phase::Failed("no time left".into()));
    history.starts("mysql-1");
    history.goes("mysql-0");
    history.expect(PARTITION, Inconclusive);
}

#[test]
fn nothing_deleted_leaves_it_open() {
    assert_snapshot!(rolled().expect(PARTITION, Inconclusive), @"no pod below a partition was deleted, so it is unknown what comes back");
    let mut above = rolled();
    deletes(&mut above, "mysql-2");
    above.starts("mysql-2");
    above.expect(PARTITION, Inconclusive);
    let mut untouched = History::of(3);
    PODS.iter().for_each(|pod| untouched.starts(pod));
    untouched.expect(PARTITION, Inconclusive);
}

#[test]
fn a_template_that_did_not_change_shows_nothing() {
    let mut history = History::of(3);
    PODS.iter().for_each(|pod| history.starts(pod));
    history.step(Scenario::Roll, Phase::Begin);
    history.fault(Act::Roll { partition: 2 });
    history.template("rev-1");
    deletes(&mut history, "mysql-1");
    history.starts("mysql-1");
    assert_snapshot!(history.expect(PARTITION, Inconclusive), @"mysql-1 already had rev-1 when it was deleted (#21), which proves nothing");
}

#[test]
fn a_lost_stretch_leaves_the_partition_open() {
    let mut history = deleted();
    history.gap("Pod");
    history.making("rev-1", |history| history.starts("mysql-1"));
    history.expect(PARTITION, Inconclusive);
    let mut history = rolled();
    history.gap("Pod");
    history.deleting("mysql-0");
    history.expect(PARTITION, Inconclusive);
    let mut history = rolled();
    history.deleting("mysql-0");
    history.gap("Pod");
    history.expect(PARTITION, Fail);
}

#[test]
fn a_partition_of_the_sets_own_holds_until_the_end() {
    let mut history = History::with(Subject { partition: 1, ..subject(3) });
    PODS.iter().for_each(|pod| history.starts(pod));
    history.step(Scenario::Roll, Phase::Begin);
    history.fault(Act::Roll { partition: 1 });
    history.template("rev-2");
    deletes(&mut history, "mysql-0");
    history.making("rev-1", |history| history.starts("mysql-0"));
    history.replaced("mysql-2");
    history.replaced("mysql-1");
    history.expect(PARTITION, Pass);
    history.fault(Act::RevertTemplate);
    history.template("rev-1");
    history.expect(PARTITION, Pass);
    history.goes("mysql-0");
    assert_snapshot!(history.expect(PARTITION, Fail), @"mysql-0, below the partition 1 of the update requested at #37, was deleted at #39, not by the harness");
}

#[test]
fn where_no_pod_is_below_it_is_skipped() {
    assert_snapshot!(History::good_of(1).expect(PARTITION, Skipped), @"the set has one pod: a partition leaves none below it to be updated");
    History::with(Subject { on_delete: true, ..subject(3) }).expect(PARTITION, Skipped);
    History::with(Subject { partition: 3, ..subject(3) }).expect(PARTITION, Skipped);
}
