//! Random histories of rows, judged a second time by brute force: no false pass and no false failure.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::Verdict::{self, Fail, Inconclusive, Pass};
use crate::evidence::{Act, Checkpoint, Question, Scenario, SqlAnswer, What, Write, WriteOutcome};
use crate::history::{History, broken, error, refused, row};

/// How a write ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Acknowledged,
    Rejected,
    Unknown,
}

/// A server's answer about its rows.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// All that were written, except ids that are multiples of this.
    AllBut(u64),
    Nothing,
    Error,
    Unreachable,
    Broken,
}

/// How a deleted pod comes back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Return {
    Ready,
    InVain,
    NoRoom,
    Unseen,
}

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum How {
    Deleted,
    Killed,
    /// Only the server, not its pod.
    Crashed,
}

/// The end of a pod, or of its server alone, with what comes before and after it.
#[derive(Debug, Clone)]
struct Deletion {
    pod: usize,
    how: How,
    writes: Vec<Outcome>,
    before: Option<Answer>,
    comes: Return,
    /// The answer of a server whose crash is not proved yet.
    early: Option<Answer>,
    /// The answers; the flag says that the answer is a late one of another pod.
    after: Vec<(Answer, bool)>,
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        12 => Just(Answer::AllBut(u64::MAX)),
        2 => (1..9_u64).prop_map(Answer::AllBut),
        1 => Just(Answer::Nothing),
        1 => Just(Answer::Error),
        1 => Just(Answer::Unreachable),
        1 => Just(Answer::Broken),
    ]
}

fn deletion((pod, how): (usize, How)) -> impl Strategy<Value = Deletion> {
    let outcome =
        prop_oneof![6 => Just(Outcome::Acknowledged), 1 => Just(Outcome::Rejected), 1 => Just(Outcome::Unknown)];
    let comes = prop_oneof![
        12 => Just(Return::Ready),
        1 => Just(Return::InVain),
        1 => Just(Return::NoRoom),
        1 => Just(Return::Unseen),
    ];
    let after = prop::collection::vec((answer(), prop::bool::weighted(0.1)), 0..3);
    let before = prop::option::weighted(0.95, answer());
    let early = prop::option::weighted(0.1, answer());
    (prop::collection::vec(outcome, 0..4), before, comes, early, after).prop_map(
        move |(writes, before, comes, early, after)| Deletion { pod, how, writes, before, comes, early, after },
    )
}

/// Some of the ends of two pods, each in every manner, in any order.
fn deletions() -> impl Strategy<Value = Vec<Deletion>> {
    let kinds = [How::Deleted, How::Killed, How::Crashed].into_iter().flat_map(|how| [(0, how), (1, how)]);
    prop::sample::subsequence(kinds.collect::<Vec<_>>(), 1..=6)
        .prop_shuffle()
        .prop_flat_map(|kinds| kinds.into_iter().map(deletion).collect::<Vec<_>>())
        .prop_map(|deletions| {
            let mut told: Vec<Deletion> = Vec::new();
            for mut next in deletions {
                // Both kinds of kill ask at the same checkpoint: without a second question the earlier answer would
                // count.
                let killed = |it: &Deletion| it.pod == next.pod && it.how != How::Deleted;
                if killed(&next) && told.iter().any(killed) {
                    next.before.get_or_insert(Answer::Broken);
                }
                // Only the server of a Ready pod is killed.
                if next.how != How::Crashed || told.iter().all(|it| it.pod != next.pod || it.comes == Return::Ready) {
                    told.push(next);
                }
            }
            told
        })
}

impl Answer {
    fn ids(self, written: u64) -> Option<BTreeSet<u64>> {
        match self {
            Self::AllBut(missing) => Some((1..=written).filter(|id| id % missing != 0).collect()),
            Self::Nothing => Some(BTreeSet::new()),
            _ => None,
        }
    }

    fn told(self, written: u64) -> SqlAnswer {
        match self {
            Self::Error => error(1146, "Table 'steadfast.ledger' doesn't exist"),
            Self::Unreachable => refused(),
            Self::Broken => broken(),
            Self::AllBut(_) | Self::Nothing => {
                let ids = self.ids(written).into_iter().flatten();
                SqlAnswer::Rows(ids.map(|id| row([("id", &id.to_string())])).collect())
            }
        }
    }
}

/// The ledger as the brute-force judge knows it.
#[derive(Default)]
struct Ledger {
    written: u64,
    acknowledged: BTreeSet<u64>,
}

impl Deletion {
    fn tell(&self, history: &mut History, ledger: &mut Ledger) {
        let pod = format!("mysql-{}", self.pod);
        let (before, after) = if self.how == How::Deleted {
            (Checkpoint::BeforeDeletion { pod: pod.clone() }, Checkpoint::Deletion { pod: pod.clone() })
        } else {
            (Checkpoint::BeforeKill { pod: pod.clone() }, Checkpoint::Kill { pod: pod.clone() })
        };
        for outcome in &self.writes {
            ledger.written += 1;
            let outcome = match outcome {
                Outcome::Acknowledged => WriteOutcome::Acknowledged,
                Outcome::Rejected => WriteOutcome::Rejected("1290".into()),
                Outcome::Unknown => WriteOutcome::Unknown("timed out".into()),
            };
            if outcome == WriteOutcome::Acknowledged {
                ledger.acknowledged.insert(ledger.written);
            }
            let (id, checkpoint, uid) = (ledger.written, before.clone(), history.uid(&pod));
            history.push(What::Write(Write { id, pod: pod.clone(), uid, checkpoint, outcome }));
        }
        if let Some(answer) = self.before {
            history.sql(&before, &pod, Question::Rows, answer.told(ledger.written));
        }
        if self.how == How::Crashed {
            self.crashes(history, &pod, ledger.written);
        } else {
            self.goes(history, &pod);
        }
        for (answer, late) in &self.after {
            history.sql(&after, &pod, Question::Rows, answer.told(ledger.written));
            if let Some(What::Sql(sql)) = history.records.last_mut().map(|record| &mut record.what)
                && *late
            {
                sql.uid = "another".into();
            }
        }
    }

    /// The pod is deleted, and another one comes.
    fn goes(&self, history: &mut History, pod: &str) {
        let grace_s = (self.how == How::Killed).then_some(0);
        let act = Act::DeletePod { pod: pod.to_owned(), uid: history.uid(pod), grace_s };
        history.fault(act.clone());
        let gone = if self.how == How::Killed { history.deleted(pod) } else { history.goes(pod) };
        history.proved(act, gone);
        history.added(pod);
        self.comes(history, pod);
    }

    /// The server ends, and another one comes, which alone proves that it ended.
    fn crashes(&self, history: &mut History, pod: &str, written: u64) {
        let act = Act::KillServer { pod: pod.to_owned(), uid: history.uid(pod) };
        history.fault(act.clone());
        history.server_starts_again(pod, 137);
        history.unready(pod);
        if let Some(answer) = self.early {
            history.sql(&Checkpoint::Kill { pod: pod.to_owned() }, pod, Question::Rows, answer.told(written));
        }
        let last = self.comes(history, pod);
        if self.comes == Return::Ready {
            history.proved(act, last);
        }
    }

    /// The successor comes or does not; returns the last record.
    fn comes(&self, history: &mut History, pod: &str) -> u64 {
        match self.comes {
            Return::Ready => history.ready(pod),
            Return::InVain => history.expired(&format!("{pod} Ready"), "Running, not Ready"),
            Return::NoRoom => history.expired(&format!("{pod} Ready"), "0/3 nodes are available"),
            Return::Unseen => 0,
        }
    }

    fn verdict(&self, ledger: &Ledger) -> Verdict {
        let Some(held) = self.before.and_then(|answer| answer.ids(ledger.written)) else { return Inconclusive };
        let held: BTreeSet<u64> = held.intersection(&ledger.acknowledged).copied().collect();
        if held.is_empty() {
            return Inconclusive;
        }
        match self.comes {
            Return::Ready => {}
            Return::InVain => return Fail,
            Return::NoRoom | Return::Unseen => return Inconclusive,
        }
        // The first usable answer counts: later a replica may have fetched rows again.
        for (answer, late) in &self.after {
            match answer {
                _ if *late => {}
                Answer::Broken => {}
                Answer::Error | Answer::Unreachable => return Fail,
                Answer::AllBut(_) | Answer::Nothing => {
                    let there = answer.ids(ledger.written).unwrap_or_default();
                    return if held.is_subset(&there) { Pass } else { Fail };
                }
            }
        }
        Inconclusive
    }
}

proptest! {
    #[test]
    fn judge_agrees_with_brute_force(deletions in deletions(), planned in any::<(bool, bool)>()) {
        let (kills, crashes) = planned;
        let mut history = History::of(2).edit(|what| {
            if let What::Run(run) = what {
                run.scenarios.retain(|it| (kills || *it != Scenario::Unready) && (crashes || *it != Scenario::ServerKill));
            }
        });
        history.starts("mysql-0");
        history.starts("mysql-1");
        let (mut ledger, mut verdicts) = (Ledger::default(), Vec::new());
        for deletion in &deletions {
            deletion.tell(&mut history, &mut ledger);
            verdicts.push(deletion.verdict(&ledger));
        }
        let ended = |how| deletions.iter().filter(move |it| it.how == how).count();
        let not_seen =
            ended(How::Deleted) < 2 || (kills && ended(How::Killed) == 0) || (crashes && ended(How::Crashed) == 0);
        let expected = if verdicts.contains(&Fail) {
            Fail
        } else if not_seen || verdicts.contains(&Inconclusive) {
            Inconclusive
        } else {
            Pass
        };
        let found = history.judge("persistence::rows_survive_pod_deletion");
        prop_assert_eq!(found.verdict, expected, "{}", found.reason);
    }
}
