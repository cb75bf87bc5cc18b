//! Scales the StatefulSet to one pod and back. When scaling up, that pod is held un-Ready at first. The others must
//! wait for it, or, with parallel pod management, must start all the same.

use futures::future::join_all;

use super::deploy::{settled, started};
use crate::driver::disrupt::{Held, quiet};
use crate::driver::names::Name;
use crate::driver::{Context, InjectionPoint, ScenarioError};
use crate::evidence::{Act, Checkpoint, PodManagement, Scenario, Timeline};
use crate::record::WaitStatus;

/// The number of rows that the returning pods must catch up with.
const ROWS: usize = 5;

pub(super) async fn scale(context: &Context) -> Result<(), ScenarioError> {
    let subject = &context.workload.subject;
    let all = subject.replicas;
    if all < 2 {
        return Ok(());
    }
    let surplus: Vec<String> = subject.replica_pods().collect();
    context.inject(InjectionPoint::Scaling).await;
    context.journal.step(Scenario::Scale, "scale to 1", scale_down(context, &surplus)).await?;
    let mut names: Vec<Name> = surplus.iter().cloned().map(Name::Pod).collect();
    names.push(Name::Service);
    context.resolve(&Checkpoint::ScaledDown, &names).await;
    let replicating = context.replicating();
    if replicating {
        context.write(&Checkpoint::ScaledDown, ROWS).await;
    }

    let primary = subject.primary();
    let held = context.journal.step(Scenario::Scale, &format!("hold {primary}"), context.hold(&primary)).await?;
    context.journal.step(Scenario::Scale, &format!("scale to {all}"), scale_up(context, held)).await?;
    let checkpoint = Checkpoint::ScaledUp;
    context.resolve(&checkpoint, &context.all_names()).await;
    for pod in subject.pods() {
        context.identity(&checkpoint, &pod).await;
    }
    if replicating {
        let pods: Vec<String> = subject.pods().collect();
        let compare = async {
            context.barrier(&checkpoint, &surplus, context.timeouts.barrier).await;
            context.contents(&checkpoint, &pods).await;
            Ok(())
        };
        context.at_rest(compare).await?;
        context.replica_status(&checkpoint, &surplus).await;
        context.try_writes(&checkpoint, &surplus).await;
    }
    Ok(())
}

/// Scales to one pod, and waits until the others are gone.
async fn scale_down(context: &Context, surplus: &[String]) -> Result<(), ScenarioError> {
    join_all(surplus.iter().map(|pod| context.save_logs(pod))).await;
    let leaving: Vec<(String, String)> =
        surplus.iter().filter_map(|pod| Some((pod.clone(), context.uid(pod)?))).collect();
    let doing = async {
        context.patch_scale(1).await?;
        let mut proof = Vec::new();
        for (pod, uid) in &leaving {
            proof.push(context.gone(pod, uid).await?);
        }
        settled(context, 1).await?;
        Ok::<_, ScenarioError>(proof)
    };
    context.disrupt(Act::Scale { from: context.workload.subject.replicas, to: 1 }, doing).await
}

/// Scales up while the only pod is held un-Ready. Releases it once the controller has seen that or, with parallel pod
/// management, once the others exist. Then waits for all pods.
async fn scale_up(context: &Context, held: Held) -> Result<(), ScenarioError> {
    let all = context.workload.subject.replicas;
    // Let the controller learn that the pod is not Ready before it is asked to scale.
    quiet().await;
    let doing = async {
        let parallel = context.workload.subject.pod_management == PodManagement::Parallel;
        let mut asked = context.patch_scale(all).await;
        if asked.is_ok() && parallel {
            asked = others_there(context).await;
        } else if asked.is_ok() {
            quiet().await;
        }
        let released = context.release(held).await;
        asked.and(released)?;
        started(context).await?;
        Ok::<_, ScenarioError>(vec![context.last_record()])
    };
    context.disrupt(Act::Scale { from: 1, to: all }, doing).await
}

/// Waits until every pod but the first was created, in whatever state.
async fn others_there(context: &Context) -> Result<(), ScenarioError> {
    for pod in context.workload.subject.replica_pods() {
        let there = |timeline: &Timeline| match timeline.live_pod(&pod) {
            Some(_) => WaitStatus::Met(()),
            None => WaitStatus::Pending("there is no such pod".to_owned()),
        };
        context.wait(&format!("{pod} created"), context.timeouts.reaction, there).await?;
    }
    Ok(())
}
