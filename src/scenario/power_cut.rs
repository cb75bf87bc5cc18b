//! Cuts the power of nodes while the ledger writes: of the primary's node, then of all nodes with pods of the set.

use std::time::Duration;

use futures::future::join_all;

use super::recover::recovered_at;
use crate::driver::{Context, Disrupted, ScenarioError};
use crate::evidence::{Act, Checkpoint, Scenario};

/// How long the ledger writes at least between the sync of the disks and the cut, so that there is something to lose.
const WRITES_FOR: Duration = Duration::from_secs(1);

/// The cut comes at a random moment within this time after that: servers write their logs out every second.
const WITHIN_MS: u32 = 1_000;

pub(super) async fn power_cut(context: &Context) -> Result<(), ScenarioError> {
    for cut in 1..=context.cuts.count {
        let nodes = nodes_of(context, cut).await?;
        let names = nodes.join(", ");
        let pods: Vec<(String, String)> = nodes.iter().flat_map(|node| context.pods_on(node)).collect();
        join_all(pods.iter().map(|(pod, _)| context.save_logs(pod))).await;
        context.disks()?.sync(&nodes).await?;
        tokio::time::sleep(WRITES_FOR + random_moment()).await;
        let asked = context.last_record();
        let unpowered = Disrupted::Unpowered(nodes.clone());
        context.disrupts(&unpowered).await;
        let act = Act::CutPower { nodes: nodes.clone() };
        let cutting = context.disrupt(act, context.cut_power(&nodes));
        let done = context.journal.step(Scenario::PowerCut, &format!("cut the power of {names}"), cutting).await;
        let restoring = context.undo(&unpowered);
        let back = context.journal.step(Scenario::PowerCut, &format!("restore the power of {names}"), restoring).await;
        done.and(back)?;
        for (pod, uid) in &pods {
            // A pod counts as Ready until its kubelet reports otherwise, so wait for the restart.
            context.restarted(pod, uid, asked).await?;
        }
        let checkpoint = Checkpoint::PowerCut { cut };
        recovered_at(context, &checkpoint).await?;
        read_back(context, &checkpoint).await?;
    }
    Ok(())
}

/// The nodes of a cut: that of the primary in odd cuts, all that have pods of the set in even ones. Never a node that
/// the run itself needs.
async fn nodes_of(context: &Context, cut: u32) -> Result<Vec<String>, ScenarioError> {
    let mut free = context.free_nodes("cut from its power").await?;
    if cut % 2 == 1 {
        free.truncate(1);
    }
    Ok(context.machines()?.by_address(free).await?)
}

fn random_moment() -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    Duration::from_millis(u64::from(random % WITHIN_MS))
}

/// Asks every server for its contents and for the entries of the ledger that it has, while the ledger rests. Replicas
/// that do not follow are asked too: they may be ahead.
async fn read_back(context: &Context, checkpoint: &Checkpoint) -> Result<(), ScenarioError> {
    let read = async {
        let replicas: Vec<String> = context.workload.subject.replica_pods().collect();
        context.barrier(checkpoint, &replicas, context.timeouts.barrier).await;
        let pods: Vec<String> = context.workload.subject.pods().collect();
        tokio::join!(
            context.contents(checkpoint, &pods),
            join_all(pods.iter().map(|pod| context.entries(checkpoint, pod)))
        );
        Ok(())
    };
    context.at_rest(read).await
}
