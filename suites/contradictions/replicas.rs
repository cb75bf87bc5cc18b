//! Faults of replication: threads, barriers, transactions, tables.

use steadfast::evidence::{Checkpoint, Question, Row, SqlAnswer, What};

use super::change::{Change, Places, dropped};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{answered, broken, error, sql, unreachable, value, valued};
use super::stored::{Part, Stored, told};

const FOLLOW: &str = "replication::replicas_follow_by_stable_name";
const SAME: &str = "replication::replicas_hold_the_same_rows";
const JOINS: &str = "replication::new_replica_joins";
const PRIMARY: &str = "replication::primary_recreated_replicas_resume";
const REPLICA: &str = "replication::replica_recreated_catches_up";
const BUDGET: &str = "replication::recovers_within_budget";

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "replicas::one_does_not_follow",
        why: "Both threads run and follow the stable name on every replica, whenever it is asked.",
        part: Part::Answers,
        of: not_following,
    },
    Class {
        name: "replicas::one_waits_for_nothing",
        why: "A replica has caught up when it reached a barrier that stands for all that its source had.",
        part: Part::Answers,
        of: not_reached,
    },
    Class {
        name: "replicas::one_has_other_transactions",
        why: "At a barrier a replica has the transactions of its source and no others.",
        part: Part::Answers,
        of: other_transactions,
    },
    Class {
        name: "replicas::one_has_other_tables",
        why: "Data can differ although the transactions agree: every table's checksum is compared, at every moment.",
        part: Part::Answers,
        of: other_tables,
    },
];

/// The answers of one pod at one occasion.
pub(crate) struct Asked {
    pub title: String,
    pub pod: String,
    pub checkpoint: Checkpoint,
    /// The answers, in order.
    pub places: Places,
}

/// Every occasion at which a question was asked, for each pod.
pub(crate) fn asked(stored: &Stored, question: Question) -> Vec<Asked> {
    let groups = stored.groups(|record| match &record.what {
        What::Sql(sql) if sql.question == question => {
            Some((stored.scenario(record.seq), sql.checkpoint.clone(), sql.pod.clone()))
        }
        _ => None,
    });
    let asked = groups.into_iter().map(|((_, checkpoint, pod), places)| Asked {
        title: format!("{pod} at `{}`", told(&checkpoint)),
        pod,
        checkpoint,
        places,
    });
    asked.collect()
}

impl Asked {
    /// The last answer.
    pub(crate) fn last(&self) -> u64 {
        self.places.last().expect("an answer")
    }

    fn is_of_replica(&self, stored: &Stored) -> bool {
        self.pod != stored.subject.primary()
    }

    /// The checks that compare these answers, including those of the replica that joins.
    pub(crate) fn compared(&self, stored: &Stored) -> Checks {
        if self.pod == stored.subject.nth(stored.subject.replicas) { &[JOINS] } else { &[SAME] }
    }
}

/// The histories of one occasion.
pub(crate) fn histories<const N: usize>(
    asked: &Asked,
    changes: [(&str, Wanted, Change); N],
) -> impl Iterator<Item = History> {
    let title = asked.title.clone();
    changes.map(|(word, wanted, change)| History::new(format!("{title}: {word}"), wanted, change)).into_iter()
}

/// Sets those columns of a status that exist: servers name them differently.
fn status(places: &Places, columns: &'static [&'static str], value: impl Into<String>) -> Change {
    let value = value.into();
    sql(places.clone(), move |sql| {
        let SqlAnswer::Rows(rows) = &mut sql.answer else { return };
        for (name, cell) in rows.iter_mut().flatten().filter(|(name, _)| columns.contains(&name.as_str())) {
            debug_assert!(!name.is_empty());
            *cell = Some(value.clone());
        }
    })
}

const HOST: &[&str] = &["Source_Host", "Master_Host"];
const IO: &[&str] = &["Replica_IO_Running", "Slave_IO_Running"];
const SQL: &[&str] = &["Replica_SQL_Running", "Slave_SQL_Running"];

fn not_following(stored: &Stored) -> Vec<History> {
    let mut all = Vec::new();
    for asked in asked(stored, Question::ReplicaStatus) {
        let checks: Checks = if asked.compared(stored) == [JOINS] { &[JOINS, FOLLOW] } else { &[FOLLOW] };
        let (fails, noticed, places) = (Wanted::Fails(checks), Wanted::LeavesGreen(checks), asked.places.clone());
        let address = "10.244.2.3";
        let second = sql(places.clone(), |sql| {
            let SqlAnswer::Rows(rows) = &mut sql.answer else { return };
            let Some(mut other) = rows.first().cloned() else { return };
            other.insert("Channel_Name".into(), Some("other".into()));
            other
                .iter_mut()
                .filter(|(name, _)| SQL.contains(&name.as_str()))
                .for_each(|(_, cell)| *cell = Some("No".into()));
            rows.push(other);
        });
        let other_pod = stored.subject.fqdn(&stored.subject.nth(stored.subject.replicas + 3));
        all.extend(histories(
            &asked,
            [
                ("IO thread No", fails, status(&places, IO, "No")),
                ("IO thread Connecting", noticed, status(&places, IO, "Connecting")),
                ("SQL thread No", fails, status(&places, SQL, "No")),
                ("follows an address", fails, status(&places, HOST, address)),
                ("follows the Service", fails, status(&places, HOST, stored.subject.service_fqdn())),
                ("follows another pod", fails, status(&places, HOST, other_pod)),
                ("replicates nothing", fails, answered(places.clone(), SqlAnswer::Rows(Vec::new()))),
                ("a second channel is down", noticed, second),
                ("not there", noticed, answered(places.clone(), unreachable())),
                ("the probe broke", noticed, answered(places.clone(), broken())),
                ("not asked", noticed, dropped(places.clone())),
            ],
        ));
    }
    all
}

/// The set of transactions that replicas had to wait for at the previous occasion.
fn stale(stored: &Stored, asked: &Asked) -> Option<String> {
    let first = asked.places.first()?;
    let barriers = stored
        .places(|what| matches!(what, What::Sql(sql) if sql.question == Question::Barrier && sql.pod == asked.pod));
    let before = barriers.before(first).last()?;
    value(&stored.at(before).what, "gtid_set").map(str::to_owned)
}

fn not_reached(stored: &Stored) -> Vec<History> {
    let mut all = Vec::new();
    for asked in asked(stored, Question::Barrier) {
        let checks: Checks = match asked.compared(stored) {
            [JOINS] => &[JOINS],
            _ => &[SAME, BUDGET, REPLICA, PRIMARY],
        };
        let (fails, noticed, places) = (Wanted::Fails(checks), Wanted::LeavesGreen(checks), asked.places.clone());
        all.extend(histories(
            &asked,
            [
                ("not reached", fails, valued(places.clone(), "reached", "0")),
                ("not reached in the end", fails, valued(asked.last(), "reached", "0")),
                ("the empty set", noticed, valued(places.clone(), "gtid_set", "")),
                ("refused", noticed, answered(places.clone(), error(1193))),
                ("not there", noticed, answered(places.clone(), unreachable())),
                ("the probe broke", noticed, answered(places.clone(), broken())),
                ("not asked", noticed, dropped(places.clone())),
            ],
        ));
        if let Some(stale) = stale(stored, &asked) {
            let change = valued(places, "gtid_set", stale);
            all.push(History::new(format!("{}: what there was before", asked.title), noticed, change));
        }
    }
    all
}

/// A set of transactions without the last one in its text.
fn one_fewer(set: &str) -> Option<String> {
    let digits = set.len() - set.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (rest, number) = set.split_at(set.len() - digits);
    let number: u64 = number.parse().ok()?;
    (number > 2).then(|| format!("{rest}{}", number - 1))
}

fn other_transactions(stored: &Stored) -> Vec<History> {
    let mut all = Vec::new();
    let compared = asked(stored, Question::GtidExecuted);
    for asked in compared.iter().filter(|asked| asked.is_of_replica(stored)) {
        let checks = asked.compared(stored);
        let (fails, noticed, places) = (Wanted::Fails(checks), Wanted::LeavesGreen(checks), asked.places.clone());
        let Some(set) = value(&stored.at(asked.last()).what, "gtid_executed") else { continue };
        let errant = match set.contains(':') {
            true => format!("{set},00000000-0000-0000-0000-000000000001:1"),
            false => format!("{set},7-4711-1"),
        };
        all.extend(histories(
            asked,
            [
                ("none", fails, valued(places.clone(), "gtid_executed", "")),
                ("an errant one", fails, valued(places.clone(), "gtid_executed", errant)),
                ("not there", noticed, answered(places.clone(), unreachable())),
                ("no set", noticed, valued(places.clone(), "gtid_executed", "garbage")),
                ("not asked", noticed, dropped(places.clone())),
            ],
        ));
        if let Some(fewer) = one_fewer(set) {
            let change = valued(places, "gtid_executed", fewer);
            all.push(History::new(format!("{}: one is missing", asked.title), fails, change));
        }
    }
    all
}

/// Edits the rows of a table's checksum.
fn tables(places: &Places, table: &str, edit: fn(&mut Vec<Row>, usize)) -> Change {
    let table = table.to_owned();
    sql(places.clone(), move |sql| {
        let SqlAnswer::Rows(rows) = &mut sql.answer else { return };
        let is = |row: &Row| row.get("table").is_some_and(|name| name.as_deref() == Some(&*table));
        if let Some(place) = rows.iter().position(is) {
            edit(rows, place);
        }
    })
}

fn other_tables(stored: &Stored) -> Vec<History> {
    let mut all = Vec::new();
    for asked in asked(stored, Question::Digest) {
        let checks = asked.compared(stored);
        let (fails, noticed, places) = (Wanted::Fails(checks), Wanted::LeavesGreen(checks), asked.places.clone());
        let What::Sql(answer) = &stored.at(asked.last()).what else { continue };
        let SqlAnswer::Rows(rows) = &answer.answer else { continue };
        let names = rows.iter().filter_map(|row| row.get("table").cloned().flatten());
        for table in names {
            let title = format!("{}: {table}", asked.title);
            let other =
                tables(&places, &table, |rows, at| drop(rows[at].insert("checksum".into(), Some("4711".into()))));
            let missing = tables(&places, &table, |rows, at| drop(rows.remove(at)));
            all.push(History::new(format!("{title} has another checksum"), fails, other));
            all.push(History::new(format!("{title} is missing"), fails, missing));
        }
        all.extend(histories(
            &asked,
            [
                ("not there", noticed, answered(places.clone(), unreachable())),
                ("no table", noticed, answered(places.clone(), SqlAnswer::Rows(Vec::new()))),
                ("not asked", noticed, dropped(places.clone())),
            ],
        ));
    }
    all
}
