//! Scales the StatefulSet to one more pod than it specifies, makes that pod replicate, and scales back. The new pod's
//! claim stays until the teardown.

use super::deploy::settled;
use super::recover::{caught_up, recovered, whole};
use super::replicate::follow;
use crate::driver::names::Name;
use crate::driver::{Context, InjectionPoint, ScenarioError};
use crate::evidence::{Act, Checkpoint, Scenario};

pub(super) async fn grow(context: &Context) -> Result<(), ScenarioError> {
    let all = context.workload.subject.replicas;
    if all < 2 {
        return Ok(());
    }
    let pod = context.workload.subject.nth(all);
    context.inject(InjectionPoint::Growing).await;
    let grown = context.journal.step(Scenario::Grow, &format!("scale to {}", all + 1), scale_up(context, &pod)).await;
    let joined = match grown {
        Ok(()) => context.journal.step(Scenario::Grow, &format!("have {pod} join"), join(context, &pod)).await,
        failed => failed,
    };
    // Restore the StatefulSet whatever happened.
    let back = context.journal.step(Scenario::Grow, &format!("scale to {all}"), scale_back(context, &pod)).await;
    joined.and(back)?;
    recovered(context, Scenario::Grow).await
}

async fn scale_up(context: &Context, pod: &str) -> Result<(), ScenarioError> {
    let all = context.workload.subject.replicas;
    let doing = async {
        context.patch_scale(all + 1).await?;
        context.ready(pod, None).await?;
        settled(context, all + 1).await?;
        Ok::<_, ScenarioError>(vec![context.last_record()])
    };
    context.disrupt(Act::Scale { from: all, to: all + 1 }, doing).await
}

/// Makes the new pod replicate the primary's complete history, and compares it with the others.
async fn join(context: &Context, pod: &str) -> Result<(), ScenarioError> {
    let checkpoint = Checkpoint::Joined;
    let new = [pod.to_owned()];
    if context.replicating() {
        follow(context, &checkpoint, &new).await?;
        let replicas: Vec<String> = context.workload.subject.replica_pods().chain(new).collect();
        caught_up(context, &checkpoint, &replicas).await;
        whole(context, &checkpoint, &replicas).await?;
    }
    let names = [Name::Pod(pod.to_owned()), Name::Service];
    tokio::join!(
        context.identity(&checkpoint, pod),
        context.hostname(&checkpoint, pod),
        context.resolve(&checkpoint, &names)
    );
    Ok(())
}

async fn scale_back(context: &Context, pod: &str) -> Result<(), ScenarioError> {
    let all = context.workload.subject.replicas;
    context.save_logs(pod).await;
    let uid = context.uid(pod);
    let doing = async {
        context.patch_scale(all).await?;
        let mut proof = vec![context.last_record()];
        if let Some(uid) = uid {
            proof = vec![context.gone(pod, &uid).await?];
        }
        settled(context, all).await?;
        Ok::<_, ScenarioError>(proof)
    };
    context.disrupt(Act::Scale { from: all + 1, to: all }, doing).await
}
