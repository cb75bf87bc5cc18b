//! The end of every disruption: waits for the workload, and asks for its complete state.

use std::time::{Duration, Instant};

use futures::future::join_all;

use super::deploy::settled;
use crate::driver::{Context, ScenarioError};
use crate::evidence::{Checkpoint, Scenario};

/// The number of rows to write once every pod is Ready again.
const ROWS: usize = 5;

/// The pause between two attempts to write on a primary that does not accept it yet.
const WRITE_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Waits until every pod is Ready, measures when all replicas have caught up, and compares the servers' contents. The
/// first barrier shows the recovery time, so it comes before everything else.
pub(super) async fn recovered(context: &Context, scenario: Scenario) -> Result<(), ScenarioError> {
    recovered_at(context, &Checkpoint::Recovered { scenario }).await
}

/// The same at another checkpoint.
pub(super) async fn recovered_at(context: &Context, checkpoint: &Checkpoint) -> Result<(), ScenarioError> {
    let subject = &context.workload.subject;
    for pod in subject.pods() {
        context.ready(&pod, None).await?;
    }
    let replicas: Vec<String> = subject.replica_pods().collect();
    let replicating = context.replicating();
    let mut follow = true;
    if replicating {
        let (written, reached) = caught_up(context, checkpoint, &replicas).await;
        if !(written && reached) {
            let what = if reached { "a write on the primary" } else { "every replica at the primary's transactions" };
            let limit = context.timeouts.recovery;
            context.does_not_recover(format!("{what} did not come within {limit:?} after all pods were Ready"));
        }
        follow = reached;
    }
    settled(context, subject.replicas).await?;
    if replicating && follow {
        whole(context, checkpoint, &replicas).await?;
    } else if replicating {
        // The replication status may say why.
        context.replica_status(checkpoint, &replicas).await;
    }
    let pods: Vec<String> = subject.pods().collect();
    let (names, identities) = (context.all_names(), pods.iter().map(|pod| context.identity(checkpoint, pod)));
    tokio::join!(join_all(identities), context.resolve(checkpoint, &names));
    Ok(())
}

/// Writes until the primary acknowledges it, and makes the replicas wait for that. Returns whether a write was
/// acknowledged, and whether all replicas caught up.
pub(super) async fn caught_up(context: &Context, checkpoint: &Checkpoint, replicas: &[String]) -> (bool, bool) {
    let limit = context.timeouts.recovery;
    let begun = Instant::now();
    let mut written = context.write(checkpoint, ROWS).await;
    while !written && begun.elapsed() < limit {
        tokio::time::sleep(WRITE_AGAIN_AFTER).await;
        written = context.write(checkpoint, ROWS).await;
    }
    (written, context.barrier(checkpoint, replicas, limit).await)
}

/// Compares the primary and these replicas while the ledger is paused.
pub(super) async fn whole(
    context: &Context,
    checkpoint: &Checkpoint,
    replicas: &[String],
) -> Result<(), ScenarioError> {
    let compared = async {
        context.barrier(checkpoint, replicas, context.timeouts.barrier).await;
        let pods: Vec<String> =
            std::iter::once(context.workload.subject.primary()).chain(replicas.iter().cloned()).collect();
        context.contents(checkpoint, &pods).await;
        Ok(())
    };
    context.at_rest(compared).await?;
    context.replica_status(checkpoint, replicas).await;
    context.try_writes(checkpoint, replicas).await;
    Ok(())
}
