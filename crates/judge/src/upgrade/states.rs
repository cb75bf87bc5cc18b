//! The states that a run read, and the steps between them.

use crate::Finding;
use crate::assessment::{Assessment, Judged};
use crate::case::Case;
use crate::evidence::{Act, ComponentSummary, Mark, SnapshotOf, Stage, State};
use crate::image::Image;
use crate::words::{seconds, some_of};

/// A state and the record that has it.
pub(super) struct Told {
    /// The record.
    pub mark: Mark,
    /// The state.
    pub state: State,
}

/// Two successive states.
#[derive(Clone, Copy)]
pub(super) struct Step<'s> {
    /// The state before the step.
    pub before: &'s Told,
    /// The state after it.
    pub after: &'s Told,
}

/// The states of a run from the last one before an upgrade on, in order; at least two.
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
        _ => one_step_each(case, &states).map(|()| states),
    }
}

/// Checks that a state was read after every step: the effects of two steps cannot be told apart, so neither is blamed.
fn one_step_each(case: &Case<'_>, states: &[Told]) -> Judged<()> {
    let acts = case.acts(|act| matches!(act, Act::UpgradeControlPlane { .. } | Act::UpgradeNode { .. }));
    for step in steps(states) {
        let [from, to] = step.seqs();
        let another = acts.iter().find(|acted| (from..=to).contains(&acted.asked.seq) && !step.consists_of(acted.act));
        if let Some(another) = another {
            let (act, seq) = (another.act, another.asked.seq);
            let reason = format!("no state was read after `{act}` (#{seq}) and before the next step (#{to})");
            return Err(Finding::inconclusive(reason, [from, seq, to]));
        }
    }
    Ok(())
}

/// The steps between states.
pub(super) fn steps(states: &[Told]) -> impl Iterator<Item = Step<'_>> {
    states.windows(2).filter_map(|pair| match pair {
        [before, after] => Some(Step { before, after }),
        _ => None,
    })
}

/// Checks by the versions in the states that the control plane was upgraded: otherwise nothing is known of the effects
/// of its upgrade. If nobody watched, it need not have been upgraded.
pub(super) fn control_plane_upgraded(case: &Case<'_>, states: &[Told]) -> Judged<()> {
    let (Some(first), Some(last)) = (states.first(), states.last()) else { return Ok(()) };
    let (from, found, to) = (&first.state.kubernetes, &last.state.kubernetes, wanted(case, last));
    let seqs = [first.mark.seq, last.mark.seq];
    if found != to {
        let reason = format!("the API server's version is {found} at the end, not {to} (#{})", seqs[1]);
        return Err(Finding::inconclusive(reason, [seqs[1]]));
    }
    if found == from && !is_unseen(states) {
        let reason =
            format!("the API server already had version {from} before the upgrade (#{}, #{})", seqs[0], seqs[1]);
        return Err(Finding::inconclusive(reason, seqs));
    }
    let old = |it: &&ComponentSummary| {
        found != from && is_of_kubernetes(it) && Image::parse(&it.image).tag == Some(from.as_str())
    };
    if let Some(left) = last.state.control_plane.iter().find(old) {
        let (component, node, seq) = (&left.component, &left.node, seqs[1]);
        let reason =
            format!("{component} on {node} is still {from} at the end, and the API server is {found} (#{seq})");
        return Err(Finding::inconclusive(reason, [seq]));
    }
    Ok(())
}

/// Whether the image tag of a component is the cluster's version: etcd and additional components have their own.
fn is_of_kubernetes(component: &ComponentSummary) -> bool {
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler"].contains(&component.component.as_str())
}

/// The nodes that were not upgraded, by the steps and by the versions of their kubelets. If nobody watched, it is
/// unknown which nodes should have been.
pub(super) fn nodes_left(case: &Case<'_>, states: &[Told]) -> Vec<Finding> {
    let (Some(first), Some(last)) = (states.first(), states.last()) else { return Vec::new() };
    if is_unseen(states) {
        return Vec::new();
    }
    if first.state.nodes.is_empty() {
        let seq = first.mark.seq;
        return vec![Finding::inconclusive(format!("no node was read before the upgrade (#{seq})"), [seq])];
    }
    let to = wanted(case, last);
    let left = |name: &String| {
        let of_node = |told: &&Told| matches!(&told.state.stage, Stage::Node { node } if node == name);
        let Some(told) = states.iter().find(of_node) else {
            let seq = last.mark.seq;
            return Some(Finding::inconclusive(format!("no state was read after the node {name} (#{seq})"), [seq]));
        };
        let seq = told.mark.seq;
        let kubelet = told.state.nodes.iter().find(|node| node.name == *name).map(|node| node.kubelet.as_str());
        let reason = match kubelet {
            Some(kubelet) if kubelet == to => return None,
            Some(kubelet) => format!("the kubelet of {name} is {kubelet} after its upgrade, not {to} (#{seq})"),
            None => format!("{name} is not among the nodes after its upgrade (#{seq})"),
        };
        Some(Finding::inconclusive(reason, [seq]))
    };
    first.state.nodes.iter().map(|node| &node.name).filter_map(left).collect()
}

/// Rejects as inconclusive if the states do not cover every step of an upgrade.
pub(super) fn covered(case: &Case<'_>, assessment: &mut Assessment, states: &[Told]) {
    assessment.check(control_plane_upgraded(case, states));
    nodes_left(case, states).into_iter().for_each(|finding| assessment.reject(finding));
}

/// The target version of the upgrade, or the version reached if the run does not say.
fn wanted<'w>(case: &Case<'w>, last: &'w Told) -> &'w str {
    case.run.upgrade.as_ref().map_or(&last.state.kubernetes, |upgrade| &upgrade.to)
}

fn is_unseen(states: &[Told]) -> bool {
    states.iter().any(|told| told.state.stage == Stage::Unseen)
}

impl<'s> Step<'s> {
    /// The kind of step.
    pub(super) fn stage(&self) -> &'s Stage {
        &self.after.state.stage
    }

    /// Whether an act belongs to this step. A step that nobody watched may consist of any acts.
    fn consists_of(&self, act: &Act) -> bool {
        match (self.stage(), act) {
            (Stage::ControlPlane { node }, Act::UpgradeControlPlane { node: acted, .. })
            | (Stage::Node { node }, Act::UpgradeNode { node: acted, .. }) => node == acted,
            (stage, _) => *stage == Stage::Unseen,
        }
    }

    /// The records of both states.
    pub(super) fn seqs(&self) -> [u64; 2] {
        [self.before.mark.seq, self.after.mark.seq]
    }

    /// Both records, in the form for a reason.
    pub(super) fn quote(&self) -> String {
        let [before, after] = self.seqs();
        format!("#{before}, #{after}")
    }

    /// Checks that an act of this step is proved, and returns when it was asked for. A step that nobody watched has
    /// none.
    pub(super) fn proved(&self, case: &Case<'_>, what: &str, wanted: impl Fn(&Act) -> bool) -> Judged<Mark> {
        let [from, to] = self.seqs();
        let acts = case.acts(wanted);
        let within = acts.iter().rfind(|act| (from..=to).contains(&act.asked.seq));
        let Some(act) = within else {
            let reason = format!("{what} was not requested between #{from} and #{to}");
            return Err(Finding::inconclusive(reason, self.seqs()));
        };
        let seq = act.asked.seq;
        match act.proved {
            Some(_) => Ok(act.asked),
            None => Err(Finding::inconclusive(format!("the act `{}` is not proved (#{seq})", act.act), [seq])),
        }
    }

    /// The duration of the step, for people.
    pub(super) fn took(&self) -> String {
        seconds(self.after.mark.at_us.saturating_sub(self.before.mark.at_us))
    }
}

/// Which steps have no complete history, as the end of a reason: there only the comparison of states decides.
pub(super) fn across<'s>(case: &Case<'_>, steps: impl IntoIterator<Item = Step<'s>>) -> String {
    let mut words = String::new();
    for step in steps {
        if *step.stage() == Stage::Unseen {
            words.push_str("; no watch ran during the upgrade, so only the comparison of states decides");
            continue;
        }
        let lost = lost(case, step);
        if !lost.is_empty() {
            let lost = some_of(lost.into_iter().map(|seq| format!("#{seq}")));
            words.push_str(&format!(
                "; {lost}: the watch has a gap during {}, so the comparison of states decides there",
                step.stage().step()
            ));
        }
    }
    words
}

/// The records of the gaps within a step.
fn lost(case: &Case<'_>, step: Step<'_>) -> Vec<u64> {
    let [from, to] = step.seqs();
    let within = |seq: &u64| (from..=to).contains(seq);
    case.timeline.gaps.iter().map(|(mark, _)| mark.seq).filter(within).collect()
}
