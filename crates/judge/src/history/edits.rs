//! Judges a history, and derives variants of it.

use super::History;
use crate::evidence::{Checkpoint, Phase, Question, SqlAnswer, What};
use crate::{CaseFile, Finding, Verdict, find};

impl History {
    /// The finding of this check's judge alone. Whether its scenarios completed is the catalogue's concern.
    pub fn judge(&self, id: &str) -> Finding {
        (find(id).expect("a check").judge)(&CaseFile::of(&self.evidence()).expect("a run"))
    }

    /// Asserts the verdict of a check, and returns its reason.
    #[track_caller]
    pub fn expect(&self, id: &str, verdict: Verdict) -> String {
        let finding = self.judge(id);
        assert_eq!(finding.verdict, verdict, "{id}: {}", finding.reason);
        assert!(!finding.reason.is_empty(), "{id} gives no reason");
        finding.reason
    }

    /// Edits every record.
    pub fn edit(mut self, mut edit: impl FnMut(&mut What)) -> Self {
        self.records.iter_mut().for_each(|record| edit(&mut record.what));
        self
    }

    /// Removes some records.
    pub fn without(mut self, mut unwanted: impl FnMut(&What) -> bool) -> Self {
        self.records.retain(|record| !unwanted(&record.what));
        self
    }

    /// Makes the step of this name fail instead of completing.
    pub fn failing(self, step: impl ToString, why: &str) -> Self {
        let step = step.to_string();
        self.edit(|what| match what {
            What::Step(it) if it.name == step && it.phase == Phase::End => it.phase = Phase::Failed(why.into()),
            _ => {}
        })
    }

    /// Replaces all answers of a pod to a question, at every checkpoint.
    pub fn answering(self, pod: &str, question: Question, answer: SqlAnswer) -> Self {
        self.edit(|what| {
            if let What::Sql(sql) = what
                && (sql.pod.as_str(), sql.question) == (pod, question)
            {
                sql.answer = answer.clone();
            }
        })
    }

    /// Replaces a value in the rows of a pod's answers at the chosen checkpoints.
    pub fn telling(self, pod: &str, at: impl Fn(&Checkpoint) -> bool, column: &str, value: &str) -> Self {
        self.edit(|what| {
            if let What::Sql(sql) = what
                && sql.pod == pod
                && at(&sql.checkpoint)
                && let SqlAnswer::Rows(rows) = &mut sql.answer
            {
                let cells = rows.iter_mut().filter_map(|row| row.get_mut(column));
                cells.for_each(|cell| *cell = Some(value.to_owned()));
            }
        })
    }

    /// Turns the servers into MariaDB: another version, no `server_uuid`, and GTIDs in MariaDB's format.
    pub fn on_mariadb(self) -> Self {
        self.edit(|what| {
            let What::Sql(sql) = what else { return };
            let SqlAnswer::Rows(rows) = &mut sql.answer else { return };
            for (column, cell) in rows.iter_mut().flatten() {
                match column.as_str() {
                    "version" => *cell = Some("10.11.14-MariaDB-log".to_owned()),
                    "server_uuid" => *cell = None,
                    "gtid_executed" | "gtid_set" => {
                        let last = cell.as_deref().and_then(|set| set.rsplit_once('-')).map_or("0", |(_, last)| last);
                        *cell = Some(format!("0-100-{last}"));
                    }
                    _ => {}
                }
            }
        })
    }

    /// Makes commits wait for a replica: the run asks for it, and every write reports it.
    pub fn with_semi_sync(self) -> Self {
        self.edit(|what| match what {
            What::Run(run) => run.semi_sync = true,
            What::Entries(entries) => entries.writes.iter_mut().for_each(|entry| entry.semi_sync = Some(true)),
            _ => {}
        })
    }

    /// Inserts events just before the first record of this kind.
    pub fn preceded(mut self, before: impl Fn(&What) -> bool, happens: impl FnOnce(&mut Self)) -> Self {
        let place = self.records.iter().position(|record| before(&record.what)).expect("such a record");
        let tail = self.records.split_off(place);
        // The inserted records get times of that point; later records keep theirs.
        let end_us = self.now_us;
        self.now_us = self.records.last().map_or(0, |last| last.at_us);
        happens(&mut self);
        self.now_us = end_us;
        let more = (self.records.len() - place) as u64;
        let first = tail.first().map_or(u64::MAX, |record| record.seq);
        self.records.extend(tail.into_iter().map(|mut record| {
            record.seq += more;
            if let What::Fault(fault) = &mut record.what {
                fault.proof.iter_mut().flatten().filter(|seq| **seq >= first).for_each(|seq| *seq += more);
            }
            record
        }));
        self
    }

    /// Inserts a gap of a watch just before the first record of this kind.
    pub fn lost(self, object_kind: &str, before: impl Fn(&What) -> bool) -> Self {
        self.preceded(before, |history| {
            history.gap(object_kind);
        })
    }

    /// Inserts a claim of this name, bound to this volume, just before a pod's life begins.
    pub fn with_claim_before(self, pod: &str, claim: &str, uid: &str, volume: &str) -> Self {
        let begins = |what: &What| matches!(what, What::Object(event) if event.object["metadata"]["uid"] == pod);
        self.preceded(begins, |history| history.bound(claim, uid, volume))
    }
}
