//! Deletes every pod of the StatefulSet at once: the workload must recover from its claims alone.

use futures::future::{join_all, try_join_all};

use super::recover::recovered;
use crate::driver::{Context, ScenarioError};
use crate::evidence::{Act, Scenario};

pub(super) async fn delete_all(context: &Context) -> Result<(), ScenarioError> {
    let pods: Vec<String> = context.workload.subject.pods().collect();
    join_all(pods.iter().map(|pod| context.save_logs(pod))).await;
    context.journal.step(Scenario::DeleteAll, "delete every pod", delete_every_pod(context, &pods)).await?;
    recovered(context, Scenario::DeleteAll).await
}

async fn delete_every_pod(context: &Context, pods: &[String]) -> Result<(), ScenarioError> {
    let there: Vec<(&str, String)> = pods.iter().filter_map(|pod| Some((pod.as_str(), context.uid(pod)?))).collect();
    let doing = async {
        try_join_all(there.iter().map(|(pod, uid)| context.ask_to_go(pod, uid, None))).await?;
        try_join_all(there.iter().map(|(pod, uid)| context.gone(pod, uid))).await
    };
    context.disrupt(Act::DeleteAllPods, doing).await
}
