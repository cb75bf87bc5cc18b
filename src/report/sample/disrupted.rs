//! A run with a ledger: the cost of disruptions, what was only read back, and what was left out.

use super::{
    Act, Checkpoint, Entries, Entry, EventType, Evidence, Fault, Lag, LeftOut, Phase, Question, Sql, SqlAnswer, Story,
    What, WriteOutcome, uid,
};
use crate::evidence::Scenario;

/// How far the witness's clock is ahead of the log's clock, in milliseconds.
const AHEAD_MS: u64 = 3_000;

/// A run that deletes a replica and then the primary while the witness writes. The second deletion takes too long.
pub(crate) fn disrupted_evidence() -> Evidence {
    let mut story = Story::default();
    story.cluster();
    if let Some(What::Run(run)) =
        story.0.iter_mut().map(|record| &mut record.what).find(|it| matches!(it, What::Run(_)))
    {
        run.budgets.recovery_ms = 25_000;
        run.budgets.lag_ms = 500;
        run.scenarios.push(Scenario::Settle);
        let why = "nodes of a cluster that was there before are left alone".into();
        run.left_out = vec![LeftOut { scenario: Scenario::Drain, why }];
    }
    story.deployed();
    for ordinal in 0..3 {
        story.answer(81_100, &Checkpoint::Deployed, ordinal, Question::Identity, &[("version", "5.7.22-log")]);
        let settings = [("innodb_flush_log_at_trx_commit", "1"), ("relay_log_recovery", "1"), ("sync_binlog", "1")];
        story.answer(81_100, &Checkpoint::Deployed, ordinal, Question::Settings, &settings);
    }
    let start = Act::StartLedger { writers: 1, per_second: 4 };
    story.at(81_200, What::Fault(Fault { act: start, proof: None }));
    let act = story.deletion();
    story.comes_back(1, &act, (87_300, 106_200));
    let act = Act::DeletePod { pod: "mysql-0".into(), uid: uid(0, 1), grace_s: None };
    story.at(110_000, What::Fault(Fault { act: act.clone(), proof: None }));
    story.comes_back(0, &act, (113_000, 138_000));
    story.step(141_000, Scenario::Restart, Scenario::Restart, Phase::End);
    story.writes(150_000, |at_ms| !(110_100..138_000).contains(&at_ms));
    story.teardown(151_000);
    Evidence::new(story.0)
}

impl Story {
    fn answer(&mut self, ms: u64, checkpoint: &Checkpoint, ordinal: u32, question: Question, row: &[(&str, &str)]) {
        self.answer_of(ms, checkpoint, (ordinal, 1), question, row);
    }

    fn answer_of(
        &mut self,
        ms: u64,
        checkpoint: &Checkpoint,
        (ordinal, life): (u32, u32),
        question: Question,
        row: &[(&str, &str)],
    ) {
        let row = row.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect();
        let (pod, uid, checkpoint) = (format!("mysql-{ordinal}"), uid(ordinal, life), checkpoint.clone());
        let (statements, answer) = (Vec::new(), SqlAnswer::Rows(vec![row]));
        self.at(ms, What::Sql(Sql { checkpoint, pod, uid, question, statements, took_us: 900, answer }));
    }

    /// The deleted pod goes, comes back, and the replicas catch up.
    fn comes_back(&mut self, ordinal: u32, act: &Act, (gone, ready): (u64, u64)) {
        let deleted = self.pod(gone, EventType::Deleted, ordinal, 1, false, true);
        self.at(gone + 10, What::Fault(Fault { act: act.clone(), proof: Some(vec![deleted]) }));
        self.pod(gone + 200, EventType::Added, ordinal, 2, false, false);
        self.pod(ready, EventType::Modified, ordinal, 2, true, false);
        let checkpoint = Checkpoint::Deletion { pod: format!("mysql-{ordinal}") };
        for (replica, life) in [(1, 2), (2, 1)] {
            let reached = [("gtid_set", "3e11fa47-71ca-11e1-9e33-c80aa9429560:1-9"), ("reached", "1")];
            let at = ready + 1_500 + u64::from(replica);
            self.answer_of(at, &checkpoint, (replica, life), Question::Barrier, &reached);
        }
    }

    /// The witness reports all its writes since the start of the ledger, four for each second.
    fn writes(&mut self, ms: u64, taken: impl Fn(u64) -> bool) {
        let (mut writes, mut lags) = (Vec::new(), Vec::new());
        for (id, at_ms) in (1..).zip((81_200..ms).step_by(250)) {
            let outcome = if taken(at_ms) {
                WriteOutcome::Acknowledged
            } else {
                WriteOutcome::Unknown("connection refused".into())
            };
            let sent_us = (at_ms + AHEAD_MS) * 1000;
            writes.push(Entry { id, sent_us, ended_us: sent_us + 3_000, outcome, semi_sync: None });
            let behind_us = [Some(1_000 + id % 7 * 100), (!(86_000..=106_200).contains(&at_ms)).then_some(2_400)];
            for (pod, behind_us) in ["mysql-2", "mysql-1"].into_iter().zip(behind_us) {
                lags.push(Lag { pod: pod.into(), at_us: sent_us, behind_us });
            }
        }
        self.at(ms, What::Entries(Entries { now_us: (ms + AHEAD_MS) * 1000, writes, lags, ..Entries::default() }));
    }
}
