//! Persistence: right and wrong.

use insta::assert_snapshot;
use serde_json::json;

use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Act, Checkpoint, Question, Scenario, SqlAnswer, What, WriteOutcome};
use crate::history::{History, broken, error, refused, row, subject};

const ROWS: &str = "persistence::rows_survive_pod_deletion";
const VOLUME: &str = "persistence::same_volume_returns";

/// A good run in which a deleted pod gives another answer about its rows when it comes back.
fn coming_back_with(pod: &str, answer: &SqlAnswer) -> History {
    History::good().edit(|what| {
        if let What::Sql(sql) = what
            && sql.checkpoint == (Checkpoint::Deletion { pod: pod.into() })
            && (sql.pod.as_str(), sql.question) == (pod, Question::Rows)
        {
            sql.answer = answer.clone();
        }
    })
}

#[test]
fn rows_that_are_still_there_pass() {
    assert_snapshot!(History::good().expect(ROWS, Pass), @"all acknowledged rows were there after the deletion: 9 on mysql-2, 11 on mysql-1, 13 on mysql-0, 15 on mysql-0 without a grace period, and after the server was killed: 16 on mysql-0");
}

#[test]
fn a_lost_row_fails() {
    let rest = SqlAnswer::Rows((3..=40).map(|id| row([("id", &format!("{id}"))])).collect());
    assert_snapshot!(coming_back_with("mysql-1", &rest).expect(ROWS, Fail), @"mysql-1 lost 2 of 11 acknowledged rows by its deletion: 1, 2 (there at #179, not at #191)");
    let nothing = SqlAnswer::Rows(Vec::new());
    assert_snapshot!(coming_back_with("mysql-0", &nothing).expect(ROWS, Fail), @"mysql-0 lost 13 of 13 acknowledged rows by its deletion: 1, 2, 3, 4, 5 … (13 in all) (there at #211, not at #223)");
}

#[test]
fn a_server_that_cannot_tell_its_rows_fails() {
    coming_back_with("mysql-0", &error(1146, "Table 'steadfast.ledger' doesn't exist")).expect(ROWS, Fail);
    coming_back_with("mysql-0", &refused()).expect(ROWS, Fail);
}

#[test]
fn a_probe_that_broke_leaves_the_rows_open() {
    coming_back_with("mysql-0", &broken()).expect(ROWS, Inconclusive);
}

#[test]
fn a_pod_that_held_nothing_proves_nothing() {
    let unacknowledged = History::good().edit(|what| {
        if let What::Write(write) = what {
            write.outcome = WriteOutcome::Unknown("timed out".into());
        }
    });
    assert_snapshot!(unacknowledged.expect(ROWS, Inconclusive), @"mysql-2 was not seen to hold an acknowledged row before its deletion (#146); mysql-1 was not seen to hold an acknowledged row before its deletion (#179); mysql-0 was not seen to hold an acknowledged row before its deletion (#211); and 2 more like this");
    History::good().without(|what| matches!(what, What::Fault(_))).expect(ROWS, Inconclusive);
}

#[test]
fn a_pod_that_never_comes_back_fails() {
    let mut history = History::good();
    let of_primary = |act: &Act| matches!(act, Act::DeletePod { pod, grace_s: None, .. } if pod == "mysql-0");
    let proved = |what: &What| matches!(what, What::Fault(it) if it.proof.is_some() && of_primary(&it.act));
    let fault = history.records.iter().position(|record| proved(&record.what)).expect("a deletion");
    history.records.truncate(fault + 1);
    history.expired("mysql-0 Ready under a new UID", "Pending, not Ready");
    assert_snapshot!(history.expect(ROWS, Fail), @"mysql-0 did not come back after its deletion (#213): `mysql-0 Ready under a new UID` was not reached within 300.0 s; last seen: Pending, not Ready (#217)");
    history.expect(VOLUME, Fail);
    for trouble in ["0/3 nodes are available: 3 Insufficient memory", "Pending, not Ready, ImagePullBackOff"] {
        history.records.pop();
        history.expired("mysql-0 Ready under a new UID", trouble);
        assert!(history.expect(ROWS, Inconclusive).starts_with("infrastructure: mysql-0 did not come back"));
        history.expect(VOLUME, Inconclusive);
    }
}

#[test]
fn each_deletion_is_judged_by_its_own_answers() {
    let twice = History::good_twice();
    assert_snapshot!(twice.expect(ROWS, Pass), @"all acknowledged rows were there after the deletion: 9 on mysql-2, 11 on mysql-1, 13 on mysql-0, 15 on mysql-0 without a grace period, 18 on mysql-2, 20 on mysql-1, 22 on mysql-0, 24 on mysql-0 without a grace period, and after the server was killed: 16 on mysql-0, 25 on mysql-0");
    twice.expect(VOLUME, Pass);
    assert_snapshot!(twice.expect("identity::identity_survives_restart", Pass), @"claims, volumes, server_id and server_uuid are unchanged on mysql-0 (back 4 times), mysql-1 (back 2 times), mysql-2 (back 2 times)");
    assert_snapshot!(twice.expect("replication::primary_recreated_replicas_resume", Pass), @"row 14, written on the new mysql-0 (#232), reached mysql-1 after 0.3 s, mysql-2 after 0.3 s, counted from Ready at #218");
    twice.expect("dns::name_follows_the_pod", Pass);
    let lost = twice.edit(|what| match what {
        What::Sql(sql) if (sql.uid.as_str(), sql.question) == ("1.2", Question::Rows) => {
            sql.answer = SqlAnswer::Rows(vec![row([("id", "1")])]);
        }
        _ => {}
    });
    assert_snapshot!(lost.expect(ROWS, Fail), @"mysql-1 lost 10 of 11 acknowledged rows by its deletion: 2, 3, 4, 5, 6 … (10 in all) (there at #179, not at #191)");
}

/// A good run in which the primary gives another answer about its rows after its first kill, which is with its pod, or
/// after its second one, which is in its pod.
fn coming_back_from_a_kill_with(time: usize, answer: &SqlAnswer) -> History {
    let mut times = 0;
    History::good().edit(|what| {
        if let What::Sql(sql) = what
            && sql.question == Question::Rows
            && matches!(sql.checkpoint, Checkpoint::Kill { .. })
        {
            times += 1;
            if times == time {
                sql.answer = answer.clone();
            }
        }
    })
}

#[test]
fn rows_that_only_a_graceful_end_keeps_fail() {
    let rest = SqlAnswer::Rows((1..=14).map(|id| row([("id", &format!("{id}"))])).collect());
    assert_snapshot!(coming_back_from_a_kill_with(1, &rest).expect(ROWS, Fail), @"mysql-0 lost 1 of 15 acknowledged rows by its deletion without a grace period: 15 (there at #264, not at #275)");
    coming_back_from_a_kill_with(1, &broken()).expect(ROWS, Inconclusive);
}

#[test]
fn a_pod_that_does_not_come_back_from_a_kill_fails() {
    let mut history = History::good();
    let killed = |what: &What| matches!(what, What::Fault(it) if it.proof.is_some() && matches!(it.act, Act::DeletePod { grace_s: Some(0), .. }));
    let fault = history.records.iter().position(|record| killed(&record.what)).expect("a deletion");
    history.records.truncate(fault + 1);
    history.expired("mysql-0 Ready under a new UID", "Running, not Ready");
    assert_snapshot!(history.expect(ROWS, Fail), @"mysql-0 did not come back after its deletion without a grace period (#266): `mysql-0 Ready under a new UID` was not reached within 300.0 s; last seen: Running, not Ready (#269)");
    history.expect(VOLUME, Fail);
}

#[test]
fn a_kill_is_required_only_of_a_run_that_was_to_kill() {
    let killed =
        |what: &What| matches!(what, What::Fault(it) if matches!(it.act, Act::DeletePod { grace_s: Some(0), .. }));
    let spared = History::good().without(killed);
    assert_snapshot!(spared.expect(ROWS, Inconclusive), @"no pod was deleted without a grace period, so it is unknown what a pod keeps then");
    spared.expect(VOLUME, Inconclusive);
    let unplanned = spared.edit(|what| {
        if let What::Run(run) = what {
            run.scenarios.retain(|scenario| *scenario != Scenario::Unready);
        }
    });
    assert_snapshot!(unplanned.expect(ROWS, Pass), @"all acknowledged rows were there after the deletion: 9 on mysql-2, 11 on mysql-1, 13 on mysql-0, and after the server was killed: 16 on mysql-0");
    unplanned.expect(VOLUME, Pass);
    History::good_of(1).expect(ROWS, Pass);
}

/// Whether this requests or proves the kill of a server in its pod.
fn crash(what: &What) -> bool {
    matches!(what, What::Fault(it) if matches!(it.act, Act::KillServer { .. }))
}

#[test]
fn rows_that_a_crash_takes_fail() {
    let rest = SqlAnswer::Rows((1..=15).map(|id| row([("id", &format!("{id}"))])).collect());
    assert_snapshot!(coming_back_from_a_kill_with(2, &rest).expect(ROWS, Fail), @"mysql-0 lost 1 of 16 acknowledged rows by its server's kill: 16 (there at #295, not at #301)");
    coming_back_from_a_kill_with(2, &error(1146, "Table 'steadfast.ledger' doesn't exist")).expect(ROWS, Fail);
    coming_back_from_a_kill_with(2, &broken()).expect(ROWS, Inconclusive);
}

#[test]
fn a_server_that_does_not_come_back_from_a_crash_fails() {
    let mut history = History::good();
    let proved = history.records.iter().rposition(|record| crash(&record.what)).expect("a crash");
    // The container does not restart.
    history.records.truncate(proved - 1);
    assert_snapshot!(history.expect(ROWS, Inconclusive), @"it is not proved that the server in mysql-0 was killed (#297)");
    history.expired("a container of mysql-0 (uid 0.3) started again", "Running, not Ready");
    assert_snapshot!(history.expect(ROWS, Fail), @"mysql-0 did not come back after its server was killed (#297): `a container of mysql-0 (uid 0.3) started again` was not reached within 300.0 s; last seen: Running, not Ready (#299)");
    history.records.pop();
    history.expired("a container of mysql-0 (uid 0.3) started again", "ErrImageNeverPull");
    history.expect(ROWS, Inconclusive);
}

/// A good run without the last answer about the rows at such a checkpoint.
fn without_last_rows(at: fn(&Checkpoint) -> bool) -> History {
    let mut history = History::good();
    let told = |what: &What| matches!(what, What::Sql(sql) if sql.question == Question::Rows && at(&sql.checkpoint));
    let place = history.records.iter().rposition(|record| told(&record.what)).expect("an answer");
    history.records.remove(place);
    history
}

#[test]
fn a_crash_that_nobody_asked_before_or_after_leaves_it_open() {
    // An answer before the deletion is of another pod, and so is the answer of another pod after the crash.
    let before = without_last_rows(|checkpoint| matches!(checkpoint, Checkpoint::BeforeKill { .. }));
    assert_snapshot!(before.expect(ROWS, Inconclusive), @"mysql-0 was not seen to hold an acknowledged row before its server's kill (#264)");
    let after = without_last_rows(|checkpoint| matches!(checkpoint, Checkpoint::Kill { .. }));
    assert_snapshot!(after.expect(ROWS, Inconclusive), @"mysql-0 was not asked for its rows after its server's kill");
    let mut crashed = false;
    let of_another = History::good().edit(|what| {
        crashed |= crash(what);
        match what {
            What::Sql(sql) if crashed && matches!(sql.checkpoint, Checkpoint::Kill { .. }) => sql.uid = "0.2".into(),
            _ => {}
        }
    });
    assert_eq!(of_another.expect(ROWS, Inconclusive), after.expect(ROWS, Inconclusive));
}

#[test]
fn what_a_server_says_before_it_is_proved_to_be_another_one_does_not_count() {
    let nothing = SqlAnswer::Rows(Vec::new());
    let killed = |what: &What| matches!(what, What::Fault(it) if it.proof.is_some()) && crash(what);
    let early = History::good().preceded(killed, |history| {
        history.sql(&Checkpoint::Kill { pod: "mysql-0".into() }, "0.3", Question::Rows, nothing);
    });
    early.expect(ROWS, Pass);
}

#[test]
fn a_crash_is_required_only_of_a_run_that_was_to_crash() {
    let spared = History::good().without(crash);
    assert_snapshot!(spared.expect(ROWS, Inconclusive), @"no server was killed in its pod, so it is unknown what a server keeps then");
    let unplanned = spared.edit(|what| {
        if let What::Run(run) = what {
            run.scenarios.retain(|scenario| *scenario != Scenario::ServerKill);
        }
    });
    assert_snapshot!(unplanned.expect(ROWS, Pass), @"all acknowledged rows were there after the deletion: 9 on mysql-2, 11 on mysql-1, 13 on mysql-0, 15 on mysql-0 without a grace period");
}

#[test]
fn to_be_killed_is_not_to_be_deleted() {
    let gracefully = |what: &What| matches!(what, What::Fault(it) if matches!(&it.act, Act::DeletePod { pod, grace_s: None, .. } if pod == "mysql-0"));
    assert_snapshot!(History::good().without(gracefully).expect(ROWS, Inconclusive), @"mysql-0 was not deleted, so it is unknown what it keeps");
}

#[test]
fn the_same_volumes_pass() {
    assert_snapshot!(History::good().expect(VOLUME, Pass), @"each claim kept its volume: data-mysql-0 on pv-data-mysql-0 (back 5 times), data-mysql-1 on pv-data-mysql-1 (back 6 times), data-mysql-2 on pv-data-mysql-2 (back 7 times)");
}

#[test]
fn a_set_without_claims_fails() {
    let mut history = History::with(crate::evidence::Subject { claims: Vec::new(), ..subject(3) });
    history.starts("mysql-0");
    assert_snapshot!(history.expect(VOLUME, Fail), @"the StatefulSet mysql has no volumeClaimTemplates: nothing persists");
}

/// A good run in which mysql-1's claim is another object from its deletion on.
fn with_claim_after_deletion(uid: &str, volume: &str) -> History {
    History::good().with_claim_before("1.2", "data-mysql-1", uid, volume)
}

#[test]
fn another_claim_or_volume_fails() {
    assert_snapshot!(with_claim_after_deletion("claim 1.2", "pv-new").expect(VOLUME, Fail), @"the claim data-mysql-1 had the uid claim 1.… before mysql-1 was gone in the scenario restart (#182) and claim 1.… after it");
    assert_snapshot!(with_claim_after_deletion("claim 1.1", "pv-data-mysql-2").expect(VOLUME, Fail), @"data-mysql-1 was bound to pv-data-mysql-1 before mysql-1 was gone in the scenario restart (#182) and is bound to pv-data-mysql-2 after it, which was the volume of data-mysql-2; the volume pv-data-mysql-2 was DELETED in the scenario claims (#1593) while the claim data-mysql-1 was bound to it");
    assert!(
        with_claim_after_deletion("claim 1.1", "pv-new")
            .expect("identity::identity_survives_restart", Fail)
            .contains("volume")
    );
}

#[test]
fn another_volume_after_a_kill_fails_and_says_so() {
    let other = History::good().with_claim_before("0.3", "data-mysql-0", "claim 0.1", "pv-new");
    assert_snapshot!(other.expect(VOLUME, Fail), @"data-mysql-0 was bound to pv-data-mysql-0 before mysql-0 was gone in the scenario unready (#267) and is bound to pv-new after it");
    assert_snapshot!(other.expect("identity::identity_survives_restart", Fail), @"the volume of data-mysql-0 had the uid pv-data-mysql-0 and has the uid pv-new since it came back in the scenario unready (#271)");
}

#[test]
fn a_pod_that_does_not_mount_its_claim_fails() {
    let history = History::good().edit(|what| {
        if let What::Object(event) = what
            && event.object["metadata"]["name"] == "mysql-2"
        {
            event.object["spec"]["volumes"] = json!([{"emptyDir": {}}]);
        }
    });
    assert_snapshot!(history.expect(VOLUME, Fail), @"mysql-2 (uid 2.1) does not mount its claim data-mysql-2; mysql-2 (uid 2.2) does not mount its claim data-mysql-2; mysql-2 (uid 2.3) does not mount its claim data-mysql-2; and 6 more like this");
}

#[test]
fn a_lost_stretch_leaves_the_volumes_open() {
    let deleted = |what: &What| matches!(what, What::Object(event) if event.object["metadata"]["uid"] == "1.2");
    History::good().lost("PersistentVolumeClaim", deleted).expect(VOLUME, Inconclusive);
}

#[test]
fn rows_of_another_pod_are_not_those_of_the_new_one() {
    let history = History::good().edit(|what| {
        if let What::Sql(sql) = what
            && sql.checkpoint == (Checkpoint::Deletion { pod: "mysql-0".into() })
        {
            sql.uid = "0.1".into();
        }
    });
    history.expect(ROWS, Inconclusive);
}
