//! Deletes each pod in turn, highest ordinal first, and sees whether who comes back is who went.

use std::time::Duration;

use futures::future::join_all;
use kube::api::{DeleteParams, Preconditions};

use super::ScenarioError;
use super::context::Context;
use super::names::Name;
use crate::evidence::{Act, Fault, Moment, Sight, What};

/// Rows that are written before a deletion, and again after it.
const ROWS: usize = 5;

pub(super) async fn restart(context: &Context) -> Result<(), ScenarioError> {
    for ordinal in context.subject.ordinals().rev() {
        let pod = context.subject.pod(ordinal);
        context.journal.step("restart", &format!("delete {pod}"), restart_pod(context, &pod)).await?;
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
    let old = delete(context, pod).await?;
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

/// Deletes a pod by UID with its own grace period, waits until it is gone, and returns its UID.
async fn delete(context: &Context, pod: &str) -> Result<String, ScenarioError> {
    let uid = context.uid(pod).unwrap_or_default();
    let act = Act::DeletePod { pod: pod.to_owned(), uid: uid.clone(), grace_s: None };
    context.journal.log.record(What::Fault(Fault { act: act.clone(), proof: None }));
    let preconditions = Some(Preconditions { uid: Some(uid.clone()), resource_version: None });
    let parameters = DeleteParams { preconditions, ..DeleteParams::default() };
    let deleted = context.pods().delete(pod, &parameters).await;
    deleted.map_err(|source| ScenarioError::Api { what: format!("delete {pod}"), source: Box::new(source) })?;
    let proof = gone(context, pod, &uid).await?;
    context.journal.log.record(What::Fault(Fault { act, proof: Some(vec![proof]) }));
    Ok(uid)
}

/// Waits until the pod with this UID is gone, and returns the record that shows it.
pub(super) async fn gone(context: &Context, pod: &str, uid: &str) -> Result<u64, ScenarioError> {
    let what = format!("{pod} (uid {uid}) gone");
    let gone = context.wait(&what, context.limits.pod_gone, |timeline| match timeline.pod_by_uid(uid) {
        Some(life) => match life.deleted {
            Some(mark) => Sight::Met(mark.seq),
            None => Sight::NotYet(life.summary.clone()),
        },
        None => Sight::Never("the pod was never seen".to_owned()),
    });
    gone.await
}
