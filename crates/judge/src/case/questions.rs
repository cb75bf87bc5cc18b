//! Questions to servers, to pods and to DNS.

use super::{Case, Seen};
use crate::Finding;
use crate::assessment::Judged;
use crate::evidence::{Checkpoint, Dns, Question, Sql, What};
use crate::words::{during, topic};

/// A stretch of the log in which DNS was asked at one checkpoint and nothing else began. A checkpoint that recurs, such
/// as in a scenario that runs twice, is another stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asking<'a> {
    /// The checkpoint.
    pub checkpoint: &'a Checkpoint,
    /// The first query.
    pub from: u64,
    /// The last query.
    pub to: u64,
    /// The number of scenario boundaries and requested acts before it.
    pub turn: usize,
}

impl<'a> Case<'a> {
    /// The stretches in which a name was queried, in order.
    pub(crate) fn askings(&self, name: &str) -> Vec<Asking<'a>> {
        self.stretches(self.names(self.evidence.index.dns_of(name)))
    }

    /// The stretches in which records of this type were queried, in order.
    pub(crate) fn askings_for(&self, record_type: &str) -> Vec<Asking<'a>> {
        self.stretches(self.names(&self.evidence.index.dns).filter(|dns| dns.it.record_type == record_type))
    }

    fn stretches(&self, asked: impl Iterator<Item = Seen<'a, Dns>>) -> Vec<Asking<'a>> {
        let (records, turns) = (&self.evidence.records, &self.evidence.index.turns);
        let mut stretches: Vec<Asking<'a>> = Vec::new();
        for dns in asked {
            let (checkpoint, seq) = (&dns.it.checkpoint, dns.mark.seq);
            let turn = turns.partition_point(|place| records[*place].seq < seq);
            let mut known = stretches.iter_mut().rev().take_while(|asking| asking.turn == turn);
            match known.find(|asking| asking.checkpoint == checkpoint) {
                Some(asking) => asking.to = seq,
                None => stretches.push(Asking { checkpoint, from: seq, to: seq, turn }),
            }
        }
        stretches
    }

    /// Queries at a checkpoint between two records, in order.
    pub(crate) fn dns_at(
        &self,
        checkpoint: &Checkpoint,
        from: u64,
        to: u64,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Dns>> + use<'a> {
        self.names(self.between(self.evidence.index.dns_at(checkpoint), from, to))
    }

    /// Queries for one name at a checkpoint between two records, in order, regardless of case and trailing dot.
    pub(crate) fn dns_for(
        &self,
        checkpoint: &Checkpoint,
        name: &str,
        from: u64,
        to: u64,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Dns>> + use<'a> {
        self.names(self.between(self.evidence.index.dns_for(checkpoint, name), from, to))
    }

    fn names(&self, places: &'a [usize]) -> impl DoubleEndedIterator<Item = Seen<'a, Dns>> + use<'a> {
        self.seen(places, |what| if let What::Dns(dns) = what { Some(dns) } else { None })
    }

    /// A pod's answers to a question at a checkpoint, as far as they count, in order.
    pub(crate) fn answers(
        &self,
        pod: &str,
        question: Question,
        checkpoint: &Checkpoint,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Sql>> + use<'a> {
        self.answers_between(pod, question, checkpoint, 0, u64::MAX)
    }

    /// The same between two records: a checkpoint recurs if a pod is deleted twice.
    pub(crate) fn answers_between(
        &self,
        pod: &str,
        question: Question,
        checkpoint: &Checkpoint,
        from: u64,
        to: u64,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Sql>> + use<'a> {
        let places = self.between(self.evidence.index.answers(pod, question, checkpoint), from, to);
        let hearing = self.hearing();
        let answers = self.seen(places, |what| if let What::Sql(sql) = what { Some(sql) } else { None });
        answers.filter(move |sql| hearing.counts(sql))
    }

    /// The checkpoints of a question to a pod: the mandatory one first, then all others.
    pub(crate) fn checkpoints(&self, must: Checkpoint, pod: &str, question: Question) -> Vec<Checkpoint> {
        with_others(must, self.evidence.index.checkpoints(pod, question).iter())
    }

    /// A pod's last answer to a question at a checkpoint; inconclusive if it was not asked.
    pub(crate) fn last_answer(&self, pod: &str, question: Question, checkpoint: &Checkpoint) -> Judged<Seen<'a, Sql>> {
        self.answers(pod, question, checkpoint).next_back().ok_or_else(|| unasked(pod, question, checkpoint))
    }
}

/// The inconclusive finding about a question that was not asked.
pub(crate) fn unasked(pod: &str, question: Question, checkpoint: &Checkpoint) -> Finding {
    Finding::inconclusive(format!("{pod} was not asked for {} {}", topic(question), during(checkpoint)), [])
}

/// A checkpoint followed by the others of a list, without duplicates.
pub(crate) fn with_others<'a>(first: Checkpoint, others: impl Iterator<Item = &'a Checkpoint>) -> Vec<Checkpoint> {
    let mut checkpoints = vec![first];
    for other in others {
        if !checkpoints.contains(other) {
            checkpoints.push(other.clone());
        }
    }
    checkpoints
}
