//! Deletes each pod in turn, highest ordinal first, and records whether it comes back with the same identity.

use std::time::Duration;

use futures::future::join_all;

use crate::driver::names::Name;
use crate::driver::{Context, InjectionPoint, ScenarioError};
use crate::evidence::{Checkpoint, Scenario};

/// The number of rows to write before a deletion, and again after it.
const ROWS: usize = 5;

pub(super) async fn restart(context: &Context) -> Result<(), ScenarioError> {
    context.inject(InjectionPoint::Restarting).await;
    for ordinal in context.workload.subject.ordinals().rev() {
        let pod = context.workload.subject.pod(ordinal);
        context.journal.step(Scenario::Restart, &format!("delete {pod}"), restart_pod(context, &pod)).await?;
    }
    Ok(())
}

async fn restart_pod(context: &Context, pod: &str) -> Result<(), ScenarioError> {
    let replicas: Vec<String> = context.workload.subject.replica_pods().collect();
    let checkpoint = Checkpoint::BeforeDeletion { pod: pod.to_owned() };
    context.write(&checkpoint, ROWS).await;
    if replicas.iter().any(|replica| replica == pod) {
        context.barrier(&checkpoint, &[pod.to_owned()], context.timeouts.barrier).await;
    }
    tokio::join!(context.rows(&checkpoint, pod), context.identity(&checkpoint, pod));

    context.save_logs(pod).await;
    let old = context.delete(pod, None).await?;
    context.ready(pod, Some(&old)).await?;

    let checkpoint = Checkpoint::Deletion { pod: pod.to_owned() };
    let names = [Name::Pod(pod.to_owned())];
    tokio::join!(
        context.resolve(&checkpoint, &names),
        context.rows(&checkpoint, pod),
        context.identity(&checkpoint, pod),
        context.hostname(&checkpoint, pod),
        resume(context, &checkpoint, &replicas),
    );
    Ok(())
}

/// Writes on the primary, and measures whether the replicas resume by themselves.
async fn resume(context: &Context, checkpoint: &Checkpoint, replicas: &[String]) {
    if replicas.is_empty() {
        return;
    }
    context.write(checkpoint, ROWS).await;
    context.barrier(checkpoint, replicas, limit(context)).await;
    join_all(replicas.iter().map(|replica| context.rows(checkpoint, replica))).await;
    context.replica_status(checkpoint, replicas).await;
    context.try_writes(checkpoint, replicas).await;
}

/// A replica that resumes late is still worth measuring, so wait longer than the budget.
fn limit(context: &Context) -> Duration {
    context.timeouts.resume + context.timeouts.resume / 2
}
