//! Ends the write ledger once nothing disrupts the workload any more, and reads back what the servers hold of it.

use futures::future::join_all;

use super::ScenarioError;
use super::context::Context;
use super::sabotage::Point;
use crate::evidence::Moment;

pub(super) async fn settle(context: &Context) -> Result<(), ScenarioError> {
    let moment = Moment::Settled;
    let subject = &context.subject;
    let (pods, replicas): (Vec<String>, Vec<String>) = (subject.pods().collect(), subject.replica_pods().collect());
    context.journal.step("settle", "stop the ledger", context.stop_ledger()).await?;
    // The last disruption may be a moment ago.
    context.barrier(&moment, &replicas, context.limits.recovery).await;
    context.strike(Point::Settling).await;
    join_all(pods.iter().map(|pod| context.entries(&moment, pod))).await;
    context.contents(&moment, &pods).await;
    context.replica_status(&moment, &replicas).await;
    Ok(())
}
