//! Stories of recovery, of outages and of lag.

use insta::assert_snapshot;

use crate::{
    check::{
        Verdict::{Fail, Inconclusive, Pass, Skipped},
        history::History,
    },
    evidence::{Act, Budgets, Moment, Question, What},
};

const RECOVERS: &str = "replication::recovers_within_budget";
const LAG: &str = "replication::read_lag_is_bounded";

fn held_to(change: impl Fn(&mut Budgets)) -> History {
    History::good().edit(|what| {
        if let What::Run(run) = what {
            change(&mut run.budgets);
        }
    })
}

#[test]
fn a_good_run_passes_and_one_pod_is_skipped() {
    assert_snapshot!(History::good().expect(RECOVERS, Pass), @"15 disruptions: recovered from after 6.9 s at most (roll: update the pods from index 2 on … delete mysql-2 (6 acts)), and without an acknowledged write for 2.5 s at most (drain: drain worker, uncordon worker)");
    assert_snapshot!(History::good().expect(LAG, Pass), @"behind at rest: mysql-1 by 2.0 ms in half of 31 looks, 2.0 ms in 99 of 100, 2.0 ms at most; mysql-2 by 2.0 ms in half of 31 looks, 2.0 ms in 99 of 100, 2.0 ms at most");
    for check in [RECOVERS, LAG] {
        History::good_of(1).expect(check, Skipped);
    }
}

#[test]
fn a_recovery_that_takes_longer_than_its_budget_fails() {
    assert_snapshot!(held_to(|budgets| budgets.recovery_ms = 4_000).expect(RECOVERS, Fail), @"together: delete every pod at once: every replica had caught up only after 6.9 s, not within 4.0 s (#389, #408); scale: scale from 3 to 1 … release mysql-0 (4 acts): every replica had caught up only after 4.1 s, not within 4.0 s (#529, #608); roll: update the pods from index 2 on … delete mysql-2 (6 acts): every replica had caught up only after 6.9 s, not within 4.0 s (#805, #826)");
}

#[test]
fn an_outage_that_is_longer_than_its_budget_fails() {
    assert_snapshot!(held_to(|budgets| budgets.outage_ms = 2_000).expect(RECOVERS, Fail), @"restart: delete mysql-0: no write was acknowledged for 2.5 s, not within 2.0 s (#213); unready: hold mysql-1 un-Ready, delete mysql-0, release mysql-1: no write was acknowledged for 2.5 s, not within 2.0 s (#244); crash: kill the server in mysql-0: no write was acknowledged for 2.5 s, not within 2.0 s (#297); and 4 more of the kind");
}

/// The moment after a drain.
fn drained(moment: &Moment) -> bool {
    *moment == Moment::Recovered { scenario: "drain".into() }
}

#[test]
fn a_replica_that_never_catches_up_again_fails() {
    let history = History::good().telling("mysql-1", drained, "reached", "0");
    assert_snapshot!(history.expect(RECOVERS, Fail), @"drain: drain worker, uncordon worker: mysql-1 had not caught up in the end (#915, #922)");
}

#[test]
fn what_nobody_looked_for_leaves_it_open() {
    let barrier =
        |what: &What| matches!(what, What::Sql(sql) if drained(&sql.moment) && sql.question == Question::Barrier);
    let unseen = History::good().without(barrier);
    assert_snapshot!(unseen.clone().expect(RECOVERS, Inconclusive), @"drain: drain worker, uncordon worker: nobody saw every replica catch up (#915)");
    let healed = |what: &What| matches!(what, What::Fault(fault) if matches!(fault.act, Act::Uncordon { .. }));
    let waits = |last_seen: &'static str| {
        unseen.clone().preceded(healed, |history| {
            history.expired("mysql-2 Ready", last_seen);
        })
    };
    assert_snapshot!(waits("Pending").expect(RECOVERS, Fail), @"drain: drain worker, uncordon worker: not recovered from (#916): `mysql-2 Ready` was awaited for 300.0 s; last seen: Pending (#915)");
    waits("ErrImagePull").expect(RECOVERS, Inconclusive);
    History::good().without(|what| matches!(what, What::Entries(_))).expect(RECOVERS, Inconclusive);
    History::good().without(|what| matches!(what, What::Fault(_))).expect(RECOVERS, Inconclusive);
}

#[test]
fn a_disruption_that_is_not_proved_leaves_it_open() {
    let proof =
        |what: &What| matches!(what, What::Fault(fault) if fault.act == Act::RestartDns && fault.proof.is_some());
    assert_snapshot!(History::good().without(proof).expect(RECOVERS, Inconclusive), @"that it came to `replace the DNS servers` is not proved, so nothing was recovered from (#1192)");
}

/// A good run in which each look at a replica finds something else.
fn looking(pod: &str, mut behind: impl FnMut(u64) -> Option<u64>) -> History {
    History::good().edit(|what| {
        if let What::Entries(entries) = what {
            let of_pod = entries.lags.iter_mut().filter(|lag| lag.pod == pod && lag.behind_us.is_some());
            of_pod.for_each(|lag| lag.behind_us = behind(lag.at_us));
        }
    })
}

#[test]
fn a_replica_that_stays_behind_fails() {
    assert_snapshot!(looking("mysql-2", |_| Some(5_000_000)).expect(LAG, Fail), @"mysql-2 was behind at rest by 5.0 s in half of 31 looks, 5.0 s in 99 of 100, 5.0 s at most, not within 1.0 s (#1480)");
    held_to(|budgets| budgets.lag_ms = 1).expect(LAG, Fail);
}

#[test]
fn looks_while_something_is_disrupted_do_not_count() {
    // The witness's clock is five seconds ahead, and the last disruption is long over in the end.
    let rest_us = History::good().records.iter().rev().find_map(|record| match &record.what {
        What::Fault(fault) if fault.act == Act::StopLedger => Some(record.at_us - 14_000_000 + 5_000_000),
        _ => None,
    });
    let rest_us = rest_us.expect("an end");
    looking("mysql-1", |at_us| Some(if at_us < rest_us { 2_000 } else { 3_000 })).expect(LAG, Pass);
    looking("mysql-1", |at_us| Some(if at_us < rest_us { 2_000 } else { 3_000_000 })).expect(LAG, Fail);
}

#[test]
fn too_few_looks_decide_nothing() {
    assert_snapshot!(looking("mysql-1", |_| None).expect(LAG, Inconclusive), @"mysql-1 was looked at 0 times at rest, and 31 without an answer: 20 are needed to decide");
    let silent = History::good().edit(|what| {
        if let What::Entries(entries) = what {
            entries.lags.clear();
        }
    });
    silent.expect(LAG, Inconclusive);
    History::good().without(|what| matches!(what, What::Entries(_))).expect(LAG, Inconclusive);
}
