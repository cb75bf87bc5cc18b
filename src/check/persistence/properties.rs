//! Random histories of rows, judged a second time by brute force: no false pass and no false failure.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::{
    check::{
        Verdict::{self, Fail, Inconclusive, Pass},
        history::{History, broken, error, refused, row},
    },
    evidence::{Act, Moment, Question, SqlAnswer, What, Write, WriteOutcome},
};

/// How a write ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Outcome {
    Acknowledged,
    Rejected,
    Unknown,
}

/// What a server says when it is asked for its rows.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// All that were written, but for those whose id is a multiple of this.
    AllBut(u64),
    Nothing,
    Error,
    Unreachable,
    Broken,
}

/// What becomes of a pod that was deleted.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Return {
    Ready,
    InVain,
    NoRoom,
    Unseen,
}

/// A pod's deletion, with what comes before and after it.
#[derive(Debug, Clone)]
struct Deletion {
    pod: usize,
    killed: bool,
    writes: Vec<Outcome>,
    before: Option<Answer>,
    comes: Return,
    /// Whether the answer is that of the pod which was deleted, come late.
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

fn deletion((pod, killed): (usize, bool)) -> impl Strategy<Value = Deletion> {
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
    (prop::collection::vec(outcome, 0..4), before, comes, after)
        .prop_map(move |(writes, before, comes, after)| Deletion { pod, killed, writes, before, comes, after })
}

/// Some of the deletions of two pods, each with a grace period and without, in any order.
fn deletions() -> impl Strategy<Value = Vec<Deletion>> {
    let kinds = vec![(0, false), (1, false), (0, true), (1, true)];
    prop::sample::subsequence(kinds, 1..=4)
        .prop_shuffle()
        .prop_flat_map(|kinds| kinds.into_iter().map(deletion).collect::<Vec<_>>())
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

/// The ledger as the brute force knows it.
#[derive(Default)]
struct Ledger {
    written: u64,
    acknowledged: BTreeSet<u64>,
}

impl Deletion {
    fn tell(&self, history: &mut History, ledger: &mut Ledger) {
        let pod = format!("mysql-{}", self.pod);
        let (before, after) = if self.killed {
            (Moment::BeforeKill { pod: pod.clone() }, Moment::Kill { pod: pod.clone() })
        } else {
            (Moment::BeforeDeletion { pod: pod.clone() }, Moment::Deletion { pod: pod.clone() })
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
            let (id, moment, uid) = (ledger.written, before.clone(), history.uid(&pod));
            history.push(What::Write(Write { id, pod: pod.clone(), uid, moment, outcome }));
        }
        if let Some(answer) = self.before {
            history.sql(&before, &pod, Question::Rows, answer.told(ledger.written));
        }
        let old = history.uid(&pod);
        let act = Act::DeletePod { pod: pod.clone(), uid: old.clone(), grace_s: self.killed.then_some(0) };
        history.fault(act.clone());
        let gone = if self.killed { history.deleted(&pod) } else { history.goes(&pod) };
        history.proved(act, gone);
        history.added(&pod);
        match self.comes {
            Return::Ready => drop(history.ready(&pod)),
            Return::InVain => drop(history.expired(&format!("{pod} Ready"), "Running, not Ready")),
            Return::NoRoom => drop(history.expired(&format!("{pod} Ready"), "0/3 nodes are available")),
            Return::Unseen => {}
        }
        for (answer, late) in &self.after {
            history.sql(&after, if *late { &old } else { &pod }, Question::Rows, answer.told(ledger.written));
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
        // The first that says anything counts: what comes later a replica may have fetched again.
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
    fn judge_agrees_with_brute_force(deletions in deletions(), kills in any::<bool>()) {
        let mut history = History::of(2).edit(|what| {
            if let What::Run(run) = what {
                run.scenarios.retain(|scenario| kills || scenario != "unready");
            }
        });
        history.starts("mysql-0");
        history.starts("mysql-1");
        let (mut ledger, mut verdicts) = (Ledger::default(), Vec::new());
        for deletion in &deletions {
            deletion.tell(&mut history, &mut ledger);
            verdicts.push(deletion.verdict(&ledger));
        }
        let deleted = |pod, killed| deletions.iter().any(|it| it.pod == pod && it.killed == killed);
        let unseen = !deleted(0, false) || !deleted(1, false) || (kills && !deleted(0, true) && !deleted(1, true));
        let expected = if verdicts.contains(&Fail) {
            Fail
        } else if unseen || verdicts.contains(&Inconclusive) {
            Inconclusive
        } else {
            Pass
        };
        let found = history.judge("persistence::rows_survive_pod_deletion");
        prop_assert_eq!(found.verdict, expected, "{}", found.reason);
    }
}
