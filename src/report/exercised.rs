//! What the run exercised, what it only read back, and what it left out. Without this a report claims too much.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use crate::check::Outcome;
use crate::check::measure::Measures;
use crate::evidence::{
    Act, Evidence, PowerCut, Question, Record, Replication, Row, Run, Scenario, SnapshotOf, Sql, SqlAnswer, What,
};

/// How far something was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    /// It was done, and its effect was judged.
    Exercised,
    /// The servers reported it, but nothing was done that tests it.
    ReadBack,
    /// It is switched off.
    Off,
    /// It was not done.
    LeftOut,
}

/// Something that a run can test, and how far it was tested.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Exercise {
    /// What was tested.
    pub(super) what: String,
    /// How far it was tested.
    pub(super) how: How,
    /// The same as a sentence.
    pub(super) text: String,
}

impl Exercise {
    fn new(what: &str, how: How, text: String) -> Self {
        Self { what: what.to_owned(), how, text }
    }
}

/// What was tested and how far. Empty for a run that never started.
pub(super) fn exercised(outcome: &Outcome<'_>) -> Vec<Exercise> {
    let evidence = outcome.evidence;
    let (Some(run), Some(measures)) = (evidence.run(), outcome.measures()) else { return Vec::new() };
    let mut all = Vec::from_iter(disruptions(measures));
    all.push(power_cuts(evidence, measures).unwrap_or_else(|| durability(evidence)));
    if run.subject.replicas > 1 {
        all.push(semi_sync(evidence, run, measures));
    }
    if run.replication == Replication::Observed {
        let text = "replication was configured by the workload itself: looked at, and never told anything";
        all.push(Exercise::new("replication", How::ReadBack, text.to_owned()));
    }
    all.extend(run.left_out.iter().map(|left_out| {
        let text = format!("{} was left out: {}", left_out.scenario, left_out.why);
        Exercise::new(left_out.scenario.name(), How::LeftOut, text)
    }));
    all
}

fn disruptions(measures: &Measures) -> Option<Exercise> {
    let mut scenarios: Vec<&str> =
        measures.disruptions.iter().filter_map(|it| it.scenario).map(Scenario::name).collect();
    scenarios.dedup();
    let acts: usize = measures.disruptions.iter().map(|it| it.acts.iter().filter(|part| part.proved).count()).sum();
    let text = format!("disruptions: exercised: {acts} proved to have happened, in {}", scenarios.join(", "));
    (acts > 0).then(|| Exercise::new("disruptions", How::Exercised, text))
}

/// The rows of all answers to a question.
fn rows(evidence: &Evidence, question: Question) -> impl Iterator<Item = (&Sql, &Row)> {
    let answers = evidence.records.iter().filter_map(move |record| match &record.what {
        What::Sql(sql) if sql.question == question => Some(sql),
        _ => None,
    });
    answers.flat_map(|sql| match &sql.answer {
        SqlAnswer::Rows(rows) => rows.iter().map(|row| (sql, row)).collect(),
        _ => Vec::new(),
    })
}

const DURABILITY: &str = "durability against power loss";

/// The proved power cuts.
fn power_cuts(evidence: &Evidence, measures: &Measures) -> Option<Exercise> {
    let acts = measures.disruptions.iter().flat_map(|it| &it.acts).filter(|part| part.proved);
    let cuts = acts.filter(|part| matches!(part.act, Act::CutPower { .. })).count();
    let disks: Vec<PowerCut> = evidence.records.iter().filter_map(power_cut).collect();
    let file_systems: BTreeSet<&str> = disks.iter().map(|disk| disk.file_system.as_str()).collect();
    let text = format!(
        "{DURABILITY}: exercised: the power was cut {cuts} times, below {}",
        file_systems.into_iter().collect::<Vec<_>>().join(", ")
    );
    (cuts > 0).then(|| Exercise::new(DURABILITY, How::Exercised, text))
}

fn power_cut(record: &Record) -> Option<PowerCut> {
    match &record.what {
        What::Snapshot(it) if it.of == SnapshotOf::PowerCut => serde_json::from_value(it.value.clone()).ok(),
        _ => None,
    }
}

fn durability(evidence: &Evidence) -> Exercise {
    let what = DURABILITY;
    let mut pods: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (sql, row) in rows(evidence, Question::Settings) {
        let values: Vec<String> =
            row.iter().map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("NULL"))).collect();
        let told = pods.entry(values.join(", ")).or_default();
        if !told.contains(&sql.pod.as_str()) {
            told.push(&sql.pod);
        }
    }
    if pods.is_empty() {
        let text = format!("{what}: neither exercised nor read back");
        return Exercise::new(what, How::LeftOut, text);
    }
    let told: Vec<String> = pods.iter().map(|(values, pods)| format!("{values} on {}", pods.join(", "))).collect();
    let why = "read back, not exercised: deleting pods leaves the page cache alone";
    Exercise::new(what, How::ReadBack, format!("{what}: {}: {why}", told.join("; ")))
}

fn semi_sync(evidence: &Evidence, run: &Run, measures: &Measures) -> Exercise {
    let what = "semi-synchronous replication";
    let on = |row: &Row| {
        let column = |name: &str| row.get(name).and_then(Option::as_deref).unwrap_or_default();
        column("variable_name").ends_with("_enabled") && ["ON", "1"].contains(&column("value"))
    };
    let told_on = rows(evidence, Question::SemiSync).any(|(_, row)| on(row));
    let waited = measures.ledger.as_ref().map(|ledger| (ledger.semi_sync, ledger.writes.acknowledged));
    match waited {
        Some((waited, acknowledged)) if waited > 0 => {
            let text = format!("{what}: exercised on {waited} of {acknowledged} acknowledged writes");
            Exercise::new(what, How::Exercised, text)
        }
        _ if run.semi_sync || told_on => {
            let text = format!("{what}: on, read back, not exercised: no write was seen to wait for a replica");
            Exercise::new(what, How::ReadBack, text)
        }
        _ => Exercise::new(what, How::Off, format!("{what}: off: no commit waited for a replica")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::history::History;
    use crate::evidence::Checkpoint;
    use crate::report::sample;

    /// The sentences about a run whose records are changed.
    fn told(mut change: impl FnMut(&mut What)) -> String {
        let mut records: Vec<Record> = sample::disrupted_evidence().records;
        records.iter_mut().for_each(|record| change(&mut record.what));
        let lines: Vec<String> =
            exercised(&Outcome::with(&Evidence::new(records), [])).into_iter().map(|one| one.text).collect();
        lines.join("\n")
    }

    fn run(what: &mut What, change: impl Fn(&mut Run)) {
        if let What::Run(run) = what {
            change(run);
        }
    }

    #[test]
    fn writes_that_waited_for_a_replica_are_counted() {
        let text = told(|what| {
            if let What::Entries(entries) = what {
                entries.writes.iter_mut().take(100).for_each(|entry| entry.semi_sync = Some(true));
            }
        });
        assert!(text.contains("semi-synchronous replication: exercised on 100 of 164 acknowledged writes"), "{text}");
    }

    #[test]
    fn what_is_on_and_was_not_seen_at_work_is_only_read_back() {
        let expected = "semi-synchronous replication: on, read back, not exercised";
        let text = told(|what| run(what, |run| run.semi_sync = true));
        assert!(text.contains(expected), "{text}");
        let text = told(|what| {
            if let What::Sql(sql) = what
                && sql.checkpoint == Checkpoint::Deployed
            {
                let column = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
                let row = [column("variable_name", "rpl_semi_sync_master_enabled"), column("value", "ON")];
                (sql.question, sql.answer) = (Question::SemiSync, SqlAnswer::Rows(vec![row.into()]));
            }
        });
        assert!(text.contains(expected), "{text}");
        assert!(text.contains("durability against power loss: neither exercised nor read back"), "{text}");
    }

    #[test]
    fn power_cuts_that_are_proved_exercise_durability() {
        let text = |evidence: &Evidence| {
            let all = exercised(&Outcome::with(evidence, []));
            all.into_iter().find(|one| one.what == DURABILITY).map(|one| one.text).unwrap_or_default()
        };
        let cut = History::good();
        let exercised = "durability against power loss: exercised: the power was cut 2 times, below ext4";
        assert_eq!(text(&cut.evidence()), exercised);
        // A kernel that tells nothing has cut nothing.
        let uncut = cut.edit(|what| match what {
            What::Snapshot(it) if it.of == SnapshotOf::PowerCut => it.value["kernel"] = "".into(),
            _ => {}
        });
        assert!(
            text(&uncut.evidence()).ends_with("read back, not exercised: deleting pods leaves the page cache alone")
        );
    }

    #[test]
    fn replication_that_is_the_workloads_own_is_only_looked_at() {
        let text = told(|what| run(what, |run| run.replication = Replication::Observed));
        assert!(text.contains("replication was configured by the workload itself"), "{text}");
        // A single pod has no replica to wait for.
        assert!(!told(|what| run(what, |run| run.subject.replicas = 1)).contains("semi-synchronous"));
    }
}
