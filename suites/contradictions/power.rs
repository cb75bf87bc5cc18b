//! Losses of power: writes that are gone, replicas that are ahead, disks that lost nothing, pods that do not start.

use serde_json::json;
use steadfast::evidence::{
    Act, Checkpoint, Entry, Question, SnapshotOf, SqlAnswer, Wait, WaitOutcome, What, WriteOutcome,
};
use steadfast::mysql::intervals::Intervals;

use super::change::{Change, Places, added_after, paused, said};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{container_statuses, set_ready, shown, snapshot, sql, value, valued};
use super::replicas::{Asked, asked};
use super::stored::{Part, Stored};

const KEEPS: Checks = &["persistence::acknowledged_writes_survive_power_loss"];
const STARTS: Checks = &["persistence::starts_after_power_loss"];
const AGREES: Checks = &["replication::replicas_agree_after_power_loss"];

/// A run in which the power was cut: the short one that the reader's classes use.
const CUT: Part = Part::Reader;

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "power::a_write_is_gone_after_a_cut",
        why: "Each write that was acknowledged before a power cut is on every pod after it.",
        part: CUT,
        of: writes_gone,
    },
    Class {
        name: "power::a_replica_is_ahead_after_a_cut",
        why: "A replica does not have transactions that its primary lost.",
        part: CUT,
        of: ahead,
    },
    Class {
        name: "power::tables_differ_after_a_cut",
        why: "After a power cut each table has the same checksum on a replica as on its primary.",
        part: CUT,
        of: other_tables,
    },
    Class {
        name: "power::the_disks_do_not_prove_a_cut",
        why: "A cut puts something at risk if a disk with the volumes was shut down and lost only what was not synced.",
        part: CUT,
        of: not_cut,
    },
    Class {
        name: "power::a_pod_does_not_start_after_a_cut",
        why: "After a power cut each pod of the node has new containers, and is Ready within the budget.",
        part: CUT,
        of: not_started,
    },
    Class {
        name: "power::a_write_was_not_answered_around_a_cut",
        why: "A write without an answer may be there after a power cut, or not.",
        part: CUT,
        of: not_answered,
    },
];

/// A power cut.
struct Cut {
    number: u32,
    /// The record of the request.
    asked: u64,
    /// The record that proves that the power is back.
    restored: u64,
    /// The next power cut, or the last record.
    until: u64,
}

fn cuts(stored: &Stored) -> Vec<Cut> {
    let acts = stored.acts();
    let cuts: Vec<u64> = acts.iter().filter(|it| matches!(it.act, Act::CutPower { .. })).map(|it| it.asked).collect();
    let ends = cuts.iter().skip(1).copied().chain([stored.timeline.last_seq]);
    let cut = |((asked, until), number): ((u64, u64), u32)| {
        let mut back = acts.iter().filter(|it| matches!(it.act, Act::RestorePower { .. }) && it.asked > asked);
        Some(Cut { number, asked, restored: back.next()?.proved?, until })
    };
    cuts.iter().copied().zip(ends).zip(1..).filter_map(cut).collect()
}

/// Each pod's answers to a question after each power cut.
fn answers(stored: &Stored, question: Question) -> Vec<(Cut, Asked)> {
    let after = |asked: Asked| {
        let cut = cuts(stored).into_iter().find(|it| asked.checkpoint == Checkpoint::PowerCut { cut: it.number })?;
        let title = format!("{} after cut {}", asked.pod, cut.number);
        Some((cut, Asked { title, ..asked }))
    };
    asked(stored, question).into_iter().filter_map(after).collect()
}

/// The witness's writes, each with the record that reports it.
fn writes(stored: &Stored) -> impl Iterator<Item = (u64, &Entry)> {
    stored.records.iter().flat_map(|record| {
        let writes = if let What::Entries(it) = &record.what { &it.writes[..] } else { &[] };
        writes.iter().map(|write| (record.seq, write))
    })
}

/// The writes that were certainly acknowledged before a power cut.
fn acknowledged<'a>(stored: &'a Stored, cut: &Cut) -> Vec<(u64, &'a Entry)> {
    let asked_us = stored.at(cut.asked).at_us;
    let before = |write: &Entry| stored.clocks.bounds(write.ended_us).1 < asked_us;
    writes(stored).filter(|(_, it)| it.outcome == WriteOutcome::Acknowledged && before(it)).collect()
}

/// Adds ids to these answers, or removes them.
fn holding(there: bool, ids: &[u64], places: &Places) -> Change {
    let ids: Intervals = ids.iter().copied().collect();
    sql(places.clone(), move |sql| {
        let SqlAnswer::Rows(rows) = &mut sql.answer else { return };
        for text in rows.iter_mut().filter_map(|row| row.get_mut("ids")?.as_mut()) {
            let Ok(held) = text.parse::<Intervals>() else { continue };
            *text = if there { held.union(&ids) } else { held.subtract(&ids) }.to_string();
        }
    })
}

fn writes_gone(stored: &Stored) -> Vec<History> {
    let mut all = Vec::new();
    for (cut, asked) in answers(stored, Question::Entries) {
        let ids: Vec<u64> = acknowledged(stored, &cut).iter().map(|(_, write)| write.id).collect();
        let last = &ids[ids.len().saturating_sub(3)..];
        let some = ids.chunks(ids.len().div_ceil(12).max(1)).map(|some| &some[..1]);
        for gone in some.chain(last.chunks(1)).chain([last, &ids[..]]) {
            let title = format!("{}: {} writes from {:?} on are gone", asked.title, gone.len(), gone.first());
            all.push(History::new(title, Wanted::Fails(KEEPS), holding(false, gone, &asked.places)));
        }
    }
    all
}

/// The number after the last one of an origin in a set of transactions.
fn next(set: &str, origin: &str) -> Option<u64> {
    let own = set.split(',').find(|part| part.trim().starts_with(origin))?;
    own.rsplit(|char: char| !char.is_ascii_digit()).next()?.parse::<u64>().ok()?.checked_add(1)
}

fn ahead(stored: &Stored) -> Vec<History> {
    let primary = stored.subject.primary();
    let identity = asked(stored, Question::Identity).into_iter().find(|asked| asked.pod == primary);
    let origin = identity.and_then(|asked| value(&stored.at(asked.last()).what, "server_uuid"));
    let barriers = answers(stored, Question::Barrier);
    let mut all = Vec::new();
    for (_, asked) in answers(stored, Question::GtidExecuted) {
        // A primary has no barrier. The last barrier of a replica may come after its last answer.
        let barrier = barriers.iter().find(|(_, barrier)| barrier.title == asked.title);
        let since = barrier.and_then(|(_, barrier)| barrier.places.first());
        let set = value(&stored.at(asked.last()).what, "gtid_executed");
        let (Some(since), Some(set), Some(origin)) = (since, set, origin) else { continue };
        let Some(next) = next(set, origin) else { continue };
        for numbers in [format!("{next}"), format!("{next}-{}", next + 2)] {
            let change = valued(asked.places.since(since), "gtid_executed", format!("{set},{origin}:{numbers}"));
            all.push(History::new(format!("{}: {numbers} too", asked.title), Wanted::Fails(AGREES), change));
        }
    }
    all
}

fn other_tables(stored: &Stored) -> Vec<History> {
    let other =
        |asked: Asked| History::new(asked.title, Wanted::Fails(AGREES), valued(asked.places, "checksum", "4711"));
    let answers = answers(stored, Question::Digest).into_iter().map(|(_, asked)| asked);
    answers.filter(|asked| asked.pod != stored.subject.primary()).map(other).collect()
}

fn not_cut(stored: &Stored) -> Vec<History> {
    const EVERY: &[Checks] = &[KEEPS, STARTS, AGREES];
    let mut all = Vec::new();
    for cut in cuts(stored) {
        let of_cut = |of: SnapshotOf| stored.snapshots(of).since(cut.asked).before(cut.until);
        let disk = of_cut(SnapshotOf::PowerCut).first().map(|seq| &stored.at(seq).what);
        let Some(What::Snapshot(disk)) = disk else { continue };
        for (of, field, wrong, checks) in [
            (SnapshotOf::PowerRestored, "unsynced_bytes", disk.value["unsynced_bytes"].clone(), EVERY),
            (SnapshotOf::PowerRestored, "synced_bytes", json!(1), EVERY),
            (SnapshotOf::PowerRestored, "node", json!("another"), EVERY),
            (SnapshotOf::PowerCut, "kernel", json!(""), EVERY),
            (SnapshotOf::PowerCut, "unsynced_bytes", json!(0), EVERY),
            (SnapshotOf::PowerCut, "volumes", json!([]), &[KEEPS, STARTS]),
        ] {
            for (seq, check) in of_cut(of).iter().flat_map(|seq| checks.iter().map(move |check| (seq, check))) {
                let title = format!("cut {}: {field} of #{seq} is {wrong} ({})", cut.number, check[0]);
                let wrong = wrong.clone();
                let change = snapshot(seq, move |value| value[field] = wrong.clone());
                all.push(History::new(title, Wanted::LeavesGreen(check), change));
            }
        }
    }
    all
}

fn not_started(stored: &Stored) -> Vec<History> {
    let (fails, noticed) = (Wanted::Fails(STARTS), Wanted::LeavesGreen(STARTS));
    let too_long_us = stored.run().budgets.recovery_ms * 1000 + 5_000_000;
    let mut all = Vec::new();
    for cut in cuts(stored) {
        for life in stored.pods_at(cut.asked) {
            let ready = life.ready.iter().find(|it| it.value && it.since.seq > cut.restored);
            let Some(ready) = ready.map(|it| it.since.seq).filter(|seq| *seq < cut.until) else { continue };
            let events = stored.events_of("Pod", &life.uid).since(cut.asked).before(cut.until);
            let unready = || shown(events.since(cut.restored), |object| set_ready(object, false));
            let (what, last_seen) = (format!("{} Ready again", life.name), "Running, not Ready".to_owned());
            let expired = Wait { what, outcome: WaitOutcome::Expired, took_us: 1, last_seen };
            let same = shown(events.clone(), |object| {
                container_statuses(object).for_each(|status| status["restartCount"] = 0.into());
            });
            for (word, wanted, change) in [
                ("is not Ready again", noticed, unready()),
                ("is awaited in vain", fails, unready().then(added_after(ready, [What::Wait(expired)]))),
                ("has no new container", noticed, same),
                ("is Ready too late", fails, paused(ready, too_long_us)),
            ] {
                all.push(History::new(format!("{} {word} after cut {}", life.name, cut.number), wanted, change));
            }
        }
    }
    all
}

fn not_answered(stored: &Stored) -> Vec<History> {
    let answers = stored.places(|what| matches!(what, What::Sql(sql) if sql.question == Question::Entries));
    let mut all = Vec::new();
    for cut in cuts(stored) {
        let unanswered = |write: &Entry| matches!(write.outcome, WriteOutcome::Unknown(_));
        let during = writes(stored).filter(|(seq, it)| (cut.asked..cut.until).contains(seq) && unanswered(it));
        for (seq, write) in during.chain(acknowledged(stored, &cut).pop()) {
            let (id, after) = (write.id, answers.since(seq.max(cut.asked)));
            for (word, there) in [("is there", true), ("is not there", false)] {
                let unknown = said(seq, move |what| {
                    let What::Entries(it) = what else { return };
                    let write = it.writes.iter_mut().find(|write| write.id == id).expect("the write");
                    write.outcome = WriteOutcome::Unknown("timed out".to_owned());
                });
                let title = format!("{id} around cut {} {word}", cut.number);
                all.push(History::new(title, Wanted::StaysAsItWas, unknown.then(holding(there, &[id], &after))));
            }
        }
    }
    all
}
