//! The ledger that the witness keeps: a write every half second, whatever happens to the workload.

use super::History;
use crate::evidence::{Act, Checkpoint, Entries, Entry, Lag, Phase, Scenario, What, WriteOutcome};
use crate::mysql::intervals::Intervals;

/// How far the witness's clock is ahead of the log's.
const AHEAD_US: u64 = 5_000_000;
const EVERY_US: u64 = 500_000;
/// The time from sending a write to its acknowledgement.
const TOOK_US: u64 = 4_000;
/// How long the workload is left alone at the end.
const REST_MS: u64 = 15_000;

/// The witness's writes.
#[derive(Clone, Default)]
pub(super) struct Witness {
    /// When it writes next; `None` while the ledger is not running.
    next_us: Option<u64>,
    written: u64,
    /// The writes that are in the table.
    pub(super) there: Intervals,
    /// When each pod's server began and stopped to serve.
    serving: Vec<(String, u64, bool)>,
}

impl Witness {
    /// A pod's server begins or stops to serve.
    pub(super) fn sees(&mut self, pod: &str, at_us: u64, serves: bool) {
        self.serving.push((pod.to_owned(), at_us, serves));
    }

    fn serves(&self, pod: &str, at_us: u64) -> bool {
        let of_pod = self.serving.iter().rev().find(|(name, since_us, _)| name == pod && *since_us <= at_us);
        of_pod.is_some_and(|(.., serves)| *serves)
    }
}

impl History {
    /// The ledger starts.
    pub fn ledger_starts(&mut self) {
        let act = Act::StartLedger { writers: 1, per_second: 2 };
        let asked = self.fault(act.clone());
        self.witness.next_us = Some(self.now_us);
        self.proved(act, asked);
    }

    /// The witness hands over its writes since the last time. The first of several unanswered writes is in the table
    /// all the same.
    pub fn hands_over(&mut self) {
        let Some(mut next_us) = self.witness.next_us else { return };
        let (primary, replicas) = (self.subject.primary(), self.replicas());
        let (mut writes, mut lags, mut answered) = (Vec::new(), Vec::new(), true);
        while next_us + TOOK_US < self.now_us {
            let (id, acknowledged) = (self.witness.written + 1, self.witness.serves(&primary, next_us));
            let outcome = if acknowledged {
                WriteOutcome::Acknowledged
            } else {
                WriteOutcome::Unknown("connection refused".into())
            };
            if acknowledged || std::mem::take(&mut answered) {
                self.witness.there.insert(id, id);
            }
            let sent_us = next_us + AHEAD_US;
            writes.push(Entry { id, sent_us, ended_us: sent_us + TOOK_US, outcome, semi_sync: None });
            for (pod, behind_us) in replicas.iter().zip(2_000..) {
                let behind_us = self.witness.serves(pod, next_us).then_some(behind_us);
                lags.push(Lag { pod: pod.clone(), at_us: sent_us + TOOK_US, behind_us });
            }
            self.witness.written = id;
            next_us += EVERY_US;
        }
        self.witness.next_us = Some(next_us);
        // The record is a millisecond later than now.
        let now_us = self.now_us + 1_000 + AHEAD_US;
        self.push(What::Entries(Entries { now_us, writes, lags, asked_us: Some(self.now_us), ..Entries::default() }));
    }

    /// The witness writes for a while and ends; then everything is read.
    pub fn settle(&mut self) {
        self.step(Scenario::Settle, Phase::Begin);
        self.pass_ms(REST_MS);
        self.fault(Act::StopLedger);
        self.hands_over();
        self.witness.next_us = None;
        let last = self.records.last().map_or(0, |last| last.seq);
        self.proved(Act::StopLedger, last);
        let checkpoint = Checkpoint::Settled;
        self.compared(&checkpoint);
        for pod in self.pod_names() {
            self.entries(&checkpoint, &pod);
        }
        self.step(Scenario::Settle, Phase::End);
    }
}
