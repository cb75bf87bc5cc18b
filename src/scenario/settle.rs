//! Ends the write ledger once nothing disrupts the workload any more, and reads back what the servers hold of it.

use std::time::Duration;

use futures::future::join_all;

use super::ScenarioError;
use super::context::Context;
use super::sabotage::Point;
use crate::evidence::Moment;

/// For how long the ledger goes on undisturbed: what is normal is measured then. With ten looks a second at a replica,
/// fewer would say little about one in a hundred.
const REST: Duration = Duration::from_secs(5);

pub(super) async fn settle(context: &Context) -> Result<(), ScenarioError> {
    let moment = Moment::Settled;
    let subject = &context.subject;
    let (pods, replicas): (Vec<String>, Vec<String>) = (subject.pods().collect(), subject.replica_pods().collect());
    if context.ledger.is_some() {
        // Whoever still catches up from the last disruption is not at rest.
        context.barrier(&moment, &replicas, context.limits.recovery).await;
        tokio::time::sleep(REST).await;
    }
    context.journal.step("settle", "stop the ledger", context.stop_ledger()).await?;
    context.barrier(&moment, &replicas, context.limits.recovery).await;
    context.strike(Point::Settling).await;
    join_all(pods.iter().map(|pod| context.entries(&moment, pod))).await;
    context.contents(&moment, &pods).await;
    context.replica_status(&moment, &replicas).await;
    Ok(())
}
