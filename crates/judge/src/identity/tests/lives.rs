//! What pods of all ordinals keep over all their lives, whatever ends these.

use insta::assert_snapshot;
use serde_json::json;

use super::{DISTINCT, HOSTNAME, SURVIVES, scaled_up};
use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{
    Checkpoint, ClaimPolicy, EventType, Phase, Question, Retention, Scenario, SqlAnswer, Subject, What,
};
use crate::find;
use crate::history::{History, broken, row, subject};

const INDEX: &str = "identity::pod_index_label_matches";
const VOLUME: &str = "persistence::same_volume_returns";
const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa942956";

fn end_of(scenario: Scenario) -> impl Fn(&What) -> bool {
    move |what| matches!(what, What::Step(it) if it.whole() == Some(scenario) && it.phase == Phase::End)
}

/// The same history in which a pod, by its UID, reports this after a scenario.
fn told(history: History, scenario: Scenario, uid: &str, server_id: &str, server_uuid: &str) -> History {
    let name = format!("mysql-{}", &uid[..1]);
    let columns =
        [("hostname", name.as_str()), ("server_id", server_id), ("server_uuid", server_uuid), ("version", "8.4.6")];
    let answer = SqlAnswer::Rows(vec![row(columns)]);
    answered(history, scenario, uid, answer)
}

fn answered(history: History, scenario: Scenario, uid: &str, answer: SqlAnswer) -> History {
    let checkpoint = Checkpoint::Recovered { scenario };
    history.preceded(end_of(scenario), |history| {
        history.sql(&checkpoint, uid, Question::Identity, answer);
    })
}

/// The pods that come back in each scenario, by their new UID.
const RETURNS: [(Scenario, &str); 7] = [
    (Scenario::DeleteAll, "0.4"),
    (Scenario::DeleteAll, "1.3"),
    (Scenario::Scale, "1.4"),
    (Scenario::Roll, "1.7"),
    (Scenario::Roll, "0.6"),
    (Scenario::Drain, "2.8"),
    (Scenario::NodeStop, "0.6"),
];

#[test]
fn a_server_that_is_another_one_after_any_scenario_fails() {
    for (scenario, uid) in RETURNS {
        let ordinal = &uid[..1];
        let (id, uuid) = (format!("10{ordinal}"), format!("{UUID}{ordinal}"));
        told(History::good(), scenario, uid, &id, &uuid).expect(SURVIVES, Pass);
        let reason = told(History::good(), scenario, uid, &id, "another").expect(SURVIVES, Fail);
        assert!(reason.contains(&format!("is another after the scenario {scenario}")), "{reason}");
        told(History::good(), scenario, uid, "7", &uuid).expect(SURVIVES, Fail);
        answered(History::good(), scenario, uid, broken()).expect(SURVIVES, Inconclusive);
    }
    let last = told(History::good(), Scenario::Drain, "2.8", "102", "another");
    assert_snapshot!(last.expect(SURVIVES, Fail), @"server_uuid of mysql-2 was 3e11fa47-71ca-11e1-9e33-c80aa9429562 (#939) and is another after the scenario drain (#1005); server_uuid of mysql-2 was another (#1005) and is 3e11fa47-71ca-11e1-9e33-c80aa9429562 after the scenario node-pause (#1032)");
}

#[test]
fn another_claim_or_volume_after_any_scenario_fails() {
    for (scenario, uid) in RETURNS.into_iter().filter(|(scenario, _)| *scenario != Scenario::NodeStop) {
        let claim = format!("data-mysql-{}", &uid[..1]);
        let old = format!("claim {}.1", &uid[..1]);
        for (claim_uid, volume) in [("another", "pv-new"), (&old, "pv-new")] {
            let other = History::good().with_claim_before(uid, &claim, claim_uid, volume);
            for check in [SURVIVES, VOLUME] {
                let reason = other.expect(check, Fail);
                assert!(reason.contains(&format!("in the scenario {scenario}")), "{check}: {reason}");
            }
        }
    }
    let other = History::good().with_claim_before("2.8", "data-mysql-2", "another", "pv-new");
    assert_snapshot!(other.expect(SURVIVES, Fail), @"the claim data-mysql-2 had the uid claim 2.1 and has the uid another since it came back in the scenario drain (#920)");
    assert_snapshot!(other.expect(VOLUME, Fail), @"the claim data-mysql-2 had the uid claim 2.… before mysql-2 was gone in the scenario drain (#912) and another after it");
}

#[test]
fn a_claim_that_was_to_go_takes_the_servers_uuid_with_it_once() {
    let other = History::good().with_claim_before("2.9", "data-mysql-2", "another", "pv-new");
    let back = |checkpoint: &Checkpoint| *checkpoint == Checkpoint::Recovered { scenario: Scenario::Claims };
    let other = other.telling("mysql-2", back, "server_uuid", "another");
    other.expect(VOLUME, Pass);
    assert_snapshot!(other.expect(SURVIVES, Pass), @"claims, volumes, server_id and server_uuid are unchanged on mysql-0 (back 5 times), mysql-1 (back 6 times), mysql-2 (back 8 times, once without its claims, as the policy says)");
    // The server_id does not come from the claim, and the server_uuid stays the same from then on.
    told(History::good(), Scenario::Claims, "2.9", "7", "another").expect(SURVIVES, Fail);
    told(other, Scenario::Settle, "2.9", "102", "a third").expect(SURVIVES, Fail);
    // The claims of the others stay.
    told(History::good(), Scenario::Claims, "1.7", "101", "another").expect(SURVIVES, Fail);
}

#[test]
fn the_sets_own_policy_lets_claims_go_when_it_is_scaled_down() {
    let claim_policy = ClaimPolicy { when_deleted: Retention::Retain, when_scaled: Retention::Delete };
    let own = || History::good_with(Subject { claim_policy, ..subject(3) });
    let other = own().with_claim_before("2.4", "data-mysql-2", "another", "pv-new");
    let since = |checkpoint: &Checkpoint| match checkpoint {
        Checkpoint::Recovered { scenario } => {
            ![Scenario::ServerKill, Scenario::DeleteAll, Scenario::Claims].contains(scenario)
        }
        Checkpoint::PowerCut { .. } => true,
        checkpoint => scaled_up(checkpoint),
    };
    other.clone().telling("mysql-2", since, "server_uuid", "another").expect(SURVIVES, Pass);
    other.expect(VOLUME, Pass);
    own().telling("mysql-2", scaled_up, "server_id", "7").expect(SURVIVES, Fail);
    // Nobody scaled this one away.
    own().with_claim_before("2.3", "data-mysql-2", "another", "pv-new").expect(VOLUME, Fail);
    own().telling("mysql-0", scaled_up, "server_uuid", "another").expect(SURVIVES, Fail);
}

#[test]
fn a_lost_stretch_of_claims_or_volumes_leaves_it_open() {
    let deleted = |what: &What| matches!(what, What::Object(event) if event.object["metadata"]["uid"] == "1.2");
    for kind in ["PersistentVolumeClaim", "PersistentVolume"] {
        let lost = History::good().lost(kind, deleted);
        lost.expect(SURVIVES, Inconclusive);
        lost.expect(VOLUME, Inconclusive);
    }
}

#[test]
fn a_volume_that_goes_before_its_claim_fails() {
    let begin = |what: &What| matches!(what, What::Step(it) if it.whole() == Some(Scenario::DeleteAll) && it.phase == Phase::Begin);
    let gone = |volume: &str| {
        History::good().preceded(begin, |history| {
            history.volume_goes(volume);
        })
    };
    assert_snapshot!(gone("pv-data-mysql-1").expect(VOLUME, Fail), @"the volume pv-data-mysql-1 was DELETED (#388) while the claim data-mysql-1 was bound to it");
    gone("pv-of-somebody").expect(VOLUME, Pass);
    gone("pv-data-mysql-1").lost("PersistentVolume", end_of(Scenario::Deploy)).expect(VOLUME, Inconclusive);
}

/// The record in which a pod of this UID begins to terminate.
fn told_to_go(uid: &'static str) -> impl Fn(&What) -> bool {
    move |what| {
        matches!(what, What::Object(event) if event.object["metadata"]["uid"] == uid
            && event.object["metadata"]["deletionTimestamp"].is_string())
    }
}

/// A good run in which mysql-3 is asked for its identity just before it terminates.
fn fourth(columns: [(&str, &str); 4]) -> History {
    History::good().preceded(told_to_go("3.1"), |history| {
        history.sql(&Checkpoint::Joined, "3.1", Question::Identity, SqlAnswer::Rows(vec![row(columns)]));
    })
}

#[test]
fn the_pod_that_joins_is_judged_like_the_others() {
    let (uuid, of_another) = (format!("{UUID}3"), format!("{UUID}1"));
    let told =
        |name, id, uuid| fourth([("hostname", name), ("server_id", id), ("server_uuid", uuid), ("version", "8.4.6")]);
    let right = told("mysql-3", "103", &uuid);
    [HOSTNAME, SURVIVES, DISTINCT].into_iter().for_each(|check| drop(right.expect(check, Pass)));
    assert_snapshot!(told("mysql-3", "101", &uuid).expect(DISTINCT, Fail), @"mysql-1 (#605) and mysql-3 (#677) both have server_id 101");
    told("mysql-3", "103", &of_another).expect(DISTINCT, Fail);
    assert_snapshot!(told("db", "103", &uuid).expect(HOSTNAME, Fail), @"@@hostname of mysql-3 is `db` (#677)");
    let printed = History::good().preceded(told_to_go("3.1"), |history| {
        history.exec(&Checkpoint::Joined, "3.1", &["hostname"], "db");
    });
    let printed = printed.edit(|what| match what {
        What::Exec(exec) if exec.pod == "3.1" => exec.pod = "mysql-3".into(),
        _ => {}
    });
    printed.expect(HOSTNAME, Fail);
}

#[test]
fn labels_and_claims_of_the_pod_that_joins_are_judged() {
    let event = |part: &'static str, key: &'static str, value: serde_json::Value| {
        History::good().edit(move |what| match what {
            What::Object(event) if event.object["metadata"]["uid"] == "3.1" => event.object[part][key] = value.clone(),
            _ => {}
        })
    };
    let other = event("metadata", "labels", json!({"statefulset.kubernetes.io/pod-name": "mysql-1"}));
    other.expect(HOSTNAME, Fail);
    other.expect(INDEX, Fail);
    event("spec", "volumes", json!([])).expect(VOLUME, Fail);
}

#[test]
fn a_label_that_was_wrong_for_a_while_fails() {
    for (label, check) in [("statefulset.kubernetes.io/pod-name", HOSTNAME), ("apps.kubernetes.io/pod-index", INDEX)] {
        let at_first = History::good().edit(|what| match what {
            What::Object(event) if event.object["metadata"]["uid"] == "1.1" && event.event == EventType::Added => {
                event.object["metadata"]["labels"][label] = json!("0");
            }
            _ => {}
        });
        at_first.expect(check, Fail);
        let for_a_while = History::good().edit(|what| match what {
            What::Object(event) if event.object["metadata"]["uid"] == "1.2" && event.event == EventType::Modified => {
                let ready = crate::object::has_condition(&event.object, "Ready");
                event.object["metadata"]["labels"][label] = if ready { json!("0") } else { json!(null) };
            }
            _ => {}
        });
        for_a_while.expect(check, Fail);
    }
}

#[test]
fn what_a_pod_says_that_is_gone_is_not_said() {
    for dead in ["0.1", ""] {
        let history = History::good().edit(|what| match what {
            What::Exec(exec) if exec.argv == ["hostname"] && exec.checkpoint != Checkpoint::Deployed => {
                exec.uid = dead.into()
            }
            _ => {}
        });
        let finding = find(HOSTNAME).expect("a check").judge(&history.evidence());
        assert_eq!(finding.verdict, Inconclusive, "{dead}: {}", finding.reason);
    }
}

#[test]
fn what_was_asked_again_at_once_counts_as_answered_last() {
    let again = told(
        answered(History::good(), Scenario::Drain, "2.8", broken()),
        Scenario::Drain,
        "2.8",
        "102",
        &format!("{UUID}2"),
    );
    again.expect(SURVIVES, Pass);
    again.expect(HOSTNAME, Pass);
    again.expect(DISTINCT, Pass);
}
