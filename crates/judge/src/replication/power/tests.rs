//! Replicas after power cuts.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Checkpoint, Fault, Question, SqlAnswer, What};
use crate::history::{History, row};

const AGREES: &str = "replication::replicas_agree_after_power_loss";

fn after(number: u32) -> impl Fn(&Checkpoint) -> bool {
    move |checkpoint| *checkpoint == Checkpoint::PowerCut { cut: number }
}

/// The primary's transactions after the first cut.
fn executed() -> String {
    let evidence = History::good().evidence();
    let told = evidence.records.iter().find_map(|record| match &record.what {
        What::Sql(sql) if sql.question == Question::GtidExecuted && after(1)(&sql.checkpoint) => Some(&sql.answer),
        _ => None,
    });
    match told {
        Some(SqlAnswer::Rows(rows)) => rows[0]["gtid_executed"].clone().expect("a set"),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn a_good_run_agrees_and_one_pod_is_skipped() {
    assert_snapshot!(History::good().expect(AGREES, Pass), @"after 2 power cuts mysql-1, mysql-2 have the transactions and the tables of mysql-0");
    History::good_of(1).expect(AGREES, Skipped);
}

#[test]
fn a_replica_that_has_what_its_primary_lost_is_ahead() {
    let (origin, last) = executed().rsplit_once('-').map(|(o, l)| (o.to_owned(), l.to_owned())).expect("a range");
    let last: u64 = last.parse().expect("a number");
    let ahead = History::good().telling("mysql-1", after(1), "gtid_executed", &format!("{origin}-{}", last + 3));
    assert_snapshot!(ahead.expect(AGREES, Fail), @"mysql-1 is ahead of mysql-0: it has 3e11fa47-71ca-11e1-9e33-c80aa9429560:26-28, which mysql-0 lost by power cut 1 (#1213, #1210)");
    // A transaction of its own is no transaction that the primary lost.
    let errant = format!("{},3e11fa47-71ca-11e1-9e33-c80aa9429569:1", executed());
    let errant = History::good().telling("mysql-1", after(1), "gtid_executed", &errant);
    assert_snapshot!(errant.expect(AGREES, Fail), @"mysql-1 has 3e11fa47-71ca-11e1-9e33-c80aa9429569:1, which mysql-0 does not have (#1213, #1210)");
}

#[test]
fn a_primary_that_lost_what_it_was_known_to_have_is_behind() {
    let (origin, last) = executed().rsplit_once('-').map(|(o, l)| (o.to_owned(), l.to_owned())).expect("a range");
    let less = format!("{origin}-{}", last.parse::<u64>().expect("a number") - 2);
    let lost = History::good().telling("mysql-0", after(1), "gtid_executed", &less);
    let lost = ["mysql-1", "mysql-2"].into_iter().fold(lost, |it, pod| it.telling(pod, after(1), "gtid_set", &less));
    let reason = lost.expect(AGREES, Fail);
    assert!(reason.starts_with("mysql-1 is ahead of mysql-0: it has "), "{reason}");
}

#[test]
fn a_replica_that_does_not_follow_fails() {
    let stays = History::good().telling("mysql-2", after(2), "reached", "0");
    assert_snapshot!(stays.expect(AGREES, Fail), @"mysql-2 did not reach the barrier `3e11fa47-71ca-11e1-9e33-c80aa9429560:1-26` after power cut 2 (#1314)");
}

#[test]
fn tables_and_rows_that_differ_fail() {
    History::good().telling("mysql-2", after(1), "checksum", "78").expect(AGREES, Fail);
    let few = SqlAnswer::Rows(vec![row([("id", "1")])]);
    let lacking = History::good().edit(|what| match what {
        What::Sql(sql) if sql.pod == "mysql-1" && sql.question == Question::Rows && after(2)(&sql.checkpoint) => {
            sql.answer = few.clone();
        }
        _ => {}
    });
    lacking.expect(AGREES, Fail);
}

#[test]
fn without_a_proved_cut_nothing_is_decided() {
    let cuts = |what: &What| matches!(what, What::Fault(Fault { act: Act::CutPower { .. }, .. }));
    History::good().without(cuts).expect(AGREES, Inconclusive);
    let proofs = |what: &What| matches!(what, What::Fault(Fault { act: Act::CutPower { .. }, proof: Some(_) }));
    History::good().without(proofs).expect(AGREES, Inconclusive);
    let unasked = |what: &What| matches!(what, What::Sql(sql) if sql.question == Question::GtidExecuted && after(2)(&sql.checkpoint));
    History::good().without(unasked).expect(AGREES, Inconclusive);
}
