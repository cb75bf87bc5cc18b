//! The witness's ledger: the outcomes of writes, the tables at the end, and the lag of replicas.

use steadfast::evidence::{Act, BUSY_US, Entries, Entry, Question, Record, Scenario, What, WriteOutcome};
use steadfast::mysql::intervals::Intervals;

use super::change::{Change, Places, dropped, moved_before, said};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{answered, broken, error, unreachable, value, valued};
use super::replicas::asked;
use super::stored::{Part, Stored};

const LOST: Checks = &["replication::no_acknowledged_write_is_lost"];
const BUDGET: Checks = &["replication::recovers_within_budget"];
const LAG: Checks = &["replication::read_lag_is_bounded"];
const SEMI_SYNC: Checks = &["replication::commits_wait_for_a_replica"];

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "ledger::a_table_holds_something_else",
        why: "What was acknowledged is there in the end, once, and nothing that was refused or never sent.",
        part: Part::Answers,
        of: other_tables,
    },
    Class {
        name: "ledger::a_write_came_to_something_else",
        why: "Outcomes and tables are held against each other, write by write.",
        part: Part::Answers,
        of: other_outcomes,
    },
    Class {
        name: "ledger::nobody_wrote_meanwhile",
        why: "Where nobody wanted to write there was no outage to see, and nothing to lose.",
        part: Part::Answers,
        of: nobody_wrote,
    },
    Class {
        name: "ledger::no_write_was_acknowledged_for_long",
        why: "An outage above the budget fails, whatever was done to the workload then.",
        part: Part::Answers,
        of: long_outage,
    },
    Class {
        name: "ledger::a_batch_is_lost",
        why: "Entries that did not come in leave the account open, and blame nobody.",
        part: Part::Answers,
        of: |stored| lost_batches(stored, Wanted::NothingTurnsRed),
    },
    Class {
        name: "ledger::a_batch_is_lost_and_noticed",
        why: "Writes of which nobody knows what became of them are not accounted for.",
        part: Part::Answers,
        of: |stored| lost_batches(stored, Wanted::LeavesGreen(LOST)),
    },
    Class {
        name: "ledger::replicas_are_behind",
        why: "A look that found a replica late, or found no replica, is one that was not in time.",
        part: Part::Answers,
        of: behind,
    },
    Class {
        name: "ledger::commits_do_not_wait",
        why: "99 of 100 writes at rest must have waited for a replica where that is asked for.",
        part: Part::SemiSync,
        of: not_waiting,
    },
];

/// Changes these records of entries.
fn entries(places: impl Into<Places>, otherwise: impl Fn(&mut Entries) + Send + Sync + 'static) -> Change {
    said(places, move |what| {
        if let What::Entries(entries) = what {
            otherwise(entries);
        }
    })
}

/// All records of entries.
fn handed_over(stored: &Stored) -> Places {
    stored.places(|what| matches!(what, What::Entries(_)))
}

fn all_entries(stored: &Stored) -> impl Iterator<Item = (&Record, &Entries)> {
    stored
        .records
        .iter()
        .filter_map(|record| if let What::Entries(it) = &record.what { Some((record, it)) } else { None })
}

/// How far the log's clock is ahead of the witness's.
fn offset_us(stored: &Stored) -> i64 {
    let offset = |(record, it): (&Record, &Entries)| record.at_us.cast_signed() - it.now_us.cast_signed();
    all_entries(stored).map(offset).min().unwrap_or(0)
}

fn refused() -> WriteOutcome {
    WriteOutcome::Rejected("read only".to_owned())
}

/// The ids of writes with such an outcome.
fn ids(stored: &Stored, wanted: fn(&WriteOutcome) -> bool) -> Vec<u64> {
    let writes = all_entries(stored).flat_map(|(_, it)| &it.writes);
    let mut ids: Vec<u64> = writes.filter(|write| wanted(&write.outcome)).map(|write| write.id).collect();
    ids.sort_unstable();
    ids
}

fn without(held: &Intervals, id: u64) -> String {
    held.subtract(&[id].into_iter().collect()).to_string()
}

fn with(held: &Intervals, id: u64) -> String {
    held.union(&[id].into_iter().collect()).to_string()
}

fn other_tables(stored: &Stored) -> Vec<History> {
    let acknowledged = ids(stored, |outcome| *outcome == WriteOutcome::Acknowledged);
    let refused = ids(stored, |outcome| matches!(outcome, WriteOutcome::Rejected(_)));
    let last = all_entries(stored).flat_map(|(_, it)| &it.writes).map(|write| write.id).max().unwrap_or(0);
    let (fails, noticed) = (Wanted::Fails(LOST), Wanted::LeavesGreen(LOST));
    let stop = stored.acts().iter().find(|acted| acted.act == steadfast::evidence::Act::StopLedger).map(|it| it.asked);
    let mut histories = Vec::new();
    for asked in asked(stored, Question::Entries) {
        let (title, places) = (&asked.title, &asked.places);
        let answer = &stored.at(places.last().expect("an answer")).what;
        let Some(held) = value(answer, "ids").and_then(|ids| ids.parse::<Intervals>().ok()) else { continue };
        let mut add =
            |word: String, wanted, change| histories.push(History::new(format!("{title}: {word}"), wanted, change));
        let some = acknowledged.iter().step_by(acknowledged.len().div_ceil(12).max(1));
        for id in some.chain(acknowledged.last()) {
            add(format!("{id} is lost"), fails, valued(places.clone(), "ids", without(&held, *id)));
            add(format!("{id} is there twice"), fails, valued(places.clone(), "duplicates", id.to_string()));
        }
        for id in refused.iter().step_by(refused.len().div_ceil(12).max(1)) {
            add(format!("{id}, refused, is there"), fails, valued(places.clone(), "ids", with(&held, *id)));
        }
        for id in [last + 1, last + 1000, 0] {
            add(format!("{id}, never sent, is there"), noticed, valued(places.clone(), "ids", with(&held, id)));
        }
        add("nothing is there".into(), fails, valued(places.clone(), "ids", ""));
        add("the table is gone".into(), fails, answered(places.clone(), error(1146)));
        add("the server is not there".into(), noticed, answered(places.clone(), unreachable()));
        add("the probe broke".into(), noticed, answered(places.clone(), broken()));
        add("not asked".into(), noticed, dropped(places.clone()));
        if let Some(stop) = stop {
            add("read before the ledger ended".into(), noticed, moved_before(places.clone(), stop));
        }
    }
    histories
}

/// In each scenario, one write has another outcome than the tables show.
fn other_outcomes(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    let held = asked(stored, Question::Entries).first().and_then(|asked| {
        value(&stored.at(asked.places.last()?).what, "ids").and_then(|ids| ids.parse::<Intervals>().ok())
    });
    let Some(held) = held else { return histories };
    for (scenario, places) in stored.scenarios() {
        let writes = || {
            all_entries(stored)
                .filter(|(it, _)| places.has(it.seq))
                .flat_map(|(it, entries)| entries.writes.iter().map(move |write| (it.seq, write)))
        };
        let first = |there: bool| writes().find(|(_, write)| held.contains(write.id) == there);
        let last = |there: bool| writes().filter(|(_, write)| held.contains(write.id) == there).last();
        let outcomes = [
            (true, refused(), "is there and was refused"),
            (false, WriteOutcome::Acknowledged, "was acknowledged and is not there"),
        ];
        for (there, outcome, word) in outcomes {
            for (seq, write) in first(there).into_iter().chain(last(there)) {
                let (id, outcome) = (write.id, outcome.clone());
                let change = entries(seq, move |it| {
                    it.writes
                        .iter_mut()
                        .filter(|write| write.id == id)
                        .for_each(|write| write.outcome.clone_from(&outcome));
                });
                histories.push(History::new(format!("{scenario}: {id} {word}"), Wanted::Fails(LOST), change));
            }
            if let Some((seq, write)) = first(there) {
                let entry = write.clone();
                let change = entries(seq, move |it| it.writes.push(entry.clone()));
                let title = format!("{scenario}: {} is told twice", write.id);
                histories.push(History::new(title, Wanted::LeavesGreen(LOST), change));
            }
        }
    }
    histories
}

/// The disruptive acts, each with a time in which nothing is written.
fn windows(stored: &Stored) -> Vec<(String, u64, u64)> {
    let barriers = stored.places(|what| matches!(what, What::Sql(sql) if sql.question == Question::Barrier));
    let acts = stored.acts().into_iter().filter(|acted| {
        let scenario = stored.scenario(acted.asked);
        !matches!(
            scenario,
            Some(Scenario::Deploy | Scenario::Replicate | Scenario::Settle | Scenario::Teardown | Scenario::Claims)
        )
    });
    let windows = acts.filter_map(|acted| {
        let recovered = barriers.since(acted.asked).iter().nth(1)?;
        let title = format!("{}: {}", stored.scenario_name(acted.asked), acted.act);
        let (from_us, to_us) = (stored.at(acted.asked).at_us, stored.at(recovered).at_us);
        // A second without a write is between two of them. An act that heals ends a longer disruption, of which a busy
        // machine explains a larger part.
        let explained_us = if heals(&acted.act) { BUSY_US } else { 0 };
        (to_us - from_us > explained_us + 2_000_000).then_some((title, from_us, to_us))
    });
    windows.collect()
}

/// No write ended between two times of the log, and ids are renumbered, as if no writer wanted to write then.
fn unwritten(stored: &Stored, from_us: u64, to_us: u64) -> Change {
    let offset_us = offset_us(stored);
    let inside = move |write: &Entry| {
        let (sent, ended) =
            (write.sent_us.saturating_add_signed(offset_us), write.ended_us.saturating_add_signed(offset_us));
        ended >= from_us && sent <= to_us
    };
    entries(handed_over(stored), move |it| it.writes.retain(|write| !inside(write)))
}

fn nobody_wrote(stored: &Stored) -> Vec<History> {
    let mut histories = Vec::new();
    for (title, from_us, to_us) in windows(stored) {
        for (wanted, check) in [(Wanted::LeavesGreen(BUDGET), "recovery"), (Wanted::LeavesGreen(LOST), "account")] {
            histories.push(History::new(format!("{title} ({check})"), wanted, unwritten(stored, from_us, to_us)));
        }
    }
    for (scenario, places) in stored.scenarios() {
        let handed: Places = handed_over(stored).iter().filter(|seq| places.has(*seq)).collect();
        if !handed.is_empty() {
            histories.push(History::new(format!("{scenario}: no entries"), Wanted::LeavesGreen(LOST), dropped(handed)));
        }
    }
    let all = handed_over(stored);
    histories.push(History::new("no entries at all", Wanted::LeavesGreen(LOST), dropped(all.clone())));
    histories.push(History::new("no entries at all (recovery)", Wanted::LeavesGreen(BUDGET), dropped(all)));
    histories
}

fn long_outage(stored: &Stored) -> Vec<History> {
    let length_us = stored.run().budgets.outage_ms * 1000 + 10_000_000;
    let offset_us = offset_us(stored);
    let ended: Vec<u64> = all_entries(stored)
        .flat_map(|(_, it)| &it.writes)
        .map(|write| write.ended_us.saturating_add_signed(offset_us))
        .collect();
    let last_us = ended.iter().max().copied().unwrap_or(0);
    let mut histories = Vec::new();
    for (title, from_us, _) in windows(stored).into_iter().filter(|(_, from_us, _)| from_us + length_us < last_us) {
        for (word, outcome) in [("refused", refused()), ("not answered", WriteOutcome::Unknown("timed out".into()))] {
            let change = entries(handed_over(stored), move |it| {
                let inside = |write: &&mut Entry| {
                    let ended = write.ended_us.saturating_add_signed(offset_us);
                    ended >= from_us && ended <= from_us + length_us
                };
                it.writes.iter_mut().filter(inside).for_each(|write| write.outcome.clone_from(&outcome));
            });
            histories.push(History::new(format!("{title}: {word} from then on"), Wanted::Fails(BUDGET), change));
        }
    }
    histories
}

fn lost_batches(stored: &Stored, wanted: Wanted) -> Vec<History> {
    let all: Vec<u64> = handed_over(stored).iter().collect();
    let written = |seq: &u64| matches!(&stored.at(*seq).what, What::Entries(it) if !it.writes.is_empty());
    let mut histories = Vec::new();
    for seq in all.iter().filter(|seq| written(seq)).step_by(8) {
        histories.push(History::new(format!("the batch of #{seq}"), wanted, dropped(*seq)));
    }
    for last in 1..=5.min(all.len()) {
        let places: Places = all[all.len() - last..].iter().copied().collect();
        // A missing record at the end may have meant a pause, so the ledger is as complete as anybody knows.
        let wanted = if matches!(wanted, Wanted::NothingTurnsRed) { wanted } else { continue };
        histories.push(History::new(format!("the last {last}"), wanted, dropped(places)));
    }
    histories
}

fn behind(stored: &Stored) -> Vec<History> {
    let (fails, noticed, all) = (Wanted::Fails(LAG), Wanted::LeavesGreen(LAG), handed_over(stored));
    let late_us = stored.run().budgets.lag_ms * 1000 + 1;
    let mut histories = Vec::new();
    for pod in stored.subject.replica_pods() {
        let looks = |kept: usize, of: usize| {
            let pod = pod.clone();
            entries(all.clone(), move |it| {
                let mine = it.lags.iter_mut().filter(|lag| lag.pod == pod && lag.behind_us.is_some());
                mine.enumerate().filter(|(index, _)| index % of >= kept).for_each(|(_, lag)| lag.behind_us = None);
            })
        };
        for (kept, of) in [(1, 10), (1, 4), (1, 2), (3, 4), (0, 1)] {
            let title = format!("{pod}: {kept} of {of} looks answered");
            histories.push(History::new(title, noticed, looks(kept, of)));
        }
        for of in [1, 2, 10] {
            let pod_of = pod.clone();
            let late = entries(all.clone(), move |it| {
                let mine = it.lags.iter_mut().filter(|lag| lag.pod == pod_of);
                mine.step_by(of).for_each(|lag| lag.behind_us = Some(late_us));
            });
            histories.push(History::new(format!("{pod}: one of {of} looks late"), fails, late));
        }
        let pod_of = pod.clone();
        let not_seen = entries(all.clone(), move |it| it.lags.retain(|lag| lag.pod != pod_of));
        histories.push(History::new(format!("{pod}: not looked at"), noticed, not_seen));
    }
    histories.push(History::new("no entries", noticed, dropped(all)));
    histories
}

fn not_waiting(stored: &Stored) -> Vec<History> {
    let all = handed_over(stored);
    let told = |told: Option<bool>, of: usize| {
        entries(all.clone(), move |it| {
            let acknowledged = it.writes.iter_mut().filter(|write| write.outcome == WriteOutcome::Acknowledged);
            acknowledged.step_by(of).for_each(|write| write.semi_sync = told);
        })
    };
    let (fails, noticed) = (Wanted::Fails(SEMI_SYNC), Wanted::LeavesGreen(SEMI_SYNC));
    vec![
        History::new("none waited", fails, told(Some(false), 1)),
        History::new("one in two did not wait", fails, told(Some(false), 2)),
        History::new("nothing is told", noticed, told(None, 1)),
        History::new("no entries", noticed, dropped(all)),
    ]
}

/// Whether an act undoes another one.
fn heals(act: &Act) -> bool {
    matches!(act, Act::Uncordon { .. } | Act::UnpauseNode { .. } | Act::StartNode { .. } | Act::Release { .. })
}
