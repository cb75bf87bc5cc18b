//! Holds a pod un-Ready, records when it leaves DNS, and deletes another pod meanwhile.

use futures::future::join_all;

use crate::driver::names::Name;
use crate::driver::{Context, InjectionPoint, ScenarioError};
use crate::evidence::{Checkpoint, Scenario};

/// The number of rows to write before a deletion.
const ROWS: usize = 5;

/// Holds the second pod, or the only one. Meanwhile the first pod, which the others depend on, is deleted without
/// grace: it must come back without waiting for the un-Ready one.
pub(super) async fn unready(context: &Context) -> Result<(), ScenarioError> {
    let subject = &context.workload.subject;
    let alone = subject.replicas == 1;
    let pod = subject.nth(u32::from(!alone));
    context.inject(InjectionPoint::Holding).await;
    let held = context.journal.step(Scenario::Unready, &format!("hold {pod}"), context.hold(&pod)).await?;
    let meanwhile = async {
        let checkpoint = Checkpoint::Held { pod: pod.clone() };
        context.resolve(&checkpoint, &[Name::Pod(pod.clone()), Name::Service]).await;
        if alone {
            return Ok(());
        }
        let primary = subject.primary();
        context
            .journal
            .step(Scenario::Unready, &format!("delete {primary} without grace"), kill(context, &primary))
            .await
    };
    let acted = meanwhile.await;
    let released = context.journal.step(Scenario::Unready, &format!("release {pod}"), context.release(held)).await;
    acted.and(released)?;
    if context.replicating() && !alone {
        let checkpoint = Checkpoint::Released { pod };
        let replicas: Vec<String> = subject.replica_pods().collect();
        context.barrier(&checkpoint, &replicas, context.timeouts.resume).await;
        join_all(replicas.iter().map(|replica| context.rows(&checkpoint, replica))).await;
    }
    Ok(())
}

/// Deletes a pod without grace, and records whether it comes back with the same identity.
async fn kill(context: &Context, pod: &str) -> Result<(), ScenarioError> {
    let (before, after) = (Checkpoint::BeforeKill { pod: pod.to_owned() }, Checkpoint::Kill { pod: pod.to_owned() });
    let rows = context.replicating();
    if rows {
        context.write(&before, ROWS).await;
        context.rows(&before, pod).await;
    }
    context.identity(&before, pod).await;
    context.save_logs(pod).await;
    let old = context.delete(pod, Some(0)).await?;
    context.ready(pod, Some(&old)).await?;
    if rows {
        context.rows(&after, pod).await;
    }
    let names = [Name::Pod(pod.to_owned())];
    tokio::join!(context.resolve(&after, &names), context.identity(&after, pod), context.hostname(&after, pod));
    Ok(())
}
