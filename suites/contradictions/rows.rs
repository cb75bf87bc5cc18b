//! Rows that are lost or never existed, writes on replicas, and replicas that resume late or with help.

use steadfast::evidence::{Act, Checkpoint, Question, Row, Scenario, SqlAnswer, What, Write, WriteOutcome};

use super::change::{added_before, dropped, paused, said};
use super::class::{Checks, Class, History, Wanted};
use super::edits::{answered, broken, error, sql, unreachable};
use super::replicas::{asked, histories};
use super::stored::{Acted, Part, Stored};

const SAME: &str = "replication::replicas_hold_the_same_rows";
const JOINS: &str = "replication::new_replica_joins";
const PRIMARY: &str = "replication::primary_recreated_replicas_resume";
const REPLICA: &str = "replication::replica_recreated_catches_up";
const BUDGET: &str = "replication::recovers_within_budget";
const SURVIVE: &str = "persistence::rows_survive_pod_deletion";

/// The classes of this file.
pub(crate) const CLASSES: &[Class] = &[
    Class {
        name: "rows::one_has_other_rows",
        why: "Every row that was acknowledged is there, and none that nobody wrote, wherever rows are read.",
        part: Part::Answers,
        of: other_rows,
    },
    Class {
        name: "rows::one_takes_writes",
        why: "A replica refuses every write that is tried, with error 1290.",
        part: Part::Answers,
        of: writes_taken,
    },
    Class {
        name: "rows::one_was_told",
        why: "What resumes without being told is what is to be shown.",
        part: Part::Answers,
        of: was_told,
    },
    Class {
        name: "rows::the_new_primary_takes_no_writes",
        why: "Replicas go on when they have what the new primary acknowledged, so it must acknowledge something.",
        part: Part::Answers,
        of: no_writes_on_the_primary,
    },
    Class {
        name: "rows::recovery_takes_too_long",
        why: "Every disruption is held to the budgets.",
        part: Part::Answers,
        of: too_long,
    },
];

fn other_rows(stored: &Stored) -> Vec<History> {
    let mut all = Vec::new();
    for asked in asked(stored, Question::Rows) {
        let before = matches!(asked.checkpoint, Checkpoint::BeforeDeletion { .. } | Checkpoint::BeforeKill { .. });
        let checks: Checks = match asked.compared(stored) {
            [JOINS] => &[JOINS],
            _ if before => &[SURVIVE, SAME, REPLICA],
            _ => &[SAME, SURVIVE, PRIMARY, REPLICA],
        };
        let (wanted, noticed) = (Wanted::LeavesGreen(checks), Wanted::LeavesGreen(checks));
        let places = asked.places.clone();
        let rows = |edit: fn(&mut Vec<Row>)| {
            sql(places.clone(), move |sql| {
                if let SqlAnswer::Rows(rows) = &mut sql.answer {
                    edit(rows);
                }
            })
        };
        let phantom = |rows: &mut Vec<Row>| {
            rows.push([("id".to_owned(), Some("99999".to_owned()))].into());
        };
        all.extend(histories(
            &asked,
            [
                ("the first is lost", wanted, rows(|rows| drop(rows.remove(0)))),
                ("the last is lost", wanted, rows(|rows| drop(rows.pop()))),
                ("all are lost", wanted, rows(Vec::clear)),
                ("one that nobody wrote", wanted, rows(phantom)),
                ("not there", noticed, answered(places.clone(), unreachable())),
                ("not asked", noticed, dropped(places.clone())),
            ],
        ));
    }
    all
}

fn writes_taken(stored: &Stored) -> Vec<History> {
    const REFUSE: Checks = &["replication::replicas_refuse_writes"];
    let (fails, noticed) = (Wanted::Fails(REFUSE), Wanted::LeavesGreen(REFUSE));
    let mut all = Vec::new();
    for asked in asked(stored, Question::TryWrite) {
        let places = asked.places.clone();
        all.extend(histories(
            &asked,
            [
                ("taken", fails, answered(places.clone(), SqlAnswer::Rows(Vec::new()))),
                ("refused for another reason", noticed, answered(places.clone(), error(1142))),
                ("not there", noticed, answered(places.clone(), unreachable())),
                ("the probe broke", noticed, answered(places.clone(), broken())),
                ("not tried", noticed, dropped(places.clone())),
            ],
        ));
    }
    all
}

/// The harness sends a statement between the deletion and the proof that the replica resumed.
fn was_told(stored: &Stored) -> Vec<History> {
    let mut all = Vec::new();
    let configured = asked(stored, Question::Configure);
    for barrier in asked(stored, Question::Barrier) {
        let Checkpoint::Deletion { pod: deleted } = &barrier.checkpoint else { continue };
        let wanted = match *deleted == stored.subject.primary() {
            true => Wanted::LeavesGreen(&[PRIMARY]),
            false if *deleted == barrier.pod => Wanted::LeavesGreen(&[REPLICA]),
            false => continue,
        };
        let Some(configure) = configured.iter().find(|asked| asked.pod == barrier.pod) else { continue };
        let What::Sql(statement) = &stored.at(configure.last()).what else { continue };
        let mut statement = statement.clone();
        statement.checkpoint = barrier.checkpoint.clone();
        let change = added_before(barrier.last(), [What::Sql(statement)]);
        all.push(History::new(format!("{}: it is configured again", barrier.title), wanted, change));
    }
    all
}

fn no_writes_on_the_primary(stored: &Stored) -> Vec<History> {
    let after = |checkpoint: &Checkpoint| matches!(checkpoint, Checkpoint::Deletion { pod } if *pod == stored.subject.primary());
    let writes = stored.places(|what| matches!(what, What::Write(write) if after(&write.checkpoint)));
    let outcome = |outcome: WriteOutcome| {
        said(writes.clone(), move |what| {
            if let What::Write(Write { outcome: known, .. }) = what {
                known.clone_from(&outcome);
            }
        })
    };
    let noticed = Wanted::LeavesGreen(&[PRIMARY]);
    let refused = outcome(WriteOutcome::Rejected("read only".into()));
    vec![
        History::new("refused", Wanted::Fails(&[PRIMARY]), refused),
        History::new("not answered", noticed, outcome(WriteOutcome::Unknown("timed out".into()))),
        History::new("not tried", noticed, dropped(writes.clone())),
    ]
}

/// Time passes between a disruption's act and the barrier that proves recovery.
fn too_long(stored: &Stored) -> Vec<History> {
    let mut all = Vec::new();
    let barriers = stored.places(|what| matches!(what, What::Sql(sql) if sql.question == Question::Barrier));
    let resume_us = stored.run().budgets.resume_ms * 1000 + 5_000_000;
    let recovery_us = stored.run().budgets.recovery_ms * 1000 + 5_000_000;
    let acts = stored.acts();
    for (index, Acted { act, asked, proved }) in acts.iter().enumerate() {
        let Some(proved) = proved else { continue };
        let until = acts[index + 1..].iter().map(|next| next.asked).find(|next| next > proved).unwrap_or(u64::MAX);
        let scenario = stored.scenario(*asked);
        // Only for the last act before the barrier, because the recovery counts from it.
        let Some(barrier) = barriers.since(*proved).first().filter(|barrier| *barrier < until) else { continue };
        if matches!(
            scenario,
            Some(Scenario::Deploy | Scenario::Replicate | Scenario::Settle | Scenario::Teardown | Scenario::Claims)
        ) {
            continue;
        }
        let title = format!("{}: {act}", stored.scenario_name(*asked));
        let change = paused(barrier, recovery_us);
        all.push(History::new(format!("{title}: too late for the budget"), Wanted::Fails(&[BUDGET]), change));
        if let (Act::DeletePod { pod, .. }, Some(Scenario::Restart)) = (act, scenario) {
            let check: Checks = if *pod == stored.subject.primary() { &[PRIMARY] } else { &[REPLICA] };
            let change = paused(barrier, resume_us);
            all.push(History::new(format!("{title}: too late to resume"), Wanted::Fails(check), change));
        }
    }
    all
}
