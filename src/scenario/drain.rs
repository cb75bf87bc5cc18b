//! Drains the primary's node: its volume is there, so the pod that takes the primary's place has to wait for the node.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, EvictParams};

use super::recover::recovered;
use crate::driver::Context;
use crate::driver::Disrupted;
use crate::driver::ScenarioError;
use crate::driver::disrupt::failed;
use crate::evidence::{Act, PodLife, Scenario};
use crate::record::WaitStatus;
use crate::workload::by_uid;

/// What the scheduler says of a pod that no node may take.
const UNSCHEDULABLE: &str = "nodes are available";

/// Only the set's pods are evicted: whatever else the node carries stays, so it may be any node.
pub(super) async fn drain(context: &Context) -> Result<(), ScenarioError> {
    let node = context.node_of(&context.workload.subject.primary()).unwrap_or_default();
    let pods = context.pods_on(&node);
    for (pod, _) in &pods {
        context.save_logs(pod).await;
    }
    let cordoned = Disrupted::Cordoned(node.clone());
    context.disrupts(&cordoned).await;
    let emptied = context.journal.step(Scenario::Drain, &format!("drain {node}"), empty(context, &node, &pods)).await;
    let back = context.journal.step(Scenario::Drain, &format!("uncordon {node}"), context.undo(&cordoned)).await;
    emptied.and(back)?;
    for (pod, old) in &pods {
        context.ready(pod, context.gone_already(old).then_some(old)).await?;
    }
    recovered(context, Scenario::Drain).await
}

/// Cordons a node, evicts these pods, and waits until the first one's place is taken by a pod that cannot come back there.
pub(super) async fn empty(context: &Context, node: &str, pods: &[(String, String)]) -> Result<(), ScenarioError> {
    let doing = async {
        let mut proof = vec![context.cordon(node, true).await?];
        let mut first = None;
        for (pod, uid) in pods {
            if evict(context, &context.pods(), pod, uid).await? {
                proof.push(context.gone(pod, uid).await?);
                first = first.or(Some((pod, uid)));
            } else {
                context.journal.note(format!("{pod} stayed on {node}: a disruption budget would not let it go"));
            }
        }
        if let Some((pod, uid)) = first {
            proof.push(waits(context, node, pod, uid).await?);
        }
        Ok::<_, ScenarioError>(proof)
    };
    context.disrupt(Act::Drain { node: node.to_owned() }, doing).await
}

/// Asks for the eviction of the pod with this UID until a disruption budget lets it go, if it does in time.
pub(super) async fn evict(context: &Context, pods: &Api<Pod>, pod: &str, uid: &str) -> Result<bool, ScenarioError> {
    let parameters = EvictParams { delete_options: Some(by_uid(uid)), ..EvictParams::default() };
    let ask = async || match pods.evict(pod, &parameters).await {
        Ok(_) => WaitStatus::Met(Ok(())),
        // It went by itself, and another one may have its name by now.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => WaitStatus::Met(Ok(())),
        Err(kube::Error::Api(status)) if status.code == 429 => WaitStatus::Pending(status.message.clone()),
        Err(error) => WaitStatus::Met(Err(error)),
    };
    match context.poll(&format!("the eviction of {pod}"), context.timeouts.reaction, ask).await {
        Ok(evicted) => evicted.map(|()| true).map_err(failed(format!("evict {pod}"))),
        Err(_) => Ok(false),
    }
}

/// Waits until the pod that took an evicted one's place finds no node, or, where its volumes may move, has found another
/// one.
async fn waits(context: &Context, node: &str, pod: &str, old: &str) -> Result<u64, ScenarioError> {
    let elsewhere = |life: &PodLife| life.node.as_deref().is_some_and(|other| other != node);
    let what = format!("a new {pod} kept off {node}");
    context
        .wait(&what, context.timeouts.pod_gone, |timeline| match timeline.live_pod(pod) {
            Some(life) if life.uid == old => WaitStatus::Pending(format!("still the old one: {}", life.summary)),
            Some(life) if elsewhere(life) || life.summary.contains(UNSCHEDULABLE) => WaitStatus::Met(timeline.last_seq),
            Some(life) => WaitStatus::Pending(life.summary.clone()),
            None => WaitStatus::Pending("there is no such pod".to_owned()),
        })
        .await
}
