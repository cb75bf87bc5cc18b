//! Commits that wait for a replica, and commits that do not.

use std::ops::RangeInclusive;

use insta::assert_snapshot;

use crate::Verdict::{Fail, Inconclusive, Pass, Skipped};
use crate::evidence::{Act, Entries, Entry, Phase, Scenario, What, WriteOutcome};
use crate::history::History;

const WAIT: &str = "replication::commits_wait_for_a_replica";

/// A run with two hundred acknowledged writes, one each millisecond from the first on. The DNS servers are replaced at
/// 101 ms, and the scenario ends at 200 ms. Among the writes, these have `told` as their semi-synchronous state.
fn with_semi_sync_of(ids: RangeInclusive<u64>, told: Option<bool>) -> History {
    let mut history = History::of(3).with_semi_sync();
    history.step(Scenario::DnsReplace, Phase::Begin);
    history.pass_ms(98);
    history.fault(Act::RestartDns);
    history.pass_ms(98);
    history.step(Scenario::DnsReplace, Phase::End);
    let entry = |id: u64| Entry {
        id,
        sent_us: id * 1_000,
        ended_us: id * 1_000,
        outcome: WriteOutcome::Acknowledged,
        semi_sync: if ids.contains(&id) { told } else { Some(true) },
    };
    let writes = (1..=200).map(entry).collect();
    history.push(What::Entries(Entries { now_us: 201_000, writes, ..Entries::default() }));
    history
}

#[test]
fn who_is_not_to_wait_is_skipped() {
    assert_snapshot!(History::good().expect(WAIT, Skipped), @"commits do not wait for a replica; `--semi-sync` makes them wait");
    assert_snapshot!(History::good_of(1).with_semi_sync().expect(WAIT, Skipped), @"the set has one pod: there is no replica");
}

#[test]
fn commits_that_wait_pass() {
    assert_snapshot!(History::good().with_semi_sync().expect(WAIT, Pass), @"37 of 37 writes that were acknowledged at rest had waited for a replica");
}

#[test]
fn two_of_a_hundred_that_did_not_wait_fail() {
    assert_snapshot!(with_semi_sync_of(7..=7, Some(false)).expect(WAIT, Pass), @"99 of 100 writes that were acknowledged at rest had waited for a replica");
    assert_snapshot!(with_semi_sync_of(7..=8, Some(false)).expect(WAIT, Fail), @"98 of 100 writes that were acknowledged at rest had waited for a replica");
    assert_snapshot!(with_semi_sync_of(1..=200, Some(false)).expect(WAIT, Fail), @"0 of 100 writes that were acknowledged at rest had waited for a replica");
}

#[test]
fn a_commit_that_nobody_knows_to_have_waited_did_not() {
    with_semi_sync_of(7..=7, None).expect(WAIT, Pass);
    with_semi_sync_of(7..=8, None).expect(WAIT, Fail);
}

#[test]
fn writes_while_something_is_disrupted_do_not_count() {
    assert_snapshot!(with_semi_sync_of(101..=200, Some(false)).expect(WAIT, Pass), @"100 of 100 writes that were acknowledged at rest had waited for a replica");
    with_semi_sync_of(99..=200, Some(false)).expect(WAIT, Fail);
}

#[test]
fn who_had_no_write_acknowledged_at_rest_proves_nothing() {
    let refused = with_semi_sync_of(1..=200, Some(true)).edit(|what| {
        if let What::Entries(entries) = what {
            let at_rest = entries.writes.iter_mut().filter(|entry| entry.id <= 100);
            at_rest.for_each(|entry| entry.outcome = WriteOutcome::Rejected("1290: read only".into()));
        }
    });
    assert_snapshot!(refused.expect(WAIT, Inconclusive), @"no write was acknowledged while nothing was disrupted");
    assert_snapshot!(History::of(3).with_semi_sync().expect(WAIT, Inconclusive), @"no write was acknowledged while nothing was disrupted");
}
