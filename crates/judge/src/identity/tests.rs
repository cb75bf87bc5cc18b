//! Identity: right and wrong.

use insta::assert_snapshot;
use serde_json::json;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Checkpoint, ExecAnswer, Question, What};
use crate::history::{History, broken, refused};

mod hostname;
mod lives;
mod restarts;
mod stops;

const HOSTNAME: &str = "identity::hostname_is_pod_name";
const SURVIVES: &str = "identity::identity_survives_restart";
const DISTINCT: &str = "identity::server_ids_are_distinct";

/// A good run in which a command in a pod had another result.
fn printing(pod: &str, argv: &[&str], answer: ExecAnswer) -> History {
    History::good().edit(|what| {
        if let What::Exec(exec) = what
            && exec.pod == pod
            && exec.argv == argv
        {
            exec.answer = answer.clone();
        }
    })
}

fn exited(code: i32, stdout: &str, stderr: &str) -> ExecAnswer {
    ExecAnswer::Exited { code, stdout: stdout.into(), stderr: stderr.into() }
}

#[test]
fn names_that_follow_the_ordinal_pass() {
    assert_snapshot!(History::good().expect(HOSTNAME, Pass), @"hostname, hostname -f, @@hostname and the label are correct on mysql-0, mysql-1, mysql-2");
    printing("mysql-1", &["hostname"], exited(0, "MySQL-1.", "")).expect(HOSTNAME, Pass);
}

#[test]
fn another_hostname_fails() {
    assert_snapshot!(printing("mysql-1", &["hostname"], exited(0, "db", "")).expect(HOSTNAME, Fail), @"`hostname` in mysql-1 printed `db`, not `mysql-1` (#25); `hostname` in mysql-1 printed `db`, not `mysql-1` (#189)");
    assert_snapshot!(printing("mysql-1", &["hostname", "-f"], exited(0, "mysql-1", "")).expect(HOSTNAME, Fail), @"`hostname -f` in mysql-1 printed `mysql-1`, not `mysql-1.mysql-h.steadfast.svc.cluster.local` (#26); `hostname -f` in mysql-1 printed `mysql-1`, not `mysql-1.mysql-h.steadfast.svc.cluster.local` (#190)");
    printing("mysql-1", &["hostname", "-f"], exited(1, "", "Name or service not known")).expect(HOSTNAME, Fail);
    History::good().telling("mysql-2", |_| true, "hostname", "db").expect(HOSTNAME, Fail);
}

#[test]
fn a_label_of_another_pod_or_none_fails() {
    for value in [json!("mysql-0"), json!(null)] {
        let history = History::good().edit(|what| {
            if let What::Object(event) = what
                && event.object["metadata"]["name"] == "mysql-1"
            {
                event.object["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] = value.clone();
            }
        });
        assert!(history.expect(HOSTNAME, Fail).contains("statefulset.kubernetes.io/pod-name"));
    }
}

#[test]
fn a_name_that_was_not_read_leaves_it_open() {
    printing("mysql-0", &["hostname"], exited(127, "", "hostname: not found")).expect(HOSTNAME, Inconclusive);
    let broke = ExecAnswer::Broken { message: "websocket closed".into() };
    printing("mysql-0", &["hostname", "-f"], broke).expect(HOSTNAME, Inconclusive);
    History::good().without(|what| matches!(what, What::Exec(_))).expect(HOSTNAME, Inconclusive);
    History::good().answering("mysql-0", Question::Identity, refused()).expect(HOSTNAME, Inconclusive);
}

fn scaled_up(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::ScaledUp
}

fn after_deletion(checkpoint: &Checkpoint) -> bool {
    matches!(checkpoint, Checkpoint::Deletion { .. })
}

#[test]
fn a_pod_that_comes_back_as_itself_passes() {
    assert_snapshot!(History::good().expect(SURVIVES, Pass), @"claims, volumes, server_id and server_uuid are unchanged on mysql-0 (back 5 times), mysql-1 (back 6 times), mysql-2 (back 8 times, once without its claims, as the policy says)");
}

#[test]
fn a_server_that_comes_back_as_another_fails() {
    let history = History::good().telling("mysql-1", after_deletion, "server_uuid", "another");
    assert_snapshot!(history.expect(SURVIVES, Fail), @"server_uuid of mysql-1 was 3e11fa47-71ca-11e1-9e33-c80aa9429561 (#180) and is another after the deletion of mysql-1 (#188); server_uuid of mysql-1 was another (#188) and is 3e11fa47-71ca-11e1-9e33-c80aa9429561 after the scenario server-kill (#320)");
    History::good().telling("mysql-0", after_deletion, "server_id", "1").expect(SURVIVES, Fail);
}

#[test]
fn other_claims_or_volumes_fail() {
    let claims = History::good().edit(|what| {
        if let What::Object(event) = what
            && event.object["metadata"]["uid"] == "2.2"
        {
            event.object["spec"]["volumes"] = json!([]);
        }
    });
    assert!(claims.expect(SURVIVES, Fail).starts_with("mysql-2 has the claims {} since it came back"));
}

#[test]
fn an_identity_that_was_not_compared_leaves_it_open() {
    History::good().answering("mysql-1", Question::Identity, broken()).expect(SURVIVES, Inconclusive);
    let deletion = |what: &What| matches!(what, What::Fault(it) if matches!(it.act, Act::DeletePod { .. }));
    History::good().without(deletion).expect(SURVIVES, Inconclusive);
    let no_volumes =
        History::good().without(|what| matches!(what, What::Object(event) if event.object_kind == "PersistentVolume"));
    no_volumes.expect(SURVIVES, Inconclusive);
}

#[test]
fn servers_that_differ_pass() {
    assert_snapshot!(History::good().expect(DISTINCT, Pass), @"all differ: server_id 100, 101, 102, 103; server_uuid 3e11fa47-71ca-11e1-9e33-c80aa9429560, 3e11fa47-71ca-11e1-9e33-c80aa9429561, 3e11fa47-71ca-11e1-9e33-c80aa9429562, 3e11fa47-71ca-11e1-9e33-c80aa9429563");
    History::good_of(2).expect(DISTINCT, Pass);
    History::good_of(1).expect(DISTINCT, Skipped);
}

#[test]
fn a_server_that_comes_back_with_the_id_of_another_fails() {
    let history = History::good().telling("mysql-2", after_deletion, "server_id", "100");
    assert_snapshot!(history.expect(DISTINCT, Fail), @"mysql-0 (#23) and mysql-2 (#155) both have server_id 100");
    let history = History::good().telling("mysql-1", scaled_up, "server_uuid", "3e11fa47-71ca-11e1-9e33-c80aa9429562");
    assert_snapshot!(history.expect(DISTINCT, Fail), @"mysql-1 (#605) and mysql-2 (#606) both have server_uuid 3e11fa47-71ca-11e1-9e33-c80aa9429562");
}

#[test]
fn an_id_may_pass_to_another_pod_once_its_bearer_is_gone() {
    let later =
        |checkpoint: &Checkpoint| !matches!(checkpoint, Checkpoint::Deployed | Checkpoint::BeforeDeletion { .. });
    let history = History::good().telling("mysql-2", later, "server_id", "7");
    let history = history.telling("mysql-1", later, "server_id", "102");
    history.clone().expect(DISTINCT, Pass);
    history.expect(SURVIVES, Fail);
}

#[test]
fn servers_that_do_not_differ_fail() {
    assert_snapshot!(History::good().telling("mysql-2", |_| true, "server_id", "101").expect(DISTINCT, Fail), @"mysql-1 (#27) and mysql-2 (#31) both have server_id 101");
    let copied = "3e11fa47-71ca-11e1-9e33-c80aa9429560";
    History::good().telling("mysql-1", |_| true, "server_uuid", copied).expect(DISTINCT, Fail);
}

#[test]
fn a_server_that_was_not_asked_leaves_it_open() {
    History::good().answering("mysql-1", Question::Identity, broken()).expect(DISTINCT, Inconclusive);
}

#[test]
fn an_identity_of_the_old_pod_is_not_one_of_the_new() {
    let history = History::good().edit(|what| {
        if let What::Sql(sql) = what
            && sql.question == Question::Identity
            && after_deletion(&sql.checkpoint)
        {
            sql.uid = "0.1".into();
        }
    });
    history.expect(SURVIVES, Inconclusive);
}

#[test]
fn another_hostname_after_a_deletion_or_the_scale_up_fails() {
    let history = History::good().edit(|what| {
        if let What::Exec(exec) = what
            && after_deletion(&exec.checkpoint)
            && (exec.pod.as_str(), exec.argv.len()) == ("mysql-1", 2)
        {
            exec.answer = exited(0, "mysql-1", "");
        }
    });
    assert_snapshot!(history.expect(HOSTNAME, Fail), @"`hostname -f` in mysql-1 printed `mysql-1`, not `mysql-1.mysql-h.steadfast.svc.cluster.local` (#190)");
    History::good().telling("mysql-2", after_deletion, "hostname", "db").expect(HOSTNAME, Fail);
    History::good().telling("mysql-2", scaled_up, "hostname", "db").expect(HOSTNAME, Fail);
    let unasked = |what: &What| match what {
        What::Exec(exec) => exec.checkpoint != Checkpoint::Deployed,
        What::Sql(sql) => sql.question == Question::Identity && sql.checkpoint != Checkpoint::Deployed,
        _ => false,
    };
    History::good().without(unasked).expect(HOSTNAME, Pass);
    History::good().without(unasked).expect(DISTINCT, Pass);
}

#[test]
fn a_server_that_comes_back_as_another_from_scaling_fails() {
    let history = History::good().telling("mysql-2", scaled_up, "server_uuid", "another");
    assert_snapshot!(history.expect(SURVIVES, Fail), @"server_uuid of mysql-2 was 3e11fa47-71ca-11e1-9e33-c80aa9429562 (#424) and is another after the scale-up (#606); server_uuid of mysql-2 was another (#606) and is 3e11fa47-71ca-11e1-9e33-c80aa9429562 after the scenario grow (#698)");
    History::good().telling("mysql-1", scaled_up, "server_id", "1").expect(SURVIVES, Fail);
    let silent = History::good().edit(|what| match what {
        What::Sql(sql) if sql.question == Question::Identity && scaled_up(&sql.checkpoint) => sql.answer = refused(),
        _ => {}
    });
    silent.expect(SURVIVES, Inconclusive);
}

#[test]
fn a_claim_or_volume_that_did_not_outlive_the_scale_down_fails() {
    for (uid, volume, which) in [("claim 2.2", "pv-new", "the claim"), ("claim 2.1", "pv-new", "the volume")] {
        let history = History::good().with_claim_before("2.4", "data-mysql-2", uid, volume);
        let reason = history.expect(SURVIVES, Fail);
        assert!(reason.starts_with(which) && reason.contains("in the scenario scale"), "{reason}");
        history.expect("persistence::same_volume_returns", Fail);
    }
}

#[test]
fn servers_of_mariadb_are_told_apart_without_a_uuid() {
    assert_snapshot!(History::good().on_mariadb().expect(SURVIVES, Pass), @"claims, volumes and server_id are unchanged (MariaDB has no server_uuid) on mysql-0 (back 5 times), mysql-1 (back 6 times), mysql-2 (back 8 times, once without its claims, as the policy says)");
    assert_snapshot!(History::good().on_mariadb().expect(DISTINCT, Pass), @"all differ: server_id 100, 101, 102, 103; MariaDB has no server_uuid");
    let another = History::good().on_mariadb().telling("mysql-1", after_deletion, "server_id", "1");
    another.expect(SURVIVES, Fail);
    History::good().on_mariadb().telling("mysql-2", |_| true, "server_id", "101").expect(DISTINCT, Fail);
}

#[test]
fn a_server_of_mysql_that_tells_no_uuid_leaves_it_open() {
    let silent = History::good().on_mariadb().telling("mysql-1", |_| true, "version", "8.4.6");
    assert_snapshot!(silent.clone().expect(DISTINCT, Inconclusive), @"mysql-1 did not return its server_uuid (#27); mysql-1 did not return its server_uuid (#180); mysql-1 did not return its server_uuid (#188); and 13 more like this");
    silent.expect(SURVIVES, Inconclusive);
}

#[test]
fn a_pod_that_was_not_asked_is_named_alone() {
    let command =
        |what: &What| matches!(what, What::Exec(exec) if exec.pod == "mysql-1" && exec.argv == ["hostname", "-f"]);
    assert_snapshot!(History::good().without(command).expect(HOSTNAME, Inconclusive), @"`hostname -f` was not run in mysql-1");
    let identity =
        |what: &What| matches!(what, What::Sql(sql) if sql.pod == "mysql-1" && sql.question == Question::Identity);
    let reason = History::good().without(identity).expect(HOSTNAME, Inconclusive);
    assert!(!reason.contains("mysql-0") && !reason.contains("mysql-2"), "{reason}");
    let reason = History::good().without(identity).expect(DISTINCT, Inconclusive);
    assert!(!reason.contains("mysql-0") && !reason.contains("mysql-2"), "{reason}");
}

#[test]
fn servers_that_have_a_uuid_must_differ_although_another_has_none() {
    let mixed = History::good().telling("mysql-2", |_| true, "version", "10.11.14-MariaDB-log");
    mixed.clone().expect(DISTINCT, Pass);
    let copied = mixed.telling("mysql-1", |_| true, "server_uuid", "3e11fa47-71ca-11e1-9e33-c80aa9429560");
    let reason = copied.expect(DISTINCT, Fail);
    assert!(reason.contains("both have server_uuid 3e11fa47"), "{reason}");
}
