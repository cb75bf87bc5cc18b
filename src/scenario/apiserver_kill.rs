//! Kills the API server: the workload must continue without it, and the run's watches must recover.

use super::recover::recovered;
use crate::driver::{Context, ScenarioError};
use crate::evidence::{Act, Scenario, SnapshotOf};
use crate::record::WaitStatus;

pub(super) async fn apiserver_kill(context: &Context) -> Result<(), ScenarioError> {
    let nodes = context.control_planes().await?;
    let Some(node) = nodes.first() else {
        return Err(ScenarioError::NoNode {
            what: "found with an API server",
            why: "the cluster shows no control plane".into(),
        });
    };
    context.journal.step(Scenario::ApiserverKill, "kill the API server", kill(context, node)).await?;
    recovered(context, Scenario::ApiserverKill).await
}

/// Kills the API server of a node, and waits until another process answers in its place.
async fn kill(context: &Context, node: &str) -> Result<(), ScenarioError> {
    let doing = async {
        let machines = context.machines()?;
        let old = machines.api_server(node).await?;
        context.node_state(SnapshotOf::ApiServer, node, &old);
        machines.kill_api_server(node).await?;
        let new = context.poll("another API server", context.timeouts.pod_ready, async || {
            match machines.api_server(node).await {
                Ok(process) if process != old => {}
                Ok(_) => return WaitStatus::Pending("still the old one".to_owned()),
                Err(_) => return WaitStatus::Pending("there is none".to_owned()),
            }
            // Ask for its identity only after it has answered: the process may have been replaced again.
            match ready(context).await {
                Ok(()) => machines
                    .api_server(node)
                    .await
                    .map_or_else(|error| WaitStatus::Pending(error.last_line()), WaitStatus::Met),
                Err(error) => WaitStatus::Pending(error.to_string()),
            }
        });
        let new = new.await?;
        Ok::<_, ScenarioError>(vec![context.node_state(SnapshotOf::ApiServer, node, &new)])
    };
    context.disrupt(Act::RestartApiServer, doing).await
}

/// Whether the API server reports that it is ready (<https://kubernetes.io/docs/reference/using-api/health-checks/>).
async fn ready(context: &Context) -> kube::Result<()> {
    let request = http::Request::get("/readyz").body(Vec::new()).map_err(kube::Error::HttpError)?;
    context.cluster.client.request_text(request).await.map(drop)
}
