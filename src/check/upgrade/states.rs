//! The states that a run read, and the steps between them.

use crate::evidence::{Act, Mark, SnapshotOf, Stage, State};

use super::super::{
    Finding,
    case::Case,
    opinion::Judged,
    words::{seconds, some_of},
};

/// A state and the record that holds it.
pub(super) struct Told {
    /// The record.
    pub mark: Mark,
    /// The state.
    pub state: State,
}

/// Two states that follow one another.
#[derive(Clone, Copy)]
pub(super) struct Step<'s> {
    /// The state before the step.
    pub before: &'s Told,
    /// The state after it.
    pub after: &'s Told,
}

/// The states of a run from the last one on that was read before an upgrade, in order; there are two at least.
pub(super) fn states(case: &Case<'_>) -> Judged<Vec<Told>> {
    let mut states: Vec<Told> = Vec::new();
    for snapshot in case.snapshots(SnapshotOf::State) {
        let (mark, seq) = (snapshot.mark, snapshot.mark.seq);
        let state: State = serde_json::from_value(snapshot.value.clone())
            .map_err(|error| Finding::inconclusive(format!("the state of #{seq} cannot be read: {error}"), [seq]))?;
        if state.stage == Stage::Nothing {
            states.clear();
        }
        states.push(Told { mark, state });
    }
    match &states[..] {
        [] => Err(Finding::inconclusive("no state of the cluster was read, so there is nothing to compare", [])),
        [first, ..] if first.state.stage != Stage::Nothing => {
            let seq = first.mark.seq;
            Err(Finding::inconclusive(format!("no state was read before the upgrade: the first is #{seq}"), [seq]))
        }
        [only] => {
            let seq = only.mark.seq;
            Err(Finding::inconclusive(format!("no state was read after the one before the upgrade (#{seq})"), [seq]))
        }
        _ => Ok(states),
    }
}

/// The steps between states.
pub(super) fn steps(states: &[Told]) -> impl Iterator<Item = Step<'_>> {
    states.windows(2).filter_map(|pair| match pair {
        [before, after] => Some(Step { before, after }),
        _ => None,
    })
}

impl<'s> Step<'s> {
    /// What the step was.
    pub fn stage(&self) -> &'s Stage {
        &self.after.state.stage
    }

    /// The records of both states.
    pub fn seqs(&self) -> [u64; 2] {
        [self.before.mark.seq, self.after.mark.seq]
    }

    /// Both records, to quote.
    pub fn quote(&self) -> String {
        let [before, after] = self.seqs();
        format!("#{before}, #{after}")
    }

    /// That an act of this step is proved; when it was asked for. Where nobody watched there is none.
    pub fn proved(&self, case: &Case<'_>, what: &str, wanted: impl Fn(&Act) -> bool) -> Judged<Mark> {
        let [from, to] = self.seqs();
        let acts = case.acts(wanted);
        let within = acts.iter().rfind(|act| (from..=to).contains(&act.asked.seq));
        let Some(act) = within else {
            let reason = format!("between #{from} and #{to} nobody asked for {what}");
            return Err(Finding::inconclusive(reason, self.seqs()));
        };
        let seq = act.asked.seq;
        match act.proved {
            Some(_) => Ok(act.asked),
            None => Err(Finding::inconclusive(format!("that it came to `{}` is not proved (#{seq})", act.act), [seq])),
        }
    }

    /// How long it took.
    pub fn took(&self) -> String {
        seconds(self.after.mark.at_us.saturating_sub(self.before.mark.at_us))
    }
}

/// What of these steps no history proves, as the end of a reason: the comparison of states decides there.
pub(super) fn across<'s>(case: &Case<'_>, steps: impl IntoIterator<Item = Step<'s>>) -> String {
    let mut words = String::new();
    for step in steps {
        if *step.stage() == Stage::Unseen {
            words.push_str("; nobody watched the upgrade, so the comparison of states alone decides");
            continue;
        }
        let lost = lost(case, step);
        if !lost.is_empty() {
            let lost = some_of(lost.into_iter().map(|seq| format!("#{seq}")));
            words.push_str(&format!(
                "; {lost}: history lost during {}, where the comparison of states decides",
                step.stage().step()
            ));
        }
    }
    words
}

/// The records of the gaps of the history within a step.
fn lost(case: &Case<'_>, step: Step<'_>) -> Vec<u64> {
    let [from, to] = step.seqs();
    let within = |seq: &u64| (from..=to).contains(seq);
    case.timeline.gaps.iter().map(|(mark, _)| mark.seq).filter(within).collect()
}
