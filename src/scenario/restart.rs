//! Deletes each pod in turn, highest ordinal first, and sees whether who comes back is who went.

use std::time::Duration;

use futures::future::join_all;

use super::ScenarioError;
use super::context::Context;
use super::names::Name;
use super::sabotage::Point;
use crate::evidence::{Moment, Scenario};

/// Rows that are written before a deletion, and again after it.
const ROWS: usize = 5;

pub(super) async fn restart(context: &Context) -> Result<(), ScenarioError> {
    context.strike(Point::Restarting).await;
    for ordinal in context.subject.ordinals().rev() {
        let pod = context.subject.pod(ordinal);
        context.journal.step(Scenario::Restart, &format!("delete {pod}"), restart_pod(context, &pod)).await?;
    }
    Ok(())
}

async fn restart_pod(context: &Context, pod: &str) -> Result<(), ScenarioError> {
    let replicas: Vec<String> = context.subject.replica_pods().collect();
    let moment = Moment::BeforeDeletion { pod: pod.to_owned() };
    context.write(&moment, ROWS).await;
    if replicas.iter().any(|replica| replica == pod) {
        context.barrier(&moment, &[pod.to_owned()], context.limits.barrier).await;
    }
    tokio::join!(context.rows(&moment, pod), context.identity(&moment, pod));

    context.save_logs(pod).await;
    let old = context.delete(pod, None).await?;
    context.ready(pod, Some(&old)).await?;

    let moment = Moment::Deletion { pod: pod.to_owned() };
    let names = [Name::Pod(pod.to_owned())];
    tokio::join!(
        context.resolve(&moment, &names),
        context.rows(&moment, pod),
        context.identity(&moment, pod),
        context.hostname(&moment, pod),
        resume(context, &moment, &replicas),
    );
    Ok(())
}

/// Writes on the primary and sees whether the replicas follow, with nobody telling them to.
async fn resume(context: &Context, moment: &Moment, replicas: &[String]) {
    if replicas.is_empty() {
        return;
    }
    context.write(moment, ROWS).await;
    context.barrier(moment, replicas, limit(context)).await;
    join_all(replicas.iter().map(|replica| context.rows(moment, replica))).await;
    context.replica_status(moment, replicas).await;
    context.try_writes(moment, replicas).await;
}

/// A replica that resumes too late is still worth measuring, so the wait goes on for a while after the budget.
fn limit(context: &Context) -> Duration {
    context.limits.resume + context.limits.resume / 2
}
