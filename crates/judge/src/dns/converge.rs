//! How long one asker got wrong answers, whatever it asked and over whatever transport.

use super::corefile::Budget;
use super::query::{Data, Right, Rule, Truth, at};
use crate::Finding;
use crate::assessment::Judged;
use crate::case::out_of_time;
use crate::evidence::{Change, Clocks, Lasted, Mark};
use crate::words::seconds;

/// One answer that an asker got.
pub(super) struct Heard {
    /// The record.
    pub mark: Mark,
    /// Microseconds from the query to the answer.
    pub took_us: u64,
    /// The answer, or why there was none.
    pub said: Result<Said, String>,
}

/// An answer.
pub(super) struct Said {
    /// Whether the name exists; `None` if the answer does not say.
    pub exists: Option<bool>,
    /// The data of its records.
    pub data: Data,
    /// The answer in words.
    pub words: String,
}

/// The result of judging the answers to a name.
pub(super) struct Settled {
    /// The longest time from the last change until the answers stayed right, in microseconds; `None` if none was wrong.
    pub latency_us: Option<u64>,
    /// The records of the last answers.
    pub last: Vec<u64>,
}

impl Settled {
    /// The latency in words.
    pub(super) fn after(&self) -> String {
        self.latency_us.map_or("from the first query".to_owned(), |latency| format!("after {}", seconds(latency)))
    }
}

/// What the answers must be.
pub(super) struct Expected<'q> {
    /// The right data, change by change.
    pub truth: &'q Truth,
    /// Which other data is allowed.
    pub rule: &'q Rule,
    /// Since when the server exists, if it replaced another one: a new server must first learn the names.
    pub new_since: Option<Mark>,
    /// Which stretches of time are in doubt.
    pub clocks: &'q Clocks,
}

/// Judges the answers that one asker got, in order: the last one must be right, and none may have been wrong too late.
pub(super) fn converged(question: &str, heard: &[Heard], query: &Expected<'_>, budget: &Budget) -> Judged<Settled> {
    let last = heard.last().expect("askers are those who asked");
    let seq = last.mark.seq;
    let Some(now) = at(query.truth, seq) else {
        let reason = format!("{question} was answered at #{seq}, but the pods of the name are unknown");
        return Err(Finding::inconclusive(reason, [seq]));
    };
    let since = query.new_since.map_or(now.since, |new| new.max(now.since));
    let now = &Change { since, value: now.value.clone() };
    // Answers from before the last change are judged by another truth, and may have arrived before the watch event.
    let current = heard.iter().filter(|heard| heard.mark.seq >= now.since.seq);
    let current: Vec<_> = current.map(|heard| (heard, heard.worth(query.rule, &now.value))).collect();
    let wrong_ones = || current.iter().rev().filter(|(_, worth)| *worth == Worth::Wrong);
    let in_time = |heard: &Heard| heard.sent_after(now, query.clocks).is_within(budget.ms.saturating_mul(1000));
    let late = wrong_ones().find(|(heard, _)| in_time(heard) == Some(false));
    let in_doubt = wrong_ones().find(|(heard, _)| in_time(heard).is_none());
    let last_wrong = current.iter().rposition(|(_, worth)| *worth == Worth::Wrong);
    let since_then = &current[last_wrong.unwrap_or(0)..];
    let right = since_then.iter().find(|(_, worth)| *worth == Worth::Right).map_or(last, |(heard, _)| *heard);
    match (last.worth(query.rule, &now.value), late) {
        (Worth::Right, None) => {
            if let Some((stale, _)) = in_doubt {
                let what = format!("whether {question} was correct in time");
                let lasted = stale.sent_after(now, query.clocks);
                return Err(out_of_time(&what, lasted.doubt, [now.since.seq, stale.mark.seq]));
            }
            let latency_us = last_wrong.map(|_| right.mark.at_us.saturating_sub(now.since.at_us));
            Ok(Settled { latency_us, last: vec![seq] })
        }
        (Worth::Right, Some((stale, _))) => Err(right_too_late(question, stale, right, now, budget)),
        (_, Some((stale, _))) => Err(Finding::fail(wrong(question, stale, now), [stale.mark.seq, now.since.seq])),
        (Worth::Wrong, None) => {
            let (limit, why) = (seconds(budget.ms * 1000), &budget.why);
            let reason = format!(
                "{}; it was queried within {limit} ({why}), so it may only be late",
                wrong(question, last, now)
            );
            Err(Finding::inconclusive(reason, [seq, now.since.seq]))
        }
        (Worth::Nothing, None) => {
            Err(Finding::inconclusive(format!("{question} was not answered: {} (#{seq})", last.words()), [seq]))
        }
    }
}

/// The value of an answer.
#[derive(PartialEq)]
enum Worth {
    Right,
    Wrong,
    Nothing,
}

impl Heard {
    fn worth(&self, rule: &Rule, right: &Right) -> Worth {
        let Ok(said) = &self.said else { return Worth::Nothing };
        if right.accepts(rule, said.exists, &said.data) { Worth::Right } else { Worth::Wrong }
    }

    /// How long after a change the query was sent.
    fn sent_after<'c>(&self, now: &Change<Right>, clocks: &'c Clocks) -> Lasted<'c> {
        clocks.lasted(now.since.at_us, self.mark.at_us.saturating_sub(self.took_us))
    }

    fn words(&self) -> &str {
        self.said.as_ref().map_or_else(String::as_str, |said| &said.words)
    }
}

fn wrong(question: &str, heard: &Heard, now: &Change<Right>) -> String {
    let (words, after) = (heard.words(), after(heard, now));
    let must = now.value.words();
    let (seq, since) = (heard.mark.seq, now.since.seq);
    format!(
        "the last answer to {question} was {words} at #{seq}, {after} after the last change (#{since}); it must be \
         {must}"
    )
}

fn right_too_late(question: &str, stale: &Heard, right: &Heard, now: &Change<Right>, budget: &Budget) -> Finding {
    let (limit, why) = (seconds(budget.ms * 1000), &budget.why);
    let reason = format!(
        "{question} was correct only {} after the last change (#{}), not within {limit} ({why}); still wrong at #{}",
        after(right, now),
        now.since.seq,
        stale.mark.seq
    );
    Finding::fail(reason, [now.since.seq, stale.mark.seq, right.mark.seq])
}

/// How long after the last change an answer came.
fn after(heard: &Heard, now: &Change<Right>) -> String {
    seconds(heard.mark.at_us.saturating_sub(now.since.at_us))
}
