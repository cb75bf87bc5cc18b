//! Deploys the workload, and asks for its identity once every pod is Ready.

use futures::future::join_all;

use crate::driver::disrupt::quiet;
use crate::driver::{Context, InjectionPoint, ScenarioError};
use crate::evidence::{Act, Checkpoint, Scenario, SnapshotOf};
use crate::record::WaitStatus;
use crate::workload::apply;

pub(super) async fn deploy(context: &Context) -> Result<(), ScenarioError> {
    context.journal.step(Scenario::Deploy, "apply the manifests", apply_all(context)).await?;
    context.journal.step(Scenario::Deploy, "ordered start", started(context)).await?;
    context.inject(InjectionPoint::Deployed).await;
    let checkpoint = Checkpoint::Deployed;
    let questions = context.workload.subject.pods().map(|pod| {
        let checkpoint = &checkpoint;
        async move {
            tokio::join!(
                context.identity(checkpoint, &pod),
                context.hostname(checkpoint, &pod),
                context.settings(checkpoint, &pod)
            )
        }
    });
    let names = context.all_names();
    tokio::join!(join_all(questions), context.resolve(&checkpoint, &names), context.look_up(&checkpoint));
    let again = async {
        context.inject(InjectionPoint::Reapplying).await;
        let proof = apply_all(context).await?;
        quiet().await;
        Ok::<_, ScenarioError>(vec![proof])
    };
    context.journal.step(Scenario::Deploy, "apply the manifests again", context.disrupt(Act::Reapply, again)).await
}

/// Applies the manifests, and records the resulting objects of the API server.
async fn apply_all(context: &Context) -> Result<u64, ScenarioError> {
    let mut made = context.workload.made.lock().await;
    let applied =
        apply(&context.cluster.client, &context.workload.manifests, &context.workload.subject.namespace, &mut made)
            .await?;
    Ok(context.snapshot(SnapshotOf::Applied, &applied))
}

/// Waits until every pod of the StatefulSet is Ready. The time limit starts again for each pod.
pub(super) async fn started(context: &Context) -> Result<(), ScenarioError> {
    for pod in context.workload.subject.pods() {
        context.ready(&pod, None).await?;
    }
    settled(context, context.workload.subject.replicas).await
}

/// Waits until the controller has seen the StatefulSet's latest spec and reports this many pods, all Ready.
pub(super) async fn settled(context: &Context, replicas: u32) -> Result<(), ScenarioError> {
    let wanted = i64::from(replicas);
    let what = format!("StatefulSet {} with {wanted} Ready pods", context.workload.subject.set);
    let awaited = context.wait(&what, context.timeouts.pod_ready, |timeline| {
        let Some(set) = &timeline.set else { return WaitStatus::Pending("there is no such set".to_owned()) };
        let seen = set.observed_generation >= set.generation;
        if seen && set.replicas == wanted && set.current == wanted && set.ready == wanted {
            return WaitStatus::Met(());
        }
        let state = format!(
            "{} of {} pods Ready, generation {} of {}",
            set.ready, set.current, set.observed_generation, set.generation
        );
        WaitStatus::Pending(state)
    });
    context.comes_back(awaited).await
}
