//! Power cuts: what must be there afterwards, and what shows that there was a cut.

use insta::assert_snapshot;
use serde_json::json;

use super::AT_RISK_US;
use crate::Verdict::{Fail, Inconclusive, Pass};
use crate::evidence::{Act, Checkpoint, Fault, Question, SnapshotOf, Subject, WaitOutcome, What, WriteOutcome};
use crate::history::{History, broken, error, refused, subject};

const KEEPS: &str = "persistence::acknowledged_writes_survive_power_loss";
const STARTS: &str = "persistence::starts_after_power_loss";

fn after(number: u32) -> impl Fn(&Checkpoint) -> bool {
    move |checkpoint| *checkpoint == Checkpoint::PowerCut { cut: number }
}

/// A good run with another value in the snapshots of one kind.
fn snapshots(wanted: SnapshotOf, field: &str, value: serde_json::Value) -> History {
    History::good().edit(|what| match what {
        What::Snapshot(snapshot) if snapshot.of == wanted => snapshot.value[field] = value.clone(),
        _ => {}
    })
}

/// When the first cut was asked for.
fn cut_us(history: &History) -> u64 {
    let cut = |what: &What| matches!(what, What::Fault(Fault { act: Act::CutPower { .. }, proof: None }));
    history.records.iter().find(|record| cut(&record.what)).map_or(0, |record| record.at_us)
}

/// The ids that the first pod has after the first cut.
fn held() -> String {
    let evidence = History::good().evidence();
    let answer = evidence.records.iter().find_map(|record| match &record.what {
        What::Sql(sql) if sql.question == Question::Entries => Some(sql.answer.clone()),
        _ => None,
    });
    match answer {
        Some(crate::evidence::SqlAnswer::Rows(rows)) => rows[0]["ids"].clone().expect("ids"),
        other => panic!("no answer: {other:?}"),
    }
}

#[test]
fn a_good_run_keeps_everything_and_starts() {
    assert_snapshot!(History::good().expect(KEEPS, Pass), @"2 power cuts, 131072 unsynced bytes of the harness dropped: all 99 acknowledged writes are on mysql-0, mysql-1, mysql-2; lost: 0");
    assert_snapshot!(History::good().expect(STARTS, Pass), @"servers started 6 times after a power cut, in 5.0 s at most");
}

#[test]
fn a_write_that_is_gone_after_a_cut_fails() {
    let first = |held: &str| held.split_once('-').map(|(_, rest)| format!("2-{rest}")).expect("a range from 1");
    let lost = History::good().telling("mysql-0", after(1), "ids", &first(&held()));
    assert_snapshot!(lost.expect(KEEPS, Fail), @"mysql-0 lost 1 of 89 acknowledged writes by power cut 1 of worker: 1 (#1192, #1294)");
    let nothing = History::good().telling("mysql-2", after(2), "ids", "");
    assert_snapshot!(nothing.expect(KEEPS, Fail), @"mysql-2 lost 99 of 99 acknowledged writes by power cut 2 of worker: 1, 2, 3, 4, 5 … (99 in all) (#1297, #1401)");
    let table = error(1146, "Table 'steadfast.entries' doesn't exist");
    History::good().answering("mysql-1", Question::Entries, table).expect(KEEPS, Fail);
}

#[test]
fn what_a_replica_has_not_fetched_yet_is_not_lost() {
    let behind = History::good().telling("mysql-1", after(1), "ids", "1").telling("mysql-1", after(1), "reached", "0");
    behind.expect(KEEPS, Inconclusive);
}

#[test]
fn servers_that_do_not_answer_leave_it_open() {
    for answer in [broken(), refused()] {
        History::good().answering("mysql-0", Question::Entries, answer).expect(KEEPS, Inconclusive);
    }
    let unasked = History::good().without(|what| matches!(what, What::Sql(sql) if sql.question == Question::Entries));
    unasked.expect(KEEPS, Inconclusive);
}

#[test]
fn a_cut_that_did_not_cut_proves_nothing() {
    for (of, field, value) in [
        (SnapshotOf::PowerRestored, "unsynced_bytes", json!(65_536)),
        (SnapshotOf::PowerRestored, "synced_bytes", json!(65_535)),
        (SnapshotOf::PowerRestored, "node", json!("another")),
        (SnapshotOf::PowerCut, "kernel", json!("")),
        (SnapshotOf::PowerCut, "unsynced_bytes", json!(0)),
        (SnapshotOf::PowerCut, "synced_bytes", json!(0)),
        (SnapshotOf::PowerCut, "node", json!("another")),
    ] {
        let history = snapshots(of, field, value);
        history.expect(KEEPS, Inconclusive);
        history.expect(STARTS, Inconclusive);
    }
    assert_snapshot!(snapshots(SnapshotOf::PowerRestored, "unsynced_bytes", json!(65_536)).expect(KEEPS, Inconclusive), @"it is not proved that the disks of worker lost what was not synced and kept the rest (#1192); it is not proved that the disks of worker lost what was not synced and kept the rest (#1297)");
    assert_snapshot!(snapshots(SnapshotOf::PowerCut, "kernel", json!("")).expect(KEEPS, Inconclusive), @"it is not proved that the power of worker was cut (#1192); it is not proved that the power of worker was cut (#1297)");
    // Some of what was not synced may be there: the kernel writes in the background.
    snapshots(SnapshotOf::PowerRestored, "unsynced_bytes", json!(65_535)).expect(KEEPS, Pass);
}

#[test]
fn a_node_that_ran_on_or_did_not_come_back_proves_nothing() {
    for state in ["exited", "running", "Ready"] {
        let history = History::good().edit(|what| match what {
            What::Snapshot(it) if it.of == SnapshotOf::Node && it.value["state"] == state => {
                it.value["state"] = json!("paused");
            }
            _ => {}
        });
        history.expect(KEEPS, Inconclusive);
    }
}

#[test]
fn volumes_elsewhere_were_not_cut() {
    let elsewhere = snapshots(SnapshotOf::PowerCut, "volumes", json!(["pv-data-mysql-0_mysql"]));
    assert_snapshot!(elsewhere.expect(KEEPS, Inconclusive), @"the volume of data-mysql-1 was not on a disk whose power was cut (#1192); the volume of data-mysql-2 was not on a disk whose power was cut (#1192); the volume of data-mysql-1 was not on a disk whose power was cut (#1297); and 1 more like this");
    elsewhere.expect(STARTS, Inconclusive);
    let without = History::good_with(Subject { claims: Vec::new(), ..subject(3) });
    assert_snapshot!(without.expect(KEEPS, Inconclusive), @"mysql-1 has no claim, so its data lies on no disk that was cut (#1184); mysql-0 has no claim, so its data lies on no disk that was cut (#1184); mysql-2 has no claim, so its data lies on no disk that was cut (#1184); and 3 more like this");
}

/// A good run in which no write was acknowledged from this long before the first cut on.
fn quiet(before_us: u64) -> History {
    let history = History::good();
    let (cut_us, clocks) = (cut_us(&history), history.evidence().clocks);
    history.edit(|what| {
        let What::Entries(entries) = what else { return };
        for entry in &mut entries.writes {
            let ended_us = clocks.bounds(entry.ended_us).1;
            if (cut_us - before_us..=cut_us).contains(&ended_us) {
                entry.outcome = WriteOutcome::Unknown("no answer".into());
            }
        }
    })
}

#[test]
fn a_cut_after_a_pause_puts_nothing_at_risk() {
    assert_snapshot!(quiet(AT_RISK_US).expect(KEEPS, Inconclusive), @"no write was acknowledged in the last 1.0 s before power cut 1 (#1192)");
    quiet(AT_RISK_US / 4).expect(KEEPS, Pass);
}

fn budget(what: &mut What, ms: u64) {
    if let What::Run(run) = what {
        run.budgets.recovery_ms = ms;
    }
}

#[test]
fn a_server_that_starts_too_late_fails() {
    let within = |ms| History::good().edit(|what| budget(what, ms));
    assert_snapshot!(within(3_000).expect(STARTS, Fail), @"mysql-1 (uid 1.7) was Ready only 5.0 s after its power was back, not within 3.0 s (#1205); mysql-0 (uid 0.6) was Ready only 5.0 s after its power was back, not within 3.0 s (#1204); mysql-2 (uid 2.8) was Ready only 5.0 s after its power was back, not within 3.0 s (#1206); and 3 more like this");
    within(30_000).expect(STARTS, Pass);
}

/// A run whose second pod does not become Ready after the first cut.
fn stays_away(outcome: Option<WaitOutcome>) -> History {
    let mut history = History::good();
    let restored = |what: &What| matches!(what, What::Fault(Fault { act: Act::RestorePower { .. }, proof: Some(_) }));
    let place = history.records.iter().position(|record| restored(&record.what)).expect("a restored node") + 1;
    history.records.truncate(place);
    if let Some(outcome) = outcome {
        history.waited("mysql-1 Ready again", "Running, not Ready, CrashLoopBackOff", outcome);
    }
    history.step(crate::evidence::Scenario::PowerCut, crate::evidence::Phase::Failed("mysql-1 stays away".into()));
    history
}

#[test]
fn a_server_that_does_not_start_fails() {
    assert_snapshot!(stays_away(Some(WaitOutcome::Expired)).expect(STARTS, Fail), @"mysql-1 (uid 1.7) did not become Ready again after power cut 1 (#1192): `mysql-1 Ready again` was not reached within 300.0 s; last seen: Running, not Ready, CrashLoopBackOff (#1201)");
    stays_away(Some(WaitOutcome::CutShort)).expect(STARTS, Inconclusive);
    stays_away(None).expect(STARTS, Inconclusive);
    stays_away(Some(WaitOutcome::Expired)).expect(KEEPS, Inconclusive);
}

#[test]
fn a_server_that_does_not_stay_ready_has_not_started() {
    let (mut restored, mut seen) = (false, 0);
    let fallen = History::good().edit(|what| match what {
        What::Fault(Fault { act: Act::RestorePower { .. }, proof: Some(_) }) => restored = true,
        What::Object(event) if restored && seen < 2 && event.object["metadata"]["name"] == "mysql-1" => {
            // It is Ready with its restart, and no longer then.
            event.object["status"]["conditions"][0]["status"] = json!(["True", "False"][seen]);
            seen += 1;
        }
        _ => {}
    });
    assert_snapshot!(fallen.expect(STARTS, Inconclusive), @"mysql-1 (uid 1.7) did not become Ready again after power cut 1 (#1192), and nobody waited for it");
}

#[test]
fn answers_from_another_time_prove_nothing() {
    let earlier = History::good().edit(|what| match what {
        What::Sql(sql) if after(2)(&sql.checkpoint) => sql.checkpoint = Checkpoint::PowerCut { cut: 1 },
        _ => {}
    });
    assert_snapshot!(earlier.expect(KEEPS, Inconclusive), @"an answer of mysql-1 is not from after power cut 1 (#1313)");
    let mut cuts = 0;
    let uncounted = History::good().without(|what| {
        let cut = matches!(what, What::Fault(Fault { act: Act::CutPower { .. }, .. }));
        cuts += u32::from(cut);
        cut && cuts <= 2
    });
    uncounted.expect(KEEPS, Inconclusive);
    uncounted.expect(STARTS, Inconclusive);
}

#[test]
fn a_volume_is_not_another_one_whose_name_begins_alike() {
    let alike = ["pv-data-mysql-0_x", "pv-data-mysql-10_x", "pv-data-mysql-2_x"];
    snapshots(SnapshotOf::PowerCut, "volumes", json!(alike)).expect(KEEPS, Inconclusive);
}

#[test]
fn without_a_cut_nothing_is_decided() {
    let uncut = History::good().without(|what| matches!(what, What::Fault(Fault { act: Act::CutPower { .. }, .. })));
    uncut.expect(KEEPS, Inconclusive);
    uncut.expect(STARTS, Inconclusive);
    let unrestored =
        History::good().without(|what| matches!(what, What::Fault(Fault { act: Act::RestorePower { .. }, .. })));
    unrestored.expect(KEEPS, Inconclusive);
    unrestored.expect(STARTS, Inconclusive);
}
