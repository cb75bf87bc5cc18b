//! Pauses a node for some seconds: nothing there runs or answers, and nothing reports it.

use std::time::Duration;

use super::recover::recovered;
use crate::driver::{Context, Disrupted, ScenarioError};
use crate::evidence::{Act, Scenario};

/// How long to pause: shorter than the cluster needs to give the node up, longer than a client waits for a query.
const PAUSED_FOR: Duration = Duration::from_secs(10);

pub(super) async fn node_pause(context: &Context) -> Result<(), ScenarioError> {
    let node = context.free_node("paused").await?;
    let paused = Disrupted::Paused(node.clone());
    context.disrupts(&paused).await;
    let frozen = context.journal.step(Scenario::NodePause, &format!("pause {node}"), pause(context, &node)).await;
    let back = context.journal.step(Scenario::NodePause, &format!("unpause {node}"), context.undo(&paused)).await;
    frozen.and(back)?;
    recovered(context, Scenario::NodePause).await
}

async fn pause(context: &Context, node: &str) -> Result<(), ScenarioError> {
    let doing = async {
        context.machines()?.pause(node).await?;
        Ok::<_, ScenarioError>(vec![context.node_is(node, "paused").await?])
    };
    context.disrupt(Act::PauseNode { node: node.to_owned() }, doing).await?;
    tokio::time::sleep(PAUSED_FOR).await;
    Ok(())
}
