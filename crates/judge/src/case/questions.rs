//! What was asked of servers, of pods and of DNS.

use crate::evidence::{Checkpoint, Dns, Question, Sql, What};

use super::{
    super::{
        Finding,
        assessment::Judged,
        words::{during, topic},
    },
    Case, Seen,
};

/// A stretch of the log in which DNS was asked at one moment, while nothing else began. A moment that comes again, such
/// as one of a scenario that is acted twice, is another stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Asking<'a> {
    /// The moment.
    pub checkpoint: &'a Checkpoint,
    /// The first question.
    pub from: u64,
    /// The last question.
    pub to: u64,
    /// How much had begun before.
    pub turn: usize,
}

impl<'a> Case<'a> {
    /// When a name was asked for, in order.
    pub fn askings(&self, name: &str) -> Vec<Asking<'a>> {
        self.stretches(self.names(self.evidence.index.dns_of(name)))
    }

    /// When names of this record type were asked for, in order.
    pub fn askings_for(&self, record_type: &str) -> Vec<Asking<'a>> {
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

    /// Names that were asked for at a moment and between two records, in order.
    pub fn dns_at(
        &self,
        checkpoint: &Checkpoint,
        from: u64,
        to: u64,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Dns>> + use<'a> {
        self.names(self.between(self.evidence.index.dns_at(checkpoint), from, to))
    }

    /// Questions for one name, however it was written, at a moment and between two records, in order.
    pub fn dns_for(
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

    /// The answers of one pod to one question at one moment that count, in order.
    pub fn answers(
        &self,
        pod: &str,
        question: Question,
        checkpoint: &Checkpoint,
    ) -> impl DoubleEndedIterator<Item = Seen<'a, Sql>> + use<'a> {
        self.answers_between(pod, question, checkpoint, 0, u64::MAX)
    }

    /// The same between two records: a moment comes again where a pod is deleted again.
    pub fn answers_between(
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

    /// The moments at which a pod was asked a question: this one, at which it must have been, and whichever others.
    pub fn checkpoints(&self, must: Checkpoint, pod: &str, question: Question) -> Vec<Checkpoint> {
        with_others(must, self.evidence.index.checkpoints(pod, question).iter())
    }

    /// The last answer of one pod to one question at one moment; never having asked is a doubt.
    pub fn last_answer(&self, pod: &str, question: Question, checkpoint: &Checkpoint) -> Judged<Seen<'a, Sql>> {
        self.answers(pod, question, checkpoint).next_back().ok_or_else(|| unasked(pod, question, checkpoint))
    }
}

/// The doubt that is left by a question that nobody asked.
pub(in super::super) fn unasked(pod: &str, question: Question, checkpoint: &Checkpoint) -> Finding {
    Finding::inconclusive(format!("{pod} was not asked for {} {}", topic(question), during(checkpoint)), [])
}

/// A moment and the others of a list, each once.
pub(in super::super) fn with_others<'a>(
    first: Checkpoint,
    others: impl Iterator<Item = &'a Checkpoint>,
) -> Vec<Checkpoint> {
    let mut checkpoints = vec![first];
    for other in others {
        if !checkpoints.contains(other) {
            checkpoints.push(other.clone());
        }
    }
    checkpoints
}
