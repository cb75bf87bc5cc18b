//! Shuts a node down and starts it again: its pods stay, and all their containers are new.

use super::recover::recovered;
use crate::driver::{Context, Disrupted, ScenarioError};
use crate::evidence::{Act, Scenario};

pub(super) async fn node_stop(context: &Context) -> Result<(), ScenarioError> {
    let node = context.free_node("stopped").await?;
    let pods = context.pods_on(&node);
    for (pod, _) in &pods {
        context.save_logs(pod).await;
    }
    let asked = context.last_record();
    let stopped = Disrupted::Stopped(node.clone());
    context.disrupts(&stopped).await;
    let shut = context.journal.step(Scenario::NodeStop, &format!("stop {node}"), stop(context, &node)).await;
    let back = context.journal.step(Scenario::NodeStop, &format!("start {node}"), context.undo(&stopped)).await;
    shut.and(back)?;
    for (pod, uid) in &pods {
        // A pod counts as Ready until its kubelet reports otherwise, so wait for the restart.
        context.restarted(pod, uid, asked).await?;
    }
    recovered(context, Scenario::NodeStop).await
}

async fn stop(context: &Context, node: &str) -> Result<(), ScenarioError> {
    let doing = async {
        context.machines()?.stop(node).await?;
        Ok::<_, ScenarioError>(vec![context.node_is(node, "exited").await?])
    };
    context.disrupt(Act::StopNode { node: node.to_owned() }, doing).await
}
