//! Claims that are kept and claims that are deleted: right and wrong.

use insta::assert_snapshot;
use serde_json::json;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{
    Act, ClaimPolicy, EventType, Fault, Retention, Scenario, SnapshotOf, Subject, WaitOutcome, What,
};
use crate::history::{History, subject};

const KIND: &str = "PersistentVolumeClaim";
const SURVIVE: &str = "persistence::claims_survive_scale_down";
const POLICY: &str = "persistence::claim_policy_is_honoured";

const DOWN: Act = Act::Scale { from: 3, to: 1 };
const UP: Act = Act::Scale { from: 1, to: 3 };
const AWAY: Act = Act::Scale { from: 3, to: 2 };
const FREED: Act = Act::SetClaimPolicy { when_scaled: Retention::Delete };
const HELD: Act = Act::SetClaimPolicy { when_scaled: Retention::Retain };

fn asked(act: Act) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::Fault(Fault { act: found, proof: None }) if *found == act)
}

fn proved(act: Act) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::Fault(Fault { act: found, proof: Some(_) }) if *found == act)
}

/// A claim begins to terminate, or is gone at once.
fn going(history: &mut History, event: EventType, claim: &str, uid: &str) {
    let told = json!({"name": claim, "uid": uid, "deletionTimestamp": "2027-01-15T08:00:00Z"});
    history.object(event, KIND, json!({"metadata": told}));
}

/// A good run in which a claim begins to terminate just before a record.
fn told(before: impl Fn(&What) -> bool, claim: &str, uid: &str) -> History {
    History::good().preceded(before, |history| going(history, EventType::Modified, claim, uid))
}

/// A good run of a workload with this policy.
fn under(when_deleted: Retention, when_scaled: Retention) -> History {
    with_subject(History::good(), |subject| subject.claim_policy = ClaimPolicy { when_deleted, when_scaled })
}

fn with_subject(history: History, change: impl Fn(&mut Subject)) -> History {
    history.edit(|what| {
        if let What::Run(run) = what {
            change(&mut run.subject);
        }
    })
}

fn of_claim(what: &What, uid: &str, wanted: EventType) -> bool {
    matches!(what, What::Object(it) if it.event == wanted && it.object["metadata"]["uid"] == uid)
}

fn is_torn_down(what: &What) -> bool {
    matches!(what, What::Fault(fault) if matches!(fault.act, Act::Teardown | Act::DeleteClaims))
}

#[test]
fn claims_that_stay_pass() {
    let good = History::good();
    assert_snapshot!(good.expect(SURVIVE, Pass), @"scaled to 1 and back with the same claims: data-mysql-1, data-mysql-2; the set's deletion left data-mysql-0, data-mysql-1, data-mysql-3, data-mysql-2");
    assert_snapshot!(good.without(is_torn_down).expect(SURVIVE, Pass), @"scaled to 1 and back with the same claims: data-mysql-1, data-mysql-2");
    assert_snapshot!(History::good_of(1).expect(SURVIVE, Pass), @"the set's deletion left data-mysql-0");
}

#[test]
fn what_the_policy_lets_go_need_not_stay() {
    assert_snapshot!(under(Retention::Retain, Retention::Delete).expect(SURVIVE, Pass), @"the set's deletion left data-mysql-0, data-mysql-1, data-mysql-3, data-mysql-2");
    assert_snapshot!(under(Retention::Delete, Retention::Retain).expect(SURVIVE, Pass), @"scaled to 1 and back with the same claims: data-mysql-1, data-mysql-2");
    assert_snapshot!(under(Retention::Delete, Retention::Delete).expect(SURVIVE, Skipped), @"whenScaled is Delete, and whenDeleted is Delete");
    assert_snapshot!(History::good_of(1).without(is_torn_down).expect(SURVIVE, Skipped), @"the set has one pod, which stays, and the set was not deleted");
    let without = with_subject(History::good(), |subject| subject.claims.clear());
    assert_snapshot!(without.expect(SURVIVE, Skipped), @"the StatefulSet mysql has no volumeClaimTemplates, so it has no claims");
    without.expect(POLICY, Skipped);
}

#[test]
fn a_claim_that_goes_with_its_pod_fails() {
    assert_snapshot!(told(asked(UP), "data-mysql-2", "claim 2.1").expect(SURVIVE, Fail), @"the claim data-mysql-2 (uid claim 2.…) was being deleted at #527, after the scale-down to 1 was requested (#492)");
    let gone = |history: &mut History| going(history, EventType::Deleted, "data-mysql-1", "claim 1.1");
    assert_snapshot!(History::good().preceded(proved(UP), gone).expect(SURVIVE, Fail), @"the claim data-mysql-1 (uid claim 1.…) was DELETED at #539, after the scale-down to 1 was requested (#492)");
    // A claim that was terminating before belongs to a pod that stays, or is deleted for another reason.
    told(asked(UP), "data-mysql-0", "claim 0.1").expect(SURVIVE, Inconclusive);
    told(asked(DOWN), "data-mysql-2", "claim 2.1").expect(SURVIVE, Inconclusive);
}

#[test]
fn a_claim_that_was_told_before_the_scaling_fails_once_it_is_gone() {
    let told = told(asked(DOWN), "data-mysql-2", "claim 2.1");
    assert_snapshot!(told.expect(SURVIVE, Inconclusive), @"the claim data-mysql-2 (uid claim 2.…) was already being deleted (#492) before #493");
    let gone = told.preceded(asked(UP), |history| going(history, EventType::Deleted, "data-mysql-2", "claim 2.1"));
    assert_snapshot!(gone.expect(SURVIVE, Fail), @"the claim data-mysql-2 (uid claim 2.…) was DELETED at #528, after the scale-down to 1 was requested (#493)");
}

#[test]
fn a_pod_that_comes_back_with_another_claim_fails() {
    let other = History::good().with_claim_before("2.4", "data-mysql-2", "claim 2.4", "pv-new");
    assert_snapshot!(other.expect(SURVIVE, Fail), @"the claim data-mysql-2 had the uid claim 2.1 before the scale-down and claim 2.4 after the scale-up");
    let without = History::good().edit(|what| {
        if let What::Object(event) = what
            && event.object["metadata"]["uid"] == "1.4"
        {
            event.object["spec"]["volumes"] = json!([{"emptyDir": {}}]);
        }
    });
    assert_snapshot!(without.expect(SURVIVE, Fail), @"mysql-1 (uid 1.4) came back without its claim data-mysql-1 (#532)");
}

#[test]
fn each_template_makes_a_claim_that_must_stay() {
    let two = || Subject { claims: vec!["data".into(), "logs".into()], ..subject(3) };
    let good = History::good_with(two());
    good.expect(SURVIVE, Pass);
    good.expect(POLICY, Pass);
    let lost = |history: &mut History| going(history, EventType::Modified, "logs-mysql-2", "second claim 2.1");
    assert_snapshot!(good.clone().preceded(asked(UP), lost).expect(SURVIVE, Fail), @"the claim logs-mysql-2 (uid second c…) was being deleted at #533, after the scale-down to 1 was requested (#498)");
    let kept = good.without(|what| of_claim(what, "second claim 2.1", EventType::Deleted));
    assert_snapshot!(kept.expect(POLICY, Inconclusive), @"the claim logs-mysql-2 (uid second c…) was being deleted at #1600, but still existed after mysql-2 was gone (#1596), and the harness did not wait for its deletion");
}

#[test]
fn a_scaling_that_was_not_seen_leaves_it_open() {
    let acts = |act: Act| move |what: &What| matches!(what, What::Fault(fault) if fault.act == act);
    assert_snapshot!(History::good().without(acts(DOWN)).expect(SURVIVE, Inconclusive), @"the set was not scaled down");
    assert_snapshot!(History::good().without(acts(UP)).expect(SURVIVE, Inconclusive), @"the set was not scaled up again");
    assert_snapshot!(History::good().without(proved(UP)).expect(SURVIVE, Inconclusive), @"the set was not seen to be scaled up (#527)");
    let mut stuck = History::good();
    let place = stuck.records.iter().position(|record| asked(UP)(&record.what)).expect("a scale-up");
    stuck.records.truncate(place + 1);
    stuck.expired("mysql-1 Ready", "Pending, not Ready");
    assert_snapshot!(stuck.expect(SURVIVE, Inconclusive), @"the set was not seen to be scaled up (#527): `mysql-1 Ready` was not reached within 300.0 s; last seen: Pending, not Ready (#528)");
    let not_seen = |what: &What| matches!(what, What::Object(event) if event.object["metadata"]["uid"] == "2.4");
    assert_snapshot!(History::good().without(not_seen).expect(SURVIVE, Inconclusive), @"the set was not seen to be scaled up (#527)");
    let unbound = |what: &What| of_claim(what, "claim 1.1", EventType::Added);
    assert_snapshot!(History::good().without(unbound).expect(SURVIVE, Inconclusive), @"the claim data-mysql-1 did not exist before #492");
}

#[test]
fn a_lost_stretch_leaves_it_open_and_excuses_nothing() {
    assert_snapshot!(History::good().lost(KIND, asked(UP)).expect(SURVIVE, Inconclusive), @"the PersistentVolumeClaim watch has a gap at #527: 410 Gone: too old resource version");
    History::good().lost(KIND, asked(Act::DeleteClaims)).expect(SURVIVE, Inconclusive);
    History::good().lost(KIND, asked(DOWN)).expect(SURVIVE, Pass);
    told(asked(UP), "data-mysql-2", "claim 2.1").lost(KIND, asked(UP)).expect(SURVIVE, Fail);
    let not_seen = |what: &What| matches!(what, What::Object(event) if event.object["metadata"]["uid"] == "2.4");
    let lost = History::good().without(not_seen).lost("Pod", proved(UP));
    assert_snapshot!(lost.expect(SURVIVE, Inconclusive), @"the set was not seen to be scaled up (#527)");
}

#[test]
fn claims_that_go_with_their_set_fail() {
    assert_snapshot!(told(asked(Act::DeleteClaims), "data-mysql-0", "claim 0.1").expect(SURVIVE, Fail), @"the claim data-mysql-0 (uid claim 0.…) was being deleted at #1723, after the set's deletion was requested (#1715)");
    told(asked(Act::Teardown), "data-mysql-0", "claim 0.1").expect(SURVIVE, Inconclusive);
    // Claims of others, and those in the manifests, are deleted for other reasons.
    told(asked(Act::DeleteClaims), "backups", "claim of backups").expect(SURVIVE, Pass);
    let applied =
        json!([{"kind": "PersistentVolumeClaim", "name": "data-mysql-0", "uid": "claim 0.1", "generation": null}]);
    let listed = told(asked(Act::DeleteClaims), "data-mysql-0", "claim 0.1").edit(|what| match what {
        What::Snapshot(snapshot) if snapshot.of == SnapshotOf::Applied => snapshot.value = applied.clone(),
        _ => {}
    });
    listed.expect(SURVIVE, Pass);
}

#[test]
fn a_teardown_that_did_not_come_to_the_claims_leaves_it_open() {
    let midway = told(asked(Act::DeleteClaims), "data-mysql-0", "claim 0.1").without(asked(Act::DeleteClaims));
    assert_snapshot!(midway.expect(SURVIVE, Inconclusive), @"the teardown (#1715) did not reach the deletion of the claims");
    let none = History::good_of(1).without(|what| matches!(what, What::Object(event) if event.object_kind == KIND));
    assert_snapshot!(none.expect(SURVIVE, Inconclusive), @"no claim of the set existed when its deletion was requested (#733)");
}

#[test]
fn exactly_the_claims_of_the_pod_that_went_pass() {
    assert_snapshot!(History::good().expect(POLICY, Pass), @"the claims of mysql-2 were deleted: data-mysql-2 (DELETED at #1590); data-mysql-0, data-mysql-1 stayed");
    assert_snapshot!(History::good_of(1).expect(POLICY, Pass), @"the claims of mysql-0 were deleted: data-mysql-0 (DELETED at #668); there were no others");
}

#[test]
fn pods_that_go_before_their_claims_may_do_not_count() {
    let early = History::good().preceded(asked(FREED), |history| {
        history.fault(DOWN);
    });
    early.expect(POLICY, Pass);
}

#[test]
fn an_older_cluster_honours_no_policy() {
    let on = |version: &str| {
        History::good().edit(|what| {
            if let What::Run(run) = what {
                version.clone_into(&mut run.kubernetes);
            }
        })
    };
    assert_snapshot!(on("v1.26.15").expect(POLICY, Skipped), @"the claims' policy is not honoured on this cluster: Kubernetes v1.26.15 < 1.27");
    on("v1.9.0").expect(POLICY, Skipped);
    for version in ["v1.27.0", "v1.27+", "1.30.4-gke.100", "v2.0.0", "main"] {
        on(version).expect(POLICY, Pass);
    }
}

/// A good run in which the claim of the pod that was scaled away stays.
fn staying() -> History {
    let goes = |what: &What| {
        of_claim(what, "claim 2.1", EventType::Modified) || of_claim(what, "claim 2.1", EventType::Deleted)
    };
    History::good().without(goes)
}

#[test]
fn a_claim_that_does_not_go_fails_where_it_was_awaited() {
    assert_snapshot!(staying().expect(POLICY, Inconclusive), @"the claim data-mysql-2 (uid claim 2.…) still existed after mysql-2 was gone (#1588), and the harness did not wait for its deletion");
    let awaited = |what: &'static str| {
        move |history: &mut History| {
            history.expired(what, "there, and not told to go");
        }
    };
    let in_vain = staying().preceded(proved(AWAY), awaited("the claim data-mysql-2 gone"));
    assert_snapshot!(in_vain.expect(POLICY, Fail), @"the claim data-mysql-2 (uid claim 2.…) still existed after mysql-2 was gone (#1588): `the claim data-mysql-2 gone` was not reached within 300.0 s; last seen: there, and not told to go (#1592)");
    staying().preceded(proved(AWAY), awaited("the claim data-mysql-20 gone")).expect(POLICY, Inconclusive);
    staying()
        .preceded(proved(AWAY), |history| {
            history.waited("the claim data-mysql-2 gone", "gone", WaitOutcome::Met);
        })
        .expect(POLICY, Inconclusive);
    let told = |history: &mut History| going(history, EventType::Modified, "data-mysql-2", "claim 2.1");
    let told = staying().preceded(proved(AWAY), told).preceded(proved(AWAY), awaited("the claim data-mysql-2 gone"));
    assert_snapshot!(told.expect(POLICY, Fail), @"the claim data-mysql-2 (uid claim 2.…) was being deleted at #1592, but still existed after mysql-2 was gone (#1588): `the claim data-mysql-2 gone` was not reached within 300.0 s; last seen: there, and not told to go (#1593)");
    let lost = staying().lost(KIND, proved(AWAY));
    lost.preceded(proved(AWAY), awaited("the claim data-mysql-2 gone")).expect(POLICY, Inconclusive);
}

#[test]
fn a_claim_whose_pod_did_not_go_is_not_to_blame() {
    let there = |what: &What| matches!(what, What::Object(event) if event.object["metadata"]["uid"] == "2.8" && event.event == EventType::Deleted);
    let stuck = staying().without(there).preceded(proved(AWAY), |history| {
        history.expired("the claim data-mysql-2 gone", "there, and not told to go");
    });
    assert_snapshot!(stuck.expect(POLICY, Inconclusive), @"mysql-2 was not seen to be gone after the scale-down (#1585)");
}

#[test]
fn a_claim_that_goes_too_early_or_without_its_pod_fails() {
    assert_snapshot!(told(asked(AWAY), "data-mysql-2", "claim 2.1").expect(POLICY, Fail), @"the claim data-mysql-2 (uid claim 2.…) was being deleted at #1585, before the scale-down was requested (#1586)");
    assert_snapshot!(told(proved(AWAY), "data-mysql-1", "claim 1.1").expect(POLICY, Fail), @"the claim data-mysql-1 (uid claim 1.…) was being deleted at #1592, while only the claims that mysql-2 had at #1585 had to be deleted");
    assert_snapshot!(told(asked(HELD), "data-mysql-0", "claim 0.1").expect(POLICY, Fail), @"the claim data-mysql-0 (uid claim 0.…) was being deleted at #1593, while only the claims that mysql-2 had at #1585 had to be deleted");
    assert_snapshot!(told(asked(FREED), "data-mysql-0", "claim 0.1").expect(POLICY, Inconclusive), @"the claim data-mysql-0 (uid claim 0.…) was already being deleted (#1582) before #1583");
    told(asked(FREED), "data-mysql-2", "claim 2.1").expect(POLICY, Inconclusive);
    // A claim that is deleted after the scenario, and one of somebody else.
    told(asked(Act::Teardown), "data-mysql-0", "claim 0.1").expect(POLICY, Pass);
    told(proved(AWAY), "backups", "claim of backups").expect(POLICY, Pass);
}

#[test]
fn the_claim_of_a_pod_that_came_back_must_stay() {
    let back = |history: &mut History| history.bound("data-mysql-2", "claim 2.7", "pv-new");
    let back = History::good().preceded(proved(HELD), back);
    back.expect(POLICY, Pass);
    let ends = |what: &What| matches!(what, What::Step(step) if step.scenario == Some(Scenario::Teardown));
    let again = back.preceded(ends, |history| going(history, EventType::Modified, "data-mysql-2", "claim 2.7"));
    again.expect(POLICY, Pass);
    let again = History::good().preceded(proved(HELD), |history| {
        history.bound("data-mysql-2", "claim 2.7", "pv-new");
        going(history, EventType::Modified, "data-mysql-2", "claim 2.7");
    });
    assert_snapshot!(again.expect(POLICY, Fail), @"the claim data-mysql-2 (uid claim 2.…) was being deleted at #1597, while only the claims that mysql-2 had at #1585 had to be deleted");
}

#[test]
fn a_policy_that_was_not_seen_to_be_set_leaves_it_open() {
    let acts = |act: Act| move |what: &What| matches!(what, What::Fault(fault) if fault.act == act);
    assert_snapshot!(History::good().without(acts(FREED)).expect(POLICY, Inconclusive), @"the claims' policy was never set to Delete");
    assert_snapshot!(History::good().without(acts(AWAY)).expect(POLICY, Inconclusive), @"no pod was scaled down while the policy was Delete");
    let not_seen = History::good().without(proved(FREED)).preceded(asked(AWAY), |history| {
        history.expired("generation 8 seen", "generation 7 of 8");
    });
    assert_snapshot!(not_seen.expect(POLICY, Inconclusive), @"no event shows that the set's controller saw the policy Delete (#1582): `generation 8 seen` was not reached within 300.0 s; last seen: generation 7 of 8 (#1584)");
    History::good().lost(KIND, asked(HELD)).expect(POLICY, Inconclusive);
    let unbound = |what: &What| of_claim(what, "claim 0.1", EventType::Added);
    assert_snapshot!(History::good().without(unbound).expect(POLICY, Inconclusive), @"the claim data-mysql-0 did not exist before #1582");
}

/// The teardown also follows a scenario that was cut short, and deletes everything.
#[test]
fn claims_that_the_teardown_deletes_are_not_to_blame() {
    let whole = History::good();
    let ends = |what: &What| matches!(what, What::Step(step) if step.scenario == Some(Scenario::Claims));
    let last = whole.records.iter().rposition(|record| ends(&record.what)).expect("an end");
    let unended = whole.records[last].seq;
    let mut cut = whole;
    cut.records.retain(|record| record.seq != unended);
    cut.expect(POLICY, Pass);
}

/// A good run of a workload whose claims are deleted with the set, except some.
fn deleting(stays: &[&str]) -> History {
    let claims = [
        ("data-mysql-0", "claim 0.1"),
        ("data-mysql-1", "claim 1.1"),
        ("data-mysql-2", "claim 2.9"),
        ("data-mysql-3", "claim 3.1"),
    ];
    let run = under(Retention::Delete, Retention::Retain);
    run.preceded(asked(Act::DeleteClaims), |history| {
        for (claim, uid) in claims.iter().filter(|(claim, _)| !stays.contains(claim)) {
            going(history, EventType::Modified, claim, uid);
        }
    })
}

#[test]
fn claims_that_must_go_with_their_set_pass_when_they_do() {
    assert_snapshot!(deleting(&[]).expect(POLICY, Pass), @"the claims of mysql-2 were deleted: data-mysql-2 (DELETED at #1590); data-mysql-0, data-mysql-1 stayed; the set's deletion deleted data-mysql-0, data-mysql-1, data-mysql-3, data-mysql-2");
    // Without a teardown nothing is known of it, and nothing is required.
    deleting(&[]).without(is_torn_down).expect(POLICY, Pass);
}

#[test]
fn claims_that_must_go_with_their_set_and_stay_fail_where_they_were_awaited() {
    assert_snapshot!(deleting(&["data-mysql-1"]).expect(POLICY, Inconclusive), @"the claim data-mysql-1 (uid claim 1.…) was not deleted after the set's deletion was requested (#1715), and the harness did not wait for its deletion");
    let awaited = |history: &mut History| {
        history.expired("the claim data-mysql-1 told to go", "there, and not told to go");
    };
    let in_vain = deleting(&["data-mysql-1"]).preceded(asked(Act::DeleteClaims), |history| {
        history.expired("the claims gone with the set", "still there: data-mysql-1, data-mysql-2");
    });
    in_vain.expect(POLICY, Fail);
    let of_others = deleting(&["data-mysql-1"]).preceded(asked(Act::DeleteClaims), |history| {
        history.expired("the claims gone with the set", "still there: data-mysql-10");
    });
    of_others.expect(POLICY, Inconclusive);
    let in_vain = deleting(&["data-mysql-1"]).preceded(asked(Act::DeleteClaims), awaited);
    assert_snapshot!(in_vain.expect(POLICY, Fail), @"the claim data-mysql-1 (uid claim 1.…) was not deleted after the set's deletion was requested (#1715): `the claim data-mysql-1 told to go` was not reached within 300.0 s; last seen: there, and not told to go (#1726)");
    let lost = in_vain.clone().lost(KIND, asked(Act::DeleteClaims));
    lost.expect(POLICY, Inconclusive);
    in_vain.without(asked(Act::DeleteClaims)).expect(POLICY, Inconclusive);
    let early = deleting(&["data-mysql-1"]);
    let early = early
        .preceded(asked(Act::Teardown), |history| going(history, EventType::Modified, "data-mysql-1", "claim 1.1"));
    assert_snapshot!(early.expect(POLICY, Inconclusive), @"the claim data-mysql-1 (uid claim 1.…) was already being deleted (#1715) before #1716");
}
