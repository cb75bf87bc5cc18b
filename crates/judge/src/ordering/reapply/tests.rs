//! Manifests that are applied twice: right and wrong.

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Act, Phase, Scenario, SnapshotOf, What};
use crate::history::{History, PODS};

const REAPPLY: &str = "ordering::reapply_changes_nothing";

/// A run whose manifests are about to be applied a second time.
fn deployed() -> History {
    let mut history = History::of(3);
    history.step(Scenario::Deploy, Phase::Begin);
    history.applied();
    PODS.iter().for_each(|pod| history.starts(pod));
    history.set_seen();
    history.fault(Act::Reapply);
    history
}

/// The second apply, after which nothing happens while that is watched.
fn applied(history: History) -> History {
    applied_while(history, |_| ())
}

/// The second apply, after which this happens while that is watched.
fn applied_while(mut history: History, happening: impl FnOnce(&mut History)) -> History {
    let proof = history.applied();
    happening(&mut history);
    history.pass_ms(1_000);
    history.proved(Act::Reapply, proof);
    history.step(Scenario::Deploy, Phase::End);
    history
}

/// The same history with another response to the second apply.
fn answering(history: History, change: impl Fn(&mut Value)) -> History {
    let mut answers = 0;
    history.edit(|what| {
        if let What::Snapshot(snapshot) = what
            && snapshot.of == SnapshotOf::Applied
        {
            answers += 1;
            if answers == 2 {
                change(&mut snapshot.value);
            }
        }
    })
}

#[test]
fn applying_twice_with_one_outcome_passes() {
    assert_snapshot!(applied(deployed()).expect(REAPPLY, Pass), @"UID and generation are unchanged: Service mysql-h, StatefulSet mysql; no pod was replaced within 1.0 s");
    History::good().expect(REAPPLY, Pass);
    History::good_of(1).expect(REAPPLY, Pass);
}

#[test]
fn what_was_watched_for_a_moment_shows_nothing() {
    let mut history = deployed();
    // The time of the apply itself does not count as watched.
    history.pass_ms(1_000);
    let proof = history.applied();
    history.pass_ms(700);
    history.proved(Act::Reapply, proof);
    assert_snapshot!(history.expect(REAPPLY, Inconclusive), @"the effect of applying again (#21) was watched only for 0.7 s");
}

#[test]
fn objects_of_two_kinds_may_bear_one_name() {
    let named = applied(deployed()).edit(|what| {
        if let What::Snapshot(snapshot) = what {
            snapshot.value[0]["name"] = json!("mysql");
        }
    });
    named.expect(REAPPLY, Pass);
}

#[test]
fn a_set_that_changes_fails() {
    let mut history = deployed();
    history.template("rev-2");
    assert_snapshot!(applied(history).expect(REAPPLY, Fail), @"StatefulSet mysql had generation 1 at first (#3), and generation 2 once it was applied again (#22); StatefulSet mysql had generation 1 at first (#3), and 2 at #21");
    // An event of the set shows a change that the response does not show yet.
    let late = applied_while(deployed(), |history| _ = history.template("rev-2"));
    assert_snapshot!(late.expect(REAPPLY, Fail), @"StatefulSet mysql had generation 1 at first (#3), and 2 at #22");
    // Later changes do not count, whoever makes them.
    let mut later = applied(deployed());
    later.template("rev-2");
    later.goes("mysql-2");
    later.starts("mysql-2");
    later.expect(REAPPLY, Pass);
}

#[test]
fn an_object_that_is_another_one_fails() {
    let other = answering(applied(deployed()), |value| value[0]["uid"] = json!("another"));
    assert_snapshot!(other.expect(REAPPLY, Fail), @"Service mysql-h had uid Service … at first (#3), and uid another once it was applied again (#21)");
    let counted = answering(applied(deployed()), |value| value[0]["generation"] = json!(1));
    assert_snapshot!(counted.expect(REAPPLY, Fail), @"Service mysql-h had no generation at first (#3), and generation 1 once it was applied again (#21)");
}

#[test]
fn a_pod_that_is_replaced_fails() {
    let history = applied_while(deployed(), |history| history.replaced("mysql-2"));
    assert_snapshot!(history.expect(REAPPLY, Fail), @"mysql-2 was deleted at #22, after the manifests were applied again (#20); mysql-2 was ADDED at #24, after the manifests were applied again (#20)");
    let more = applied_while(deployed(), |history| _ = history.added("mysql-3"));
    more.expect(REAPPLY, Fail);
    let mut before = deployed();
    before.goes("mysql-1");
    applied(before).expect(REAPPLY, Fail);
}

#[test]
fn objects_that_cannot_be_compared_leave_it_open() {
    let fewer = answering(applied(deployed()), |value| *value = json!([value[1]]));
    assert_snapshot!(fewer.expect(REAPPLY, Inconclusive), @"Service mysql-h (#3) was not applied again (#21)");
    let more = answering(applied(deployed()), |value| {
        let more = json!({"kind": "Secret", "name": "root", "uid": "1", "generation": null});
        value.as_array_mut().expect("an array").push(more);
    });
    assert_snapshot!(more.expect(REAPPLY, Inconclusive), @"Secret root was not applied at first (#3)");
    answering(applied(deployed()), |value| *value = json!({})).expect(REAPPLY, Inconclusive);
    let no_set = applied(deployed()).edit(|what| {
        if let What::Snapshot(snapshot) = what {
            snapshot.value = json!([snapshot.value[0]]);
        }
    });
    assert_snapshot!(no_set.expect(REAPPLY, Inconclusive), @"StatefulSet mysql is not among the objects that were applied (#3)");
}

#[test]
fn what_was_not_applied_again_leaves_it_open() {
    let mut once = History::of(3);
    once.applied();
    assert_snapshot!(once.expect(REAPPLY, Inconclusive), @"the manifests were not applied a second time");
    let mut refused = deployed();
    assert_snapshot!(refused.expect(REAPPLY, Inconclusive), @"the API server's objects were not recorded when the manifests were applied again");
    refused.applied();
    assert_snapshot!(refused.expect(REAPPLY, Inconclusive), @"it is not proved that the manifests were applied again (#20)");
    let mut first_unknown = History::of(3);
    first_unknown.fault(Act::Reapply);
    applied(first_unknown).expect(REAPPLY, Inconclusive);
}

#[test]
fn a_lost_stretch_may_hide_a_pod_that_went() {
    let lost = |kind: &'static str| applied_while(deployed(), |history| _ = history.gap(kind));
    lost("StatefulSet").expect(REAPPLY, Pass);
    lost("Pod").expect(REAPPLY, Inconclusive);
}

#[test]
fn what_was_watched_for_just_long_enough_counts() {
    let mut history = deployed();
    let proof = history.applied();
    // The record of the proof takes a millisecond.
    history.pass_ms(799);
    history.proved(Act::Reapply, proof);
    history.expect(REAPPLY, Pass);
}
