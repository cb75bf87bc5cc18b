//! The acts of each scenario.

use crate::Finding;
use crate::case::Case;
use crate::evidence::{Act, Retention, Scenario};

/// An act of a scenario: how to recognize it in the evidence, and its name in the imperative.
struct Step {
    is: Box<dyn Fn(&Act) -> bool>,
    words: String,
}

fn step(words: impl Into<String>, is: impl Fn(&Act) -> bool + 'static) -> Step {
    Step { is: Box::new(is), words: words.into() }
}

/// The acts of a scenario that completes.
fn steps(case: &Case<'_>, scenario: Scenario) -> Vec<Step> {
    let subject = case.subject;
    let (all, several, own) = (subject.replicas, subject.replicas > 1, subject.claim_policy.when_scaled);
    let scale =
        |from: u32, to: u32| step(format!("scale from {from} to {to}"), move |act| *act == Act::Scale { from, to });
    let delete = |pod: String, grace_s: Option<u32>| {
        step(
            format!("delete {pod}"),
            move |act| matches!(act, Act::DeletePod { pod: it, grace_s: its, .. } if *it == pod && *its == grace_s),
        )
    };
    let hold = || step("hold a pod", |act| matches!(act, Act::Hold { .. }));
    let release = || step("release the held pod", |act| matches!(act, Act::Release { .. }));
    match scenario {
        Scenario::Deploy => vec![step("apply the manifests again", |act| *act == Act::Reapply)],
        Scenario::Replicate if case.run.acts(Scenario::Settle) => {
            vec![step("start the ledger", |act| matches!(act, Act::StartLedger { .. }))]
        }
        Scenario::Settle => vec![step("stop the ledger", |act| *act == Act::StopLedger)],
        Scenario::Restart => subject.pods().map(|pod| delete(pod, None)).collect(),
        Scenario::Unready if several => vec![hold(), delete(subject.primary(), Some(0)), release()],
        Scenario::Unready => vec![hold(), release()],
        Scenario::ServerKill => vec![step("kill the primary's server", |act| matches!(act, Act::KillServer { .. }))],
        Scenario::DeleteAll => vec![step("delete every pod at once", |act| *act == Act::DeleteAllPods)],
        Scenario::Scale if several => vec![scale(all, 1), hold(), release(), scale(1, all)],
        Scenario::Grow if several => vec![scale(all, all + 1), scale(all + 1, all)],
        Scenario::Roll if case.subject.is_updatable() => vec![
            step("update the pods", |act| matches!(act, Act::Roll { .. })),
            step("break the template", |act| *act == Act::BreakTemplate),
            step("revert the template", |act| *act == Act::RevertTemplate),
        ],
        Scenario::Drain => vec![
            step("drain a node", |act| matches!(act, Act::Drain { .. })),
            step("uncordon the node", |act| matches!(act, Act::Uncordon { .. })),
        ],
        Scenario::NodePause => vec![
            step("pause a node", |act| matches!(act, Act::PauseNode { .. })),
            step("unpause the node", |act| matches!(act, Act::UnpauseNode { .. })),
        ],
        Scenario::NodeStop => vec![
            step("stop a node", |act| matches!(act, Act::StopNode { .. })),
            step("start the node", |act| matches!(act, Act::StartNode { .. })),
        ],
        Scenario::PowerCut => vec![
            step("cut the power of a node", |act| matches!(act, Act::CutPower { .. })),
            step("restore the power of the node", |act| matches!(act, Act::RestorePower { .. })),
        ],
        Scenario::DnsReplace => vec![step("replace the DNS servers", |act| *act == Act::RestartDns)],
        Scenario::ApiserverKill => vec![step("kill the API server", |act| *act == Act::RestartApiServer)],
        Scenario::Claims => vec![
            step("set the claims' policy to Delete", |act| {
                *act == Act::SetClaimPolicy { when_scaled: Retention::Delete }
            }),
            scale(all, all.saturating_sub(1)),
            step("set the claims' policy back", move |act| *act == Act::SetClaimPolicy { when_scaled: own }),
            scale(all.saturating_sub(1), all),
        ],
        Scenario::Teardown => vec![step("delete everything that the run created", |act| *act == Act::Teardown)],
        _ => Vec::new(),
    }
}

/// The inconclusive finding about a completed scenario that lacks an act or the proof of one.
pub(super) fn unproved(case: &Case<'_>, scenarios: &[Scenario]) -> Option<Finding> {
    let mut ended = scenarios.iter().copied().filter(|scenario| case.run.acts(*scenario) && case.ended(*scenario));
    ended.find_map(|scenario| {
        let (from, to) = case.span(scenario);
        let acts: Vec<_> =
            case.acts(|_| true).into_iter().filter(|acted| (from..=to).contains(&acted.asked.seq)).collect();
        let unproved = acts.iter().find(|acted| acted.proved.is_none() && acted.needs_proof());
        let unproved = unproved.map(|acted| {
            let seq = acted.asked.seq;
            let reason = format!("the scenario {scenario} did not prove the act `{}` (#{seq})", acted.act);
            Finding::inconclusive(reason, [seq])
        });
        unproved.or_else(|| {
            let missing = steps(case, scenario).into_iter().find(|step| !acts.iter().any(|acted| (step.is)(acted.act)));
            missing.map(|step| {
                let reason = format!("the scenario {scenario} ended (#{to}) without an act: {}", step.words);
                Finding::inconclusive(reason, [to])
            })
        })
    })
}

#[cfg(test)]
mod tests;
