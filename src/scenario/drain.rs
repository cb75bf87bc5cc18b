//! Drains the primary's node. The primary's volume is on that node, so the replacement pod must wait for the node.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, EvictParams};

use super::recover::recovered;
use crate::driver::disrupt::failed;
use crate::driver::{Context, Disrupted, ScenarioError};
use crate::evidence::{Act, PodLife, Scenario};
use crate::record::WaitStatus;
use crate::workload::by_uid;

/// The scheduler's message for a pod that fits on no node.
const UNSCHEDULABLE: &str = "nodes are available";

/// Evicts only the StatefulSet's pods. Everything else stays, so any node may be drained.
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

/// Cordons a node, evicts these pods, and waits until the first pod has a replacement that cannot return to the node.
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

/// Evicts the pod with this UID, retrying until a PodDisruptionBudget allows it. Returns whether that happened in time.
pub(super) async fn evict(context: &Context, pods: &Api<Pod>, pod: &str, uid: &str) -> Result<bool, ScenarioError> {
    let parameters = EvictParams { delete_options: Some(by_uid(uid)), ..EvictParams::default() };
    let ask = async || match pods.evict(pod, &parameters).await {
        Ok(_) => WaitStatus::Met(Ok(())),
        // The pod is gone already, and another one may have its name.
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => WaitStatus::Met(Ok(())),
        Err(kube::Error::Api(status)) if status.code == 429 => WaitStatus::Pending(status.message.clone()),
        Err(error) => WaitStatus::Met(Err(error)),
    };
    match context.poll(&format!("the eviction of {pod}"), context.timeouts.reaction, ask).await {
        Ok(evicted) => evicted.map(|()| true).map_err(failed(format!("evict {pod}"))),
        Err(_) => Ok(false),
    }
}

/// Waits until the replacement of an evicted pod is unschedulable, or, if its volumes can move, is on another node.
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
