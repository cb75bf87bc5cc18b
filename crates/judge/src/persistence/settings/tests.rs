//! Servers with durable and other settings: right and wrong.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Question, SqlAnswer, What};
use crate::history::{History, broken, error, refused, row};

const SETTINGS: &str = "persistence::durability_settings";

/// A good run in which a server gives another answer about its settings.
fn told(pod: &str, answer: SqlAnswer) -> History {
    History::good().answering(pod, Question::Settings, answer)
}

/// The same history with these values of a server.
fn set(history: History, pod: &str, [binlog, log, relay]: [&str; 3]) -> History {
    let columns = [("sync_binlog", binlog), ("innodb_flush_log_at_trx_commit", log), ("relay_log_recovery", relay)];
    history.answering(pod, Question::Settings, SqlAnswer::Rows(vec![row(columns)]))
}

#[test]
fn settings_that_keep_commits_pass() {
    assert_snapshot!(History::good().expect(SETTINGS, Pass), @"on mysql-0, mysql-1, mysql-2: sync_binlog is 1, innodb_flush_log_at_trx_commit is 1, relay_log_recovery is on");
    set(History::good(), "mysql-1", ["1", "1", "ON"]).expect(SETTINGS, Pass);
}

#[test]
fn a_relay_log_is_nothing_to_a_set_of_one_pod() {
    let alone = set(History::good_of(1), "mysql-0", ["1", "1", "0"]);
    assert_snapshot!(alone.expect(SETTINGS, Pass), @"on mysql-0: sync_binlog is 1, innodb_flush_log_at_trx_commit is 1");
    set(History::good_of(2), "mysql-0", ["1", "1", "OFF"]).expect(SETTINGS, Fail);
}

#[test]
fn every_deviation_is_named() {
    let one = set(History::good(), "mysql-1", ["0", "1", "1"]);
    assert_snapshot!(one.expect(SETTINGS, Fail), @"sync_binlog must be 1, and is 0 on mysql-1 (#28)");
    let two = set(one, "mysql-2", ["100", "2", "1"]);
    assert_snapshot!(two.expect(SETTINGS, Fail), @"sync_binlog must be 1, and is 0 on mysql-1 (#28), 100 on mysql-2 (#32); innodb_flush_log_at_trx_commit must be 1, and is 2 on mysql-2 (#32)");
    let all = set(two, "mysql-0", ["1", "0", "OFF"]);
    assert_snapshot!(all.expect(SETTINGS, Fail), @"sync_binlog must be 1, and is 0 on mysql-1 (#28), 100 on mysql-2 (#32); innodb_flush_log_at_trx_commit must be 1, and is 0 on mysql-0 (#24), 2 on mysql-2 (#32); relay_log_recovery must be on, and is OFF on mysql-0 (#24)");
}

#[test]
fn a_server_that_does_not_know_a_setting_leaves_it_open() {
    let unknown = told("mysql-2", error(1193, "Unknown system variable 'relay_log_recovery'"));
    assert_snapshot!(unknown.expect(SETTINGS, Inconclusive), @"the server of mysql-2 does not know a setting (error 1193: Unknown system variable 'relay_log_recovery'), so its durability is unknown (#32)");
    // A wrong value of another server is a failure all the same.
    set(unknown, "mysql-0", ["0", "1", "1"]).expect(SETTINGS, Fail);
}

#[test]
fn a_server_that_does_not_tell_leaves_it_open() {
    assert_snapshot!(told("mysql-2", refused()).expect(SETTINGS, Inconclusive), @"mysql-2, asked for its durability settings, could not be reached: connection refused (#32)");
    told("mysql-2", broken()).expect(SETTINGS, Inconclusive);
    told("mysql-2", error(1045, "Access denied")).expect(SETTINGS, Inconclusive);
    told("mysql-2", SqlAnswer::Rows(Vec::new())).expect(SETTINGS, Inconclusive);
    let without = SqlAnswer::Rows(vec![row([("sync_binlog", "1"), ("innodb_flush_log_at_trx_commit", "1")])]);
    assert_snapshot!(told("mysql-2", without).expect(SETTINGS, Inconclusive), @"mysql-2 did not return its relay_log_recovery (#32)");
    let unasked = History::good().without(|what| matches!(what, What::Sql(sql) if sql.question == Question::Settings));
    assert_snapshot!(unasked.expect(SETTINGS, Inconclusive), @"mysql-0 was not asked for its durability settings after all pods were Ready; mysql-1 was not asked for its durability settings after all pods were Ready; mysql-2 was not asked for its durability settings after all pods were Ready");
}

#[test]
fn a_wrong_value_outweighs_what_another_server_left_open() {
    let partly = SqlAnswer::Rows(vec![row([("sync_binlog", "0")])]);
    assert_snapshot!(told("mysql-2", partly).expect(SETTINGS, Fail), @"sync_binlog must be 1, and is 0 on mysql-2 (#32)");
}
