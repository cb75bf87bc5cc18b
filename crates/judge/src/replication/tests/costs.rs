//! Recovery, outages and lag.

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{
    Act, Budgets, Checkpoint, Entries, Entry, Lag, LeftOut, Phase, Question, Scenario, What, WriteOutcome,
};
use crate::history::History;

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
    assert_snapshot!(History::good().expect(RECOVERS, Pass), @"17 disruptions: recovered from after 6.9 s at most (roll: update the pods from index 2 on … delete mysql-2 (6 acts)), and without an acknowledged write for 2.5 s at most (drain: drain worker, uncordon worker)");
    assert_snapshot!(History::good().expect(LAG, Pass), @"behind at rest: mysql-1 by 2.0 ms in half of 37 reads, 2.0 ms in 99 of 100, 2.0 ms at most; mysql-2 by 2.0 ms in half of 37 reads, 2.0 ms in 99 of 100, 2.0 ms at most");
    for check in [RECOVERS, LAG] {
        History::good_of(1).expect(check, Skipped);
    }
}

#[test]
fn a_recovery_that_takes_longer_than_its_budget_fails() {
    assert_snapshot!(held_to(|budgets| budgets.recovery_ms = 4_000).expect(RECOVERS, Fail), @"delete-all: delete every pod at once: every replica had caught up only after 6.9 s, not within 4.0 s (#389, #408); scale: scale from 3 to 1 … release mysql-0 (4 acts): every replica had caught up only after 4.1 s, not within 4.0 s (#529, #608); roll: update the pods from index 2 on … delete mysql-2 (6 acts): every replica had caught up only after 6.9 s, not within 4.0 s (#805, #826); and 2 more like this");
}

#[test]
fn an_outage_that_is_longer_than_its_budget_fails() {
    assert_snapshot!(held_to(|budgets| budgets.outage_ms = 2_000).expect(RECOVERS, Fail), @"restart: delete mysql-0: no write was acknowledged for 2.5 s, not within 2.0 s (#213); unready: hold mysql-1 un-Ready, delete mysql-0, release mysql-1: no write was acknowledged for 2.5 s, not within 2.0 s (#244); server-kill: kill the server in mysql-0: no write was acknowledged for 2.5 s, not within 2.0 s (#297); and 7 more like this");
}

/// The checkpoint after a drain.
fn drained(checkpoint: &Checkpoint) -> bool {
    *checkpoint == Checkpoint::Recovered { scenario: Scenario::Drain }
}

#[test]
fn a_replica_that_never_catches_up_again_fails() {
    let history = History::good().telling("mysql-1", drained, "reached", "0");
    assert_snapshot!(history.expect(RECOVERS, Fail), @"drain: drain worker, uncordon worker: mysql-1 had not caught up at the end (#915, #922)");
}

#[test]
fn what_nobody_looked_for_leaves_it_open() {
    let barrier =
        |what: &What| matches!(what, What::Sql(sql) if drained(&sql.checkpoint) && sql.question == Question::Barrier);
    let not_seen = History::good().without(barrier);
    assert_snapshot!(not_seen.clone().expect(RECOVERS, Inconclusive), @"drain: drain worker, uncordon worker: not all replicas were seen to catch up (#915)");
    let healed = |what: &What| matches!(what, What::Fault(fault) if matches!(fault.act, Act::Uncordon { .. }));
    let waits = |last_seen: &'static str| {
        not_seen.clone().preceded(healed, |history| {
            history.expired("mysql-2 Ready", last_seen);
        })
    };
    assert_snapshot!(waits("Pending").expect(RECOVERS, Fail), @"drain: drain worker, uncordon worker: no recovery (#916): `mysql-2 Ready` was not reached within 300.0 s; last seen: Pending (#915)");
    waits("ErrImagePull").expect(RECOVERS, Inconclusive);
    History::good().without(|what| matches!(what, What::Entries(_))).expect(RECOVERS, Inconclusive);
    History::good().without(|what| matches!(what, What::Fault(_))).expect(RECOVERS, Inconclusive);
}

#[test]
fn a_scenario_that_was_left_out_does_not_excuse_one_that_disrupted_nothing() {
    let left_out = |scenarios: &'static [Scenario]| {
        let undisrupted = History::good().without(|what| matches!(what, What::Fault(_)));
        undisrupted.edit(move |what| {
            if let What::Run(run) = what {
                run.left_out = vec![LeftOut { scenario: Scenario::Drain, why: "the nodes are others'".into() }];
                run.scenarios.retain(|scenario| scenarios.contains(scenario));
            }
        })
    };
    left_out(&[Scenario::Deploy, Scenario::Replicate, Scenario::Settle, Scenario::Restart])
        .expect(RECOVERS, Inconclusive);
    left_out(&[Scenario::Deploy, Scenario::Replicate, Scenario::Settle]).expect(RECOVERS, Skipped);
}

#[test]
fn a_disruption_that_is_not_proved_leaves_it_open() {
    let proof =
        |what: &What| matches!(what, What::Fault(fault) if fault.act == Act::RestartDns && fault.proof.is_some());
    assert_snapshot!(History::good().without(proof).expect(RECOVERS, Inconclusive), @"the act `replace the DNS servers` is not proved, so there was nothing to recover from (#1404)");
}

/// A good run in which the witness wrote nothing in a scenario, from its first act on.
fn unwritten(scenario: Scenario) -> History {
    let history = History::good();
    let begins = history.records.iter().position(
        |record| matches!(&record.what, What::Step(step) if step.scenario == Some(scenario) && step.phase == Phase::Begin),
    );
    let mut records = history.records[begins.expect("a scenario")..].iter();
    let begun = records.find(|record| matches!(record.what, What::Fault(_))).expect("an act").at_us;
    let ended = records.find(
        |record| matches!(&record.what, What::Step(step) if step.scenario == Some(scenario) && step.phase == Phase::End),
    );
    let ended = ended.expect("an end").at_us;
    // The witness's clock is five seconds ahead.
    let span = begun + 5_000_000..=ended + 5_000_000;
    history.edit(|what| {
        if let What::Entries(entries) = what {
            entries.writes.retain(|write| !span.contains(&write.sent_us) && !span.contains(&write.ended_us));
        }
    })
}

#[test]
fn where_nobody_wanted_to_write_no_outage_is_known() {
    assert_snapshot!(unwritten(Scenario::DeleteAll).expect(RECOVERS, Inconclusive), @"delete-all: delete every pod at once: nothing tried to write for 6.9 s, so an outage would not show (#389)");
    for scenario in
        [Scenario::Restart, Scenario::Unready, Scenario::ServerKill, Scenario::Scale, Scenario::Roll, Scenario::Drain]
    {
        let reason = unwritten(scenario).expect(RECOVERS, Inconclusive);
        assert!(reason.contains(&format!("{scenario}: ")) && reason.contains("nothing tried to write"), "{reason}");
        let reason = unwritten(scenario).expect("replication::no_acknowledged_write_is_lost", Inconclusive);
        assert!(reason.contains("nothing tried to write"), "{reason}");
    }
    // An outage that was too long before is known all the same.
    let history = held_to(|budgets| budgets.outage_ms = 2_000);
    let half = history.edit(|what| {
        if let What::Entries(entries) = what {
            entries.writes.retain(|write| write.id < 60);
        }
    });
    half.expect(RECOVERS, Fail);
}

#[test]
fn budgets_that_no_clock_can_count_are_met() {
    let endless = held_to(|budgets| {
        (budgets.recovery_ms, budgets.outage_ms, budgets.lag_ms) = (u64::MAX, u64::MAX, u64::MAX);
        budgets.resume_ms = u64::MAX;
    });
    for check in
        [RECOVERS, LAG, "replication::primary_recreated_replicas_resume", "replication::replica_recreated_catches_up"]
    {
        endless.expect(check, Pass);
    }
}

/// A run without disruptions and with two hundred lag samples of each replica, ten a second. `found` gives the samples
/// of the first replica by number.
fn looked_at(found: impl Fn(u64) -> Option<u64>) -> History {
    let mut history = History::of(3);
    history.pod_names().iter().for_each(|pod| history.starts(pod));
    let begun = history.records.last().map_or(0, |last| last.at_us);
    history.pass_ms(25_000);
    let at_us = |index: u64| begun + index * 100_000;
    let look = |pod: &str, index, behind_us| Lag { pod: pod.into(), at_us: at_us(index), behind_us };
    let lags = (1..=200).flat_map(|index| [look("mysql-1", index, found(index)), look("mysql-2", index, Some(0))]);
    let (sent_us, outcome) = (begun, WriteOutcome::Acknowledged);
    let writes = vec![Entry { id: 1, sent_us, ended_us: sent_us + 1, outcome, semi_sync: None }];
    let lags = lags.collect();
    let now_us = history.records.last().map_or(0, |last| last.at_us) + 25_001_000;
    history.push(What::Entries(Entries { now_us, writes, lags, ..Entries::default() }));
    history
}

#[test]
fn a_look_without_an_answer_is_late() {
    let silent = |which: fn(u64) -> bool| looked_at(move |index| (!which(index)).then_some(2_000));
    assert_snapshot!(silent(|index| index % 10 != 0).expect(LAG, Fail), @"mysql-1 was Ready but did not answer 180 of 200 reads at rest (#17)");
    silent(|index| index % 2 == 0).expect(LAG, Fail);
    silent(|index| index <= 21).expect(LAG, Fail);
    assert_snapshot!(silent(|index| index <= 20).expect(LAG, Inconclusive), @"of 200 reads from mysql-1 at rest 20 had no answer and 0 were late");
    silent(|index| index <= 3).expect(LAG, Inconclusive);
    assert_snapshot!(silent(|index| index <= 2).expect(LAG, Pass), @"behind at rest: mysql-1 by 2.0 ms in half of 198 reads, 2.0 ms in 99 of 100, 2.0 ms at most; 2 more had no answer; mysql-2 by 0.0 ms in half of 200 reads, 0.0 ms in 99 of 100, 0.0 ms at most");
    // A replica that never answers may not let the witness in at all.
    silent(|_| true).expect(LAG, Inconclusive);
    // Late samples and unanswered ones count together.
    let late = |index| if index <= 2 { None } else { Some(if index == 3 { 2_000_000 } else { 2_000 }) };
    looked_at(late).expect(LAG, Inconclusive);
    looked_at(|index| Some(if index <= 3 { 2_000_000 } else { 2_000 })).expect(LAG, Fail);
    // Too few answered samples decide nothing, but the unanswered ones do.
    looked_at(|index| (index > 190).then_some(2_000)).expect(LAG, Fail);
}

#[test]
fn a_look_at_a_pod_that_is_not_ready_blames_nobody() {
    let silent = looked_at(|index| (index > 50).then_some(2_000));
    silent.expect(LAG, Fail);
    let mut away = History::of(3);
    away.pod_names().iter().for_each(|pod| away.starts(pod));
    away.unready("mysql-1");
    away.pass_ms(5_000);
    away.ready("mysql-1");
    let entries = silent.records.last().expect("entries").what.clone();
    away.pass_ms(20_000);
    away.push(entries);
    away.expect(LAG, Inconclusive);
    let not_seen = silent.without(|what| matches!(what, What::Object(_)));
    not_seen.expect(LAG, Inconclusive);
}

/// A good run with other lag samples of a replica.
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
    assert_snapshot!(looking("mysql-2", |_| Some(5_000_000)).expect(LAG, Fail), @"mysql-2 was behind at rest by 5.0 s in half of 37 reads, 5.0 s in 99 of 100, 5.0 s at most, not within 1.0 s (#1693)");
    held_to(|budgets| budgets.lag_ms = 1).expect(LAG, Fail);
}

#[test]
fn looks_while_something_is_disrupted_do_not_count() {
    // The witness's clock is five seconds ahead, and the last disruption is long over at the end.
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
    assert_snapshot!(looking("mysql-1", |_| None).expect(LAG, Inconclusive), @"mysql-1 was read from 0 times at rest, and 37 without an answer: 20 reads are needed to decide");
    let silent = History::good().edit(|what| {
        if let What::Entries(entries) = what {
            entries.lags.clear();
        }
    });
    silent.expect(LAG, Inconclusive);
    History::good().without(|what| matches!(what, What::Entries(_))).expect(LAG, Inconclusive);
}
