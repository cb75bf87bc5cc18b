//! Ends the ledger once nothing disrupts the workload any more, and reads back which entries the servers have.

use std::time::Duration;

use futures::future::join_all;

use crate::driver::{Context, InjectionPoint, ScenarioError};
use crate::evidence::{Checkpoint, Scenario};

/// How long the ledger goes on undisturbed to measure the normal lag. At ten samples a second and replica, fewer would
/// say little about the 99th percentile.
const REST: Duration = Duration::from_secs(5);

pub(super) async fn settle(context: &Context) -> Result<(), ScenarioError> {
    if context.vain.awaited() {
        return in_haste(context).await;
    }
    let checkpoint = Checkpoint::Settled;
    let subject = &context.workload.subject;
    let (pods, replicas): (Vec<String>, Vec<String>) = (subject.pods().collect(), subject.replica_pods().collect());
    if context.ledger.rate.is_some() {
        // A replica that still catches up from the last disruption is not at rest.
        context.barrier(&checkpoint, &replicas, context.timeouts.recovery).await;
        tokio::time::sleep(REST).await;
    }
    context.journal.step(Scenario::Settle, "stop the ledger", context.stop_ledger()).await?;
    context.barrier(&checkpoint, &replicas, context.timeouts.recovery).await;
    context.inject(InjectionPoint::Settling).await;
    join_all(pods.iter().map(|pod| context.entries(&checkpoint, pod))).await;
    context.contents(&checkpoint, &pods).await;
    context.replica_status(&checkpoint, &replicas).await;
    Ok(())
}

/// The same for a workload that did not recover: Ready servers report which entries they have, so that losses show.
/// Nothing else can be compared.
async fn in_haste(context: &Context) -> Result<(), ScenarioError> {
    let checkpoint = Checkpoint::Settled;
    context.journal.step(Scenario::Settle, "stop the ledger", context.stop_ledger()).await?;
    let ready: Vec<String> = context.journal.log.look(|timeline| {
        let serves = |pod: &String| timeline.live_pod(pod).is_some_and(|life| life.serving_at(timeline.last_seq));
        context.workload.subject.pods().filter(serves).collect()
    });
    let primary = context.workload.subject.primary();
    if ready.contains(&primary) {
        let replicas: Vec<String> = ready.iter().filter(|pod| **pod != primary).cloned().collect();
        context.barrier_in_haste(&checkpoint, &replicas).await;
    }
    context.inject(InjectionPoint::Settling).await;
    join_all(ready.iter().map(|pod| context.entries(&checkpoint, pod))).await;
    Ok(())
}
